"""Log files into the event store, each line once. Any thread or process; the caller owns the store's one writer.

How far a file has been read is remembered by its fingerprint in the same transaction as the events, so whatever is
interrupted goes on where it stopped, and a file that comes again, grown, renamed or compressed, gives only what is new.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from vxtray.core.errors import LogFileError
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import TOO_LONG, TOO_LONG_RECORD, Ignored, Outcome, parse
from vxtray.core.sources.logfile import STDIN, LogFile, Record, assembled, open_log
from vxtray.core.store import Position

#: Events in one transaction.
BATCH = 1000
#: Lines after which progress is told and a wish to stop is heard.
_STEP = 2000


class ImportResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did. ``read`` lines are stored + duplicates + ignored + rejected; a record of several lines counts
    as one, and one that holds several events as so many.

    ``duplicates`` are lines that an earlier import has read, ``ignored`` those that were understood and hold no
    security event; ``by_format`` counts the stored events by log family; ``stopped`` says that it was told to stop.
    """

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    ignored: int = 0
    rejected: int = 0
    by_format: dict[str, int] = {}
    seconds: float = 0.0
    stopped: bool = False


class Remembers(Protocol):
    """What an import needs of an ``EventStore``."""

    def append(
        self, events: Sequence[SecurityEvent], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """Store events and position in one transaction."""

    def position(self, key: str) -> int:
        """Return the remembered offset, 0 for none."""


class _Import:
    """One run over several files."""

    def __init__(
        self,
        store: Remembers,
        *,
        log_format: str,
        zone: tzinfo,
        alerts: bool,
        rejected: Callable[[str, int, str], None] | None,
    ) -> None:
        self._store = store
        self._format = log_format
        self._zone = zone
        self._alerts = alerts
        self._on_rejected = rejected
        self._batch: list[SecurityEvent] = []
        self.stored = self.duplicates = self.ignored = self.rejected = 0
        self.by_format: dict[str, int] = {}

    def take(self, log: LogFile, tell: Callable[[], bool]) -> bool:
        """Read one file to its end; ``tell`` is asked now and then whether to stop. Return whether it was."""
        key = log.keys()[0]
        start = remembered(self._store, log)
        begin, offset, settled, stop, fault = 0 if log.spans_lines() else start, start, 0, False, None
        # Lines are passed over quickly; records must be put together to be counted.
        try:
            for count, record in enumerate(assembled(log.records(begin)), 1):
                if begin < start:
                    self.duplicates += 1
                    begin = record.end if record.settled else begin
                    continue
                done = self._line(log.path, record)
                stop = stop or (count % _STEP == 0 and tell())
                if not record.settled:
                    continue
                if not done:
                    break
                offset, settled = record.end, len(self._batch)
                if settled >= BATCH:
                    self._flush(Position(key=key, offset=offset))
                    settled = 0
                if stop:
                    break
        except LogFileError as error:
            # Damaged in the middle: what came before is kept.
            fault = error
            del self._batch[settled:]
        self.duplicates += log.skipped
        if offset != start:
            self._flush(Position(key=key, offset=offset))
        if fault is not None:
            raise fault
        return stop

    def _line(self, path: str, record: Record) -> bool:
        """Count one line; return whether it is done with, false for a last one that may only be half written."""
        outcome = _outcome(record, self._format, self._zone)
        if isinstance(outcome, SecurityEvent):
            self._batch.append(outcome)
        elif isinstance(outcome, tuple):
            self._batch += outcome
        elif isinstance(outcome, Ignored):
            self.ignored += 1
        else:
            self.rejected += 1
            if self._on_rejected:
                self._on_rejected(path, record.line, outcome.reason)
            return record.ended
        return True

    def _flush(self, position: Position) -> None:
        batch, self._batch = self._batch, []
        self._store.append(batch, position=position, alerts=self._alerts)
        self.stored += len(batch)
        for event in batch:
            self.by_format[event.source] = self.by_format.get(event.source, 0) + 1


def remembered(store: Remembers, log: LogFile) -> int:
    """Return the offset up to which a file has been read in any state of its growth, 0 for a new one."""
    return next((offset for offset in map(store.position, log.keys()) if offset), 0)


def _outcome(record: Record, log_format: str, zone: tzinfo) -> Outcome:
    if record.cut:
        return TOO_LONG_RECORD if "\n" in record.text or record.text.startswith("{") else TOO_LONG
    return parse(record.text, format=log_format, zone=zone)


def import_files(
    paths: Sequence[str | Path],
    store: Remembers,
    *,
    format: str = "auto",  # noqa: A002 - the command line's own word
    zone: tzinfo,
    alerts: bool = False,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
    stdin: BinaryIO | None = None,
    rejected: Callable[[str, int, str], None] | None = None,
) -> ImportResult:
    """Read files into the store, each line once.

    ``format`` and ``zone`` as for ``parsers.parse``; ``alerts`` lets old lines raise alerts. ``progress`` gets bytes
    done and in all (0 when not known) of the files on disk; ``rejected`` gets path, line number and the reason as an
    English message id. ``stop`` ends it early; what was read is kept.

    Raises ``LogFileError`` before anything is read where one of the files cannot be opened, and in the middle where
    one turns out to be damaged (what came before is kept); ``StoreError`` from the store.
    """
    began = time.monotonic()
    total = sum(_size(path) for path in paths)
    run = _Import(store, log_format=format, zone=zone, alerts=alerts, rejected=rejected)
    done = 0
    stopped = False
    for path in paths:
        with open_log(path, stdin) as log:

            def tell(log: LogFile = log, done: int = done) -> bool:
                if progress:
                    progress(done + log.consumed, total)
                return stop is not None and stop.is_set()

            stopped = (stop is not None and stop.is_set()) or run.take(log, tell)
            tell()
            done += log.consumed
        if stopped:
            break
    return ImportResult(
        read=run.stored + run.duplicates + run.ignored + run.rejected,
        stored=run.stored,
        duplicates=run.duplicates,
        ignored=run.ignored,
        rejected=run.rejected,
        by_format=run.by_format,
        seconds=time.monotonic() - began,
        stopped=stopped,
    )


def _size(path: str | Path) -> int:
    """Open a file for a moment, so that a wrong name among several is told before anything is read."""
    if str(path) == STDIN or Path(path).is_fifo():  # can be read only once
        return 0
    with open_log(path) as log:
        return log.size


def parse_file(
    path: str | Path,
    *,
    format: str = "auto",  # noqa: A002 - the command line's own word
    zone: tzinfo,
    stdin: BinaryIO | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Yield the number of the first line and the outcome of each record of a file, without any store.

    Raises ``LogFileError``.
    """
    with open_log(path, stdin) as log:
        for record in assembled(log.records()):
            yield record.line, _outcome(record, format, zone)
