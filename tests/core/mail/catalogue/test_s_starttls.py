"""S01 to S20 of the catalogue: STARTTLS, and those who would have us go on without it."""

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import (
    OFFERS_TLS,
    Case,
    Ends,
    Serve,
    World,
    assert_nothing_left,
    assert_parked,
    in_clear,
    numbered,
    offers,
    over_starttls,
    run,
    upgrade,
)
from tests.core.mail.office import MINUTE, Post
from tests.core.mail.wire import NONE, PASSWORD, STARTTLS, USER, settings
from vxtray.core.mail.faults import AuthError, ProtocolError, TlsError
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.transport import Stream

_MISSING = "does not offer STARTTLS on port"
_INTERFERES = "Something interferes with STARTTLS at 127.0.0.1, so nothing was sent."
_ELSEWHERE = "Try another network"
_NOTHING = "nothing was sent without protection"
_AUTH_IN_CLEAR = b"250-mail.test\r\n250 AUTH LOGIN PLAIN\r\n"


def sec(serve: Serve, says: str, advises: str = "", **changes: Any) -> Case:
    usual = Case(
        serve=serve,
        ends=Ends.SEC,
        fault=TlsError,
        says=says,
        advises=advises,
        stage="tls",
        security=STARTTLS,
        connections=1,
    )
    return replace(usual, **changes)


def without(ehlo: bytes) -> Case:
    """STARTTLS is not offered."""
    return sec(in_clear(EHLO=ehlo), _MISSING, "something may strip the protection")


def answered(answer: Any, says: str = _INTERFERES, advises: str = _ELSEWHERE, **changes: Any) -> Case:
    """STARTTLS is offered, and answered so."""
    return sec(in_clear(EHLO=OFFERS_TLS, STARTTLS=answer), says, advises, **changes)


def said_then_heard(first: bytes, then: Callable[[h.Talk], None]) -> Callable[[h.Talk], None]:
    def answer(talk: h.Talk) -> None:
        talk.say(first)
        then(talk)

    return answer


def a_moment_later(talk: h.Talk) -> None:
    talk.server.over.wait(0.05)
    talk.say(b"250-AUTH LOGIN PLAIN\r\n250 ok\r\n")
    h.hang(talk)


def plain_text(talk: h.Talk) -> None:
    talk.sock.recv(65536)  # the ClientHello
    talk.say(b"250-mail.test\r\n250 AUTH LOGIN PLAIN\r\n")
    h.hang(talk)


def later(**changes: Any) -> dict[str, Any]:
    return {"ends": Ends.RETRY, "security": STARTTLS, "stage": "tls", "fault": TlsError} | changes


def many_lines(talk: h.Talk) -> None:
    talk.say(b"".join(b"250-X-%d\r\n" % number for number in range(999)) + b"250 STARTTLS\r\n")


_PHISHING = (
    b'454 4.7.0 <a href="http://evil.example/login">Your password has expired</a>, log in\x1b[2J\x07'
    b" at http://evil.example/ \xe2\x80\xaeetomer\r\n"
)

