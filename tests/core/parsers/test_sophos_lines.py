"""What single Sophos lines mean: verdicts, severities, times, names."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import FORMATS, MAX_LINE, Ignored, Rejected, parse

CENTRAL = '<30>device_name="SFW" timestamp="2026-01-20T18:48:02+0100" '
DEFAULT = '<30>device="SFW" date=2026-01-20 time=18:48:02 timezone="CET" '
WAF = (
    'log_id="075000617071" log_type="WAF" log_component="Web Application Firewall" severity="Information" '
    'server="shop.example.com:8443" src_ip="198.51.100.7" url="/a" method="POST" http_status="403" '
)


def event(rest: str, start: str = CENTRAL, zone=UTC) -> SecurityEvent:
    outcome = parse(start + rest, zone=zone)
    assert isinstance(outcome, SecurityEvent), outcome
    return outcome


def verdict(rest: str) -> tuple[str, str]:
    found = event(rest)
    return found.category.value, found.action.value


@pytest.mark.parametrize(
    ("extra", "severity", "score"),
    [
        ("Inbound Anomaly Score Exceeded (Total Score: 3, SQLi=, XSS=)", Severity.LOW, 3),
        ("Inbound Anomaly Score Exceeded (Total Score: 5, SQLi=5, XSS=)", Severity.MEDIUM, 5),
        ("Inbound Anomaly Score Exceeded (Total Score: 10, SQLi=, XSS=)", Severity.HIGH, 10),
        ("Inbound Anomaly Score Exceeded (Total Inbound Score: 20)", Severity.CRITICAL, 20),
        ("No signature found", Severity.MEDIUM, None),
    ],
)
def test_waf_severity_follows_the_score(extra: str, severity: Severity, score: int | None) -> None:
    found = event(WAF + f'reason="WAF Anomaly" extra="{extra}"')
    assert (found.category, found.action) == (Category.WAF, Action.BLOCKED)
    assert (found.severity, found.score) == (severity, score)
    assert (found.rule_name, found.target_host, found.message) == ("WAF Anomaly", "shop.example.com", extra)


def test_waf_message_is_the_last_match_and_its_rule() -> None:
    found = event(
        WAF
        + 'reason="WAF Anomaly" extra="Inbound Anomaly Score Exceeded (Total Score: 15, SQLi=15, XSS=): '
        + 'Last Matched Message: SQL Injection Attack Detected via libinjection [id "942100"]"'
    )
    assert found.message.startswith("SQL Injection Attack Detected via libinjection")
    assert found.rule_id == "942100"


@pytest.mark.parametrize(
    ("fields", "action", "severity"),
    [
        ('reason="-" extra="-"', Action.ALLOWED, Severity.INFO),
        ('reason="" extra=""', Action.ALLOWED, Severity.INFO),
        ("", Action.ALLOWED, Severity.INFO),
        ('reason="Geo-IP"', Action.BLOCKED, Severity.MEDIUM),
        ('log_subtype="Denied" reason="-"', Action.BLOCKED, Severity.MEDIUM),
        ('log_subtype="Allowed" reason="WAF Anomaly" extra="(Total Score: 7)"', Action.DETECTED, Severity.MEDIUM),
        ('log_subtype="Detect" reason="WAF Anomaly"', Action.DETECTED, Severity.MEDIUM),
        ('reason="-" extra="Inbound Anomaly Score (Total Score: 10)"', Action.DETECTED, Severity.HIGH),
        ('reason="-" extra="Inbound Anomaly Score (Total Score: 0)"', Action.ALLOWED, Severity.INFO),
    ],
)
@pytest.mark.parametrize("status", ["401", "404"])
def test_waf_action_is_by_reason_not_by_status(fields: str, action: Action, severity: Severity, status: str) -> None:
    found = event(WAF.replace("403", status) + fields)
    assert (found.action, found.severity) == (action, severity)


def test_a_visitor_cannot_forge_fields_through_escaped_quotes() -> None:
    found = event(
        WAF + 'cookie="a=1\\" reason="-" src_ip="9.9.9.9" x=\\"" reason="WAF Anomaly" extra="(Total Score: 25)"'
    )
    assert (found.action, found.src_ip, found.severity) == (Action.BLOCKED, "198.51.100.7", Severity.CRITICAL)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('log_type="IDP" log_component="Signatures" log_subtype="Detect"', ("ips", "detected")),
        ('log_type="IDP" log_component="Anomaly" log_subtype="Drop"', ("ips", "blocked")),
        ('log_type="ATP" log_component="DNS" log_subtype="Alert"', ("atp", "detected")),
        ('log_type="Firewall" log_component="DoS Attack" log_subtype="Denied"', ("firewall", "blocked")),
        ('log_type="Firewall" log_component="Firewall Rule" status="Allow"', ("firewall", "allowed")),
        ('log_type="Anti-Virus" log_component="HTTP" log_subtype="Virus" virus="EICAR"', ("malware", "blocked")),
        ('log_type="Anti-Virus" log_component="HTTP" log_subtype="Allowed" virus=""', ("web", "allowed")),
        ('log_type="Anti-Virus" log_component="SMTPS" log_subtype="Clean"', ("email", "allowed")),
        ('log_type="Anti-Virus" log_component="FTP" log_subtype="Allowed" virus="EICAR"', ("malware", "detected")),
        ('log_type="Sandbox" log_component="Mail" log_subtype="Denied"', ("malware", "blocked")),
        ('log_type="Zero Day Protection" log_component="Web" log_subtype="Pending"', ("malware", "info")),
        ('log_type="Content Filtering" log_component="HTTP" log_subtype="Warned"', ("web", "detected")),
        ('log_type="SSL" log_component="SSL" log_subtype="Reject"', ("web", "blocked")),
        ('log_type="Anti-Spam" log_component="SMTP" log_subtype="Spam" spamaction="Reject"', ("email", "blocked")),
        ('log_type="Anti-Spam" log_component="SMTP" log_subtype="Spam" spamaction="Accept"', ("email", "detected")),
        ('log_type="Anti-Spam" log_component="SMTP" log_subtype="SPX" spamaction="Accept"', ("email", "allowed")),
        ('log_type="Heartbeat" log_component="Endpoint" ep_health="Red"', ("system", "detected")),
        ('log_type="Heartbeat" log_component="Endpoint" ep_health="Green"', ("system", "info")),
        ('log_type="System Health" log_component="CPU" log_subtype="Usage"', ("system", "info")),
        ('log_type="Wireless Protection" log_subtype="Information"', ("system", "info")),
        ('log_type="Something New" log_subtype="Denied"', ("other", "blocked")),
        ('log_type="Event" log_component="Anti-Virus" log_subtype="System" status="Successful"', ("system", "info")),
        ('log_type="Event" log_component="Web Application Firewall" log_subtype="System"', ("system", "info")),
        (
            'log_type="Event" log_component="Web Application Firewall" log_subtype="Authentication" status="Failed"',
            ("auth", "failed"),
        ),
        ('log_type="Event" log_component="SSL VPN" log_subtype="System" status="Established"', ("vpn", "info")),
        ('log_type="Event" log_component="IPSec" log_subtype="System" status="Failed"', ("vpn", "failed")),
        ('log_type="Event" log_component="IPSec" log_subtype="System" status="Deny Session"', ("vpn", "blocked")),
        (
            'log_type="Event" log_component="SSL VPN Authentication" log_subtype="Authentication" status="Failed"',
            ("vpn", "failed"),
        ),
        (
            (
                'log_type="Event" log_component="Firewall Authentication" log_subtype="Authentication" '
                'status="Successful" message="User a was logged out of firewall"'
            ),
            ("auth", "info"),
        ),
        (
            (
                'log_type="Event" log_component="GUI" log_subtype="Admin" status="Successful" '
                "message=\"User 'admin' logged in successfully using GUI\""
            ),
            ("auth", "allowed"),
        ),
        (
            (
                'log_type="Event" log_component="GUI" log_subtype="Admin" status="Successful" '
                "message=\"Firewall Rule 'DMZ' was updated by 'admin' from '10.0.0.1'\""
            ),
            ("system", "info"),
        ),
    ],
)
def test_category_and_action(words: str, expected: tuple[str, str]) -> None:
    assert verdict(words) == expected


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ('severity="Information" log_id="010101600001"', Severity.INFO),
        ('severity="Information" log_id=010101400001', Severity.MEDIUM),
        ('severity="Critical" log_id="010101600001"', Severity.CRITICAL),
        ("priority=Notice", Severity.LOW),
        ('severity="Error"', Severity.HIGH),
        ("log_id=058420116010", Severity.CRITICAL),
        ('severity="Unheard Of" log_id="12"', Severity.INFO),
    ],
)
def test_severity_is_the_higher_of_word_and_log_id(fields: str, severity: Severity) -> None:
    assert event('log_type="Firewall" ' + fields).severity is severity


@pytest.mark.parametrize(
    ("name", "zone", "utc"),
    [
        ("CEST", UTC, "16:48:02"),
        ("CET", UTC, "17:48:02"),
        ("IST", UTC, "13:18:02"),
        ("IST", ZoneInfo("Asia/Jerusalem"), "16:48:02"),
        ("CST", UTC, "00:48:02"),
        ("CST", ZoneInfo("Asia/Shanghai"), "10:48:02"),
        ("+08", UTC, "10:48:02"),
        ("-03", UTC, "21:48:02"),
        ("+0530", UTC, "13:18:02"),
        ("-03:30", UTC, "22:18:02"),
        ("GMT+2", UTC, "16:48:02"),
        ("XYZ", ZoneInfo("America/New_York"), "23:48:02"),
        ("", ZoneInfo("Europe/Paris"), "17:48:02"),
        ("+99", ZoneInfo("Europe/Paris"), "17:48:02"),
    ],
)
def test_time_of_the_device_layout(name: str, zone, utc: str) -> None:
    found = event('log_type="Firewall"', DEFAULT.replace("CET", name), zone)
    assert found.at.tzinfo is UTC
    assert f"{found.at:%H:%M:%S}" == utc


def test_the_repeated_hour_is_told_by_the_abbreviation() -> None:
    start = 'device="SFW" date=2025-10-26 time=02:30:00 timezone="{}" log_type="Firewall"'
    hours = [event("", start.format(name), ZoneInfo("Europe/Paris")).at.hour for name in ("CEST", "CET")]
    assert hours == [0, 1]


def test_time_of_the_central_layout() -> None:
    rest = 'log_type="Firewall"'
    assert event(rest).at == datetime(2026, 1, 20, 17, 48, 2, tzinfo=UTC)
    naive = CENTRAL.replace("+0100", "")
    east = timezone(timedelta(hours=5))
    assert event(rest, naive, east).at == datetime(2026, 1, 20, 13, 48, 2, tzinfo=UTC)
    session = DEFAULT + "timestamp=1591086576 "
    assert event(rest, session).at == datetime(2026, 1, 20, 17, 48, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('device="SFW" log_type="Firewall" log_id=010101600001', "no time"),
        ('device="SFW" date=2026-13-20 time=18:48:02 log_type="Firewall"', "no time"),
        ('device="SFW" timestamp="0001-01-01T00:00:00+1400" log_type="Firewall"', "no time"),
        ('device="SFW" timestamp=1591086576 log_type="Firewall"', "no time"),
        (CENTRAL + 'log_type=""', "no log type"),
        ("<30>", "no known"),
        ('{"log": "other"}', "no known"),
        ("\0\0\x0012", "no known"),
        ("x" * (MAX_LINE + 1), "64 KiB"),
    ],
)
def test_what_is_rejected_and_why(line: str, reason: str) -> None:
    outcome = parse(line, zone=UTC)
    assert isinstance(outcome, Rejected)
    assert reason in outcome.reason


def test_blank_lines_are_ignored_and_formats_are_named() -> None:
    assert parse("", zone=UTC) == parse(" \r\n", zone=UTC) == Ignored()
    assert "sophos" in FORMATS
    assert isinstance(parse(CENTRAL + 'log_type="WAF"', format="sophos", zone=UTC), SecurityEvent)
    assert isinstance(parse(CENTRAL + 'log_type="WAF"', format="suricata", zone=UTC), Rejected)
    assert isinstance(parse("hello", format="sophos", zone=UTC), Rejected)


def test_a_tunnels_far_end_is_the_source_and_names_are_cleaned() -> None:
    found = event(
        'log_type="Event" log_component="IPSec" remote_interface_ip="203.0.113.5" local_interface_ip="10.0.0.1"'
    )
    assert (found.src_ip, found.dst_ip) == ("203.0.113.5", "10.0.0.1")
    found = event(
        'log_type="ATP" log_subtype="Drop" url="HTTP://u:p@Evil.Example.COM.:8080/x" threat="C2" user_name="-"'
    )
    assert (found.target_host, found.rule_name, found.user) == ("evil.example.com", "C2", "")


@pytest.mark.parametrize(
    ("address", "cleaned"),
    [
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%<b>", "fe80::1"),
        ("999.1.1.1", ""),
        ("<script>", ""),
        ("198.51.100.7", "198.51.100.7"),
    ],
)
def test_addresses_are_addresses_or_nothing(address: str, cleaned: str) -> None:
    assert event(f'log_type="Firewall" src_ip="{address}" src_port=70000 src_country="R1"').src_ip == cleaned


def test_texts_are_printable_and_bounded() -> None:
    found = event(
        'log_type="IDP" log_subtype="Drop" user_name="a\x1b[31m\u202eb\u200bc\td" '
        f'signature_msg="{"m" * 5000}" message="{"n" * 5000}" url="{"u" * 5000}" signature_id="{"9" * 500}"'
    )
    assert found.user == "a[31mbc d"
    assert (len(found.rule_name), len(found.message), len(found.target_url), len(found.rule_id)) == (
        256,
        1024,
        2048,
        64,
    )


def test_a_line_without_a_message_gets_readable_words() -> None:
    found = event('log_type="Content Filtering" log_component="HTTP" log_subtype="Denied" http_category="Gambling"')
    assert found.message == "Content Filtering, HTTP, Denied: Gambling"
    assert event('log_type="Firewall" log_component="IP Spoof" log_subtype="Denied"').message == (
        "Firewall, IP Spoof, Denied"
    )
