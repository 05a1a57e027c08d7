"""Times as log lines write them, to aware ones in UTC. Any thread; pure but for the clock, which tells a missing year.

Sources: ISO 8601 and RFC 3339, in Python's reading; RFC 3164 for the times without a year.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo

_MONTHS = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)  # noqa: SIM905 - short
}
_BSD = re.compile(
    r"([A-Za-z]{3}) {1,2}(\d{1,2}) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?: (\d{4}))?", re.ASCII
)
#: A year without a 29 February is followed by one with it within this many years.
_LEAP = 8


def iso(text: str, zone: tzinfo) -> datetime | None:
    """Return a date with its time, such as ``2026-01-20 18:00:01,123`` or ``2026-01-20T18:00:01.5+0100``.

    ``zone`` is for times without an offset. None where the text is no such time.
    """
    if not 19 <= len(text) <= 40:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def bsd(text: str, zone: tzinfo, now: datetime | None = None) -> datetime | None:
    """Return a syslog time such as ``Sep 16 00:44:55``, with the year before or behind the clock if there is one.

    Without a year it is the last time that this day came, seen from ``now`` (aware; the clock's where not given); a
    log may be ahead of us by a day, in clock or zone. None where the text is no such time.
    """
    match = _BSD.fullmatch(text)
    if match is None:
        return None
    month, day, before, hour, minute, second, fraction, behind = match.groups()
    now = (now or datetime.now(UTC)).astimezone(zone)
    year = before or behind
    for candidate in [int(year)] if year else range(now.year + 1, now.year - _LEAP - 1, -1):
        try:
            at = datetime(  # noqa: DTZ001 - the zone is put on in the next line
                candidate,
                _MONTHS.get(month.lower(), 0),
                int(day),
                int(hour),
                int(minute),
                int(second),
                int((fraction or "").ljust(6, "0")),
            ).replace(tzinfo=zone)
            if year or at <= now + timedelta(days=1):
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
