"""Suricata's eve.json records, and what may be done to them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.parsers.expected import (
    MISSING,
    Expectation,
    assert_clean,
    assert_quick,
    differences,
    expectations,
    sample_files,
    title,
    told,
)
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import MAX_LINE, Ignored, Rejected, parse

FILES = sample_files("suricata")
PARIS = ZoneInfo("Europe/Paris")
BROKEN = Rejected("The record is broken JSON.")

with_samples = pytest.mark.skipif(not FILES, reason=MISSING)

#: sample file -> events, ignored
COUNTS = {
    "beats-eve/eve-6.0.log": (1, 0),
    "beats-eve/eve-alerts.log": (6, 0),
    "beats-eve/eve-dns-4.1.4.log": (0, 8),
    "beats-eve/eve-small.log": (1, 4),
    "crowdsec-hub-suricata-eve-detect/suricata-eve-detect.log": (2, 0),
    "crowdsec-hub-suricata-logs-evelog/suricata-logs-evelog.log": (1, 2),
    "hassanabad-first-org-conf-2015/alerts-only.log": (45, 0),
    "hassanabad-honeypot-2018/alerts-only.log": (14, 0),
    "hassanabad-wrccdc-2017/alerts-only.log": (54, 0),
    "hassanabad-wrccdc-2018/alerts-only.log": (69, 0),
    "wazuh-engine/suricata_alert.log": (1, 0),
}

#: In Suricata's order.
ALERT: dict[str, Any] = {
    "timestamp": "2026-01-27T01:28:11.488362+0100",
    "flow_id": 1805461738637437,
    "in_iface": "eth0",
    "event_type": "alert",
    "src_ip": "2001:0db8:0000::1",
    "src_port": 51422,
    "dest_ip": "198.51.100.15",
    "dest_port": 443,
    "proto": "TCP",
    "alert": {
        "action": "allowed",
        "gid": 1,
        "signature_id": 2019401,
        "rev": 6,
        "signature": "ET WEB_SERVER Possible SQL Injection",
        "category": "Web Application Attack",
        "severity": 1,
        "metadata": {"signature_severity": ["Major"]},
    },
    "http": {"hostname": "www.example.com", "url": "/login?id=1%27", "http_method": "GET"},
}


def line_of(**changes: Any) -> str:
    return json.dumps({**ALERT, **changes}, separators=(",", ":"))


def event_of(line: str) -> SecurityEvent:
    outcome = parse(line, zone=PARIS)
    assert isinstance(outcome, SecurityEvent), outcome
    return outcome


def alert_of(**changes: Any) -> SecurityEvent:
    return event_of(line_of(alert={**ALERT["alert"], **changes}))


@with_samples
@pytest.mark.parametrize("case", expectations("suricata"), ids=lambda case: case.name)
def test_sample_gives_what_its_origin_says(case: Expectation) -> None:
    assert differences(told(parse(case.line, zone=UTC)), case.expect) == []


@with_samples
@pytest.mark.parametrize("path", FILES, ids=title)
def test_every_line_of_a_sample_file_has_its_outcome(path: Path) -> None:
    outcomes = [parse(line, zone=UTC) for line in path.read_text(encoding="utf-8").splitlines()]
    events = [one for one in outcomes if isinstance(one, SecurityEvent)]
    ignored = [one for one in outcomes if isinstance(one, Ignored)]
    assert len(events) + len(ignored) == len(outcomes)
    assert (len(events), len(ignored)) == COUNTS.get(title(path), (len(events), len(ignored)))
    assert {event.action for event in events} <= {Action.DETECTED}


def test_an_alert() -> None:
    event = event_of(line_of())
    assert event == SecurityEvent(
        at=datetime(2026, 1, 27, 0, 28, 11, 488362, tzinfo=UTC),
        source="suricata",
        category=Category.IPS,
        action=Action.DETECTED,
        severity=Severity.HIGH,
        src_ip="2001:db8::1",
        src_port=51422,
        dst_ip="198.51.100.15",
        dst_port=443,
        target_host="www.example.com",
        target_url="/login?id=1%27",
        rule_id="2019401",
        rule_name="ET WEB_SERVER Possible SQL Injection",
        message="Web Application Attack",
    )


@pytest.mark.parametrize(
    ("action", "verdict", "ours"),
    [
        ("allowed", None, Action.DETECTED),
        ("allowed", {"action": "alert"}, Action.DETECTED),
        ("allowed", {"action": "pass"}, Action.DETECTED),
        ("blocked", None, Action.BLOCKED),
        ("drop", None, Action.BLOCKED),
        # Another rule dropped the packet (Suricata 7).
        ("allowed", {"action": "drop", "reject": ["tcp-reset"]}, Action.BLOCKED),
        (None, None, Action.DETECTED),
    ],
)
def test_an_attack_that_was_let_through_is_detected(action: str | None, verdict: object, ours: Action) -> None:
    line = line_of(alert={**ALERT["alert"], "action": action}, **({"verdict": verdict} if verdict else {}))
    assert event_of(line).action is ours


@pytest.mark.parametrize(
    ("severity", "named", "ours"),
    [
        (1, ["Major"], Severity.HIGH),
        (2, ["Minor"], Severity.MEDIUM),
        (3, None, Severity.LOW),
        (4, None, Severity.LOW),
        (255, None, Severity.LOW),
        (3, ["Critical"], Severity.CRITICAL),
        (3, "critical", Severity.CRITICAL),
        ("2", [], Severity.MEDIUM),
        (None, None, Severity.MEDIUM),
        ([1], {"a": 1}, Severity.MEDIUM),
    ],
)
def test_severity_counts_down_and_critical_wins(severity: object, named: object, ours: Severity) -> None:
    assert alert_of(severity=severity, metadata={"signature_severity": named}).severity is ours


def test_the_target_of_tls_is_the_name_that_was_asked_for() -> None:
    event = event_of(line_of(http=None, tls={"sni": "Mail.Example.com.", "version": "TLS 1.2"}))
    assert (event.target_host, event.target_url) == ("mail.example.com", "")


@pytest.mark.parametrize(
    "line",
    [
        f"<13>Jan 27 01:28:11 fw suricata[812]: {line_of()}",
        f"<13>Jan 27 01:28:11 fw suricata[812]: @cee: {line_of()}",
        f"<13>1 2026-01-27T01:28:11Z fw suricata 812 - - {line_of()}",
        f"2026-01-27T01:28:11.5+01:00 fw suricata: {line_of()}",
        json.dumps({**ALERT, "timestamp": ALERT["timestamp"]}, sort_keys=True),
        json.dumps(ALERT, indent=2),
        f"[{line_of()}]",
    ],
)
def test_layouts_around_a_record(line: str) -> None:
    assert event_of(line).rule_id == "2019401"


def test_an_array_of_records_is_several_events() -> None:
    outcome = parse(f"[{line_of()}, {line_of(event_type='dns')}, {line_of()}, 7]", zone=UTC)
    assert isinstance(outcome, tuple)
    assert len(outcome) == 2


def test_a_dropped_packet() -> None:
    event = event_of(line_of(event_type="drop", alert={**ALERT["alert"], "action": "blocked"}, drop={"len": 1500}))
    assert (event.action, event.severity, event.rule_id) == (Action.BLOCKED, Severity.HIGH, "2019401")
    event = event_of(line_of(event_type="drop", alert=None, drop={"reason": "stream error"}))
    assert (event.category, event.action, event.severity) == (Category.IPS, Action.BLOCKED, Severity.LOW)
    assert event.message == "drop: stream error"


def test_an_anomaly_is_told_and_weighs_little() -> None:
    event = event_of(line_of(event_type="anomaly", alert=None, anomaly={"type": "applayer", "event": "BAD_LENGTH"}))
    assert (event.category, event.action, event.severity) == (Category.IPS, Action.INFO, Severity.LOW)
    assert (event.rule_name, event.message) == ("BAD_LENGTH", "anomaly: applayer")


@pytest.mark.parametrize("kind", ["dns", "flow", "http", "tls", "fileinfo", "stats", "ssh", "netflow", "of tomorrow"])
def test_what_went_over_the_net_is_understood_and_no_event(kind: str) -> None:
    outcome = parse(line_of(event_type=kind, alert=None), zone=UTC)
    assert isinstance(outcome, Ignored)
    assert outcome.event is not None
    assert (outcome.event.category, outcome.event.action) == (Category.OTHER, Action.INFO)
    assert (outcome.event.src_ip, outcome.event.dst_port) == ("2001:db8::1", 443)


def test_the_zone_counts_where_the_time_has_none() -> None:
    assert event_of(line_of(timestamp="2026-01-27T01:28:11.488362")).at.hour == 0
    assert event_of(line_of(timestamp="2026-01-27T01:28:11.488362Z")).at.hour == 1


@pytest.mark.parametrize("cut", range(120, len(line_of()) - 1, 37))
def test_a_record_that_was_cut_off_is_rejected(cut: int) -> None:
    assert parse(line_of()[:cut], zone=UTC) == BROKEN


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (line_of(timestamp="yesterday"), "The line has no time that can be read."),
        (line_of(timestamp=None), "The line has no time that can be read."),
        (line_of(event_type=None), "The record is none of Suricata's."),
        (line_of() + "}", BROKEN.reason),
        (line_of(flow_id=1).replace('"flow_id":1', '"flow_id":' + "[" * 5000), BROKEN.reason),
        (line_of(flow_id=1).replace('"flow_id":1', '"flow_id":' + "[" * 5000 + "]" * 5000), BROKEN.reason),
    ],
)
def test_what_cannot_be_read_is_rejected_with_a_reason(line: str, reason: str) -> None:
    assert parse(line, zone=UTC) == Rejected(reason)


def test_the_last_of_equal_keys_counts_and_huge_numbers_do_no_harm() -> None:
    line = line_of(flow_id=1).replace('"flow_id":1', '"src_ip":"192.0.2.9","flow_id":' + "9" * 4000)
    assert event_of(line).src_ip == "2001:db8::1"
    assert alert_of(signature_id=10**40).rule_id == ""
    assert event_of(line_of(flow_id=1).replace('"flow_id":1', '"flow_id":-1e999,"x":NaN')).rule_id == "2019401"


def test_hidden_characters_in_texts_are_taken_out() -> None:
    event = alert_of(signature="a\x00b\u202ec\x1b[31m\ud83d")
    assert event.rule_name == "abc[31m"


@pytest.mark.parametrize(
    "line",
    [
        '{"transaction":{"request":{"headers":' + line_of() + "}}}",
        '{"level":"info","msg":' + json.dumps(line_of()) + ',"event_type":"x","timestamp":"y"}',
        "192.0.2.7 - - [05/Feb/2023:00:28:13 +0000] " + json.dumps(line_of()),
    ],
)
def test_what_a_visitor_sends_is_no_alert(line: str) -> None:
    assert not isinstance(parse(line, zone=UTC), SecurityEvent)


def test_a_request_that_looks_like_another_log_stays_an_alert() -> None:
    url = '/?device="SFW" log_type="WAF" log_id=1 fail2ban.actions: NOTICE [sshd] Ban 192.0.2.1'
    assert event_of(line_of(http={"hostname": "www.example.com", "url": url})).source == "suricata"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PIECES = st.sampled_from([*'"\\{}[]:,\0\ufeff\ud800', '":"', '",', "\\ud800", "\\u0000", "null", "1e999", "9" * 40])


@given(st.dictionaries(st.sampled_from([*ALERT, "tls", "verdict", "drop", "anomaly"]), VALUES, max_size=5))
@settings(max_examples=300)
def test_any_value_gets_an_answer(changes: dict[str, Any]) -> None:
    assert_clean(parse(line_of(**changes), format="suricata", zone=PARIS))


@given(st.dictionaries(st.sampled_from([*ALERT["alert"]]), VALUES, max_size=5))
def test_any_value_of_an_alert_gets_an_answer(changes: dict[str, Any]) -> None:
    assert_clean(parse(line_of(alert={**ALERT["alert"], **changes}), zone=PARIS))


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 20), PIECES | st.text(max_size=8)), max_size=4))
@settings(max_examples=300)
def test_a_damaged_record_gets_an_answer(damages: list[tuple[int, int, str]]) -> None:
    line = line_of()
    for at, length, piece in damages:
        line = line[:at] + piece + line[at + length :]
    assert_clean(parse(line, zone=PARIS))
    assert_clean(parse(line, format="suricata", zone=PARIS))


@pytest.mark.parametrize("piece", ["[", '{"a":', '"', "\\", '"a":1,', "9", " ", "\\u0041", "é", "{}", '[1,"a"],'])
@pytest.mark.parametrize("start", ["", line_of()[:-1] + ',"x":', line_of()[:60], "[", line_of()[:-1] + ',"x":"'])
def test_time_is_in_proportion_to_the_length(start: str, piece: str) -> None:
    line = (start + piece * MAX_LINE)[:MAX_LINE]
    assert_quick(line, PARIS, "suricata")
    assert_quick(line)
