"""The file follower: every line once, whatever happens to the files."""

import gzip
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.core.sources.following import PACKERS, Committed, Follower, append, copy_truncate, pack
from vxtray.core.parsers import MAX_LINE
from vxtray.core.settings.tree import LogFile
from vxtray.core.sources.follower import FileSource
from vxtray.core.sources.importer import import_files
from vxtray.core.store.embedded import open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    folder.mkdir()
    return folder / "app.log"


@contextmanager
def following(path: Path, **named: str) -> Iterator[Follower]:
    follower = Follower(path, **named)  # type: ignore[arg-type]
    try:
        yield follower
    finally:
        follower.end()


def numbered(start: int, count: int, size: int = 100) -> list[bytes]:
    return [b"%d " % number + b"x" * size for number in range(start, start + count)]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_lines_as_they_become_complete(path: Path) -> None:
    append(path, b"\xef\xbb\xbfone", b"two\r", b"", b"thr", end=b"")
    with following(path) as follower:
        assert follower.look() == [b"one", b"two", b""]
        append(path, b"ee", b"fo", end=b"")
        assert follower.look() == [b"one", b"two", b"", b"three"]
        assert follower.look() == [b"one", b"two", b"", b"three"]
        append(path, b"ur\xff")
        assert follower.look()[4:] == [b"four\xff"]


def test_what_a_batch_says(path: Path) -> None:
    append(path, b"one")
    settings = LogFile(path=str(path), format="fail2ban", zone="Europe/Paris", start="beginning")
    store = Committed()
    source = FileSource(settings, store.position)
    source.begin(store.emit, threading.Event())
    source.close()
    batch = next(batch for batch in store.batches if batch.lines)
    assert (batch.source, batch.format, batch.zone) == (str(path), "fail2ban", "Europe/Paris")
    assert batch.position is not None
    assert batch.position.offset == 4


def test_now_and_beginning(path: Path) -> None:
    append(path, b"old", b"half", end=b"")
    with following(path, start="now") as follower:
        assert follower.look() == []
        append(path, b" new")
        assert follower.look() == [b"half new"]
        append(path, b"while away")
        assert follower.restart() == [b"half new", b"while away"]


def test_now_is_when_it_began_however_long_the_store_takes(path: Path) -> None:
    append(path, b"old", b"half", end=b"")
    late = path.with_name("late.log")
    store = Committed()

    def position(key: str) -> int:
        if not late.exists():
            append(path, b" new", b"more")
            append(late, b"appeared")
        return store.position(key)

    source = FileSource(LogFile(path=str(path.with_name("*.log")), start="now"), position)
    source.begin(store.emit, threading.Event())
    source.close()
    assert sorted(store.lines) == [b"appeared", b"half new", b"more"]
    assert store.alerting == store.lines  # none is of the backlog: "half" was no line yet when it began


def test_what_is_emptied_or_moved_here_while_now_begins(path: Path) -> None:
    append(path, *numbered(0, 50))
    old = path.with_name("old.log")
    store, asked = Committed(), []

    def position(key: str) -> int:
        if not asked:
            os.truncate(path, 0)
            append(path, b"after")
            append(old, b"of long ago")
            os.utime(old, (time.time() - 3600,) * 2)
        asked.append(key)
        return store.position(key)

    source = FileSource(LogFile(path=str(path.with_name("*.log")), start="now"), position)
    source.begin(store.emit, threading.Event())
    append(path, b"more")
    source.look()
    source.close()
    assert store.alerting == store.lines == [b"after", b"more"]


@pytest.mark.parametrize("start", ["now", "beginning"])
def test_now_with_nothing_there_yet(path: Path, start: str) -> None:
    with following(path, start=start) as follower:
        follower.end()
        append(path, b"while away")
        assert follower.restart() == [b"while away"]


def test_only_what_is_new_raises_alerts(path: Path) -> None:
    append(path, *numbered(0, 5000), b"half", end=b"")
    with following(path) as follower:
        assert len(follower.look()) == 5000
        assert follower.store.alerting == []
        append(path, b" done", b"new")
        follower.look()
        assert follower.store.alerting == [b"half done", b"new"]
        path.rename(path.with_name("app.log.1"))
        append(path, b"rotated")
        follower.look()
        assert follower.store.alerting[2:] == [b"rotated"]
        append(path, b"while away")
        follower.restart()
        assert len(follower.store.alerting) == 3
        append(path, b"again")
        assert follower.look()[-2:] == [b"while away", b"again"]
        assert follower.store.alerting[3:] == [b"again"]


