"""The wire against Postfix with Dovecot."""

import time

import msgspec
import pytest

from tests.core.mail.wire import PASSWORD, USER
from tests.peers.mail_server import INBOX
from tests.peers.postfix import Postfix
from vxtray.core.credentials import Secret
from vxtray.core.mail.doctor import check
from vxtray.core.mail.faults import AuthError, Kind, RecipientsRefused, TlsError
from vxtray.core.mail.smtp import Session, send
from vxtray.core.settings.tree import Security

pytestmark = pytest.mark.timeout(60)

FROM, TO = USER, INBOX
DATA = b"Subject: x\r\n\r\n" + b"line\r\n.\r\n..dots\r\n" * 3


@pytest.fixture
def servers(postfix_server: Postfix) -> Postfix:
    return postfix_server


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_delivery(security: Security, servers: Postfix) -> None:
    with Session(servers.settings(security), Secret(PASSWORD)) as session:
        assert session.mechanism == "LOGIN"
        delivery = session.deliver(FROM, (TO,), DATA)
    assert delivery.reply.startswith("250 2.0.0 Ok: queued as")
    mail = servers.delivered(1)[-1]
    assert mail.endswith(b"\n\n" + b"line\n.\n..dots\n" * 3)
    assert b"\nSubject: x\n" in mail


def test_wrong_password(servers: Postfix) -> None:
    with pytest.raises(AuthError) as caught:
        send(servers.settings(Security.STARTTLS), Secret("wrong"), FROM, (TO,), DATA)
    assert caught.value.kind is Kind.ACCOUNT
    assert caught.value.reply.startswith("535 5.7.8")


def test_unknown_recipient(servers: Postfix) -> None:
    with Session(servers.settings(Security.TLS), Secret(PASSWORD)) as session:
        delivery = session.deliver(FROM, (TO, "nobody@example.com"), DATA)
        assert [result.ok for result in delivery.recipients.values()] == [True, False]
        with pytest.raises(RecipientsRefused) as caught:
            session.deliver(FROM, ("nobody@example.com",), DATA)
        assert "not know" in str(caught.value)
        assert session.usable


def test_authority_unknown(servers: Postfix) -> None:
    with pytest.raises(TlsError):
        send(msgspec.structs.replace(servers.settings(Security.STARTTLS), ca_file=""), Secret("x"), FROM, (TO,), DATA)


def test_check(servers: Postfix) -> None:
    steps = list(check(servers.settings(Security.STARTTLS), Secret(PASSWORD)))
    assert [step.name for step in steps] == [
        "resolve", "connect", "greeting", "tls", "ehlo", "auth", "sender", "recipients",
    ]  # fmt: skip
    assert all(step.ok for step in steps)


def test_many_mails_on_one_connection(servers: Postfix) -> None:
    with Session(servers.settings(Security.STARTTLS), Secret(PASSWORD)) as session:
        started = time.monotonic()
        for _ in range(30):
            session.deliver(FROM, (TO,), DATA)
        # With Nagle's algorithm each mail waits for a delayed acknowledgement: 21 a second at best.
        assert 30 / (time.monotonic() - started) > 25
