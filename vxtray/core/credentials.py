"""Passwords and tokens: the OS keyring, or systemd's credentials on a server. Never a plain file.

The keyring may block on a prompt for as long as the person takes, so each call runs on its own daemon thread
``vx-keyring`` with a soft limit; callers never run on the GUI thread (``Bridge.run`` brings them to ``vx-task``).
The only module that imports keyring.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from vxtray.core.errors import (
    N_,
    CredentialError,
    CredentialReadOnly,
    KeyringLocked,
    KeyringMissing,
    KeyringRefused,
    NotConfigured,
)
from vxtray.core.settings.tree import Smtp

_SERVICE = "vxtray"
_SOFT_LIMIT_SECONDS = 5.0

#: Windows keeps 2,560 bytes of UTF-16 for one entry; the same bound everywhere, so that a profile can move.
LONGEST_SECRET = 1280

#: Back ends that encrypt and that a person can unlock. Anything else (keyrings.alt's files, the null one) is refused.
_TRUSTED_BACKENDS = (
    "keyring.backends.SecretService.",
    "keyring.backends.libsecret.",
    "keyring.backends.kwallet.",
    "keyring.backends.Windows.",
    "keyring.backends.macOS.",
)

T = TypeVar("T")

#: The secrets that were handed out in this process, the newest last, so that logs and reports can be cleaned of them.
#: Access tokens come by the hour and are worthless soon: unbounded, each line would be searched for months of them.
_revealed: OrderedDict[str, frozenset[str]] = OrderedDict()
_MOST_REVEALED = 500
_revealing = threading.Lock()


def redact(text: str) -> str:
    """Return a text without any secret that this process has used."""
    known = tuple(_revealed.values())  # at once: another thread may be adding one
    for form in sorted(
        {form for forms in known for form in forms}, key=len, reverse=True
    ):  # one may be the beginning of another
        text = text.replace(form, "***")
    return text


def _forms(secret: str) -> frozenset[str]:
    """Return a secret as it stands, and as it is written where a text is quoted: by Python, in JSON, HTML and URLs."""
    import html
    import json
    import urllib.parse

    marked = secret + "'\""  # with both marks in it, the single one is escaped
    both, octets = repr(marked)[1:-4], secret.encode("utf-8", "surrogatepass")
    forms = {secret, both, both.replace("\\'", "'"), both.replace('"', '\\"'), ascii(marked)[1:-4]}
    forms |= {repr(octets + b"'\"")[2:-4], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    forms |= {html.escape(secret), html.escape(secret, quote=False)}
    return frozenset(forms | {urllib.parse.quote(octets), urllib.parse.quote_plus(octets)})


def conceal(text: str) -> None:
    """Have ``redact`` take this out too: a secret in the form in which it travels, such as base64."""
    if len(text) <= 3:  # it would blacken half of the log, and hides nothing
        return
    forms = _revealed.get(text) or _forms(text)
    with _revealing:
        _revealed[text] = forms
        _revealed.move_to_end(text)  # never out of it in between: another thread may be cleaning a text
        if len(_revealed) > _MOST_REVEALED:
            del _revealed[next(iter(_revealed))]


class Secret:
    """A password or token that does not print itself.

    >>> repr(Secret("hunter2"))
    'Secret(***)'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself; call it only where it is handed to a peer."""
        conceal(self._value)
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> str:
        raise TypeError("a secret is never pickled")


class Account(msgspec.Struct, frozen=True):
    """Whose secret: its name, bound to user and host, so that a changed host never receives the old password."""

    name: str
    user: str = ""
    host: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.user}@{self.host}" if self.user or self.host else self.name


def smtp_account(smtp: Smtp) -> Account:
    """Return the account of the mail server's password. Raises ``NotConfigured`` before host and user are known."""
    if not smtp.host or not smtp.username:
        raise NotConfigured(
            N_("The password belongs to a mail server and a user name, and they are not set yet."),
            N_("First set both: vxtray smtp set host=… username=…"),
        )
    return Account("smtp-password", smtp.username.lower(), smtp.host.lower().removesuffix("."))


