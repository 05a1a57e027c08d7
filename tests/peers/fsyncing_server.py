"""A mail server in a process of its own that has each mail on the disk before it takes it; aiosmtpd.

``python -m tests.peers.fsyncing_server FOLDER`` with ``server.pem`` in the folder; it prints its port and writes each
mail, as it came, to ``box/new``. Ends with its standard input.
"""

import logging
import os
import ssl
import sys
from itertools import count
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.core.mail.wire import PASSWORD, USER
from tests.peers.anyport import AnyPort

SIZE = 300_000


class Keeper:
    """aiosmtpd's handler."""

    def __init__(self, box: Path) -> None:
        self._box = box
        self._numbers = count(len(list((box / "new").iterdir())))

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        name = f"{next(self._numbers):08}"
        with (self._box / "tmp" / name).open("wb") as file:
            file.write(envelope.original_content)
            file.flush()
            os.fsync(file.fileno())
        (self._box / "tmp" / name).rename(self._box / "new" / name)
        return f"250 2.0.0 kept as {name}"


def sign_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data == LoginPassword(USER.encode(), PASSWORD.encode()), handled=False)


def main(folder: Path) -> None:
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # it warns of what it does itself, and of who is killed
    for name in ("tmp", "new"):
        (folder / "box" / name).mkdir(parents=True, exist_ok=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    controller = AnyPort(
        Keeper(folder / "box"),
        data_size_limit=SIZE,
        server_hostname="mail.example.com",
        require_starttls=True,
        tls_context=context,
        auth_required=True,
        authenticator=sign_in,
    )
    controller.start()
    sys.stdout.write(f"{controller.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    controller.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
