"""X10 to X12 of the catalogue: at each phase a server hangs, answers by drops, or resets; and a person who cancels.

The catalogue's twelve points, with each line of the sign-in and the look-up as points of their own.
"""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import (
    OFFERS_TLS,
    Case,
    Ends,
    World,
    assert_arrives_as_queued,
    numbered,
    run,
)
from tests.core.mail.office import MINUTE, Post
from tests.core.mail.wire import NONE, STARTTLS, TLS, USER, settings
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import ConnectError, MailError, TlsError
from vxtray.core.mail.message import Attachment
from vxtray.core.settings.tree import Security

#: Seconds of each phase; the mail as a whole has no more.
SHORT = 0.5
LIMITS = Limits(resolve=SHORT, command=SHORT, connect=SHORT, block=SHORT, body=SHORT, final=SHORT, quit=SHORT)
#: Where a single phase is looked at, the others have time on a busy machine.
LAST = msgspec.structs.replace(LIMITS, resolve=9, command=9, connect=9)
BIG = (Attachment("events.csv", "text/csv", bytes(4_000_000)),)
_OFFERS = b"250-mail.test\r\n250 AUTH LOGIN PLAIN\r\n"

Act = Callable[[h.Talk], None]


@dataclass(frozen=True)
class Point:
    """Where in a conversation a server begins to behave badly."""

    name: str
    answers: Callable[[Act], dict[str, Any]]
    stage: str
    fault: type[MailError] = ConnectError
    ends: Ends = Ends.RETRY
    security: Security = NONE
    attachments: tuple[Attachment, ...] = ()

    @property
    def window(self) -> int:
        return 4096 if self.attachments else 0

    @property
    def limits(self) -> Limits:
        return LAST if self.name in {"body", "dot", "QUIT"} else LIMITS


def at(verb: str, **more: Any) -> Callable[[Act], dict[str, Any]]:
    return lambda act: {verb: act} | more


def in_sign_in(*lines: bytes) -> Callable[[Act], dict[str, Any]]:
    """After so many questions and answers."""

    def answers(act: Act) -> dict[str, Any]:
        def exchange(talk: h.Talk) -> None:
            h.log_in(*lines, b"")(talk)
            act(talk)

        return {"AUTH": exchange}

    return answers


def in_body(act: Act) -> dict[str, Any]:
    def take(talk: h.Talk) -> None:
        talk.say(b"354 go on\r\n")
        talk.until(b"Subject")
        act(talk)

    return {"EHLO": _OFFERS, "DATA": take}


POINTS = [
    Point("TLS", lambda _act: {}, "tls", TlsError, security=TLS),
    Point("banner", at("greeting"), "greeting"),
    Point("EHLO", at("EHLO"), "ehlo"),
    Point("STARTTLS", at("STARTTLS", EHLO=OFFERS_TLS), "tls", TlsError, security=STARTTLS),
    Point("AUTH 1", at("AUTH"), "auth"),
    Point("AUTH 2", in_sign_in(h.PROMPT_USER), "auth"),
    Point("AUTH 3", in_sign_in(h.PROMPT_USER, h.PROMPT_PASSWORD), "auth"),
    Point("MAIL", at("MAIL"), "sender"),
    Point("RCPT", at("RCPT"), "recipients"),
    Point("DATA", at("DATA"), "data"),
    Point("body", in_body, "data", attachments=BIG),
    Point("dot", lambda act: {"DATA": h.take_mail(act)}, "data", ends=Ends.DOUBT),
    Point("QUIT", at("QUIT"), "", ends=Ends.OK),
]


def served(point: Point, act: Act) -> Act:
    return act if point.name == "TLS" else h.script(**point.answers(act))


def case_of(point: Point, act: Act, limits: Limits | None = None) -> Case:
    return Case(
        serve=lambda _world: served(point, act),
        ends=point.ends,
        fault=point.fault,
        stage=point.stage,
        security=point.security,
        attachments=point.attachments,
        window=point.window,
        limits=limits or point.limits,
        connections=1,
    )


def stuck(talk: h.Talk) -> None:
    """Neither answer nor read."""
    talk.server.over.wait(30)


def sip(talk: h.Talk) -> None:
    """Read a few octets of the mail at a time."""
    while not talk.server.over.wait(0.02):
        talk.hear(100)


def drops(point: Point) -> Act:
    if point.name == "body":
        return sip
    if point.name == "TLS":
        return h.drip(b"\x16\x03\x03\x10\x00" + b"\x02" * 500, 0.05)
    code = {"greeting": b"220-", "AUTH": b"334 ", "DATA": b"354-"}.get(point.name, b"250-")
    return h.drip(code + b"x" * 1000, 0.05)


def broken(point: Point) -> Case:
    """Reset; at the banner the client may still be connecting, and TLS begins with its first word."""

    def after_hello(talk: h.Talk) -> None:
        talk.hear()
        h.reset(talk)

    case = case_of(point, after_hello if point.name == "TLS" else h.reset, LAST)
    return replace(case, stage="") if point.name == "banner" else case


CASES = [
    *((f"X10 {point.name}", case_of(point, stuck)) for point in POINTS),
    *((f"X11 {point.name}", case_of(point, drops(point))) for point in POINTS),
    *((f"X12 {point.name}", broken(point)) for point in POINTS),
]


