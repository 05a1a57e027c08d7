"""Forms met in logs outside the samples, from many collections; the lines are of our own making."""

import json
from datetime import UTC, datetime

import pytest

from tests.core.parsers.assembling import assemble
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import Ignored, parse


def event_of(line: str) -> SecurityEvent:
    outcome = parse(line, zone=UTC)
    assert isinstance(outcome, SecurityEvent), outcome
    return outcome


def verdict(line: str) -> tuple[str, str]:
    event = event_of(line)
    return event.category.value, event.action.value


# --- Sophos -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "action"), [("Success", Action.ALLOWED), ("Failed", Action.FAILED)])
def test_sophos_without_a_device_name_and_with_the_words_of_later_releases(status: str, action: Action) -> None:
    event = event_of(
        'timestamp="2026-07-28T14:22:32+0200" device_model="XGS" log_id="069010517719" log_type="Event" '
        'log_component="VPN Portal Authentication" log_subtype="Authentication" log_version=1 '
        f'status="{status}" severity="Notice" user_name="jane" reason="x" src_ip="192.0.2.1" src_country="USA" '
        'message="User jane and the VPN portal"'
    )
    assert (event.category, event.action, event.severity) == (Category.VPN, action, Severity.LOW)
    assert (event.user, event.src_ip, event.country) == ("jane", "192.0.2.1", "US")
    assert event.at == datetime(2026, 7, 28, 12, 22, 32, tzinfo=UTC)


@pytest.mark.parametrize(
    ("component", "word", "log_id", "severity"),
    [
        ("IP Spoof", "Information", "011902605151", Severity.INFO),
        ("DoS Attack", "Warning", "010402403001", Severity.MEDIUM),
    ],
)
def test_sophos_drops_of_the_firewall_itself(component: str, word: str, log_id: str, severity: Severity) -> None:
    event = event_of(
        'May 22 20:12:58 192-0-2-1.example.com device_name="SFW" timestamp="2026-05-22T17:16:19-0300" '
        f'log_id="{log_id}" log_type="Firewall" log_component="{component}" log_subtype="Denied" severity="{word}" '
        'fw_rule_id="N/A" ether_type="IPv6 (0x86DD)" src_ip="2001:db8:5041::b847" dst_ip="ff02::1" src_port=136'
    )
    assert (event.category, event.action, event.severity) == (Category.FIREWALL, Action.BLOCKED, severity)
    assert (event.src_ip, event.rule_id) == ("2001:db8:5041::b847", "")
    assert event.at.hour == 20


def test_sophos_threat_feed_of_another_maker_and_a_blank_before_a_value() -> None:
    event = event_of(
        'date=2026-08-07 time=13:27:41 timezone="GMT" device_name="SFW" device_id= C07012-ABC log_id=086320518009 '
        'log_type="ATP" log_component="Firewall" log_subtype="Drop" priority=Warning src_ip=192.0.2.20 '
        'dst_ip=198.51.100.99 threatfeed="Some feed"'
    )
    assert (event.category, event.action, event.rule_name) == (Category.ATP, Action.BLOCKED, "Some feed")
    assert (event.src_ip, event.dst_ip) == ("192.0.2.20", "198.51.100.99")


# --- fail2ban ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-15 14:32:02,100 fail2ban.actions [12345] NOTICE [sshd] Ban 192.0.2.7",  # no colon
        "2026-01-15 14:32:02,100 fail2ban.actions : NOTICE [sshd] Ban 192.0.2.7",
        "2026-01-15 14:32:02 fail2ban.actions: WARNING [sshd] Ban 192.0.2.7",
        "Jan 15 14:32:02 2026 host fail2ban.actions[2048]: WARNING [sshd] Ban 192.0.2.7",
        (
            "1 2026-01-15T17:00:00+03:00 host fail2ban-log - - - 2026-01-15 14:32:02,1 fail2ban.actions[1]: WARNING "
            "[sshd] Ban 192.0.2.7"
        ),
    ],
)
def test_fail2ban_loggers(line: str) -> None:
    event = event_of(line)
    assert (event.source, event.action, event.src_ip, event.rule_name) == (
        "fail2ban",
        Action.BANNED,
        "192.0.2.7",
        "sshd",
    )
    assert event.at.replace(microsecond=0) == datetime(2026, 1, 15, 14, 32, 2, tzinfo=UTC)


# --- ModSecurity ------------------------------------------------------------------------------------------------------


