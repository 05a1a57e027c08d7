"""A computer that slept, or whose clock was set, is noticed at the next look; a slow one is not."""

from collections.abc import Iterator

import pytest

from tests.core.engine import HOUR, Engine, settings
from vxtray.core.clockwatch import ClockWatch
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.outcome import Outcome, Verdict
from vxtray.core.mail.verdicts import NO_NETWORK, without_network
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence


class Times:
    """Both clocks of a computer, moved by hand."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_764_000_000.0, 1000.0
        self.watch = ClockWatch(lambda: self.wall, lambda: self.monotonic)

    def pass_by(self, wall: float, monotonic: float) -> bool:
        self.wall += wall
        self.monotonic += monotonic
        return self.watch.leapt()


@pytest.mark.parametrize(
    ("wall", "monotonic", "leapt"),
    [
        (2, 2, False),
        (20, 20, False),  # a busy thread
        (2.4, 2, False),  # NTP
        (8 * 3600, 2, True),  # slept: Linux, macOS
        (8 * 3600, 8 * 3600, True),  # slept: Windows
        (-3598, 2, True),  # the clock was put back
        (3602, 2, True),
        (12, 2, True),
    ],
)
def test_a_leap_is_noticed_once(wall: float, monotonic: float, *, leapt: bool) -> None:
    times = Times()
    assert not times.pass_by(2, 2)
    assert times.pass_by(wall, monotonic) is leapt
    assert not times.pass_by(2, 2)


def test_the_real_clocks_of_this_computer() -> None:
    watch = ClockWatch()
    assert not any(watch.leapt() for _look in range(100))


@pytest.fixture
def engine(profile: Profile) -> Iterator[Engine]:
    made = Engine(profile, settings())
    made.service.send_report(Cadence.DAILY)
    yield made
    made.service.stop()


def held(engine: Engine, outcome: Outcome) -> bool:
    """Have an attempt end so, then let time leap; return whether the queue still waits."""
    outbox, now = engine.service.outbox, engine.clock
    list(outbox.deliver_due(lambda _parcel: outcome, now))
    hold = outbox.hold()
    assert hold is not None
    assert hold.in_force(now())
    engine.service.time_leapt()
    after = outbox.hold()
    assert after is not None
    assert after.cause is hold.cause
    return after.in_force(now())


def test_what_could_not_be_reached_is_tried_at_once_after_a_sleep(engine: Engine) -> None:
    assert not held(engine, without_network())


def test_a_server_that_was_away_is_tried_at_once_after_a_sleep(engine: Engine) -> None:
    assert not held(engine, Outcome(verdict=Verdict.SERVER, error=NO_NETWORK))


def test_an_account_that_waits_for_a_person_is_not_tried_again(engine: Engine) -> None:
    assert held(engine, Outcome(verdict=Verdict.ACCOUNT, error=VxtrayError("Refused."), heals=True))
    hold = engine.service.outbox.hold()
    assert hold is not None
    assert hold.cause is Cause.ACCOUNT
    assert hold.until is not None
    assert hold.until > engine.clock() + HOUR / 60
