"""Which events raise an alert. Pure functions over events and settings, any thread."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from itertools import product

import msgspec

from vxtray.core.alerts.networks import networks
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.settings.tree import Alerts


class Rule(StrEnum):
    """Why an alert is sent; the values of the first four are the names of their switches too.

    From the most severe to the least. Only ``CRITICAL`` can meet another rule on one event: the other three ask for
    different actions. The last three need no switch and no event: they are about vxtray's own work (``conditions``).
    """

    CRITICAL = "critical"
    WAF_BLOCKED = "waf_blocked"
    NEW_BAN = "new_ban"
    WAF_DETECTED = "waf_detected"
    SOURCE_SILENT = "source_silent"
    MAIL_DOWN = "mail_down"
    DISK_FULL = "disk_full"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One event to be told at once, under its most severe rule. ``matched`` holds all its rules, that one first."""

    rule: Rule
    event: SecurityEvent
    matched: tuple[Rule, ...]


#: The rules that ``rule_ids`` narrows down.
_OF_RULE_IDS = frozenset({Rule.WAF_BLOCKED, Rule.WAF_DETECTED})

#: What the rules look at first: category, action and severity.
_Kind = tuple[Category, Action, Severity]


def _matched(kind: _Kind, settings: Alerts) -> tuple[Rule, ...]:
    """Return the rules that a kind of event matches, the most severe first.

    ``minimum_severity`` holds for the two WAF rules only: a ban is always worth its switch, critical is critical.
    """
    category, action, severity = kind
    waf = category is Category.WAF and severity.rank >= settings.minimum_severity.rank
    matches = {
        Rule.CRITICAL: settings.critical and severity is Severity.CRITICAL,
        Rule.WAF_BLOCKED: settings.waf_blocked and waf and action is Action.BLOCKED,
        Rule.NEW_BAN: settings.new_ban and action is Action.BANNED,
        Rule.WAF_DETECTED: settings.waf_detected and waf and action is Action.DETECTED,
    }
    return tuple(rule for rule, holds in matches.items() if holds)


@lru_cache(maxsize=8)
def _told(settings: Alerts) -> Mapping[_Kind, tuple[Rule, ...]]:
    """Return the kinds of event that raise an alert: most events raise none, and one look here must say so."""
    kinds = product(Category, Action, Severity)
    return {kind: matched for kind in kinds if (matched := _matched(kind, settings))}


@lru_cache(maxsize=8)
def _without_waf(matched: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(rule for rule in matched if rule not in _OF_RULE_IDS)


def alerts_for(events: Iterable[SecurityEvent], settings: Alerts, *, first_seq: int = 0) -> list[Alert]:
    """Return one alert for each event that matches a rule which is switched on, in the order of the events.

    ``rule_ids``, unless empty, are the only ones that the two WAF rules look at. What comes from an address in
    ``allow`` matches nothing; an event without a valid address is never among those. ``first_seq`` is given for events
    just stored, which do not carry their numbers yet: those of the first and, counting on, of all.
    """
    alerts, told = [], _told(settings)
    rule_ids, allowed = settings.rule_ids, networks(settings.allow)
    for seq, event in enumerate(events, first_seq):
        if matched := told.get((event.category, event.action, event.severity)):
            if rule_ids and event.rule_id not in rule_ids:
                matched = _without_waf(matched)
            if not matched or (allowed and event.src_ip in allowed):
                continue
            numbered = msgspec.structs.replace(event, seq=seq) if first_seq else event
            alerts.append(Alert(rule=matched[0], event=numbered, matched=matched))
    return alerts