def test_what_is_moved_here_raises_no_alert(path: Path) -> None:
    with following(path.with_name("*.log")) as follower:
        append(path, b"old")
        os.utime(path, (time.time() - 3600,) * 2)
        append(path.with_name("new.log"), b"new")
        assert sorted(follower.look()) == [b"new", b"old"]
        assert follower.store.alerting == [b"new"]


def test_long_lines_take_no_memory_and_are_told(path: Path) -> None:
    append(path, b"a" * 3_000_000, b"{" + b"b" * 100_000, b"c")
    with following(path) as follower:
        first, second, third = follower.look()
        assert len(first) == MAX_LINE + 1
        assert second == b"{" + b"b" * 100_000
        assert third == b"c"
        assert follower.restart() == [first, second, third]


def test_a_record_of_several_lines_stays_whole(path: Path) -> None:
    record = (b"--0123abcd-A--", b"[23/Nov/2026:10:00:00 +0000] id 192.0.2.1 1 192.0.2.2 80", b"--0123abcd-Z--")
    with following(path) as follower:
        append(path, b"before", *record[:2])
        assert follower.look() == [b"before"]
        assert follower.restart() == [b"before"]
        append(path, record[2], b"after")
        assert follower.look() == [b"before", b"\n".join(record), b"after"]
        append(path, b'{"a": [', b"1,")
        follower.look()
        append(path, b"2]}", b'{"b": 3}')
        assert follower.look()[3:] == [b'{"a": [\n1,\n2]}', b'{"b": 3}']
        assert len(follower.restart()) == 5


def test_full_waits_and_tries_again(path: Path) -> None:
    append(path, *numbered(0, 3000))
    store, refused, stop = Committed(), threading.Event(), threading.Event()
    room = threading.Event()

    def emit(batch: object) -> bool:
        if not room.is_set():
            refused.set()
            return False
        return store.emit(batch)  # type: ignore[arg-type]

    source = FileSource(LogFile(path=str(path), start="beginning"), store.position)
    thread = threading.Thread(target=source.run, args=(emit, stop), name="vx-source-test")
    thread.start()
    assert refused.wait(5)
    room.set()
    end = time.monotonic() + 10
    while len(store.lines) < 3000:
        assert time.monotonic() < end
        time.sleep(0.01)
    room.clear()
    refused.clear()
    append(path, b"one more")
    assert refused.wait(5)
    stop.set()  # also while it waits
    thread.join(1)
    assert not thread.is_alive()
    assert store.lines == numbered(0, 3000)


# --- rotation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [1, 1000])
@pytest.mark.parametrize("away", [False, True])
def test_rename(path: Path, lines: int, away: bool) -> None:
    append(path, *numbered(0, lines))
    with following(path) as follower:
        if away:
            follower.end()
        append(path, b"last of the old")
        path.rename(path.with_name("app.log.1"))
        if not away:
            follower.look()
        append(path.with_name("app.log.1"), b"late")
        append(path, b"first of the new")
        wanted = [*numbered(0, lines), b"last of the old", b"late", b"first of the new"]
        assert (follower.restart() if away else follower.look()) == wanted
        append(path.with_name("app.log.1"), b"very late")
        assert follower.look() == [*wanted, b"very late"]
        assert follower.restart() == [*wanted, b"very late"]


@pytest.mark.parametrize("away", [False, True])
def test_several_rotations_between_two_looks(path: Path, away: bool) -> None:
    append(path, *numbered(0, 100))
    with following(path) as follower:
        if away:
            follower.end()
        for number in range(5):
            append(path, b"part %d" % number)
            for old in range(5, 0, -1):
                if (file := path.with_name(f"app.log.{old}")).exists():
                    file.rename(path.with_name(f"app.log.{old + 1}"))
            path.rename(path.with_name("app.log.1"))
        append(path, b"now")
        wanted = [*numbered(0, 100), *(b"part %d" % number for number in range(5)), b"now"]
        assert (follower.restart() if away else follower.look()) == wanted
        assert follower.restart() == wanted


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["app.log.1", "app.log-20261123", "app-20261123.log", "app.1.log"])
@pytest.mark.parametrize("lines", [1, 1000])
def test_compressed_while_away(path: Path, name: str, suffix: str, lines: int) -> None:
    append(path, *numbered(0, lines))
    with following(path) as follower:
        follower.end()
        append(path, b"last of the old")
        pack(path, name + suffix, PACKERS[suffix])
        append(path, b"first of the new")
        wanted = [*numbered(0, lines), b"last of the old", b"first of the new"]
        assert follower.restart() == wanted
        assert follower.store.alerting == []
        assert follower.restart() == wanted


