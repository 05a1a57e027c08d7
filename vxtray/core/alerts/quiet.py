"""Quiet hours and silences: until when alert mails are held. Pure, any thread."""

from datetime import UTC, datetime, time, timedelta, tzinfo

from vxtray.core.alerts.incidents import Incident, Silence
from vxtray.core.alerts.networks import networks
from vxtray.core.alerts.rules import Rule
from vxtray.core.settings.tree import Alerts
from vxtray.core.store.localtime import first_instant, utc

_DAY = timedelta(days=1)


def quiet_until(now: datetime, settings: Alerts, zone: tzinfo) -> datetime | None:
    """Return when the quiet hours that ``now`` lies in end, in UTC, or None outside of them.

    They last from the first instant at which the clocks of ``zone`` show their beginning (or later, where the clocks
    skip it) to the first at which they show their end, so that an hour that comes twice does not begin them anew.
    Those that end when they begin never are.
    """
    hours = settings.quiet_hours
    if not hours.enabled or hours.start == hours.end:
        return None
    start, end = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
    today = now.astimezone(zone).date()
    for day in (today - _DAY, today):
        begins = first_instant(datetime.combine(day, start), zone).astimezone(UTC)
        last = day if end > start else day + _DAY
        ends = first_instant(datetime.combine(last, end), zone).astimezone(UTC)
        if begins <= utc(now) < ends:
            return ends
    return None


def silences_event(silence: Silence, rule: Rule, source: str) -> bool:
    """True where a silence holds what a rule says of a source."""
    if silence.rule is not None and silence.rule is not rule:
        return False
    return not silence.network or source in networks((silence.network,))


def silences_incident(silence: Silence, incident: Incident) -> bool:
    """True where a silence holds all that an incident has to tell.

    One without a key has events of many sources or rules; only that all the urgent ones are of one rule is known.
    """
    if incident.key is not None:
        return silences_event(silence, incident.key.rule, incident.key.source)
    return incident.urgent and silence.rule is Rule.CRITICAL and not silence.network
