"""Which settings and secrets a refused sign-in was about, so that it is not repeated with the same ones.

Any thread. How often secrets were changed stands in a file of its own beside the outbox: a command changes them without
the outbox, which a running program holds. Neither the file nor the fingerprint says anything about a secret itself.
"""

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vxtray.core.paths import private_folder
from vxtray.core.settings.tree import Smtp

_FILE = "secret-changes.json"

SIGNED_IN, SIGNED_OUT = "signed-in", "signed-out"


class SecretChange(msgspec.Struct, frozen=True):
    """The last change of a secret: how many there were, which one (its name only), and when (ISO 8601, UTC).

    Of a sign-in with a provider, ``name`` is ``SIGNED_IN`` or ``SIGNED_OUT``, and ``user`` who that was.
    """

    count: int = 0
    name: str = ""
    at: str = ""
    user: str = ""


def last_change(state: Path) -> SecretChange:
    """Return the last change of a secret in a profile's state folder."""
    try:
        return msgspec.json.decode((state / _FILE).read_bytes(), type=SecretChange)
    except (OSError, msgspec.MsgspecError):
        return SecretChange()


def secret_changed(state: Path, name: str, user: str = "") -> None:
    """Put on record that a secret was stored or deleted, or entered again. Raises ``OSError``."""
    private_folder(state)
    path = state / _FILE
    at = datetime.now(UTC).isoformat()
    content = {"count": last_change(state).count + 1, "name": name, "at": at, "user": user}
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def fingerprint(smtp: Smtp, state: Path) -> str:
    """Return a text that differs where the server, the user, the way to sign in or a secret is another one."""
    parts = (smtp.host.lower(), smtp.port, smtp.security, smtp.auth, smtp.username, smtp.from_address, smtp.ca_file)
    return json.dumps([*map(str, parts), last_change(state).count])
