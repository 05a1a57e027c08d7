"""One growing log file, held open: its records as they become complete. On its source's thread.

Only complete lines are read, and of several lines that make one record (``parsers.records``) only whole records are
handed on, so that reading may start again at every offset that is given out.
"""

import io
import os
import stat
from typing import BinaryIO, NamedTuple

from vxtray.core.errors import N_, LogFileError
from vxtray.core.parsers import MAX_LINE
from vxtray.core.parsers.records import MAX_RECORD, Assembled, Assembler, opens
from vxtray.core.sources.known import Identity
from vxtray.core.sources.logfile import LogFile

#: Bytes of one read.
BLOCK = 256 * 1024
_HEAD = 4096
#: Lines in one portion.
_PORTION = 1000
_BOM = b"\xef\xbb\xbf"
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


class Portion(NamedTuple):
    """Records in order, and the offset behind the last one."""

    records: list[bytes]
    end: int


class Splitter:
    """Makes records of blocks as they were read from ``start`` on."""

    def __init__(self, start: int, *, first: bool, within: bool) -> None:
        """``first``: the file begins here, ``within``: a line does not, and its rest is passed over."""
        self._end = start  # behind the last complete line
        self._settled = start
        self._first = first
        self._skip = within
        self._held = bytearray()  # of a line that is not complete
        self._size = 0
        self._assembler = Assembler()
        self._unsettled: list[bytes] = []

    def feed(self, block: bytes) -> list[Portion]:
        """Take the next bytes; return what is complete now."""
        *lines, rest = block.split(b"\n")
        portions: list[Portion] = []
        if lines:
            lines[0] = self._joined(lines[0])
            self._lines(lines, portions)
        self._hold(rest)
        return portions

    def finish(self) -> list[Portion]:
        """Return what is left where the file has ended for good: a last line without its end, a record without it."""
        portions: list[Portion] = []
        if self._size and not self._skip:
            self._lines([self._joined(b"")], portions, ended=0)
        left = [record for done in self._assembler.finish() if (record := _encoded(done))]
        if self._unsettled or left:
            portions.append(Portion(self._unsettled + left, self._end))
        return portions

    def _hold(self, rest: bytes) -> None:
        """Keep the beginning of an unfinished line, more than a line may have, and count the rest."""
        self._size += len(rest)
        self._held += rest[: max(0, MAX_RECORD + 1 - len(self._held))]

    def _joined(self, rest: bytes) -> bytes:
        if not self._size:
            return rest
        self._hold(rest)
        line = bytes(self._held)
        self._end += self._size - len(line)  # what was not kept of it
        self._held.clear()
        self._size = 0
        return line

    def _lines(self, lines: list[bytes], portions: list[Portion], ended: int = 1) -> None:
        if self._skip:
            self._end += len(lines.pop(0)) + 1
            self._skip = self._first = False
        for start in range(0, len(lines), _PORTION):
            part = lines[start : start + _PORTION]
            if self._assembler.idle and not self._unsettled and not any(_may_open(line) for line in part):
                self._end += sum(map(len, part)) + ended * len(part)
                portions.append(Portion([self._clean(line) for line in part], self._end))
            else:
                self._records(part, portions, ended)

    def _records(self, lines: list[bytes], portions: list[Portion], ended: int) -> None:
        """Put together records of several lines; one portion for all that is settled by now."""
        records, end = self._unsettled, 0
        ready = 0
        for raw in lines:
            self._end += len(raw) + ended
            line = self._clean(raw)
            if self._assembler.idle and (len(line) > MAX_LINE or not _may_open(line)):
                records.append(line)
                ready, end = len(records), self._end
                continue
            for done in self._assembler.feed(1, line.decode("utf-8", "replace"), self._end):
                if record := _encoded(done):
                    records.append(record)
                if done.settled:
                    ready, end = len(records), done.end
        self._unsettled = records[ready:]
        if end:
            portions.append(Portion(records[:ready], end))

    def _clean(self, line: bytes) -> bytes:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        line = line.removesuffix(b"\r")
        if len(line) > MAX_LINE and not line.startswith(b"{"):
            return line[: MAX_LINE + 1]
        return line


#: The first bytes of lines for which ``opens`` is true.
_OPENERS = frozenset(bytes([byte]) for byte in range(256) if opens(chr(byte) * 2))


def _may_open(line: bytes) -> bool:
    return line[:1] in _OPENERS


def _encoded(done: Assembled) -> bytes:
    """Return a record's text; one that was cut is made so long that the parser refuses it as too long."""
    text = done.text.ljust(MAX_RECORD + 1) if done.cut else done.text
    return text.encode("utf-8", "replace")


