"""Real lines of ModSecurity, Coraza and CEF products against what their origins say (the table of the samples' README).

Every compared field of every line agrees; nothing had to be excused.
"""

import ipaddress
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vxtray.core.events import Category, SecurityEvent, Severity
from vxtray.core.parsers import Ignored, Outcome
from vxtray.core.parsers.countries import alpha2
from vxtray.core.sources.importer import parse_file

SHARED = Path(os.environ.get("VXTRAY_SHARED") or Path(__file__).resolve().parents[4] / "shared")
FILES = sorted(
    path
    for family in ("modsecurity", "cef")
    for path in (SHARED / "samples" / family).glob("*/*")
    if path.suffix in {".log", ".json"}
)

#: What an event must at least be, by severity number.
LEAST = [*[Severity.CRITICAL] * 3, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO, Severity.INFO]
TEXTS = ("action", "target_host", "target_url", "user", "rule_id", "rule_name", "src_port", "dst_port", "source")

#: Files of which not every line is an event, and how many are nothing of interest: blank lines between the records of a
#: native log, and requests that no rule matched.
IGNORED = {
    "modsec_audit.log": 3,
    "modsec_audit_v2.log": 3,
    "modsec_audit_v2_timems.log": 3,
    "v3-nginx-audit.json": 2,
}

pytestmark = pytest.mark.skipif(not FILES, reason=f"no samples in {SHARED}; name the folder with VXTRAY_SHARED")


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def expectations() -> list[object]:
    found = []
    for path in FILES:
        expected = path.with_name(path.name + ".expected.jsonl")
        for row in map(json.loads, expected.read_text(encoding="utf-8").splitlines() if expected.exists() else ()):
            if "expect" in row:
                number = row.get("line") or row["first_line"]
                found.append(pytest.param(path, number, row["expect"], id=f"{name_of(path)}:{number}"))
    return found


def outcomes(path: Path) -> dict[int, Outcome]:
    return dict(parse_file(path, zone=UTC))


@pytest.mark.parametrize(("path", "line", "expect"), expectations())
def test_sample_gives_what_its_origin_says(path: Path, line: int, expect: dict[str, object]) -> None:
    event = outcomes(path)[line]

    assert isinstance(event, SecurityEvent)
    for name in TEXTS:
        if name in expect:
            assert str(getattr(event, name)) == str(expect[name]), name
    for name in ("src_ip", "dst_ip"):
        if name in expect:
            assert ipaddress.ip_address(getattr(event, name)) == ipaddress.ip_address(str(expect[name]))
    if "country" in expect:
        assert event.country == alpha2(str(expect["country"]))
    if "severity_num" in expect:
        least = LEAST[int(str(expect["severity_num"]))]
        assert event.severity is least if event.score is None else event.severity.rank >= least.rank
    if "time" in expect:
        assert event.at == datetime.fromisoformat(str(expect["time"]))
    if "time_local" in expect:
        assert event.at.replace(tzinfo=None).isoformat() == expect["time_local"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_record_of_a_sample_file_is_understood(path: Path) -> None:
    found = list(outcomes(path).values())

    assert all(isinstance(outcome, SecurityEvent | Ignored) for outcome in found)
    assert sum(isinstance(outcome, Ignored) for outcome in found) == IGNORED.get(path.name, 0)


def test_trouble_of_the_firewall_itself_is_no_attack() -> None:
    for path in (path for path in FILES if path.parent.name in {"ossec-rules", "wazuh-rules"}):
        event = outcomes(path)[1]
        assert isinstance(event, SecurityEvent)
        assert (event.category, event.source) == (Category.SYSTEM, "modsecurity")
        assert event.message == "Audit log: Failed to lock global mutex: Identifier removed"
