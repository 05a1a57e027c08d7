"""Follows log files as they grow, through every way of rotating them. On the thread that calls ``run``.

A file is known by its content (``known``), not by its name, so whatever was renamed, copied or compressed is read
once; a name only says where to look. After a rotation the rest of the old file comes first: it is held open, or, where
the program was off or slow, found beside the new one. Positions travel with the lines and are committed together; the
marker ``follow:<path>`` says since when a path is followed, which tells new files from old ones nobody asked for.
"""

import glob
import os
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from vxtray.core.errors import LogFileError
from vxtray.core.parsers.records import MAX_RECORD
from vxtray.core.settings.tree import LogFile as FileSettings
from vxtray.core.sources import Batch, Emit, Health
from vxtray.core.sources.known import FileId, Identity, Known, beside, following_key, packed_key, sizes, unpacked_size
from vxtray.core.sources.logfile import STDIN, LogFile, assembled, open_log
from vxtray.core.sources.reach import Reach, explained, is_missing, too_many, unmatched
from vxtray.core.sources.tail import Tail
from vxtray.core.store import Position

_POLL = 0.25
#: How often it is looked after nothing was written for so many seconds: each look wakes the computer.
_QUIET_POLL, _QUIET_SECONDS = 0.5, 30.0
_RETRY = 0.05
#: A file to which no path leads any more is read for so long after its last line: its writer may not know yet.
_LINGER = 60.0
#: Files of one pattern that are followed.
_MOST_FILES = 256
#: A file that appears and was last written so long before is old: it was moved here, and raises no alert.
_OLD_SECONDS = 60.0
#: Seconds for which a rotation may move files about, so that a look may miss one.
_SETTLED = 5.0
_UNPACKED_BATCH = 1000
_MOST_PASSED = 4096


class _Stopped(Exception):
    """The source is told to end."""


