"""The clock: asks every half minute what is due. APScheduler only ticks; what is due is decided from the ledger.

APScheduler runs on ``vx-schedule``; the tick on one worker thread of its own (``vx-report``), so reports never overlap.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vxtray.core.supervision import Worker, Workers

if TYPE_CHECKING:
    from apscheduler.schedulers.blocking import BlockingScheduler

log = logging.getLogger(__name__)

TICK_SECONDS = 30

_START_SECONDS = 5.0
_JOIN_SECONDS = 0.2


class Schedule:
    """Calls ``tick`` at once, every half minute, and when woken; never twice at the same time.

    ``workers`` begins the thread, and again where APScheduler fails.
    """

    def __init__(self, tick: Callable[[], None], workers: Workers | None = None) -> None:
        self._tick = tick
        self._workers = workers or Workers(lambda _what, _error: None)
        self._worker: Worker | None = None
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._scheduler = self._made()

    def _made(self) -> "BlockingScheduler":
        from apscheduler.events import EVENT_SCHEDULER_STARTED
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.blocking import BlockingScheduler

        scheduler = BlockingScheduler(
            executors={"default": ThreadPoolExecutor(1, {"thread_name_prefix": "vx-report"})},
            # A late tick is still wanted, and one is enough for many missed: the library's defaults would drop it.
            # Two instances: a wish during a tick waits for the one worker instead of being dropped.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 2},
            timezone=UTC,
        )
        self._job = scheduler.add_job(self._look, "interval", seconds=TICK_SECONDS, next_run_time=datetime.now(UTC))
        scheduler.add_listener(lambda _event: self._started.set(), EVENT_SCHEDULER_STARTED)
        return scheduler

    def start(self) -> None:
        """Begin to tick."""
        # Its own messages are about its workings ("maximum number of running instances"), not about ours.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._worker = self._workers.begin("vx-schedule", self._run, self._stopping)
        self._started.wait(_START_SECONDS)

    def _run(self) -> None:
        if self._stopping.is_set():
            return
        try:
            self._scheduler.start()  # until it is shut down
        except BaseException:
            with contextlib.suppress(Exception):  # what is broken may not end in good order either
                self._scheduler.shutdown(wait=True)  # a tick in hand: there are never two
            self._scheduler = self._made()
            raise

    def _look(self) -> None:
        self._workers.look()
        self._tick()

    def wake(self) -> None:
        """Tick now: settings or the clock changed."""
        with contextlib.suppress(LookupError):  # it is being begun again, and then ticks at once
            self._job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """End, and wait for a tick that is running; calling it twice is harmless."""
        self._stopping.set()
        if self._worker is None:
            return
        while self._worker.is_alive():
            if self._scheduler.running:
                self._scheduler.shutdown(wait=True)
            self._worker.join(_JOIN_SECONDS)
