"""Which files of a followed path cannot be read, in words, and whether that is trouble yet.

Written on the source's thread; ``fault`` and ``trouble`` may be asked for on any.
"""

import glob
import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from vxtray.core.errors import N_, LogFileError

#: A file that was there and is not may come back so soon: by a rotation, or because its writer begins again.
GRACE_SECONDS = 300.0

_WAITED_FOR = N_("Check the name, and that the program that writes it runs. It is followed as soon as it is there.")


class Reach:
    """The faults of one followed path or pattern, by the path of the file."""

    def __init__(self, *, pattern: bool) -> None:
        self._pattern = pattern
        self._unreachable: Mapping[str, LogFileError] = {}
        self._unreadable: dict[str, LogFileError] = {}
        self._missing_since: float | None = None
        self._ever_there = False

    @property
    def unreachable(self) -> frozenset[str]:
        """The paths to which no file is found."""
        return frozenset(self._unreachable)

    def looked(self, faults: Mapping[str, LogFileError], paths: Collection[str], *, found: bool) -> None:
        """Take over what a look at the file system brought: faults of paths, all paths, whether there was any file."""
        missing = not found and any(is_missing(error) for error in faults.values())
        self._ever_there = self._ever_there or found
        if not missing:
            self._missing_since = None
        elif self._missing_since is None:
            self._missing_since = time.monotonic()
        self._unreachable = dict(faults)
        self._unreadable = {path: error for path, error in self._unreadable.items() if path in paths}

    def refused(self, path: str, error: OSError | LogFileError) -> None:
        """Note that a file cannot be read."""
        self._unreadable = {**self._unreadable, path: explained(path, error)}

    def readable(self, path: str) -> None:
        """Note that a file was read."""
        if path in self._unreadable:
            self._unreadable = {other: error for other, error in self._unreadable.items() if other != path}

    def fault(self) -> tuple[str, str]:
        """Return what is wrong now (a message id with ``{path}``) and with which path; empty where nothing is."""
        for path, error in (*self._unreachable.items(), *self._unreadable.items()):
            return (N_("{path} cannot be read.") if "{reason}" in error.title_id else error.title_id), path
        return "", ""

    def trouble(self) -> LogFileError | None:
        """Return what somebody has to mend; what is missing may come back, unless it never was there."""
        since = self._missing_since
        awaited = since is not None and time.monotonic() - since < GRACE_SECONDS
        if awaited and not self._ever_there and not self._pattern:
            awaited = False
        faults = (*self._unreachable.values(), *self._unreadable.values())
        return next((error for error in faults if not (awaited and is_missing(error))), None)


class _Missing(LogFileError):
    """Nothing is there."""


def is_missing(error: LogFileError) -> bool:
    """Return whether an error says that there is no file, which may change by itself."""
    return isinstance(error, _Missing)


def unmatched(pattern: str) -> LogFileError:
    """Return the error of a pattern without a file, or of its folder where that may not be read."""
    folder = Path(pattern)
    while glob.has_magic(str(folder)):
        folder = folder.parent
    if folder.is_dir() and not os.access(
        folder, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids
    ):
        return explained(str(folder), PermissionError())
    return _Missing(N_("No file matches {path}."), _WAITED_FOR, path=pattern)


def too_many(pattern: str) -> LogFileError:
    """Return the error of a pattern that means too many files."""
    return LogFileError(
        N_("Too many files match {path}; only the 256 newest are followed."),
        N_("Write a narrower pattern, or follow the others as a source of their own."),
        path=pattern,
    )


def explained(path: str, error: OSError | LogFileError) -> LogFileError:
    """Return the words for what the system said of a path."""
    if isinstance(error, LogFileError):
        return error
    if isinstance(error, FileNotFoundError):
        return _Missing(N_("There is no file {path}."), _WAITED_FOR, path=path)
    if isinstance(error, PermissionError):
        return LogFileError(
            N_("You may not read {path}."),
            N_("Give the account that runs vxtray the right to read it, for example by the group “adm”."),
            path=path,
        )
    return LogFileError(path=path, reason=error.strerror or str(error))
