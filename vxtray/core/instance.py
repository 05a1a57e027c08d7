"""One process at a time works with a profile: the program, or one command. Any thread."""

import contextlib
from collections.abc import Iterator

from vxtray.core.errors import ProgramBusy, StoreError
from vxtray.core.paths import Profile, private_folder

#: How long a command waits for another one that holds the profile.
LOCK_SECONDS = 30.0


@contextlib.contextmanager
def holding(profile: Profile, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the profile's lock: one process at a time works with the stores. Raises ``ProgramBusy``, ``StoreError``."""
    from filelock import FileLock, Timeout

    try:
        private_folder(profile.state)
        lock = FileLock(profile.instance_lock, mode=0o600)
        lock.acquire(timeout=seconds)
    except Timeout as error:
        raise ProgramBusy from error
    except OSError as error:
        raise StoreError(path=profile.state, reason=error.strerror or str(error)) from error
    try:
        yield
    finally:
        lock.release()
