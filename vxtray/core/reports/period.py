"""Local-calendar periods, when their reports are sent, and which of them are due.

Pure and without a clock of its own (``machine_zone`` alone asks the system); any thread. One rule carries all of it:
the report of a period belongs to one moment in the period that follows it, so however often the schedule, the zone or
the clock changes, a period has one key and one report.
"""

import calendar
import warnings
from collections.abc import Container, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from vxtray.core.errors import N_, UsageError
from vxtray.core.settings.tree import Daily, Monthly, Reports, Weekday, Weekly
from vxtray.core.store.localtime import first_instant, start_of_day, utc

#: How many periods of one cadence are looked back at, so that a clock that was years off costs a bounded time.
MOST_MISSED = 400

#: Days of a custom period, at most.
LONGEST = 366

_DAY = timedelta(days=1)
_WEEKDAYS = list(Weekday)


class Cadence(StrEnum):
    """How often a report is made."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A local day, a week from Monday or a month: [start, end), both aware and in ``zone``.

    ``start`` is the first instant of its day, which is not 00:00 where a zone leaves midnight out. A ``custom`` one is
    any days in a row that a person chose: told by day, as a week is, and never in the ledger.
    """

    cadence: Cadence
    start: datetime
    end: datetime
    zone: ZoneInfo
    custom: bool = False

    @property
    def kind(self) -> str:
        """What it is in names of files and in numbers: its cadence, or ``custom``."""
        return "custom" if self.custom else str(self.cadence)

    @property
    def first(self) -> date:
        """The first day by the calendar; for a week its Monday, for a month its day 1."""
        return self.start.date() if self.custom else _first_day(self.cadence, self.start.date())

    @property
    def last(self) -> date:
        """The last day by the calendar."""
        return (self.end - timedelta(microseconds=1)).date()

    @property
    def key(self) -> str:
        """The one name of this period in the ledger, such as ``report:daily:2026-11-21``."""
        return f"report:custom:{self.first}..{self.last}" if self.custom else _key(self.cadence, self.first)


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A period whose report is to be sent, or was missed; ``scheduled_at`` (UTC) is when it should have been sent."""

    period: Period
    scheduled_at: datetime


class Ledger(Protocol):
    """What is remembered between runs."""

    @property
    def since(self) -> Mapping[Cadence, datetime]:
        """When each cadence was switched on (aware); a change of its day or time is not a switching on.

        Until ``first`` is known, only what is scheduled later counts. A cadence that is missing is off.
        """

    @property
    def first(self) -> Mapping[Cadence, date]:
        """The first day of the first period that was settled since then: from it on each counts, earlier ones never.

        So a changed day or time can neither bring back what was before, nor leave out what comes after. One that is
        not over yet was settled by a clock that ran ahead, and does not count.
        """

    @property
    def done(self) -> Container[str]:
        """The keys of the periods that were sent or skipped."""


def period_containing(cadence: Cadence, day: date, zone: ZoneInfo) -> Period:
    """Return the period of a local day; a day that the zone left out (Apia, 30 December 2011) gives the next one.

    Raises ``OverflowError`` at the ends of the calendar (years 1 and 9999).
    """
    first = _first_day(cadence, day)
    return _period(cadence, first, zone) or period_containing(cadence, _following(cadence, first), zone)


def custom(first: date, last: date, zone: ZoneInfo) -> Period:
    """Return the days from ``first`` to ``last``, both included; for a single day that day's own period.

    Raises ``UsageError`` where they are the wrong way round, or more than ``LONGEST``.
    """
    if not timedelta() <= last - first < LONGEST * _DAY:
        raise UsageError(
            N_("A report cannot cover {first} to {last}."),
            N_("Choose a last day that is not before the first, and at most {most} days."),
            first=first,
            last=last,
            most=LONGEST,
        )
    if first == last:
        return period_containing(Cadence.DAILY, first, zone)
    start, end = start_of_day(first, zone), start_of_day(last + _DAY, zone)
    return Period(cadence=Cadence.WEEKLY, start=start, end=end, zone=zone, custom=True)


def last_complete(cadence: Cadence, now: datetime, zone: ZoneInfo) -> Period:
    """Return the newest period that is over at ``now`` (aware)."""
    period = period_containing(cadence, now.astimezone(zone).date(), zone)
    while utc(period.end) > utc(now):
        period = previous(period)
    return period


def previous(period: Period) -> Period:
    """Return the period before, in the same zone; before a custom one as many days again."""
    if period.custom:
        return custom(period.first - (period.last - period.first) - _DAY, period.first - _DAY, period.zone)
    first = _preceding(period.cadence, period.first)
    return _period(period.cadence, first, period.zone) or _existing_before(period.cadence, first, period.zone)


def enabled(cadence: Cadence, reports: Reports) -> bool:
    """True where this report is switched on."""
    return _schedule(cadence, reports).enabled


def due_periods(reports: Reports, ledger: Ledger, now: datetime, zone: ZoneInfo) -> tuple[list[Due], list[Due]]:
    """Return the periods to report now and the missed ones to mark as skipped, each by scheduled time, oldest first.

    Due is what counts by the ledger, was scheduled not later than ``now`` and is not done. With ``catch_up`` "last"
    only the newest period of each cadence is due, what was missed before it (or before one that is done) is skipped.
    """
    send: list[Due] = []
    skipped: list[Due] = []
    for cadence in Cadence:
        if cadence not in ledger.since or not enabled(cadence, reports):
            continue
        newest = True
        for first, moment in _newest_first(cadence, reports, ledger, now, zone):
            # What is done counts even if its time was changed to a later one since it was sent; unless it is not even
            # over: then a clock that ran ahead has sent it.
            if _key(cadence, first) in ledger.done:
                newest = newest and utc(start_of_day(_following(cadence, first), zone)) > utc(now)
            elif moment <= utc(now) and (period := _period(cadence, first, zone)):
                missed = reports.catch_up == "last" and not newest
                (skipped if missed else send).append(Due(period=period, scheduled_at=moment))
                newest = False
    send.sort(key=_by_time)
    skipped.sort(key=_by_time)
    return send, skipped


def next_occurrence(
    cadence: Cadence, reports: Reports, now: datetime, zone: ZoneInfo, ledger: Ledger | None = None
) -> datetime | None:
    """Return when the next report leaves (aware, in ``zone``), None where it is switched off.

    With a ledger, what does not count by it or is done is passed over.
    """
    if not enabled(cadence, reports):
        return None
    begin = _beginning(cadence, ledger, now, zone) if ledger is not None else None
    first = _preceding(cadence, _first_day(cadence, now.astimezone(zone).date() - _DAY))
    while True:
        moment = _occurrence(cadence, first, reports, zone)
        wanted = ledger is None or (
            _counts(first, moment, begin, ledger.since.get(cadence)) and _key(cadence, first) not in ledger.done
        )
        if wanted and moment > utc(now) and _period(cadence, first, zone):
            return moment.astimezone(zone)
        first = _following(cadence, first)


def _beginning(cadence: Cadence, ledger: Ledger, now: datetime, zone: ZoneInfo) -> date | None:
    begin = ledger.first.get(cadence)
    if begin is None or utc(start_of_day(_following(cadence, begin), zone)) > utc(now):
        return None
    return begin


def _counts(first: date, moment: datetime, begin: date | None, since: datetime | None) -> bool:
    if begin is not None:
        return first >= begin
    return since is None or moment > utc(since)


def named_by(key: str, zone: ZoneInfo) -> Period | None:
    """Return the period of a key of the ledger, None where it is no such key or the zone left that day out."""
    _report, _colon, rest = key.partition(":")
    cadence, _colon, day = rest.partition(":")
    try:
        return _period(Cadence(cadence), date.fromisoformat(day if len(day) > len("2026-11") else f"{day}-01"), zone)
    except (ValueError, OverflowError):
        return None


def machine_zone() -> ZoneInfo:
    """Return the zone of this machine, UTC where the system does not say."""
    import tzlocal

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where it falls back to UTC, which is what we want then
            return tzlocal.reload_localzone()  # not the cached one: laptops travel
    except (LookupError, ValueError, OSError):
        return ZoneInfo("UTC")


def report_zone(reports: Reports) -> ZoneInfo:
    """Return the zone that reports are made in: the one set, else the machine's."""
    if not reports.zone:
        return machine_zone()
    try:
        return ZoneInfo(reports.zone)
    except (LookupError, ValueError, OSError):  # a name that this machine's zone data does not have
        return machine_zone()


