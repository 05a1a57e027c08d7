"""From lines to stored events: the bounded queue behind the sources, and the one thread that writes the store.

``vx-source-<name>`` threads read; ``vx-store`` parses (a backlog in a process of its own), commits, then raises alerts.
A full queue makes a source that can read again wait, and one that cannot count what it drops.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.errors import N_, VxtrayError
from vxtray.core.events import SecurityEvent
from vxtray.core.health import SourceHealth, Tally
from vxtray.core.live import LiveParser, Share, joined, last_position, line_of, urgent
from vxtray.core.sources import LOST, Batch, Health, Source, Wanted
from vxtray.core.sources.stopping import StopEvent
from vxtray.core.store import EventStore, Position
from vxtray.core.store.committing import Committed, LineOf, Steady
from vxtray.core.supervision import Worker, Workers

if TYPE_CHECKING:
    from vxtray.core.parsers.worker import Job, Parsed  # heavy: loaded with the first line

log = logging.getLogger(__name__)

#: Lines that may wait; at 740 bytes a line about 75 MB.
MOST_WAITING = 100_000

#: Lines in one transaction, and the least time between two where fewer wait.
_CHUNK = 5_000
_LEAST_REST = 0.02
#: Without lines, the thread looks up this often.
_QUIET_SECONDS = 20.0
_RETRY_SECONDS = 1.0
_STOP_SECONDS = 10.0


class _Run:
    """A source with its thread; ``fault`` says that it ended or had ended before its last start."""

    def __init__(self, wanted: Wanted, began: datetime) -> None:
        self.wanted = wanted
        self.name = wanted.name
        self.began = began
        self.stop = StopEvent()
        self.source: Source | None = None
        self.thread: threading.Thread | None = None
        self.fault = False
        self.trying = False  # from its start to its fault: its thread lives a moment longer than that
        self.lost: tuple[Source | None, int] = (None, 0)  # which source's lines were told as lost, and how many

    @property
    def alive(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class Intake:
    """Queue, store thread and source threads; ``failed`` is told what went wrong, and None when it is over.

    Times are those of ``clock``; within ``steady`` the store does not become another one.
    """

    def __init__(
        self,
        store: Callable[[], EventStore],
        committed: Committed,
        failed: Callable[[str, VxtrayError | None], None],
        zone: Callable[[], str],
        clock: Callable[[], datetime],
        workers: Workers | None = None,
        steady: Steady = nullcontext,
    ) -> None:
        self._steady = steady
        self._workers = workers or Workers(failed)
        self._store = store
        self._committed = committed
        self._failed = failed
        self._zone = zone
        self._clock = clock
        self._waiting: deque[Batch] = deque()
        self._in_hand: deque[Batch] = deque()  # taken from there and not yet stored; the store's thread only
        self._lines = 0
        self._given_up: Counter[str] = Counter()  # lines that waited when the time to end was over, by source
        self._batches: Counter[str] = Counter()  # not yet stored, by source
        self._change = threading.Condition()
        self._telling = threading.Lock()  # what is told of a source, and what it is doing, change together
        self._stopping = False
        self._last_run = threading.Event()  # the same, for the worker
        self._parser = LiveParser()
        self._usual, self._hasty = Share(), Share()  # of this thread's time, for what is urgent and what is not
        self._stored_at = 0.0
        self._tallies: dict[str, Tally] = {}
        self._runs: dict[str, _Run] = {}
        self._ending: list[_Run] = []
        self._worker: Worker | None = None

    # --- sources -----------------------------------------------------------------------------------------------------

    def start(self, first: Callable[[], None] = lambda: None) -> None:
        """Begin to take lines; ``first`` is called on the store's thread before anything is stored."""
        self._worker = self._workers.begin("vx-store", partial(self._loop, first), self._last_run)

    def run(self, sources: Iterable[Wanted]) -> None:
        """Run exactly these sources: end those that are not among them or changed, and start those that are new.

        Does not wait. What is new begins when what ends has ended and its lines are stored, so that it finds ports free
        and positions up to date. One caller at a time.
        """
        wanted = {source.name: source for source in sources}
        for name, run in list(self._runs.items()):
            if name not in wanted or wanted[name].config != run.wanted.config:
                self._end(run)
                if name not in wanted and run.wanted.marker:
                    self._forget(run)
        self._ending = [run for run in self._ending if run.alive or self._batches[run.name]]
        for name, source in wanted.items():
            if name not in self._runs:
                self._runs[name] = run = _Run(source, self._clock())
                self._begin(run, list(self._ending))

    def look_after(self) -> None:
        """Start again what ended with a fault, and tell what keeps others from their work; called now and then."""
        for run in list(self._runs.values()):
            if run.fault and not run.trying and not run.stop.is_set():
                self._begin(run, [])
            elif run.trying:
                self._tell(run)

    def _tell(self, run: _Run) -> None:
        trouble = run.source.health().trouble if run.source else None
        with self._telling:
            if run.trying and not run.stop.is_set():  # it may have ended meanwhile, and that was told
                run.fault = False
                self._failed(f"source:{run.name}", trouble)

    def lost(self) -> dict[str, int]:
        """Return how many lines each source has lost since the last call; one caller at a time."""
        found: Counter[str] = Counter()
        for run in [*self._runs.values(), *self._ending]:
            if (source := run.source) is not None:
                total = sum(count for reason, count in source.health().dropped.items() if reason in LOST)
                found[run.name] += total - (run.lost[1] if run.lost[0] is source else 0)
                run.lost = source, total
        found.update(self._given_up)
        self._given_up.clear()
        return dict(found)

    def _begin(self, run: _Run, before: list[_Run]) -> None:
        run.trying = True
        run.thread = threading.Thread(
            target=self._run_source, args=(run, before), name=f"vx-source-{run.name}"[:60], daemon=True
        )
        run.thread.start()

    def _run_source(self, run: _Run, before: list[_Run]) -> None:
        for earlier in before:
            if earlier.thread is not None:
                earlier.thread.join()
        with self._change:
            self._change.wait_for(lambda: run.stop.is_set() or not any(self._batches[one.name] for one in before))
        if run.stop.is_set():
            return
        try:
            run.source = run.wanted.make()
            run.source.run(self.emit, run.stop)
            if not run.stop.is_set():
                raise VxtrayError(N_("The source {name} stopped: {reason}."), name=run.name, reason=N_("it ended"))
        except VxtrayError as error:
            self._ended_with(run, error)
        except Exception as error:
            log.exception("the source %s met an unknown fault", run.name)
            fault = VxtrayError(N_("The source {name} stopped: {reason}."), name=run.name, reason=error)
            self._ended_with(run, fault)

    def _ended_with(self, run: _Run, error: VxtrayError) -> None:
        with self._telling:
            run.trying = False
            run.fault = True
            if not run.stop.is_set():  # or nobody wants it any more
                self._failed(f"source:{run.name}", error)

    def _end(self, run: _Run) -> None:
        del self._runs[run.name]
        self._ending.append(run)
        with self._telling:
            run.stop.set()
            self._failed(f"source:{run.name}", None)
        with self._change:
            self._change.notify_all()

    def _forget(self, run: _Run) -> None:
        """Once it has ended, forget since when it runs: where it is wanted again, it begins anew."""
        with self._change:
            self._batches[run.name] += 1  # whoever follows waits for it

        def forget() -> None:
            if run.thread is not None:
                run.thread.join()
            position = Position(key=run.wanted.marker, offset=0)
            batch = Batch(source=run.name, lines=(), received=self._clock(), position=position, alerts=False)
            with self._change:
                self._waiting.append(batch)
                self._change.notify_all()

        threading.Thread(target=forget, name=f"vx-forget-{run.name}"[:60], daemon=True).start()

    def emit(self, batch: Batch) -> bool:
        """Queue a batch; False where too many lines wait already."""
        with self._change:
            if self._stopping or self._lines + len(batch.lines) > MOST_WAITING:
                return False
            self._waiting.append(batch)
            self._lines += len(batch.lines)
            self._batches[batch.source] += 1
            self._change.notify_all()
        return True

    def health(self) -> list[SourceHealth]:
        """Return what is known of each source that should run."""
        found = []
        for run in list(self._runs.values()):
            own = run.source.health() if run.source else Health()
            tally = self._tallies.get(run.name) or Tally()
            counted = tally.health(run.name, running=run.alive, began=run.began)
            told = {"dropped": own.dropped, "fault": own.fault, "where": own.where, "trouble": own.trouble}
            found.append(msgspec.structs.replace(counted, **told))
        return found

    def idle(self) -> bool:
        """Return whether nothing waits and nothing is being stored."""
        with self._change:
            return not self._batches.total()

    def stop(self) -> None:
        """End the sources, store what waits, and end."""
        for run in list(self._runs.values()):
            self._end(run)
        until = time.monotonic() + _STOP_SECONDS
        for run in self._ending:
            if run.thread is not None:
                run.thread.join(max(0.0, until - time.monotonic()))
        with self._change:
            self._stopping = True
            self._change.notify_all()
        self._last_run.set()
        if self._worker is not None:
            self._worker.join(_STOP_SECONDS)
            if self._worker.is_alive():  # it still uses the parser, which ends with us
                self._give_up()
                return
        self._parser.close()

    def _give_up(self) -> None:
        """Count what waits and cannot be read again, for there is no time left to store it."""
        with self._change:
            for batch in self._waiting:
                if batch.position is None:
                    self._given_up[batch.source] += len(batch.lines)
            self._waiting.clear()
        if self._given_up:
            log.warning("%d lines could not be stored before the end", self._given_up.total())

    # --- the store's thread ------------------------------------------------------------------------------------------

    def _loop(self, first: Callable[[], None]) -> None:
        try:
            first()
        except VxtrayError as error:  # storing fails as well, and that is told
            log.info("the store could not be put in order: %s", error)
        self._parser.close()  # an answer that nobody took would be taken for the next one
        with self._change:  # what was in hand when an unknown fault ended the last run of this
            self._waiting.extendleft(reversed(self._in_hand))
            self._in_hand.clear()
        while (chunk := self._take()) is not None:
            if self._many(chunk):
                self._process_beside(chunk)
            else:
                self._process(chunk)
            self._parser.rest()

    def _take(self) -> list[Batch] | None:
        """Return what waits, up to a chunk; nothing after a while without lines; None when it is time to end."""
        with self._change:
            if not self._waiting and not self._stopping:
                self._change.wait(_QUIET_SECONDS)
            return None if self._stopping and not self._waiting else self._cut()

    def _cut(self) -> list[Batch]:
        chunk, lines = [], 0
        while self._waiting and lines < _CHUNK:
            chunk.append(self._waiting.popleft())
            lines += len(chunk[-1].lines)
        self._in_hand.extend(chunk)
        return chunk

    def _process(self, chunk: list[Batch]) -> None:
        """Parse and store a chunk, and what comes while it is too early to store."""
        parsed = fresh = self._parser.parse(self._jobs(chunk))
        share, more, many = self._usual, chunk, False
        while True:
            if share is self._usual and urgent(more, fresh):
                share = self._hasty
            rest = max(share.pause(), self._stored_at + _LEAST_REST - time.monotonic())
            if rest <= 0 or many or self._last_run.wait(min(rest, _LEAST_REST)):
                break
            with self._change:
                more = self._cut()
            many = self._many(more) or self._lines >= _CHUNK
            fresh = self._parser.parse(self._jobs(more))
            chunk, parsed = chunk + more, parsed + fresh
        self._keep(chunk, parsed, share)

    def _many(self, chunk: list[Batch]) -> bool:
        """Return whether lines come so fast that a process is to parse them."""
        return self._parser.beside(sum(len(batch.lines) for batch in chunk), waiting=self._lines)

    def _process_beside(self, chunk: list[Batch]) -> None:
        """The same with much to do: the next chunk is parsed in a process while this one is stored."""
        jobs = self._jobs(chunk)
        self._parser.submit(jobs)
        while chunk:
            parsed = self._parser.collect(jobs)
            with self._change:
                following = self._cut()
            if following:
                jobs = self._jobs(following)
                self._parser.submit(jobs)
            self._keep(chunk, parsed, self._usual)
            chunk = following
        if self._lines < _CHUNK:
            self._last_run.wait(max(_LEAST_REST, self._usual.pause()))

    def _jobs(self, chunk: list[Batch]) -> "list[Job]":
        from vxtray.core.parsers.worker import Job

        return [Job(list(batch.lines), batch.format, batch.zone or self._zone()) for batch in chunk]

    def _keep(self, chunk: list[Batch], parsed: "list[Parsed]", share: Share) -> None:
        """Store what was parsed, in as few transactions as positions allow; lines are never given up for a fault."""
        began = time.monotonic()
        for batches, results in joined(chunk, parsed):
            events = [event for result in results for event in result.events]
            position = last_position(batches)
            if events or position is not None:
                self._commit(events, position, alerts=batches[-1].alerts, lines=partial(line_of, batches, results))
            for batch, result in zip(batches, results, strict=True):
                self._in_hand.popleft()
                self._tallies.setdefault(batch.source, Tally()).add(batch, result)
            with self._change:
                self._lines -= sum(len(batch.lines) for batch in batches)
                self._batches.subtract(batch.source for batch in batches)
                self._change.notify_all()
        self._stored_at = time.monotonic()
        share.took(self._stored_at - began)

    def _commit(
        self, events: list[SecurityEvent], position: Position | None, *, alerts: bool, lines: LineOf | None = None
    ) -> None:
        while not self._kept(events, position, alerts, lines):
            with self._change:
                if self._change.wait_for(lambda: self._stopping, _RETRY_SECONDS):
                    log.warning("%d events could not be stored before the end", len(events))
                    return

    def _kept(self, events: list[SecurityEvent], position: Position | None, alerts: bool, lines: LineOf | None) -> bool:
        """Store a batch and raise its alerts, both with the same store; False where it cannot be stored now."""
        with self._steady():
            if (first := self._append(events, position, alerts=alerts)) is not None:
                self._raise_alerts(first, events, alerts, lines)
        return first is not None

    def _raise_alerts(self, first: int, events: list[SecurityEvent], alerts: bool, lines: LineOf | None) -> None:
        self._failed("store", None)
        try:
            self._committed(first, events, alerts, lines)
            self._failed("alerts", None)
        except VxtrayError as error:  # the cursor stands where it stood, so the alerts are raised later
            self._failed("alerts", error)
        except Exception as error:
            log.exception("alerts met an unknown fault")
            self._failed("alerts", VxtrayError(N_("Alerts could not be raised: {reason}."), reason=error))

    def _append(self, events: list[SecurityEvent], position: Position | None, *, alerts: bool) -> int | None:
        """Store a batch and return its first seq, None where it cannot be stored now."""
        try:
            return self._store().append(events, position=position, alerts=alerts)[0]
        except VxtrayError as error:
            self._failed("store", error)
        except Exception as error:
            log.exception("the store met an unknown fault")
            self._failed("store", VxtrayError(N_("Events could not be stored: {reason}."), reason=error))
        return None
