"""Parsing of lines that arrive: here while they are few, in a process of its own while they are many. And their pace.

One thread (``vx-store``). Beside a thread that parses at full speed the window would stutter, since one interpreter
runs both.
"""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.events import Category, Severity
from vxtray.core.sources import Batch
from vxtray.core.store import Position

if TYPE_CHECKING:
    from vxtray.core.parsers.worker import Job, Parsed, ParseWorker

log = logging.getLogger(__name__)

#: From this backlog on, or from so many lines a second, the process parses; it ends when not needed for so long.
_BACKLOG = 4_000
_BUSY = 2_500
_IDLE_SECONDS = 20.0

#: Storing takes this share of the time at most, and rests no longer than this: each transaction is synced, and a flow
#: of a few lines a second would otherwise keep a third of a processor busy with tiny ones.
_SHARE, _MOST_REST = 0.05, 0.5
#: What was not taken earlier may be taken at once, up to so many seconds.
_CREDIT_SECONDS = 1.0
#: What alerts are about at first: it is stored and told at once. All else may wait for others of its kind.
_URGENT = frozenset({Category.WAF, Category.BAN})


class LiveParser:
    """Ask ``beside`` for each chunk: False means ``parse``, True ``submit`` and later ``collect``, by turns."""

    def __init__(self) -> None:
        self._worker: ParseWorker | None = None
        self._used = 0.0
        self._rate = 0.0  # lines a second, over about the last one
        self._rated_at = time.monotonic()

    def beside(self, lines: int, *, waiting: int) -> bool:
        """Return whether the process is to parse a chunk of so many lines; until it has started, it is not."""
        now = time.monotonic()
        self._rate = self._rate * math.exp(self._rated_at - now) + lines
        self._rated_at = now
        return (self._rate >= _BUSY or waiting >= _BACKLOG) and self._is_ready()

    def _is_ready(self) -> bool:
        try:
            if self._worker is None:
                from vxtray.core.parsers.worker import ParseWorker

                self._worker = ParseWorker()
                self._used = time.monotonic()
            return self._worker.started()
        except (OSError, EOFError):
            self._lost()
            return False

    def parse(self, jobs: "Sequence[Job]") -> "list[Parsed]":
        """Parse in this thread."""
        from vxtray.core.parsers.worker import parse_job

        return [parse_job(job) for job in jobs]

    def submit(self, jobs: "Sequence[Job]") -> None:
        """Hand jobs to the process; where it is gone, ``collect`` parses here."""
        if self._worker is None:
            return
        try:
            self._worker.submit(jobs)
            self._used = time.monotonic()
        except OSError:
            self._lost()

    def collect(self, jobs: "Sequence[Job]") -> "list[Parsed]":
        """Wait for what the same jobs, submitted before, came to."""
        if self._worker is not None:
            try:
                return self._worker.collect()
            except (OSError, EOFError, msgspec.MsgspecError):
                self._lost()
        return self.parse(jobs)

    def _lost(self) -> None:
        log.warning("the parser process cannot be used; lines are parsed in the program itself")
        self.close()

    def rest(self) -> None:
        """End the process where it was not needed for a while."""
        if self._worker is not None and time.monotonic() - self._used > _IDLE_SECONDS:
            self.close()

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


class Share:
    """A share of a thread's time that some work may take: what was not taken is kept, and what was too much is rested.

    ``credit`` is what is kept at most, and there at the beginning; ``most`` is the longest rest. All in seconds.
    """

    def __init__(self, share: float = _SHARE, credit: float = _CREDIT_SECONDS, most: float = _MOST_REST) -> None:
        self._share, self._most_credit, self._most = share, credit, most
        self._credit = credit
        self._at = time.monotonic()

    def took(self, seconds: float) -> None:
        """Work that ends now took so long."""
        self._credit = max(self._now() - seconds, -self._share * self._most)

    def pause(self) -> float:
        """Return after how many seconds more may be done."""
        return max(0.0, -self._now() / self._share)

    def _now(self) -> float:
        now = time.monotonic()
        self._credit = min(self._most_credit, self._credit + self._share * (now - self._at))
        self._at = now
        return self._credit


def urgent(batches: "Sequence[Batch]", parsed: "Sequence[Parsed]") -> bool:
    """Return whether somebody may be waiting for one of the events."""
    return any(
        event.category in _URGENT or event.severity is Severity.CRITICAL
        for batch, result in zip(batches, parsed, strict=True)
        if batch.alerts
        for event in result.events
    )


def joined(chunk: list[Batch], parsed: "list[Parsed]") -> "Iterator[tuple[list[Batch], list[Parsed]]]":
    """Join neighbours that may share a transaction: of one file, or without positions, with the same say on alerts."""
    batches: list[Batch] = []
    results: list[Parsed] = []
    for batch, result in zip(chunk, parsed, strict=True):
        if batches and _key(batches[-1]) != _key(batch):
            yield batches, results
            batches, results = [], []
        batches.append(batch)
        results.append(result)
    if batches:
        yield batches, results


def last_position(batches: list[Batch]) -> Position | None:
    """Return the last position, with the marks of all."""
    last = batches[-1].position
    if last is None or not any(batch.position.marks for batch in batches if batch.position):
        return last
    before = [batch.position for batch in batches if batch.position]
    return msgspec.structs.replace(
        last,
        marks=tuple(mark for one in before for mark in one.marks),
        outdated=tuple(limit for one in before for limit in one.outdated),
    )


def line_of(batches: list[Batch], results: "list[Parsed]", event: int) -> str:
    """Return the line of one of their events, counted over all of them."""
    for batch, result in zip(batches, results, strict=True):
        if event < len(result.events):
            return batch.lines[result.line_of(event)].decode("utf-8", "replace")
        event -= len(result.events)
    raise IndexError


def _key(batch: Batch) -> tuple[str, bool]:
    return (batch.position.key if batch.position else ""), batch.alerts
