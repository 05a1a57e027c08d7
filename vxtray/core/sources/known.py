"""What a follower knows of the contents of files, and where a rotation puts them. On its source's thread.

A content is known by the keys of its beginning (``logfile``): the present one, and those of all states in which it was
shorter, so that a copy that was made in between is found, too.
"""

import contextlib
import glob
import hashlib
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

FileId = tuple[int, int]

#: Keys that are remembered beside the store, which lags behind.
_MOST_KEYS = 8192
_GZIP = b"\x1f\x8b"
_SAMPLE = 4096

#: Before the path, in the key under which is remembered since when it is followed.
FOLLOWING = "follow:"

#: What a rotation appends: a running number, a date (also with a time), ``old``; then what compressed it.
_NUMBER_OR_DATE = r"(?:(\d{1,3})|(\d[\d.:T_-]{5,24})|old)"
_DATE = r"(?:\.(\d{1,3})|[.-](\d[\d.:T_-]{5,24}))"
_PACKED = r"(?:\.(?:gz|zst))?"


def following_key(path: str) -> str:
    """Return under which key is remembered since when (ns) a path or pattern is followed."""
    return FOLLOWING + path


class Identity:
    """One content: its ``keys``, newest first, and the offset up to which it was handed on.

    ``kept`` is the key of the last position of this run, "" before. ``holder`` is the file that is held open for it.
    """

    def __init__(self, keys: Sequence[str], offset: int) -> None:
        self.keys = tuple(keys)
        self.offset = offset
        self.kept = ""
        self.holder: FileId | None = None


class Known:
    """Contents by key: those of this run, which are ahead of the store, and behind them the committed positions."""

    def __init__(self, positions: Callable[[str], int]) -> None:
        self._positions = positions
        self._identities: OrderedDict[str, Identity] = OrderedDict()

    def find(self, keys: Sequence[str]) -> Identity | None:
        """Return what is known of a content, None for a new one."""
        for key in keys:
            if (identity := self._identities.get(key)) is not None:
                # Two that began alike are not the same where each has gone on in its own way.
                return identity if keys[0] in identity.keys or identity.keys[0] in keys else None
            if offset := self._positions(key):
                return Identity(keys, offset)
        return None

    def add(self, identity: Identity) -> None:
        """Remember a content, anew when it has grown."""
        for key in identity.keys:
            self._identities[key] = identity
            self._identities.move_to_end(key)
        while len(self._identities) > _MOST_KEYS:
            self._identities.popitem(last=False)


def beside(path: str) -> list[tuple[str, os.stat_result]]:
    """Return where the older parts of a log may lie after rotations, oldest first.

    ``name.1``, ``name-20261123``, ``stem.1.suffix``, ``stem-20261123.suffix``, each also with ``.gz`` or ``.zst``.
    Where the path is a link, also what is named as its target but for the digits.
    """
    log = Path(path)
    forms = [re.escape(log.name) + "[.-]" + _NUMBER_OR_DATE + _PACKED]
    if log.suffix:
        forms.append(re.escape(log.stem) + _DATE + re.escape(log.suffix) + _PACKED)
    found = _matching(log.parent, forms)
    if os.path.islink(path):  # noqa: PTH114 - False where it may not be asked, instead of an error
        target = Path(os.path.realpath(path))
        found += _matching(target.parent, [re.sub(r"\d+", r"\\d+", re.escape(target.name)) + _PACKED])
    found.sort(key=lambda one: one[:3])
    return [(place, status) for _, _, place, status in found]


def sizes(path: str) -> dict[FileId, int]:
    """Return how large the files are that a path or pattern leads to, with all that lies beside."""
    found: dict[FileId, int] = {}
    places = {path, *glob.glob(path, recursive=True)}  # noqa: PTH207 - any text
    for folder in {os.path.dirname(way) or "." for place in places for way in (place, os.path.realpath(place))}:  # noqa: PTH120
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = os.stat(entry.path)  # noqa: PTH116 - on Windows, the entry's own knows no file number
                    found[status.st_dev, status.st_ino] = status.st_size
    return found


def _matching(folder: Path, forms: Sequence[str]) -> list[tuple[int, int, str, os.stat_result]]:
    found = []
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return []
    for entry in entries:
        if not (match := next(filter(None, (re.fullmatch(form, entry.name) for form in forms)), None)):
            continue
        try:
            status = os.stat(entry.path)  # noqa: PTH116 - on Windows, the entry's own knows no file number
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append((status.st_mtime_ns, _age(match), entry.path, status))
    return found


def _age(match: re.Match[str]) -> int:
    """Return what sorts files of the same moment: running numbers downwards, dates upwards."""
    number, date = match.groups() if match.re.groups else ("", "")
    return -int(number) if number else int("0" + re.sub(r"\D", "", date or "")[:14])


def packed_key(fd: int, size: int) -> str:
    """Return under which key is remembered that a compressed file was read to its end."""
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        sample = file.read(_SAMPLE)
        file.seek(max(0, size - _SAMPLE))
        sample += file.read(_SAMPLE)
    return f"packed:{hashlib.sha256(sample).hexdigest()[:40]}.{size}"


def unpacked_size(fd: int, size: int) -> int:
    """Return the size modulo 2**32 that a gzip file of one member states at its end (RFC 1952), -1 for another one."""
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        if size < 18 or file.read(2) != _GZIP:
            return -1
        file.seek(size - 4)
        return int.from_bytes(file.read(4), "little")