CASES = [
    ("S01", without(_AUTH_IN_CLEAR)),
    ("S02 XSTARTTLS", without(b"250-mail.test\r\n250-AUTH PLAIN\r\n250 XSTARTTLS\r\n")),
    ("S02 START TLS", without(b"250-mail.test\r\n250-AUTH PLAIN\r\n250 START TLS\r\n")),
    ("S02 STARTTLS=", without(b"250-mail.test\r\n250-AUTH PLAIN\r\n250 STARTTLS=yes\r\n")),
    ("S02 in the name only", without(b"250-STARTTLS\r\n250 AUTH PLAIN\r\n")),
    (
        "S02 lower case",
        Case(
            serve=over_starttls(EHLO=offers(before=b"250-mail.test\r\n250 starttls\r\n")),
            ends=Ends.OK,
            security=STARTTLS,
        ),
    ),
    (
        "S02 with arguments",
        Case(
            serve=over_starttls(EHLO=offers(before=b"250-mail.test\r\n250 STARTTLS REQUIRED\r\n")),
            ends=Ends.OK,
            security=STARTTLS,
        ),
    ),
    (
        "S03",
        answered(
            b"454 4.7.0 TLS not available due to temporary reason\r\n",
            "cannot start the encryption right now",
            _NOTHING,
            ends=Ends.RETRY,
        ),
    ),
    ("S04 500", answered(b"500 5.5.1 what\r\n", "refuses STARTTLS", _NOTHING)),
    ("S04 502", answered(b"502 5.5.1 not implemented\r\n", "refuses STARTTLS", _NOTHING)),
    ("S04 554", answered(b"554 5.7.3 no TLS here\r\n", "refuses STARTTLS", _NOTHING)),
    ("S05 250", answered(b"250 2.0.0 ok\r\n")),
    ("S05 221", answered(b"221 2.0.0 ok\r\n")),
    (
        "S06",
        Case(
            serve=lambda world: over_starttls(STARTTLS=upgrade(world.tls(), b"220-ready\r\n220 go\r\n"))(world),
            ends=Ends.OK,
            security=STARTTLS,
        ),
    ),
    ("S06 more behind it", answered(b"220-ready\r\n220 go\r\n250 ok\r\n")),
    ("S07", answered(b"220 go\r\n250 AUTH LOGIN PLAIN\r\n")),
    ("S08", answered(b"220 go\r\n250-mail")),
    (
        "S09",
        answered(
            said_then_heard(b"220 go\r\n", a_moment_later), "and then went on without encryption", "may interfere"
        ),
    ),
    ("S10 in the line", answered(b"220 g\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", seconds=1)),
    ("S10 a whole line", answered(b"22\x16\x03\x03\x00\x0a\x02\n")),
    (
        "S11",
        Case(
            serve=in_clear(EHLO=OFFERS_TLS, STARTTLS=said_then_heard(b"220 go\r\n", h.close)),
            says="ended the connection while it was being protected",
            **later(),
        ),
    ),
    (
        "S11 three times",
        sec(
            in_clear(EHLO=OFFERS_TLS, STARTTLS=said_then_heard(b"220 go\r\n", h.close)),
            "Something between this computer and 127.0.0.1 strips TLS",
            "Nothing was sent",
            tries=3,
            connections=3,
        ),
    ),
    (
        "S12",
        answered(said_then_heard(b"220 go\r\n", plain_text), "and then went on without encryption", "may interfere"),
    ),
    (
        "S13 the sign-in",
        sec(
            over_starttls(EHLO=offers(after=b"250-mail.test\r\n250 SIZE 1000000\r\n")),
            "offers no sign-in here",
            fault=AuthError,
            stage="auth",
        ),
    ),
    (
        "S13 the size",
        Case(
            serve=over_starttls(EHLO=offers(before=b"250-mail.test\r\n250-SIZE 10\r\n250 STARTTLS\r\n")),
            ends=Ends.OK,
            security=STARTTLS,
        ),
    ),
    (
        "S14",
        Case(
            serve=over_starttls(EHLO=offers(after=b"250-mail.test\r\n250-STARTTLS\r\n250 AUTH LOGIN\r\n")),
            ends=Ends.OK,
            security=STARTTLS,
        ),
    ),
    ("S15", without(b"250-mail.test\r\n250-AUTH PLAIN\r\n250-AUTH=PLAIN\r\n250 8BITMIME\r\n")),
    (
        "S15 asked for",
        answered(
            b"538 5.7.11 no TLS needed, send your password\r\n334 \r\n", "wants an encrypted connection", "STARTTLS"
        ),
    ),
    (
        "S16",
        Case(
            serve=in_clear(EHLO=many_lines),
            ends=Ends.RETRY,
            fault=ProtocolError,
            says="it sent a reply that does not end",
            stage="ehlo",
            security=STARTTLS,
        ),
    ),
    (
        "S17",
        Case(
            serve=in_clear(EHLO=OFFERS_TLS, STARTTLS=_PHISHING),
            says="The mail server cannot start the encryption right now.",
            advises="vxtray tries again by itself; nothing was sent without protection.",
            **later(),
        ),
    ),
    ("S19", Case(serve=over_starttls(greeting=b"220 please use mail.evil\r\n"), ends=Ends.OK, security=STARTTLS)),
    (
        "S19 at STARTTLS",
        Case(
            serve=lambda world: over_starttls(STARTTLS=upgrade(world.tls(), b"220 please use mail.evil\r\n"))(world),
            ends=Ends.OK,
            security=STARTTLS,
        ),
    ),
]


@numbered(CASES)
def test_starttls(case: Case, world: World, post: Callable[..., Post]) -> None:
    _one, server = run(case, world, post)
    if case.ends is not Ends.OK:
        assert_nothing_left(server)
        assert b"STARTTLS" in server.heard or case.says == _MISSING or case.stage == "ehlo"


def test_s14_starttls_is_asked_for_once(world: World, post: Callable[..., Post]) -> None:
    case = dict(CASES)["S14"]
    _one, server = run(case, world, post)
    assert server.heard.count(b"STARTTLS") == 1


def test_s17_a_servers_words_stay_plain_and_apart_from_ours(world: World, post: Callable[..., Post]) -> None:
    one, _server = run(dict(CASES)["S17"], world, post)
    entry, _, _, _ = one.outbox.entry(1)
    assert entry.reply.startswith('454 4.7.0 <a href="http://evil.example/login">')
    assert not set("\x1b\x07\u202e") & set(entry.reply)
    assert one.fault is not None
    assert "evil" not in str(one.fault) + one.fault.advice_id + repr(one.fault.values)


def test_s18_no_password_in_clear_to_another_machine(
    world: World, post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings may say so, since the server's address is known only when it is looked up; the sending refuses."""
    honest = Stream.__init__

    def elsewhere(self: Stream, sock: socket.socket) -> None:  # only the address is made up
        honest(self, sock)
        self.peer_ip = "192.0.2.1"

    monkeypatch.setattr(Stream, "__init__", elsewhere)
    unprotected = Case(
        serve=in_clear(),
        ends=Ends.SEC,
        fault=AuthError,
        says="The password would travel unprotected to 127.0.0.1, so it was not sent.",
        advises="Choose the security “STARTTLS” or “TLS”",
        stage="auth",
        security=NONE,
    )
    run(unprotected, world, post)


def test_s20_a_failed_try_never_changes_the_mode(world: World, post: Callable[..., Post]) -> None:
    wrong = world.tls("mail.invalid")
    answers: list[h.Answer] = [OFFERS_TLS, _AUTH_IN_CLEAR, _AUTH_IN_CLEAR]
    with h.hostile(h.script(EHLO=answers, STARTTLS=upgrade(wrong))) as server:
        smtp = settings(server.port, STARTTLS, username=USER, ca_file=world.ca_file)
        one = post(smtp)
        one.add("k")
        for words in ("is for another name", _MISSING, _MISSING):
            assert_parked(one)
            assert isinstance(one.fault, TlsError)
            assert words in str(one.fault)
            one.clock.now += MINUTE
        hold = one.outbox.hold()
        assert hold is not None
        assert hold.cause is Cause.ACCOUNT
        assert server.connections == 3
        assert one.courier.smtp == smtp
        assert_nothing_left(server, PASSWORD)