def test_modsecurity_boundaries_with_a_whole_unique_id() -> None:
    name = "ar1Z9uxU-NFJV-LskY52NwAAAEQ"
    lines = [
        f"--{name}-A--",
        "[24/Jan/2026:12:38:00 +0000] aXk 192.0.2.5 51882 198.51.100.10 443",
        f"--{name}-B--",
        "GET /index.php?id=1 HTTP/1.1",
        "Host: www.example.com",
        f"--{name}-H--",
        'Message: Access denied with code 403 (phase 2). Matched x. [id "942100"] [msg "SQL"] [severity "CRITICAL"]',
        f"--{name}-Z--",
    ]
    (record,) = assemble(enumerate(lines, 1))
    event = event_of(record.text)
    assert (event.action, event.severity, event.rule_id) == (Action.BLOCKED, Severity.CRITICAL, "942100")
    assert (event.target_host, event.target_url) == ("www.example.com", "/index.php?id=1")


def test_modsecurity_in_an_nginx_log_without_process_numbers() -> None:
    event = event_of(
        "2026/07/04 14:12:48 [error] ModSecurity: Access denied with code 403 (phase 2). Matched \"Operator `Ge' with "
        'parameter `5\'" [id "949110"] [msg "Inbound Anomaly Score Exceeded (Total Score: 5)"] [uri "/rest/search"]'
    )
    assert (event.category, event.action, event.score) == (Category.WAF, Action.BLOCKED, 5)
    assert (event.target_url, event.at.hour) == ("/rest/search", 14)


@pytest.mark.parametrize(
    ("words", "action"),
    [
        ("Access denied (phase 2).", Action.BLOCKED),
        ("Access dropped (phase 1).", Action.BLOCKED),
        ("Access redirected (phase 2).", Action.BLOCKED),
        ("Warning.", Action.DETECTED),
    ],
)
def test_coraza_in_the_log_of_a_proxy(words: str, action: Action) -> None:
    event = event_of(
        f'2026-08-30T13:09:46Z ERR [client "192.0.2.38"] Coraza: {words} Remote file [file "_inline_"] [id "1003"] '
        '[msg "Remote file"] [severity "emergency"] [hostname ""] [uri "/?redirect=x"] entryPointName=websecure'
    )
    assert (event.source, event.action, event.severity) == ("modsecurity", action, Severity.CRITICAL)
    assert (event.src_ip, event.rule_id, event.target_url) == ("192.0.2.38", "1003", "/?redirect=x")
    assert event.at == datetime(2026, 8, 30, 13, 9, 46, tzinfo=UTC)


def test_modsecurity_reason_with_dots_stays_whole() -> None:
    event = event_of("Jan 15 08:00:09 web01 apache2: [error] ModSecurity: Access denied with code 403 scanner/1.0")
    assert (event.action, event.message) == (Action.BLOCKED, "with code 403 scanner/1.0")


def test_modsecurity_json_behind_the_name_of_a_container() -> None:
    record = {
        "transaction": {
            "client_ip": "192.0.2.1",
            "time_stamp": "Thu Feb 26 07:13:06 2026",
            "is_interrupted": True,
            "request": {"uri": "/a", "headers": {"Host": "www.example.com"}},
            "messages": [{"message": "SQL", "details": {"ruleId": "942100", "severity": "2"}}],
        }
    }
    event = event_of(f"waf-1  | {json.dumps(record)}")
    assert (event.source, event.action, event.rule_id) == ("modsecurity", Action.BLOCKED, "942100")


def test_many_messages_in_one_record_are_read_up_to_a_bound() -> None:
    message = 'Message: Warning. x [id "1"] [severity "5"]\n'
    record = (
        "--68a39c63-A--\n[13/Aug/2026:02:06:11 +0000] x 192.0.2.1 1 192.0.2.2 2\n--68a39c63-H--\n"
        + message * 5000
        + "--68a39c63-Z--"
    )
    assert event_of(record).severity is Severity.LOW


# --- CrowdSec ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        r"192.0.2.48 - [Thu, 07 May 2026 10:13:11 UTC] \"GET /v1/decisions HTTP/1.1 200 26ms \"Crowdsec-Plugin/1\" \"",
        "Processing Overflow with no decisions 192.0.2.7 performed 'crowdsecurity/http-probing' (11 events over 3ms)",
        "(localhost/crowdsec) crowdsecurity/http-probing by ip 192.0.2.7 (US/1) : 4h captcha on Ip 192.0.2.7",
    ],
)
def test_crowdsec_log_lines_that_tell_of_nothing_new(said: str) -> None:
    assert isinstance(parse(f'time="2026-05-07T10:13:11Z" level=info msg="{said}" module=lapi', zone=UTC), Ignored)


# --- CEF --------------------------------------------------------------------------------------------------------------

TAIL = "src=192.0.2.1 spt=1 dst=198.51.100.2 dpt=443"


