"""Numbers of reports against what the maker of lines knows: clock changes, a week across a month end, a leap year."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.core.parsers.sophos_truth import ACTION, CATEGORY, generated, mapped
from vxtray.core.parsers.countries import alpha2
from vxtray.core.parsers.outcome import Rejected
from vxtray.core.parsers.sophos import parse
from vxtray.core.reports.build import Report, build_report
from vxtray.core.reports.period import Cadence, Period, period_containing, previous
from vxtray.core.store import Summary
from vxtray.core.store.embedded import EmbeddedStore

PARIS = ZoneInfo("Europe/Paris")
TOP = 20

#: cadence, day in the period, first local day of the lines, how many days, the period's hours
PERIODS = {
    "23 hours": (Cadence.DAILY, date(2026, 3, 29), "2026-03-29", 1, 23),
    "25 hours": (Cadence.DAILY, date(2026, 10, 25), "2026-10-25", 1, 25),
    "a week across a month end": (Cadence.WEEKLY, date(2026, 3, 31), "2026-03-30", 7, 7 * 24),
    "February of a leap year": (Cadence.MONTHLY, date(2028, 2, 1), "2028-02-01", 29, 29 * 24),
}
_UTC_OFFSETS = {"+0100": timedelta(hours=1), "+0200": timedelta(hours=2)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    yield store
    store.close()


def filled(store: EmbeddedStore, shared: Path, folder: Path, first: str, days: int, tz: str) -> dict[str, Any]:
    folder.mkdir()
    options = ("--start", first, "--days", str(days), "--tz", tz)
    lines, truth = generated(shared / "tools" / "make_events.py", folder, *options)
    outcomes = [parse(line, UTC) for line in lines]
    events = [outcome for outcome in outcomes if not isinstance(outcome, Rejected)]
    assert len(events) == truth["good"]
    store.append(events)
    return truth


def reported(store: EmbeddedStore, period: Period) -> Report:
    summary = store.summarize(period.start, period.end, by_day=period.cadence is not Cadence.DAILY, top=TOP)
    before = previous(period)
    return build_report(period, summary, store.totals(before.start, before.end), made_at=period.end)


@pytest.mark.parametrize("case", PERIODS.values(), ids=PERIODS.keys())
def test_the_period_has_exactly_what_was_made_for_it(shared, tmp_path, store, case):
    """Lines of whole days in the log's own zone; the report's days differ from them by the hours of the offsets."""
    cadence, day, first, days, hours = case
    tz = "+0200" if first == "2026-03-30" else "+0100"
    truth = filled(store, shared, tmp_path / "made", first, days, tz)
    period = period_containing(cadence, day, PARIS)
    start, end = period.start.astimezone(UTC), period.end.astimezone(UTC)
    assert (end - start) // timedelta(hours=1) == hours
    made_from = datetime.fromisoformat(first).replace(tzinfo=UTC) - _UTC_OFFSETS[tz]
    made_to = made_from + timedelta(days=days)
    # Only the hour that the 23 hours lack is made beyond the period.
    beyond = store.totals(end, made_to).events if end < made_to else 0
    assert (beyond > 0) == (hours == 23)
    report = reported(store, period)
    assert (made_from >= start, report.totals.events) == (True, truth["good"] - beyond)
    buckets = report.summary.buckets
    assert len(buckets) == (hours if cadence is Cadence.DAILY else days)
    if cadence is Cadence.DAILY:
        for bucket in buckets:
            moment = bucket.start.astimezone(UTC)
            there = truth["by_hour_local"] if moment >= made_from else {}
            assert bucket.events == there.get(f"{moment + _UTC_OFFSETS[tz]:%H}", 0)
    else:
        assert {bucket.start.date().isoformat(): bucket.events for bucket in buckets} == truth["by_day_local"]
    if not beyond:
        check(report.summary, truth)


def check(summary: Summary, truth: dict[str, Any]) -> None:
    """Compare all that the maker counts."""
    assert summary.by_category == mapped(truth["by_category"], CATEGORY)
    actions = mapped(truth["by_action"], ACTION)
    assert summary.totals.blocked == actions["blocked"]
    assert (summary.totals.detected, summary.totals.allowed) == (actions["detected"], actions["allowed"])
    countries = Counter[str]()
    for code, n in truth["by_src_country"].items():
        countries[alpha2(code)] += n
    del countries[""]
    ranked = sorted(countries.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    assert [(top.name, top.events) for top in summary.top_countries] == ranked
    failed = truth["by_action"]["auth_failed"]
    assert summary.sign_ins.failed == failed == sum(summary.sign_ins.by_kind.values())
    outcomes = truth["by_outcome"]

    def told(*beginnings: str, status: str) -> int:
        return sum(n for words, n in outcomes.items() if words.startswith(beginnings) and words.endswith(f"|{status}"))

    vpn = ("Event|SSL VPN", "Event|VPN", "Event|IPSec")
    assert summary.sign_ins.by_kind["vpn"] == told("Event|SSL VPN Auth", "Event|VPN Auth", status="Failed")
    assert summary.sign_ins.by_kind["admin"] == told("Event|GUI", status="Failed")
    assert summary.sign_ins.by_kind["ssh"] == told("Event|CLI", status="Failed")
    assert summary.vpn.events == truth["by_category"]["vpn"]
    assert summary.vpn.connections == truth["by_action"]["connected"]
    assert summary.vpn.sign_ins == told(*vpn, status="Successful")
    assert summary.vpn.failures == told(*vpn, status="Failed")
    rules = dict(truth["rule_top20"])
    threats = {f"{'av' if one.category == 'malware' else 'atp'}:{one.name}": one.events for one in summary.threats}
    assert {name: n for name, n in rules.items() if name.startswith(("av:", "atp:"))}.items() <= threats.items()
    assert sum(threats.values()) == truth["by_category"]["atp"] + truth["by_category"]["av"]
    assert summary.news.sources == 0  # nothing is known of before
    [source] = summary.sources
    assert (source.name, source.events) == ("sophos", truth["good"])


def test_the_period_before_and_what_is_new(shared, tmp_path, store):
    """Two weeks of one maker: the second is compared with the first."""
    truth = filled(store, shared, tmp_path / "made", "2026-04-06", 14, "+0200")
    period = period_containing(Cadence.WEEKLY, date(2026, 4, 15), PARIS)
    report = reported(store, period)
    by_day = sorted(truth["by_day_local"].items())
    assert report.previous.events == sum(n for _, n in by_day[:7])
    assert report.totals.events == sum(n for _, n in by_day[7:])
    before = store.summarize(previous(period).start, previous(period).end, by_day=True)
    assert before.totals == report.previous
    assert 0 < report.summary.news.sources == truth_distinct(store) - report.previous.unique_sources
    assert report.summary.news.known_since == datetime.fromisoformat(truth["first_utc"]).replace(tzinfo=UTC)


def truth_distinct(store: EmbeddedStore) -> int:
    return store.totals(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)).unique_sources
