"""Periods and due reports on every odd day that zones have come up with."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vxtray.core.reports.period import (
    MOST_MISSED,
    Cadence,
    Due,
    due_periods,
    last_complete,
    machine_zone,
    next_occurrence,
    period_containing,
    previous,
    report_zone,
)
from vxtray.core.settings.tree import Daily, Monthly, Reports, Weekday, Weekly
from vxtray.core.store.localtime import utc

PARIS = ZoneInfo("Europe/Paris")
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

#: zone -> days on or around which its clocks were changed
ODD_DAYS = {
    "Europe/Paris": (date(2026, 3, 29), date(2026, 10, 25), date(2028, 2, 29)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1), date(2027, 12, 31)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # half an hour
    "Asia/Kathmandu": (date(1986, 1, 1), date(2026, 5, 1)),  # 00:00 became 00:15
    "Africa/Cairo": (date(2026, 4, 24), date(2026, 10, 30)),  # no midnight; an hour before midnight twice
    "America/Santiago": (date(2026, 4, 5), date(2026, 9, 6)),
    "America/Sao_Paulo": (date(2017, 10, 15), date(2018, 2, 18)),
    "America/Havana": (date(2026, 3, 8), date(2026, 11, 1)),  # midnight twice
    "America/St_Johns": (date(2010, 11, 7), date(2011, 3, 13)),  # at 00:01, back into the day before
    "Pacific/Apia": (date(2011, 12, 30), date(2011, 12, 31)),  # 30 December was left out
    "UTC": (date(2026, 1, 1),),
}

odd_days = st.sampled_from([(name, day) for name, days in ODD_DAYS.items() for day in days])
times = st.one_of(
    st.sampled_from(
        ["00:00", "00:01", "00:30", "01:00", "02:00", "02:30", "03:00", "08:00", "23:00", "23:30", "23:59"]
    ),
    st.times().map(lambda moment: f"{moment:%H:%M}"),
)
zones = st.sampled_from(sorted(ODD_DAYS)).map(ZoneInfo)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


class Book:
    """A ledger in memory."""

    def __init__(self, since: datetime) -> None:
        self.since = dict.fromkeys(Cadence, since)
        self.first: dict[Cadence, date] = {}
        self.done: set[str] = set()

    def settle(self, due: list[Due]) -> None:
        """Take down what was sent or skipped."""
        for one in due:
            self.done.add(one.period.key)
            self.first.setdefault(
                one.period.cadence, min(d.period.first for d in due if d.period.cadence is one.period.cadence)
            )


def daily(at: str = "08:00", **more: object) -> Reports:
    return Reports(daily=Daily(enabled=True, time=at), **more)


def weekly(weekday: Weekday = Weekday.MONDAY, at: str = "08:00") -> Reports:
    return Reports(weekly=Weekly(enabled=True, weekday=weekday, time=at))


def monthly(day: object = 1, at: str = "08:00") -> Reports:
    return Reports(monthly=Monthly(enabled=True, day=day, time=at))


def at(text: str, zone: ZoneInfo = PARIS) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def run(reports: Reports, book: Book, now: datetime, zone: ZoneInfo = PARIS) -> list[str]:
    """Do what the scheduler does at a tick; return the keys sent."""
    send, skipped = due_periods(reports, book, now, zone)
    book.settle([*send, *skipped])
    assert due_periods(reports, book, now, zone) == ([], [])
    return [due.period.key for due in send]


# --- periods ---------------------------------------------------------------------------------------------------------


def test_keys_and_limits():
    day = date(2026, 11, 21)
    periods = [period_containing(cadence, day, PARIS) for cadence in Cadence]
    assert [period.key for period in periods] == [
        "report:daily:2026-11-21",
        "report:weekly:2026-11-16",
        "report:monthly:2026-11",
    ]
    assert [(period.start.isoformat(), period.end.isoformat()) for period in periods] == [
        ("2026-11-21T00:00:00+01:00", "2026-11-22T00:00:00+01:00"),
        ("2026-11-16T00:00:00+01:00", "2026-11-23T00:00:00+01:00"),
        ("2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00"),
    ]


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        ("Europe/Paris", date(2026, 3, 29), "2026-03-29T00:00:00+01:00", 23),
        ("Europe/Paris", date(2026, 10, 25), "2026-10-25T00:00:00+02:00", 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-04T00:00:00+10:30", 23.5),
        ("Africa/Cairo", date(2026, 4, 24), "2026-04-24T01:00:00+03:00", 23),
        ("America/Sao_Paulo", date(2017, 10, 15), "2017-10-15T01:00:00-02:00", 23),
        ("Asia/Kathmandu", date(1986, 1, 1), "1986-01-01T00:15:00+05:45", 23.75),
        ("America/Havana", date(2026, 11, 1), "2026-11-01T00:00:00-04:00", 25),
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-31T00:00:00+14:00", 24),
    ],
)
def test_days_that_are_not_24_hours_from_midnight(zone, day, start, hours):
    period = period_containing(Cadence.DAILY, day, ZoneInfo(zone))
    assert period.start.isoformat() == start
    assert (utc(period.end) - utc(period.start)) / timedelta(hours=1) == hours


def test_the_day_before_one_that_was_left_out():
    period = period_containing(Cadence.DAILY, date(2011, 12, 31), ZoneInfo("Pacific/Apia"))
    assert previous(period).key == "report:daily:2011-12-29"
    assert utc(previous(period).end) == utc(period.start)


@settings(max_examples=150)
@given(cadence=st.sampled_from(list(Cadence)), zone=zones, now=moments)
def test_periods_follow_each_other_without_a_gap(cadence, zone, now):
    newest = last_complete(cadence, now, zone)
    assert utc(newest.end) <= now
    following = period_containing(cadence, newest.end.date(), zone)
    assert utc(following.start) == utc(newest.end)
    assert now < utc(following.end)
    before = previous(newest)
    assert utc(before.end) == utc(newest.start)
    assert period_containing(cadence, newest.first, zone) == newest
    assert msgspec.structs.asdict(previous(following)) == msgspec.structs.asdict(newest)


# --- when a report is sent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reports", "cadence", "day", "expected"),
    [
        (daily("02:30"), Cadence.DAILY, date(2026, 3, 28), "2026-03-29T01:00:00+00:00"),  # 02:30 is skipped: 03:00
        (daily("02:30"), Cadence.DAILY, date(2026, 10, 24), "2026-10-25T00:30:00+00:00"),  # twice: the first
        (weekly(Weekday.SUNDAY, "23:59"), Cadence.WEEKLY, date(2026, 11, 16), "2026-11-29T22:59:00+00:00"),
        (monthly(31), Cadence.MONTHLY, date(2028, 1, 1), "2028-02-29T07:00:00+00:00"),
        (monthly(29), Cadence.MONTHLY, date(2026, 1, 1), "2026-02-28T07:00:00+00:00"),
        (monthly("last"), Cadence.MONTHLY, date(2026, 3, 1), "2026-04-30T06:00:00+00:00"),
        (monthly(1, "00:00"), Cadence.MONTHLY, date(2026, 12, 31), "2026-12-31T23:00:00+00:00"),
    ],
)
def test_occurrences(reports, cadence, day, expected):
    period = period_containing(cadence, day, PARIS)
    moment = next_occurrence(cadence, reports, utc(period.end) - timedelta(microseconds=1), PARIS)
    assert moment is not None
    assert utc(moment).isoformat() == expected


@lru_cache(maxsize=64)
def clock(zone: str, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Return every minute of nine days as (UTC, wall clock): what a person with a watch would write down."""
    start = datetime.combine(day - 4 * DAY, time(12), UTC)
    instants = [start + n * MINUTE for n in range(9 * 24 * 60)]
    return tuple((instant, instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for instant in instants)


def expected_days(zone: str, day: date, at: str) -> Iterator[tuple[str, datetime]]:
    """Say, from the watch alone, which daily report leaves when."""
    minutes = clock(zone, day)
    existing = {wall.date() for _, wall in minutes}
    for offset in range(-3, 4):
        reported = day + offset * DAY
        wanted = datetime.combine(reported + DAY, time.fromisoformat(at))
        if reported in existing:
            yield f"report:daily:{reported}", next(instant for instant, wall in minutes if wall >= wanted)


@settings(max_examples=60)
@given(
    odd_day=odd_days, at=times, step=st.sampled_from([1, 30, 47, 600, 2000]), catch_up=st.sampled_from(["last", "all"])
)
def test_every_daily_period_is_reported_once_at_its_time(odd_day, at, step, catch_up):
    zone, day = odd_day
    expected = dict(expected_days(zone, day, at))
    first, last = min(expected.values()), max(expected.values())
    reports, book = daily(at, catch_up=catch_up), Book(first - MINUTE)
    handled: dict[str, datetime] = {}
    # Minute by minute only around the odd day itself; due_periods has no memory, so nothing is lost by that.
    around = datetime.combine(day, time(), UTC)
    ticks = [
        instant
        for n, (instant, _) in enumerate(clock(zone, day))
        if n % step == 0 and (step > 1 or abs(instant - around) < timedelta(hours=16) or n % 60 == 0)
    ]
    for now in [tick for tick in ticks if tick <= last] + [last]:
        send, skipped = due_periods(reports, book, now, ZoneInfo(zone))
        assert len(send) <= 1 or catch_up == "all"
        assert not skipped or (catch_up == "last" and skipped[-1].scheduled_at < send[0].scheduled_at)
        for due in [*skipped, *send]:
            assert due.period.key not in handled
            assert utc(due.period.end) <= due.scheduled_at <= now
            handled[due.period.key] = due.scheduled_at
        book.settle([*skipped, *send])
    assert handled == expected


@pytest.mark.parametrize("zone", ["Europe/Paris", "Africa/Cairo", "Pacific/Apia"])
@pytest.mark.parametrize("day", [1, 30, 31, "last"])
def test_a_leap_year_of_weeks_and_months(zone, day):
    reports = Reports(
        weekly=Weekly(enabled=True, weekday=Weekday.FRIDAY, time="00:00"),
        monthly=Monthly(enabled=True, day=day, time="00:00"),
    )
    start = datetime(2011, 6, 1, 12, tzinfo=UTC)
    book, sent = Book(start), []
    for n in range(0, 24 * 550, 23):
        sent += run(reports, book, start + timedelta(hours=n), ZoneInfo(zone))
    months = [key for key in sent if ":monthly:" in key]
    expected = range(5, 23) if day == 1 else range(4, 22)
    assert months == [f"report:monthly:{2011 + n // 12}-{n % 12 + 1:02}" for n in expected]
    weeks = [date.fromisoformat(key.removeprefix("report:weekly:")) for key in sent if ":weekly:" in key]
    assert [after - before for before, after in pairwise(weeks)] == [7 * DAY] * (len(weeks) - 1)
    assert len(weeks) >= 78


# --- what is due -----------------------------------------------------------------------------------------------------


def test_nothing_before_it_was_switched_on():
    book = Book(at("2026-11-21T08:00"))
    assert run(daily(), book, at("2026-11-21T09:00")) == []
    assert run(daily(), book, at("2026-11-22T07:59")) == []
    assert run(daily(), book, at("2026-11-22T08:00")) == ["report:daily:2026-11-21"]
    book.since = {}
    assert run(daily(), book, at("2026-11-25T08:00")) == []


def test_what_is_switched_off_is_never_due():
    book = Book(at("2026-01-01T00:00"))
    assert run(Reports(), book, at("2026-11-22T08:00")) == []


def test_missed_reports():
    now = at("2026-11-24T09:00")
    send, skipped = due_periods(daily(), Book(at("2026-11-20T12:00")), now, PARIS)
    assert [due.period.key for due in send] == ["report:daily:2026-11-23"]
    assert [due.period.key for due in skipped] == [f"report:daily:2026-11-{n}" for n in (20, 21, 22)]
    send, skipped = due_periods(daily(catch_up="all"), Book(at("2026-11-20T12:00")), now, PARIS)
    assert [due.period.key for due in send] == [f"report:daily:2026-11-{n}" for n in (20, 21, 22, 23)]
    assert skipped == []


def test_an_old_gap_is_not_sent_after_a_newer_report():
    book = Book(at("2026-11-20T12:00"))
    book.done.add("report:daily:2026-11-22")
    send, skipped = due_periods(daily(), book, at("2026-11-23T09:00"), PARIS)
    assert (send, [due.period.key for due in skipped]) == ([], ["report:daily:2026-11-20", "report:daily:2026-11-21"])


def test_a_late_tick_after_a_day_that_was_left_out():
    apia = ZoneInfo("Pacific/Apia")
    book = Book(at("2011-12-28T12:00", apia))
    send, skipped = due_periods(daily(), book, at("2011-12-31T09:00", apia), apia)
    assert [due.period.key for due in send] == ["report:daily:2011-12-29"]
    assert [due.period.key for due in skipped] == ["report:daily:2011-12-28"]


def test_cadences_are_in_the_order_of_their_time():
    reports = Reports(
        daily=Daily(enabled=True, time="10:00"),
        weekly=Weekly(enabled=True),
        monthly=Monthly(enabled=True, time="09:00"),
    )
    keys = run(reports, Book(at("2026-05-31T12:00")), at("2026-06-01T12:00"))
    assert keys == ["report:weekly:2026-05-25", "report:monthly:2026-05", "report:daily:2026-05-31"]


@settings(max_examples=30)
@example(changes={5: "23:00"}, zone=ZoneInfo("Africa/Cairo"))
@given(changes=st.dictionaries(st.integers(0, 95), times, max_size=12), zone=zones)
def test_changing_the_schedule_never_repeats_nor_skips(changes, zone):
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    reports, book = daily(catch_up="all"), Book(start)
    sent: list[str] = []
    for n in range(96):
        reports = daily(changes[n], catch_up="all") if n in changes else reports
        sent += run(reports, book, start + timedelta(hours=5 * n), zone)
    days = [date.fromisoformat(key.removeprefix("report:daily:")) for key in sent]
    assert days == [days[0] + n * DAY for n in range(len(days))]
    assert len(days) >= 17


def test_a_weekday_moved_back_and_forth():
    book = Book(at("2026-11-01T12:00"))
    assert run(weekly(Weekday.MONDAY), book, at("2026-11-02T08:00")) == ["report:weekly:2026-10-26"]
    assert run(weekly(Weekday.SUNDAY), book, at("2026-11-09T12:00")) == []
    assert run(weekly(Weekday.SUNDAY), book, at("2026-11-15T08:00")) == ["report:weekly:2026-11-02"]
    assert run(weekly(Weekday.MONDAY), book, at("2026-11-16T08:00")) == ["report:weekly:2026-11-09"]


def test_a_changed_zone_repeats_nothing():
    book = Book(at("2026-11-20T12:00"))
    now = at("2026-11-22T08:00")
    assert run(daily(), book, now) == ["report:daily:2026-11-21"]
    assert run(daily(), book, now, ZoneInfo("America/New_York")) == []
    assert run(daily(), book, now + 6 * timedelta(hours=1), ZoneInfo("America/New_York")) == []
    assert run(daily(), book, now + DAY) == ["report:daily:2026-11-22"]


def test_ten_years_off_and_a_clock_that_jumps():
    reports = Reports(daily=Daily(enabled=True), weekly=Weekly(enabled=True), monthly=Monthly(enabled=True))
    book = Book(at("2016-11-20T12:00"))
    send, skipped = due_periods(reports, book, at("2026-11-22T09:00"), PARIS)
    assert [due.period.key for due in send] == [
        "report:monthly:2026-10",
        "report:weekly:2026-11-09",
        "report:daily:2026-11-21",
    ]
    assert len(skipped) <= 3 * MOST_MISSED
    book = Book(at("2026-11-20T12:00"))
    assert run(reports, book, at("2096-11-20T12:00"))
    assert run(reports, book, at("1999-11-20T12:00")) == []
    assert run(daily(), book, at("2026-11-22T09:00")) == ["report:daily:2026-11-21"]


@settings(max_examples=100)
@example(
    zone=PARIS, now=datetime(2026, 10, 24, 12, tzinfo=UTC), at="02:30", weekday=Weekday.SUNDAY, day=25
)  # an hour that comes twice
@given(zone=zones, now=moments, at=times, weekday=st.sampled_from(list(Weekday)), day=st.integers(1, 31))
def test_the_next_occurrence_is_when_something_becomes_due(zone, now, at, weekday, day):
    reports = Reports(
        daily=Daily(enabled=True, time=at),
        weekly=Weekly(enabled=True, weekday=weekday, time=at),
        monthly=Monthly(enabled=True, day=day, time=at),
    )
    book = Book(now)
    for cadence in Cadence:
        moment = next_occurrence(cadence, reports, now, zone)
        assert moment is not None
        assert utc(moment) > now
        assert moment.tzinfo is zone
        send, skipped = due_periods(reports, book, utc(moment), zone)
        [key] = [
            due.period.key for due in [*send, *skipped] if due.scheduled_at == utc(moment) and cadence in due.period.key
        ]
        just_before, missed = due_periods(reports, book, utc(moment) - MINUTE, zone)
        assert not [due for due in [*just_before, *missed] if due.period.cadence is cadence]
        book.done = {key}
        later = next_occurrence(cadence, reports, now, zone, book)
        assert later is not None
        assert utc(later) > utc(moment)


def test_no_next_occurrence_of_what_is_off():
    assert next_occurrence(Cadence.WEEKLY, daily(), at("2026-11-22T09:00"), PARIS) is None


# --- zones -----------------------------------------------------------------------------------------------------------


def test_zones(monkeypatch):
    assert report_zone(Reports(zone="Asia/Kathmandu")).key == "Asia/Kathmandu"
    monkeypatch.setenv("TZ", "America/Santiago")
    assert machine_zone().key == report_zone(Reports()).key == "America/Santiago"
    assert report_zone(Reports(zone="Mars/Olympus")).key == "America/Santiago"
    monkeypatch.setenv("TZ", "No/Such")
    assert machine_zone().key == "UTC"