def test_other_logs_beside_are_let_alone(path: Path) -> None:
    with following(path) as follower:
        for name in ("app.log-errors", "app-ssl.log", "app-1.log", "app.log.bak2", "myapp.log.1", "app.logs.1"):
            append(path.with_name(name), b"not ours")
        append(path, b"ours")
        assert follower.look() == [b"ours"]
        assert follower.restart() == [b"ours"]


def test_history_from_before_is_let_alone(path: Path) -> None:
    append(path.with_name("app.log.2"), b"ancient")
    append(pack(path.with_name("app.log.2"), "app.log.2.gz"), end=b"")
    append(path.with_name("app.log.1"), b"old")
    append(path, b"present")
    for old in ("app.log.1", "app.log.2.gz"):
        os.utime(path.with_name(old), (time.time() - 3600,) * 2)
    with following(path) as follower:
        path.with_name("app.log.1").rename(path.with_name("app.log.3"))
        path.rename(path.with_name("app.log.1"))
        append(path, b"new")
        assert follower.look() == [b"present", b"new"]
        assert follower.restart() == [b"present", b"new"]


@pytest.mark.parametrize("lines", [1, 1000])
@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("grown", [False, True])
def test_copytruncate(path: Path, lines: int, away: bool, grown: bool) -> None:
    """``grown``: the new content is longer than the old one when it is seen first."""
    append(path, *numbered(0, lines))
    with following(path) as follower:
        if away:
            follower.end()
        append(path, b"last of the old")
        copy_truncate(path, path.with_name("app.log.1"))
        new = numbered(10_000, 2 * lines if grown else 1)
        append(path, *new)
        wanted = [*numbered(0, lines), b"last of the old", *new]
        assert (follower.restart() if away else follower.look()) == wanted
        append(path, b"more")
        assert follower.look() == [*wanted, b"more"]
        assert follower.restart() == [*wanted, b"more"]
        assert follower.dropped == {}


def test_a_copy_that_lacks_what_was_read_already(path: Path) -> None:
    """Between copy and truncation lines may come. They are read, and the shorter copy not again."""
    append(path, b"one")
    with following(path) as follower:
        append(path, b"two")
        copy = path.read_bytes()
        append(path, b"three")
        assert follower.look() == [b"one", b"two", b"three"]
        path.with_name("app.log.1").write_bytes(copy)
        path.write_bytes(b"four\n")
        assert follower.look() == [b"one", b"two", b"three", b"four"]
        assert follower.restart() == [b"one", b"two", b"three", b"four"]


def test_truncation_without_a_copy_is_counted(path: Path) -> None:
    append(path, *numbered(0, 10))
    with following(path) as follower:
        path.write_bytes(b"")
        append(path, b"new")
        assert follower.look()[10:] == [b"new"]
        assert follower.dropped == {}  # all of it was read
        append(path, b"half", end=b"")
        follower.look()
        path.write_bytes(b"newer\n")
        assert follower.look()[11:] == [b"newer"]
        assert follower.dropped == {"truncated": 1}


def test_a_writer_that_goes_on_at_its_old_place(path: Path) -> None:
    """After a truncation, one that does not append leaves NULs in front."""
    with path.open("wb", buffering=0) as writer, following(path) as follower:
        writer.write(b"\n".join(numbered(0, 2000)) + b"\n")
        assert len(follower.look()) == 2000
        copy_truncate(path, path.with_name("app.log.1"))
        writer.write(b"new\n")
        assert path.read_bytes()[:10] == b"\0" * 10
        assert follower.look()[2000:] == [b"new"]
        writer.write(b"newer\n")
        assert follower.restart()[2000:] == [b"new", b"newer"]
        writer.write(b"newest\n")
        assert follower.look()[2000:] == [b"new", b"newer", b"newest"]


