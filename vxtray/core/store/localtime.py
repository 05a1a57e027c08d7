"""Wall-clock times and the instants they stand for, on days with 23, 24 or 25 hours.

Pure, any thread. ``tzinfo`` may be any zone, ``zoneinfo`` or fixed. Instants are compared in UTC only: two datetimes of
the same zone compare by their wall clock in Python, which is wrong in the hour that comes twice.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)


def utc(moment: datetime) -> datetime:
    """Return an aware datetime in UTC; raises ``ValueError`` for a naive one."""
    if moment.utcoffset() is None:
        raise ValueError("a datetime without a time zone")
    return moment.astimezone(UTC)


def first_instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return the first instant at which the clocks of a zone show a naive wall time or, where it is skipped, later.

    A time that comes twice gives its first pass. The answer is aware, in ``zone``.
    """
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(early, zone) == wall:
        return early.astimezone(zone)
    # A skipped time: with fold=1 Python answers an instant before the gap, with fold=0 one after it.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), early
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _wall(middle, zone) >= wall:
            after = middle
        else:
            before = middle
    return after.astimezone(zone)


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """Return the first instant of a local day, aware and in ``zone``; midnight does not exist on every day."""
    return first_instant(datetime.combine(day, time()), zone)


def day_starts(start: datetime, end: datetime) -> list[datetime]:
    """Cut [start, end) at the local midnights of the zone of ``start``; return where each piece begins, in UTC."""
    zone, last = _zone(start), utc(end)
    starts = [utc(start)] if utc(start) < last else []
    day = start.date()
    while starts:
        day += _DAY
        midnight = start_of_day(day, zone).astimezone(UTC)
        if midnight >= last:
            break
        if midnight > starts[-1]:  # a day that a zone left out (Apia, 30 December 2011) has no piece
            starts.append(midnight)
    return starts


def hour_starts(start: datetime, end: datetime) -> list[datetime]:
    """Cut [start, end) where a new hour begins on the clocks of the zone of ``start``, and where they are changed.

    So a change of half an hour (Lord Howe) leaves one short piece instead of shifting all later ones; in UTC.
    """
    zone, last = _zone(start), utc(end)
    starts = []
    moment = utc(start)
    while moment < last:
        starts.append(moment)
        wall = _wall(moment, zone)
        following = moment + _HOUR - (wall - wall.replace(minute=0, second=0, microsecond=0))
        moment = _clock_change(moment, following, zone) or following
    return starts


def _zone(moment: datetime) -> tzinfo:
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone")
    return moment.tzinfo


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _clock_change(before: datetime, after: datetime, zone: tzinfo) -> datetime | None:
    """Return the instant in (before, after] from which the offset of ``after`` holds, None without a change."""
    former = before.astimezone(zone).utcoffset()
    if after.astimezone(zone).utcoffset() == former:
        return None
    before = before.replace(microsecond=0)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == former:
            before = middle
        else:
            after = middle
    return after
