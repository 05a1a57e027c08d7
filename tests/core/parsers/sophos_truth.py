"""Generated Sophos lines and their exactly known totals, with the generator's words mapped to ours."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from vxtray.core.events import SecurityEvent
from vxtray.core.parsers.countries import alpha2

LINES = 20_000
#: The generator's words for ours.
CATEGORY = {"admin": "auth", "av": "malware"}
ACTION = {"auth_ok": "allowed", "auth_failed": "failed", "connected": "info", "disconnected": "info"}
SEVERITY = {
    "Information": "info",
    "Notice": "low",
    "Warning": "medium",
    "Error": "high",
    "Critical": "critical",
    "Alert": "critical",
}
SCORE = re.compile(r"Total Score: (\d+)")


def generated(tool: Path, tmp_path: Path, *options: str) -> tuple[list[str], dict]:
    """Write ``events.log`` into a folder; return its lines and the truth."""
    log, truth = tmp_path / "events.log", tmp_path / "truth.json"
    command = [sys.executable, str(tool), "-n", str(LINES), "-o", str(log), "--truth", str(truth), *options]
    subprocess.run(command, check=True, timeout=60)
    lines = log.read_bytes().decode("utf-8", "replace").split("\n")[:-1]
    return lines, json.loads(truth.read_text(encoding="utf-8"))


def mapped(counts: dict[str, int], words: dict[str, str]) -> Counter[str]:
    total: Counter[str] = Counter()
    for word, n in counts.items():
        total[words.get(word, word)] += n
    return total


def expected_severity(truth: dict, lines: list[str]) -> Counter[str]:
    """The logged word, but a stopped WAF attack by its score, and IPsec by its log id, which says 4 (warning)."""
    counts = mapped(truth["by_severity"], SEVERITY)
    for line in lines:
        if 'log_type="WAF"' in line and 'reason="-"' not in line:
            found = SCORE.search(line)
            score = int(found[1]) if found else 5
            counts["info"] -= 1
            counts["critical" if score >= 20 else "high" if score >= 10 else "medium"] += 1
    raised = sum(n for words, n in truth["by_outcome"].items() if re.fullmatch(r"Event\|IPSec\|.*(ed)", words))
    raised -= truth["by_outcome"].get("Event|IPSec|System|Failed", 0)
    return counts + Counter(medium=raised, info=0) - Counter(info=raised)


def check_totals(events: list[SecurityEvent], lines: list[str], truth: dict) -> None:
    """Compare events with every total that the generator knows."""
    assert len(events) == truth["good"]
    assert Counter(event.category.value for event in events) == mapped(truth["by_category"], CATEGORY)
    actions = mapped(truth["by_action"], ACTION)
    tunnels_down = truth["by_outcome"].get("Event|IPSec|System|Failed", 0)  # "info" for the generator
    assert Counter(event.action.value for event in events) == actions + Counter(failed=tunnels_down) - Counter(
        info=tunnels_down
    )
    good = [line for line in lines if "log_type=" in line]
    assert Counter(event.severity.value for event in events) == expected_severity(truth, good)
    assert Counter(event.at.date().isoformat() for event in events) == truth["by_day_utc"]
    assert events[0].at.isoformat().startswith(truth["first_utc"].rstrip("Z"))

    # The generator does not count the far end of a tunnel as a source.
    sources = Counter(event.src_ip for event in events if event.src_ip and ", IPSec" not in words(event))
    assert top(sources) == [tuple(row) for row in truth["src_top20"]]
    blocked = Counter(event.src_ip for event in events if event.src_ip and event.blocked)
    assert top(blocked) == [tuple(row) for row in truth["src_blocked_top20"]]
    assert Counter(event.country for event in events if event.country) == {
        alpha2(code): n for code, n in truth["by_src_country"].items() if alpha2(code)
    }
    targets = Counter(event.target_host for event in events if event.category in {"waf", "web", "malware"})
    ranked = {row[0].partition(":")[0]: row[1] for row in truth["target_top20"]}
    assert {name: targets[name] for name in ranked} == ranked
    rules = Counter(rule(event) for event in events)
    assert {row[0]: rules[row[0]] for row in truth["rule_top20"]} == {row[0]: row[1] for row in truth["rule_top20"]}


def words(event: SecurityEvent) -> str:
    return ", IPSec" if event.category == "vpn" and ("IPSec" in event.message or "IKE" in event.message) else ""


def rule(event: SecurityEvent) -> str:
    prefix = {"firewall": "fw", "malware": "av"}.get(event.category.value, event.category.value)
    return f"{prefix}:{event.rule_id or event.rule_name}"


def top(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]
