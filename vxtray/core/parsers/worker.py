"""A process that parses: many lines at once, beside the program's own interpreter, so that a burst of lines neither
holds up the window nor is held up by the store.

Used when there is a backlog; a few lines are parsed where they are. The child ends when its pipe ends, so it never
outlives the program and never holds the profile's lock.
"""

import multiprocessing
from collections.abc import Sequence
from datetime import tzinfo
from functools import cache
from multiprocessing.connection import Connection
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import Ignored, Rejected, parse

_STOP_SECONDS = 2.0
_SAMPLES = 5
_SAMPLE_LENGTH = 300


class Job(msgspec.Struct, frozen=True, array_like=True):
    """Lines to parse, all of one source; ``zone`` is an IANA name."""

    lines: list[bytes]
    format: str
    zone: str


class Parsed(msgspec.Struct, frozen=True, array_like=True):
    """What became of them. ``rejected`` counts by reason (message id); ``samples`` are a few such lines."""

    events: list[SecurityEvent]
    ignored: int
    rejected: dict[str, int]
    samples: list[tuple[str, str]]


@cache
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


def parse_job(job: Job) -> Parsed:
    """Parse lines in this process."""
    zone = _zone(job.zone)
    events: list[SecurityEvent] = []
    ignored = 0
    rejected: dict[str, int] = {}
    samples: list[tuple[str, str]] = []
    for line in job.lines:
        text = line.decode("utf-8", "replace")
        outcome = parse(text, format=job.format, zone=zone)
        if isinstance(outcome, SecurityEvent):
            events.append(outcome)
        elif isinstance(outcome, tuple):
            events += outcome
        elif isinstance(outcome, Ignored):
            ignored += 1
        elif isinstance(outcome, Rejected):
            rejected[outcome.reason] = rejected.get(outcome.reason, 0) + 1
            if len(samples) < _SAMPLES:
                samples.append((outcome.reason, text[:_SAMPLE_LENGTH]))
    return Parsed(events, ignored, rejected, samples)


class ParseWorker:
    """One child process; ``submit`` and ``collect`` go by turns, so that the caller works while the child parses."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="vxtray-parser", daemon=True)
        self._process.start()
        theirs.close()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Hand over lines. Raises ``OSError`` where the child is gone."""
        self._pipe.send_bytes(msgspec.msgpack.encode(jobs))

    def collect(self) -> list[Parsed]:
        """Wait for what was submitted. Raises ``OSError`` or ``EOFError`` where the child is gone."""
        return msgspec.msgpack.decode(self._pipe.recv_bytes(), type=list[Parsed])

    def close(self) -> None:
        """End the child."""
        self._pipe.close()
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(_STOP_SECONDS)


def _serve(pipe: "Connection[Any, Any]") -> None:
    """Run the child: answer each message until the pipe ends."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which then closes the pipe
    while True:
        try:
            jobs = msgspec.msgpack.decode(pipe.recv_bytes(), type=list[Job])
            pipe.send_bytes(msgspec.msgpack.encode([parse_job(job) for job in jobs]))
        except (EOFError, OSError):
            return
