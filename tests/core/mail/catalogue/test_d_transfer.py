"""D17 to D21 of the catalogue: what a server does from DATA to the final dot."""

import select
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import (
    Case,
    Ends,
    World,
    assert_arrives_as_queued,
    assert_ends,
    in_clear,
    numbered,
    over_tls,
    run,
)
from tests.core.mail.office import Post
from tests.core.mail.wire import TLS, settings
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import ConnectError, MessageRefused, ProtocolError
from vxtray.core.mail.message import Attachment

#: More than the buffers between two programs take.
BIG = (Attachment("events.csv", "text/csv", bytes(4_000_000)),)
EHLO = b"250-mail.test\r\n250 AUTH LOGIN\r\n"
_EARLY = "answered before the mail was complete, so it was not sent"
_MISPLACED = "gave an answer that does not belong here"


def at_data(answer: Any, **changes: Any) -> Case:
    """DATA, and what follows, goes so; the mail is never whole."""
    return replace(Case(serve=in_clear(DATA=answer, EHLO=EHLO), ends=Ends.RETRY, stage="data"), **changes)


def big(answer: Callable[[h.Talk], None], **changes: Any) -> Case:
    """While the mail is being sent, this happens; the server's system takes little of it."""
    usual = at_data(answer, attachments=BIG, window=4096, fault=ConnectError)
    return replace(usual, limits=Limits(block=0.5, command=9), **changes)


def after_a_while(reply: bytes, then: Callable[[h.Talk], None]) -> Callable[[h.Talk], None]:
    def act(talk: h.Talk) -> None:
        talk.say(b"354 go on\r\n")
        talk.hear()
        talk.say(reply)
        then(talk)

    return act


def stop_reading(talk: h.Talk) -> None:
    talk.server.over.wait(30)


def ghost(talk: h.Talk) -> None:
    talk.say(b"354 go on\r\n250 2.0.0 ghost\r\n")
    h.hang(talk)


_REFUSED: dict[str, Any] = {"fault": MessageRefused}
_SPAM = b"554 5.7.1 this looks like spam\r\n"
_TOO_BIG = b"552 5.3.4 message too big\r\n"
_BUSY = b"451 4.3.0 local error in processing\r\n"

CASES = [
    ("D17 451", at_data(b"451 4.9.9 not now\r\n", ends=Ends.LATER, says="cannot take this right now")),
    ("D17 452", at_data(b"452 4.9.9 not now\r\n", ends=Ends.LATER, advises="tries again by itself")),
    ("D17 452 full", at_data(b"452 4.3.1 no space left\r\n", says="has no room left", **_REFUSED)),
    ("D17 554", at_data(b"554 5.5.1 no valid recipients\r\n", ends=Ends.FAIL, says="accepted none of the recipients")),
    ("D18", at_data(b"250 2.0.0 ok\r\n", says=_MISPLACED, fault=ProtocolError, never=(b"Subject", b"RSET", b"QUIT"))),
    ("D18 220", at_data(b"220 2.0.0 ok\r\n", says=_MISPLACED, fault=ProtocolError, never=(b"Subject", b"RSET"))),
    ("D19", at_data(ghost, says=_EARLY, fault=ProtocolError, never=(b"Subject", b"\r\n.\r\n", b"RSET", b"QUIT"))),
    ("D20 goes on reading", big(after_a_while(_SPAM, h.hang), ends=Ends.FAIL, says="takes this mail for spam")),
    ("D20 stops reading", big(after_a_while(_SPAM, stop_reading), ends=Ends.FAIL, says="takes this mail for spam")),
    ("D20 leaves", big(after_a_while(_SPAM, h.close), ends=Ends.FAIL, says="takes this mail for spam")),
    ("D20 4xx", replace(big(after_a_while(_BUSY, stop_reading), says="problem of its own"), **_REFUSED)),
    ("D20 421", replace(big(after_a_while(b"421 4.3.2 bye\r\n", h.close), says="too busy"), **_REFUSED)),
    ("D20 an early yes", replace(big(after_a_while(b"250 ok\r\n", h.hang), says=_EARLY), fault=ProtocolError)),
    ("D21", big(after_a_while(b"", stop_reading), says="took too long to answer", never=(b"\r\n.\r\n",))),
]


@numbered(CASES)
def test_transfer(case: Case, world: World, post: Callable[..., Post]) -> None:
    began = time.monotonic()
    one, server = run(case, world, post)
    assert time.monotonic() - began < 8
    assert b"\r\n.\r\n" not in server.heard
    if case.ends in {Ends.RETRY, Ends.LATER}:
        assert_arrives_as_queued(one)


@pytest.mark.parametrize("number", ["D20 stops reading", "D20 leaves", "D21"], ids=lambda number: f"{number} over TLS")
def test_transfer_over_tls(number: str, world: World, post: Callable[..., Post]) -> None:
    plain = dict(CASES)[number]
    context = world.tls()
    answers: dict[str, Any] = {"EHLO": EHLO, "DATA": _AT_DATA[number]}
    case = replace(plain, serve=over_tls(lambda _world: context, **answers), security=TLS)
    run(case, world, post)


_AT_DATA = {
    "D20 stops reading": after_a_while(_SPAM, stop_reading),
    "D20 leaves": after_a_while(_SPAM, h.close),
    "D21": after_a_while(b"", stop_reading),
}


def test_d19_a_ghost_while_the_disk_is_written_to_is_no_delivery(world: World, post: Callable[..., Post]) -> None:
    """Between the last line and the dot stands a write to the disk; what is said meanwhile answers nothing."""
    said = threading.Event()

    def ghost_at_the_end(talk: h.Talk) -> None:
        talk.say(b"354 go on\r\n")
        talk.until(b"Good morning\r\n")
        talk.say(b"250 2.0.0 ghost\r\n")
        said.set()
        h.hang(talk)

    case = at_data(ghost_at_the_end, says=_EARLY, fault=ProtocolError)
    with h.hostile(case.serve(world)) as server:
        one = post(settings(server.port))
        record = one.outbox.dot_follows

        def slowly(*about: Any) -> None:
            record(*about)
            assert said.wait(5)
            session = one.courier._session
            assert session is not None
            assert select.select([session.connection.stream._socket], [], [], 5)[0]

        one.courier._dot_follows = slowly
        one.add("k")
        assert_ends(one, server, case)
        assert b"\r\n.\r\n" not in server.heard
        assert one.outbox.entry(1)[2][-1]["outcome"] == "server"
        assert one.outbox.recover() == 0, "nothing is in doubt"


def test_d20_a_refusal_over_a_used_connection_is_not_tried_again_at_once(post: Callable[..., Post]) -> None:
    answers: list[h.Answer] = [h.take_mail(), after_a_while(_SPAM, h.close), h.take_mail()]
    with h.hostile(h.script(DATA=answers, EHLO=EHLO), window=4096) as server:
        one = post(settings(server.port))
        one.add("j")
        one.add("k", attachments=BIG)
        assert one.send() == [("j", "sent"), ("k", "failed")]
        assert server.connections == 1


def test_d21_three_minutes_for_a_block() -> None:
    """RFC 5321 4.5.3.2.5."""
    assert Limits().block == 180
    assert Limits.of(settings(1, timeout_seconds=1)).block == 180
