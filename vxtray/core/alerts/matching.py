"""Which stored events the alert rules match, how many, and what is known of a source. Any thread.

The store narrows down by kind; what a rule is, ``rules`` alone says: every event, or one event for each group of equal
ones, goes through ``alerts_for``.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product

import msgspec

from vxtray.core.alerts.incidents import SourceHistory, TopRow
from vxtray.core.alerts.rules import Rule, alerts_for
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.settings.tree import Alerts
from vxtray.core.store import EventStore
from vxtray.core.store.alerting import unpaged
from vxtray.core.store.kinds import Kind

#: The rules that have a switch.
SWITCHED = (Rule.CRITICAL, Rule.WAF_BLOCKED, Rule.NEW_BAN, Rule.WAF_DETECTED)

_ANOTHER = "\0"  # a rule's number that no settings hold: theirs are printable
_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def with_rules(settings: Alerts, rules: Iterable[Rule]) -> Alerts:
    """Return the settings as if these rules were switched on, and no other."""
    on = set(rules)
    return msgspec.structs.replace(settings, **{rule.value: rule in on for rule in SWITCHED})


@lru_cache(maxsize=16)
def kinds_of(settings: Alerts) -> frozenset[Kind]:
    """Return the kinds of event that the rules switched on could match, whatever their numbers and addresses."""
    wide = msgspec.structs.replace(settings, rule_ids=(), allow=())
    return frozenset(kind for kind in product(Category, Action, Severity) if alerts_for([_event(kind)], wide))


def _event(kind: Kind, rule_id: str = "", src_ip: str = "") -> SecurityEvent:
    category, action, severity = kind
    return SecurityEvent(
        at=_SOME_TIME,
        source="",
        category=category,
        action=action,
        severity=severity,
        rule_id=rule_id,
        src_ip=src_ip,
    )


def matching(store: EventStore, settings: Alerts, since: datetime, until: datetime) -> Iterator[SecurityEvent]:
    """Yield the events of [since, until) that raise an alert, in order of their times; memory stays flat.

    Raises ``StoreError``.
    """
    for page in store.pages(kinds_of(settings), since, until).pages:
        for alert in alerts_for(unpaged(page), settings):
            yield alert.event


def matched_counts(store: EventStore, settings: Alerts, since: datetime, until: datetime) -> dict[Rule, int]:
    """Return for each rule that has a switch how many events of [since, until) it matches, as if it were on.

    ``minimum_severity``, ``rule_ids`` and ``allow`` are those of the settings. Raises ``StoreError``.
    """
    every = with_rules(settings, SWITCHED)
    counts = dict.fromkeys(SWITCHED, 0)
    found = store.count_kinds(kinds_of(every), since, until, rule_ids=settings.rule_ids, networks=settings.allow)
    for group in found:
        rule_id = _ANOTHER if group.rule_id is None else group.rule_id
        event = _event((group.category, group.action, group.severity), rule_id, group.src_ip)
        for alert in alerts_for([event], every):
            for rule in alert.matched:
                counts[rule] += group.events
    return counts


def source_history(store: EventStore, address: str, now: datetime) -> SourceHistory | None:
    """Return what the store knows of a source up to ``now``; None without an address. Raises ``StoreError``."""
    if not address:
        return None
    record = store.source_record(address, now)
    return SourceHistory(
        day_events=record.day_events,
        day_blocked=record.day_blocked,
        month_events=record.month_events,
        month_blocked=record.month_blocked,
        first_at=record.first_at,
        known_since=record.known_since,
        targets=record.targets,
        top_rules=tuple(
            TopRow(name=rule.name, events=rule.events, blocked=rule.blocked, severity=rule.severity)
            for rule in record.tried
        ),
    )
