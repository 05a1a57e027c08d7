"""The samples with what their origins say about them, and the comparison that the samples' README lays down."""

import ipaddress
import json
import os
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from tests.core import quick
from vxtray.core.events import SecurityEvent, Severity
from vxtray.core.parsers import Ignored, Outcome, Rejected, parse
from vxtray.core.parsers.countries import alpha2

SHARED = Path(os.environ.get("VXTRAY_SHARED") or Path(__file__).resolve().parents[4] / "shared")
SAMPLES = SHARED / "samples"
MISSING = f"no samples in {SHARED}; name the folder with VXTRAY_SHARED"

#: What is compared as text, numbers and texts alike.
TEXTS = ("action", "src_port", "dst_port", "target_host", "target_url", "user", "rule_id", "rule_name", "source")
ADDRESSES = ("src_ip", "dst_ip")
#: Ours for a syslog severity number: what an event must at least have.
LEAST = (*[Severity.CRITICAL] * 3, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO, Severity.INFO)


class Expectation(NamedTuple):
    """A line (or a record that begins there) of a sample file, and what its origin says."""

    name: str
    line: str
    expect: dict[str, Any]


def sample_files(family: str) -> list[Path]:
    """Return a family's sample files, without the READMEs and the expectations beside them."""
    return sorted(
        path
        for path in (SAMPLES / family).glob("*/*")
        if path.name != "README.md" and not path.name.endswith(".expected.jsonl")
    )


def title(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def expectations(family: str) -> list[Expectation]:
    """Return a family's expectations that are about one line and judge something."""
    found = []
    for path in sample_files(family):
        expected = path.with_name(path.name + ".expected.jsonl")
        if not expected.exists():
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = map(json.loads, expected.read_text(encoding="utf-8").splitlines())
        found += [
            Expectation(f"{title(path)}:{row['line']}", lines[row["line"] - 1], row["expect"])
            for row in rows
            if "line" in row and row.get("expect")
        ]
    return found


def told(outcome: Outcome) -> SecurityEvent | None:
    """Return the event that a line tells of, also where it is not one to store."""
    if isinstance(outcome, Ignored):
        return outcome.event
    return outcome if isinstance(outcome, SecurityEvent) else None


def differences(event: SecurityEvent | None, expect: dict[str, Any], zone: tzinfo = UTC) -> list[str]:
    """Return what an event has otherwise than expected, as ``field: ours, not theirs``."""
    if event is None:
        return ["no event"]
    found = [_text(event, name, expect[name]) for name in TEXTS if name in expect]
    found += [_address(event, name, expect[name]) for name in ADDRESSES if name in expect]
    if "country" in expect and event.country != alpha2(expect["country"]):
        found.append(f"country: {event.country}, not {expect['country']}")
    if "severity_num" in expect:
        found.append(_severity(event, int(expect["severity_num"])))
    if "time" in expect:
        # The origins cut fractions off.
        theirs = datetime.fromisoformat(expect["time"])
        late = (event.at - theirs).total_seconds()
        step = 0.001 if theirs.microsecond else 1.0
        found.append("" if 0 <= late < step else f"time: {event.at}, not {theirs}")
    if "time_local" in expect:
        # With the year only where the line has one.
        ours = event.at.astimezone(zone).replace(tzinfo=None).isoformat()
        matches = ours.startswith(expect["time_local"]) or ours[5:].startswith(expect["time_local"])
        found.append("" if matches else f"time_local: {ours}, not {expect['time_local']}")
    return [one for one in found if one]


def _text(event: SecurityEvent, name: str, theirs: object) -> str:
    ours = str(getattr(event, name))
    if name == "action" and event.source == "suricata" and theirs == "allowed":
        theirs = "detected"
    return "" if ours == str(theirs) else f"{name}: {ours}, not {theirs}"


def _address(event: SecurityEvent, name: str, theirs: str) -> str:
    ours = getattr(event, name)
    same = bool(ours) and ipaddress.ip_address(ours) == ipaddress.ip_address(theirs)
    return "" if same else f"{name}: {ours}, not {theirs}"


def _severity(event: SecurityEvent, number: int) -> str:
    """Compare by the table in architecture.md; a score may lift an event above it."""
    least = LEAST[number]
    same = event.severity is least or (event.score is not None and event.severity.rank > least.rank)
    return "" if same else f"severity: {event.severity}, not {least}"


def assert_clean(outcome: Outcome) -> None:
    """Check what holds for the outcome of any line, however hostile."""
    assert isinstance(outcome, SecurityEvent | tuple | Ignored | Rejected)
    if isinstance(outcome, Rejected):
        assert outcome.reason
        return
    event = told(outcome)
    events = outcome if isinstance(outcome, tuple) else (event,) if event else ()
    assert not isinstance(outcome, tuple) or len(outcome) > 1
    for one in events:
        assert isinstance(one, SecurityEvent)
        assert one.at.tzinfo is UTC
        for name in ("src_ip", "dst_ip", "country", "target_host", "target_url", "user", "rule_id", "rule_name"):
            _clean(getattr(one, name))
        _clean(one.message)
        assert one.source
        assert 0 <= one.src_port <= 65535
        assert 0 <= one.dst_port <= 65535
        assert one.score is None or 0 <= one.score < 10**6


def _clean(text: str) -> None:
    assert text.isprintable()
    assert len(text) <= 2048
    text.encode()


def assert_quick(line: str, zone: tzinfo = UTC, log_format: str = "auto") -> None:
    """Check a hostile line's outcome, and that it takes less than 50 ms of processor time."""
    quick.assert_quick(lambda: assert_clean(parse(line, format=log_format, zone=zone)), 0.05)