def oauth_account(smtp: Smtp, host: str) -> Account:
    """Return the account of the refresh token that ``host`` issued. Raises ``NotConfigured`` without a user name."""
    if not smtp.username:
        raise NotConfigured(
            N_("The sign-in belongs to a user name, and none is set yet."),
            N_("Enter the address that signs in as the user name (smtp.username)."),
        )
    return Account("oauth-token", smtp.username.lower(), host)


def client_secret_account(smtp: Smtp, host: str) -> Account:
    """Return the account of the app registration's client secret."""
    return Account("oauth-client-secret", smtp.oauth.client_id, host)


class CredentialStore(Protocol):
    """Keeps secrets. Each call may block for seconds, so none runs on the GUI thread. Raises ``CredentialError``."""

    def get(self, account: Account) -> Secret | None:
        """Return the secret, None where none is stored."""

    def set(self, account: Account, secret: Secret) -> Secret | None:
        """Store a secret and read it back; return the one that was there before, None where there was none."""

    def forget(self, account: Account) -> bool:
        """Delete a secret; False where there was none."""

    def describe(self) -> str:
        """Return the name of what keeps the secrets, for the diagnostics."""


class MemoryStore:
    """Secrets for as long as the process lives: the demo's, and the tests'."""

    def __init__(self) -> None:
        self._secrets: dict[Account, Secret] = {}

    def get(self, account: Account) -> Secret | None:
        """Return the secret, None where none is stored."""
        return self._secrets.get(account)

    def set(self, account: Account, secret: Secret) -> Secret | None:
        """Store a secret; return the one that was there before."""
        former = self._secrets.get(account)
        self._secrets[account] = secret
        return former

    def forget(self, account: Account) -> bool:
        """Delete a secret; False where there was none."""
        return self._secrets.pop(account, None) is not None

    def describe(self) -> str:
        """Return a fixed word."""
        return "memory"


class SystemCredentials:
    """A folder of systemd credentials over another store: a file that exists there wins and cannot be changed.

    https://systemd.io/CREDENTIALS/: one file a secret, in the folder that ``CREDENTIALS_DIRECTORY`` names.
    """

    def __init__(self, folder: Path, otherwise: CredentialStore) -> None:
        self._folder = folder
        self._otherwise = otherwise

    def get(self, account: Account) -> Secret | None:
        """Return the file's text without one final line break, else what the other store knows."""
        try:
            text = (self._folder / account.name).read_text("utf-8")
        except FileNotFoundError:
            return self._otherwise.get(account)
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialError(
                N_("The credential file {path} cannot be read."),
                N_("It must be a text file in UTF-8 that the service may read."),
                path=self._folder / account.name,
            ) from error
        return Secret(without_line_break(text))

    def set(self, account: Account, secret: Secret) -> Secret | None:
        """Store it in the other store; raises ``CredentialReadOnly`` where the folder holds this secret."""
        self._require_own(account)
        return self._otherwise.set(account, secret)

    def forget(self, account: Account) -> bool:
        """Delete it in the other store; raises ``CredentialReadOnly`` where the folder holds this secret."""
        self._require_own(account)
        return self._otherwise.forget(account)

    def describe(self) -> str:
        """Return the folder and what stands behind it."""
        return f"{self._folder}, {self._otherwise.describe()}"

    def _require_own(self, account: Account) -> None:
        """Refuse what stands in the folder, and parts of it ("oauth-token.a1"), which would change it all the same."""
        name = account.name.partition(".")[0]
        if os.path.lexists(self._folder / name):
            raise CredentialReadOnly(name=name, folder=self._folder)


def without_line_break(text: str) -> str:
    """Take off one line break at the end, as editors and ``echo`` put it there."""
    return text.removesuffix("\n").removesuffix("\r")


