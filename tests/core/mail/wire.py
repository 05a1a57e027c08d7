"""What the tests of the wire share: settings, aiosmtpd with a memory, and the fault of a delivery that fails."""

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from aiosmtpd.smtp import AuthResult

from tests.core.mail import hostile as h
from tests.peers.anyport import AnyPort
from vxtray.core.credentials import Secret
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import MailError
from vxtray.core.mail.smtp import Session
from vxtray.core.settings.tree import Security, Smtp

USER, PASSWORD = "reports@example.com", "grüße, 'quoted' and:colon \U0001f511"
SENDER, TO = "reports@example.com", ("a@example.org", "b@example.org", "c@example.org")
DATA = b"Subject: x\r\n\r\nhello\r\n.\r\n..\r\n. \r\nend\r\n"
STARTTLS, TLS, NONE = Security.STARTTLS, Security.TLS, Security.NONE


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


class _Counting(AnyPort):
    def _trigger_server(self) -> None:
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


def failing(smtp: Smtp, secret: Secret | None = None, **limits: float) -> MailError:
    """Deliver a mail, return the fault."""
    of = msgspec.structs.replace(Limits.of(smtp), **limits)
    with pytest.raises(MailError) as caught, Session(smtp, secret, of) as session:
        session.deliver(SENDER, TO, DATA)
    fault = caught.value
    for text in (str(fault), repr(fault), fault.reply, repr(fault.values)):
        assert PASSWORD not in text
        assert base64.b64encode(PASSWORD.encode()).decode() not in text
    assert fault.title_id
    assert "{" not in str(fault)
    return fault


def with_user(port: int, security: Security = NONE, **changes: Any) -> Smtp:
    return settings(port, security, username=USER, **changes)


def assert_nothing_told(server: h.Hostile) -> None:
    """Neither credentials nor an envelope left in clear."""
    for word in (b"AUTH", b"MAIL", b"RCPT", USER.encode(), base64.b64encode(USER.encode())):
        assert word not in server.heard
