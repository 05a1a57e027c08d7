"""The clock: asks every half minute what is due. APScheduler only ticks; what is due is decided from the ledger.

The tick runs on one worker thread of APScheduler's (``vx-report``), so reports never overlap.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

log = logging.getLogger(__name__)

TICK_SECONDS = 30


class Schedule:
    """Calls ``tick`` at once, every half minute, and when woken; never twice at the same time."""

    def __init__(self, tick: Callable[[], None]) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1, {"thread_name_prefix": "vx-report"})},
            # A late tick is still wanted, and one is enough for many missed: the library's defaults would drop it.
            # Two instances: a wish during a tick waits for the one worker instead of being dropped.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 2},
            timezone=UTC,
        )
        self._job = self._scheduler.add_job(tick, "interval", seconds=TICK_SECONDS, next_run_time=datetime.now(UTC))

    def start(self) -> None:
        """Begin to tick."""
        # Its own messages are about its workings ("maximum number of running instances"), not about ours.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler.start()

    def wake(self) -> None:
        """Tick now: settings or the clock changed."""
        self._job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """End, and wait for a tick that is running; calling it twice is harmless."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
