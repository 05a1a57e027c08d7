"""From lines to stored events: the bounded queue behind the sources, and the one thread that writes the store.

``vx-source-<name>`` threads read; ``vx-store`` parses (a backlog in a process of its own), commits, then raises alerts.
A full queue makes a source that can read again wait, and one that cannot count what it drops.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from vxtray.core.errors import N_, VxtrayError
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers.worker import Job, Parsed, ParseWorker, parse_job
from vxtray.core.sources import Batch, Health, Source, Wanted
from vxtray.core.store import EventStore, Position

log = logging.getLogger(__name__)

#: Lines that may wait; at 740 bytes a line about 75 MB.
MOST_WAITING = 100_000

#: Lines in one transaction, and the least time between two where fewer wait.
_CHUNK = 5_000
_LEAST_PAUSE = 0.02

#: From this backlog on a process parses; it ends when nothing has waited for so long.
_BACKLOG = 4_000
_WORKER_IDLE_SECONDS = 20.0

_RETRY_SECONDS = 1.0
_STOP_SECONDS = 10.0
_RATE_SECONDS = 60.0


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source: ``rate`` in lines a second over the last minute, ``rejected_share`` from 0 to 1."""

    name: str
    running: bool
    last_event: datetime | None
    rate: float
    lines: int
    events: int
    ignored: int
    rejected: int
    rejected_by: dict[str, int]
    samples: tuple[tuple[str, str], ...]
    dropped: dict[str, int]
    fault: str
    where: str


def silent(sources: Iterable[SourceHealth], started: datetime, now: datetime, limit: timedelta) -> dict[str, datetime]:
    """Return what was not heard for longer than ``limit``, and since when.

    The listeners of one receiver (``syslog udp``, ``syslog tcp``) count as one: a sender uses one of them.
    """
    heard: dict[str, datetime] = {}
    for source in sources:
        group = "syslog" if source.name.startswith("syslog ") else source.name
        heard[group] = max(heard.get(group, started), source.last_event or started)
    return {group: last for group, last in heard.items() if now - last > limit}


class _Tally:
    """The counts of one source."""

    def __init__(self) -> None:
        self.last_event: datetime | None = None
        self.lines = self.events = self.ignored = 0
        self.rejected: dict[str, int] = {}
        self.samples: deque[tuple[str, str]] = deque(maxlen=5)
        self._marks: deque[tuple[float, int]] = deque()

    def add(self, batch: Batch, parsed: Parsed) -> None:
        """Count a parsed batch."""
        self.lines += len(batch.lines)
        self.events += len(parsed.events)
        self.ignored += parsed.ignored
        for reason, count in parsed.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        self.samples.extend(parsed.samples)
        if parsed.events:
            self.last_event = batch.received
        now = time.monotonic()
        if self._marks and now - self._marks[-1][0] < 1:
            self._marks[-1] = (self._marks[-1][0], self._marks[-1][1] + len(batch.lines))
        else:
            self._marks.append((now, len(batch.lines)))

    def rate(self) -> float:
        """Return lines a second over the last minute."""
        since = time.monotonic() - _RATE_SECONDS
        while self._marks and self._marks[0][0] < since:
            self._marks.popleft()
        return sum(count for _at, count in self._marks) / _RATE_SECONDS


class _Run(msgspec.Struct):
    """A source with its thread."""

    source: Source
    config: object
    stop: threading.Event
    thread: threading.Thread | None = None


#: Told after a commit: the store, the first seq, the events in order, and whether they may raise alerts.
Committed = Callable[[int, list[SecurityEvent], bool], None]


