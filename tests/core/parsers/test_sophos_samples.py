"""Real Sophos lines against what their origins say about them (the table of the samples' README)."""

import ipaddress
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vxtray.core.events import SecurityEvent, Severity
from vxtray.core.parsers import parse
from vxtray.core.parsers.countries import alpha2

SHARED = Path(os.environ.get("VXTRAY_SHARED") or Path(__file__).resolve().parents[4] / "shared")
FILES = sorted((SHARED / "samples" / "sophos").glob("*/*.log"))

#: Words of ours for a syslog severity number: what an event must at least have.
LEAST = [*[Severity.CRITICAL] * 3, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO, Severity.INFO]
#: Zones of the samples, written down anew.
HOURS = {"CEST": 2, "IST": 5.5, "GMT": 0, "BST": 1, "CDT": -5, "+08": 8}
TEXTS = ("action", "target_host", "target_url", "user", "rule_id", "rule_name", "src_port", "dst_port", "source")

pytestmark = pytest.mark.skipif(not FILES, reason=f"no samples in {SHARED}; name the folder with VXTRAY_SHARED")


def expectations() -> list[object]:
    found = []
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        expected = path.with_name(path.name + ".expected.jsonl")
        for row in map(json.loads, expected.read_text(encoding="utf-8").splitlines() if expected.exists() else ()):
            number = row["line"]
            found.append(pytest.param(lines[number - 1], row["expect"], id=f"{path.parent.name}/{path.name}:{number}"))
    return found


def event_of(line: str) -> SecurityEvent:
    outcome = parse(line, zone=UTC)
    assert isinstance(outcome, SecurityEvent), outcome
    return outcome


@pytest.mark.parametrize(("line", "expect"), expectations())
def test_sample_gives_what_its_origin_says(line: str, expect: dict[str, object]) -> None:
    event = event_of(line)

    for name in TEXTS:
        if name in expect:
            assert str(getattr(event, name)) == str(expect[name]), name
    for name in ("src_ip", "dst_ip"):
        if name in expect:
            assert ipaddress.ip_address(getattr(event, name)) == ipaddress.ip_address(str(expect[name]))
    if "country" in expect:
        assert event.country == alpha2(str(expect["country"]))
    if "severity_num" in expect:
        assert event.severity.rank >= LEAST[int(str(expect["severity_num"]))].rank
        if event.score is None:
            assert event.severity is LEAST[int(str(expect["severity_num"]))]
    if "time" in expect:
        assert event.at == datetime.fromisoformat(str(expect["time"]))
    if "time_local" in expect:
        zone = line.partition('timezone="')[2].partition('"')[0]
        assert (event.at + timedelta(hours=HOURS[zone])).replace(tzinfo=None).isoformat() == expect["time_local"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_line_of_a_sample_file_is_understood(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        event_of(line)
