"""X01 to X09 and X13 to X18 of the catalogue: the final dot, closing, and what connections are good for."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import (
    OFFERS_TLS,
    Case,
    Ends,
    World,
    assert_arrives_as_queued,
    in_clear,
    numbered,
    over_tls,
    run,
)
from tests.core.mail.office import MINUTE, Post
from tests.core.mail.wire import DATA, PASSWORD, SENDER, STARTTLS, TLS, TO, USER, settings
from vxtray.core.credentials import Secret, smtp_account
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import (
    AuthError,
    ConnectError,
    MailError,
    MessageRefused,
    ProtocolError,
    SenderRefused,
    TlsError,
)
from vxtray.core.mail.message import Attachment
from vxtray.core.mail.smtp import Session

ROOT = Path(__file__).parents[4]
BIG = (Attachment("events.csv", "text/csv", bytes(4_000_000)),)
_BROKE = "broke off"
_PERHAPS = "may have arrived"
_SENT_AGAIN = "under the same identification; a second copy is possible"


def at_data(answer: Any, **changes: Any) -> Case:
    usual = Case(serve=in_clear(DATA=answer), ends=Ends.RETRY, fault=ConnectError, stage="data", says=_BROKE)
    return replace(usual, **changes)


def at_dot(reply: h.Answer, **changes: Any) -> Case:
    """The whole mail is taken, then this."""
    usual = at_data(h.take_mail(reply), ends=Ends.DOUBT, says=_PERHAPS, advises=_SENT_AGAIN)
    return replace(usual, **changes)


def in_the_middle(then: Callable[[h.Talk], None]) -> Callable[[h.Talk], None]:
    """Take the beginning of the mail."""

    def act(talk: h.Talk) -> None:
        talk.say(b"354 go on\r\n")
        talk.until(b"Subject")
        then(talk)

    return act


def half_close(talk: h.Talk) -> None:
    """Say no more, but go on reading."""
    talk.sock.shutdown(socket.SHUT_WR)
    h.hang(talk)


def late(reply: bytes, seconds: float) -> Callable[[h.Talk], None]:
    def act(talk: h.Talk) -> None:
        talk.server.over.wait(seconds)
        talk.say(reply)

    return act


def farewell(answer: h.Answer, **changes: Any) -> Case:
    """The mail is taken, and QUIT is answered so."""
    return replace(Case(serve=in_clear(QUIT=answer), ends=Ends.OK, limits=Limits(quit=0.3)), **changes)


_NO_BASIC = b"550 5.7.30 Basic authentication is not supported for Client Submission.\r\n"
_BODY: dict[str, Any] = {"attachments": BIG, "window": 4096, "never": (b"\r\n.\r\n",)}
_OFFERS = b"250-mail.test\r\n250 AUTH LOGIN PLAIN\r\n"


def broken_body(then: Callable[[h.Talk], None]) -> Case:
    return at_data(None, serve=in_clear(DATA=in_the_middle(then), EHLO=_OFFERS), **_BODY)


CASES = [
    ("X01", at_data(h.close, never=(b"Subject",))),
    ("X01 reset", at_data(h.reset, never=(b"Subject",))),
    ("X02", broken_body(h.close)),
    ("X02 reset", broken_body(h.reset)),
    ("X03", at_dot(h.close)),
    ("X03 reset", at_dot(h.reset)),
    ("X03 half a reply", at_dot(h.drip(b"250 2.0", 0.001), limits=Limits(final=0.3))),
    ("X04", at_dot(h.hang, limits=Limits(final=0.3))),
    (
        "X05",
        Case(
            serve=in_clear(DATA=h.take_mail(late(b"250 ok\r\n", 0.8))),
            ends=Ends.OK,
            limits=Limits(final=5, command=0.4),
        ),
    ),
    ("X06 451", at_dot(b"451 4.9.9 not now\r\n", ends=Ends.LATER, says="cannot take this", advises="by itself")),
    (
        "X06 452",
        at_dot(b"452 4.3.1 full\r\n", ends=Ends.RETRY, fault=MessageRefused, says="no room", advises="by itself"),
    ),
    ("X06 554", at_dot(b"554 5.7.1 spam\r\n", ends=Ends.FAIL, says="for spam", advises="can be sent again")),
    ("X06 550", at_dot(b"550 no\r\n", ends=Ends.FAIL, says="refused the mail", advises="can be sent again")),
    (
        "X06 5.7.30",
        at_dot(_NO_BASIC, ends=Ends.PARK, fault=MessageRefused, says="no longer accepts", advises="app password"),
    ),
    ("X06 nonsense", at_dot(b"354 go on\r\n", fault=ProtocolError, never=(b"RSET", b"QUIT"))),
    ("X06 garbage", at_dot(b"HTTP/1.1 200 OK\r\n", never=(b"RSET", b"QUIT"))),
    ("X08 451", farewell(b"451 4.3.0 no\r\n")),
    ("X08 554", farewell(b"554 5.5.1 no\r\n")),
    ("X08 hang", farewell(h.hang)),
    ("X08 reset", farewell(h.reset)),
    ("X08 close", farewell(h.close)),
    ("X08 garbage", farewell(b"\x00\xff\r\n")),
    ("X13 DATA", at_data(half_close, never=(b"Subject",))),
    ("X13 body", broken_body(half_close)),
    ("X13 dot", at_dot(half_close)),
    ("X13 EHLO", at_data(None, serve=in_clear(EHLO=half_close), stage="ehlo", never=(b"MAIL", b"AUTH"))),
    ("X13 QUIT", farewell(half_close)),
]


@numbered(CASES)
def test_ending(case: Case, world: World, post: Callable[..., Post]) -> None:
    one, server = run(case, world, post)
    if case.ends is Ends.DOUBT:
        assert b"Subject: Subject k" in server.mail
    if case.ends in {Ends.RETRY, Ends.LATER, Ends.DOUBT}:
        assert_arrives_as_queued(one)


def test_x04_x05_ten_minutes_for_the_last_word() -> None:
    """RFC 5321 4.5.3.2.6 and RFC 1047: a shorter time makes duplicates. No setting changes it."""
    for seconds in (1, 30, 600):
        assert Limits.of(settings(1, timeout_seconds=seconds)).final == 600


# --- X07: the crash that costs a duplicate ---------------------------------------------------------------------------

_DIES = """
import os, signal, sys
from pathlib import Path
from tests.core.mail.office import Post
from tests.core.mail.wire import settings
one = Post(Path(sys.argv[1]), settings(int(sys.argv[2])))
one.add("k", "l")
def then_die(parcel):
    outcome = one.courier.deliver(parcel)
    assert outcome.verdict == "sent", outcome
    os.kill(os.getpid(), signal.SIGKILL)
