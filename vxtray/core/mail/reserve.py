"""Room on the disk that is kept for the mails that wait, so that they still leave once it is full.

A file of some size beside the outbox. Sending a mail writes to the outbox, too; where nothing can be written any more,
the file is given up for that, and taken again as soon as there is room. On the thread that holds the outbox.
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from vxtray.core.errors import StoreFull

T = TypeVar("T")

#: What some hundred mails write while they leave.
SIZE = 1024 * 1024


class Reserve:
    """The file; ``given`` says that it was given up, and could not be taken again yet."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        """Know of a file that ``take`` makes."""
        self._path = path
        self._size = size
        self.given = False

    def surely(self, step: Callable[[], T], make_room: Callable[[], None]) -> T:
        """Do a step that writes; where the disk is full, give the file up, ``make_room``, and do it once more."""
        try:
            return step()
        except StoreFull:
            self.give()
            make_room()
            return step()

    def take(self) -> bool:
        """Fill the file up to its size; False where the disk has no room for it."""
        try:
            if self._path.exists() and self._path.stat().st_size == self._size:
                self.given = False
                return True
            with self._path.open("wb") as file:
                self._path.chmod(0o600)
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, self._size)
                else:
                    file.write(secrets.token_bytes(self._size))  # zeros might be compressed, or left out
        except OSError:
            self._remove()
            return False
        self.given = False
        return True

    def give(self) -> bool:
        """Give the room up; False where there was none."""
        if not self._path.exists():
            return False
        self.given = self._remove()
        return self.given

    def _remove(self) -> bool:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            return True
        return False
