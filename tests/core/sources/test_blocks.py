"""Lines in blocks: the same records, numbers and offsets as line by line."""

import io
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vxtray.core.parsers import parse
from vxtray.core.parsers.worker import parse_lines
from vxtray.core.sources import logfile
from vxtray.core.sources.importer import CHUNK, _Chunk, import_files
from vxtray.core.sources.logfile import Block, LogFile, Record, assembled
from vxtray.core.store.embedded import EmbeddedStore

LINES = st.sampled_from(
    [
        *(b"", b"plain", b"with return\r", b"\xc3\xa9t\xe9 \xe2\x82", b"\xef\xbb\xbfmark", b"long " * 30, b"x" * 150),
        *(b"--ab12-A--", b"--ab12-B--", b"--ab12-Z--", b"{", b'"a": 1', b"}", b'{"a": 1}', b"[", b" indented"),
    ]
)


def opened(data: bytes) -> LogFile:
    stream = io.BufferedReader(io.BytesIO(data))
    return LogFile("a.log", stream, stream, 0)


def one_by_one(pieces: list[Record | Block]) -> list[Record]:
    return [record for piece in pieces for record in (piece.records() if isinstance(piece, Block) else [piece])]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have many blocks of a little data."""
    monkeypatch.setattr(logfile, "_BLOCK", 64)
    monkeypatch.setattr(logfile, "_HEAD", 16)
    monkeypatch.setattr(logfile, "MAX_LINE", 100)


@given(st.lists(LINES, max_size=40), st.booleans(), st.data())
@settings(max_examples=300, deadline=None)
def test_blocks_hold_the_same_records(lines: list[bytes], ended: bool, data: st.DataObject) -> None:
    text = b"\n".join(lines) + (b"\n" if ended else b"")
    start = data.draw(st.integers(0, len(text)))
    straight, blocks = opened(text), opened(text)
    assert one_by_one(list(blocks.pieces(start))) == list(straight.records(start))
    assert blocks.skipped == straight.skipped
    whole = list(assembled(opened(text).records(start)))
    assert one_by_one(list(assembled(opened(text).pieces(start)))) == whole


@given(st.lists(LINES, min_size=1, max_size=40), st.integers(1, 50))
def test_a_block_is_split_anywhere(lines: list[bytes], most: int) -> None:
    size = sum(map(len, lines)) + len(lines)
    block = Block(7, 1000 + size, lines)
    part, rest = block.split(most)
    assert len(part.lines) == min(most, len(lines))
    assert [*part.records(), *(rest.records() if rest else [])] == list(block.records())


def test_plain_lines_come_in_blocks(tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % n for n in range(500))
    pieces = list(opened(text).pieces())
    assert all(isinstance(piece, Block) for piece in pieces)
    assert len(one_by_one(pieces)) == 500
    assert not any(isinstance(piece, Block) for piece in opened(b"\xef\xbb\xbf" + text[:40]).pieces())


def test_a_chunk_holds_lines_or_records() -> None:
    chunk = _Chunk("a.log")
    rest = chunk.add(Block(1, 10 * (CHUNK + 5), [b"123456789"] * (CHUNK + 5)))
    assert rest is not None
    assert (rest.line, len(rest.lines), chunk.end) == (CHUNK + 1, 5, 10 * CHUNK)
    assert chunk.lines == list(range(1, CHUNK + 1))
    assert not chunk.takes(Record(CHUNK + 1, 0, "x"))
    chunk = _Chunk("a.log")
    chunk.add(Record(1, 5, "x"))
    assert chunk.takes(Record(2, 9, "x"))
    assert not chunk.takes(rest)
    assert not chunk.takes(Record(2, 9, "x", ended=False))


def test_progress_is_told_where_lines_and_records_are_mixed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes((b"x\n" * 90 + b'{"a": 1}\n') * 100)
    told: list[int] = []
    store = EmbeddedStore(tmp_path / "store" / "events.duckdb")
    result = import_files([path], store, zone=UTC, progress=lambda done, _total: told.append(done))
    again = import_files([path], store, zone=UTC)
    store.close()
    assert (result.read, result.rejected) == (9100, 9100)
    assert (again.read, again.duplicates) == (9100, 9100)
    assert len(told) > 9100 // CHUNK
    assert told == sorted(told)


@given(st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), min_size=1, max_size=8))
def test_lines_of_a_block_become_what_single_lines_become(lines: list[bytes]) -> None:
    found = parse_lines(b"\n".join(lines).split(b"\n"), "auto", UTC)
    outcomes = [parse(line.decode("utf-8", "replace"), zone=UTC) for line in lines]
    assert len(found.events) + found.ignored + len(found.rejected) == len(outcomes)
    assert [outcomes[index] for index, _reason in found.rejected] == [o for o in outcomes if hasattr(o, "reason")]
