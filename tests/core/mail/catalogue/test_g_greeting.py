"""G01 to G20 of the catalogue: greeting and EHLO."""

import socket
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import (
    Case,
    Ends,
    World,
    assert_nothing_left,
    in_clear,
    numbered,
    run,
)
from tests.core.mail.office import Post
from tests.core.mail.wire import STARTTLS, settings
from vxtray.core.mail import doctor
from vxtray.core.mail.faults import ConnectError, ProtocolError
from vxtray.core.mail.transcript import Transcript

_NOT_MAIL = "is not a mail server for sending"
_NETWORK = "a hotel network or a proxy may also answer in its place"
_RULES = "does not follow the rules of SMTP"
_NO_EHLO = "does not know EHLO, so there is neither encryption nor a sign-in; nothing was sent."


def greeted(greeting: Any, **changes: Any) -> Case:
    """The greeting is not one."""
    usual = Case(
        serve=in_clear(greeting=greeting),
        ends=Ends.RETRY,
        fault=ProtocolError,
        stage="greeting",
        says=_NOT_MAIL,
        advises=_NETWORK,
    )
    return replace(usual, **changes)


def offered(ehlo: Any, says: str = _RULES, **changes: Any) -> Case:
    """EHLO is answered so."""
    usual = Case(serve=in_clear(EHLO=ehlo), ends=Ends.RETRY, fault=ProtocolError, stage="ehlo", says=says)
    return replace(usual, **changes)


def fine(**answers: Any) -> Case:
    return Case(serve=in_clear(**answers), ends=Ends.OK)


def extension(line: bytes) -> Case:
    return fine(EHLO=b"250-mail.test\r\n250-AUTH LOGIN PLAIN\r\n250 " + line + b"\r\n")


_ENDLESS_GREETING, _ENDLESS_EHLO = h.endless(b"220-for ever\r\n"), h.endless(b"250-X-FOR-EVER\r\n")
_SLOW = h.drip(b"250-mail.test\r\n" * 9 + b"250 SIZE\r\n", 0.1)
_STRANGE = b"caf\xe9 \xff\x00\x1b[31mred\x1b]0;title\x07 \xe2\x80\xae"
_HELO: dict[str, Any] = {"EHLO": b"502 5.5.1 what\r\n", "HELO": b"250 mail.test\r\n"}
_BLANK = b"250-mail.test\r\n\r\n250 AUTH LOGIN PLAIN\r\n"
_MANY_LINES = b"220-hello\r\n" * 127 + b"220 mail.test\r\n"

