"""ModSecurity in all its forms, line by line and record by record."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.parsers.assembling import assemble
from tests.core.quick import assert_quick
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import MAX_LINE, Ignored, Rejected, parse
from vxtray.core.parsers.records import MAX_RECORD

PARIS = ZoneInfo("Europe/Paris")
SQLI = (
    'Warning. Pattern match "x\\"y" at ARGS:a. [file "/crs/a.conf"] [line "65"] [id "942100"] [msg "SQL Injection"] '
    '[data "Matched Data: [id \\"1\\"] found"] [severity "{severity}"] [tag "OWASP_CRS"]'
)
SCORE = (
    "Access denied with code 403 (phase 2). Operator GE matched 5 at TX:anomaly_score. "
    '[file "/crs/b.conf"] [id "949110"] [msg "Inbound Anomaly Score Exceeded (Total Score: {score})"]'
)
OUT_SCORE = (
    'Warning. Operator GE matched 4. [id "980130"] [msg "Inbound Anomaly Score (Total Inbound Score: 5 - SQLI=5)"]'
)
APACHE = "[Fri Jun 14 04:48:20.094249 2024] [:error] [pid 1:tid 2] {clients} ModSecurity: {said}"
NGINX = (
    '2021/12/26 12:36:51 [error] 972#972: *18722 ModSecurity: {said} [unique_id "1"] [ref ""], '
    'client: 192.0.2.1, server: _, request: "GET /a?b=c HTTP/1.1", host: "www.example.com:8443", referrer: "x"'
)
TEXTS = ("src_ip", "dst_ip", "target_host", "target_url", "rule_id", "rule_name", "message")


def event_of(text: str) -> SecurityEvent:
    outcome = parse(text, zone=PARIS)
    assert isinstance(outcome, SecurityEvent), outcome
    return outcome


def native(*trailer: str, start: str = "[13/Aug/2022:02:06:11 +0200] id1 192.0.2.7 4711 2001:db8::1 443") -> str:
    return "\n".join(["--68a39c63-A--", start, "--68a39c63-H--", *trailer, "--68a39c63-Z--"])


def message(text: str, **values: object) -> str:
    return "Message: " + text.format(**values)


# --- one event for a request ------------------------------------------------------------------------------------------


def test_the_strongest_rule_counts_and_the_total_score() -> None:
    event = event_of(
        native(
            message(SQLI, severity="NOTICE"),
            message(SQLI.replace("942100", "941100"), severity="CRITICAL"),
            message(SCORE, score=15),
            message(OUT_SCORE),
            'Apache-Error: [client 192.0.2.9] ModSecurity: Warning. [id "999999"]',
            "Action: Intercepted (phase 2)",
        )
    )
    assert event == SecurityEvent(
        at=datetime(2022, 8, 13, 0, 6, 11, tzinfo=UTC),
        source="modsecurity",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.CRITICAL,
        src_ip="192.0.2.7",
        src_port=4711,
        dst_ip="2001:db8::1",
        dst_port=443,
        rule_id="941100",
        rule_name="SQL Injection",
        message='Pattern match "x\\"y" at ARGS:a.',
        score=15,
    )


@pytest.mark.parametrize(
    ("messages", "action", "severity", "rule"),
    [
        ([message(SQLI, severity="NOTICE")], Action.DETECTED, Severity.LOW, "942100"),
        ([message(SQLI, severity="4")], Action.DETECTED, Severity.MEDIUM, "942100"),
        ([message(SQLI, severity="ERROR")], Action.DETECTED, Severity.HIGH, "942100"),
        ([message(SQLI, severity="7")], Action.DETECTED, Severity.INFO, "942100"),
        ([message(SQLI, severity="")], Action.DETECTED, Severity.LOW, "942100"),
        ([message(SCORE, score=5)], Action.BLOCKED, Severity.MEDIUM, "949110"),
        ([message(SCORE, score=20)], Action.BLOCKED, Severity.CRITICAL, "949110"),
        ([message(SCORE, score=10), message(SQLI, severity="5")], Action.BLOCKED, Severity.HIGH, "942100"),
        (["Message: Access denied with code 403 (phase 1). x"], Action.BLOCKED, Severity.MEDIUM, ""),
        (["ModSecurity: " + SQLI.format(severity="5")], Action.DETECTED, Severity.LOW, "942100"),
        (["Action: Intercepted (phase 2)"], Action.BLOCKED, Severity.MEDIUM, ""),
    ],
)
def test_verdict_and_severity(messages: list[str], action: Action, severity: Severity, rule: str) -> None:
    event = event_of(native(*messages))
    assert (event.action, event.severity, event.rule_id) == (action, severity, rule)


@pytest.mark.parametrize(
    "trailer",
    [
        [],
        ["Stopwatch: 1 2 (- - -)", "Producer: ModSecurity for Apache/2.9.2", 'Engine-Mode: "ENABLED"'],
        ['Message: Rule 7f0c [id "1"][file "x"] - Execution error - PCRE limits exceeded (-8): (null).'],
        ['Message: Access allowed (phase 1). Pattern match "x" at REMOTE_ADDR. [id "10"]'],
        ["Message: Audit log: Failed to lock global mutex"],
    ],
)
def test_a_request_that_no_rule_matched_is_no_event(trailer: list[str]) -> None:
    assert parse(native(*trailer), zone=UTC) == Ignored()


@pytest.mark.parametrize(
    ("time", "hour"),
    [
        ("13/Aug/2022:02:06:11.341644 +0000", 2),
        ("13/Aug/2022:02:06:11 --0700", 9),
        ("13/Aug/2022:02:06:11", 0),
    ],
)
def test_times_of_the_native_log(time: str, hour: int) -> None:
    event = event_of(native(message(SQLI, severity="2"), start=f"[{time}] id1 192.0.2.7 4711 192.0.2.8 443"))
    assert (event.at.hour, event.at.tzinfo) == (hour, UTC)


@pytest.mark.parametrize("start", ["", "[x] id 192.0.2.7 1 192.0.2.8 2", "[31/Feb/2022:02:06:11 +0000] i a 1 b 2"])
def test_a_record_without_a_time_is_rejected(start: str) -> None:
    assert isinstance(parse(native(message(SQLI, severity="2"), start=start), zone=UTC), Rejected)


# --- error logs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clients", "src_ip", "src_port"),
    [
        ("[client 192.0.2.1]", "192.0.2.1", 0),
        ("[client 192.0.2.1:4711] [client 192.0.2.1]", "192.0.2.1", 4711),
        ("[remote 192.0.2.1:4711] [client 192.0.2.1]", "192.0.2.1", 4711),
        ("[client 2001:db8::1]", "2001:db8::1", 0),
        ("[client 2001:db8:1:2:3:4:5:6:4711] [client 2001:db8:1:2:3:4:5:6]", "2001:db8:1:2:3:4:5:6", 4711),
        ("[client www.example.com]", "", 0),
        ("", "", 0),
    ],
)
def test_clients_of_apache(clients: str, src_ip: str, src_port: int) -> None:
    said = SQLI.format(severity="CRITICAL") + ' [hostname "www.example.com"] [uri "/a"] [unique_id "1"]'
    event = event_of(APACHE.format(clients=clients, said=said))
    assert (event.src_ip, event.src_port, event.target_host, event.target_url) == (
        *(src_ip, src_port),
        *("www.example.com", "/a"),
    )
    assert event.at == datetime(2024, 6, 14, 2, 48, 20, 94249, tzinfo=UTC)


def test_nginx_names_client_host_and_address_at_the_end() -> None:
    event = event_of(NGINX.format(said=SQLI.format(severity="2")))
    assert (event.src_ip, event.target_host, event.target_url, event.severity) == (
        *("192.0.2.1", "www.example.com"),
        *("/a?b=c", Severity.CRITICAL),
    )
    assert event.at == datetime(2021, 12, 26, 11, 36, 51, tzinfo=UTC)


def test_a_visitor_cannot_name_another_client() -> None:
    said = 'Warning. Matched "x" (Value: `a", client: 203.0.113.9, server: _` ) [file "f"] [id "1"]'
    assert event_of(NGINX.format(said=said)).src_ip == "192.0.2.1"
    said = 'Warning. Pattern match "x" at ARGS. [id "1"] [data "[client 203.0.113.9] \\"] [id \\"2\\"]"]'
    event = event_of(APACHE.format(clients="[client 192.0.2.1]", said=said))
    assert (event.src_ip, event.rule_id) == ("192.0.2.1", "1")


@pytest.mark.parametrize(
    "line",
    [
        f"<131>Jun 14 04:48:20 web1 apache2[4711]: [error] [client 192.0.2.1] ModSecurity: {SQLI}",
        f"<131>1 2024-06-14T04:48:20+02:00 web1 apache2 4711 - - [:error] [client 192.0.2.1] ModSecurity: {SQLI}",
        f"<131>Jun 14 04:48:20 web1 nginx: 2024/06/14 04:48:20 [error] 1#1: *1 [client 192.0.2.1] ModSecurity: {SQLI}",
        f"[2024-06-14 04:48:20.5] [-:error] 192.0.2.1:36126 id [client 192.0.2.1] ModSecurity: {SQLI}",
    ],
)
def test_lines_behind_other_headers(line: str) -> None:
    event = event_of(line.format(severity="CRITICAL"))
    assert (event.src_ip, event.rule_id, event.source) == ("192.0.2.1", "942100", "modsecurity")
    assert (event.at.month, event.at.day, event.at.hour, event.at.minute) == (6, 14, 2, 48)


@pytest.mark.parametrize(
    "line",
    [
        "[Wed Feb 11 19:46:12.759594 2015] [mpm_event:notice] [pid 1] AH00489: Apache/2.4 configured",
        "[Wed Feb 11 19:46:12 2015] [error] [client 192.0.2.1] File does not exist: /favicon.ico",
        "[Wed Feb 11 19:46:12 2015] [notice] ModSecurity for Apache/2.9.2 (http://www.modsecurity.org/) configured.",
        '[Wed Feb 11 19:46:12 2015] [notice] ModSecurity: PCRE compiled version="8.32 "; loaded version="8.32"',
        "2021/12/26 12:36:51 [error] 972#972: *1 open() failed (2: No such file), client: 192.0.2.1, server: _",
        "2021/12/26 12:36:51 [notice] 1#1: ModSecurity-nginx v1.0.1 (rules loaded inline/local/remote: 0/910/0)",
    ],
)
def test_other_lines_of_a_web_server_are_no_events(line: str) -> None:
    assert parse(line, zone=UTC) == Ignored()


def test_only_lines_of_the_family_are_read() -> None:
    assert isinstance(parse("hello", format="modsecurity", zone=UTC), Rejected)
    assert isinstance(parse('GET /?ModSecurity: Warning. [id "1"]', zone=UTC), Rejected)
    assert isinstance(parse("<131>x ModSecurity: Warning.", format="modsecurity", zone=UTC), Rejected)


# --- JSON -------------------------------------------------------------------------------------------------------------


def version_3(**more: object) -> dict[str, object]:
    details = {"ruleId": 942100, "severity": "2", "match": "Matched"}
    return {
        "client_ip": "192.0.2.1",
        "client_port": "4711",
        "host_ip": "192.0.2.2",
        "host_port": 443,
        "time_stamp": "Mon May  9 09:41:59 2022",
        "request": {"uri": "/a?b", "http_version": 1.1, "headers": {"HOST": "www.example.com"}},
        "response": {"http_code": 200},
        "producer": {"secrules_engine": "Enabled"},
        "messages": [{"message": "SQL", "details": details}],
        **more,
    }


def by_score(rule: str = "949110") -> list[object]:
    return [{"message": "Exceeded (Total Score: 15)", "details": {"ruleId": rule, "severity": "2"}}]


def test_version_3() -> None:
    event = event_of(json.dumps({"transaction": version_3()}))
    assert event == SecurityEvent(
        at=datetime(2022, 5, 9, 7, 41, 59, tzinfo=UTC),
        source="modsecurity",
        category=Category.WAF,
        action=Action.DETECTED,
        severity=Severity.CRITICAL,
        src_ip="192.0.2.1",
        src_port=4711,
        dst_ip="192.0.2.2",
        dst_port=443,
        target_host="www.example.com",
        target_url="/a?b",
        rule_id="942100",
        rule_name="SQL",
        message="SQL",
    )


@pytest.mark.parametrize(
    ("more", "action"),
    [
        ({"response": {"http_code": 403}}, Action.BLOCKED),
        ({"response": {"http_code": "403"}, "producer": {"secrules_engine": "DetectionOnly"}}, Action.DETECTED),
        ({"messages": by_score(), "response": {"http_code": 302}}, Action.BLOCKED),
        ({"messages": by_score(), "response": {"http_code": 200}}, Action.DETECTED),
        ({"messages": by_score("920350"), "response": {"http_code": 404}}, Action.DETECTED),
        ({"is_interrupted": True}, Action.BLOCKED),
        ({"is_interrupted": False, "response": {"http_code": 403}}, Action.DETECTED),
    ],
)
def test_what_version_3_stopped(more: dict[str, object], action: Action) -> None:
    assert event_of(json.dumps({"transaction": version_3(**more)})).action is action


def test_an_answer_of_403_without_a_message_is_no_block() -> None:
    """The site itself answers so, too."""
    record = {"transaction": version_3(messages=[], response={"http_code": 403})}
    assert parse(json.dumps(record), zone=UTC) == Ignored()


def test_coraza_has_messages_beside_the_transaction() -> None:
    transaction = version_3(messages=None, timestamp="2022/05/09 09:41:59", is_interrupted=True)
    transaction["request"] = {"uri": "/", "headers": {"host": ["www.example.com"]}}
    del transaction["time_stamp"]
    record = {"transaction": transaction, "messages": [{"message": "SQL", "data": {"id": 942100, "severity": 2}}]}
    event = event_of(json.dumps(record))
    assert (event.rule_id, event.severity, event.target_host) == ("942100", Severity.CRITICAL, "www.example.com")
    assert event.at == datetime(2022, 5, 9, 7, 41, 59, tzinfo=UTC)
    transaction["unix_timestamp"] = 1652082119000000000
    assert event_of(json.dumps(record)).at == datetime(2022, 5, 9, 7, 41, 59, tzinfo=UTC)


def test_pretty_printed_records_and_syslog_in_front() -> None:
    record = {"transaction": version_3()}
    (pretty,) = [found.text for found in assemble(enumerate(json.dumps(record, indent=2).split("\n"), 1))]
    assert (
        event_of(pretty) == event_of(json.dumps(record)) == event_of(f"<30>Jun 14 04:48:20 w m: {json.dumps(record)}")
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"transaction": {"client_ip": "192.0.2.1"',
        '{"transaction": [1]}',
        '{"transaction": {"messages": [[]], "time_stamp": 4}}',
        '{"transaction": {"messages": [{"details": {"ruleId": 1e999}}], "time_stamp": "x"}}',
        '{"transaction": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"audit_data": {"messages": ["Warning. x"]}, "transaction": {"time": "yesterday", "remote_address": 5}}',
        '{"ts": "x", "msg": "Coraza: Warning."}',
        '{"ts": 1e300, "msg": "Coraza: Warning."}',
    ],
)
def test_broken_records_are_rejected(text: str) -> None:
    assert isinstance(parse(text, zone=UTC), Rejected)


@pytest.mark.parametrize("agent", ["transaction", "Coraza: x", 'x"msg":"Coraza: x', '"transaction":'])
def test_a_visitor_cannot_hide_what_another_product_says(agent: str) -> None:
    alert = {
        "timestamp": "2024-06-14T04:48:20.000000+0000",
        "event_type": "alert",
        "src_ip": "192.0.2.1",
        "alert": {"signature": "ET SCAN", "severity": 1},
        "http": {"http_user_agent": agent},
    }
    assert event_of(json.dumps(alert)).source == "suricata"


def test_a_visitor_cannot_hide_from_the_audit_log() -> None:
    transaction = version_3(response={"http_code": 403})
    transaction["request"] = {"uri": "/", "headers": {"event_type": "dns", "scenario": "x", "log_type": "WAF"}}
    assert event_of(json.dumps({"transaction": transaction})).source == "modsecurity"


def test_a_record_that_is_no_json_object_of_the_kind_is_ignored() -> None:
    assert parse('{"ts": 1, "x": {"msg": "Coraza: "}, "msg": 1}', zone=UTC) == Ignored()
    assert parse('{"transaction": {"messages": "none", "request": 5}}', zone=UTC) == Ignored()


# --- whatever comes ---------------------------------------------------------------------------------------------------

GOOD = (
    native(message(SQLI, severity="2"), message(SCORE, score=5), "Action: Intercepted (phase 2)"),
    APACHE.format(clients="[client 192.0.2.1:5]", said=SQLI.format(severity="2")),
    NGINX.format(said=SCORE.format(score=5)),
    json.dumps({"transaction": version_3(response={"http_code": 403})}),
    json.dumps({"ts": 1700764841.4, "msg": f'[client "192.0.2.1"] Coraza: {SQLI.format(severity="critical")}\n'}),
    json.dumps({"transaction": {"time": "23/May/2022:06:28:50 +0000"}, "audit_data": {"messages": [SQLI]}}),
)
PIECES = st.sampled_from(
    [*'"\\[]{},:\n \0\ufeff\ud800', '[id "', '"] ', ", client: ", "--x-A--\n", "²", "\u202e", "9" * 30]
)


@given(
    st.sampled_from(GOOD), st.lists(st.tuples(st.integers(0, 700), st.integers(0, 40), PIECES | st.text(max_size=8)))
)
@settings(max_examples=400)
def test_a_damaged_good_record_gets_an_answer(text: str, damages: list[tuple[int, int, str]]) -> None:
    for at, length, piece in damages:
        text = text[:at] + piece + text[at + length :]
    outcome = parse(text, zone=PARIS)
    assert isinstance(outcome, SecurityEvent | Ignored | Rejected)
    if isinstance(outcome, SecurityEvent):
        assert outcome.at.tzinfo is UTC
        for name in TEXTS:
            value = getattr(outcome, name)
            assert value.isprintable()
            assert len(value) <= 2048
            value.encode()


def longest(text: str) -> str:
    """A record of the greatest length, of as many rules as fit."""
    if text.startswith("--"):
        trailer = [message(SQLI, severity="2")] * (MAX_RECORD // 300)
        return native(*trailer)
    if '"audit_data"' in text:
        record = json.loads(text)
        record["audit_data"]["messages"] *= MAX_RECORD // 300
        return json.dumps(record)
    if '"messages"' in text:
        messages = by_score() * (MAX_RECORD // 120)
        return json.dumps({"transaction": version_3(messages=messages, response={"http_code": 403})})
    return (text + ' [id "1"]' * MAX_LINE)[:MAX_LINE]


@pytest.mark.parametrize(
    "text", [*map(longest, GOOD[:4]), longest(GOOD[5])], ids=["native", "apache", "nginx", "3", "2"]
)
def test_the_longest_record_is_read_soon(text: str) -> None:
    assert len(text) <= MAX_RECORD
    # 50 ms are allowed; twice that for a machine that does other work, too.
    assert_quick(lambda: event_of(text), 0.1)


@pytest.mark.parametrize(
    "piece", ['[id "', "[client 1", '"]', '\\"]', ' [msg "a"] ', "ModSecurity: ", ", client: ", '"', "[", " "]
)
@pytest.mark.parametrize("start", [APACHE.format(clients="", said='[msg "'), NGINX.format(said=""), GOOD[4][:80], "{"])
def test_time_is_in_proportion_to_the_length(start: str, piece: str) -> None:
    line = (start + piece * MAX_LINE)[:MAX_LINE]
    assert_quick(lambda: parse(line, zone=UTC), 0.1)
