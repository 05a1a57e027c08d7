"""The numbers of a report, and the JSON that scripts rely on."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.reports.build import Gap, Report, SetAside, build_report, change, mail_health, numbers
from vxtray.core.reports.period import Cadence, Period, period_containing, previous
from vxtray.core.store import Totals
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
    seen = {"first_seen": "2026-10-25T00:15:00Z", "last_seen": "2026-10-25T22:15:00Z", "new": False}
    told = json.loads(json.dumps(numbers(report)))
    # What scripts rely on; other keys may come.
    assert told.pop("period") == {
        "cadence": "daily",
        "start": "2026-10-25T00:00:00+02:00",
        "end": "2026-10-26T00:00:00+01:00",
        "zone": "Europe/Paris",
        "complete": True,
    }
    assert told["totals"] == totals
    assert told["by_severity"] == {"critical": 3, "high": 1, "medium": 0, "low": 0, "info": 0}
    assert told["by_category"] == {"waf": 4}
    assert told["top_sources"] == [
        {"name": "192.0.2.1", **row, "country": "FR", "tried": ["SQL injection"], **seen},
    ]
    assert told["top_targets"] == [{"name": "shop.example.com", **row, **seen}]
    assert told["top_countries"] == [{"name": "FR", **row}]
    assert told["top_rules"] == [{"name": "SQL injection", **row, "severity": "critical", "id": "949110", **seen}]
    assert told["previous"] == {**dict.fromkeys(totals, 0), "events": 2, "blocked": 2, "unique_sources": 1}
    assert told["timeline"][3] == {"start": "2026-10-25T02:00:00+01:00", "events": 2, "blocked": 1, "critical": 1}
    assert [ban["at"] for ban in told["bans"]["new"]] == ["2026-10-25T22:15:00Z"]
    assert told["news"]["known_since"] == "2026-10-24T00:15:00Z"
    assert (told["mood"], told["mail"], told["lost"]) == ("busier", None, [])


def test_moods(store):
    period = period_containing(Cadence.DAILY, DAY, PARIS)
    summary = store.summarize(period.start, period.end, by_day=False)
    moods = {}
    for before, now in ((0, 0), (5, 0), (0, 5), (100, 119), (100, 120), (100, 81), (100, 80)):
        counted = msgspec.structs.replace(summary, totals=Totals(events=now))
        made_of = build_report(period, counted, Totals(events=before), made_at=period.end)
        moods[before, now] = made_of.mood
    assert list(moods.values()) == ["quiet", "quiet", "first", "usual", "busier", "usual", "quieter"]


def test_sources_lost_and_rejected_lines(store):
    period = period_containing(Cadence.DAILY, DAY, PARIS)
    start = period.start.astimezone(UTC)
    store.append([event(start)])
    gaps = [Gap(start=start + n * HOUR, end=start + (n + 1) * HOUR, source="syslog udp", lines=2) for n in (-1, 1, 3)]
    mail = mail_health({("alert", "sent"): 9, ("report", "sent"): 1, ("alert", "failed"): 1, ("report", "expired"): 2})
    report = made(store, period, gaps=gaps, rejected={"fw": 12, "web.log": 3}, mail=mail)
    assert [(source.name, source.rejected, source.lost) for source in report.sources] == [
        ("fw", 12, 0),
        ("syslog udp", None, 4),
        ("web.log", 3, 0),
    ]
    assert [source.activity and source.activity.events for source in report.sources] == [1, None, None]
    assert numbers(report)["mail"] == {"sent": 9, "folded": 0, "failed": 1, "expired": 2}


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
    stretches = [(start - HOUR, start), (start - HOUR, start + HOUR), (end - HOUR, end + HOUR), (end, end + HOUR)]
    gaps = [Gap(start=begins, end=ends, source="syslog udp", lines=1) for begins, ends in stretches]
    assert made(store, period, gaps=gaps).gaps == tuple(gaps[1:3])


def test_a_store_set_aside_concerns_every_period_that_began_before(store):
    period = period_containing(Cadence.DAILY, DAY, PARIS)
    start, end = period.start.astimezone(UTC), period.end.astimezone(UTC)
    moments = (start, start + HOUR, end - HOUR, end + 100 * HOUR)
    set_aside = [SetAside(at=at, path="events.damaged.duckdb") for at in moments]
    assert made(store, period, set_aside=set_aside).set_aside == tuple(set_aside[1:])


def test_changes():
    assert (change(0, 0), change(0, 5), change(4, 5), change(5, 0)) == (0.0, None, 25.0, -100.0)