@pytest.mark.parametrize("hole", [3, 100_000])
@pytest.mark.parametrize("packer", PACKERS)
def test_what_such_a_writer_left_is_known_when_it_is_packed(path: Path, packer: str, hole: int) -> None:
    """The NULs are in the copy, too, and belong to no line."""
    with path.open("wb", buffering=0) as writer, following(path) as follower:
        writer.write(b"\n".join(numbered(0, hole)) + b"\n")
        follower.look()
        path.write_bytes(b"")
        writer.write(b"new and new again\n" * 300)
        assert follower.look()[hole:] == [b"new and new again"] * 300
        follower.end()
        writer.write(b"late\n")
        copy_truncate(path, path.with_name("app.log.1"))
        pack(path.with_name("app.log.1"), f"app.log.1{packer}", PACKERS[packer])
        writer.write(b"newer\n")
        assert follower.restart()[hole + 300 :] == [b"late", b"newer"]


@pytest.mark.parametrize("looks", [False, True])
def test_delete_and_create(path: Path, looks: bool) -> None:
    append(path, b"one")
    with following(path) as follower:
        append(path, b"two")
        path.unlink()
        if looks:
            follower.look()
        append(path, b"three")
        assert follower.look() == [b"one", b"two", b"three"]


def test_atomic_replacement_with_the_same_and_more(path: Path) -> None:
    append(path, *numbered(0, 100))
    with following(path) as follower:
        other = path.with_name("other")
        other.write_bytes(path.read_bytes() + b"more\n")
        other.replace(path)
        assert follower.look() == [*numbered(0, 100), b"more"]
        other.write_bytes(path.read_bytes())
        other.replace(path)
        follower.look()
        append(path, b"and more")
        assert follower.look()[101:] == [b"and more"]
        assert follower.restart()[101:] == [b"and more"]


@pytest.mark.parametrize("away", [False, True])
def test_a_link_that_is_swapped(path: Path, away: bool) -> None:
    first, second = (path.with_name(f"app.2026-11-{day}.txt") for day in (22, 23))
    append(first, b"one")
    path.symlink_to(first)
    with following(path) as follower:
        if away:
            follower.end()
        append(first, b"two")
        append(second, b"three")
        path.unlink()
        path.symlink_to(second)
        wanted = [b"one", b"two", b"three"]
        assert (follower.restart() if away else follower.look()) == wanted
        assert follower.restart() == wanted


def test_a_new_file_in_the_place_of_the_old_one(path: Path) -> None:
    """Its number may be that of the old one: the content decides."""
    append(path, *numbered(0, 50))
    with following(path) as follower:
        follower.end()
        path.write_bytes(b"\n".join(numbered(100, 60)) + b"\n")  # the same inode
        assert follower.restart() == [*numbered(0, 50), *numbered(100, 60)]


def test_the_end_of_a_file_that_nobody_writes_any_more(path: Path) -> None:
    append(path, b"one", b"no line feed", end=b"")
    with following(path) as follower:
        path.rename(path.with_name("app.log.1"))
        append(path, b"two")
        assert follower.look() == [b"one", b"two"]
        assert follower.let_go() == [b"one", b"two", b"no line feed"]
        assert len(follower.source._tails) == 1 if follower.source else False
        assert follower.restart() == [b"one", b"two", b"no line feed"]