@numbered(CASES)
def test_phase(case: Case, world: World, post: Callable[..., Post]) -> None:
    began = time.monotonic()
    one, server = run(case, world, post)
    assert time.monotonic() - began < 8, "a phase of half a second, and a mail that is made, on a busy machine"
    if case.ends is Ends.RETRY:
        assert b"\r\n.\r\n" not in server.heard
        assert server.mail == b""
    if case.ends is not Ends.OK:
        assert_arrives_as_queued(one)


# --- before there is a conversation ----------------------------------------------------------------------------------


def test_x10_connect(post: Callable[..., Post]) -> None:
    with h.full_backlog() as port:
        one = post(settings(port), limits=lambda _smtp: LIMITS)
        one.add("k")
        began = time.monotonic()
        assert one.send() == [("k", "queued")]
        assert SHORT <= time.monotonic() - began < 2
        assert "does not answer on port" in str(one.fault)
        assert (one.attempts(), one.outbox.next_due()) == (["server"], one.clock() + MINUTE)
    assert_arrives_as_queued(one)


def test_x12_connect(post: Callable[..., Post], free_port: int) -> None:
    """A reset before the connection stands is a refusal."""
    one = post(settings(free_port))
    one.add("k")
    assert one.send() == [("k", "queued")]
    assert "refuses connections on port" in str(one.fault)
    assert (one.attempts(), one.outbox.next_due()) == (["server"], one.clock() + MINUTE)
    assert_arrives_as_queued(one)


# --- a person who cancels --------------------------------------------------------------------------------------------


def cancelled(one: Post, reached: threading.Event, *, in_doubt: bool = False) -> BaseException | None:
    """Send, cut it off at the point, which takes less than a second, and return what that raised."""
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(one.send)
        assert reached.wait(10)
        began = time.monotonic()
        one.courier.cut_off(in_doubt=in_doubt)
        fault = sending.exception(timeout=5)
        assert time.monotonic() - began < 1
    return fault


def assert_untouched(one: Post) -> None:
    """Cut off is no attempt: nothing is counted, and nothing waits."""
    entry, _, attempts, _ = one.outbox.entry(1)
    assert (entry.state, entry.tries, attempts, one.outbox.hold()) == ("queued", 0, [], None)
    assert one.outbox.next_due() == one.clock()
    assert one.outbox.recover() == 0


@pytest.mark.parametrize("point", POINTS, ids=[f"X10 cancelled at {point.name}" for point in POINTS])
def test_cancelled(point: Point, world: World, post: Callable[..., Post]) -> None:
    reached = threading.Event()

    def hang(talk: h.Talk) -> None:
        reached.set()
        stuck(talk)

    with h.hostile(served(point, hang), window=point.window) as server:
        smtp = settings(server.port, point.security, username=USER, ca_file=world.ca_file, timeout_seconds=30)
        one = post(smtp, limits=lambda smtp: Limits(quit=30))
        one.add("k", attachments=point.attachments)
        fault = cancelled(one, reached, in_doubt=point.ends is Ends.DOUBT)
        if point.ends is Ends.RETRY:
            assert isinstance(fault, MailError)
            assert_untouched(one)
            assert b"\r\n.\r\n" not in server.heard
        elif point.ends is Ends.DOUBT:
            assert (fault, one.attempts()) == (None, ["doubt"])
        else:
            assert (fault, one.attempts()) == (None, ["sent"])


def test_x10_past_the_dot_only_a_cut_in_doubt_ends_the_wait(post: Callable[..., Post]) -> None:
    reached, answered = threading.Event(), threading.Event()

    def slow(talk: h.Talk) -> None:
        reached.set()
        assert answered.wait(10)
        talk.say(b"250 2.0.0 taken\r\n")

    with h.hostile(h.script(DATA=h.take_mail(slow))) as server, ThreadPoolExecutor(1) as pool:
        one = post(settings(server.port))
        one.add("k")
        sending = pool.submit(one.send)
        assert reached.wait(10)
        one.courier.cut_off()
        with pytest.raises(TimeoutError):
            sending.result(timeout=0.5)
        answered.set()
        assert sending.result(timeout=5) == [("k", "sent")]


def test_x10_cancelled_at_connect(post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch) -> None:
    reached = threading.Event()
    look_up = socket.getaddrinfo

    def then_connect(*arguments: Any, **named: Any) -> Any:
        reached.set()
        return look_up(*arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", then_connect)
    with h.full_backlog() as port:
        one = post(settings(port, timeout_seconds=30))
        one.add("k")
        assert isinstance(cancelled(one, reached), MailError)
        assert_untouched(one)


def test_x10_cancelled_at_the_look_up(post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch) -> None:
    reached, over = threading.Event(), threading.Event()

    def dead(*_arguments: Any, **_named: Any) -> Any:
        reached.set()
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(socket, "getaddrinfo", dead)
    one = post(settings(1, host="mail.example.com", timeout_seconds=30))
    one.add("k")
    try:
        assert isinstance(cancelled(one, reached), MailError)
        assert_untouched(one)
    finally:
        over.set()
