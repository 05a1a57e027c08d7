"""What lines would be read as, for a person who looks: the last ones of a file, or those that just came by syslog.

Any thread; nothing is stored. Blocks for as long as the file system takes.
"""

import glob
import io
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from itertools import islice
from pathlib import Path

import msgspec

from vxtray.core.errors import N_, LogFileError
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import TOO_LONG, Ignored, Outcome, Rejected, parse
from vxtray.core.sources.logfile import LogFile, Record, assembled, open_log

#: Records that are read for a preview, and the characters shown of each.
MOST = 200
_SHOWN = 1024
#: Bytes at the end of a large file in which they are looked for.
_TAIL = 1024 * 1024


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A line and what it was read as: ``events``, or a ``reason`` (message id), or neither where it holds no event."""

    text: str
    events: tuple[SecurityEvent, ...] = ()
    reason: str = ""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The last lines of the file ``path``, newest first."""

    path: str
    readings: tuple[Reading, ...]

    @property
    def understood(self) -> int:
        """How many of them are no rejected lines."""
        return sum(not reading.reason for reading in self.readings)


def read_line(text: str, *, format: str = "auto", zone: tzinfo) -> Reading:  # noqa: A002 - the option's name
    """Return what a line or record is read as."""
    return _reading(text, parse(text, format=format, zone=zone))


def preview_file(path: str, *, format: str = "auto", zone: tzinfo) -> Preview:  # noqa: A002 - the option's name
    """Read the last lines of a file, or of the newest that a pattern matches; of a compressed one the first lines.

    Raises ``LogFileError``.
    """
    found = _newest(path)
    try:
        if not stat.S_ISREG(found.stat().st_mode):  # opening a pipe would wait for its writer
            raise LogFileError(N_("{path} is no ordinary file."), N_("Name the log file itself."), path=found)
        records: Iterable[Record] = deque(_records(found), maxlen=MOST)
    except OSError as error:
        with open_log(found):  # says in words what the system said
            pass
        raise LogFileError(path=found, reason=error.strerror or str(error)) from error
    readings = [
        _reading(record.text, TOO_LONG if record.cut else parse(record.text, format=format, zone=zone))
        for record in records
    ]
    return Preview(path=str(found), readings=tuple(reversed(readings)))


def _reading(text: str, outcome: Outcome) -> Reading:
    text = text[:_SHOWN]
    if isinstance(outcome, Rejected):
        return Reading(text=text, reason=outcome.reason)
    if isinstance(outcome, Ignored):
        return Reading(text=text)
    return Reading(text=text, events=outcome if isinstance(outcome, tuple) else (outcome,))


def _newest(path: str) -> Path:
    full = os.path.expanduser(path)  # noqa: PTH111 - it may be a pattern
    if not glob.has_magic(full) or os.path.lexists(full):
        return Path(full)
    matches = [Path(name) for name in glob.glob(full, recursive=True)]  # noqa: PTH207 - any text
    if not matches:
        raise LogFileError(N_("No file matches {path}."), N_("Check the name and the folder."), path=path)
    return max(matches, key=_written)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it was removed meanwhile
        return 0.0


def _records(path: Path) -> Iterator[Record]:
    with open_log(path) as log:
        if log.is_packed:
            yield from islice(assembled(log.records()), MOST)
            return
        if log.size <= _TAIL:
            yield from assembled(log.records())
            return
    with path.open("rb") as file:
        file.seek(-_TAIL, os.SEEK_END)
        end = io.BytesIO(file.read(_TAIL).partition(b"\n")[2])
    yield from assembled(LogFile(str(path), end, end, 0).records())
