"""Log files: lines, offsets, fingerprints, compression, and files that are none."""

import contextlib
import gzip
import io
import os
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from vxtray.core.errors import LogFileError
from vxtray.core.sources.logfile import LogFile, Record, open_log


def records(path: Path | str, start: int = 0, stdin: io.BytesIO | None = None) -> list[Record]:
    with open_log(path, stdin) as log:
        return list(log.records(start))


def texts(path: Path) -> list[str]:
    return [record.text for record in records(path)]


def keys(path: Path) -> tuple[str, ...]:
    with open_log(path) as log:
        return log.keys()


def test_lines_numbers_and_offsets(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\ntw\xc3\xa9\xff\nlast")
    assert records(path) == [
        Record(1, 8, "one"),
        Record(2, 9, ""),
        Record(3, 15, "twé\ufffd"),
        Record(4, 19, "last", ended=False),
    ]
    assert records(path, 9) == records(path)[2:]
    assert records(path, 19) == []
    assert records(path, 999) == []


def test_an_empty_file_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "empty.log"
    path.touch()
    assert records(path) == []


@given(st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b), max_size=30), st.booleans())
def test_every_line_comes_once_from_any_offset(lines: list[bytes], ended: bool) -> None:
    data = b"x\n" * 400 + b"\n".join(lines) + b"\n" * ended
    everything = records("-", stdin=io.BytesIO(data))
    assert len(everything) == data.count(b"\n") + (not data.endswith(b"\n"))
    assert everything[-1].end == len(data)
    for record in everything[400:]:
        with open_log("-", io.BytesIO(data)) as log:
            assert list(log.records(record.end)) == everything[record.line :]
            assert log.skipped == record.line


def test_a_start_within_a_line_passes_over_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntwo and more\nthree\n")
    with open_log(path) as log:
        assert [(r.line, r.text) for r in log.records(7)] == [(3, "three")]
        assert log.skipped == 2


@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1, 5_000_000])
def test_a_long_line_is_cut(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"a" * size + b"\nnext\n")
    first, second = records(path)
    assert (first.cut, len(first.text), first.end) == (size > 64 * 1024, min(size, 64 * 1024 + 1), size + 1)
    assert (second.line, second.text) == (2, "next")


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
def test_an_endless_line_takes_no_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with (gzip if name == "a.gz" else zstandard).open(path, "wb") as file:
        for _ in range(50):
            file.write(b"a" * 1_000_000)
    tracemalloc.start()
    try:
        assert [record.end for record in records(path)] == [50_000_000]
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_compression_is_told_by_content_and_keeps_the_fingerprint(tmp_path: Path) -> None:
    data = b"".join(b"line %d\n" % n for n in range(100_000))
    plain = tmp_path / "a.gz"
    plain.write_bytes(data)
    zipped = tmp_path / "b.log"
    zipped.write_bytes(gzip.compress(data[:300_000]) + gzip.compress(data[300_000:]))
    squeezed = tmp_path / "c"
    squeezed.write_bytes(zstandard.compress(data[:300_000]) + zstandard.compress(data[300_000:]))

    assert records(plain) == records(zipped) == records(squeezed)
    assert keys(plain) == keys(zipped) == keys(squeezed)
    assert records(plain, 500_000) == records(squeezed, 500_000)
    for path in (plain, zipped, squeezed):
        with open_log(path) as log:
            assert log.size == path.stat().st_size
            list(log.records())
            assert log.consumed == log.size


def test_the_fingerprint_grows_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"first line\n")
    young = keys(path)
    assert len(young) == 1
    with path.open("ab") as file:
        file.write(b"second line, not ye")
    assert keys(path) == young
    with path.open("ab") as file:
        file.write(b"t finished\n")
    older = keys(path)
    assert older[1:] == young
    with path.open("ab") as file:
        file.write(b"more\n" * 2000)
    grown = keys(path)
    assert set(older) < set(grown)
    with path.open("ab") as file:
        file.write(b"more\n" * 2000)
    assert keys(path) == grown
    other = tmp_path / "b.log"
    other.write_bytes(b"First line\n" + path.read_bytes()[11:])
    assert not set(keys(other)) & set(grown)


def test_standard_input_stays_open() -> None:
    stream = io.BytesIO(gzip.compress(b"a\nb\n"))
    assert [record.text for record in records("-", stdin=stream)] == ["a", "b"]
    assert not stream.closed


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"a\nb\n")
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        assert [record.text for record in records("-", stdin=stream)] == ["a", "b"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x7fELF" + bytes(2000), "not a text file"),
        (bytes(range(256)) * 20, "not a text file"),
        (b"PK\x03\x04 and more", "not a text file"),
        (b"BZh91AY&SY", "not a text file"),
        ("Jan 5 log\n".encode("utf-16"), "UTF-16"),
        (gzip.compress(random.Random(20261123).randbytes(100_000))[:50_000], "not a text file"),
        (b"\x1f\x8b", "damaged"),
        (b"\x1f\x8b\x08garbage that is no gzip", "damaged"),
        (b"\x28\xb5\x2f\xfdgarbage that is no zstd", "damaged"),
    ],
)
def test_what_is_no_log_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(content)
    with pytest.raises(LogFileError, match=words) as caught:
        records(path)
    assert caught.value.values == {"path": str(path)}
    assert caught.value.advice_id


def test_single_nul_bytes_are_forgiven(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"\0" * 40 + b"7\n" + b"a line of a log that a power cut has torn\n" * 50)
    assert len(records(path)) == 51


def test_lines_before_the_damage_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    data = b"".join(os.urandom(20).hex().encode() + b"\n" for _ in range(20_000))
    path.write_bytes(gzip.compress(data)[: len(gzip.compress(data)) // 2])
    got: list[Record] = []
    with open_log(path) as log, pytest.raises(LogFileError, match="damaged"):
        got.extend(log.records())
    assert 8_000 < len(got) < 12_000


def test_missing_folder_and_forbidden(tmp_path: Path) -> None:
    with pytest.raises(LogFileError, match="There is no file"):
        open_log(tmp_path / "none.log")
    with pytest.raises(LogFileError, match="is a folder"):
        open_log(tmp_path)
    path = tmp_path / "closed.log"
    path.write_bytes(b"a\n")
    path.chmod(0)
    with somebody(), pytest.raises(LogFileError, match="may not read"):
        open_log(path)


@contextlib.contextmanager
def somebody() -> Iterator[None]:
    """Be nobody where the tests run as root, who may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_failing_disk_is_told() -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            raise OSError(5, "Input/output error")

    with pytest.raises(LogFileError, match=r"cannot be read|damaged|may not") as caught:
        open_log("-", io.BufferedReader(Broken()))
    assert caught.value.values["reason"] == "Input/output error"


def test_close_is_harmless_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"a\n")
    log = open_log(path)
    assert isinstance(log, LogFile)
    assert log.fingerprint.endswith(".2")
    log.close()
    log.close()
