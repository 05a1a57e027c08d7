"""Any days in a row as a period: its bounds, its name, the days before it, and what it can never be."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from vxtray.core.errors import UsageError
from vxtray.core.reports.files import file_name
from vxtray.core.reports.period import LONGEST, Cadence, custom, named_by, period_containing, previous

PARIS = ZoneInfo("Europe/Paris")


def test_both_days_are_in_it_and_clock_changes_too() -> None:
    period = custom(date(2026, 3, 20), date(2026, 3, 29), PARIS)
    assert (period.start.isoformat(), period.end.isoformat()) == (
        "2026-03-20T00:00:00+01:00",
        "2026-03-30T00:00:00+02:00",
    )
    assert (period.first, period.last) == (date(2026, 3, 20), date(2026, 3, 29))
    assert period.kind == "custom"
    assert file_name(period, "pdf") == "vxtray-2026-03-20-to-2026-03-29.pdf"


def test_before_it_are_as_many_days() -> None:
    before = previous(custom(date(2026, 3, 20), date(2026, 3, 29), PARIS))
    assert (before.first, before.last) == (date(2026, 3, 10), date(2026, 3, 19))
    assert before.end == custom(date(2026, 3, 20), date(2026, 3, 29), PARIS).start


def test_a_single_day_is_that_day() -> None:
    day = date(2026, 10, 25)
    assert custom(day, day, PARIS) == period_containing(Cadence.DAILY, day, PARIS)


def test_it_is_never_one_of_the_ledger() -> None:
    period = custom(date(2026, 3, 2), date(2026, 3, 8), PARIS)  # a week by the calendar
    week = period_containing(Cadence.WEEKLY, date(2026, 3, 2), PARIS)
    assert (period.start, period.end) == (week.start, week.end)
    assert period.key == "report:custom:2026-03-02..2026-03-08"
    assert named_by(period.key, PARIS) is None


def test_its_length_has_bounds() -> None:
    first = date(2026, 1, 1)
    assert custom(first, first + timedelta(days=LONGEST - 1), PARIS).last == date(2027, 1, 1)
    for last in (first - timedelta(days=1), first + timedelta(days=LONGEST)):
        with pytest.raises(UsageError):
            custom(first, last, PARIS)
