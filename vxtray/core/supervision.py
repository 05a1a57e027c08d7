"""The lasting threads, and what is done when one of them fails: it is told, and the work is begun again after a pause.

Each worker catches its own fault on its own thread, so no other thread has to notice that it is gone. Any thread may
ask; ``look`` belongs to the schedule's tick.
"""

import logging
import threading
import time
from collections.abc import Callable

import msgspec

from vxtray.core.errors import N_, VxtrayError

log = logging.getLogger(__name__)

#: Seconds before work is begun again: doubled with each fault, up to the longest.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
#: Work that went on for so many seconds is sound: what was told is over, and the next fault is a first one.
SOUND_SECONDS = 60.0


class WorkerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's ``name``, whether it works now, how often it was ``restarted``, and its last fault ("" for none)."""

    name: str
    running: bool
    restarted: int
    fault: str


class Worker:
    """A thread that runs ``work`` until that returns, and begins it again where it raises.

    Once ``ending`` is set, it is begun no more, except where a pause is on: a last time at once, for what is to be put
    away. ``work`` itself has to look at it, or at something else that is set before.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        tell: Callable[[str, VxtrayError | None], None],
        ending: threading.Event,
    ) -> None:
        self.name = name
        self._work = work
        self._tell = tell
        self._ending = ending
        self._began: float | None = None  # None: it does not work
        self._restarted = 0
        self._fault = ""
        self._told = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the end, no longer than this."""
        self._thread.join(seconds)

    def is_alive(self) -> bool:
        """Return whether the thread is there: at work, or in a pause before it."""
        return self._thread.is_alive()

    def health(self) -> WorkerHealth:
        """Return how it is."""
        running = self._began is not None and self.is_alive()
        return WorkerHealth(name=self.name, running=running, restarted=self._restarted, fault=self._fault)

    def look(self) -> None:
        """Tell that a fault is over once the work has gone on for a while."""
        began = self._began
        if self._told and began is not None and time.monotonic() - began > SOUND_SECONDS:
            self._told, self._fault = False, ""
            self._say(None)

    def _run(self) -> None:
        pause = 0.0
        while True:
            began = self._began = time.monotonic()
            try:
                self._work()
                return
            except Exception as error:
                log.exception("%s met an unknown fault", self.name)
                fault = error
            finally:
                self._began = None
            if self._ending.is_set():
                return
            self._tell_fault(fault)
            sound = time.monotonic() - began > SOUND_SECONDS
            pause = FIRST_PAUSE if sound or not pause else min(2 * pause, LONGEST_PAUSE)
            self._ending.wait(pause)
            self._restarted += 1

    def _tell_fault(self, fault: Exception) -> None:
        self._fault, self._told = f"{type(fault).__name__}: {fault}", True
        self._say(
            VxtrayError(
                N_("A part of vxtray failed and is started again: {name} ({reason})."),
                N_("Nothing needs to be done if this disappears. Otherwise save a support file and report it."),
                name=self.name,
                reason=str(fault) or type(fault).__name__,
            )
        )

    def _say(self, error: VxtrayError | None) -> None:
        try:
            self._tell(f"worker:{self.name}", error)
        except Exception:  # whoever listens must not end what works
            log.exception("%s could not tell how it is", self.name)


class Workers:
    """The workers of one program; ``tell`` is told of faults, and of their end by None."""

    def __init__(self, tell: Callable[[str, VxtrayError | None], None]) -> None:
        self._tell = tell
        self._all: dict[str, Worker] = {}

    def begin(self, name: str, work: Callable[[], None], ending: threading.Event) -> Worker:
        """Run ``work`` on a thread of this name from now on. Raises ``RuntimeError`` where the system has no thread."""
        worker = self._all[name] = Worker(name, work, self._tell, ending)
        return worker

    def look(self) -> None:
        """Tell which faults are over."""
        for worker in tuple(self._all.values()):
            worker.look()

    def health(self) -> list[WorkerHealth]:
        """Return how each is, by name."""
        return sorted((worker.health() for worker in tuple(self._all.values())), key=lambda one: one.name)