class KeyringStore:
    """The OS keyring, by the keyring library; only back ends that encrypt are accepted."""

    def __init__(self, soft_limit: float = _SOFT_LIMIT_SECONDS) -> None:
        self._soft_limit = soft_limit
        self._waiting: Future[Any] | None = None

    def get(self, account: Account) -> Secret | None:
        """Return the secret. Raises ``KeyringMissing``, ``KeyringLocked``, ``KeyringRefused``."""
        return self._ask(lambda: _secret(_backend().get_password(_SERVICE, str(account))))

    def set(self, account: Account, secret: Secret) -> Secret | None:
        """Store a secret and read it back, since some back ends only pretend; return the former. Raises as ``get``."""
        text = secret.reveal()
        if len(text.encode("utf-16-le")) // 2 > LONGEST_SECRET:
            raise KeyringRefused(reason=N_("the secret is longer than a keyring entry can be"))

        def store() -> Secret | None:
            backend = _backend()
            former = _secret(backend.get_password(_SERVICE, str(account)))
            backend.set_password(_SERVICE, str(account), text)
            if backend.get_password(_SERVICE, str(account)) != text:
                raise KeyringRefused(reason=N_("it did not keep what was stored"))
            return former

        return self._ask(store)

    def forget(self, account: Account) -> bool:
        """Delete a secret; False where there was none. Raises as ``get``."""

        def delete() -> bool:
            backend = _backend()
            if backend.get_password(_SERVICE, str(account)) is None:
                return False
            backend.delete_password(_SERVICE, str(account))
            return True

        return self._ask(delete)

    def describe(self) -> str:
        """Return the back end's name, or that there is none."""
        try:
            return str(_backend().name)
        except CredentialError:
            return "-"

    def _ask(self, call: Callable[[], T]) -> T:
        """Run one keyring call on ``vx-keyring``; after the soft limit say that it waits for the person.

        The call itself cannot be interrupted and goes on behind its prompt, so no second one is started beside it;
        the ``KeyringLocked`` of the first holds its answer of later.
        """
        if self._waiting is not None and not self._waiting.done():
            raise KeyringLocked
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(call())
            except Exception as error:  # noqa: BLE001 - back ends raise what their libraries raise
                converted = _converted(error)
                converted.__cause__ = None if converted is error else error
                answer.set_exception(converted)

        thread = threading.Thread(target=run, name="vx-keyring", daemon=True)
        thread.start()
        thread.join(self._soft_limit)
        if thread.is_alive():
            locked = KeyringLocked()
            locked.answer = self._waiting = answer
            raise locked
        return answer.result()


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _backend() -> Any:
    """Return the trusted back end that is in force. Raises ``KeyringMissing``."""
    import keyring
    import keyring.errors

    try:
        backend = keyring.get_keyring()
    except (keyring.errors.KeyringError, RuntimeError, ImportError) as error:
        raise KeyringMissing from error
    for candidate in getattr(backend, "backends", [backend]):  # the chainer asks several
        kind = type(candidate)
        if f"{kind.__module__}.{kind.__qualname__}".startswith(_TRUSTED_BACKENDS):
            return candidate
    raise KeyringMissing


def _converted(error: Exception) -> CredentialError:
    import keyring.errors

    if isinstance(error, CredentialError):
        return error
    if isinstance(error, keyring.errors.KeyringLocked):
        return KeyringLocked()
    if isinstance(error, keyring.errors.NoKeyringError):
        return KeyringMissing()
    said = f"{type(error).__name__}: {error}".lower()
    if "dismissed" in said:
        return KeyringRefused(reason=N_("the question to unlock it was dismissed"))
    if "lock" in said:
        return KeyringLocked()
    if isinstance(error, keyring.errors.InitError):
        return KeyringMissing()
    return KeyringRefused(reason=" ".join(str(error).split())[:200] or type(error).__name__)


def system_store() -> CredentialStore:
    """Return what keeps this machine's secrets: the keyring, under systemd's credentials where there are any."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return SystemCredentials(Path(folder), KeyringStore()) if folder else KeyringStore()
