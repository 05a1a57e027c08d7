"""Every time zone from 2024 to 2040, daily, weekly and monthly, at 48 times of day: one ledger row for each period.

The gate takes a sample. The whole of it, hours on one core:
``pytest -m slow tests/core/reports/test_period_everywhere.py``; with ``VXTRAY_ZONES=3/40`` the third of forty parts.
"""

import calendar
import os
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest

from vxtray.core.reports.period import Cadence, Due, due_periods
from vxtray.core.settings.tree import Daily, Monthly, Reports, Weekday, Weekly

DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
BEGIN, END = date(2024, 1, 1), date(2041, 1, 1)
HALF_HOURS = [f"{minutes // 60:02}:{minutes % 60:02}" for minutes in range(0, 24 * 60, 30)]
#: Days of the month and the week go round with the time of day, so that each meets many.
MONTH_DAYS: tuple[object, ...] = (1, 15, 28, 29, 30, 31, "last")

#: So far back a ledger is looked through at most calls; now and then it is the whole one.
NEAR = 4

Clock = tuple[tuple[datetime, timedelta], ...]


class Book:
    """A ledger in memory, of which ``due_periods`` sees the newest part or all."""

    def __init__(self, since: datetime) -> None:
        self.since = dict.fromkeys(Cadence, since)
        self.began: dict[Cadence, date] = {}
        self.first: dict[Cadence, date] = {}
        self.done: dict[str, datetime] = {}

    def look_at(self, day: date, *, whole: bool) -> None:
        spans = {Cadence.DAILY: NEAR * DAY, Cadence.WEEKLY: 3 * 7 * DAY, Cadence.MONTHLY: 70 * DAY}
        self.first = {
            cadence: began if whole else max(began, day - spans[cadence]) for cadence, began in self.began.items()
        }

    def settle(self, due: list[Due], now: datetime) -> None:
        for one in due:
            assert one.period.key not in self.done, "once"
            self.done[one.period.key] = now
            self.began.setdefault(one.period.cadence, one.period.first)


@cache
def clock_of(zone: str) -> Clock:
    """Return the instants from which each offset of a zone holds, by looking at its clock; the first is the begin."""
    there = ZoneInfo(zone)
    moment, end = datetime(2023, 9, 1, tzinfo=UTC), datetime(2041, 4, 1, tzinfo=UTC)
    offset = moment.astimezone(there).utcoffset()
    assert offset is not None
    found = [(moment, offset)]
    while moment < end:
        later = moment + 12 * 60 * MINUTE
        now = later.astimezone(there).utcoffset()
        assert now is not None
        if now != found[-1][1]:
            before, after = moment, later
            while after - before > SECOND:
                middle = before + (after - before) // SECOND // 2 * SECOND
                before, after = (
                    (middle, after) if middle.astimezone(there).utcoffset() == found[-1][1] else (before, middle)
                )
            found.append((after, now))
        moment = later
    return tuple(found)


@cache
def zones() -> list[str]:
    """Return one zone of all those whose clocks never differ in these years."""
    kinds: dict[Clock, str] = {}
    for name in sorted(available_timezones() - {"localtime"}):
        kinds.setdefault(clock_of(name), name)
    return list(kinds.values())


def reached(clock: Clock, wall: datetime) -> datetime:
    """Return the first instant at which a clock shows a wall time or, where it is left out, a later one."""
    for number in range(len(clock)):
        start, offset = clock[number]
        end = clock[number + 1][0] if number + 1 < len(clock) else datetime.max.replace(tzinfo=UTC)
        moment = max(wall.replace(tzinfo=UTC) - offset, start)
        if moment < end:
            return moment
    raise AssertionError(wall)


def timetable(clock: Clock, at: str, weekday: int, day: object) -> Iterator[tuple[datetime, str]]:
    """Yield when each report is sent, and its key, as a person with a calendar and a watch would write it down."""
    at_time = time.fromisoformat(at)
    clocks = _narrowed(clock)
    for number in range((END - BEGIN).days):
        today = BEGIN + number * DAY
        moment = reached(clocks[today.year], datetime.combine(today, at_time))
        yield moment, f"report:daily:{today - DAY}"
        if today.weekday() == weekday:
            yield moment, f"report:weekly:{today - (weekday + 7) * DAY}"
        last = calendar.monthrange(today.year, today.month)[1]
        if today.day == (last if day == "last" else min(int(str(day)), last)):
            before = today.replace(day=1) - DAY
            yield moment, f"report:monthly:{before:%Y-%m}"


def _narrowed(clock: Clock) -> dict[int, Clock]:
    """Return the part of a clock that matters in each year."""
    parts = {}
    for year in range(BEGIN.year, END.year + 1):
        until = datetime(year + 1, 1, 3, tzinfo=UTC)
        old = [one for one in clock if one[0] < datetime(year - 1, 12, 29, tzinfo=UTC)]
        parts[year] = tuple(old[-1:]) + tuple(one for one in clock if one not in old and one[0] < until)
    return parts


def check(zone: str, number: int, *, thorough: bool = True) -> None:
    """Live through the years at one time of day."""
    clock, there, at = clock_of(zone), ZoneInfo(zone), HALF_HOURS[number]
    weekday, day = number % 7, MONTH_DAYS[number // 7 % 7]
    reports = Reports(
        daily=Daily(enabled=True, time=at),
        weekly=Weekly(enabled=True, time=at, weekday=list(Weekday)[weekday]),
        monthly=Monthly(enabled=True, time=at, day=day),
    )
    changes = {(moment + shift * DAY).date() for moment, _offset in clock for shift in (-2, -1, 0, 1, 2)}
    wanted: dict[datetime, list[str]] = {}
    for moment, key in timetable(clock, at, weekday, day):
        wanted.setdefault(moment, []).append(key)
    book = Book(min(wanted) - MINUTE)
    for count, (moment, keys) in enumerate(wanted.items()):
        odd = moment.date() in changes
        if not thorough and not odd and count % 29 and len(keys) == 1:
            book.done[keys[0]] = moment  # an ordinary day, as so many
            continue
        book.look_at(moment.date(), whole=count % 500 == 0)
        if odd or count % 7 == 0:
            assert due_periods(reports, book, moment - SECOND, there) == ([], []), (zone, at, moment)
        send, skipped = due_periods(reports, book, moment, there)
        assert sorted(due.period.key for due in send) == sorted(keys), (zone, at, moment)
        assert not skipped
        assert all(due.scheduled_at == moment for due in send)
        book.settle(send, moment)
    assert sorted(book.done) == sorted(key for keys in wanted.values() for key in keys)


def test_a_sample_of_the_world() -> None:
    dice = random.Random(20261123)
    for zone in dice.sample(sorted(available_timezones() - {"localtime"}), 5):
        check(zone, dice.randrange(48), thorough=False)


@pytest.mark.parametrize("zone", ["Europe/Paris", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe"])
def test_zones_with_odd_days(zone: str) -> None:
    for number in (0, 5, 47):
        check(zone, number, thorough=False)


@pytest.mark.slow
@pytest.mark.timeout(10000)
def test_the_whole_world() -> None:
    part, _of, parts = os.environ.get("VXTRAY_ZONES", "1/1").partition("/")
    pairs = [(zone, number) for zone in zones() for number in range(48)]
    for zone, number in pairs[int(part) - 1 :: int(parts)]:
        check(zone, number)
