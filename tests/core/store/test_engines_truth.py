"""All numbers of reports over generated lines: the same from every engine, and exactly what the maker knows.

In the gate with twenty thousand lines; with a million (or ``VXTRAY_TRUTH_LINES``) by ``-m slow``, see CONTRIBUTING.md.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from tests.core.parsers.sophos_truth import ACTION, CATEGORY, mapped
from tests.core.reports.test_truth import TOP, check
from tests.core.store.engines import ENGINES
from vxtray.core.parsers.outcome import Rejected
from vxtray.core.parsers.sophos import parse
from vxtray.core.reports.build import Report, build_report
from vxtray.core.reports.period import Cadence, Period, period_containing, previous
from vxtray.core.store import EventQuery, EventStore

SHORT = 20_000
LONG = int(os.environ.get("VXTRAY_TRUTH_LINES", "1000000"))
BATCH = 50_000
DAYS = 28
SOME = date(2026, 2, 12)
ZONE = ZoneInfo("UTC")
PERIODS = [period_containing(cadence, SOME, ZONE) for cadence in Cadence]


class Filled(NamedTuple):
    """A store of each engine with the same events, and what the maker says of those."""

    stores: dict[str, EventStore]
    truth: dict[str, Any]
    count: int


def fill(tool: Path, folder: Path, count: int, stores: list[EventStore]) -> dict[str, Any]:
    """Store February in batches, read while it is made; return the truth."""
    truth = folder / "truth.json"
    options = ["-n", str(count), "--start", "2026-02-01", "--days", str(DAYS), "--tz", "+0000", "--truth", str(truth)]
    with subprocess.Popen([sys.executable, str(tool), *options, "-o", "-"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        events = (parse(line.decode().rstrip("\n"), UTC) for line in process.stdout)
        while batch := list(islice(events, BATCH)):
            good = [event for event in batch if not isinstance(event, Rejected)]
            for store in stores:
                store.append(good)
    told: dict[str, Any] = json.loads(truth.read_text("utf-8"))
    return told


@pytest.fixture(scope="module", params=[SHORT, pytest.param(LONG, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def filled(request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    stores = {name: engine(tmp_path_factory.mktemp(name)) for name, engine in ENGINES.items()}
    tool = shared / "tools" / "make_events.py"
    truth = fill(tool, tmp_path_factory.mktemp("made"), request.param, list(stores.values()))
    yield Filled(stores, truth, request.param)
    for store in stores.values():
        store.close()


def reported(store: EventStore, period: Period) -> Report:
    """Return a report's numbers, as ``reports`` asks for them."""
    by_day = period.cadence is not Cadence.DAILY
    silent = timedelta(minutes=10)
    summary = store.summarize(period.start, period.end, by_day=by_day, top=TOP, silent=silent)
    before = previous(period)
    return build_report(period, summary, store.totals(before.start, before.end), made_at=period.end)


def test_every_report_is_the_same_from_every_engine_and_the_truth(filled: Filled) -> None:
    truth = filled.truth
    by_day = {date.fromisoformat(day): events for day, events in truth["by_day_utc"].items()}
    kinds = {date.fromisoformat(day): kind for day, kind in truth["by_day_utc_category_action"].items()}
    for period in PERIODS:
        first, *others = (reported(store, period) for store in filled.stores.values())
        assert others == [first] * len(others), period.cadence
        days = [period.start.date() + timedelta(days=n) for n in range((period.end - period.start).days)]
        assert first.totals.events == sum(by_day[day] for day in days)
        before = previous(period)
        assert first.previous.events == sum(n for day, n in by_day.items() if before.start.date() <= day < days[0])
        categories, actions = Counter[str](), Counter[str]()
        for category, found in (item for day in days for item in kinds[day].items()):
            categories[category] += sum(found.values())
            actions.update(found)
        assert first.summary.by_category == mapped(categories, CATEGORY)
        assert first.totals.blocked == mapped(actions, ACTION)["blocked"]
        assert sum(bucket.events for bucket in first.summary.buckets) == first.totals.events
        if period.cadence is Cadence.MONTHLY:
            check(first.summary, truth)
            assert {bucket.start.date(): bucket.events for bucket in first.summary.buckets} == by_day
            assert first.totals.events == truth["good"]


def test_every_count_is_the_same_from_every_engine_and_the_truth(filled: Filled) -> None:
    truth = filled.truth
    day = datetime(2026, 2, 12, tzinfo=UTC)
    busiest = truth["src_top20"][0][0]
    for name, store in filled.stores.items():
        assert (store.count(), store.last_seq()) == (truth["good"], truth["good"]), name
        assert store.count(EventQuery(since=day, until=day + timedelta(days=1))) == truth["by_day_utc"]["2026-02-12"]
        source, events = truth["src_top20"][0]
        found = store.count(EventQuery(source=source, until=day + timedelta(days=DAYS)))
        assert found - _tunnels(store, busiest) == events, name
    first, *others = (
        (store.search(EventQuery(text="WAF Anomaly"), limit=300), store.search(EventQuery(source=busiest), limit=300))
        for store in filled.stores.values()
    )
    assert others == [first] * len(others)


def _tunnels(store: EventStore, source: str) -> int:
    """Return how many events name the far end of a tunnel, which the maker does not count as a source."""
    return sum(store.count(EventQuery(source=source, text=text)) for text in ("IPSec", "IKE"))
