"""What alerts ask of a store of a million events: the counts beside the switches, a source's record, a rehearsal.

Twice: of a month in which one event in ten matches, and of a day on which each does. The ratios are to the plainest
query of the same engine, which counts all events by kind.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.bench.measured import Measured
from tests.bench.test_reports import END, MIDDLE, START, made
from vxtray.core.store.embedded import EmbeddedStore

SCRIPT = Path(__file__).with_name("alert_numbers.py")
COUNT = 1_000_000
FLOOD = (
    "UPDATE events SET category = 'waf', action = 'blocked', \"at\" = $begin::TIMESTAMP + to_microseconds(seq * $each)"
)

#: Seconds that an answer for somebody who waits may take, or the plain count on a machine that is slow or busy, and
#: milliseconds that the window may be held up by all but one in a thousand (the longest is as the machine is busy).
MOST_COUNTS, MOST_RECORD, MOST_GAP = 0.3, 0.05, 50


def flooded(path: Path) -> int:
    """Make every event of a store match, on one day; return how many there are."""
    store = EmbeddedStore(path)
    events = store.count()
    values = {"begin": MIDDLE.replace(tzinfo=None), "each": 86_000_000_000 // events}
    with store._writing() as writer:
        writer.execute(FLOOD, values)
        writer.execute("COMMIT")
    store._checkpoint()
    store.close()
    return events


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("flood", [False, True], ids=["a month", "a flood"])
def test_a_million_events(tmp_path: Path, rows: list[dict[str, Any]], flood: bool) -> None:
    path = tmp_path / "events.duckdb"
    made(path, COUNT)
    since, until, events = START, END, COUNT + COUNT // 4
    if flood:
        events, since, until = flooded(path), MIDDLE - timedelta(days=1), MIDDLE + timedelta(days=2)
    with Measured([sys.executable, str(SCRIPT), str(path), since.isoformat(), until.isoformat()]) as process:
        found = json.loads(process.wait())
        peak = process.peak_bytes / 2**20
    what = "flood" if flood else "month"
    for name in ("plain", "counts", "narrow", "record", "pages"):
        remarks = f"{found[name] / found['plain']:.1f} of the plain count"
        rows.append({"what": f"alerts, {what}, {name}", "lines": events, "seconds": found[name], "remarks": remarks})
    remarks = (
        f"{found['matched']:,} matched, {found['mails']:,} mails,"
        f" {found['rehearsal'] / found['matched'] * 1e6:.0f} µs each, longest gap {found['gap'] * 1000:.0f} ms"
        f" (rarely {found['rare_gap'] * 1000:.0f}; {found['idle_gap'] * 1000:.0f} without it),"
        f" at most {peak:.0f} MiB in all processes"
    )
    seconds = found["rehearsal"]
    rows.append({"what": f"alerts, {what}, rehearsal", "lines": events, "seconds": seconds, "remarks": remarks})
    assert found["counts"] < max(MOST_COUNTS, 3 * found["plain"])
    assert found["record"] < max(MOST_RECORD, 2 * found["plain"])
    assert found["rare_gap"] * 1000 < MOST_GAP
