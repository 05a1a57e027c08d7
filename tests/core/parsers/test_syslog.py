"""Syslog headers: of real devices against what other readers make of them, and the odd ones one by one."""

import base64
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.quick import assert_quick
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import MAX_LINE, Ignored, Rejected, parse, syslog

SHARED = Path(os.environ.get("VXTRAY_SHARED") or Path(__file__).resolve().parents[4] / "shared")
FOLDER = SHARED / "samples" / "syslog"
needs_samples = pytest.mark.skipif(not FOLDER.exists(), reason=f"no samples in {SHARED}; name it with VXTRAY_SHARED")

#: What the origin says of a priority, and how it follows from ours.
NUMBERS = {"pri": lambda pri: pri, "severity_num": lambda pri: pri & 7, "facility_num": lambda pri: pri >> 3}
TEXTS = ("host", "app", "procid", "msgid", "version", "message")

#: (folder, line) -> why some of the host, tag and message are not those of the origin. Times, priorities and severities
#: are always the origin's.
OTHERWISE = {
    ("go-syslog-rfc5424", 40): "a byte order mark alone is taken off as any other",
    ("nsyslog", 4): "a word without a colon behind the host is read as part of the message",
    ("nsyslog", 6): "a word with a colon is the tag of a message without host, as in vrl-parse_syslog 2",
    **{("nsyslog", n): "the origin takes the year behind the day for the end of the time" for n in range(12, 16)},
    **{("nsyslog", n): "the origin takes off structured data behind the message" for n in (17, 18)},
    ("rsyslog-parsertest", 1): "a word without a colon behind the host is read as part of the message",
    ("rsyslog-parsertest", 7): "the origin takes the year behind the time for the host (README, 7)",
    ("rsyslog-parsertest", 8): "a word without a colon behind the host is read as part of the message",
    ("syslog-loose", 4): "structured data in a BSD message belong to the message",
    **{("syslog-ng", n): "the origin was told that messages have no host" for n in (9, 10, 11)},
}
#: Texts that differ, all told above; all others of all lines agree.
DIFFERENCES = 23


def sample_lines() -> Iterator[tuple[str, int, str, dict[str, object]]]:
    """Folder, line number, line, and what it is expected to be ({} where the origin does not say or refuses it)."""
    for path in sorted(FOLDER.glob("*/*.log")):
        expected = path.with_name(path.name + ".expected.jsonl")
        rows = map(json.loads, expected.read_text(encoding="utf-8").splitlines() if expected.exists() else ())
        by_line = {row["line"]: row.get("expect", {}) for row in rows}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            expect = by_line.get(number, {})
            yield path.parent.name, number, line, {} if expect.get("valid") is False else expect


@needs_samples
def test_times_and_numbers_are_those_of_the_origin() -> None:
    judged = 0
    for folder, number, line, expect in sample_lines():
        message = syslog.read(line, UTC)
        for name, of_priority in NUMBERS.items():
            if name in expect and expect.get("pri") != -1:
                said = None if message.pri is None else of_priority(message.pri)
                assert said == expect[name], (folder, number, name)
                judged += 1
        if "time" in expect:
            assert message.at == datetime.fromisoformat(str(expect["time"])), (folder, number)
            judged += 1
        if "time_local" in expect:
            assert message.at is not None
            local = message.at.replace(tzinfo=None, microsecond=0).isoformat()
            assert local.endswith(str(expect["time_local"])), (folder, number)
            judged += 1
    assert judged > 200


@needs_samples
def test_texts_are_those_of_the_origin_or_the_difference_is_explained() -> None:
    different = []
    for folder, number, line, expect in sample_lines():
        message = syslog.read(line, UTC)
        for name in TEXTS:
            if name in expect and getattr(message, name).strip() != str(expect[name]):
                different.append((folder, number))
                assert (folder, number) in OTHERWISE, (name, getattr(message, name), expect[name])
    assert set(different) == set(OTHERWISE)
    assert len(different) <= DIFFERENCES


@needs_samples
def test_a_sample_line_is_an_event_or_counted() -> None:
    """They are no security logs but for the CEF messages of ``nsyslog``."""
    events = set()
    for folder, number, line, _ in sample_lines():
        outcome = parse(line, zone=UTC)
        assert isinstance(outcome, SecurityEvent | Ignored | Rejected)
        if isinstance(outcome, SecurityEvent):
            events.add((folder, number, outcome.source))
    assert events == {("nsyslog", number, "cef") for number in (7, *range(12, 17))}


@needs_samples
def test_a_sample_stream_raises_nothing() -> None:
    for path in FOLDER.glob("*/*.b64"):
        for row in path.read_text(encoding="ascii").splitlines():
            text = base64.b64decode(row).decode("utf-8", "replace")
            assert isinstance(syslog.read(text, UTC).message, str)
            assert isinstance(parse(text, zone=UTC), Ignored | Rejected)


def test_the_last_such_day_is_meant_where_the_year_is_missing() -> None:
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert syslog.read("Dec 31 23:59:59 h a: b", UTC, now).at == datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert syslog.read("JAN  2 11:00:00 h a: b", UTC, now).at == datetime(2026, 1, 2, 11, tzinfo=UTC)
    assert syslog.read("Mar  1 10:00:00 2019 h a: b", UTC, now).at == datetime(2019, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<189>29: sw1: *Apr 29 13:58:40.411 UTC: %SYS-5-CONFIG_I: Configured", "Configured"),
        ("<189>29: *Apr 29 13:58:40.411: h1 x: Configured", "Configured"),
        ("<999>Jan  1 10:00:00 h tag[1]: Configured", "Configured"),
        ('<30>1 2026-01-01T10:00:00Z h a - - [x y="\\]"] \ufeffConfigured', "Configured"),
        ('<30>1 2026-01-01T10:00:00Z h a - - [x y="]"][z] Configured', "Configured"),
        ("2026-01-01T10:00:00.123456789+01:00 h tag: Configured", "Configured"),
        ("<30>Configured", "Configured"),
        ("Configured", "Configured"),
        ("", ""),
    ],
)
def test_headers(line: str, message: str) -> None:
    assert syslog.read(line, UTC).message == message
    assert syslog.body(line).lstrip("\ufeff") == message


def test_the_priority() -> None:
    assert syslog.read("<999>x", UTC).pri == 999
    assert syslog.read("x", UTC).pri is None


@given(st.text(max_size=400))
def test_any_text_has_a_message(text: str) -> None:
    assert text.endswith(syslog.body(text))
    assert text.endswith(syslog.read(text, UTC).message)


@pytest.mark.parametrize("piece", [" ", "1: ", "a: ", "[a ", '[a b="', "\\", '"', "]", "[", "a", "-", "1", "<1>", ":"])
@pytest.mark.parametrize("start", ["", "<30>", "<30>1 2026-01-01T00:00:00Z h a p m ", "Jan  1 00:00:00 "])
def test_time_is_in_proportion_to_the_length(start: str, piece: str) -> None:
    line = (start + piece * MAX_LINE)[:MAX_LINE]
    assert_quick(lambda: (syslog.body(line), syslog.read(line, UTC)), 0.05)
