"""Log files, also compressed ones and standard input, as numbered lines with the offset up to which they were read.

Any thread or process. Memory is bounded whatever the file holds: it is read in blocks, and of an over-long line only
the beginning is kept.

A file is known by its *fingerprint*, the hash of its first 4 KiB (uncompressed), so it stays the same file when it is
renamed, compressed or moved. While it is shorter than that, the hash covers its complete lines; every state that it
had while it grew is therefore a prefix that ends with a line, and ``LogFile.keys`` lists them all. Compressed formats
are told by their first bytes, not by name: gzip (RFC 1952) and Zstandard (RFC 8878).
"""

import contextlib
import gzip
import hashlib
import io
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast, overload

import msgspec

from vxtray.core.errors import N_, LogFileError
from vxtray.core.parsers import MAX_LINE
from vxtray.core.parsers.records import MAX_RECORD, Assembler, opens, spans_lines

#: The name of standard input.
STDIN = "-"

_HEAD = 4096
_BLOCK = 256 * 1024

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
#: xz, bzip2, zip, 7z
_OTHER_ARCHIVES = (b"\xfd7zXZ\x00", b"BZh", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
#: Zstandard frames that want more memory than this are refused; ``zstd -19`` uses 8 MiB, ``--ultra -22`` 128 MiB.
_ZSTD_WINDOW = 128 * 1024 * 1024

#: How lines begin that may be a part of a record (``parsers.records.opens``).
_OPENING = frozenset((b"-", b"{", b"[", b" ", b"]", b"\t", b"}"))

#: Bytes that text does not hold: control characters but for tab, line feed, form feed, return and escape.
_CONTROLS = bytes(b for b in (*range(32), 127) if b not in b"\t\n\f\r\x1b")


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line, or after ``assembled`` the lines that make one record: the number of its first line from 1, the offset
    after it in the uncompressed stream, and its text without the last line end.

    ``cut`` says that it was too long and ``text`` holds the beginning only; ``ended`` is false for a last line without
    its line feed and for a last record without its end, which may still be growing. Reading may start again at ``end``
    only where it is ``settled``; otherwise records that follow began before.
    """

    line: int
    end: int
    text: str
    cut: bool = False
    ended: bool = True
    settled: bool = True


class Block(msgspec.Struct, frozen=True, gc=False):
    """Whole lines, at least one, each of which is a record for certain: none is too long or may belong to others.

    ``line`` is the number of the first, ``end`` the offset after the last; ``lines`` are without their line feeds.
    """

    line: int
    end: int
    lines: list[bytes]

    def records(self) -> Iterator[Record]:
        """Yield them one by one."""
        end = self.end - sum(map(len, self.lines)) - len(self.lines)
        for line, raw in enumerate(self.lines, self.line):
            end += len(raw) + 1
            yield _record(line, end, raw, len(raw))

    def split(self, most: int) -> "tuple[Block, Block | None]":
        """Return so many of its lines, and the rest of it."""
        if len(self.lines) <= most:
            return self, None
        lines, rest = self.lines[:most], self.lines[most:]
        behind = sum(map(len, rest)) + len(rest)
        return Block(self.line, self.end - behind, lines), Block(self.line + most, self.end, rest)


class _Stream(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class LogFile:
    """An open log file; a context manager. Made by ``open_log``; read once."""

    def __init__(self, path: str, stream: _Stream, raw: BinaryIO, size: int) -> None:
        """``raw`` is the file on disk under ``stream``, ``size`` its bytes (0 when not known)."""
        self.path = path
        self.size = size
        #: Lines that ``records`` passed over because they lie before ``start``.
        self.skipped = 0
        self._stream = stream
        self._raw = raw
        self._closing = contextlib.ExitStack()
        self._fault: LogFileError | None = None
        self._done = self._hole = 0
        self._head = self._read_head()
        _check_text(path, self._head)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def adopt(self, closing: contextlib.ExitStack) -> None:
        """Take over what is to be closed at the end."""
        self._closing = closing

    def close(self) -> None:
        """Close the file; standard input stays open."""
        self._closing.close()

    @property
    def is_packed(self) -> bool:
        """True for a compressed file."""
        return cast("object", self._stream) is not self._raw

    @property
    def consumed(self) -> int:
        """Bytes of the file on disk that have been read, for a progress bar (of the stream for standard input)."""
        if not self.size:
            return self._done
        with contextlib.suppress(OSError, ValueError):
            return min(self._raw.tell(), self.size)
        return self.size

    @property
    def fingerprint(self) -> str:
        """What the file is known by: a hash and the number of bytes that it covers."""
        return self.keys()[0].removeprefix("file:")

    def keys(self) -> tuple[str, ...]:
        """Return the position keys of this file, ``file:<fingerprint>``: the present one, then those of its youth."""
        head = self._head[:_HEAD]
        lengths = [i + 1 for i, byte in enumerate(head) if byte == 0x0A]
        if len(head) == _HEAD or not lengths:
            lengths.append(len(head))
        running, start, keys = hashlib.sha256(), 0, dict[str, None]()
        for length in lengths:
            running.update(head[start:length])
            start = length
            keys[f"file:{running.hexdigest()[:40]}.{length}"] = None
        return tuple(reversed(keys))

    def spans_lines(self) -> bool:
        """Return whether the file begins with a record of several lines."""
        return spans_lines(self._head[:_HEAD].decode("utf-8", "replace"))

    def records(self, start: int = 0) -> Iterator[Record]:
        """Yield the lines from byte ``start`` of the uncompressed stream on, as ``Record.end`` gave it.

        A start within a line (it had no line feed yet when it was read) passes over the rest of that line. Raises
        ``LogFileError`` where the disk fails or compressed data are damaged, after the lines before the damage.
        """
        for piece in self.pieces(start, in_blocks=False):
            if isinstance(piece, Record):
                yield piece

    def pieces(self, start: int = 0, *, in_blocks: bool = True) -> Iterator[Record | Block]:
        """Yield the same as ``records``, in blocks where that is possible."""
        offset, line, held, size = self._hole, 0, b"", 0
        skip_rest = False
        for block in self._blocks():
            if offset < start:
                passed = block[: start - offset]
                line += passed.count(b"\n")
                offset += len(passed)
                skip_rest = not passed.endswith(b"\n")
                self.skipped = line + skip_rest
                block = block[len(passed) :]  # noqa: PLW2901 - the rest of it is what there is to read
                if not block:
                    continue
            first, *others = block.split(b"\n")
            held, size = _beginning(held + first), size + len(first)
            if in_blocks and not skip_rest and _are_plain(held, others):
                rest = others.pop()
                others.insert(0, held)
                offset += sum(map(len, others)) + len(others)
                yield Block(line + 1, offset, others)
                line += len(others)
                held, size = _beginning(rest), len(rest)
                continue
            for piece in others:
                line += 1
                offset += size + 1
                if not skip_rest:
                    yield _record(line, offset, held, size)
                skip_rest = False
                held, size = _beginning(piece), len(piece)
        if size and not skip_rest:
            yield _record(line + 1, offset + size, held, size, ended=False)

    def _blocks(self) -> Iterator[bytes]:
        if self._head:
            yield self._head
        while self._fault is None:
            block = self._read(_BLOCK)
            if not block:
                break
            yield block
        if self._fault is not None:
            raise self._fault

    def _read_head(self) -> bytes:
        """Return the beginning of the text. NULs before it, as a truncation leaves them, belong to no line."""
        head = b""
        while len(head) < _HEAD and self._fault is None:
            block = self._read(_BLOCK)
            if not block:
                break
            text = block if head else block.lstrip(b"\0")
            if text or self.size or self.is_packed:  # a device may go on like that without end
                self._hole += len(block) - len(text)
                block = text
            head += block
        if self._fault is not None and not head:
            raise self._fault
        return head if head or not self._hole else b"\0"

    def _read(self, size: int) -> bytes:
        """Return some bytes, none at the end or at a fault, which is kept to be raised after what came before it."""
        try:
            block = self._stream.read1(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._fault = _damaged(self.path, error)
            return b""
        except OSError as error:
            self._fault = _refused(self.path, error)
            return b""
        except Exception as error:
            if not _is_zstd_error(error):
                raise
            self._fault = _damaged(self.path, error)
            return b""
        self._done += len(block)
        return block


def _limit(raw: bytes) -> int:
    """Return how long a line may be: one that is a whole JSON record may be as long as one over many lines."""
    return MAX_RECORD if raw.startswith(b"{") else MAX_LINE


def _beginning(raw: bytes) -> bytes:
    """Return what is kept of a line: a byte more than it may have."""
    return raw if len(raw) <= MAX_LINE else raw[: _limit(raw) + 1]


def _record(line: int, end: int, raw: bytes, size: int, *, ended: bool = True) -> Record:
    if line == 1:
        raw = raw.removeprefix(_BOM)
    return Record(line, end, raw.removesuffix(b"\r").decode("utf-8", "replace"), size > _limit(raw), ended)


def _are_plain(first: bytes, others: list[bytes]) -> bool:
    """Return whether lines are certainly records by themselves; the last of ``others`` is only the start of a line."""
    if not others or first.startswith(_BOM) or max(len(first), *map(len, others)) > MAX_LINE:
        return False
    return _OPENING.isdisjoint({first[:1], *(line[:1] for line in others)})


@overload
def assembled(pieces: Iterable[Record]) -> Iterator[Record]: ...
@overload
def assembled(pieces: Iterable[Record | Block]) -> Iterator[Record | Block]: ...
def assembled(pieces: Iterable[Record | Block]) -> Iterator[Record | Block]:
    """Put together the lines that make one record (``parsers.records``); the others pass as they are."""
    assembler = Assembler()
    for piece in pieces:
        if isinstance(piece, Block):
            if assembler.idle:
                yield piece
                continue
            lines = list(piece.records())
        else:
            lines = [piece]
        for line in lines:
            if assembler.idle and (line.cut or not opens(line.text)):
                yield line
                continue
            for done in assembler.feed(line.line, line.text, line.end):
                yield Record(done.line, done.end, done.text, done.cut, line.ended, done.settled)
    for done in assembler.finish():
        yield Record(done.line, done.end, done.text, done.cut, done.settled, done.settled)


def open_log(path: str | Path, stdin: BinaryIO | None = None) -> LogFile:
    """Open a log file by name, ``-`` for standard input (or ``stdin``, where another stream stands for it).

    Raises ``LogFileError``: missing, a folder, no right to read, not text, damaged. An empty file is fine.
    """
    name = str(path)
    with contextlib.ExitStack() as closing:
        try:
            raw, size = _open_raw(name, stdin, closing)
            stream = _decompress(raw)
        except OSError as error:
            raise _refused(name, error) from error
        log = LogFile(name, stream, raw, size)
        log.adopt(closing.pop_all())
    return log


def _open_raw(name: str, stdin: BinaryIO | None, closing: contextlib.ExitStack) -> tuple[BinaryIO, int]:
    if name == STDIN:
        stream = stdin or sys.stdin.buffer
        if hasattr(stream, "peek"):
            return stream, 0
        # Only to look ahead; BytesIO and the like offer all that a raw stream does.
        reader = io.BufferedReader(cast("io.RawIOBase", stream))
        closing.callback(reader.detach)
        return reader, 0
    raw = closing.enter_context(Path(name).open("rb"))  # noqa: SIM115 - the stack closes it
    return raw, os.fstat(raw.fileno()).st_size


def _decompress(raw: BinaryIO) -> _Stream:
    start = cast("io.BufferedReader", raw).peek(8)
    if start.startswith(_GZIP):
        return gzip.GzipFile(fileobj=raw)
    if start.startswith(_ZSTD):
        import zstandard

        reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(
            raw, read_across_frames=True, closefd=False
        )
        return cast("_Stream", reader)
    return cast("_Stream", raw)


def _is_zstd_error(error: Exception) -> bool:
    zstandard = sys.modules.get("zstandard")
    return zstandard is not None and isinstance(error, zstandard.ZstdError)


def _check_text(path: str, head: bytes) -> None:
    """Refuse what is not text. Single NUL bytes are forgiven: a crash leaves some in many a log file."""
    if head.startswith(_UTF16):
        raise LogFileError(
            N_("{path} is in UTF-16, which no log format uses."), N_("Convert it to UTF-8, then try again."), path=path
        )
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if head.startswith(_OTHER_ARCHIVES) or controls * 10 > len(head):
        raise LogFileError(
            N_("{path} is not a text file."),
            N_(
                "Give the log file itself; of compressed files .gz and .zst can be read, others must be unpacked first."
            ),
            path=path,
        )


def _damaged(path: str, cause: Exception) -> LogFileError:
    error = LogFileError(
        N_("{path} is damaged: it can be unpacked only in part."),
        N_("Take the file from its origin once more; the lines before the damage were read."),
        path=path,
    )
    error.__cause__ = cause
    return error


def _refused(path: str, cause: OSError) -> LogFileError:
    """Return the words for what the system said."""
    if isinstance(cause, FileNotFoundError):
        error = LogFileError(N_("There is no file {path}."), N_("Check the name and the folder."), path=path)
    elif isinstance(cause, IsADirectoryError):
        error = LogFileError(
            N_("{path} is a folder, not a log file."), N_("Name the log files that are in it."), path=path
        )
    elif isinstance(cause, PermissionError):
        error = LogFileError(
            N_("You may not read {path}."),
            N_("Have the right to read it given to you, or copy the file to a place of yours."),
            path=path,
        )
    else:
        error = LogFileError(path=path, reason=cause.strerror or str(cause))
    error.__cause__ = cause
    return error
