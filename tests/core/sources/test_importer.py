"""Log files into a real event store: each line once, whatever happens to the file or to the import."""

import gzip
import io
import os
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path

import pytest

from vxtray.core.errors import LogFileError, StoreError
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import Ignored, Rejected
from vxtray.core.sources.importer import ImportResult, import_files, parse_file
from vxtray.core.store import Position
from vxtray.core.store.embedded import EmbeddedStore


def line(n: int) -> bytes:
    return (
        f'<30>device_name="SFW" timestamp="2026-01-05T{n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}+0100" '
        f'log_id="010102600002" log_type="Firewall" log_component="Firewall Rule" log_subtype="Denied" '
        f'severity="Information" src_ip="198.51.100.{n % 250}" src_port={n % 65536}\n'
    ).encode()


def lines(first: int, last: int) -> bytes:
    return b"".join(map(line, range(first, last)))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    yield store
    store.close()


def counts(result: ImportResult) -> tuple[int, int, int, int, int]:
    assert result.read == result.stored + result.duplicates + result.ignored + result.rejected
    return result.read, result.stored, result.duplicates, result.ignored, result.rejected


def take(store: EmbeddedStore, *paths: Path, **more: object) -> tuple[int, int, int, int, int]:
    return counts(import_files(paths, store, zone=UTC, **more))  # type: ignore[arg-type]


def test_an_import_stores_each_line_once(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 2500) + b"\n<30>\nnonsense\n" + lines(2500, 2600))
    refused = []
    result = import_files([path], store, zone=UTC, rejected=lambda *told: refused.append(told))

    assert counts(result) == (2603, 2600, 0, 1, 2)
    assert result.by_format == {"sophos": 2600}
    assert result.seconds > 0
    assert not result.stopped
    assert [told[:2] for told in refused] == [(str(path), 2502), (str(path), 2503)]
    assert store.last_seq() == 2600
    assert len(store.events(limit=5000)) == 2600
    assert list(store.alertable(0)) == []

    assert take(store, path) == (2603, 0, 2603, 0, 0)
    renamed = path.rename(tmp_path / "a.log.1")
    assert take(store, renamed) == (2603, 0, 2603, 0, 0)
    packed = tmp_path / "a.log.1.gz"
    packed.write_bytes(gzip.compress(renamed.read_bytes()))
    assert take(store, packed) == (2603, 0, 2603, 0, 0)
    assert counts(import_files(["-"], store, zone=UTC, stdin=io.BytesIO(packed.read_bytes()))) == (2603, 0, 2603, 0, 0)
    assert store.last_seq() == 2600


def test_two_equal_lines_are_two_events(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(line(1) * 3)
    assert take(store, path) == (3, 3, 0, 0, 0)


@pytest.mark.parametrize("last", [1, 3, 5, 12, 40, 2000])
def test_a_growing_file_goes_on_where_it_stopped(store: EmbeddedStore, tmp_path: Path, last: int) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 1))
    assert take(store, path) == (1, 1, 0, 0, 0)
    with path.open("ab") as file:
        file.write(lines(1, 1 + last))
    assert take(store, path) == (1 + last, last, 1, 0, 0)
    with path.open("ab") as file:
        file.write(lines(1 + last, 50 + last))
    assert take(store, path) == (50 + last, 49, 1 + last, 0, 0)
    assert store.last_seq() == 50 + last


def test_a_half_written_last_line_is_read_when_it_is_whole(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(line(1) + line(2)[:30])
    assert take(store, path) == (2, 1, 0, 0, 1)
    path.write_bytes(line(1) + line(2) + line(3)[:-1])
    assert take(store, path) == (3, 2, 1, 0, 0)
    # Told to be complete without its line feed; the line feed alone is nothing new.
    path.write_bytes(lines(1, 4))
    assert take(store, path) == (3, 0, 3, 0, 0)
    path.write_bytes(lines(1, 5))
    assert take(store, path) == (4, 1, 3, 0, 0)


def test_another_file_in_its_place_is_read_from_the_beginning(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 100))
    assert take(store, path) == (100, 100, 0, 0, 0)
    path.write_bytes(lines(500, 600))
    assert take(store, path) == (100, 100, 0, 0, 0)


def test_lines_without_events_move_the_position(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntwo\n")
    assert take(store, path) == (2, 0, 0, 0, 2)
    assert take(store, path) == (2, 0, 2, 0, 0)


def test_alerts_only_when_asked_for(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 5))
    assert take(store, path, alerts=True) == (5, 5, 0, 0, 0)
    assert len(list(store.alertable(0))) == 5


def test_progress_and_stop(store: EmbeddedStore, tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_bytes(lines(0, 5000))
    second.write_bytes(lines(6000, 7000))
    total = first.stat().st_size + second.stat().st_size
    told: list[tuple[int, int]] = []
    stop = threading.Event()

    def progress(done: int, of: int) -> None:
        told.append((done, of))
        stop.set()

    result = import_files([first, second], store, zone=UTC, progress=progress, stop=stop)
    assert result.stopped
    assert counts(result) == (2000, 2000, 0, 0, 0)
    told.clear()
    stop = threading.Event()
    stop_never = threading.Event()
    result = import_files([first, second], store, zone=UTC, progress=lambda *now: told.append(now), stop=stop_never)
    assert counts(result) == (6000, 4000, 2000, 0, 0)
    assert told == sorted(told)
    assert told[-1] == (total, total)


def test_a_wrong_name_among_several_stops_before_anything_is_read(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 5))
    with pytest.raises(LogFileError, match="There is no file"):
        import_files([path, tmp_path / "none"], store, zone=UTC)
    assert store.last_seq() == 0


def test_what_came_before_the_damage_is_kept(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    whole = gzip.compress(b"".join(line(n).replace(b"\n", os.urandom(50).hex().encode() + b"\n") for n in range(5000)))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LogFileError, match="damaged"):
        import_files([path], store, zone=UTC)
    kept = store.last_seq()
    assert 1500 < kept < 3500
    path.write_bytes(whole)
    assert take(store, path) == (5000, 5000 - kept, kept, 0, 0)


class _Failing:
    """A store whose disk is full after the first batch."""

    def __init__(self, store: EmbeddedStore) -> None:
        self.store, self.batches = store, 0

    def position(self, key: str) -> int:
        return self.store.position(key)

    def append(
        self, events: Sequence[SecurityEvent], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        self.batches += 1
        if self.batches == 2:
            raise StoreError(path="events", reason="no space left")
        return self.store.append(events, position=position, alerts=alerts)


def test_an_interrupted_import_loses_and_doubles_nothing(store: EmbeddedStore, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(0, 2500))
    with pytest.raises(StoreError):
        import_files([path], _Failing(store), zone=UTC)
    assert store.last_seq() == 2000
    assert take(store, path) == (2500, 500, 2000, 0, 0)
    assert {event.src_port for event in store.events(limit=5000)} == set(range(2500))


def test_parse_file_gives_numbers_and_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(line(1) + b"\nnonsense\n" + b"x" * 70_000 + b"\n" + line(2))
    got = list(parse_file(path, zone=UTC))
    assert [number for number, _ in got] == [1, 2, 3, 4, 5]
    assert [type(outcome) for _, outcome in got] == [SecurityEvent, Ignored, Rejected, Rejected, SecurityEvent]
