"""One process at a time works with a profile: the program, or one command. Any thread.

The lock is the system's own on an open file (flock(2), and ``LockFile`` on Windows), so it ends with the process that
holds it, however that ends. Its file stays. A start takes it before anything heavy is loaded, hence no library.
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator

from vxtray.core.errors import ProgramBusy, StoreError
from vxtray.core.paths import Profile, private_folder
from vxtray.core.standin import settled

#: How long a command waits for another one that holds the profile.
LOCK_SECONDS = 30.0
_ASK_SECONDS = 0.05


@contextlib.contextmanager
def holding(profile: Profile, seconds: float = LOCK_SECONDS, *, start: bool = False) -> Iterator[Profile]:
    """Hold the profile's lock: one process at a time works with the stores. Raises ``ProgramBusy``, ``StoreError``.

    Another holder is waited for up to ``seconds``, 0 for not at all. Gives the profile to work with, which is that of a
    copy where the disk is read-only (``standin``); a ``start`` makes one.
    """
    home = profile.home or profile
    until = time.monotonic() + seconds
    try:
        file = _lock_file(home)
    except OSError as error:
        raise StoreError(path=home.state, reason=error.strerror or str(error)) from error
    try:
        while not _taken(file, home):
            if time.monotonic() >= until:
                raise ProgramBusy
            time.sleep(_ASK_SECONDS)
        with settled(home, make=start) as found:
            yield found
    finally:
        os.close(file)  # which gives the lock back


def _lock_file(home: Profile) -> int:
    try:
        private_folder(home.state)
        return os.open(home.instance_lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS or not home.instance_lock.exists():
            raise
        return os.open(home.instance_lock, os.O_RDONLY)  # a lock is not written


def _taken(file: int, profile: Profile) -> bool:
    """Take the lock of an open file; False where another process, or another part of this one, has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, 0, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # Windows says the latter
        return False
    except OSError as error:  # a network's disk that knows no locks
        raise StoreError(path=profile.instance_lock, reason=error.strerror or str(error)) from error
    return True