# --- the calendar, by the first day of each period -------------------------------------------------------------------


def _first_day(cadence: Cadence, day: date) -> date:
    if cadence is Cadence.WEEKLY:
        return day - day.weekday() * _DAY
    return day.replace(day=1) if cadence is Cadence.MONTHLY else day


def _following(cadence: Cadence, first: date) -> date:
    if cadence is Cadence.MONTHLY:
        return (first + 31 * _DAY).replace(day=1)
    return first + (7 * _DAY if cadence is Cadence.WEEKLY else _DAY)


def _preceding(cadence: Cadence, first: date) -> date:
    return _first_day(cadence, first - _DAY)


def _key(cadence: Cadence, first: date) -> str:
    return f"report:{cadence}:{first:%Y-%m}" if cadence is Cadence.MONTHLY else f"report:{cadence}:{first}"


def _period(cadence: Cadence, first: date, zone: ZoneInfo) -> Period | None:
    start, end = start_of_day(first, zone), start_of_day(_following(cadence, first), zone)
    if utc(start) >= utc(end):
        return None  # a day that the zone left out
    return Period(cadence=cadence, start=start, end=end, zone=zone)


def _existing_before(cadence: Cadence, first: date, zone: ZoneInfo) -> Period:
    first = _preceding(cadence, first)
    return _period(cadence, first, zone) or _existing_before(cadence, first, zone)