class CommittingStore:
    """The event store as an importer sees it: after each batch, what hangs on a commit is done."""

    def __init__(self, store: EventStore, committed: Committed) -> None:
        self._store = store
        self._committed = committed

    def append(
        self, events: Sequence[SecurityEvent], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """Store a batch and tell of it."""
        first, last = self._store.append(events, position=position, alerts=alerts)
        self._committed(first, list(events), alerts)
        return first, last

    def position(self, key: str) -> int:
        """Return the offset remembered for a key."""
        return self._store.position(key)


class Intake:
    """Queue, store thread and source threads; ``failed`` is told what went wrong, and None when it is over."""

    def __init__(
        self,
        store: Callable[[], EventStore],
        committed: Committed,
        failed: Callable[[str, VxtrayError | None], None],
        zone: Callable[[], str],
    ) -> None:
        self._store = store
        self._committed = committed
        self._failed = failed
        self._zone = zone
        self._waiting: deque[Batch] = deque()
        self._lines = 0
        self._change = threading.Condition()
        self._stopping = False
        self._worker: ParseWorker | None = None
        self._worker_used = 0.0
        self._tallies: dict[str, _Tally] = {}
        self._runs: dict[str, _Run] = {}
        self._thread: threading.Thread | None = None

    # --- sources -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take lines."""
        self._thread = threading.Thread(target=self._loop, name="vx-store", daemon=True)
        self._thread.start()

    def run(self, sources: Iterable[Wanted]) -> None:
        """Run exactly these sources: end those that are not among them or changed, and start those that are new."""
        wanted = {source.name: source for source in sources}
        for name, run in list(self._runs.items()):
            if name not in wanted or wanted[name].config != run.config:
                self._end(name)
        for name, source in wanted.items():
            if name not in self._runs:
                self._begin(source)

    def _begin(self, wanted: Wanted) -> None:
        run = _Run(wanted.make(), wanted.config, threading.Event())
        run.thread = threading.Thread(
            target=self._run_source, args=(run,), name=f"vx-source-{wanted.name}"[:60], daemon=True
        )
        self._runs[wanted.name] = run
        run.thread.start()

    def _run_source(self, run: _Run) -> None:
        name = run.source.name
        try:
            run.source.run(self.emit, run.stop)
        except VxtrayError as error:
            self._failed(f"source:{name}", error)
        except Exception as error:
            log.exception("the source %s met an unknown fault", name)
            self._failed(
                f"source:{name}", VxtrayError(N_("The source {name} stopped: {reason}."), name=name, reason=error)
            )

    def _end(self, name: str) -> None:
        run = self._runs.pop(name)
        run.stop.set()
        if run.thread is not None:
            run.thread.join(_STOP_SECONDS)
        self._failed(f"source:{name}", None)

    def emit(self, batch: Batch) -> bool:
        """Queue a batch; False where too many lines wait already."""
        with self._change:
            if self._stopping or self._lines + len(batch.lines) > MOST_WAITING:
                return False
            self._waiting.append(batch)
            self._lines += len(batch.lines)
            self._change.notify()
        return True

    def health(self) -> list[SourceHealth]:
        """Return what is known of each source that runs or ran."""
        found = []
        for name, run in list(self._runs.items()):
            tally, own = self._tallies.get(name) or _Tally(), run.source.health()
            found.append(_health(name, run, tally, own))
        return found

    def idle(self) -> bool:
        """Return whether nothing waits and nothing is being stored."""
        with self._change:
            return self._lines == 0

    def stop(self) -> None:
        """End the sources, store what waits, and end."""
        for name in list(self._runs):
            self._end(name)
        with self._change:
            self._stopping = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    # --- the store's thread ------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while (chunk := self._take()) is not None:
            began = time.monotonic()
            self._process(chunk)
            if self._lines < _CHUNK:
                time.sleep(max(0.0, _LEAST_PAUSE - (time.monotonic() - began)))
            self._rest_worker()

    def _take(self) -> list[Batch] | None:
        """Return what waits, up to a chunk; nothing after a while without lines; None when it is time to end."""
        with self._change:
            if not self._waiting and not self._stopping:
                self._change.wait(_WORKER_IDLE_SECONDS)
            return None if self._stopping and not self._waiting else self._cut()

    def _cut(self) -> list[Batch]:
        chunk, lines = [], 0
        while self._waiting and lines < _CHUNK:
            chunk.append(self._waiting.popleft())
            lines += len(chunk[-1].lines)
        return chunk

    def _process(self, chunk: list[Batch]) -> None:
        """Parse and store a chunk; with a backlog, the next one is parsed while this one is stored."""
        if self._lines < _BACKLOG:
            self._keep(chunk, self._parse_here(chunk))
            return
        self._submit(chunk)
        while chunk:
            parsed = self._collect(chunk)
            with self._change:
                following = self._cut()
            if following:
                self._submit(following)
            self._keep(chunk, parsed)
            chunk = following

    def _job(self, batch: Batch) -> Job:
        return Job(list(batch.lines), batch.format, batch.zone or self._zone())

    def _parse_here(self, chunk: list[Batch]) -> list[Parsed]:
        return [parse_job(self._job(batch)) for batch in chunk]

    def _submit(self, chunk: list[Batch]) -> None:
        """Let the process parse a chunk; where it cannot, ``_collect`` parses here."""
        try:
            self._worker = self._worker or ParseWorker()
            self._worker.submit([self._job(batch) for batch in chunk])
            self._worker_used = time.monotonic()
        except OSError:
            log.warning("the parser process cannot be used; lines are parsed in the program itself")
            self._drop_worker()

    def _collect(self, chunk: list[Batch]) -> list[Parsed]:
        if self._worker is not None:
            try:
                return self._worker.collect()
            except (OSError, EOFError, msgspec.MsgspecError):
                log.warning("the parser process ended; its lines are parsed in the program itself")
                self._drop_worker()
        return self._parse_here(chunk)

    def _rest_worker(self) -> None:
        if self._worker is not None and time.monotonic() - self._worker_used > _WORKER_IDLE_SECONDS:
            self._drop_worker()

    def _drop_worker(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _keep(self, chunk: list[Batch], parsed: list[Parsed]) -> None:
        """Store what was parsed, in as few transactions as positions allow; lines are never given up for a fault."""
        for batches, results in _joined(chunk, parsed):
            events = [event for result in results for event in result.events]
            position = batches[-1].position
            if events or position is not None:
                self._commit(events, position, alerts=batches[-1].alerts)
            for batch, result in zip(batches, results, strict=True):
                self._tallies.setdefault(batch.source, _Tally()).add(batch, result)
        with self._change:
            self._lines -= sum(len(batch.lines) for batch in chunk)

    def _commit(self, events: list[SecurityEvent], position: Position | None, *, alerts: bool) -> None:
        first = -1
        while first < 0:
            try:
                first, _last = self._store().append(events, position=position, alerts=alerts)
            except VxtrayError as error:
                self._failed("store", error)
                if self._stopping:
                    log.warning("%d events could not be stored before the end: %s", len(events), error)
                    return
                time.sleep(_RETRY_SECONDS)
        self._failed("store", None)
        try:
            self._committed(first, events, alerts)
            self._failed("alerts", None)
        except VxtrayError as error:  # the cursor stands where it stood, so the alerts are raised later
            self._failed("alerts", error)


def _joined(chunk: list[Batch], parsed: list[Parsed]) -> Iterable[tuple[list[Batch], list[Parsed]]]:
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


def _key(batch: Batch) -> tuple[str, bool]:
    return (batch.position.key if batch.position else ""), batch.alerts


def _health(name: str, run: _Run, tally: _Tally, own: Health) -> SourceHealth:
    return SourceHealth(
        name=name,
        running=run.thread is not None and run.thread.is_alive(),
        last_event=tally.last_event,
        rate=tally.rate(),
        lines=tally.lines,
        events=tally.events,
        ignored=tally.ignored,
        rejected=sum(tally.rejected.values()),
        rejected_by=dict(tally.rejected),
        samples=tuple(tally.samples),
        dropped=own.dropped,
        fault=own.fault,
        where=own.where,
    )
