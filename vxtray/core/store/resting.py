"""When the disk of the embedded store reports faults: after some in a row nothing is written to it for a while.

Pure; who calls holds the store's write lock.
"""

import time
from collections.abc import Callable
from pathlib import Path

from vxtray.core.errors import N_, StoreError

#: Faults of the disk in a row until the store is read-only, and the seconds between two tries from then on.
MOST_FAULTS = 3
REST_SECONDS = 30.0


class Resting:
    """Counts the faults; each is tried again at once until there were too many."""

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._monotonic = monotonic
        self._faults = 0
        self._until = 0.0
        self._last: StoreError | None = None

    @property
    def rests(self) -> bool:
        """Whether nothing is to be written now."""
        return self._faults >= MOST_FAULTS and self._monotonic() < self._until

    def may_write(self) -> None:
        """Raise ``StoreError`` while nothing is to be written."""
        if self.rests and self._last is not None:
            raise self._told(self._last)

    def met(self, fault: StoreError) -> StoreError:
        """Count a fault of the disk; return what to raise."""
        self._faults += 1
        self._last = fault
        if self._faults < MOST_FAULTS:
            return fault
        self._until = self._monotonic() + REST_SECONDS
        return self._told(fault)

    def went_well(self) -> None:
        """Something was written."""
        self._faults = 0
        self._last = None

    def _told(self, fault: StoreError) -> StoreError:
        return StoreError(
            N_("The event store {path} is read-only after {n} faults of the disk in a row: {reason}."),
            N_("Check the disk. It is tried every {seconds} s; new events wait and are stored when it works again."),
            path=self._path,
            n=self._faults,
            reason=fault.values.get("reason", ""),
            seconds=round(REST_SECONDS),
        )