def test_a_damaged_archive_gives_what_can_be_read(path: Path) -> None:
    with following(path) as follower:
        follower.end()
        lines = [os.urandom(50).hex().encode() for _ in range(5000)]
        append(path, *lines)
        whole = gzip.compress(path.read_bytes())
        packed = path.with_name("app.log.1.gz")
        packed.write_bytes(whole[: len(whole) // 2])
        path.write_bytes(b"new\n")
        found = follower.restart()
        assert found[-1] == b"new"
        assert found[:-1] == lines[: len(found) - 1]
        assert len(found) > 2000
        packed.write_bytes(whole)
        assert sorted(follower.restart()) == sorted([*lines, b"new"])
        assert len(follower.restart()) == 5001


# --- patterns --------------------------------------------------------------------------------------------------------


def test_a_pattern_and_files_that_come_later(path: Path) -> None:
    append(path.with_name("a.log"), b"a1")
    append(path.with_name("c.txt"), b"not ours")
    with following(path.with_name("*.log"), start="now") as follower:
        append(path.with_name("b.log"), b"b1")
        append(path.with_name("a.log"), b"a2")
        assert sorted(follower.look()) == [b"a2", b"b1"]
        follower.end()
        append(path.with_name("d.log"), b"d1")
        assert sorted(follower.restart()) == [b"a2", b"b1", b"d1"]


def test_a_pattern_that_also_finds_the_old_parts(path: Path) -> None:
    append(path, *numbered(0, 30))
    with following(path.with_name("app.log*")) as follower:
        append(path, b"last of the old")
        copy_truncate(path, path.with_name("app.log.1"))
        append(path, b"new")
        wanted = [*numbered(0, 30), b"last of the old", b"new"]
        assert follower.look() == wanted
        assert follower.dropped == {}
        path.with_name("app.log.1").rename(path.with_name("app.log.2"))
        path.rename(path.with_name("app.log.1"))
        append(path, b"newer")
        follower.look()
        pack(path.with_name("app.log.2"), "app.log.2.gz")
        assert follower.look() == [*wanted, b"newer"]
        assert follower.let_go() == [*wanted, b"newer"]
        assert follower.look() == [*wanted, b"newer"]
        assert follower.restart() == [*wanted, b"newer"]


def test_two_files_that_begin_alike(path: Path) -> None:
    first, second = path.with_name("a.log"), path.with_name("b.log")
    with following(path.with_name("*.log")) as follower:
        append(first, b"same", b"a1")
        append(second, b"same", b"b1")
        assert sorted(follower.look()) == [b"a1", b"b1", b"same", b"same"]
        append(first, b"a2")
        append(second, b"b2")
        assert sorted(follower.restart()) == [b"a1", b"a2", b"b1", b"b2", b"same", b"same"]


def test_a_file_that_begins_like_one_that_was_read_line_by_line(path: Path) -> None:
    with following(path.with_name("*.log")) as follower:
        append(path.with_name("a.log"), b"same")
        follower.look()
        append(path.with_name("a.log"), b"a1")
        follower.look()
        append(path.with_name("b.log"), b"same", b"b1")
        assert follower.look() == [b"same", b"a1", b"same", b"b1"]
        append(path.with_name("c.log"), b"same", b"c1")
        assert follower.restart()[4:] == [b"same", b"c1"]


# --- faults ----------------------------------------------------------------------------------------------------------


def test_missing_files_are_told_and_waited_for(path: Path) -> None:
    with following(path) as follower, following(path.with_name("*.txt")) as several:
        for one, where in ((follower, path), (several, path.with_name("*.txt"))):
            assert one.source is not None
            assert one.source.health().where == str(where)
            assert "{path}" in one.source.health().fault
        append(path, b"one")
        append(path.with_name("b.txt"), b"two")
        assert follower.look() == [b"one"]
        assert several.look() == [b"two"]
        for one in (follower, several):
            assert one.source is not None
            assert one.source.health().fault == ""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(path: Path) -> None:
    append(path, b"one")
    path.chmod(0)
    with following(path) as follower:
        assert follower.source is not None
        assert follower.source.health().fault == "You may not read {path}."
        path.chmod(0o600)
        assert follower.look() == [b"one"]
        assert follower.source.health().fault == ""


def test_what_is_no_log_is_told(path: Path) -> None:
    path.mkdir()
    with following(path) as follower:
        assert follower.source is not None
        assert follower.source.health().fault == "{path} is no ordinary file."
        path.rmdir()
        path.write_bytes(b"\xff\xfea\0\n\0" * 100)
        follower.look()
        assert "UTF-16" in follower.source.health().fault
        path.write_bytes(b"text\n")
        assert follower.look() == [b"text"]
        assert follower.source.health().fault == ""


# --- with an import --------------------------------------------------------------------------------------------------


def test_import_and_follower_agree(path: Path) -> None:
    store, _ = open_store(path.with_name("events.duckdb"))
    try:
        append(path, *numbered(0, 20), b"20 no line feed", end=b"")
        first = import_files([path], store, zone=ZoneInfo("UTC"))
        assert first.read == 21
        taken = Committed()
        source = FileSource(LogFile(path=str(path), start="beginning"), store.position)
        append(path, b" yet", *numbered(21, 100))

        def emit(batch: object) -> bool:
            taken.emit(batch)  # type: ignore[arg-type]
            position = taken.batches[-1].position
            store.append([], position=position)
            return True

        source.begin(emit, threading.Event())
        assert taken.lines[-100:] == numbered(21, 100)
        assert len(taken.lines) in (100, 101)  # the last line of the import was no event, so it is read again
        append(path, b"more")
        source.look()
        source.close()
        path.rename(path.with_name("renamed"))
        again = import_files([pack(path.with_name("renamed"), "x.gz")], store, zone=ZoneInfo("UTC"))
        assert (again.stored + again.rejected + again.ignored, again.duplicates) == (0, 122)
    finally:
        store.close()
