"""Notices that the computer slept, or that its clock was set, from looks every few seconds. Any one thread.

It needs no word from the system, so it is the same on every desktop, on a server and in a container. The monotonic
clock stands still during sleep on Linux and macOS (clock_gettime(2)), and goes on where Windows counts it; so a leap is
either a difference between both clocks, or a look that comes much too late.
"""

import time
from collections.abc import Callable

#: More than what NTP adds at once (adjtimex(2) slews half a second), less than what a retry or a report waits.
_LEAP_SECONDS = 5.0

#: A look that comes so late was asleep; a busy thread looks sooner.
_LATE_SECONDS = 60.0


class ClockWatch:
    """Compares wall clock and monotonic clock at each look."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._last = wall(), monotonic()

    def leapt(self) -> bool:
        """Return whether time leapt since the last look, forward or back."""
        before, self._last = self._last, (self._wall(), self._monotonic())
        wall, monotonic = (now - then for now, then in zip(self._last, before, strict=True))
        return abs(wall - monotonic) > _LEAP_SECONDS or monotonic > _LATE_SECONDS