CASES = [
    ("G01", fine(greeting=_MANY_LINES)),
    ("G01 one too many", greeted(b"220-hello\r\n" + _MANY_LINES)),
    ("G02 9 KiB", greeted(b"220 " + b"x" * 9216 + b"\r\n")),
    ("G02 1 MiB", greeted(b"220 " + b"x" * 2**20 + b"\r\n")),
    ("G03 greeting", greeted(_ENDLESS_GREETING)),
    ("G03 EHLO", offered(_ENDLESS_EHLO, "it sent a reply that does not end")),
    ("G03 one line", offered(h.endless(b"250-x" * 100), "it sent a line that is too long")),
    ("G04", offered(_SLOW, "took too long to answer", fault=ConnectError, seconds=1)),
    ("G04 greeting", greeted(_SLOW, says="but said nothing", advises="", fault=ConnectError, seconds=1)),
    ("G05", offered(_BLANK, "it sent something that is not an SMTP reply")),
    ("G05 three times", offered(_BLANK, ends=Ends.PARK, tries=3, connections=3)),
    ("G06", offered(b"250-mail.test\r\n550 no\r\n", "it changed the code within one reply")),
    ("G07 bare LF", fine(greeting=b"220 mail.test\n", EHLO=b"250-mail.test\n250 AUTH LOGIN PLAIN\n")),
    ("G07 CR in a line", offered(b"250-mail.test\r250 AUTH\r\n", "it sent something that is not an SMTP reply")),
    ("G07 CR alone", offered(b"250 mail.test\r", "took too long", fault=ConnectError, seconds=1)),
    ("G08 HTTP", greeted(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n")),
    ("G08 HTML", greeted(b"<!doctype html><title>Log in</title>\r\n")),
    ("G08 no code", greeted(b"hello\r\n")),
    ("G09", fine(greeting=b"220 " + _STRANGE + b"\r\n", EHLO=h.OFFERS.replace(b"mail.test", _STRANGE))),
    (
        "G09 shown",
        greeted(b"421 4.3.2 " + _STRANGE + b"\r\n", fault=ConnectError, says="too busy", advises="tries again"),
    ),
    (
        "G10",
        greeted(
            b"554 5.7.1 no\r\n", fault=ConnectError, says="turns connections away", advises="Check server and port"
        ),
    ),
    (
        "G10 three times",
        greeted(
            b"554 5.7.1 no\r\n",
            fault=ConnectError,
            says="turns connections away",
            advises="Check server and port",
            ends=Ends.SEC,
            tries=3,
            connections=3,
        ),
    ),
    (
        "G11",
        greeted(b"421 4.9.9 not now\r\n", fault=ConnectError, says="cannot take this right now", advises="by itself"),
    ),
    ("G12", greeted(b"250 mail.test\r\n", says="an answer that does not belong here", advises="Try again")),
    ("G13 nothing at stake", Case(serve=in_clear(**_HELO), ends=Ends.OK, signs_in=False)),
    ("G13 sign-in", offered(None, _NO_EHLO, serve=in_clear(**_HELO), ends=Ends.SEC)),
    ("G13 STARTTLS", offered(None, _NO_EHLO, serve=in_clear(**_HELO), ends=Ends.SEC, security=STARTTLS)),
    ("G13 500", offered(b"500 what\r\n", _NO_EHLO, ends=Ends.SEC, security=STARTTLS, advises="may interfere")),
    ("G14 421", offered(b"421 4.9.9 bye\r\n", "cannot take this right now")),
    ("G14 451", offered(b"451 4.9.9 not now\r\n", "cannot take this right now")),
    ("G15", offered(b"550 5.7.1 who are you\r\n", "refuses the name", ends=Ends.SEC, advises="submission port (587)")),
    ("G16 SIZE", extension(b"SIZE")),
    ("G16 SIZE 0", extension(b"SIZE 0")),
    ("G16 SIZE abc", extension(b"SIZE abc")),
    ("G16 SIZE -1", extension(b"SIZE -1")),
    ("G16 SIZE in Arabic digits", extension("SIZE ١٠".encode())),
    ("G16 SIZE of 40 digits", extension(b"SIZE " + b"9" * 40)),
    ("G16 no SIZE", extension(b"HELP")),
    (
        "G17",
        fine(EHLO=b"250-mail.test\r\n250-auth login \r\n250-Auth\tPlain\t\r\n250-SIZE 9\r\n250 size 1000000  \r\n"),
    ),
    ("G18", offered(h.OFFERS + b"250 ghost\r\n", f"{_RULES}: it spoke out of turn", stage="auth")),
    ("G19", greeted(b"220 mail.test\r\n" + h.OFFERS, says=f"{_RULES}: it spoke out of turn", advises="", stage="ehlo")),
]


@numbered(CASES)
def test_greeting(case: Case, world: World, post: Callable[..., Post]) -> None:
    began = time.monotonic()
    _one, server = run(case, world, post)
    assert time.monotonic() - began < 10
    if case.ends is not Ends.OK:
        assert_nothing_left(server)


@pytest.mark.parametrize("verb", ["greeting", "EHLO"], ids=["G03 memory greeting", "G03 memory EHLO"])
def test_an_endless_answer_costs_no_memory(verb: str, world: World, post: Callable[..., Post]) -> None:
    tracemalloc.start()
    try:
        run(Case(serve=in_clear(**{verb: h.endless(b"220-x\r\n")}), ends=Ends.RETRY), world, post)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


def test_g07_line_ends_are_counted_in_the_transcript() -> None:
    transcript = Transcript()
    with h.hostile(h.script(greeting=b"220-mail.test\n220 x\n")) as server:
        list(doctor.check(settings(server.port), None, transcript=transcript))
    assert "2 lines ended in LF alone" in transcript.text()


def test_g13_without_ehlo_no_helo_where_something_is_at_stake(world: World, post: Callable[..., Post]) -> None:
    for number in ("G13 sign-in", "G13 STARTTLS"):
        _one, server = run(dict(CASES)[number], world, post)
        assert b"HELO" not in server.heard


def test_g15_our_name_is_an_address(world: World, post: Callable[..., Post]) -> None:
    _one, server = run(dict(CASES)["G15"], world, post)
    assert server.heard.startswith(b"EHLO [127.0.0.1]\r\n")


def alone(answer: h.Answer) -> Callable[[h.Talk], None]:
    """Answer, after making sure that nothing was sent along with the command."""

    def act(talk: h.Talk) -> None:
        talk.server.over.wait(0.02)
        with pytest.raises(BlockingIOError):
            talk.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        if callable(answer):
            answer(talk)
        else:
            talk.say(answer)

    return act


def test_g20_extensions_are_left_alone_and_nothing_is_pipelined(world: World, post: Callable[..., Post]) -> None:
    every = b"250-PIPELINING\r\n250-CHUNKING\r\n250-DSN\r\n250-REQUIRETLS\r\n250-SMTPUTF8\r\n250-BINARYMIME\r\n"
    answers = {verb: alone(h.POLITE[verb]) for verb in ("MAIL", "RCPT", "DATA")}
    _one, server = run(fine(EHLO=b"250-mail.test\r\n" + every + b"250 AUTH LOGIN\r\n", **answers), world, post)
    told = bytes(server.heard)
    assert b"MAIL FROM:<reports@example.com>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n" in told
    assert b"BDAT" not in told
