"""P12: whatever a mail server does, it costs little memory and time, and a person can end it within a second."""

import contextlib
import re
import resource
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.test_every_case import GROUPS
from tests.core.mail.office import Post
from tests.core.mail.wire import PASSWORD, USER, settings
from tests.faults.cases import held
from tests.faults.promises import Measured, Run, promise
from vxtray.core.errors import VxtrayError
from vxtray.core.settings.tree import Security

MOST_BYTES = 8 * 1024 * 1024
MOST_CANCEL = 1.0
CATALOGUE = Path(__file__).resolve().parents[1] / "core" / "mail" / "catalogue"
_LINE = b"250-" + b"x" * 1000 + b"\r\n"


def _flood(words: bytes) -> Callable[[h.Talk], None]:
    def answer(talk: h.Talk) -> None:
        while not talk.server.over.is_set():
            talk.say(words)

    return answer


#: Servers that give as much as is taken, by where they do.
GREEDY: dict[str, dict[str, Callable[[h.Talk], None]]] = {
    "endless greeting line": {"greeting": _flood(b"x" * 65536)},
    "endless greeting lines": {"greeting": _flood(b"220-" + b"x" * 500 + b"\r\n")},
    "endless EHLO": {"EHLO": _flood(_LINE * 60)},
    "endless sign-in challenges": {"AUTH": _flood(b"334 " + b"QUJD" * 16000 + b"\r\n")},
    "endless reply to MAIL": {"MAIL": _flood(_LINE * 60)},
    "endless reply to RCPT": {"RCPT": _flood(b"250-x\r\n" * 5000)},
    "endless reply to DATA": {"DATA": _flood(b"354-" + b"x" * 900 + b"\r\n")},
}
#: Set by the server that stands still.
_STANDING = threading.Event()


def _still(talk: h.Talk) -> None:
    _STANDING.set()
    h.hang(talk)


#: Where a server may stand still, and what it says before.
STILL: dict[str, dict[str, Callable[[h.Talk], None]]] = {
    "greeting": {"greeting": _still},
    "EHLO": {"EHLO": _still},
    "AUTH": {"AUTH": _still},
    "password": {"AUTH": lambda talk: (talk.say(h.PROMPT_USER), _still(talk))[1]},
    "MAIL": {"MAIL": _still},
    "RCPT": {"RCPT": _still},
    "DATA": {"DATA": _still},
    "final dot": {"DATA": lambda talk: (talk.say(b"354 go\r\n"), talk.until(b"\r\n.\r\n"), _still(talk))[2]},
}


@promise(
    "P12",
    "hostile mail servers",
    "161 cases: each has its test and holds; a server costs at most 8 MiB and 20 min; an end by hand at most 1 s",
)
def p12(run: Run) -> Measured:
    wanted = {f"{group}{number:02}" for group, count in GROUPS.items() for number in range(1, count + 1)}
    text = "\n".join(path.read_text("utf-8") for path in CATALOGUE.glob("test_*.py") if path.stem != "test_every_case")
    there = {found.upper() for found in re.findall(r"(?:test_|_|\")([a-z]\d\d)(?=[_\"( :])", text, re.IGNORECASE)}
    assert wanted <= there, f"no test for {sorted(wanted - there)}"
    costs = {name: _cost(run, answers) for name, answers in GREEDY.items()}
    ends = {name: _end(run, answers) for name, answers in STILL.items()}
    tests = held(run, [str(CATALOGUE)], "-p", "no:rerunfailures") if run.full else None
    most, slowest, last = (
        max(one for one, _ in costs.values()),
        max(one for _, one in costs.values()),
        max(ends.values()),
    )
    words = (
        f"{len(wanted)} cases with a test" + (f", {tests['passed']} of their tests passed" if tests else "")
        + f"; at most {most / 1024:.0f} KiB and {slowest:.1f} s of {len(costs)} servers that flood;"
        f" an end by hand after at most {last:.2f} s at {len(ends)} points"
    )  # fmt: skip
    detail = {"bytes and seconds": costs, "ends": ends, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
    good = most <= MOST_BYTES and last <= MOST_CANCEL and slowest <= 1200
    return Measured(words, count=len(wanted), unit="cases", ok=good, detail=detail)


@contextlib.contextmanager
def _sending(
    run: Run, answers: dict[str, Callable[[h.Talk], None]], seconds: float
) -> Iterator[tuple[Post, h.Hostile]]:
    with run.room("post") as folder, h.hostile(h.script(**answers)) as server:
        post = Post(folder, settings(server.port, Security.NONE, username=USER, timeout_seconds=seconds), PASSWORD)
        post.add("k")
        try:
            yield post, server
        finally:
            server.over.set()
            post.close()


def _cost(run: Run, answers: dict[str, Callable[[h.Talk], None]]) -> tuple[int, float]:
    """Return the most memory (bytes) that Python's allocator gave out meanwhile, and the seconds of the attempt."""
    with _sending(run, answers, 5) as (post, _server):
        tracemalloc.start()
        began = time.monotonic()
        try:
            assert post.send() == [("k", "queued")]
            seconds = time.monotonic() - began
            _now, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    return most, round(seconds, 2)


def _sent_or_ended(post: Post) -> None:
    with contextlib.suppress(VxtrayError):  # which says that it was ended
        post.send()


def _end(run: Run, answers: dict[str, Callable[[h.Talk], None]]) -> float:
    """Return the seconds from the wish to end until the attempt is over."""
    _STANDING.clear()
    with _sending(run, answers, 60) as (post, server):
        thread = threading.Thread(target=lambda: _sent_or_ended(post))
        thread.start()
        assert _STANDING.wait(20)
        assert server.connections == 1
        began = time.monotonic()
        post.courier.cut_off(in_doubt=True)
        thread.join(30)
        assert not thread.is_alive()
        return round(time.monotonic() - began, 3)
