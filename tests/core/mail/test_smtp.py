"""The client against aiosmtpd and against servers that misbehave; asserts on what arrived."""

import base64
import logging
import os
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.core.mail import hostile as h
from tests.core.mail.conftest import PASSWORD, USER, Inbox, aiosmtpd, settings
from vxtray.core.credentials import Secret
from vxtray.core.errors import NotConfigured
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import (
    AuthError,
    ConnectError,
    Kind,
    MailError,
    MessageRefused,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    Stage,
    TlsError,
)
from vxtray.core.mail.message import Mail, compose
from vxtray.core.mail.smtp import Phase, Session, send
from vxtray.core.settings.tree import Auth, Security, Smtp

SENDER, TO = "reports@example.com", ("a@example.org", "b@example.org", "c@example.org")
DATA = b"Subject: x\r\n\r\nhello\r\n.\r\n..\r\n. \r\nend\r\n"
STARTTLS, TLS, NONE = Security.STARTTLS, Security.TLS, Security.NONE


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


# --- a server as it should be ----------------------------------------------------------------------------------------


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


def test_ipv6_loopback_and_name_with_two_addresses() -> None:
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


# --- whom the server refuses -----------------------------------------------------------------------------------------


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


# --- TLS -------------------------------------------------------------------------------------------------------------


def assert_nothing_told(server: h.Hostile) -> None:
    """Neither credentials nor an envelope left in clear."""
    for word in (b"AUTH", b"MAIL", b"RCPT", USER.encode(), base64.b64encode(USER.encode())):
        assert word not in server.heard


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({}, Kind.ACCOUNT),
        ({"EHLO": b"250-x\r\n250-XSTARTTLS\r\n250-START TLS\r\n250 AUTH LOGIN PLAIN\r\n"}, Kind.ACCOUNT),
        ({"EHLO": b"502 what\r\n"}, Kind.ADMIN),
        ({"EHLO": b"250 STARTTLS\r\n"}, Kind.ACCOUNT),
    ],
    ids=["missing", "look-alikes", "no EHLO", "only in the name"],
)
def test_starttls_stripped(answers: dict[str, Any], kind: Kind, secret: Secret) -> None:
    with h.hostile(h.script(**answers)) as server:
        fault = failing(with_user(server.port, STARTTLS), secret)
        assert fault.kind is kind
        assert_nothing_told(server)


OFFERS_TLS = b"250-mail.test\r\n250-AUTH LOGIN PLAIN\r\n250 starttls\r\n"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"454 4.7.0 TLS not available\r\n", Kind.TEMPORARY),
        (b"502 5.5.1 no\r\n", Kind.ACCOUNT),
        (b"250 ok\r\n", Kind.ACCOUNT),
        (b"221 ok\r\n", Kind.ACCOUNT),
        (b"220 go\r\n250 AUTH LOGIN PLAIN\r\n", Kind.ACCOUNT),  # the injected reply of NO STARTTLS
        (b"220 go\r\n250-mail", Kind.ACCOUNT),
        (b"220 go\r\n ", Kind.ACCOUNT),
        (lambda talk: (talk.say(b"220 go\r\n"), talk.hear(), talk.say(b"220 hi\r\n"), talk.hear()), Kind.ACCOUNT),
        (lambda talk: (talk.say(b"220 go\r\n"), h.close(talk)), Kind.TEMPORARY),
        (b"22", Kind.TEMPORARY),
    ],
    ids=["454", "502", "250", "221", "injected", "fragment", "blank", "plain after 220", "closed", "half"],
)
def test_starttls_goes_wrong(answer: Any, kind: Kind, secret: Secret) -> None:
    with h.hostile(h.script(EHLO=OFFERS_TLS, STARTTLS=answer)) as server:
        fault = failing(with_user(server.port, STARTTLS, timeout_seconds=1), secret)
        assert fault.step is Stage.TLS
        assert fault.kind is kind
        assert isinstance(fault, TlsError)
        assert_nothing_told(server)


