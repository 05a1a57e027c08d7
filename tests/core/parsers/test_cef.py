"""Common Event Format: its escapes, times, severities, and what its words mean."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.quick import assert_quick
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import MAX_LINE, Ignored, Rejected, parse

PARIS = ZoneInfo("Europe/Paris")
TEXTS = ("src_ip", "country", "dst_ip", "target_host", "target_url", "user", "rule_id", "rule_name", "message")
GOOD = (
    "<134>Jun 01 10:20:30 fw CEF:0|Imperva Inc.|SecureSphere|13.5|Correlation|sql\\|injection|High|act=block "
    "dst=192.0.2.1 dpt=80 duser=Marcela src=192.0.2.2 spt=46814 rt=Jun 01 2024 10:20:30 cs1Label=Policy cs1=Web "
    "Policy request=https://www.example.com/a?b\\=c msg=two\\nlines and \\\\ more"
)


def event_of(line: str) -> SecurityEvent:
    outcome = parse(line, zone=PARIS)
    assert isinstance(outcome, SecurityEvent), outcome
    return outcome


def line_of(extension: str = "", *, name: str = "x", severity: str = "5", product: str = "a|b") -> str:
    return f"CEF:0|{product}|1.0|100|{name}|{severity}|{extension}"


def test_a_whole_line() -> None:
    assert event_of(GOOD) == SecurityEvent(
        at=datetime(2024, 6, 1, 8, 20, 30, tzinfo=UTC),
        source="cef",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.HIGH,
        src_ip="192.0.2.2",
        src_port=46814,
        dst_ip="192.0.2.1",
        dst_port=80,
        target_host="www.example.com",
        target_url="https://www.example.com/a?b=c",
        user="Marcela",
        rule_id="Correlation",
        rule_name="sql|injection",
        message="two lines and \\ more",
    )


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        ("msg=a b=c", "a"),
        ("msg= a  b  src=192.0.2.1", "a  b"),
        ("msg=frag\\=0x4000 TCP", "frag=0x4000 TCP"),
        ("msg=https://e.example/?a=b c=d", "https://e.example/?a=b"),
        ("msg=first msg=second", "first"),
        ('msg="quoted"', "quoted"),
        ("message=long key", "long key"),
        ("ad.field[0]=x msg=y ad.Error_,Code=1", "y"),
        ("this is no extension", "x"),
        ("msg=", "x"),
        ("msg=None", "x"),
        ("", "x"),
    ],
)
def test_extensions(extension: str, message: str) -> None:
    assert event_of(line_of(extension)).message == message


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("1717237230", datetime(2024, 6, 1, 10, 20, 30, tzinfo=UTC)),
        ("1717237230123", datetime(2024, 6, 1, 10, 20, 30, 123000, tzinfo=UTC)),
        ("1717237230.5", datetime(2024, 6, 1, 10, 20, 30, tzinfo=UTC)),
        ("Jun 01 2024 10:20:30", datetime(2024, 6, 1, 8, 20, 30, tzinfo=UTC)),
        ("Jun 01 2024 10:20:30.123 UTC", datetime(2024, 6, 1, 10, 20, 30, 123000, tzinfo=UTC)),
        ("Jun 01 2024 10:20:30 PDT", datetime(2024, 6, 1, 17, 20, 30, tzinfo=UTC)),
        ("Jun 01 2024 10:20:30 Nowhe", datetime(2024, 6, 1, 8, 20, 30, tzinfo=UTC)),
        ("Fri Oct 21 11:10:02 2022", datetime(2022, 10, 21, 9, 10, 2, tzinfo=UTC)),
        ("2025-09-04T08:32:58.445Z", datetime(2025, 9, 4, 8, 32, 58, 445000, tzinfo=UTC)),
        ("2025-09-04 08:32:58", datetime(2025, 9, 4, 6, 32, 58, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("key", ["rt", "end", "startTime", "UNIFIutcTime"])
def test_times(key: str, value: str, at: datetime) -> None:
    assert event_of(line_of(f"{key}={value} msg=x")).at == at


def test_the_syslog_header_tells_the_time_where_nothing_else_does() -> None:
    assert event_of("<134>Sep 12 2018 15:32:19 h " + line_of("rt=soon")).at == datetime(
        2018, 9, 12, 13, 32, 19, tzinfo=UTC
    )


def test_a_line_without_any_time_happens_now() -> None:
    before = datetime.now(UTC)
    assert timedelta() <= event_of(line_of()).at - before < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        *(
            ("0", Severity.INFO),
            ("1", Severity.LOW),
            ("3", Severity.LOW),
            ("4", Severity.MEDIUM),
            ("6", Severity.MEDIUM),
        ),
        *(("7", Severity.HIGH), ("8", Severity.HIGH), ("9", Severity.CRITICAL), ("10", Severity.CRITICAL)),
        *(("low", Severity.LOW), ("Medium", Severity.MEDIUM), ("HIGH", Severity.HIGH)),
        *(("Very-High", Severity.CRITICAL), ("Unknown", Severity.INFO), ("", Severity.INFO), ("99", Severity.CRITICAL)),
    ],
)
def test_severities(word: str, severity: Severity) -> None:
    assert event_of(line_of(severity=word)).severity is severity


def test_an_attack_is_never_less_than_low() -> None:
    assert event_of(line_of("act=block", name="Intrusion attempt", severity="Unknown")).severity is Severity.LOW


@pytest.mark.parametrize(
    ("product", "name", "extension", "category", "action"),
    [
        ("Fortinet|Fortigate", "traffic", "act=deny", Category.FIREWALL, Action.BLOCKED),
        ("CISCO|ASA", "Teardown", "catdt=Firewall", Category.FIREWALL, Action.INFO),
        ("Check Point|VPN-1 & FireWall-1", "https", "act=Drop", Category.FIREWALL, Action.BLOCKED),
        ("Palo Alto|PAN-OS", "x", "act=allow", Category.FIREWALL, Action.ALLOWED),
        ("Citrix|NetScaler", "APPFW_STARTURL", "act=not blocked", Category.WAF, Action.DETECTED),
        ("Citrix|NetScaler", "APPFW_XSS", "act=blocked", Category.WAF, Action.BLOCKED),
        ("F5|ASM", "Cross-site scripting", "act=alerted", Category.WAF, Action.DETECTED),
        ("Trend|DSA", "Intrusion Prevention Rule", "act=IDS:Reset", Category.IPS, Action.BLOCKED),
        ("Trend|DSA", "Intrusion Prevention Rule", "", Category.IPS, Action.DETECTED),
        ("Ubiquiti|UniFi", "Threat Detected and Blocked", "", Category.IPS, Action.BLOCKED),
        ("security|threatmanager", "trojan successfully stopped", "", Category.MALWARE, Action.BLOCKED),
        ("a|b", "Virus found", "act=allowed", Category.MALWARE, Action.DETECTED),
        ("Cisco|Secure Email Gateway", "Consolidated", "act=DELIVERED", Category.EMAIL, Action.ALLOWED),
        ("a|b", "Authentication", "outcome=failure", Category.AUTH, Action.FAILED),
        ("a|b", "User Signed In", "suser=admin", Category.AUTH, Action.ALLOWED),
        ("a|b", "User logged off", "suser=admin", Category.AUTH, Action.INFO),
        ("a|b", "IPsec peer", "categoryOutcome=/Failure", Category.VPN, Action.FAILED),
        ("a|b", "WebReputation", "msg=Blocked By Admin", Category.WEB, Action.BLOCKED),
        ("a|b", "Blacklist:foo", 'act="DROP"', Category.ATP, Action.BLOCKED),
        ("a|b", "Policy Sent", "msg=The policy was sent", Category.SYSTEM, Action.INFO),
        ("a|b", "Windows", "msg=AUDIT_FAILURE(4625): failed to log on", Category.AUTH, Action.FAILED),
        ("a|b", "x", "act=blocked", Category.OTHER, Action.BLOCKED),
        ("a|b", "x", "outcome=failure", Category.OTHER, Action.FAILED),
    ],
)
def test_verdicts(product: str, name: str, extension: str, category: Category, action: Action) -> None:
    event = event_of(line_of(extension, name=name, product=product))
    assert (event.category, event.action) == (category, action)


def test_addresses_ports_and_names_in_all_spellings() -> None:
    event = event_of(
        line_of(
            "sourceAddress=2001:DB8::1 destinationAddress=192.0.2.1 sourcePort=1 destinationPort=99999 "
            "destinationHostName=Mail.Example.com. suser=bob cs3Label=Source Country cs3=FRA"
        )
    )
    assert (event.src_ip, event.src_port, event.dst_ip, event.dst_port) == ("2001:db8::1", 1, "192.0.2.1", 0)
    assert (event.target_host, event.user, event.country) == ("mail.example.com", "bob", "FR")
    event = event_of(line_of("c6a2=fd00::555 c6a2Label=Source IPv6 Address c6a3=::1 src= dst=-"))
    assert (event.src_ip, event.dst_ip) == ("fd00::555", "::1")


@pytest.mark.parametrize(
    "front",
    [
        *("", "<134>", "<134> ", "Jun 01 10:20:30 h ", "<134>Jun 01 10:20:30 h tag[1]: ", "Syslogdate Sysloghost "),
        *("<134> Jun 01 10:20:30 h vectra_cef -: ", '<134>1 2024-06-01T10:20:30Z h a 1 - [x y="CEF:0|"] '),
    ],
)
def test_what_may_stand_in_front(front: str) -> None:
    assert event_of(front + line_of("msg=hello")).message == "hello"


def test_the_prefix_may_be_lost() -> None:
    assert event_of("CEF: 0|a|b|1|2|three|7|msg=x").rule_name == "three"
    assert event_of("0|a|b|1|2|three|7|msg=x").rule_name == "three"


@pytest.mark.parametrize("line", ["CEF:0|a|b|c", "CEF:0|a|b|1|100|name|5", "CEF:0|a\\|b|c|d|e|f|5"])
def test_a_header_that_is_not_whole_is_rejected(line: str) -> None:
    assert isinstance(parse(line, zone=UTC), Rejected)
    assert isinstance(parse(line, format="cef", zone=UTC), Rejected)


def test_a_visitor_cannot_make_a_line_of_another_product_cef() -> None:
    line = 'device="SFW" date=2026-01-01 time=10:00:00 log_type="WAF" url="/CEF:0|a|b|c|d|e|9|" src_ip=192.0.2.1'
    assert event_of(line).source == "sophos"


@given(st.text(max_size=300))
def test_any_extension_gets_an_answer(text: str) -> None:
    assert isinstance(parse(line_of(text), zone=UTC), SecurityEvent | Rejected)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 40), st.sampled_from([*"|\\= \0\n", "rt=9", "²=", "٣"]))))
@settings(max_examples=400)
def test_a_damaged_good_line_gets_an_answer(damages: list[tuple[int, int, str]]) -> None:
    line = GOOD
    for at, length, piece in damages:
        line = line[:at] + piece + line[at + length :]
    outcome = parse(line, zone=PARIS)
    assert isinstance(outcome, SecurityEvent | Ignored | Rejected)
    if isinstance(outcome, SecurityEvent):
        assert outcome.at.tzinfo is UTC
        for name in TEXTS:
            value = getattr(outcome, name)
            assert value.isprintable()
            assert len(value) <= 2048


@pytest.mark.parametrize(
    "piece", ["a=", " a=", "\\", "|", "\\|", "[a ", "=", " ", "a", "CEF:", "x CEF:0|a", "blocked ", "é"]
)
@pytest.mark.parametrize(
    "start", ["CEF:0|", "CEF:0|a|b|c|d|e|5|", "<134>1 2024-06-01T10:20:30Z h a 1 - [", "", "0|a|b|"]
)
def test_time_is_in_proportion_to_the_length(start: str, piece: str) -> None:
    line = (start + piece * MAX_LINE)[:MAX_LINE]
    assert_quick(lambda: parse(line, zone=UTC), 0.1)
