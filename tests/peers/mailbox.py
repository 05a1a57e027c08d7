"""A mail server on loopback that keeps what it gets: aiosmtpd with STARTTLS, LOGIN and PLAIN."""

import email
import email.policy
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tests.peers.anyport import AnyPort

USER, PASSWORD = "reports@example.com", "correct horse battery staple"


@dataclass(frozen=True)
class ReceivedMail:
    """One mail as it arrived: who it was for, and what was in it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        message = email.message_from_bytes(self.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message


@dataclass
class Mailbox:
    """Where the server is, how to sign in, and the mails it got."""

    host: str
    port: int
    ca_file: Path
    user: str = USER
    password: str = PASSWORD
    mails: list[ReceivedMail] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, count: int, seconds: float = 10) -> list[ReceivedMail]:
        """Return the mails as soon as there are so many."""
        until = time.monotonic() + seconds
        with self.arrived:
            while len(self.mails) < count:
                if not self.arrived.wait(until - time.monotonic()):
                    pytest.fail(f"{len(self.mails)} of {count} mails arrived within {seconds} s")
            return list(self.mails)


class _Keeper:
    """aiosmtpd's handler: takes every mail."""

    def __init__(self) -> None:
        self.box: Mailbox | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        assert self.box is not None
        content = envelope.content or b""
        mail = ReceivedMail(
            envelope.mail_from or "",
            tuple(envelope.rcpt_tos),
            content if isinstance(content, bytes) else content.encode(),
        )
        with self.box.arrived:
            self.box.mails.append(mail)
            self.box.arrived.notify_all()
        return "250 2.0.0 kept"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return a certificate authority of the tests."""
    return trustme.CA()


@pytest.fixture
def smtp_catcher(authority: trustme.CA, tmp_path: Path) -> Iterator[Mailbox]:
    """Run a mail server that wants STARTTLS and a sign-in, and keeps the mails."""
    ca_file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)

    def sign_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=data == right, handled=False)

    keeper = _Keeper()
    controller = AnyPort(
        keeper,
        server_hostname="mail.example.com",
        require_starttls=True,
        tls_context=context,
        auth_required=True,
        authenticator=sign_in,
    )
    controller.start()
    keeper.box = Mailbox("127.0.0.1", controller.port, ca_file)
    yield keeper.box
    controller.stop()