def test_only_the_second_ehlo_counts(server_tls: Any, ca_file: str, secret: Secret) -> None:
    context = server_tls()

    def upgrade(talk: h.Talk) -> None:
        talk.say(b"220 go\r\n")
        talk.upgrade(context)

    second = b"250-x\r\n250-STARTTLS\r\n250 AUTH GSSAPI NTLM\r\n"
    with h.hostile(h.script(EHLO=[OFFERS_TLS, second], STARTTLS=upgrade)) as server:
        fault = failing(with_user(server.port, STARTTLS, ca_file=ca_file), secret)
        assert isinstance(fault, AuthError)
        assert "GSSAPI, NTLM" in str(fault)
        assert b"AUTH" not in server.heard


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize("security", [STARTTLS, TLS])
@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (("wrong.example",), {}, "for another name"),
        ((), {"not_after": now() - timedelta(days=1), "not_before": now() - timedelta(days=9)}, "has expired"),
        ((), {"not_before": now() + timedelta(days=1)}, "not valid yet"),
        ((), None, "does not know"),
    ],
    ids=["wrong name", "expired", "not yet", "unknown authority"],
)
def test_certificates(
    security: Security,
    names: tuple[str, ...],
    options: dict[str, Any] | None,
    words: str,
    server_tls: Any,
    ca_file: str,
    secret: Secret,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)  # asyncio tells of the failed handshake
    context = server_tls(*names, **(options or {}))
    tls: dict[str, Any] = {"ssl_context": context} if security is TLS else {"tls_context": context}
    inbox = Inbox()
    if security is TLS:
        script: Callable[[h.Talk], None] = lambda talk: (talk.upgrade(context), h.script()(talk))  # noqa: E731
        with h.hostile(script) as server:
            fault = failing(with_user(server.port, security, ca_file=ca_file if options is not None else ""), secret)
            assert not server.heard
    else:
        with aiosmtpd(inbox, **tls):
            fault = failing(with_user(inbox.port, security, ca_file=ca_file if options is not None else ""), secret)
    assert isinstance(fault, TlsError)
    assert words in str(fault)
    assert fault.kind is Kind.ACCOUNT
    assert inbox.tries == []


def test_common_name_alone_is_no_name(authority: Any, server_tls: Any, ca_file: str) -> None:
    context = server_tls("other.example", common_name="127.0.0.1")
    with h.hostile(lambda talk: talk.upgrade(context)) as server:
        assert "another name" in str(failing(settings(server.port, TLS, ca_file=ca_file)))


def test_old_tls(server_tls: Any, ca_file: str) -> None:
    context = server_tls()
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match=r"TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with h.hostile(lambda talk: talk.upgrade(context)) as server:
        fault = failing(settings(server.port, TLS, ca_file=ca_file))
    assert isinstance(fault, TlsError)
    assert "too old" in str(fault)


def test_ports_mixed_up(server_tls: Any, ca_file: str) -> None:
    with h.hostile(h.script()) as server:
        fault = failing(settings(server.port, TLS))
        assert "does not speak TLS from the start" in str(fault)
        assert "STARTTLS" in fault.advice_id
    context = server_tls()
    with h.hostile(lambda talk: talk.upgrade(context)) as server:
        fault = failing(settings(server.port, STARTTLS, timeout_seconds=1))
        assert fault.step is Stage.GREETING
        assert "said nothing" in str(fault)
        assert "465" in fault.advice_id


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_ca_file_that_cannot_be_used(content: str | None, tmp_path: Any) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with h.hostile(h.script(EHLO=OFFERS_TLS)) as server:
        fault = failing(settings(server.port, STARTTLS, ca_file=str(path)))
    assert isinstance(fault, TlsError)
    assert str(path) in str(fault)


# --- sign-in ---------------------------------------------------------------------------------------------------------


