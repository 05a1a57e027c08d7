"""Which events raise an alert. Pure functions over events and settings, any thread."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.settings.tree import Alerts


class Rule(StrEnum):
    """Why an alert is sent; each value is also the name of its switch in the settings.

    From the most severe to the least. Only ``CRITICAL`` can meet another rule on one event: the other three ask for
    different actions.
    """

    CRITICAL = "critical"
    WAF_BLOCKED = "waf_blocked"
    NEW_BAN = "new_ban"
    WAF_DETECTED = "waf_detected"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One event to be told at once, under its most severe rule. ``matched`` holds all its rules, that one first."""

    rule: Rule
    event: SecurityEvent
    matched: tuple[Rule, ...]

    def key(self, store_uuid: str) -> str:
        """Return the outbox key: the same for the same stored event, so that a crash never sends an alert twice."""
        return f"alert:{store_uuid}:{self.event.seq}"


def _is_waf(event: SecurityEvent, action: Action, settings: Alerts) -> bool:
    severe_enough = event.severity.rank >= settings.minimum_severity.rank
    return event.category is Category.WAF and event.action is action and severe_enough


#: ``minimum_severity`` holds for the two WAF rules only: a ban is always worth its switch, critical is critical.
_MATCHES: Mapping[Rule, Callable[[SecurityEvent, Alerts], bool]] = MappingProxyType(
    {
        Rule.CRITICAL: lambda event, settings: settings.critical and event.severity is Severity.CRITICAL,
        Rule.WAF_BLOCKED: lambda event, settings: settings.waf_blocked and _is_waf(event, Action.BLOCKED, settings),
        Rule.NEW_BAN: lambda event, settings: settings.new_ban and event.action is Action.BANNED,
        Rule.WAF_DETECTED: lambda event, settings: settings.waf_detected and _is_waf(event, Action.DETECTED, settings),
    }
)


def alerts_for(events: Iterable[SecurityEvent], settings: Alerts, *, first_seq: int = 0) -> list[Alert]:
    """Return one alert for each event that matches a rule which is switched on, in the order of the events.

    ``first_seq`` is given for events just stored, which do not carry their numbers yet: those of the first and,
    counting on, of all.
    """
    alerts = []
    for seq, event in enumerate(events, first_seq):
        matched = tuple(rule for rule in Rule if _MATCHES[rule](event, settings))
        if matched:
            numbered = msgspec.structs.replace(event, seq=seq) if first_seq else event
            alerts.append(Alert(rule=matched[0], event=numbered, matched=matched))
    return alerts
