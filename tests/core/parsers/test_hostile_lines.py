"""Whatever stands in a line, the parser answers, soon, and with clean texts."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.quick import assert_quick
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import FORMATS, MAX_LINE, Ignored, Rejected, parse

GOOD = (
    (
        '<30>Jan  5 00:00:01 fw01 device_name="SFW" timestamp="2026-01-05T00:00:01+0100" log_id="075000617071" '
        'log_type="WAF" log_component="Web Application Firewall" severity="Information" server="www.example.com:8443" '
        'src_ip="198.51.100.7" url="/a?b=c" cookie="a=1; b=" http_status="403" reason="WAF Anomaly" '
        'extra="Inbound Anomaly Score Exceeded (Total Score: 15, SQLi=15, XSS=): Last Matched Message: SQL"'
        " src_port=4711"
    ),
    (
        'device="SFW" date=2020-05-18 time=14:38:58 timezone="CEST" log_id=062511418055 log_type="Event" '
        'log_component="IPSec" log_subtype="System" status="Failed" priority=Warning user_name="a@example.com" '
        'remoteinterfaceip=203.0.113.250 ether_type=Unknown (0x0000) message="info="Reason="Logout"" gone" x="open'
    ),
)
TEXTS = ("src_ip", "country", "dst_ip", "target_host", "target_url", "user", "rule_id", "rule_name", "message")
PIECES = st.sampled_from(
    [*'"\\= \0\ufeff\ud800', '="', '" ', 'log_type="Event"', "date=", 'timestamp="', "²", "٣", "\u202e", "9" * 30]
)


def check(line: str) -> None:
    outcome = parse(line, zone=ZoneInfo("Europe/Paris"))
    assert isinstance(outcome, SecurityEvent | Ignored | Rejected)
    if isinstance(outcome, SecurityEvent):
        assert outcome.at.tzinfo is UTC
        for name in TEXTS:
            text = getattr(outcome, name)
            assert text.isprintable()
            assert len(text) <= 2048
            text.encode()
        assert 0 <= outcome.src_port <= 65535
        assert 0 <= outcome.dst_port <= 65535


@given(st.text(max_size=300), st.sampled_from([*FORMATS, "no such format"]))
@example("\ud800", "auto")
def test_any_text_gets_an_answer(text: str, name: str) -> None:
    assert isinstance(parse(text, format=name, zone=UTC), SecurityEvent | Ignored | Rejected)


@given(
    st.sampled_from(GOOD), st.lists(st.tuples(st.integers(0, 700), st.integers(0, 40), PIECES | st.text(max_size=8)))
)
@settings(max_examples=400)
def test_a_damaged_good_line_gets_an_answer(line: str, damages: list[tuple[int, int, str]]) -> None:
    for at, length, piece in damages:
        line = line[:at] + piece + line[at + length :]
    check(line)


@given(st.dictionaries(st.sampled_from(["log_type", "date", "time", "timezone", "src_ip", "url", "extra"]), st.text()))
def test_any_value_gets_an_answer(values: dict[str, str]) -> None:
    check(GOOD[1] + "".join(f' {key}="{value}"' for key, value in values.items()))
    check("device=1 log_type=WAF " + "".join(f" {key}={value}" for key, value in values.items()))


@pytest.mark.parametrize(
    "piece",
    ['a="', 'a="\\', '"', " ", "a", "a=", "a= ", '" ', "\\", '\\"', "='", "[", "<30>", "é", '" a', 'a="x"b', "1.", ":"],
)
@pytest.mark.parametrize(
    "start", ["", GOOD[0][:-16], 'device=x log_type="WAF" timestamp="2026-01-05T00:00:01+0100" url="']
)
def test_time_is_in_proportion_to_the_length(piece: str, start: str) -> None:
    line = (start + piece * MAX_LINE)[:MAX_LINE]
    # A quadratic reading of 64 KiB takes seconds; a linear one about 10 ms, even on a busy machine far below a second.
    assert_quick(lambda: check(line), 0.5)