def test_positions_decide_whatever_the_prompts(secret: Secret) -> None:
    for prompts in (
        (b"334 VXNlciBOYW1lAA==\r\n", b"334 UGFzc3dvcmQA\r\n"),
        (b"334 \r\n", b"334\r\n"),
        (b"334 Benutzer?!\r\n", b"334 not base64\r\n"),
        (b"334 VXNlcm5hbWUgYW5kIHBhc3N3b3Jk\r\n", b"334 VXNlcm5hbWU6\r\n"),
    ):
        with h.hostile(h.script(AUTH=h.log_in(*prompts, b"235 yes\r\n"))) as server:
            send(with_user(server.port), secret, SENDER, TO, DATA)
            b64 = base64.b64encode
            assert b64(USER.encode()) + b"\r\n" + b64(PASSWORD.encode()) + b"\r\nMAIL" in server.heard


@pytest.mark.parametrize("prompt", ["Password:", "Mot de passe :", "Kennwort"])
def test_password_prompt_first_gets_nothing(prompt: str, secret: Secret) -> None:
    line = b"334 " + base64.b64encode(prompt.encode()) + b"\r\n"
    with h.hostile(h.script(AUTH=h.log_in(line, b"501 cancelled\r\n"))) as server:
        fault = failing(with_user(server.port), secret)
        assert isinstance(fault, AuthError)
        assert b"AUTH LOGIN\r\n*\r\n" in server.heard
        assert base64.b64encode(PASSWORD.encode()) not in server.heard


@pytest.mark.parametrize("no", [b"500 x", b"502 x", b"503 5.5.1 x", b"504 5.5.4 x", b"535 5.7.4 x"])
def test_next_mechanism_on_the_same_connection(no: bytes, secret: Secret) -> None:
    with h.hostile(h.script(AUTH=[no + b"\r\n", b"235 yes\r\n"])) as server:
        send(with_user(server.port), secret, SENDER, TO, DATA)
        token = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
        assert server.connections == 1
        assert b"AUTH LOGIN\r\nAUTH PLAIN " + token + b"\r\n" in server.heard


@pytest.mark.parametrize(
    ("answers", "connections", "words", "kind"),
    [
        ([b"535 5.7.8 first\r\n", b"535 5.7.8 second\r\n"], 2, "535 5.7.8 first", Kind.ACCOUNT),
        ([b"504 5.5.4 x\r\n", b"535 5.7.8 second\r\n"], 1, "535 5.7.8 second", Kind.ACCOUNT),
        ([b"504 5.5.4 x\r\n", b"504 5.5.4 y\r\n"], 1, "504 5.5.4 y", Kind.ACCOUNT),
        ([b"535 5.7.8 first\r\n", h.close], 2, "535 5.7.8 first", Kind.ACCOUNT),
        ([h.log_in(b"535 5.7.8 first\r\n"), h.hang], 2, "535 5.7.8 first", Kind.ACCOUNT),
        ([lambda talk: (talk.say(b"535 5.7.8 bye\r\n"), h.close(talk)), h.close], 2, "535 5.7.8 bye", Kind.ACCOUNT),
        ([b"454 4.7.0 later\r\n"], 1, "454 4.7.0 later", Kind.TEMPORARY),
        ([b"421 4.3.2 closing\r\n"], 1, "421 4.3.2 closing", Kind.TEMPORARY),
        ([b"534 5.7.9 Application-specific password required\r\n"], 1, "534 5.7.9", Kind.ACCOUNT),
        ([b"250 nonsense\r\n"], 1, "250 nonsense", Kind.TEMPORARY),
        ([h.close], 1, "", Kind.TEMPORARY),
    ],
)
def test_refusals(answers: list[Any], connections: int, words: str, kind: Kind, secret: Secret) -> None:
    with h.hostile(h.script(AUTH=answers)) as server:
        fault = failing(with_user(server.port, timeout_seconds=1), secret)
        assert fault.step is Stage.AUTH
        assert fault.reply.startswith(words)
        assert fault.kind is kind
        assert server.connections == connections
        assert server.heard.count(b"AUTH") == len(answers)
        assert b"MAIL" not in server.heard


