"""Lines put together to records, and files of such records stored once, whatever happens in between."""

import io
import json
from collections import deque
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.parsers.assembling import assemble
from tests.core.quick import assert_quick
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import TOO_LONG_RECORD, Ignored, Rejected, parse
from vxtray.core.parsers.records import MAX_LINES, MAX_OPEN, MAX_READ, MAX_RECORD, Assembled, Assembler
from vxtray.core.sources.importer import ImportResult, import_files, parse_file
from vxtray.core.sources.logfile import assembled, open_log
from vxtray.core.store.embedded import EmbeddedStore

PLAIN = 'device="SFW" date=2026-01-01 time=10:00:00 log_type="Firewall" log_id=010101600001 src_ip=192.0.2.1'


def audit(name: str, *, rule: int = 942100, body: str = "a=b", end: bool = True) -> list[str]:
    """The lines of a native audit record."""
    lines = [
        f"--{name}-A--",
        f"[13/Aug/2022:02:06:11.341644 +0200] {name} 192.0.2.7 4711 198.51.100.1 443",
        f"--{name}-B--",
        "POST /login?a=b HTTP/1.1",
        "Host: www.example.com:8443",
        "",
        f"--{name}-C--",
        *body.split("\n"),
        f"--{name}-H--",
        f'Message: Warning. Pattern match "x" at ARGS:a. [file "f"] [id "{rule}"] [msg "SQL"] [severity "CRITICAL"]',
        "Action: Intercepted (phase 2)",
    ]
    return [*lines, f"--{name}-Z--"] if end else lines


def records(lines: list[str]) -> list[Assembled]:
    return list(assemble(enumerate(lines, 1)))


def texts(lines: list[str]) -> list[str]:
    return [record.text for record in records(lines)]


# --- single lines and native records ----------------------------------------------------------------------------------


def test_lines_pass_as_they_are() -> None:
    lines = [PLAIN, "", "[Wed Feb 11 19:46:12 2015] [error] x", '{"a": 1}', "--", "--- x", "{broken", " {x", "Jan  1 }"]
    assert [(record.line, record.text, record.settled) for record in records(lines)] == [
        (number, line, True) for number, line in enumerate(lines, 1)
    ]


def test_a_native_record_keeps_what_an_event_needs() -> None:
    lines = [PLAIN, *audit("68a39c63"), "", *audit("c2578d7b"), PLAIN]
    found = records(lines)
    assert [record.line for record in found] == [1, 2, 14, 15, 27]
    assert all(record.whole and record.settled for record in found)
    assert found[1].text.split("\n") == [line for line in audit("68a39c63") if line != "a=b"]
    event = parse(found[3].text, zone=UTC)
    assert isinstance(event, SecurityEvent)
    assert (event.src_ip, event.src_port, event.target_host, event.target_url) == (
        *("192.0.2.7", 4711),
        *("www.example.com", "/login?a=b"),
    )


@pytest.mark.parametrize("boundary", ["--68a39c63-{}--", "---uhBr3CdI---{}--", "--Zx@9_k-{}--"])
def test_boundaries_of_all_releases(boundary: str) -> None:
    lines = [boundary.format("A"), "x", boundary.format("H"), "y", boundary.format("Z")]
    assert texts(lines) == ["\n".join(lines)]


def test_records_of_several_processes_may_overlap() -> None:
    first, second = audit("aaaaaaaa", rule=1, body=""), audit("bbbbbbbb", rule=2, body="")
    mixed = [*first[:6], *second[:3], *first[8:10], *second[3:6], *first[10:], *second[8:]]
    found = records([*mixed, PLAIN])
    assert [(record.line, record.whole, record.settled) for record in found] == [
        (1, True, False),
        (7, True, True),
        (len(mixed) + 1, True, True),
    ]
    rules = [event.rule_id for record in found[:2] if isinstance(event := parse(record.text, zone=UTC), SecurityEvent)]
    assert rules == ["1", "2"]


def test_nobody_can_forge_a_record_in_the_body_of_a_request() -> None:
    forged = "\n".join(audit("deadbeef", rule=666))
    found = records([*audit("68a39c63", body=forged), *audit("c2578d7b")])
    assert [record.line for record in found] == [1, 12 + forged.count("\n") + 1]
    assert not any("666" in record.text for record in found)


def test_a_record_without_beginning_or_end_is_told_once() -> None:
    found = records([*audit("68a39c63")[3:], *audit("c2578d7b"), *audit("12345678", end=False)])
    reasons = [type(parse(record.text, zone=UTC)) for record in found if "--" in record.text]
    assert reasons == [Rejected, SecurityEvent, Rejected]
    assert [record.whole for record in found if "--" in record.text] == [True, True, False]


