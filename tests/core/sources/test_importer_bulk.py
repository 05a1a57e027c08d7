"""Bulk import in several processes: the truth, in order, each line once, whatever dies."""

import json
import logging
import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.core.parsers.sophos_truth import LINES, check_totals, generated
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import Rejected, parse
from vxtray.core.sources import bulk, importer
from vxtray.core.sources.bulk import Job, Parsing, children_wanted, parse_job
from vxtray.core.sources.importer import import_files
from vxtray.core.store import Position
from vxtray.core.store.committing import LineOf
from vxtray.core.store.embedded import EmbeddedStore
from vxtray.core.store.rows import COLUMNS, to_event

PARIS = ZoneInfo("Europe/Paris")
alone = children_wanted() == 0
several = pytest.mark.skipif(alone, reason="one processor only: nothing is parsed in other processes")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "store" / "events.duckdb")
    yield store
    store.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let other processes parse from the first record on."""

    class Started(bulk.ParserPool):
        def __init__(self) -> None:
            super().__init__()
            assert all(child.pipe.poll(60) for child in self._children)

    monkeypatch.setattr(bulk, "ParserPool", Started)
    monkeypatch.setattr(importer, "_WORTH_HELP", 0)


def helpers() -> list[multiprocessing.Process]:
    return [child for child in multiprocessing.active_children() if child.name.startswith("vxtray-import")]


def stored(store: EmbeddedStore) -> list[SecurityEvent]:
    with store._reading() as cursor:
        rows = cursor.execute(f"SELECT {COLUMNS} FROM events ORDER BY seq").fetchall()
    return list(map(to_event, rows))


def unnumbered(events: list[SecurityEvent]) -> list[SecurityEvent]:
    return [msgspec.structs.replace(event, seq=0) for event in events]


def line(n: int, text: str = "") -> bytes:
    return (
        f'<30>device_name="SFW" timestamp="2026-01-05T{n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}+0100" '
        f'log_id="010102600002" log_type="Firewall" log_component="Firewall Rule" log_subtype="Denied" '
        f'severity="Information" src_ip="198.51.100.{n % 250}" src_port={n % 65536} fw_rule_name="{n}{text}"\n'
    ).encode()


def lines(first: int, last: int) -> bytes:
    return b"".join(map(line, range(first, last)))


@pytest.mark.parametrize("helped", [False, pytest.param(True, marks=several)])
def test_events_that_may_raise_alerts_know_their_lines(
    store: EmbeddedStore, tmp_path: Path, request: pytest.FixtureRequest, helped: bool
) -> None:
    if helped:
        request.getfixturevalue("at_once")
    made = [b"no log\n" if n % 7 == 0 else b"\n" if n % 11 == 0 else line(n) for n in range(5000)]
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(made))
    told: list[str] = []
    ours: list[LineOf] = []

    class Asking:
        """A store that asks for the line of each event."""

        append_packed, position = store.append_packed, store.position

        def append(
            self, events: Sequence[SecurityEvent], *, position: Position | None = None, alerts: bool = True
        ) -> tuple[int, int]:
            told.extend(map(ours[-1], range(len(events))))
            with pytest.raises(IndexError):
                ours[-1](len(events))
            return store.append(events, position=position, alerts=alerts)

    import_files([log], Asking(), zone=PARIS, alerts=True, lines=ours.append)
    assert told == [one.decode().rstrip("\n") for one in made if one.startswith(b"<30>")]
    assert len(told) == store.count()


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "central", "--header", "pri"),
        ("--format", "default", "--header", "bsd"),
        ("--format", "mix", "--header", "iso", "--seed", "3"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("at_once")
def test_what_is_stored_equals_the_truth(
    store: EmbeddedStore, shared: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    tool = shared / "tools" / "make_events.py"
    texts, truth = generated(tool, tmp_path, *options, "--bad", "0.02", "--odd", "0.1", "--days", "3")
    log = tmp_path / "events.log"
    refused: list[tuple[str, int, str]] = []
    used: set[str] = set()

    def progress(_done: int, _total: int) -> None:
        used.update(child.name for child in helpers())

    result = import_files([log], store, zone=UTC, rejected=lambda *told: refused.append(told), progress=progress)
    assert (result.read, result.stored, result.rejected) == (LINES, truth["good"], LINES - truth["good"])
    assert result.by_format == {"sophos": truth["good"]}
    assert alone or len(used) == children_wanted()
    assert helpers() == []

    events = stored(store)
    assert [event.seq for event in events] == list(range(1, truth["good"] + 1))
    # What several processes parsed is what one parses, and in the order of the file.
    outcomes = [parse(text, zone=UTC) for text in texts]
    assert unnumbered(events) == [outcome for outcome in outcomes if isinstance(outcome, SecurityEvent)]
    rejected = [(n, outcome.reason) for n, outcome in enumerate(outcomes, 1) if isinstance(outcome, Rejected)]
    assert [(number, reason) for _path, number, reason in refused] == rejected
    check_totals(events, texts, truth)

    again = import_files([log], store, zone=UTC)
    assert (again.read, again.stored, again.duplicates) == (LINES, 0, LINES)
    assert store.last_seq() == truth["good"]


def test_files_that_begin_alike_are_two_files(store: EmbeddedStore, tmp_path: Path) -> None:
    one, other = tmp_path / "one.log", tmp_path / "other.log"
    one.write_bytes(lines(0, 3000))
    other.write_bytes(line(0) + lines(5000, 8000))
    assert import_files([one, other], store, zone=UTC).stored == 6001
    assert import_files([other, one], store, zone=UTC).stored == 0


@pytest.mark.usefixtures("at_once")
def test_alerts_of_a_bulk_import_are_looked_for(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 6000))
    assert import_files([path], store, zone=PARIS, alerts=True).stored == 6000
    assert [event.rule_name for event in store.alertable(0)] == [str(n) for n in range(6000)]


@pytest.mark.usefixtures("at_once")
def test_stopped_and_gone_on(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 40_000))
    runs = total = 0
    while total < 40_000:
        stop, told = threading.Event(), 0

        def progress(done: int, of: int, stop: threading.Event = stop) -> None:
            nonlocal told
            assert 0 < done <= of == path.stat().st_size
            told += 1
            if told == 5:
                stop.set()

        result = import_files([path], store, zone=UTC, progress=progress, stop=stop)
        assert result.duplicates == total
        assert result.stopped == (result.stored == 10_000)
        total += result.stored
        runs += 1
    assert runs in {4, 5}
    assert [event.rule_name for event in stored(store)] == [str(n) for n in range(40_000)]
    assert helpers() == []


@several
@pytest.mark.expected_log("the parser processes cannot be used")
@pytest.mark.usefixtures("at_once")
def test_a_helper_that_dies_costs_nothing(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 30_000))
    killed = 0

    def progress(_done: int, _total: int) -> None:
        nonlocal killed
        if not killed and helpers():
            helpers()[-1].kill()
            killed += 1

    assert import_files([path], store, zone=UTC, progress=progress).stored == 30_000
    assert killed == 1
    assert [event.rule_name for event in stored(store)] == [str(n) for n in range(30_000)]
    assert helpers() == []


def test_records_of_several_lines_keep_their_numbers(store: EmbeddedStore, tmp_path: Path, at_once: None) -> None:
    record = json.dumps({"scope": "Ip", "value": "192.0.2.7", "nonsense": True}, indent=1).encode() + b"\n"
    path = tmp_path / "a.log"
    path.write_bytes(
        lines(0, 1999) + record + b"nonsense\n" + lines(2000, 5000) + b"x" * 70_000 + b"\n" + line(5000)[:-30]
    )
    refused: list[int] = []
    result = import_files([path], store, zone=UTC, rejected=lambda _path, number, _reason: refused.append(number))
    after = 2000 + record.count(b"\n")
    assert refused == [2000, after, after + 3001] or refused == [after, after + 3001]
    assert result.stored >= 4999
    first = stored(store)
    assert import_files([path], store, zone=UTC).stored == 0
    assert stored(store) == first


@several
def test_jobs_before_and_after_the_start_come_back_in_order(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    jobs = [
        Job([line(n, "é" if n % 3 else "").decode() for n in range(k, k + 7)] + ["nonsense"], [], "auto", "UTC")
        for k in range(0, 700, 7)
    ]
    parsing = Parsing(UTC)
    parsing.help()
    done = []
    for number, job in enumerate(jobs):
        if number == 30:
            assert all(child.pipe.poll(60) for child in parsing._pool._children)  # type: ignore[union-attr]
        done += parsing.feed(job)
    done += parsing.rest()
    parsing.close()
    here = [parse_job(msgspec.structs.replace(job, packed=False), UTC) for job in jobs]
    there = [parse_job(job, UTC) for job in jobs]
    assert len(done) == len(jobs)
    assert [d.rows is not None for d in done] == [False] * 30 + [True] * 70
    assert all(d in (a, b) for d, a, b in zip(done, here, there, strict=True))
    assert not caplog.records
