"""The numbers of a report, and the JSON that scripts rely on."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.reports.build import Gap, Report, build_report, change, numbers
from vxtray.core.reports.period import Cadence, Period, period_containing, previous
from vxtray.core.store.embedded import EmbeddedStore

PARIS = ZoneInfo("Europe/Paris")
DAY = date(2026, 10, 25)  # 25 hours
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path):
    store = EmbeddedStore(tmp_path / "events.duckdb")
    yield store
    store.close()


def event(at: datetime, action: Action = Action.BLOCKED, severity: Severity = Severity.HIGH) -> SecurityEvent:
    return SecurityEvent(
        at=at,
        source="fw",
        category=Category.WAF,
        action=action,
        severity=severity,
        src_ip="192.0.2.1",
        country="FR",
        target_host="shop.example.com",
        rule_id="949110",
        rule_name="SQL injection",
    )


def made(store: EmbeddedStore, period: Period, **more: object) -> Report:
    before = previous(period)
    return build_report(
        period,
        store.summarize(period.start, period.end, by_day=False),
        store.summarize(before.start, before.end, by_day=False).totals,
        **({"made_at": period.end} | more),
    )


def test_a_report_of_the_long_day(store):
    period = period_containing(Cadence.DAILY, DAY, PARIS)
    # 02:00 to 03:00 comes twice that night; the busiest hour is its second pass.
    second = datetime(2026, 10, 25, 2, 15, tzinfo=PARIS, fold=1).astimezone(UTC)
    store.append(
        [
            event(second),
            event(second, Action.DETECTED, Severity.CRITICAL),
            event(second - HOUR, Action.ALLOWED, Severity.CRITICAL),
            event(second + 21 * HOUR, Action.BANNED, Severity.CRITICAL),
            event(second - 24 * HOUR),
            event(second - 25 * HOUR),
        ]
    )
    report = made(store, period)
    assert report.busiest is not None
    assert (report.busiest.start.isoformat(), report.busiest.events) == ("2026-10-25T02:00:00+01:00", 2)
    assert len(report.summary.buckets) == 25
    assert (report.got_through, report.critical_unblocked, report.blocked_share) == (2, 2, 0.5)
    assert report.changes["events"] == 100.0
    assert report.changes["blocked"] == 0.0
    assert report.changes["critical"] is None
    assert (report.complete, report.empty) == (True, False)
    tops = (report.top_source, report.top_target, report.top_country, report.top_rule)
    assert [top and top.name for top in tops] == ["192.0.2.1", "shop.example.com", "FR", "SQL injection"]

    totals = {
        "events": 4,
        "blocked": 2,
        "detected": 1,
        "allowed": 1,
        "critical": 3,
        "unique_sources": 1,
        "new_bans": 1,
        "active_bans": 1,
    }
    row = {"events": 4, "blocked": 2, "share": 1.0}
    assert json.loads(json.dumps(numbers(report))) == {
        "period": {"start": "2026-10-25T00:00:00+02:00", "end": "2026-10-26T00:00:00+01:00", "zone": "Europe/Paris"},
        "totals": totals,
        "by_severity": {"critical": 3, "high": 1, "medium": 0, "low": 0, "info": 0},
        "by_category": {"waf": 4},
        "top_sources": [{"name": "192.0.2.1", **row, "country": "FR"}],
        "top_targets": [{"name": "shop.example.com", **row}],
        "top_countries": [{"name": "FR", **row}],
        "top_rules": [{"name": "SQL injection", **row}],
        "previous": {
            **dict.fromkeys(totals, 0),
            "events": 2,
            "blocked": 2,
            "unique_sources": 1,
        },
    }


def test_a_report_of_nothing(store):
    period = period_containing(Cadence.DAILY, DAY, PARIS)
    report = made(store, period, made_at=period.start + HOUR)
    assert (report.empty, report.complete, report.busiest, report.top_source) == (True, False, None, None)
    assert report.blocked_share == 0.0
    assert set(report.changes.values()) == {0.0}
    assert numbers(report)["top_sources"] == []


def test_only_gaps_of_the_period_are_told(store):
    period = period_containing(Cadence.DAILY, DAY, PARIS)
    start, end = period.start.astimezone(UTC), period.end.astimezone(UTC)
    gaps = [
        Gap(start=start - HOUR, end=start),
        Gap(start=start - HOUR, end=start + HOUR),
        Gap(start=end - HOUR, end=end + HOUR),
        Gap(start=end, end=end + HOUR),
    ]
    assert made(store, period, gaps=gaps).gaps == tuple(gaps[1:3])


def test_changes():
    assert (change(0, 0), change(0, 5), change(4, 5), change(5, 0)) == (0.0, None, 25.0, -100.0)
