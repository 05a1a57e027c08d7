"""What needs attention, by name, and since when: one board that every part of the engine writes on. Any thread."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

import msgspec

from vxtray.core.errors import N_, VxtrayError
from vxtray.core.notices import Publish, TroubleChanged

log = logging.getLogger(__name__)


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs attention, and since when."""

    what: str
    since: datetime
    error: VxtrayError


class TroubleBoard:
    """Tells each change once: that something began, became another fault, or is over."""

    def __init__(self, publish: Publish, clock: Callable[[], datetime]) -> None:
        self._publish = publish
        self._clock = clock
        self._guard = threading.Lock()
        self._known: dict[str, Trouble] = {}

    def troubles(self) -> list[Trouble]:
        """Return what needs attention, oldest first."""
        with self._guard:
            return sorted(self._known.values(), key=lambda trouble: trouble.since)

    def attempt(self, what: str, *steps: Callable[[], None]) -> None:
        """Take all steps, whatever becomes of each, and say what went wrong first, None for nothing; never raises."""
        first: VxtrayError | None = None
        for step in steps:
            try:
                step()
            except VxtrayError as error:
                first = first or error
            except Exception as error:
                log.exception("%s met an unknown fault", what)
                first = first or VxtrayError(N_("An unknown fault: {reason}"), reason=error)
        self.put(what, first)

    def put(self, what: str, error: VxtrayError | None) -> None:
        """Say that something needs attention, or no longer (None)."""
        with self._guard:
            known = self._known.pop(what, None)
            if error is not None:
                since = known.since if known else self._clock()
                self._known[what] = Trouble(what=what, since=since, error=error)
        if error is None:
            if known is not None:
                self._publish(TroubleChanged(at=self._clock(), what=what, error=None))
        elif known is None or str(known.error) != str(error):
            log.warning("%s: %s", what, error)
            self._publish(TroubleChanged(at=self._clock(), what=what, error=error))
