"""CrowdSec's alerts, decisions and log lines, and what may be done to them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.parsers.assembling import assemble
from tests.core.parsers.expected import MISSING, assert_clean, assert_quick, expectations, sample_files, title, told
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import MAX_LINE, Ignored, Outcome, Rejected, parse
from vxtray.core.sources.importer import import_files
from vxtray.core.store.embedded import EmbeddedStore

FILES = sample_files("crowdsec")
PARIS = ZoneInfo("Europe/Paris")

with_samples = pytest.mark.skipif(not FILES, reason=MISSING)

BAN: dict[str, Any] = {
    "duration": "3h59m49.264032632s",
    "id": 1,
    "origin": "crowdsec",
    "scenario": "crowdsecurity/ssh-bf",
    "scope": "Ip",
    "type": "ban",
    "value": "192.0.2.1",
}
#: As ``cscli alerts list -o json`` writes it.
ALERT: dict[str, Any] = {
    "capacity": 5,
    "created_at": "2026-10-26T09:50:33+01:00",
    "decisions": [BAN],
    "events": [
        {
            "meta": [
                {"key": "target_user", "value": "root"},
                {"key": "service", "value": "ssh"},
            ],
            "timestamp": "2026-10-26T09:50:31+01:00",
        }
    ],
    "events_count": 6,
    "id": 42,
    "labels": None,
    "leakspeed": "10s",
    "machine_id": "localhost",
    "message": "Ip 192.0.2.1 performed 'crowdsecurity/ssh-bf' (6 events over 30.18165ms)",
    "scenario": "crowdsecurity/ssh-bf",
    "scenario_hash": "4441dcff",
    "scenario_version": "0.1",
    "simulated": False,
    "source": {
        "as_name": "A",
        "cn": "FR",
        "ip": "192.0.2.1",
        "range": "192.0.2.0/24",
        "scope": "Ip",
        "value": "192.0.2.1",
    },
    "start_at": "2026-10-26T09:50:32.025353849+01:00",
    "stop_at": "2026-10-26T09:50:32.055534398+01:00",
}


def outcome_of(record: object, **changes: Any) -> Outcome:
    return parse(json.dumps({**record, **changes} if isinstance(record, dict) else record), zone=PARIS)


def event_of(record: object, **changes: Any) -> SecurityEvent:
    outcome = outcome_of(record, **changes)
    assert isinstance(outcome, SecurityEvent), outcome
    return outcome


def line_of(said: str, at: str = '"2026-05-07T12:20:23+02:00"') -> str:
    return f'time={at} level=info msg="{said}" module=db'


# --- samples ----------------------------------------------------------------------------------------------------------


def sample_events(name: str) -> list[SecurityEvent]:
    (path,) = (path for path in FILES if path.name == name)
    lines = path.read_text(encoding="utf-8").split("\n")
    outcomes = [parse(record.text, zone=UTC) for record in assemble(enumerate(lines, 1)) if record.text]
    events = [one for one in outcomes if isinstance(one, SecurityEvent)]
    assert all(isinstance(one, SecurityEvent | Ignored) for one in outcomes)
    return events


@with_samples
def test_the_origin_says_nothing_about_its_samples() -> None:
    assert expectations("crowdsec") == []


@with_samples
@pytest.mark.parametrize("path", FILES, ids=title)
def test_a_sample_is_understood_as_one_text_too(path: Path) -> None:
    outcome = parse(path.read_text(encoding="utf-8"), zone=UTC)
    assert_clean(outcome)
    assert not isinstance(outcome, Rejected)


@with_samples
def test_an_alert_of_the_samples() -> None:
    assert sample_events("alert_ssh-bf.json") == [
        SecurityEvent(
            at=datetime(2020, 10, 26, 8, 50, 32, 55534, tzinfo=UTC),
            source="crowdsec",
            category=Category.AUTH,
            action=Action.DETECTED,
            severity=Severity.MEDIUM,
            src_ip="91.121.79.195",
            country="FR",
            user="root",
            rule_name="crowdsecurity/ssh-bf",
            message="Ip 91.121.79.195 performed 'crowdsecurity/ssh-bf' (6 events over 30.18165ms) at 2020-10-26 "
            "09:50:32.055535505 +0100 CET m=+6.235529150",
        )
    ]


@with_samples
def test_bans_of_the_samples() -> None:
    events = sample_events("alert_stream_fixture.json")
    assert [event.rule_name for event in events] == [f"crowdsecurity/{what}" for what in ("http_bf", "ssh_bf", "ddos")]
    events += sample_events("invalidAlert_sample.json")  # without scenario and source; the decision has them
    assert {(event.action, event.severity, event.src_ip) for event in events} == {
        (Action.BANNED, Severity.HIGH, "127.0.0.1")
    }
    assert {event.country for event in events} == {""}  # "france" is no code


# --- alerts -----------------------------------------------------------------------------------------------------------


def test_an_alert_that_led_to_a_ban_is_that_ban() -> None:
    event = event_of(ALERT)
    assert (event.category, event.action, event.severity) == (Category.BAN, Action.BANNED, Severity.HIGH)
    assert (event.src_ip, event.country, event.user, event.rule_name) == (
        "192.0.2.1",
        "FR",
        "root",
        "crowdsecurity/ssh-bf",
    )
    assert event.at == datetime(2026, 10, 26, 8, 50, 33, tzinfo=UTC)  # when the local API took it


@pytest.mark.parametrize(
    "changes",
    [
        {"decisions": None},
        {"decisions": []},
        {"simulated": True},
        {"decisions": [{**BAN, "simulated": True}]},
        {"decisions": [{**BAN, "type": "captcha"}]},
    ],
)
def test_an_alert_without_a_real_ban_is_a_detection(changes: dict[str, Any]) -> None:
    event = event_of(ALERT, **changes)
    assert (event.category, event.action, event.severity) == (Category.AUTH, Action.DETECTED, Severity.MEDIUM)
    assert event.src_ip == "192.0.2.1"


def test_each_banned_value_is_a_ban_once() -> None:
    other = {**BAN, "value": "2001:db8:0::7"}
    outcome = outcome_of(ALERT, decisions=[BAN, BAN, other, {**BAN, "type": "captcha", "value": "192.0.2.3"}])
    assert isinstance(outcome, tuple)
    assert [(event.src_ip, event.country) for event in outcome] == [("192.0.2.1", "FR"), ("2001:db8::7", "")]


@pytest.mark.parametrize(
    ("scope", "value", "field", "ours"),
    [
        ("Range", "192.0.2.0/24", "src_ip", "192.0.2.0"),
        ("Country", "FR", "country", "FR"),
        ("Username", "eve", "user", "eve"),
        ("AS", "64496", "src_ip", "192.0.2.1"),  # of the alert's source
    ],
)
def test_who_is_banned(scope: str, value: str, field: str, ours: str) -> None:
    assert getattr(event_of(ALERT, decisions=[{**BAN, "scope": scope, "value": value}]), field) == ours


@pytest.mark.parametrize("origin", ["CAPI", "lists", "lists:firehol"])
def test_a_blocklist_is_one_event_of_no_weight(origin: str) -> None:
    listed = [{**BAN, "origin": origin, "value": f"192.0.2.{n}"} for n in range(50)]
    event = event_of(ALERT, decisions=listed, scenario="update : +50/-0 IPs")
    assert (event.category, event.action, event.severity) == (Category.BAN, Action.INFO, Severity.INFO)
    assert event.src_ip == ""
    assert event_of(ALERT, decisions=[*listed, {**BAN, "value": "192.0.2.99"}]).src_ip == "192.0.2.99"


@pytest.mark.parametrize(
    ("scenario", "category"),
    [
        ("crowdsecurity/ssh-slow-bf", Category.AUTH),
        ("crowdsecurity/ssh-bf_user-enum", Category.AUTH),
        ("crowdsecurity/http-generic-bf", Category.AUTH),
        ("crowdsecurity/windows-bf", Category.AUTH),
        ("crowdsecurity/impossible-travel", Category.AUTH),
        ("crowdsecurity/http-probing", Category.WEB),
        ("crowdsecurity/CVE-2022-41082", Category.WEB),
        ("crowdsecurity/nginx-req-limit-exceeded", Category.WEB),
        ("crowdsecurity/postfix-spam", Category.EMAIL),
        ("crowdsecurity/vpatch-CVE-2023-1234", Category.WAF),
        ("crowdsecurity/crowdsec-appsec-outofband", Category.WAF),
        ("crowdsecurity/modsecurity", Category.WAF),
        ("crowdsecurity/iptables-scan-multi_ports", Category.IPS),
        ("crowdsecurity/suricata-major-severity", Category.IPS),
        ("somebody/of-tomorrow", Category.IPS),
    ],
)
def test_a_detection_is_about_what_its_scenario_watches(scenario: str, category: Category) -> None:
    assert event_of(ALERT, decisions=None, scenario=scenario).category is category


def test_its_waf_blocks_by_itself() -> None:
    meta = [
        {"key": "rule_name", "value": "native_rule:942100"},
        {"key": "uri", "value": "/login?id=1%27"},
        {"key": "target_fqdn", "value": "www.example.com:8443"},
    ]
    changes = {
        "decisions": None,
        "events": [None, {"meta": meta}],
        "scenario": "anomaly score block: sqli: 5, anomaly: 15, ",
    }
    event = event_of(ALERT, message="WAF block: anomaly score block from 192.0.2.1 (198.51.100.1)", **changes)
    assert (event.category, event.action, event.severity) == (Category.WAF, Action.BLOCKED, Severity.HIGH)
    assert (event.score, event.rule_id) == (15, "942100")
    assert (event.target_host, event.target_url) == ("www.example.com", "/login?id=1%27")
    event = event_of(ALERT, message="WAF out-of-band match: crs from 192.0.2.1 (198.51.100.1)", decisions=None)
    assert (event.category, event.action, event.severity) == (Category.WAF, Action.DETECTED, Severity.MEDIUM)


def test_the_context_of_an_alert_holds_lists_as_text() -> None:
    meta = [{"key": "target_uri", "value": '["/a?b=c","/d"]'}, {"key": "target_user", "value": "[]"}]
    event = event_of(ALERT, meta=meta)
    assert (event.target_url, event.user) == ("/a?b=c", "root")


def test_an_attack_happened_when_its_last_event_did() -> None:
    assert event_of(ALERT, decisions=None).at == datetime(2026, 10, 26, 8, 50, 32, 55534, tzinfo=UTC)
    event = event_of(ALERT, decisions=None, stop_at="0001-01-01T00:00:00Z", start_at=None)
    assert event.at == datetime(2026, 10, 26, 8, 50, 33, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        json.dumps([ALERT]),
        json.dumps(ALERT, indent=2).replace("\n", " "),
        json.dumps(ALERT, sort_keys=True),
        json.dumps({"time": ALERT["stop_at"], "program": "crowdsec", "alert": ALERT}),
        json.dumps({"event": ALERT}),
        f"<13>Oct 26 09:50:33 fw crowdsec[7]: {json.dumps(ALERT)}",
    ],
)
def test_layouts_around_an_alert(line: str) -> None:
    outcome = parse(line, zone=UTC)
    assert isinstance(outcome, SecurityEvent)
    assert outcome == event_of(ALERT)


# --- decisions --------------------------------------------------------------------------------------------------------


def test_a_decision_began_as_long_before_its_end_as_it_lasts() -> None:
    event = event_of(BAN, until="2026-10-26T12:50:22Z")
    assert (event.action, event.severity, event.src_ip) == (Action.BANNED, Severity.HIGH, "192.0.2.1")
    assert (event.rule_name, event.message) == ("crowdsecurity/ssh-bf", "ban Ip 192.0.2.1 3h59m49.264032632s")
    assert event.at == datetime(2026, 10, 26, 8, 50, 32, 735967, tzinfo=UTC)
    assert event_of(BAN, until="2026-10-26T12:50:22Z", duration="-2m").at.minute == 52


def test_a_stream_of_decisions() -> None:
    new = {**BAN, "until": "2026-10-26T12:50:22Z"}
    gone = {**BAN, "value": "192.0.2.2", "until": "2026-10-26T08:50:22Z", "duration": "-1m"}
    listed = {**new, "origin": "CAPI", "value": "192.0.2.4"}
    outcome = parse(json.dumps({"new": [new, listed], "deleted": [gone, {**gone, "type": "captcha"}]}), zone=UTC)
    assert isinstance(outcome, tuple)
    assert [(event.action, event.severity, event.src_ip) for event in outcome] == [
        (Action.BANNED, Severity.HIGH, "192.0.2.1"),
        (Action.UNBANNED, Severity.LOW, "192.0.2.2"),
    ]
    assert parse('{"deleted":null,"new":null}', zone=UTC) == Ignored()


def test_a_record_of_several_events_is_stored_as_several(tmp_path: Path) -> None:
    path = tmp_path / "decisions.json"
    until = "2026-10-26T12:50:22Z"
    stream = {"new": [{**BAN, "until": until}], "deleted": [{**BAN, "value": "192.0.2.2", "until": until}]}
    path.write_text(json.dumps(stream) + "\n" + json.dumps(ALERT) + "\n", encoding="utf-8")
    store = EmbeddedStore(tmp_path / "events.duckdb")
    try:
        result = import_files([path], store, zone=UTC)
        assert (result.read, result.stored, result.rejected) == (3, 3, 0)
        assert result.by_format == {"crowdsec": 3}
        assert store.last_seq() == 3
    finally:
        store.close()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (BAN, "The line has no time that can be read."),
        ({**BAN, "until": "2026-10-26T12:50:22Z", "duration": "for ever"}, "The line has no time that can be read."),
        ({**BAN, "until": "2000-01-02T00:00:00Z", "duration": "999999999h"}, "The line has no time that can be read."),
        ({**ALERT, "created_at": "", "start_at": 7, "stop_at": None}, "The line has no time that can be read."),
        ({"id": 1, "scope": "x"}, "The record is no CrowdSec alert or decision."),
        ({"new": [{}], "deleted": 1}, "The record is no CrowdSec alert or decision."),
        (
            {**ALERT, "decisions": [], "scenario": None, "source": None},
            "The record is no CrowdSec alert or decision.",
        ),
    ],
)
def test_what_cannot_be_read_is_rejected_with_a_reason(record: object, reason: str) -> None:
    assert outcome_of(record) == Rejected(reason)
    assert parse(json.dumps(record)[:-1] + ',"scope":', zone=UTC) == Rejected("The record is broken JSON.")


# --- its log ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "category", "action", "country", "scenario"),
    [
        (
            "(localhost/crowdsec) crowdsecurity/http-backdoors by ip 192.0.2.1 (US/8075) : 4h ban on Ip 192.0.2.1",
            Category.BAN,
            Action.BANNED,
            "US",
            "crowdsecurity/http-backdoors",
        ),
        (
            "(console) me@crowdsec.net ban decision from console by ip 192.0.2.1 : 4h ban on ip 192.0.2.1",
            Category.BAN,
            Action.BANNED,
            "",
            "me@crowdsec.net ban decision from console",
        ),
        (
            "Ip 192.0.2.1 performed 'crowdsecurity/ssh-bf' (6 events over 386.8ms) at 2026-05-07 10:20:19 +0000 UTC",
            Category.AUTH,
            Action.DETECTED,
            "",
            "crowdsecurity/ssh-bf",
        ),
        ("192.0.2.1 blocked on /rpc2 (1 rules) [1234]", Category.WAF, Action.BLOCKED, "", ""),
    ],
)
@pytest.mark.parametrize(
    "layout",
    [
        'time="2026-05-07T12:20:23+02:00" level=info msg="{}" module=db',
        'time="07-05-2026 12:20:23" level=info msg="{}"',
        "INFO[07-05-2026 12:20:23] {} ",
        '2026-05-07T10:20:23.322183975Z time="2026-05-07T12:20:23+02:00" level=info msg="{}" module=db',
    ],
)
def test_lines_of_its_log(
    layout: str, said: str, category: Category, action: Action, country: str, scenario: str
) -> None:
    event = parse(layout.format(said), zone=PARIS)
    assert isinstance(event, SecurityEvent)
    assert (event.category, event.action, event.src_ip) == (category, action, "192.0.2.1")
    assert (event.country, event.rule_name, event.message) == (country, scenario, said)
    assert event.at == datetime(2026, 5, 7, 10, 20, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "said",
    [
        "(localhost/crowdsec) crowdsecurity/http-probing by ip 192.0.2.1 (US/8075) : 4h captcha on Ip 192.0.2.1",
        "Starting processing data of crowdsec",
        "Signal push: 1 signals to push to api.crowdsec.net",
    ],
)
def test_other_lines_of_its_log_hold_no_event(said: str) -> None:
    assert parse(line_of(said), zone=UTC) == Ignored()


def test_a_ban_without_a_time_is_rejected() -> None:
    line = line_of("(a) b/c by ip 192.0.2.1 : 4h ban on Ip 192.0.2.1 crowdsec", at='"2026-13-07T12:20:23Z"')
    assert parse(line, zone=UTC) == Rejected("The line has no time that can be read.")


@pytest.mark.parametrize(
    "line",
    [
        '{"transaction":{"request":{"headers":' + json.dumps(ALERT) + "}}}",
        '192.0.2.7 - - [05/Feb/2023:00:28:13 +0000] "GET / HTTP/1.1" 404 ' + line_of("Ip 192.0.2.1 performed 'a/b' ("),
        'device="SFW" url="' + json.dumps(ALERT),
        line_of(r"query \"Ip 192.0.2.1 performed 'a/b' (\" of crowdsec"),
        'time="2026-05-07T12:20:23+02:00" level=info msg="something" module=docker',
    ],
)
def test_what_a_visitor_sends_is_no_event(line: str) -> None:
    assert not isinstance(parse(line, zone=UTC), SecurityEvent | tuple)


# --- hostile lines ----------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just([BAN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PIECES = st.sampled_from([*'"\\{}[]:,\0\ufeff\ud800', '":"', "\\ud800", "\\u0000", "null", "9" * 40, "/", "ban"])
GOOD = (
    json.dumps(ALERT),
    json.dumps({**BAN, "until": "2026-10-26T12:50:22Z"}),
    line_of("(localhost/crowdsec) crowdsecurity/ssh-bf by ip 192.0.2.1 (US/8075) : 4h ban on Ip 192.0.2.1"),
    line_of("Ip 192.0.2.1 performed 'crowdsecurity/ssh-bf' (6 events over 386.892261ms)"),
)


@given(st.dictionaries(st.sampled_from([*ALERT, "meta", "new", "deleted", "alert", "Events"]), VALUES, max_size=5))
@settings(max_examples=300)
def test_any_value_of_an_alert_gets_an_answer(changes: dict[str, Any]) -> None:
    assert_clean(parse(json.dumps({**ALERT, **changes}), format="crowdsec", zone=PARIS))


@given(st.dictionaries(st.sampled_from([*BAN, "until", "created_at", "reason"]), VALUES, max_size=5))
def test_any_value_of_a_decision_gets_an_answer(changes: dict[str, Any]) -> None:
    assert_clean(outcome_of({**BAN, "until": "2026-10-26T12:50:22Z", **changes}))
    assert_clean(outcome_of(ALERT, decisions=[{**BAN, **changes}]))


@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 20), PIECES | st.text(max_size=8)), max_size=4),
)
@settings(max_examples=300)
def test_a_damaged_record_gets_an_answer(line: str, damages: list[tuple[int, int, str]]) -> None:
    for at, length, piece in damages:
        line = line[:at] + piece + line[at + length :]
    assert_clean(parse(line, zone=PARIS))
    assert_clean(parse(line, format="crowdsec", zone=PARIS))


@pytest.mark.parametrize(
    "piece", ["[", '{"a":', '"', "\\", " by ip ", "a", "(", "9", " ", "{}", json.dumps(BAN) + ",", "Ip 1 performed '"]
)
@pytest.mark.parametrize(
    "start", ["", "[", GOOD[0][:-1] + ',"x":', '{"scope":1,"decisions":[', GOOD[2][:70], GOOD[2][:-12], 'time="']
)
def test_time_is_in_proportion_to_the_length(start: str, piece: str) -> None:
    line = (start + piece * MAX_LINE)[:MAX_LINE]
    assert_quick(line, PARIS, "crowdsec")
    assert_quick(line)


def test_an_array_of_many_bans_takes_its_time() -> None:
    bans = [{**BAN, "value": f"198.51.{n // 256}.{n % 256}", "until": "2026-10-26T12:50:22Z"} for n in range(300)]
    assert_quick(json.dumps(bans))
    outcome = parse(json.dumps(bans), zone=UTC)
    assert isinstance(outcome, tuple)
    assert len(outcome) == 300
    assert told(outcome) is None
