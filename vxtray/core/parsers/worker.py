"""Processes that parse beside the program, so that work on many lines neither holds up the window nor the store.

A ``Child`` belongs to one thread. It ends when its pipe ends, so it never outlives the program, and it holds none of
its files. ``ParseWorker`` is the one for lines that arrive; ``sources.bulk`` has its own for whole files.
"""

import gc
import logging
import multiprocessing
import queue
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import tzinfo
from functools import cache
from multiprocessing.connection import Connection
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from vxtray.core.errors import N_
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import Ignored, Outcome, Rejected, parse

log = logging.getLogger(__name__)

_STOP_SECONDS = 2.0
_SAMPLES = 5
_SAMPLE_LENGTH = 300


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """Outcomes taken together; ``rejected`` holds index and reason (message id) of each line that was.

    ``uneven`` says of each line that did not make exactly one event its index and how many it made, by turns.
    """

    events: list[SecurityEvent]
    ignored: int
    rejected: list[tuple[int, str]]
    uneven: list[int]


class Job(msgspec.Struct, frozen=True, array_like=True):
    """Lines to parse, all of one source; ``zone`` is an IANA name."""

    lines: list[bytes]
    format: str
    zone: str


class Parsed(msgspec.Struct, frozen=True, array_like=True):
    """What became of them. ``rejected`` counts by reason (message id); ``samples`` are a few such lines.

    ``uneven`` is that of ``Counted`` as native 32-bit numbers, so that it costs next to nothing on its way from the
    child.
    """

    events: list[SecurityEvent]
    ignored: int
    rejected: dict[str, int]
    samples: list[tuple[str, str]]
    uneven: bytes = b""

    def line_of(self, event: int) -> int:
        """Return the index of the line that an event, counted from 0, was made of."""
        return line_of(event, memoryview(self.uneven).cast("I"))


def line_of(event: int, uneven: Sequence[int]) -> int:
    """Return the index of the line that an event, counted from 0, was made of; ``uneven`` as in ``Counted``."""
    more = 0  # events than lines, so far
    for index, count in zip(uneven[::2], uneven[1::2], strict=True):
        if event < index + more:
            break
        if event < index + more + count:
            return index
        more += count - 1
    return event - more


@cache
def zone_of(name: str) -> tzinfo:
    """Return the zone of a job."""
    return ZoneInfo(name)


def counted(outcomes: Iterable[Outcome]) -> Counted:
    """Take outcomes together."""
    events: list[SecurityEvent] = []
    ignored = 0
    rejected: list[tuple[int, str]] = []
    uneven: list[int] = []
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, SecurityEvent):
            events.append(outcome)
            continue
        made = 0
        if isinstance(outcome, tuple):
            events += outcome
            made = len(outcome)
        elif isinstance(outcome, Ignored):
            ignored += 1
        elif isinstance(outcome, Rejected):
            rejected.append((index, outcome.reason))
        uneven += (index, made)
    return Counted(events, ignored, rejected, uneven)


def parse_lines(lines: Iterable[bytes], log_format: str, zone: tzinfo) -> Counted:
    """Parse lines, each of which is a record, in this process; one that a parser fails on is a rejected one."""
    return counted(_outcomes(lines, log_format, zone))


def _outcomes(lines: Iterable[bytes], log_format: str, zone: tzinfo) -> Iterator[Outcome]:
    told = False
    for line in lines:
        try:
            outcome = parse(line.decode("utf-8", "replace"), format=log_format, zone=zone)
        except Exception:  # a fault of ours, which must not keep all other lines from their store
            if not told:
                log.exception("a line could not be parsed")
            told = True
            outcome = Rejected(N_("vxtray failed on this line"))
        yield outcome


def parse_job(job: Job) -> Parsed:
    """Parse lines in this process."""
    found = parse_lines(job.lines, job.format, zone_of(job.zone))
    rejected: dict[str, int] = {}
    for _index, reason in found.rejected:
        rejected[reason] = rejected.get(reason, 0) + 1
    samples = [
        (reason, job.lines[index].decode("utf-8", "replace")[:_SAMPLE_LENGTH])
        for index, reason in found.rejected[:_SAMPLES]
    ]
    return Parsed(found.events, found.ignored, rejected, samples, array("I", found.uneven).tobytes())


class Child:
    """One process, which answers messages in the order in which they were sent."""

    def __init__(self, answer: Callable[[bytes], bytes], name: str) -> None:
        """Begin to start it; ``answer`` is a function of a module. Raises ``OSError``."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, answer), name=name, daemon=True)
        self._process.start()
        theirs.close()
        self._started = False

    def started(self) -> bool:
        """Return whether it has started. Raises ``OSError`` or ``EOFError`` where it is gone."""
        if not self._started and self.pipe.poll():
            self._await_start()
        return self._started

    def send(self, message: bytes) -> None:
        """Hand over a message. Raises ``OSError`` where the child is gone."""
        self.pipe.send_bytes(message)

    def receive(self) -> bytes:
        """Wait for the answer to the oldest message. Raises ``OSError`` or ``EOFError`` where the child is gone."""
        if not self._started:
            self._await_start()
        return self.pipe.recv_bytes()

    def hang_up(self) -> None:
        """Let it know that nothing follows; it ends then."""
        self.pipe.close()

    def close(self) -> None:
        """End it."""
        self.hang_up()
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(_STOP_SECONDS)

    def _await_start(self) -> None:
        self.pipe.recv_bytes()
        self._started = True


class ParseWorker(Child):
    """One child process; ``submit`` and ``collect`` go by turns, so that the caller works while the child parses."""

    def __init__(self) -> None:
        super().__init__(_answer, "vxtray-parser")

    def submit(self, jobs: Sequence[Job]) -> None:
        """Hand over lines. Raises ``OSError`` where the child is gone."""
        self.send(msgspec.msgpack.encode(jobs))

    def collect(self) -> list[Parsed]:
        """Wait for what was submitted. Raises ``OSError`` or ``EOFError`` where the child is gone."""
        return msgspec.msgpack.decode(self.receive(), type=list[Parsed])


# --- in the child -----------------------------------------------------------------------------------------------------


def _answer(message: bytes) -> bytes:
    return msgspec.msgpack.encode([parse_job(job) for job in msgspec.msgpack.decode(message, type=list[Job])])


def _serve(pipe: "Connection[Any, Any]", answer: Callable[[bytes], bytes]) -> None:
    """Say that it has started, then answer each message until the pipe ends."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which then closes the pipe
    gc.freeze()
    gc.disable()  # parsing makes no cycles
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    answers.put(b"ready")
    threading.Thread(target=_receive, args=(pipe, messages), daemon=True).start()
    threading.Thread(target=_send, args=(pipe, answers), daemon=True).start()
    while message := messages.get():
        answers.put(answer(message))


def _receive(pipe: "Connection[Any, Any]", messages: "queue.SimpleQueue[bytes]") -> None:
    """Take messages at once, so that parent and child never wait for each other to read; empty is the end."""
    try:
        while True:
            messages.put(pipe.recv_bytes())
    except (EOFError, OSError):
        messages.put(b"")


def _send(pipe: "Connection[Any, Any]", answers: "queue.SimpleQueue[bytes]") -> None:
    """Send answers while the next one is made: the parent takes none while it stores."""
    try:
        while True:
            pipe.send_bytes(answers.get())
    except OSError:
        return
