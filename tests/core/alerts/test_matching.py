"""What the rules match of stored events: the same as of all events, one by one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vxtray.core.alerts.incidents import SourceHistory, TopRow
from vxtray.core.alerts.matching import SWITCHED, kinds_of, matched_counts, matching, source_history, with_rules
from vxtray.core.alerts.rules import alerts_for
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.settings.tree import Alerts
from vxtray.core.store.embedded import EmbeddedStore

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LONG_AGO, FAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    yield store
    store.close()


events = st.builds(
    SecurityEvent,
    at=st.integers(0, 5).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    source=st.just("fw"),
    category=st.sampled_from((Category.WAF, Category.WAF, *Category)),
    action=st.sampled_from((Action.BLOCKED, Action.DETECTED, Action.BANNED, *Action)),
    severity=st.sampled_from(Severity),
    src_ip=st.sampled_from(
        ("", "10.0.0.1", "100.1.1.1", "192.0.2.7", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1%eth0")
    ),
    rule_id=st.sampled_from(("", "5", "942100")),
)
alerts = st.builds(
    Alerts,
    waf_detected=st.booleans(),
    waf_blocked=st.booleans(),
    new_ban=st.booleans(),
    critical=st.booleans(),
    minimum_severity=st.sampled_from(Severity),
    rule_ids=st.sampled_from(((), ("5",), ("942100", "7"))),
    allow=st.lists(
        st.sampled_from(("10.0.0.0/8", "192.0.2.7", "0.0.0.0/0", "2001:db8::/32", "fe80::/10")), max_size=3
    ).map(tuple),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(events, max_size=40), alerts, st.integers(-1, 6))
def test_the_store_finds_and_counts_what_the_rules_match(store, all_events, chosen, minute):
    store.prune(FAR)
    first, _last = store.append(all_events)
    since = NOON + timedelta(minutes=minute)
    numbered = [msgspec.structs.replace(one, seq=seq) for seq, one in enumerate(all_events, first)]
    inside = sorted((one for one in numbered if one.at >= since), key=lambda one: (one.at, one.seq))
    assert list(matching(store, chosen, since, FAR)) == [alert.event for alert in alerts_for(inside, chosen)]
    assert matched_counts(store, chosen, since, FAR) == {
        rule: len(alerts_for(inside, with_rules(chosen, [rule]))) for rule in SWITCHED
    }


def test_only_kinds_that_could_match_are_asked_for() -> None:
    assert kinds_of(Alerts(critical=False)) == frozenset()
    assert {severity for _category, _action, severity in kinds_of(Alerts())} == {Severity.CRITICAL}
    narrow = Alerts(waf_blocked=True, rule_ids=("5",), allow=("10.0.0.0/8",))
    assert kinds_of(narrow) == kinds_of(Alerts(waf_blocked=True))


def test_a_sources_history(store):
    one = SecurityEvent(
        at=NOON, source="fw", category=Category.WAF, action=Action.BLOCKED, severity=Severity.HIGH, src_ip="192.0.2.7"
    )
    replace = msgspec.structs.replace
    store.append([one, replace(one, at=NOON - timedelta(days=3), rule_name="XSS"), replace(one, src_ip="192.0.2.8")])
    assert source_history(store, "", NOON) is None
    assert source_history(store, "192.0.2.7", NOON) == SourceHistory(
        day_events=1,
        day_blocked=1,
        month_events=2,
        month_blocked=2,
        first_at=NOON - timedelta(days=3),
        known_since=NOON - timedelta(days=3),
        top_rules=(
            TopRow(name="XSS", events=1, blocked=1, severity=Severity.HIGH),
            TopRow(name="waf", events=1, blocked=1, severity=Severity.HIGH),
        ),
    )