for delivery in one.outbox.deliver_due(then_die, one.clock):
    pass
"""


def test_x07_killed_between_the_yes_and_the_record(tmp_path: Path, post: Callable[..., Post]) -> None:
    mails: list[bytes] = []

    def take(talk: h.Talk) -> None:
        h.take_mail()(talk)
        mails.append(talk.server.mail)

    with h.hostile(h.script(DATA=take)) as server:
        command = [sys.executable, "-c", _DIES, str(tmp_path), str(server.port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        again = Post(tmp_path, settings(server.port))
        try:
            assert again.outbox.recover() == 1
            told, _, attempts, data = again.outbox.entry(1)
            assert (told.state, [attempt["outcome"] for attempt in attempts]) == ("queued", ["doubt"])
            assert "a second copy is possible" in str(attempts[0]["reply"])
            assert sorted(again.send()) == [("k", "sent"), ("l", "sent")]
            assert again.outbox.recover() == 0
        finally:
            again.close()
    assert len(mails) == 3
    assert sum(b"Message-ID: <k@example.com>\r\n" in mail for mail in mails) == 2
    assert mails.count(data) == 2, "the same bytes"


# --- X09: 421 ------------------------------------------------------------------------------------------------------

BYE = b"421 4.3.2 service shutting down\r\n"


class Leaving:
    """Says 421 and notes what the client still says."""

    def __init__(self) -> None:
        self.after = b""
        self.closed = threading.Event()

    def __call__(self, talk: h.Talk) -> None:
        talk.say(BYE)
        try:
            while True:
                self.after += talk.hear()
        finally:
            self.closed.set()

    def in_the_body(self, talk: h.Talk) -> None:
        talk.say(b"354 go on\r\n")
        talk.until(b"Subject")
        self(talk)


PLACES: dict[str, tuple[type[MailError], str]] = {
    "greeting": (ConnectError, "greeting"),
    "EHLO": (ProtocolError, "ehlo"),
    "STARTTLS": (TlsError, "tls"),
    "AUTH": (AuthError, "auth"),
    "MAIL": (SenderRefused, "sender"),
    "RCPT": (MailError, "recipients"),
    "DATA": (MessageRefused, "data"),
    "dot": (MessageRefused, "data"),
}


@pytest.mark.parametrize("place", PLACES, ids=[f"X09 {place}" for place in PLACES])
def test_the_server_is_leaving(place: str, world: World, post: Callable[..., Post]) -> None:
    """RETRY, and the connection is closed by us at once and without a word."""
    bye = Leaving()
    answers: dict[str, Any] = {"DATA": h.take_mail(bye)} if place == "dot" else {place: bye}
    if place == "STARTTLS":
        answers["EHLO"] = OFFERS_TLS
    fault, stage = PLACES[place]
    case = Case(
        serve=in_clear(**answers),
        ends=Ends.RETRY,
        stage=stage,
        says="too busy",
        advises="tries again by itself",
        security=STARTTLS if place == "STARTTLS" else settings(1).security,
        connections=1,
    )
    one, _server = run(case, world, post)
    assert isinstance(one.fault, fault)
    assert bye.closed.wait(1)
    assert bye.after == b""
    assert_arrives_as_queued(one)


def test_x09_in_the_body(world: World, post: Callable[..., Post]) -> None:
    bye = Leaving()
    case = at_data(None, serve=in_clear(DATA=bye.in_the_body, EHLO=_OFFERS), says="too busy", fault=MessageRefused)
    one, server = run(replace(case, **_BODY), world, post)
    assert bye.closed.wait(1)
    assert b"QUIT" not in server.heard
    assert_arrives_as_queued(one)


@pytest.mark.parametrize("verb", ["RSET", "QUIT"], ids=["X09 RSET", "X09 QUIT"])
def test_leaving_between_two_mails_is_no_failure(verb: str, post: Callable[..., Post]) -> None:
    bye = Leaving()
    answers: list[h.Answer] = [bye, b"221 bye\r\n", b"221 bye\r\n"]
    with h.hostile(h.script(**{verb: answers})) as server:
        one = post(settings(server.port))
        one.add("k")
        assert one.send(keep=True) == [("k", "sent")]
        one.clock.now += timedelta(seconds=2)  # right after a mail nothing is asked in between
        one.add("l")
        assert one.send() == [("l", "sent")]
        assert (one.attempts(1), one.attempts(2), one.fault) == (["sent"], ["sent"], None)
        assert server.connections == (2 if verb == "RSET" else 1)
    assert bye.after == b""


# --- X14: a server that lies -----------------------------------------------------------------------------------------


def test_x14_delivered_and_denied(post: Callable[..., Post]) -> None:
    """Nobody can tell; the copies have one Message-ID, and are the same to the byte."""
    kept: list[bytes] = []

    def lie(talk: h.Talk) -> None:
        h.take_mail(b"451 4.9.9 not taken\r\n")(talk)
        kept.append(talk.server.mail)

    def at_last(talk: h.Talk) -> None:
        h.take_mail()(talk)
        kept.append(talk.server.mail)

    with h.hostile(h.script(DATA=[lie, lie, at_last])) as server:
        one = post(settings(server.port))
        one.add("k")
        for wait in (1, 2):
            assert one.send() == [("k", "queued")]
            assert one.outbox.next_due() == one.clock() + wait * MINUTE
            one.clock.now += wait * MINUTE
        assert one.send() == [("k", "sent")]
    assert (len(kept), set(kept)) == (3, {one.outbox.entry(1)[3]})


# --- X15: segments ---------------------------------------------------------------------------------------------------


class Cut:
    """Sends what the script says in pieces of these sizes, each in a segment of its own."""

    def __init__(self, sizes: list[int]) -> None:
        self._sizes = sizes

    def __call__(self, polite: Callable[[h.Talk], None]) -> Callable[[h.Talk], None]:
        def serve(talk: h.Talk) -> None:
            talk.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            whole, turn = talk.say, 0

            def say(data: bytes) -> None:
                nonlocal turn
                while data:
                    size = self._sizes[turn % len(self._sizes)]
                    whole(data[:size])
                    data, turn = data[size:], turn + 1

            talk.say = say  # type: ignore[method-assign]
            polite(talk)

        return serve


_LONG = b"250-mail.test\r\n" + b"250-X-EXT param\r\n" * 30 + b"250-AUTH LOGIN\r\n250 SIZE 1000000\r\n"
_ENHANCED = b"550-5.1.1 no such\r\n550 5.1.1 user here\r\n"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
@example([1])
@example([100_000])
@hypothesis_settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_x15_segments_change_nothing(sizes: list[int]) -> None:
    answers: dict[str, Any] = {"EHLO": _LONG, "RCPT": [b"250 ok\r\n", _ENHANCED, b"250 2.1.5 ok\r\n"]}
    with h.hostile(Cut(sizes)(h.script(**answers))) as server:
        with Session(settings(server.port, username=USER), Secret(PASSWORD)) as session:
            done = session.deliver(SENDER, TO, DATA)
            assert (session.connection.capabilities.size, session.mechanism) == (1_000_000, "LOGIN")
        assert done.reply == "250 2.0.0 taken"
        assert [result.reply for result in done.recipients.values()] == [
            "250 ok",
            "550 5.1.1 no such user here",
            "250 2.1.5 ok",
        ]


@pytest.mark.parametrize("sizes", [[1], [3, 1], [100_000]], ids=["X15 bytes", "X15 pieces", "X15 one segment"])
def test_two_replies_where_one_belongs(sizes: list[int], world: World, post: Callable[..., Post]) -> None:
    """A second reply is never taken for the answer to the next question, however the two are cut."""
    answers: dict[str, Any] = {"MAIL": [b"250 2.1.0 ok\r\n250 2.1.5 ghost\r\n"], "RCPT": b"550 5.1.1 no\r\n"}
    serve = Cut(sizes)(h.script(**answers))
    case = Case(serve=lambda _world: serve, ends=Ends.RETRY, fault=ProtocolError, never=(b"DATA",))
    _one, server = run(case, world, post)
    assert server.mail == b""


# --- X16 to X18: how long and for whom a connection is good ----------------------------------------------------------


def test_x16_an_idle_connection_is_not_used_again(post: Callable[..., Post]) -> None:
    with h.hostile(h.script()) as server:
        one = post(settings(server.port))
        for seconds, connections in ((0, 1), (29, 1), (30, 2), (301, 3)):
            one.clock.now += timedelta(seconds=seconds)
            one.add(f"k{seconds}")
            assert one.send(keep=True) == [(f"k{seconds}", "sent")]
            assert server.connections == connections
        assert server.heard.count(b"RSET") == 1


@pytest.mark.parametrize("at", ["MAIL", "RSET", "silence"], ids=["X17 at MAIL", "X17 at RSET", "X17 without a word"])
def test_so_many_mails_a_connection(at: str, post: Callable[..., Post]) -> None:
    """The rest leaves at once over a new connection, and nothing of it counts as a failure."""

    def three(talk: h.Talk) -> None:
        talk.say(b"220 mail.test\r\n")
        mails = 0
        while verb := talk.line().split(b" ")[0]:
            if mails == 3 and verb in {at.encode(), b"QUIT"}:
                talk.say(b"421 4.7.0 too many messages in this connection\r\n")
                return
            if verb == b"DATA":
                h.take_mail()(talk)
                mails += 1
                if mails == 3 and at == "silence":
                    return
            else:
                talk.say(b"250 ok\r\n")

    with h.hostile(three) as server:
        one = post(settings(server.port))
        for number in range(10):
            one.clock.now += timedelta(seconds=2 if at == "RSET" else 0)  # right after a mail there is none
            one.add(f"k{number}")
            assert one.send(keep=True) == [(f"k{number}", "sent")]
        assert server.connections == 4
    assert [one.attempts(number) for number in range(1, 11)] == [["sent"]] * 10
    assert one.fault is None


def test_x17_one_mail_a_connection_that_is_full_at_the_greeting_waits(post: Callable[..., Post]) -> None:
    """A new connection that is refused too is a failure, so that no loop of connections begins."""
    greetings: list[h.Answer] = [b"220 mail.test\r\n", *[b"421 4.7.0 too many messages sent\r\n"] * 2]
    with h.hostile(h.script(greeting=greetings, MAIL=[b"250 ok\r\n", BYE])) as server:
        one = post(settings(server.port))
        one.add("k", "l", "m")
        assert one.send() == [("k", "sent"), ("l", "queued")]
        assert (server.connections, one.ready) == (2, False)


def test_x18_one_connection_for_each_account(post: Callable[..., Post]) -> None:
    """Three mails over one; with another account on the same host a new one, and never the sign-in of the other."""
    names: list[bytes] = []

    def sign_in(talk: h.Talk) -> None:
        talk.say(h.PROMPT_USER)
        names.append(talk.line())
        talk.say(h.PROMPT_PASSWORD)
        talk.line()
        talk.say(b"235 2.7.0 welcome\r\n")

    with h.hostile(h.script(AUTH=sign_in)) as server:
        first, second = (settings(server.port, username=name) for name in ("one@example.com", "two@example.com"))
        one = post(first)
        one.add("k", "l", "m")
        one.send(keep=True)
        assert (server.connections, len(names)) == (1, 1)
        one.credentials.set(smtp_account(second), Secret("another"))
        one.mended(second)
        one.add("n")
        assert one.send(keep=True) == [("n", "sent")]
        assert (server.connections, len(set(names))) == (2, 2)
        assert server.heard.count(b"QUIT") == 1, "the first account's connection is closed"


def test_x18_the_same_over_tls(world: World, post: Callable[..., Post]) -> None:
    with h.hostile(over_tls()(world)) as server:
        one = post(settings(server.port, TLS, username=USER, ca_file=world.ca_file))
        one.add("k", "l", "m")
        assert [state for _, state in one.send()] == ["sent"] * 3
        assert server.connections == 1
