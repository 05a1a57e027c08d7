"""Which events raise which alert."""

from datetime import UTC, datetime
from itertools import product

import msgspec
import pytest

from vxtray.core.alerts.networks import Networks
from vxtray.core.alerts.rules import Alert, Rule, alerts_for
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.settings.tree import Alerts

AT = datetime(2026, 11, 21, 7, 12, 9, tzinfo=UTC)
ALL_ON = Alerts(waf_detected=True, waf_blocked=True, new_ban=True, critical=True, minimum_severity=Severity.INFO)
ALL_OFF = Alerts(critical=False)


def event(
    category: Category = Category.WAF,
    action: Action = Action.BLOCKED,
    severity: Severity = Severity.HIGH,
    seq: int = 0,
    src_ip: str = "",
    rule_id: str = "",
) -> SecurityEvent:
    return SecurityEvent(
        at=AT,
        source="sophos",
        category=category,
        action=action,
        severity=severity,
        seq=seq,
        src_ip=src_ip,
        rule_id=rule_id,
    )


def rule_of(one: SecurityEvent, settings: Alerts) -> Rule | None:
    alerts = alerts_for([one], settings)
    return alerts[0].rule if alerts else None


def test_each_switch_is_named_as_its_rule() -> None:
    own = {Rule.SOURCE_SILENT, Rule.MAIL_DOWN, Rule.DISK_FULL}  # about vxtray's own work, without a switch
    assert {rule.value for rule in set(Rule) - own} <= set(Alerts.__struct_fields__)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (event(action=Action.BLOCKED), Rule.WAF_BLOCKED),
        (event(action=Action.DETECTED), Rule.WAF_DETECTED),
        (event(action=Action.ALLOWED), None),
        (event(category=Category.IPS, action=Action.BLOCKED), None),
        (event(category=Category.IPS, action=Action.DETECTED), None),
        (event(category=Category.BAN, action=Action.BANNED, severity=Severity.INFO), Rule.NEW_BAN),
        (event(category=Category.BAN, action=Action.UNBANNED), None),
        (event(category=Category.SYSTEM, action=Action.INFO, severity=Severity.CRITICAL), Rule.CRITICAL),
    ],
)
def test_what_raises_what(one: SecurityEvent, expected: Rule | None) -> None:
    assert rule_of(one, ALL_ON) == expected


def test_by_default_only_critical_events_are_told() -> None:
    told = {
        severity
        for category, action, severity in product(Category, Action, Severity)
        if rule_of(event(category, action, severity), Alerts())
    }
    assert told == {Severity.CRITICAL}


def test_nothing_is_told_when_all_is_off() -> None:
    every = [event(*kind) for kind in product(Category, Action, Severity)]
    assert alerts_for(every, ALL_OFF) == []


def test_an_event_of_several_rules_makes_one_alert_under_the_most_severe() -> None:
    one = event(action=Action.DETECTED, severity=Severity.CRITICAL)
    assert alerts_for([one], ALL_ON) == [
        Alert(rule=Rule.CRITICAL, event=one, matched=(Rule.CRITICAL, Rule.WAF_DETECTED))
    ]
    ban = event(Category.BAN, Action.BANNED, Severity.CRITICAL)
    assert alerts_for([ban], ALL_ON)[0].matched == (Rule.CRITICAL, Rule.NEW_BAN)


@pytest.mark.parametrize("minimum", list(Severity))
def test_the_minimum_severity_holds_for_the_waf_rules_only(minimum: Severity) -> None:
    settings = Alerts(waf_detected=True, waf_blocked=True, new_ban=True, critical=False, minimum_severity=minimum)
    for severity in Severity:
        passes = severity.rank >= minimum.rank
        assert (rule_of(event(action=Action.BLOCKED, severity=severity), settings) is Rule.WAF_BLOCKED) == passes
        assert (rule_of(event(action=Action.DETECTED, severity=severity), settings) is Rule.WAF_DETECTED) == passes
        assert rule_of(event(Category.BAN, Action.BANNED, severity), settings) is Rule.NEW_BAN
    critical = event(Category.AUTH, Action.FAILED, Severity.CRITICAL)
    assert rule_of(critical, Alerts(critical=True, minimum_severity=minimum)) is Rule.CRITICAL


def test_one_alert_an_event_in_their_order() -> None:
    events = [event(seq=1), event(action=Action.ALLOWED, seq=2), event(seq=3), event(seq=4)]
    assert [alert.event.seq for alert in alerts_for(events, ALL_ON)] == [1, 3, 4]


def test_changed_settings_hold_at_once() -> None:
    assert rule_of(event(), Alerts(waf_blocked=True, minimum_severity=Severity.INFO)) is Rule.WAF_BLOCKED
    assert rule_of(event(), Alerts(waf_blocked=False)) is None


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (event(rule_id="942100"), Rule.WAF_BLOCKED),
        (event(action=Action.DETECTED, rule_id="941110"), Rule.WAF_DETECTED),
        (event(rule_id="9421"), None),
        (event(rule_id=""), None),
        (event(Category.BAN, Action.BANNED, rule_id="sshd"), Rule.NEW_BAN),
        (event(severity=Severity.CRITICAL, rule_id="920350"), Rule.CRITICAL),
    ],
)
def test_rule_ids_narrow_down_the_two_waf_rules_only(one: SecurityEvent, expected: Rule | None) -> None:
    settings = msgspec.structs.replace(ALL_ON, rule_ids=("942100", "941110"))
    assert rule_of(one, settings) == expected


def test_a_critical_event_of_another_rule_id_is_told_as_critical_alone() -> None:
    settings = msgspec.structs.replace(ALL_ON, rule_ids=("942100",))
    listed, other = alerts_for([event(severity=Severity.CRITICAL, rule_id=one) for one in ("942100", "1")], settings)
    assert listed.matched == (Rule.CRITICAL, Rule.WAF_BLOCKED)
    assert other.matched == (Rule.CRITICAL,)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("192.0.2.9", False),
        ("::ffff:192.0.2.9", False),
        ("192.0.3.9", True),
        ("198.51.100.7", False),
        ("198.51.100.8", True),
        ("2001:db8::1", False),
        ("2001:db8::1%eth0", False),
        ("2001:db9::1", True),
        ("", True),
        ("192.0.2", True),
        ("not an address", True),
        ("192.0.2.9, 1.1.1.1", True),
    ],
)
def test_what_comes_from_an_allowed_source_raises_nothing(address: str, told: bool) -> None:
    settings = msgspec.structs.replace(ALL_ON, allow=("192.0.2.0/24", "198.51.100.7", "2001:db8::5/32"))
    for one in (event(src_ip=address), event(Category.AUTH, Action.FAILED, Severity.CRITICAL, src_ip=address)):
        assert (rule_of(one, settings) is not None) is told


def test_a_network_of_all_addresses_allows_no_event_without_one() -> None:
    settings = msgspec.structs.replace(ALL_ON, allow=("0.0.0.0/0", "::/0"))
    assert rule_of(event(src_ip="203.0.113.7"), settings) is None
    assert rule_of(event(), settings) is Rule.WAF_BLOCKED


def test_the_memory_of_addresses_is_bounded() -> None:
    known = Networks(["10.0.0.0/8"])
    for n in range(20_000):
        assert (f"10.0.{n // 250}.{n % 250}" in known) is True
    assert known.remembered <= 8192