def test_what_never_ends_is_given_up() -> None:
    long_body = ["x" * 1000] * (MAX_READ // 1000 + 2)
    found = records([*audit("68a39c63", end=False)[:7], *long_body, *audit("c2578d7b")])
    assert found[0].line == 1
    assert not found[0].whole
    assert isinstance(parse(found[-1].text, zone=UTC), SecurityEvent)

    found = records([*audit("68a39c63")[:4], *["X: y"] * (MAX_LINES + 2), *audit("c2578d7b")])
    assert not found[0].whole
    assert isinstance(parse(found[-1].text, zone=UTC), SecurityEvent)

    many = [line for n in range(MAX_OPEN + 1) for line in audit(f"{n:08x}", end=False, body="")]
    assert len(records(many)) == MAX_OPEN + 1


def test_too_much_text_cuts_the_record() -> None:
    lines = audit("68a39c63", end=False) + ["Message: " + "x" * 60_000] * 6 + ["--68a39c63-Z--"]
    (record,) = records(lines)
    assert record.cut
    assert record.whole
    assert len(record.text) <= MAX_RECORD


# --- JSON -------------------------------------------------------------------------------------------------------------

OBJECTS = [{"n": n, "text": '}{][ "\\" \\', "list": [1, {"a": []}], "none": None, "flag": True} for n in range(3)]


@pytest.mark.parametrize("indent", [1, 2, 4])
def test_an_object_over_many_lines_is_a_record(indent: int) -> None:
    lines = [line for value in OBJECTS for line in json.dumps(value, indent=indent).split("\n")]
    found = records([PLAIN, *lines, PLAIN])
    assert [json.loads(record.text) for record in found[1:-1]] == OBJECTS
    assert [record.line for record in found] == [1, *(2 + n * len(lines) // 3 for n in range(3)), len(lines) + 2]
    assert all(record.settled for record in found)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OBJECTS),
        json.dumps(OBJECTS, indent=1),
        json.dumps(OBJECTS, indent=4),
        json.dumps(OBJECTS, indent=4).replace("},\n    {", "}, {"),
        "[\n" + ",\n".join(map(json.dumps, OBJECTS)) + "\n]",
        "[" + ",\n".join(map(json.dumps, OBJECTS)) + "]",
        "[\n\n" + "\n,\n".join(map(json.dumps, OBJECTS)) + "\n]",
    ],
)
def test_the_objects_of_an_array_are_records(text: str) -> None:
    found = records([*text.split("\n"), PLAIN])
    assert [json.loads(record.text) for record in found if record.text.strip()[:1] == "{"] == OBJECTS
    assert found[-1].text == PLAIN
    assert found[-1].settled


def test_json_that_was_cut_off_does_not_swallow_what_follows() -> None:
    assert texts(['{"a": [', '{"b": 2}', PLAIN]) == ['{"a": [', '{"b": 2}', PLAIN]
    assert texts(["{", ' "a": 1,', PLAIN, '{"b": 2}']) == ['{\n "a": 1,', PLAIN, '{"b": 2}']
    assert texts(["{", ' "a": 1']) == ['{\n "a": 1']
    endless = ["{", *[' "a": 1,'] * (MAX_LINES + 10)]
    assert records(endless)[0].line == 1
    assert not records(endless)[0].whole


def test_an_object_may_be_too_long() -> None:
    lines = json.dumps({"a": ["x" * 1000] * 400}, indent=1).split("\n")
    (record,) = records(lines)
    assert record.cut
    assert record.whole


NATIVE = ("--a-A--", "--a-C--", "--a-Z--", "--b-A--", "--b-H--", "--b-Z--", "x", "")
JSON = ("{", "}", "[", "]", ",", '{"a":1}', ' {"a": [', '"', '"}', '["', "}, {")


@given(st.lists(st.sampled_from([*NATIVE, *JSON])))
@settings(max_examples=500)
def test_every_line_is_in_one_record_at_most_and_all_end_settled(lines: list[str]) -> None:
    assembler = Assembler()
    found = [record for number, text in enumerate(lines, 1) for record in assembler.feed(number, text, number)]
    before = len(found)
    found += assembler.finish()
    assert assembler.idle
    assert assembler.pending == 0
    ends = [record.end for record in found if record.settled]
    assert ends == sorted(ends)
    if before == len(found) and found:
        assert found[-1].settled
    assert sum(len(record.text) for record in found) <= sum(len(line) + 1 for line in lines) + len(found)
    for record in found:
        parse(record.text, zone=UTC)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    yield store
    store.close()


