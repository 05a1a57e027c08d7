"""The clock ticks at once, when woken, and never again after stop."""

import logging
import threading
from collections.abc import Callable

import pytest
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_SUBMITTED

from vxtray.core.schedule import Schedule


class Ticks:
    """Counts, and lets a test wait for the next one."""

    def __init__(self, work: Callable[[], None] = lambda: None) -> None:
        self.threads: list[str] = []
        self._work = work
        self._more = threading.Condition()

    def __call__(self) -> None:
        with self._more:
            self.threads.append(threading.current_thread().name)
            self._more.notify_all()
        self._work()

    def wait(self, count: int) -> bool:
        with self._more:
            return self._more.wait_for(lambda: len(self.threads) >= count, 10)


def test_it_ticks_at_once_and_when_woken_on_one_thread() -> None:
    ticks = Ticks()
    schedule = Schedule(ticks)
    assert ticks.threads == []
    schedule.start()
    assert ticks.wait(1)
    for count in (2, 3):
        schedule.wake()
        assert ticks.wait(count)
    schedule.stop()
    schedule.stop()
    assert len(set(ticks.threads)) == 1
    assert ticks.threads[0].startswith("vx-report")


def test_stop_waits_for_the_tick_in_hand_and_leaves_no_thread() -> None:
    inside, go_on = threading.Event(), threading.Event()
    finished: list[bool] = []

    def work() -> None:
        inside.set()
        finished.append(go_on.wait(10))

    before = set(threading.enumerate())
    schedule = Schedule(work)
    schedule.start()
    assert inside.wait(10)
    stopper = threading.Thread(target=schedule.stop)
    stopper.start()
    assert finished == []
    go_on.set()
    stopper.join(10)
    assert finished == [True]
    assert set(threading.enumerate()) <= before | {stopper}


def test_a_wish_during_a_tick_is_not_lost() -> None:
    """Settings may be saved while a long report is being made."""
    inside, go_on, taken = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        go_on.wait(10)

    ticks = Ticks(work)
    schedule = Schedule(ticks)
    schedule._scheduler.add_listener(lambda _: taken.set(), EVENT_JOB_SUBMITTED | EVENT_JOB_MAX_INSTANCES)
    schedule.start()
    assert taken.wait(10)
    assert inside.wait(10)
    taken.clear()
    schedule.wake()
    assert taken.wait(10)
    go_on.set()
    assert ticks.wait(2), "the next tick of its own would come in half a minute"
    schedule.stop()


def test_a_tick_that_raises_does_not_end_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "apscheduler")
    ticks = Ticks(lambda: _raise_first(ticks))
    schedule = Schedule(ticks)
    schedule.start()
    assert ticks.wait(1)
    schedule.wake()
    assert ticks.wait(2)
    schedule.stop()


def _raise_first(ticks: Ticks) -> None:
    if len(ticks.threads) == 1:
        raise RuntimeError("the first one")