# --- the schedule ----------------------------------------------------------------------------------------------------


def _schedule(cadence: Cadence, reports: Reports) -> Daily | Weekly | Monthly:
    if cadence is Cadence.DAILY:
        return reports.daily
    return reports.weekly if cadence is Cadence.WEEKLY else reports.monthly


def _occurrence(cadence: Cadence, first: date, reports: Reports, zone: ZoneInfo) -> datetime:
    """Return when the report of the period that begins on ``first`` is sent (UTC): on the day set in the next period.

    A local time that is skipped becomes the next one that exists, of a repeated one the first pass counts. Day 29 to
    31 falls back to the last day of a shorter month.
    """
    schedule = _schedule(cadence, reports)
    day = _following(cadence, first)
    if isinstance(schedule, Weekly):
        day += _WEEKDAYS.index(schedule.weekday) * _DAY
    elif isinstance(schedule, Monthly):
        last = calendar.monthrange(day.year, day.month)[1]
        day = day.replace(day=last if schedule.day == "last" else min(schedule.day, last))
    wall = datetime.combine(day, time.fromisoformat(schedule.time))
    return first_instant(wall, zone).astimezone(UTC)


def _newest_first(
    cadence: Cadence, reports: Reports, ledger: Ledger, now: datetime, zone: ZoneInfo
) -> Iterator[tuple[date, datetime]]:
    """Yield the first day of each period that counts, and when it is scheduled, newest first.

    It begins with the newest that may be over, whose moment may still be to come; at most ``MOST_MISSED``.
    """
    # One day more than today: some zones went back over midnight, so tomorrow may have begun already.
    begin = _beginning(cadence, ledger, now, zone)
    first = _preceding(cadence, _first_day(cadence, now.astimezone(zone).date() + _DAY))
    for _ in range(MOST_MISSED):
        moment = _occurrence(cadence, first, reports, zone)
        if not _counts(first, moment, begin, ledger.since[cadence]):
            return
        yield first, moment
        first = _preceding(cadence, first)


def _by_time(due: Due) -> datetime:
    return due.scheduled_at