class Tail:
    """A file that is read while it grows. ``identity`` is None until its beginning tells it from others."""

    def __init__(self, path: str, *, backlog: bool) -> None:
        """Open it. Raises ``OSError``; ``LogFileError`` where it is no ordinary file."""
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        status = os.fstat(self.fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(self.fd)
            raise LogFileError(N_("{path} is no ordinary file."), N_("Name the log file itself."), path=path)
        self.id = (status.st_dev, status.st_ino)
        self.identity: Identity | None = None
        #: Whether it is read where nothing is known of it.
        self.wanted = True
        #: Lines that end before are old.
        self.backlog_end = status.st_size if backlog else 0
        #: Since when no path leads to it, and since when nothing was added (monotonic).
        self.retired = 0.0
        self.grown = 0.0
        #: The largest size that was seen.
        self.seen = status.st_size
        self._changed = status.st_mtime_ns
        self._head = b""
        self._base = 0
        self._at = 0
        self._splitter = Splitter(0, first=True, within=False)

    @property
    def is_packed(self) -> bool:
        """True for gzip and Zstandard, by content."""
        return _pread(self.fd, 4, 0).startswith(_PACKED)

    @property
    def unread(self) -> int:
        """Bytes that were seen and not handed on."""
        return max(0, self.seen - (self.identity.offset if self.identity else self._base))

    def close(self) -> None:
        """Close the file."""
        if self.identity is not None:
            self.identity.holder = None
        os.close(self.fd)

    def stream(self) -> BinaryIO:
        """Return the file from its beginning, to be closed by the caller, who does nothing else with it meanwhile."""
        os.lseek(self.fd, 0, os.SEEK_SET)  # which the copy of the descriptor shares
        return os.fdopen(os.dup(self.fd), "rb")

    def size(self) -> int:
        """Return the present size in bytes."""
        size = os.fstat(self.fd).st_size
        self.seen = max(self.seen, size)
        return size

    def touched(self) -> bool:
        """Return whether somebody wrote since the last call, or since it was opened."""
        before, self._changed = self._changed, os.fstat(self.fd).st_mtime_ns
        return before != self._changed

    def keys(self) -> tuple[str, ...]:
        """Read the beginning and return its position keys; none while there is no full line.

        Raises ``LogFileError`` where it is no text.
        """
        self._base = self._skip_hole()
        self._head = _pread(self.fd, _HEAD, self._base)
        if b"\n" not in self._head and len(self._head) < _HEAD:
            return ()
        head = io.BytesIO(self._head)
        return LogFile(self.path, head, head, len(self._head)).keys()

    def begin(self, identity: Identity) -> None:
        """Read on from the identity's offset."""
        self.identity = identity
        identity.holder = self.id
        self._at = start = max(identity.offset, self._base)
        within = start > self._base and _pread(self.fd, 1, start - 1) != b"\n"
        self._splitter = Splitter(start, first=start == self._base, within=within)

    def forget(self) -> None:
        """Take it for another file: its beginning has changed."""
        if self.identity is not None:
            self.identity.holder = None
        self.identity = None
        self.seen = self.backlog_end = 0

    @property
    def at(self) -> int:
        """Up to where it has been read; behind ``identity.offset`` while a line or record is not complete."""
        return self._at

    def read(self, end: int) -> bytes:
        """Return the next bytes before ``end``, not across the end of the backlog. They count only after ``take``."""
        if self._at < self.backlog_end:
            end = min(end, self.backlog_end)
        return _pread(self.fd, max(0, min(BLOCK, end - self._at)), self._at)

    def take(self, block: bytes) -> list[Portion]:
        """Split what ``read`` returned."""
        self._at += len(block)
        return self._splitter.feed(block)

    def finish(self) -> list[Portion]:
        """Return what is left of a file that has ended for good."""
        return self._splitter.finish() if self.identity else []

    def is_same(self) -> bool:
        """Return whether the beginning is still there; learn more of it while it is short."""
        head = _pread(self.fd, _HEAD, self._base)
        if not head.startswith(self._head):
            return False
        if self.identity is not None and len(head) > len(self._head):
            self._head = head
            stream = io.BytesIO(head)
            self.identity.keys = LogFile(self.path, stream, stream, len(head)).keys()
        return True

    def last_line_end(self, size: int) -> int:
        """Return the offset behind the last complete line before ``size``."""
        while size > self._base:
            start = max(self._base, size - BLOCK)
            found = _pread(self.fd, size - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            size = start
        return self._base

    def _skip_hole(self) -> int:
        """Return where the text begins. A writer that goes on at its old place after a truncation leaves NULs before.

        Disk blocks that were never written are passed over without reading them.
        """
        at, size = 0, os.fstat(self.fd).st_size
        if _pread(self.fd, 1, 0) != b"\0":
            return 0
        if hasattr(os, "SEEK_DATA"):
            try:
                at = os.lseek(self.fd, 0, os.SEEK_DATA)
            except OSError:  # nothing but a hole
                return size
        while at < size and not (block := _pread(self.fd, BLOCK, at)).strip(b"\0"):
            at += len(block)
        return at + len(block) - len(block.lstrip(b"\0")) if at < size else size


def _pread(fd: int, size: int, at: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, size, at)
    os.lseek(fd, at, os.SEEK_SET)  # Windows; nobody else uses the descriptor
    return os.read(fd, size)
