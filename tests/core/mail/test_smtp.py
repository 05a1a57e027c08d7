"""The client against aiosmtpd: what arrives, and whom the server refuses."""

import smtplib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.core.mail import hostile as h
from tests.core.mail.wire import DATA, SENDER, STARTTLS, TLS, TO, USER, Inbox, aiosmtpd, failing, settings, with_user
from vxtray.core.credentials import Secret
from vxtray.core.mail.faults import (
    AuthError,
    Kind,
    MessageRefused,
    RecipientsRefused,
    SenderRefused,
    Stage,
)
from vxtray.core.mail.message import Mail, compose
from vxtray.core.mail.smtp import Phase, Session, send
from vxtray.core.settings.tree import Auth


@pytest.mark.parametrize(
    ("excluded", "tries"),
    [(["PLAIN"], ["LOGIN"]), (["LOGIN"], ["PLAIN"]), ([], ["LOGIN"])],
    ids=["login", "plain", "both"],
)
def test_starttls_and_sign_in(
    excluded: list[str], tries: list[str], server_tls: Any, ca_file: str, secret: Secret
) -> None:
    inbox = Inbox()
    options = {"auth_exclude_mechanism": excluded, "require_starttls": True, "auth_required": True}
    with aiosmtpd(inbox, tls_context=server_tls(), **options):
        delivery = send(with_user(inbox.port, STARTTLS, ca_file=ca_file), secret, SENDER, TO, DATA)
    assert inbox.taken == [(SENDER, TO, DATA)]
    assert (inbox.tries, inbox.connections) == (tries, 1)
    assert delivery.reply == "250 2.0.0 kept"
    assert delivery.phase is Phase.AFTER_DOT
    assert {address: result.ok for address, result in delivery.recipients.items()} == dict.fromkeys(TO, True)


@pytest.mark.parametrize("refused", ["LOGIN", ""], ids=["plain saves it", "both refused"])
def test_refused_login_is_followed_by_one_plain(refused: str, server_tls: Any, ca_file: str, secret: Secret) -> None:
    inbox = Inbox(refuse_mechanism=refused)
    with aiosmtpd(inbox, tls_context=server_tls(), require_starttls=True, auth_required=True):
        smtp = with_user(inbox.port, STARTTLS, ca_file=ca_file)
        if refused:
            assert send(smtp, secret, SENDER, TO, DATA).reply == "250 2.0.0 kept"
        else:
            fault = failing(smtp, Secret("wrong"))
            assert isinstance(fault, AuthError)
            assert fault.kind is Kind.ACCOUNT
            assert fault.reply.startswith("535 5.7.8")
    assert (inbox.tries, inbox.connections) == (["LOGIN", "PLAIN"], 2)
    assert len(inbox.taken) == bool(refused)


def test_only_login_refused_is_one_try(server_tls: Any, ca_file: str) -> None:
    inbox = Inbox()
    with aiosmtpd(inbox, tls_context=server_tls(), auth_exclude_mechanism=["PLAIN"], auth_required=True):
        failing(with_user(inbox.port, STARTTLS, ca_file=ca_file), Secret("wrong"))
    assert (inbox.tries, inbox.connections) == (["LOGIN"], 1)


def test_implicit_tls(server_tls: Any, ca_file: str) -> None:
    inbox = Inbox()
    with aiosmtpd(inbox, ssl_context=server_tls("localhost")):
        smtp = settings(inbox.port, TLS, ca_file=ca_file, host="LocalHost.")
        with Session(smtp, None) as session:
            session.deliver(SENDER, TO, DATA)
            assert session.connection.certificate is not None
            assert session.connection.certificate.names == ("localhost",)
            assert session.connection.certificate.version in {"TLSv1.2", "TLSv1.3"}
    assert inbox.taken == [(SENDER, TO, DATA)]


def test_plain_relay_without_sign_in() -> None:
    with aiosmtpd(Inbox()) as inbox:
        send(settings(inbox.port), None, SENDER, TO, DATA)
        send(settings(inbox.port, username=USER, auth=Auth.NONE), None, SENDER, TO[:1], DATA)
    assert [taken[1] for taken in inbox.taken] == [TO, TO[:1]]


def test_name_with_two_addresses() -> None:
    with aiosmtpd(Inbox()) as inbox:  # "localhost" may be ::1 first, where nobody listens
        send(settings(inbox.port, host="localhost"), None, SENDER, TO, DATA)
    assert len(inbox.taken) == 1