def test_endless_challenges(secret: Secret) -> None:
    with h.hostile(h.script(AUTH=h.log_in(*[b"334 VXNlcg==\r\n"] * 9))) as server:
        fault = failing(with_user(server.port), secret)
        assert "keeps asking" in str(fault)
        assert server.heard.count(b"\r\n*\r\n") == 1


def test_long_credentials_take_the_two_step_form() -> None:
    long = Secret("ä" * 1000)
    offers = b"250-x\r\n250 AUTH=PLAIN\r\n"
    with h.hostile(h.script(EHLO=offers, AUTH=h.log_in(b"334 \r\n", b"235 yes\r\n"))) as server:
        send(with_user(server.port), long, SENDER, TO, DATA)
        assert b"AUTH PLAIN\r\n" in server.heard


@pytest.mark.parametrize(
    ("changes", "password", "words"),
    [
        ({}, None, "No password is stored"),
        ({}, "", "No password is stored"),
        ({}, "a\0b", "cannot be sent"),
        ({}, "a\udcffb", "cannot be sent"),
        ({"auth": Auth.OAUTH}, "token", "not available"),
    ],
)
def test_sign_ins_that_never_begin(changes: dict[str, Any], password: str | None, words: str) -> None:
    with h.hostile(h.script()) as server:
        fault = failing(with_user(server.port, **changes), None if password is None else Secret(password))
        assert isinstance(fault, AuthError)
        assert words in str(fault)
        assert b"AUTH" not in server.heard


def test_no_auth_offered(secret: Secret) -> None:
    with h.hostile(h.script(EHLO=b"250 mail.test\r\n")) as server:
        fault = failing(with_user(server.port), secret)
    assert isinstance(fault, AuthError)
    assert "offers no sign-in" in str(fault)


def test_password_never_in_clear_to_another_machine(secret: Secret, monkeypatch: pytest.MonkeyPatch) -> None:
    from vxtray.core.mail.transport import Stream

    with h.hostile(h.script()) as server:
        # A peer elsewhere cannot be had on loopback: only its address is made up.
        honest = Stream.__init__

        def elsewhere(self: Stream, sock: socket.socket) -> None:
            honest(self, sock)
            self.peer_ip = "192.0.2.1"

        monkeypatch.setattr(Stream, "__init__", elsewhere)
        fault = failing(with_user(server.port), secret)
        assert isinstance(fault, AuthError)
        assert "unprotected" in str(fault)
        assert_nothing_told(server)


# --- reaching the server ---------------------------------------------------------------------------------------------


def test_unknown_host() -> None:
    fault = failing(settings(25, host="something.invalid"))
    assert isinstance(fault, ConnectError)
    assert str(fault) == "There is no server called something.invalid."
    assert (fault.step, fault.transient) == (Stage.RESOLVE, True)


def test_host_that_cannot_exist() -> None:
    assert failing(settings(25, host="ü" * 300)).step is Stage.RESOLVE


def test_nothing_set_up() -> None:
    with pytest.raises(NotConfigured):
        send(Smtp(), None, SENDER, TO, DATA)


def test_refused_connection(free_port: int) -> None:
    fault = failing(settings(free_port))
    assert isinstance(fault, ConnectError)
    assert "refuses connections" in str(fault)
    fault = failing(settings(free_port, host="localhost"))
    assert "refuses connections" in str(fault)


def test_dead_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30) and [])
    started = time.monotonic()
    fault = failing(settings(25, timeout_seconds=1))
    assert time.monotonic() - started < 3
    assert "could not be looked up" in str(fault)
    over.set()