def take(store: EmbeddedStore, path: Path) -> tuple[int, int, int, int, int]:
    result: ImportResult = import_files([path], store, zone=UTC)
    assert result.read == result.stored + result.duplicates + result.ignored + result.rejected
    return result.read, result.stored, result.duplicates, result.ignored, result.rejected


def lines_of(*parts: list[str]) -> bytes:
    return "".join(line + "\n" for part in parts for line in part).encode()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_records_of_a_file_are_stored_once(store: EmbeddedStore, tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(lines_of(audit("68a39c63"), [""], audit("c2578d7b"), [PLAIN]).replace(b"\n", end))
    assert take(store, path) == (4, 3, 0, 1, 0)
    assert take(store, path) == (4, 0, 4, 0, 0)
    with path.open("ab") as file:
        file.write(lines_of(audit("11111111")).replace(b"\n", end))
    assert take(store, path) == (5, 1, 4, 0, 0)
    assert [line for line, _ in parse_file(path, zone=UTC)] == [1, 13, 14, 26, 27]
    assert store.last_seq() == 4


def test_a_file_may_grow_at_any_place(store: EmbeddedStore, tmp_path: Path) -> None:
    pretty = json.dumps([{"transaction": {"client_ip": "192.0.2.1"}, "n": n} for n in range(3)], indent=1)
    whole = lines_of(audit("68a39c63"), [PLAIN], audit("c2578d7b"), pretty.split("\n"), audit("11111111"))
    for name, step in (("a.log", 1), ("b.log", 97), ("c.log", 1001)):
        path = tmp_path / name
        before = store.last_seq()
        for size in range(step, len(whole) + step, step if step > 1 else 37):
            path.write_bytes(b"# " + name.encode() + b"\n" + whole[:size])
            import_files([path], store, zone=UTC)
        path.write_bytes(b"# " + name.encode() + b"\n" + whole)
        import_files([path], store, zone=UTC)
        assert store.last_seq() == before + 4, step


def test_overlapping_records_are_stored_together(store: EmbeddedStore, tmp_path: Path) -> None:
    first, second = audit("aaaaaaaa", rule=1, body=""), audit("bbbbbbbb", rule=2, body="")
    mixed = [*first[:6], *second[:3], *first[8:], *second[3:]]
    path = tmp_path / "audit.log"
    # The second never ends, so the first must not wait for ever.
    path.write_bytes(lines_of(mixed[:-1]))
    assert take(store, path) == (2, 1, 0, 0, 1)
    assert take(store, path) == (2, 0, 2, 0, 0)
    other = tmp_path / "other.log"
    other.write_bytes(lines_of([PLAIN], mixed))
    assert take(store, other) == (3, 3, 0, 0, 0)


def test_an_unfinished_record_is_read_when_it_is_whole(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(lines_of([PLAIN], audit("68a39c63", end=False)))
    assert take(store, path) == (2, 1, 0, 0, 1)
    assert take(store, path) == (2, 0, 1, 0, 1)
    path.write_bytes(lines_of([PLAIN], audit("68a39c63")))
    assert take(store, path) == (2, 1, 1, 0, 0)


def test_a_long_line_of_json_is_one_record(store: EmbeddedStore, tmp_path: Path) -> None:
    message = {"message": "SQL", "details": {"ruleId": "942100", "severity": "2"}}
    transaction = {
        "client_ip": "192.0.2.1",
        "time_stamp": "Tue May 10 04:52:04 2022",
        "messages": [message],
        "response": {"body": "x" * 200_000, "http_code": 403},
    }
    path = tmp_path / "audit.json"
    path.write_text(json.dumps({"transaction": transaction}) + "\n" + json.dumps({"x": "y" * MAX_RECORD}) + "\n")
    outcomes = dict(parse_file(path, zone=UTC))
    assert isinstance(outcomes[1], SecurityEvent)
    assert outcomes[2] == TOO_LONG_RECORD
    assert take(store, path) == (2, 1, 0, 0, 1)


def test_plain_lines_are_not_slowed_down() -> None:
    """Assembling costs a plain line less than a microsecond; 5 are allowed for a busy machine."""
    raw = (PLAIN + "\n").encode() * 50_000
    with open_log("-", io.BytesIO(raw)) as log:
        lines = list(log.records())
    assert sum(1 for _ in assembled(lines)) == 50_000
    assert_quick(lambda: deque(assembled(lines), maxlen=0), 0.25)


def test_ignored_lines_of_an_array_are_no_rejections(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[\n]\n")
    assert [outcome for _, outcome in parse_file(path, zone=UTC)] == [Ignored(), Ignored()]
