"""Many records parsed at once: in this process, or in processes of their own beside the one that reads and stores.

A ``ParserPool`` belongs to one thread. Its children hand back rows that are ready for the store.
"""

import logging
import os
from collections import deque
from datetime import UTC, timezone, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import TOO_LONG, TOO_LONG_RECORD, Outcome, parse
from vxtray.core.parsers.worker import Child, counted, parse_lines, zone_of
from vxtray.core.store import Rows
from vxtray.core.store.rows import pack

log = logging.getLogger(__name__)

#: More do not help: one process reads and stores.
_MOST_CHILDREN = 2
#: Chunks under way, for each child; enough that none waits for the one that stores.
_DEPTH = 8


class Job(msgspec.Struct, frozen=True, array_like=True):
    """Records to parse, all of one file; ``cut`` are the indexes of those that were too long, ``zone`` an IANA name.

    ``packed`` asks for rows (``store.rows.pack``) instead of events. ``block`` holds lines instead, each of which is a
    record, with line feeds between them.
    """

    texts: list[str]
    cut: list[int]
    format: str
    zone: str
    packed: bool = True
    block: bytes | None = None


class Done(msgspec.Struct, frozen=True, array_like=True):
    """What became of them: as many events as ``stored``, in ``rows`` or in ``events``.

    ``rejected`` holds index and reason (message id), ``by_format`` the events of each log family; ``uneven`` is that of
    ``worker.Counted`` where there are events.
    """

    stored: int
    rows: Rows | None
    events: list[SecurityEvent]
    ignored: int
    rejected: list[tuple[int, str]]
    by_format: dict[str, int]
    uneven: list[int]


def outcome_of(text: str, log_format: str, zone: tzinfo, *, cut: bool) -> Outcome:
    """Return what becomes of a record; ``cut`` says that it was too long and ``text`` is its beginning."""
    if cut:
        return TOO_LONG_RECORD if "\n" in text or text.startswith("{") else TOO_LONG
    return parse(text, format=log_format, zone=zone)


def parse_job(job: Job, zone: tzinfo) -> Done:
    """Parse records in this process."""
    if job.block is not None:
        found = parse_lines(job.block.split(b"\n"), job.format, zone)
    else:
        cut = set(job.cut)
        found = counted(outcome_of(text, job.format, zone, cut=index in cut) for index, text in enumerate(job.texts))
    events = found.events
    by_format: dict[str, int] = {}
    for event in events:
        by_format[event.source] = by_format.get(event.source, 0) + 1
    rows = pack(events) if job.packed else None
    given, uneven = ([], []) if job.packed else (events, found.uneven)
    return Done(len(events), rows, given, found.ignored, found.rejected, by_format, uneven)


def zone_name(zone: tzinfo) -> str:
    """Return the name by which another process knows a zone, "" for one that has none."""
    if isinstance(zone, ZoneInfo):
        return zone.key or ""
    return "UTC" if isinstance(zone, timezone) and zone is UTC else ""


def children_wanted() -> int:
    """Return how many processes can be of use here; 0 where there is only one processor."""
    processors = os.cpu_count() or 1
    return min(processors, _MOST_CHILDREN) if processors > 1 else 0


class ParserPool:
    """Processes that take jobs by turns and give the results in the order of the jobs.

    Not everything can be submitted at once: while ``full``, ``collect`` comes first. Every fault is an ``OSError`` or
    an ``EOFError``, also what a child that has gone wrong may answer; the pool is of no more use then.
    """

    def __init__(self) -> None:
        """Begin to start the children; see ``ready``. Raises ``OSError``."""
        self._children: list[Child] = []
        self._waiting: deque[Child] = deque()
        self._turn = 0
        try:
            for number in range(children_wanted()):
                self._children.append(Child(_answer, f"vxtray-import-{number}"))
        except OSError:
            self.close()
            raise

    def ready(self) -> bool:
        """Return whether the children have started; before that, parsing here is the quicker way."""
        return bool(self._children) and all(child.started() for child in self._children)

    @property
    def full(self) -> bool:
        """True where enough jobs are under way."""
        return len(self._waiting) >= _DEPTH * len(self._children)

    @property
    def pending(self) -> bool:
        """True where a result is still to come."""
        return bool(self._waiting)

    def submit(self, job: Job) -> None:
        """Hand over a job."""
        child = self._children[self._turn % len(self._children)]
        self._turn += 1
        child.send(msgspec.msgpack.encode(job))
        self._waiting.append(child)

    def collect(self) -> Done:
        """Wait for the oldest job that was submitted."""
        answer = self._waiting.popleft().receive()
        try:
            return msgspec.msgpack.decode(answer, type=Done)
        except msgspec.MsgspecError as error:
            raise EOFError from error

    def close(self) -> None:
        """End the children."""
        for child in self._children:
            child.hang_up()
        for child in self._children:
            child.close()
        self._children = []


class Parsing:
    """Jobs in, results out, in order: by a pool where there is one, and here where that is not ready or fails."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._pool: ParserPool | None = None
        self._beyond_help = not zone_name(zone) or children_wanted() == 0
        self._jobs: deque[Job] = deque()

    def help(self) -> None:
        """Start the pool: there is much to do."""
        if self._pool is None and not self._beyond_help:
            try:
                self._pool = ParserPool()
            except OSError as error:
                self._fail(error)

    def feed(self, job: Job) -> list[Done]:
        """Take a job; return the results that are there now, oldest first."""
        done = []
        ready = self._pool is not None and self._is_ready(self._pool)
        while self._pool is not None and self._pool.full:
            done.append(self._oldest(self._pool))
        self._jobs.append(job)
        if self._pool is None or not ready:
            return done + self.rest()
        try:
            self._pool.submit(job)
        except OSError as error:
            self._fail(error)
        return done

    def rest(self) -> list[Done]:
        """Return all results that are missing."""
        done = []
        while self._jobs:
            if self._pool is not None and self._pool.pending:
                done.append(self._oldest(self._pool))
            else:
                done.append(self._parse_here())
        return done

    def close(self) -> None:
        """End the pool."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _is_ready(self, pool: ParserPool) -> bool:
        try:
            return pool.ready()
        except (OSError, EOFError) as error:
            self._fail(error)
            return False

    def _oldest(self, pool: ParserPool) -> Done:
        try:
            done = pool.collect()
        except (OSError, EOFError) as error:
            self._fail(error)
            return self._parse_here()
        self._jobs.popleft()
        return done

    def _parse_here(self) -> Done:
        return parse_job(msgspec.structs.replace(self._jobs.popleft(), packed=False), self._zone)

    def _fail(self, error: Exception) -> None:
        log.warning("the parser processes cannot be used; records are parsed in the program itself: %r", error)
        self._beyond_help = True
        self.close()


def _answer(message: bytes) -> bytes:
    """Answer a message in a child."""
    job = msgspec.msgpack.decode(message, type=Job)
    return msgspec.msgpack.encode(parse_job(job, zone_of(job.zone)))