@pytest.mark.parametrize(
    ("header", "extension", "expected"),
    [
        # access logs of WAFs, which are no attacks
        ("Barracuda|WAAS|1|WAF|WAF|4", "cat=TR request=/pma/", ("waf", "allowed")),
        ("Barracuda|WAAS|1|WAF|WAF|4", "cat=WF act=DENY request=/pma/", ("waf", "blocked")),
        ("Incapsula|SIEMintegration|1|1|Normal|0", "act=REQ_PASSED", ("waf", "allowed")),
        ("Incapsula|SIEMintegration|1|1|Illegal Resource Access|3", "act=REQ_BLOCKED_SESSION", ("waf", "blocked")),
        ("F5|ASM|16|Successful Request|Successful Request|2", "act=passed", ("waf", "allowed")),
        ("F5|ASM|16|200002273|SQL-INJ exec()|5", "act=blocked", ("waf", "blocked")),
        ("F5|ASM|16|Illegal HTTP status|Illegal HTTP status|2", "act=alerted", ("waf", "detected")),
        # FortiWeb Cloud leaves the vendor out
        ("|||N/A|URL Access Violation|Substantial", "cat=attack act=Monitor", ("ips", "detected")),
        ("|||N/A|IP Protection: IP in black list was blocked|Critical", "cat=attack act=Block", ("ips", "blocked")),
        # FortiGate
        ("Fortinet|Fortigate|v5|18433|anomaly:anomaly clear_session|7", "act=clear_session", ("ips", "blocked")),
        # Palo Alto Networks
        ("Palo Alto Networks|PAN-OS|10|vulnerability|THREAT|9", "act=reset-both", ("ips", "blocked")),
        ("Palo Alto Networks|PAN-OS|10|url|THREAT|1", "act=block-url", ("web", "blocked")),
        ("Palo Alto Networks|PAN-OS|10|flood|THREAT|5", "act=drop", ("ips", "blocked")),
        ("Palo Alto Networks|PAN-OS|10|end|TRAFFIC|1", "act=allow", ("firewall", "allowed")),
        # WithSecure
        (
            "F-Secure|Protection and EDR||webTrafficScanning.blocked|Web Traffic Scanning event|4",
            "",
            ("web", "blocked"),
        ),
        ("F-Secure|Protection and EDR||browsingProtection.blocked|Browsing Protection event|4", "", ("web", "blocked")),
        ("F-Secure|Protection and EDR||tamperProtection.blocked|Tamper Protection event|4", "", ("ips", "blocked")),
        ("F-Secure|Protection and EDR||manualScanning.deleted|Manual Scanning event|4", "", ("malware", "blocked")),
        ("F-Secure|Protection and EDR||setting.reported|Setting event|1", "", ("system", "info")),
        # Zscaler
        ("Zscaler|NSSWeblog|5.7|Blocked|Not allowed by policy|3", "act=Blocked cat=Phishing", ("web", "blocked")),
        ("Zscaler|NSSFWlog|5.7|Drop|Default rule|3", "act=Drop", ("firewall", "blocked")),
        # others
        ("SonicWall|NSA|6.5|537|IPS Detection Alert|5", "fw_action=drop", ("ips", "blocked")),
        ("Juniper|SRX345|21|RT_FLOW_SESSION_DENY|Deny Unknown Protocol|9", "", ("firewall", "blocked")),
        ("Kaspersky|CyberTrace|2|2|CyberTrace Detection Event|8", "", ("atp", "detected")),
    ],
)
def test_cef_of_more_vendors(header: str, extension: str, expected: tuple[str, str]) -> None:
    assert verdict(f"Jan 20 18:00:01 host CEF:0|{header}|{extension} {TAIL}") == expected


@pytest.mark.parametrize(
    "time",
    [
        "FTNTFGTeventtime=1768928401000000000",
        "FortinetFortiGateeventtime=1768928401000000000",
        "rt=2026/01/20 17:00:01",
        "rt=Jan 20 2026 17:00:01 GMT",
        "details_clientTimestamp=1768928401000",
    ],
)
def test_cef_times_of_more_vendors(time: str) -> None:
    event = event_of(f"CEF:0|v|p|1|1|n|5|{TAIL} {time}")
    assert event.at == datetime(2026, 1, 20, 17, 0, 1, tzinfo=UTC)


def test_cef_fields_of_more_vendors() -> None:
    event = event_of(f"CEF:0|a|b|1|N/A|x|Severe|sourceServiceName=shop.example.com ccode=IL end=1768928401000 {TAIL}")
    assert (event.rule_id, event.severity, event.country) == ("", Severity.HIGH, "IL")
    assert event.target_host == "shop.example.com"
