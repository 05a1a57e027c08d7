"""What an error of DuckDB means, in the words of the error tree.

Pure, any thread. DuckDB has one class for many faults, so its English text tells them apart (DuckDB 2.0; the texts of
the operating system are those of strerror and FormatMessage).
"""

from pathlib import Path

from vxtray.core.errors import N_, StoreBusy, StoreDamaged, StoreError, StoreFull

_BUSY = ("could not set lock", "being used by another process", "different configuration", "unique file handle")
_FULL = ("no space left", "file too large", "quota exceeded", "not enough space on the disk")
# Faults of the machine or of the folder: the file itself may be sound, so it stays where it is.
_ELSEWHERE = (
    "permission denied",
    "access is denied",
    "read-only file system",
    "no such file or directory",
    "is a directory",
    "too many open files",
    "input/output error",
    "out of memory",
    "newer version",
)
# What reading, writing or syncing a file that is open can meet.
_DISK = ("input/output error", "i/o device error", "fsync failed", "could not sync")
# After some of them the engine refuses everything until the file is opened anew.
_REFUSES = ("has been invalidated", "fatal error")
_MOST_REASON = 200


def explained(path: Path, error: Exception, *, opening: bool = False) -> StoreError:
    """Return the error to raise for an error of DuckDB; only an error while ``opening`` can mean a damaged file."""
    text = " ".join(str(error).split())
    lower = text.lower()
    if any(words in lower for words in _BUSY):
        return StoreBusy(path=path)
    if any(words in lower for words in _FULL):
        return StoreFull(path=path)
    reason = text[:_MOST_REASON].rstrip(".!") or N_("no reason was given")
    if opening and not any(words in lower for words in (*_ELSEWHERE, *_DISK)):
        return StoreDamaged(path=path, reason=reason)
    return StoreError(path=path, reason=reason)


def is_of_the_disk(error: Exception) -> bool:
    """Return whether an error of DuckDB says that the disk did not do what it was asked for."""
    text = str(error).lower()
    return any(words in text for words in _DISK)


def refuses_all(error: Exception) -> bool:
    """Return whether after this error of DuckDB the file must be opened anew."""
    text = str(error).lower()
    return any(words in text for words in _REFUSES)
