"""Settings and servers for the tests of the wire."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from vxtray.core.credentials import Secret
from vxtray.core.settings.tree import Security, Smtp

USER, PASSWORD = "reports@example.com", "grüße, 'quoted' and:colon \U0001f511"


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Return the file of the tests' authority."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def server_tls(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    """Make the context of a server with a certificate for these names."""

    def make(*names: str, **options: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*(names or ("localhost", "127.0.0.1")), **options).configure_cert(context)
        return context

    return make


@pytest.fixture
def secret() -> Secret:
    return Secret(PASSWORD)


def settings(port: int, security: Security = Security.NONE, **changes: Any) -> Smtp:
    """Return settings for a server on loopback; without a user name, unless one is given."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "from_address": "reports@example.com",
        "recipients": ("a@example.org",),
        "timeout_seconds": 5,
    }
    return Smtp(port=port, security=security, **(values | changes))


@dataclass
class Inbox:
    """aiosmtpd's handler: keeps mails, refuses whom it is told to refuse, counts sign-ins and connections."""

    refuse: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, tuple[str, ...], bytes]] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    refuse_mechanism: str = ""
    connections: int = 0
    port: int = 0

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.mail_from = address
        return "250 2.1.0 ok"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.taken.append((envelope.mail_from, tuple(envelope.rcpt_tos), envelope.original_content))
        return "250 2.0.0 kept"

    def sign_in(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.tries.append(mechanism)
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right and mechanism != self.refuse_mechanism, handled=False)


class _Counting(Controller):
    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
        self.handler.connections = 0  # the trigger was one

    def factory(self) -> Any:
        self.handler.connections += 1
        return super().factory()


@contextlib.contextmanager
def aiosmtpd(inbox: Inbox, **options: Any) -> Iterator[Inbox]:
    """Run aiosmtpd with these options."""
    controller = _Counting(
        inbox,
        hostname="127.0.0.1",
        port=0,
        server_hostname="mail.example.com",
        authenticator=inbox.sign_in,
        **options,
    )
    controller.start()
    inbox.port = controller.port
    try:
        yield inbox
    finally:
        controller.stop()