class FileSource:
    """One path or pattern; ``name`` is it. ``positions`` returns the committed offset of a key, 0 for none."""

    def __init__(self, settings: FileSettings, positions: Callable[[str], int]) -> None:
        self.name = settings.path
        self._settings = settings
        self._path = os.path.expanduser(settings.path)  # noqa: PTH111 - it may be a pattern
        self._positions = positions
        self._known = Known(positions)
        self._tails: dict[FileId, Tail] = {}
        self._passed: dict[FileId, tuple[int, int]] = {}  # nothing to read as long as size and time stay
        self._rotating: dict[str, float] = {}  # until when it is looked beside these paths
        self._present: set[FileId] = set()
        self._paths: set[str] = set()
        self._dropped: Counter[str] = Counter()
        self._reach = Reach(pattern=glob.has_magic(self._path))
        self._since = 0  # ns; what was last written before is not ours
        self._starting = True
        self._skip_present = False
        self._stood: dict[FileId, int] = {}  # the sizes that "now" begins behind
        self._looked = time.time()
        self._emit: Emit = lambda _batch: False
        self._stop = threading.Event()

    def health(self) -> Health:
        """Return the present fault (a message id with ``{path}``, of the path ``where``) and the counts.

        ``truncated`` counts files that were cut while lines in them were unread, of which no copy was found.
        """
        fault, where = self._reach.fault()
        return Health(dropped=dict(self._dropped), fault=fault, where=where, trouble=self._reach.trouble())

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Follow until ``stop`` is set."""
        try:
            self.begin(emit, stop)
            while not stop.wait(self._pause()):
                self.look()
        except _Stopped:
            return
        finally:
            self.close()

    def _pause(self) -> float:
        grown = max((tail.grown for tail in self._tails.values()), default=0.0)
        quiet = not self._rotating and time.monotonic() - grown > _QUIET_SECONDS
        return _QUIET_POLL if quiet else _POLL

    def begin(self, emit: Emit, stop: threading.Event) -> None:
        """Take up where the last run ended, or begin as the settings say. Part of ``run``."""
        self._emit, self._stop = emit, stop
        # "Now" is before the store is asked, which takes seconds where it is just being opened.
        now = time.time_ns()
        if self._settings.start == "now":
            self._stood = sizes(self._path)
        marker = following_key(self.name)
        self._since = self._positions(marker)
        first = not self._since
        self._since = self._since or now
        self._skip_present = first and self._settings.start == "now"
        if first and not self._skip_present:
            self._hand_on([], Position(key=marker, offset=self._since), alerts=False)
        if not first:
            self._catch_up(self._path)
        self.look()
        if self._skip_present:  # only now: before, a crash would turn "now" into "from the beginning"
            self._hand_on([], Position(key=marker, offset=self._since), alerts=False)
        self._skip_present = self._starting = False

    def close(self) -> None:
        """Close all files. Part of ``run``."""
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()

    # --- one round ---------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look once at all files and read what is new. Part of ``run``."""
        now, wall = time.monotonic(), time.time()
        found = self._find()
        reached = {(status.st_dev, status.st_ino): path for path, status in found}
        vanished = (self._paths - set(reached.values())).union(self._reach.unreachable)
        self._present, self._paths = set(reached), set(reached.values())
        for ident, tail in self._tails.items():
            tail.path = reached.get(ident, tail.path)
            tail.retired = 0.0 if ident in reached else tail.retired or now
        for tail in sorted(self._tails.values(), key=lambda one: not one.retired):  # old parts before new ones
            self._read(tail)
        self._rotating = {path: until for path, until in self._rotating.items() if until > now}
        for path in sorted(vanished.union(self._rotating)):
            self._catch_up(path)
        for path, status in found:
            if not self._is_dealt_with(status):
                if not self._starting or len(found) == 1:
                    self._rotating[path] = now + _SETTLED
                self._catch_up(path)
                self._adopt(path, status)
        for tail in list(self._tails.values()):
            if tail.retired and now - max(tail.retired, tail.grown) > _LINGER:
                self._end(tail)
        self._looked = wall

    def _find(self) -> list[tuple[str, os.stat_result]]:
        """Return the files there are, those written last at the end; note what cannot be reached."""
        literal = not glob.has_magic(self._path) or os.path.lexists(self._path)
        paths = [self._path] if literal else sorted(glob.glob(self._path, recursive=True))  # noqa: PTH207 - any text
        found: list[tuple[str, os.stat_result]] = []
        faults: dict[str, LogFileError] = {}
        for path in paths:
            try:
                status = os.stat(path)  # noqa: PTH116 - the name as it was given
            except OSError as error:
                told = explained(path, error)
                if literal or not is_missing(told):
                    faults[path] = told
                continue
            if literal or stat.S_ISREG(status.st_mode):
                found.append((path, status))
        if not paths:
            faults[self._path] = unmatched(self._path)
        if len(found) > _MOST_FILES:
            faults[self._path] = too_many(self._path)
        found.sort(key=lambda one: one[1].st_mtime_ns)
        self._reach.looked(faults, paths, found=bool(found))
        return found[-_MOST_FILES:]

    def _is_dealt_with(self, status: os.stat_result) -> bool:
        ident = (status.st_dev, status.st_ino)
        return ident in self._tails or self._passed.get(ident) == (status.st_size, status.st_mtime_ns)

    # --- beginning with a file, and ending ---------------------------------------------------------------------------

    def _adopt(self, path: str, status: os.stat_result, *, unknown: bool = True) -> tuple[str, ...]:
        """Begin to read a file, or pass it by where there is nothing to read in it; return its keys.

        ``unknown`` is false for a file that is read only where it was begun before.
        """
        if self._is_dealt_with(status):
            return ()
        old = self._starting or status.st_mtime < self._looked - _OLD_SECONDS
        try:
            tail = Tail(path, backlog=old)
        except (OSError, LogFileError) as error:
            self._reach.refused(path, error)
            return ()
        if tail.id != (status.st_dev, status.st_ino):  # another one by now; the next round sees to both
            tail.close()
            return ()
        if self._skip_present:
            tail.backlog_end = self._old_part(tail, status)
        self._tails[tail.id] = tail
        tail.wanted = unknown
        self._read(tail)
        return tail.identity.keys if tail.identity else ()

    def _old_part(self, tail: Tail, status: os.stat_result) -> int:
        """Return the offset in a file behind which "now" begins."""
        size, stood = tail.size(), self._stood.get(tail.id)
        if stood is None:  # it came since; one that is old was moved here
            return size if status.st_mtime < self._looked - _OLD_SECONDS else 0
        return stood if stood <= size else 0  # what became shorter was written anew

    def _pass_by(self, tail: Tail) -> None:
        """Leave a file alone until it changes."""
        if len(self._passed) >= _MOST_PASSED:
            self._passed.clear()
        status = os.fstat(tail.fd)
        self._passed[tail.id] = (status.st_size, status.st_mtime_ns)
        self._drop(tail)

    def _drop(self, tail: Tail) -> None:
        self._tails.pop(tail.id, None)
        tail.close()

    def _end(self, tail: Tail) -> None:
        """Let go of a file that left its path long ago; what it ends with is not going to be completed."""
        self._read(tail)
        if self._tails.get(tail.id) is tail:
            for portion in tail.finish():
                self._keep(tail, portion.records, portion.end, alerts=tail.at > tail.backlog_end)
            self._pass_by(tail)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, tail: Tail) -> None:
        """Read what a file holds by now; a fault is told, and the file taken up again in the next round."""
        try:
            if tail.identity is None and tail.is_packed:
                self._unpack(tail)
            elif tail.identity is not None or self._identify(tail):
                self._read_on(tail)
        except OSError as error:
            self._reach.refused(tail.path, error)
            self._drop(tail)
        except LogFileError as error:
            self._reach.refused(tail.path, error)
            self._pass_by(tail)

    def _read_on(self, tail: Tail) -> None:
        self._reach.readable(tail.path)
        size = tail.size()
        if size == tail.at and not tail.touched():
            return
        while True:
            block = tail.read(size)
            # Only after reading it can be said that what was read is still of the same file.
            if size < tail.at or not tail.is_same():
                self._cut(tail)
                return
            if not block:
                return
            alerts, tail.grown = tail.at >= tail.backlog_end, time.monotonic()
            for portion in tail.take(block):
                self._keep(tail, portion.records, portion.end, alerts=alerts)
            if self._stop.is_set():
                raise _Stopped

    def _identify(self, tail: Tail) -> bool:
        """Find out which content it is and from where to read; false where that is open, or nothing is to be read."""
        if tail.touched() and tail.id in self._present:  # it may have been filled and emptied since the last look
            self._catch_up(tail.path, copies=True)
        keys = tail.keys()
        if not keys:
            return False
        size = tail.size()
        identity = self._known.find(keys)
        if identity is not None and identity.holder is not None and (holder := self._tails.get(identity.holder)):
            self._read(holder)  # now it is ahead of its copies
            identity = self._known.find(keys)
            if identity is not None and identity.holder == holder.id:
                if size <= holder.size():
                    self._pass_by(tail)
                    return False
                self._pass_by(holder)  # itself an older copy
        if identity is None and not tail.wanted:
            self._pass_by(tail)
            return False
        offset = identity.offset if identity else 0
        if self._skip_present:
            offset = tail.last_line_end(min(size, tail.backlog_end))
        elif offset > size:  # the end is gone, or it is a copy of a younger state
            offset = tail.last_line_end(size)
        mine = Identity(keys, offset)
        self._known.add(mine)
        tail.begin(mine)
        if offset:  # it may be known by another of its keys only
            self._keep(tail, [], offset, alerts=False)
        return True

    def _unpack(self, tail: Tail) -> None:
        """Read a compressed file as far as it was not read before, and close it."""
        size = tail.size()
        key, stated = packed_key(tail.fd, size), unpacked_size(tail.fd, size)
        if not self._positions(key):
            # Not by its path, which may lead to another file by now.
            with tail.stream() as raw, open_log(STDIN, raw) as log:
                identity = self._known.find(log.keys())
                if identity is not None and identity.holder in self._tails:
                    self._drop(tail)  # until that one is done with
                    return
                if identity is not None or tail.wanted:
                    mine = tail.identity = Identity(log.keys(), identity.offset if identity else 0)
                    self._known.add(mine)
                    if not mine.offset or stated != mine.offset % 2**32:
                        self._unpack_from(tail, mine.offset, log, skip=self._skip_present)
                    self._hand_on([], Position(key=key, offset=1), alerts=False)
        self._reach.readable(tail.path)
        self._pass_by(tail)

    def _unpack_from(self, tail: Tail, start: int, log: LogFile, *, skip: bool) -> None:
        records: list[bytes] = []
        ready, end, last, live = 0, start, start, not tail.backlog_end
        try:
            for record in assembled(log.records(start)):
                if not skip:
                    text = record.text.ljust(MAX_RECORD + 1) if record.cut else record.text
                    records.append(text.encode("utf-8", "replace"))
                last = record.end
                if record.settled:
                    ready, end = len(records), last
                if ready >= _UNPACKED_BATCH:
                    self._keep(tail, records[:ready], end, alerts=live)
                    records, ready = records[ready:], 0
                if self._stop.is_set():
                    raise _Stopped
        except LogFileError:  # damaged: what came before is kept
            self._keep(tail, records[:ready], end, alerts=live)
            raise
        if last > start:
            self._keep(tail, records, last, alerts=live)

    # --- rotation ----------------------------------------------------------------------------------------------------

    def _cut(self, tail: Tail) -> None:
        """Begin again with a file that was truncated or written anew; what was unread may stand in a copy of it."""
        former, unread = tail.identity, tail.unread
        tail.forget()
        self._passed.clear()
        self._rotating[tail.path] = time.monotonic() + _SETTLED
        found = self._catch_up(tail.path, copies=True)
        if former is not None and unread and found.isdisjoint(former.keys):
            self._dropped["truncated"] += 1
        if self._tails.get(tail.id) is tail:
            self._read(tail)

    def _catch_up(self, path: str, *, copies: bool = False) -> set[str]:
        """Read what lies beside a path and was written since it is followed; return the keys of all that.

        ``copies`` may also be among the files that the pattern itself finds.
        """
        found: set[str] = set()
        for other, status in beside(path):
            present = (status.st_dev, status.st_ino) in self._present
            if self._is_dealt_with(status) or (present and not copies):
                continue
            found.update(self._adopt(other, status, unknown=status.st_mtime_ns > self._since))
        for tail in self._tails.values():
            if tail.id not in self._present:
                tail.retired = tail.retired or time.monotonic()
        return found

    # --- handing on --------------------------------------------------------------------------------------------------

    def _keep(self, tail: Tail, records: Sequence[bytes], end: int, *, alerts: bool = True) -> None:
        """Hand on records of a file with the position behind them."""
        identity = tail.identity
        if identity is None:
            return
        key, former = identity.keys[0], identity.kept
        self._hand_on(records, Position(key=key, offset=end), alerts=alerts)
        identity.offset, identity.kept = end, key
        if key != former:
            self._known.add(identity)
            if former:  # or another file that begins alike would be taken for this one
                self._hand_on([], Position(key=former, offset=0), alerts=False)

    def _hand_on(self, records: Sequence[bytes], position: Position, *, alerts: bool) -> None:
        """Emit a batch, and wait while there is no room for it."""
        batch = Batch(
            source=self.name,
            lines=tuple(records),
            received=datetime.now(UTC),
            position=position,
            alerts=alerts,
            format=self._settings.format,
            zone=self._settings.zone,
        )
        while not self._stop.is_set():
            if self._emit(batch):
                return
            self._stop.wait(_RETRY)
        raise _Stopped
