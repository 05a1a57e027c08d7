"""Log files into the event store, each line once. Any thread or process; the caller owns the store's one writer.

How far a file has been read is remembered by its fingerprint in the same transaction as the events, so whatever is
interrupted goes on where it stopped, and a file that comes again, grown, renamed or compressed, gives only what is new.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from vxtray.core.errors import LogFileError
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import Outcome
from vxtray.core.parsers.worker import line_of
from vxtray.core.sources.bulk import Done, Job, Parsing, outcome_of, zone_name
from vxtray.core.sources.logfile import STDIN, Block, LogFile, Record, assembled, open_log
from vxtray.core.store import Position, Rows
from vxtray.core.store.committing import LineOf
from vxtray.core.store.rows import pack

#: Records that are parsed together; then progress is told and a wish to stop is heard.
CHUNK = 2000
#: Records that are stored in one transaction where processes parse; otherwise each chunk is one.
_TRANSACTION = 20_000
#: Records from which on processes of their own parse.
_WORTH_HELP = 4000


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

    def append_packed(
        self, blocks: Sequence[Rows], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """The same for events that were packed in another process."""

    def position(self, key: str) -> int:
        """Return the remembered offset, 0 for none."""


class _Chunk(msgspec.Struct):
    """Records that are parsed and stored together; ``end`` is where to go on after them, -1 where that is not known.

    A last record that may only be half written is a chunk of its own, ``open``.
    """

    path: str
    texts: list[str] = []
    raw: list[bytes] = []  # lines that need no more than to be parsed, instead of texts
    given: Sequence[str | bytes] = ()  # either, where alerts may want to show them
    lines: list[int] = []
    cut: list[int] = []
    end: int = -1
    open: bool = False

    def takes(self, piece: Record | Block) -> bool:
        """Return whether that may be added."""
        if isinstance(piece, Block):
            return not self.texts
        return not self.raw and not self.open and (piece.ended or not self.texts)

    def add(self, piece: Record | Block) -> Block | None:
        """Add as much as there is room for; return the rest."""
        if isinstance(piece, Block):
            part, rest = piece.split(CHUNK - len(self.raw))
            self.raw += part.lines
            self.lines += range(part.line, part.line + len(part.lines))
            self.end = part.end
            return rest
        if piece.cut:
            self.cut.append(len(self.texts))
        self.texts.append(piece.text)
        self.lines.append(piece.line)
        self.end = piece.end if piece.settled else -1
        self.open = not piece.ended
        return None


class _Import:
    """One run over several files: this thread reads and stores, processes parse where there is much to read."""

    def __init__(
        self,
        store: Remembers,
        *,
        log_format: str,
        zone: tzinfo,
        alerts: bool,
        lines: Callable[[LineOf], None] | None,
        rejected: Callable[[str, int, str], None] | None,
    ) -> None:
        self._store = store
        self._format = log_format
        self._zone_name = zone_name(zone)
        self._alerts = alerts
        self._on_lines = lines if alerts else None
        self._on_rejected = rejected
        self._parsing = Parsing(zone)
        self._chunks: deque[_Chunk] = deque()
        self._kept: list[tuple[Done, Sequence[str | bytes]]] = []
        self._kept_records = self._settled = 0
        self._position: Position | None = None
        self._read = 0
        self.stored = self.duplicates = self.ignored = self.rejected = 0
        self.by_format: dict[str, int] = {}

    def close(self) -> None:
        """End the processes."""
        self._parsing.close()

    def take(self, log: LogFile, tell: Callable[[], bool]) -> bool:
        """Read one file to its end; ``tell`` is asked now and then whether to stop. Return whether it was."""
        key = log.keys()[0]
        start = remembered(self._store, log)
        stop, fault, untold = False, None, 0
        try:
            for chunk in self._chunked(log, start):
                untold += len(chunk.lines)
                if untold >= CHUNK:
                    stop, untold = tell(), 0
                if chunk.lines:
                    self._feed(chunk, key)
                if stop and chunk.end >= 0:
                    break
        except LogFileError as error:  # damaged in the middle: what came before is kept
            fault = error
        self._settle(self._parsing.rest(), key)
        self._store_kept()
        self._kept = []
        self.duplicates += log.skipped
        if fault is not None:
            raise fault
        return stop

    def _chunked(self, log: LogFile, start: int) -> Iterator[_Chunk]:
        chunk = _Chunk(log.path)
        try:
            for piece in self._unread(log, start):
                rest: Record | Block | None = piece
                while rest is not None:
                    if not chunk.takes(rest):
                        yield chunk
                        chunk = _Chunk(log.path)
                    rest = chunk.add(rest)
                    if len(chunk.lines) >= CHUNK:
                        yield chunk
                        chunk = _Chunk(log.path)
        except LogFileError:
            yield chunk
            raise
        yield chunk

    def _unread(self, log: LogFile, start: int) -> Iterator[Record | Block]:
        """Yield what lies behind ``start``, and count what lies before it."""
        if not log.spans_lines():
            yield from assembled(log.pieces(start))
            return
        # Lines are passed over quickly; records must be put together to be counted.
        begin = 0
        for record in assembled(log.records()):
            if begin < start:
                self.duplicates += 1
                begin = record.end if record.settled else begin
            else:
                yield record

    def _feed(self, chunk: _Chunk, key: str) -> None:
        self._read += len(chunk.lines)
        if self._read >= _WORTH_HELP:
            self._parsing.help()
        self._chunks.append(chunk)
        block = b"\n".join(chunk.raw) if chunk.raw else None
        job = Job(chunk.texts, chunk.cut, self._format, self._zone_name, not self._alerts, block)
        if self._on_lines:
            chunk.given = chunk.raw or chunk.texts
        chunk.raw, chunk.texts = [], []  # the job has them
        self._settle(self._parsing.feed(job), key)

    def _settle(self, results: list[Done], key: str) -> None:
        """Count what was parsed, and store it as far as reading may start again behind it."""
        for done in results:
            chunk = self._chunks.popleft()
            self.ignored += done.ignored
            self.rejected += len(done.rejected)
            if self._on_rejected:
                for index, reason in done.rejected:
                    self._on_rejected(chunk.path, chunk.lines[index], reason)
            self._kept.append((done, chunk.given))
            self._kept_records += len(chunk.lines)
            if chunk.end >= 0 and not (chunk.open and done.rejected):
                self._settled, self._position = len(self._kept), Position(key=key, offset=chunk.end)
            if self._kept_records >= (_TRANSACTION if done.rows else CHUNK):
                self._store_kept()

    def _store_kept(self) -> None:
        """Store the results behind which reading may start again."""
        kept, self._kept = self._kept[: self._settled], self._kept[self._settled :]
        position, self._position = self._position, None
        self._settled = self._kept_records = 0
        if position is None:
            return
        if any(done.rows for done, _ in kept):
            rows = [done.rows or pack(done.events) for done, _ in kept]
            self._store.append_packed(rows, position=position, alerts=self._alerts)
        else:
            if self._on_lines:
                self._on_lines(partial(_line_of, kept))
            events = [event for done, _ in kept for event in done.events]
            self._store.append(events, position=position, alerts=self._alerts)
        for done, _ in kept:
            self.stored += done.stored
            for source, count in done.by_format.items():
                self.by_format[source] = self.by_format.get(source, 0) + count


def _line_of(kept: Sequence[tuple[Done, Sequence[str | bytes]]], event: int) -> str:
    """Return the line of one of their events, counted over all of them."""
    for done, given in kept:
        if event < len(done.events):
            found = given[line_of(event, done.uneven)]
            return found if isinstance(found, str) else found.decode("utf-8", "replace")
        event -= len(done.events)
    raise IndexError


def remembered(store: Remembers, log: LogFile) -> int:
    """Return the offset up to which a file has been read in any state of its growth, 0 for a new one."""
    return next((offset for offset in map(store.position, log.keys()) if offset), 0)


def import_files(
    paths: Sequence[str | Path],
    store: Remembers,
    *,
    format: str = "auto",  # noqa: A002 - the command line's own word
    zone: tzinfo,
    alerts: bool = False,
    lines: Callable[[LineOf], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
    stdin: BinaryIO | None = None,
    rejected: Callable[[str, int, str], None] | None = None,
) -> ImportResult:
    """Read files into the store, each line once.

    ``format`` and ``zone`` as for ``parsers.parse``; ``alerts`` lets old lines raise alerts, and ``lines`` then gets
    before each batch what knows the lines of its events. ``progress`` gets bytes done and in all (0 when not known) of
    the files on disk; ``rejected`` gets path, line number and the reason as an English message id. ``stop`` ends it
    early; what was read is kept.

    Raises ``LogFileError`` before anything is read where one of the files cannot be opened, and in the middle where
    one turns out to be damaged (what came before is kept); ``StoreError`` from the store.
    """
    began = time.monotonic()
    total = sum(_size(path) for path in paths)
    run = _Import(store, log_format=format, zone=zone, alerts=alerts, lines=lines, rejected=rejected)
    done = 0
    stopped = False
    with contextlib.closing(run):
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
            yield record.line, outcome_of(record.text, format, zone, cut=record.cut)
