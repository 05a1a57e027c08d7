"""Servers that break the rules at each point, and what is then known about the mail."""

import base64
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from tests.core.mail import hostile as h
from tests.core.mail.wire import (
    DATA,
    PASSWORD,
    SENDER,
    TLS,
    TO,
    Inbox,
    aiosmtpd,
    failing,
    settings,
    with_user,
)
from vxtray.core.credentials import Secret
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import (
    ConnectError,
    Kind,
    MailError,
    MessageRefused,
    ProtocolError,
    Stage,
)
from vxtray.core.mail.smtp import Phase, Session, send


@pytest.mark.parametrize(
    ("greeting", "kind", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Kind.TEMPORARY, "not a mail server"),
        (b"* OK IMAP4rev1\r\n", Kind.TEMPORARY, "not a mail server"),
        (b"220-" + b"x" * 9000 + b"\r\n", Kind.TEMPORARY, "not a mail server"),
        (b"554 5.7.1 no\r\n", Kind.ADMIN, "turns connections away"),
        (b"421 4.3.2 busy\r\n", Kind.TEMPORARY, "too busy"),
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