@pytest.fixture
def full_listener() -> Any:
    """A port whose queue is full: connections to it get no answer at all."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        yield port
        for filler in fillers:
            filler.close()


@pytest.mark.skipif(os.name == "nt", reason="the queue of a listener works otherwise there")
def test_no_answer_at_all(full_listener: int) -> None:
    fault = failing(settings(full_listener, timeout_seconds=1))
    assert isinstance(fault, ConnectError)
    assert "does not answer on port" in str(fault)


# --- servers that misbehave ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("greeting", "kind", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Kind.TEMPORARY, "not a mail server"),
        (b"* OK IMAP4rev1\r\n", Kind.TEMPORARY, "not a mail server"),
        (b"220-" + b"x" * 9000 + b"\r\n", Kind.TEMPORARY, "not a mail server"),
        (b"554 5.7.1 no\r\n", Kind.ADMIN, "turns connections away"),
        (b"421 4.3.2 busy\r\n", Kind.TEMPORARY, "right now"),
        (b"250 hello\r\n", Kind.TEMPORARY, "does not belong"),
        (h.close, Kind.TEMPORARY, "broke off"),
        (h.hang, Kind.TEMPORARY, "said nothing"),
    ],
)
def test_greetings(greeting: Any, kind: Kind, words: str) -> None:
    with h.hostile(h.script(greeting=greeting)) as server:
        fault = failing(settings(server.port, timeout_seconds=1))
        assert words in str(fault)
        assert fault.kind is kind
        assert fault.step is Stage.GREETING


def test_early_talker() -> None:
    both = b"220 mail.test\r\n250-mail.test\r\n250 AUTH LOGIN\r\n"
    with h.hostile(h.script(greeting=both)) as server:
        fault = failing(settings(server.port))
        assert isinstance(fault, ProtocolError)
        assert b"EHLO" not in server.heard


def test_unsolicited_second_reply() -> None:
    with h.hostile(h.script(EHLO=h.OFFERS + b"250 ghost\r\n")) as server:
        fault = failing(settings(server.port))
        assert isinstance(fault, ProtocolError)
        assert b"MAIL" not in server.heard


def test_server_that_leaves_while_we_are_silent() -> None:
    with h.hostile(h.script(EHLO=h.OFFERS + b"421 4.4.2 timeout, closing\r\n")) as server:
        fault = failing(settings(server.port))
        assert fault.reply == "421 4.4.2 timeout, closing"
        assert fault.transient


@pytest.mark.parametrize(
    ("ehlo", "seconds"),
    [
        (h.endless(b"250-ENDLESS\r\n"), 3),
        (h.endless(b"x" * 1000), 3),
        (h.drip(b"250-" + b"x" * 1000, 0.05), 3),
        (h.hang, 3),
        (b"250-x\r\n\r\n250 SIZE\r\n", 1),
        (b"250-x\r\n550 SIZE\r\n", 1),
        (h.close, 1),
    ],
    ids=["endless lines", "endless line", "drip", "hang", "blank line", "two codes", "closed"],
)
def test_ehlo_answers(ehlo: Any, seconds: float) -> None:
    with h.hostile(h.script(EHLO=ehlo)) as server:
        started = time.monotonic()
        fault = failing(settings(server.port, timeout_seconds=1))
        assert time.monotonic() - started < seconds
        assert fault.step is Stage.EHLO
        assert fault.transient
        assert not fault.in_doubt


def test_helo_only_where_nothing_is_at_stake(secret: Secret) -> None:
    answers: dict[str, Any] = {"EHLO": b"502 5.5.2 what\r\n", "HELO": b"250 mail.test\r\n"}
    with h.hostile(h.script(**answers)) as server:
        send(settings(server.port), None, SENDER, TO, DATA)
        assert server.heard.startswith(b"EHLO [127.0.0.1]\r\nHELO [127.0.0.1]\r\nMAIL FROM:<reports@example.com>\r\n")
    with h.hostile(h.script(**answers)) as server:
        assert failing(with_user(server.port), secret).step is Stage.EHLO
        assert b"HELO" not in server.heard


BROKEN = [h.close, b"garbage\r\n", b"421 4.3.2 bye\r\n"]


@pytest.mark.parametrize(
    ("verb", "answer"),
    [(verb, answer) for verb in ("MAIL", "RCPT", "DATA") for answer in BROKEN]
    + [("MAIL", h.drip(b"250 slow", 0.2)), ("RCPT", h.hang), ("DATA", h.hang)],
)
def test_before_the_final_dot_nothing_is_in_doubt(verb: str, answer: Any) -> None:
    with h.hostile(h.script(**{verb: answer})) as server:
        smtp = settings(server.port, timeout_seconds=1)
        with Session(smtp, None) as session:
            with pytest.raises(MailError) as caught:
                session.deliver(SENDER, TO, DATA)
            assert session.phase is Phase.BEFORE_DOT
            assert not session.usable
        assert caught.value.transient
        assert not caught.value.in_doubt
        assert server.mail == b""


@pytest.mark.parametrize(
    "answer", [h.close, h.hang, h.drip(b"250 slow", 0.2), b"garbage\r\n", b"250-a\r\n\r\n", b"354 x\r\n"]
)
def test_after_the_final_dot_everything_is_in_doubt(answer: Any) -> None:
    with h.hostile(h.script(DATA=h.take_mail(answer))) as server:
        smtp = settings(server.port)
        with Session(smtp, None, Limits(final=0.5)) as session:
            with pytest.raises(MailError) as caught:
                session.deliver(SENDER, TO, DATA)
            assert session.phase is Phase.AFTER_DOT
            assert not session.usable
        assert caught.value.in_doubt
        assert caught.value.transient
        assert server.mail.endswith(b"end\r\n")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (b"451 4.3.0 later\r\n", Kind.TEMPORARY),
        (b"421 4.3.2 bye\r\n", Kind.TEMPORARY),
        (b"554 5.6.0 no\r\n", Kind.PERMANENT),
        (b"550 5.7.30 Basic authentication is not supported for Client Submission.\r\n", Kind.ACCOUNT),
        (b"552 5.3.4 Message size exceeds limit\r\n", Kind.PERMANENT),
    ],
)
def test_answers_to_the_mail(reply: bytes, kind: Kind) -> None:
    with h.hostile(h.script(DATA=h.take_mail(reply))) as server:
        fault = failing(settings(server.port))
    assert isinstance(fault, MessageRefused)
    assert (fault.kind, fault.in_doubt, fault.step) == (kind, False, Stage.DATA)


@pytest.mark.parametrize(
    ("reply", "kind"), [(b"451 4.3.0 x\r\n", Kind.TEMPORARY), (b"554 5.5.1 no valid recipients\r\n", Kind.PERMANENT)]
)
def test_data_refused(reply: bytes, kind: Kind) -> None:
    with h.hostile(h.script(DATA=reply)) as server:
        assert failing(settings(server.port)).kind is kind


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_nonsense_codes(verb: str) -> None:
    code = b"250 ok\r\n" if verb == "DATA" else b"354 go on\r\n"
    with h.hostile(h.script(**{verb: code})) as server:
        fault = failing(settings(server.port))
        assert isinstance(fault, ProtocolError)
        assert b"hello" not in server.heard


def test_ghost_after_354_is_not_taken_for_delivery() -> None:
    with h.hostile(h.script(DATA=h.take_mail(go_on=b"354 go on\r\n250 2.0.0 ghost\r\n"))) as server:
        fault = failing(settings(server.port))
        assert isinstance(fault, ProtocolError)
        assert not fault.in_doubt
        assert server.mail == b""


def test_refusal_in_the_middle_of_the_mail() -> None:
    big = b"Subject: x\r\n\r\n" + (b"y" * 76 + b"\r\n") * 200_000

    def refuse(talk: h.Talk) -> None:
        talk.say(b"354 go on\r\n")
        talk.hear()
        talk.say(b"552 5.3.4 too big\r\n")
        h.hang(talk)

    with h.hostile(h.script(EHLO=b"250 mail.test\r\n", DATA=refuse)) as server:
        with pytest.raises(MessageRefused) as caught:
            send(settings(server.port), None, SENDER, TO, big)
        assert "too large" in str(caught.value)
        assert len(server.heard) < len(big)


def test_server_stops_reading() -> None:
    def stall(talk: h.Talk) -> None:
        talk.say(b"354 go on\r\n")
        talk.server.over.wait(20)

    big = (b"y" * 76 + b"\r\n") * 200_000
    with h.hostile(h.script(EHLO=b"250 mail.test\r\n", DATA=stall)) as server:
        smtp = settings(server.port)
        with Session(smtp, None, Limits(block=0.5)) as session, pytest.raises(ConnectError) as caught:
            session.deliver(SENDER, TO, big)
        assert caught.value.transient
        assert not caught.value.in_doubt


@pytest.mark.parametrize("answer", [b"451 no\r\n", h.close, h.hang])
def test_farewell_does_not_matter(answer: Any) -> None:
    def leave(talk: h.Talk) -> None:
        talk.server.mail = b""
        h.take_mail(b"250 2.0.0 taken\r\n")(talk)
        talk.line()
        answer(talk) if callable(answer) else talk.say(answer)
        h.close(talk)

    with h.hostile(h.script(DATA=leave)) as server, Session(settings(server.port), None, Limits(quit=0.2)) as session:
        assert session.deliver(SENDER, TO, DATA).reply == "250 2.0.0 taken"


def test_record_before_the_dot() -> None:
    with aiosmtpd(Inbox()) as inbox, Session(settings(inbox.port), None) as session:
        seen: list[Phase] = []
        session.deliver(SENDER, TO, DATA, before_dot=lambda: seen.append(session.phase))
        assert seen == [Phase.BEFORE_DOT]

        def no_disk() -> None:
            raise OSError(28, "no space")

        with pytest.raises(OSError, match="no space"):
            session.deliver(SENDER, TO, DATA, before_dot=no_disk)
        assert not session.usable
    assert len(inbox.taken) == 1


def test_reply_in_single_bytes() -> None:
    slow = h.drip(b"250-mail.test\r\n250 SIZE 1000\r\n", 0.001)
    with h.hostile(h.script(EHLO=slow)) as server:
        assert send(settings(server.port), None, SENDER, TO, DATA).reply == "250 2.0.0 taken"


def test_every_stage_over_tls_can_break(server_tls: Any, ca_file: str) -> None:
    context = server_tls()
    for verb in ("greeting", "EHLO", "MAIL", "RCPT", "DATA"):
        serve = h.script(**{verb: h.close})

        def script(talk: h.Talk, serve: Callable[[h.Talk], None] = serve) -> None:
            talk.upgrade(context)
            serve(talk)

        with h.hostile(script) as server:
            fault = failing(settings(server.port, TLS, ca_file=ca_file))
            assert "broke off" in str(fault), verb
            assert isinstance(fault, ConnectError)


def test_nothing_secret_in_the_log(caplog: pytest.LogCaptureFixture, secret: Secret) -> None:
    caplog.set_level(logging.DEBUG, logger="vxtray")
    with h.hostile(h.script()) as server:
        send(with_user(server.port), secret, SENDER, TO, DATA)
    with h.hostile(h.script(AUTH=h.close)) as server:
        failing(with_user(server.port), secret)
    for form in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode()):
        assert form not in caplog.text


def test_aiosmtpd_prompts_are_those_of_the_catalogue() -> None:
    """The oracle must really send a prompt that clients which compare texts trip over."""
    assert SMTP.AuthLoginUsernameChallenge == "User Name\x00"
