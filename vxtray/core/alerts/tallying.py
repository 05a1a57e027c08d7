"""Counting matched events: many of the same become one tally.

Pure, one thread at a time. A storm is counted here, event by event, so this is the part that must be quick.
"""

from datetime import datetime
from functools import lru_cache

from vxtray.core.alerts.incidents import Fold, Incident, Tally
from vxtray.core.alerts.rules import Rule
from vxtray.core.events import BLOCKED, Action, SecurityEvent, Severity
from vxtray.core.mail.plaintext import one_line

#: Names that say no more than that the WAF counted something; the message then names the attack.
GENERIC = frozenset({"waf anomaly"})

#: Rule, action, source, target and what it was, as the event says them.
Route = tuple[Rule, Action, str, str, str]

_SOURCE, _TARGET, _WHAT = 64, 253, 70


def said(event: SecurityEvent) -> str:
    """Return what an event says it was, in the log's own words, or ""."""
    name = event.rule_name
    return name if name and name.casefold() not in GENERIC else event.message or name


def route_of(rule: Rule, event: SecurityEvent) -> Route:
    """Return what tells a matched event from those of another tally, before it is made harmless."""
    return rule, event.action, event.src_ip, event.target_host or event.dst_ip, said(event)


def _clean(text: str, limit: int) -> str:
    """Return ``one_line`` of a text, quicker for the plain words that most are."""
    if len(text) <= limit and text.isascii() and text.isprintable() and " " not in text:
        return text
    return _one_line(text, limit)


_one_line = lru_cache(maxsize=1024)(one_line)


class Count:
    """Events of one route on their way into one incident."""

    incident: Incident  # said by whoever enters the count

    __slots__ = (
        "blocked", "country", "events", "first_at", "first_seq", "incident", "last_at", "last_seq", "rule", "severity",
        "source", "target", "what",
    )  # fmt: skip

    def __init__(self, route: Route, event: SecurityEvent) -> None:
        self.rule = route[0]
        self.blocked = route[1] in BLOCKED
        self.source, self.target = _clean(route[2], _SOURCE), _clean(route[3], _TARGET)
        self.what = _clean(route[4], _WHAT)
        self.country = _clean(event.country, 2)
        self.severity = event.severity
        self.events = 1
        self.first_at = self.last_at = event.at
        self.first_seq = self.last_seq = event.seq

    def add(self, event: SecurityEvent) -> None:
        """Count one more event of the same route."""
        self.events += 1
        at, seq = event.at, event.seq
        if at > self.last_at:
            self.last_at = at
        elif at < self.first_at:
            self.first_at = at
        if seq > self.last_seq:
            self.last_seq = seq
        elif seq < self.first_seq:
            self.first_seq = seq
        if event.severity is not self.severity:
            self.severity = worse(self.severity, event.severity)

    def tally(self) -> Tally:
        """Return what was counted so far."""
        return Tally(
            rule=self.rule,
            source=self.source,
            target=self.target,
            what=self.what,
            country=self.country,
            severity=self.severity,
            events=self.events,
            blocked=self.events if self.blocked else 0,
            first_at=self.first_at,
            last_at=self.last_at,
            first_seq=self.first_seq,
            last_seq=self.last_seq,
        )


def worse(one: Severity, other: Severity) -> Severity:
    """Return the higher severity."""
    return one if one is other or one.rank >= other.rank else other


def _add(tally: Tally, more: Tally) -> None:
    tally.country = tally.country or more.country
    tally.severity = worse(tally.severity, more.severity)
    tally.events += more.events
    tally.blocked += more.blocked
    tally.first_at, tally.last_at = _span(tally.first_at, tally.last_at, more.first_at, more.last_at)
    tally.first_seq, tally.last_seq = min(tally.first_seq, more.first_seq), max(tally.last_seq, more.last_seq)


def _span(first: datetime, last: datetime, other: datetime, another: datetime) -> tuple[datetime, datetime]:
    return min(first, other), max(last, another)


class Folding:
    """What was counted and not yet asked for.

    ``routes`` are the counts that events of the same route may go on adding to; ``close`` ends all of them, which has
    to come before anything that may send such an event elsewhere, and before an incident's figures are read.
    """

    def __init__(self) -> None:
        self.routes: dict[Route, Count] = {}
        self._tallies: dict[int, dict[tuple[Rule, str, str, str], Tally]] = {}

    def close(self) -> None:
        """Enter all counts in their incidents and tallies."""
        for count in self.routes.values():
            self.enter(count)
        self.routes.clear()

    def enter(self, count: Count) -> None:
        """Enter one count in its incident and its tally."""
        incident, tally = count.incident, count.tally()
        incident.events += tally.events
        incident.untold += tally.events
        incident.severity = worse(incident.severity, tally.severity)
        tallies = self._tallies.setdefault(incident.id, {})
        known = tallies.setdefault((tally.rule, tally.source, tally.target, tally.what), tally)
        if known is not tally:
            _add(known, tally)

    def take(self, incident: int) -> list[Fold]:
        """Return what to write down for one incident; it is forgotten here."""
        return [Fold(incident, tally) for tally in self._tallies.pop(incident, {}).values()]

    def take_all(self) -> list[Fold]:
        """Return what to write down for all incidents; it is forgotten here."""
        return [fold for incident in list(self._tallies) for fold in self.take(incident)]