def test_several_mails_over_one_session() -> None:
    with aiosmtpd(Inbox(refuse={"b@example.org": "550 5.1.1 unknown"})) as inbox:
        with Session(settings(inbox.port), None) as session:
            session.deliver(SENDER, TO[:1], DATA)
            with pytest.raises(RecipientsRefused):
                session.deliver(SENDER, TO[1:2], DATA)
            assert session.usable
            session.deliver(SENDER, TO[2:], DATA)
            assert session.phase is Phase.AFTER_DOT
        assert not session.usable
    assert [taken[1] for taken in inbox.taken] == [TO[:1], TO[2:]]
    assert inbox.connections == 1


@pytest.fixture(scope="module")
def echo() -> Any:
    with aiosmtpd(Inbox()) as inbox:
        yield inbox


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\r\n\0"), max_size=80)))
def test_bytes_arrive_as_they_left(lines: list[str], echo: Inbox) -> None:
    data = b"Subject: x\r\n\r\n" + "".join(f"{line}\r\n" for line in lines).encode()
    send(settings(echo.port), None, SENDER, TO, data)
    assert echo.taken[-1][2] == data


def test_composed_mail_of_two_megabytes(echo: Inbox) -> None:
    mail = Mail(
        subject="Größe",
        text="." * 100 + "\n.\n" + "été\n" * 300_000,
        html="",
        from_address=SENDER,
        recipients=TO,
        message_id="<1@example.com>",
        date=datetime(2026, 11, 22, tzinfo=UTC),
    )
    data = compose(mail)
    assert len(data) > 2_000_000
    send(settings(echo.port), None, SENDER, TO, data)
    assert echo.taken[-1][2] == data


def test_same_bytes_as_smtplib(echo: Inbox) -> None:
    send(settings(echo.port), None, SENDER, TO, DATA)
    with smtplib.SMTP("127.0.0.1", echo.port, local_hostname="[127.0.0.1]") as oracle:
        oracle.sendmail(SENDER, TO, DATA)
    assert echo.taken[-1] == echo.taken[-2]


def test_one_of_three_recipients_refused() -> None:
    with aiosmtpd(Inbox(refuse={"b@example.org": "550 5.1.1 <b@example.org>: User unknown"})) as inbox:
        delivery = send(settings(inbox.port), None, SENDER, TO, DATA)
    assert [address for address, result in delivery.recipients.items() if result.ok] == [TO[0], TO[2]]
    assert delivery.recipients[TO[1]].kind is Kind.PERMANENT
    assert "User unknown" in delivery.recipients[TO[1]].reply
    assert inbox.taken[0][1] == (TO[0], TO[2])


def test_recipients_that_cannot_stand_on_the_wire() -> None:
    with aiosmtpd(Inbox()) as inbox:
        people = ("jürgen@example.com", "a@b> NOTIFY=NEVER", "x@bücher.example")
        delivery = send(settings(inbox.port), None, SENDER, people, DATA)
    assert [result.ok for result in delivery.recipients.values()] == [False, False, True]
    assert "before the @" in delivery.recipients[people[0]].title
    assert inbox.taken[0][1] == ("x@xn--bcher-kva.example",)


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        (["550 5.1.1 no", "550 5.1.1 no", "550 5.1.1 no"], Kind.PERMANENT),
        (["550 5.1.1 no", "450 4.2.0 Greylisted", "550 5.1.1 no"], Kind.TEMPORARY),
    ],
)
def test_all_recipients_refused(replies: list[str], kind: Kind) -> None:
    with aiosmtpd(Inbox(refuse=dict(zip(TO, replies, strict=True)))) as inbox:
        fault = failing(settings(inbox.port))
    assert isinstance(fault, RecipientsRefused)
    assert fault.kind is kind
    assert set(fault.recipients) == set(TO)
    assert not fault.in_doubt
    assert inbox.taken == []


def test_sender_refused() -> None:
    with aiosmtpd(Inbox(refuse={SENDER: "553 5.7.1 not yours"})) as inbox:
        fault = failing(settings(inbox.port))
    assert isinstance(fault, SenderRefused)
    assert (fault.step, fault.kind) == (Stage.SENDER, Kind.ACCOUNT)


def test_too_large_is_not_even_offered() -> None:
    with aiosmtpd(Inbox(), data_size_limit=20) as inbox:
        fault = failing(settings(inbox.port))
    assert isinstance(fault, MessageRefused)
    assert "too large" in str(fault)


@pytest.mark.parametrize("data", [b"a\nb\r\n", b"a\r\n.\n\r\n", b"x" * 999 + b"\r\n", b"\0\r\n", b"no end"])
def test_what_may_not_be_sent_is_not(data: bytes) -> None:
    with h.hostile(h.script()) as server:
        with Session(settings(server.port), None) as session, pytest.raises(MessageRefused):
            session.deliver(SENDER, TO, data)
        assert b"MAIL" not in server.heard
