"""What is special about the DuckDB file: crashes, damage, locks, full disks, memory."""

import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from vxtray.core.errors import StoreBusy, StoreError
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store import Position
from vxtray.core.store.embedded import EmbeddedStore, open_store

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

CHILD = """
    import sys
    from datetime import UTC, datetime, timedelta
    from pathlib import Path
    from vxtray.core.events import Action, Category, SecurityEvent, Severity
    from vxtray.core.store import Position
    from vxtray.core.store.embedded import EmbeddedStore

    def batch(n):
        at = datetime(2026, 11, 21, 12, tzinfo=UTC)
        return [
            SecurityEvent(
                at=at + timedelta(seconds=i), source="fw", category=Category.WAF, action=Action.BLOCKED,
                severity=Severity.HIGH, src_ip=f"192.0.2.{i % 250}", message=f"{i * 7919 % 65521:x}" * 20,
            )
            for i in range(n)
        ]

    store = EmbeddedStore(Path(sys.argv[1]))
"""


def child(path: Path, code: str) -> "subprocess.Popen[str]":
    script = textwrap.dedent(CHILD) + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def event(n: int = 0) -> SecurityEvent:
    return SecurityEvent(
        at=NOON + timedelta(seconds=n),
        source="fw",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.HIGH,
        src_ip=f"192.0.2.{n % 250}",
        message=f"{n * 7919 % 65521:x}" * 20,
    )


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "store" / "events.duckdb"


def test_what_was_acknowledged_survives_a_kill(path):
    last = 0
    for _ in range(3):
        with child(
            path,
            """
            for n in range(10**6):
                first, last = store.append(batch(50), position=Position(key="file:a", offset=store.last_seq() + 50))
                print(last, flush=True)
            """,
        ) as process:
            for _ in range(8):
                last = int(process.stdout.readline())
            process.kill()
            # What it wrote before the signal reached it was acknowledged too.
            last = int((process.stdout.read().split("\n")[:-1] or [last])[-1])
        store, aside = open_store(path)
        assert aside is None
        assert last <= store.last_seq() <= last + 50
        assert store.position("file:a") == store.count() == store.last_seq()
        assert len(list(store.alertable(0))) == store.last_seq()
        store.close()


def test_a_store_in_use_is_not_called_damaged(path):
    with child(path, "print('open', flush=True); sys.stdin.read()") as process:
        assert process.stdout.readline() == "open\n"
        for opening in (open_store, EmbeddedStore, lambda p: EmbeddedStore(p, read_only=True)):
            with pytest.raises(StoreBusy) as caught:
                opening(path)
            assert caught.value.transient
        process.stdin.close()
    store, aside = open_store(path)
    assert aside is None
    store.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"no store at all" * 1000,
        lambda data: data[:5000],
        lambda data: b"\0" * 4096 + data[4096:],
        lambda data: data[:4096] + b"\xff" * 4096 + data[8192:],
    ],
    ids=["text", "cut", "zeros", "header"],
)
def test_a_damaged_file_is_set_aside(path, damage):
    store, _ = open_store(path)
    store.append([event()])
    former = store.uuid
    store.close()
    data = damage(path.read_bytes())
    path.write_bytes(data)

    store, aside = open_store(path)
    assert aside is not None
    assert aside.name.startswith("events.damaged-")
    assert (aside.suffix, aside.read_bytes()) == (".duckdb", data)
    assert (store.uuid != former, store.last_seq(), store.append([event()])) == (True, 0, (1, 1))
    store.close()
    path.write_bytes(data)
    store, second = open_store(path)
    assert second not in {None, aside}
    store.close()


def killed_with_a_log(path: Path) -> Path:
    """Leave a store as a crash does: five events and a position in the write-ahead log only."""
    code = "store.append(batch(5), position=Position(key='file:a', offset=6)); print(flush=True); input()"
    with child(path, code) as process:
        process.stdout.readline()
        process.kill()
    return Path(f"{path}.wal")


def test_a_damaged_log_costs_only_what_it_held(path):
    store, _ = open_store(path)
    store.append([event()], position=Position(key="file:a", offset=1))
    former = store.uuid
    store.close()
    log = killed_with_a_log(path)
    data = bytearray(log.read_bytes())
    data[200:216] = bytes(byte ^ 0x55 for byte in data[200:216])
    log.write_bytes(data)

    store, aside = open_store(path)
    assert aside is not None
    assert aside.name.endswith(".duckdb.wal")
    assert aside.exists()
    assert (store.count(), store.position("file:a")) == (1, 1)
    renewed = store.uuid
    assert renewed != former
    store.close()
    store, aside = open_store(path)
    assert (store.uuid, aside) == (renewed, None)
    store.close()


def test_a_log_without_its_file_is_not_replayed(path):
    killed_with_a_log(path)
    path.unlink()
    store, _ = open_store(path)
    assert (store.count(), store.position("file:a"), store.append([event()])) == (0, 0, (1, 1))
    store.close()


def test_an_empty_file_is_a_new_store(path):
    path.parent.mkdir()
    path.touch()
    store, aside = open_store(path)
    assert (aside, store.append([event()])) == (None, (1, 1))
    store.close()
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0


def test_a_foreign_or_newer_database(path, tmp_path):
    path.parent.mkdir()
    foreign = duckdb.connect(str(path))
    foreign.execute("CREATE TABLE mine (x INTEGER)")
    foreign.close()
    store, aside = open_store(path)
    assert aside is not None
    store.close()
    newer = duckdb.connect(str(path))
    newer.execute("UPDATE meta SET value = '999' WHERE key = 'schema'")
    newer.close()
    with pytest.raises(StoreError, match="newer"):
        open_store(path)
    assert path.exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_not_called_damaged(path):
    open_store(path)[0].close()
    path.chmod(0)
    with pytest.raises(StoreError):
        open_store(path)
    assert path.exists()


def test_a_folder_in_its_place(path):
    path.mkdir(parents=True)
    with pytest.raises(StoreError):
        open_store(path)
    assert path.is_dir()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        open_store(tmp_path / "file" / "events.duckdb")


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of a file by setrlimit")
def test_a_full_disk_refuses_the_batch_and_keeps_the_rest(path):
    code = """
        import resource, signal
        from vxtray.core.errors import StoreFull
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        unlimited = resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, unlimited))
        stored = 0
        try:
            while True:
                stored = store.append(batch(1000), position=Position(key="file:a", offset=stored + 1000))[1]
        except StoreFull as error:
            assert error.transient
        assert store.last_seq() == store.count() == store.position("file:a") == stored > 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
        assert store.append(batch(7)) == (stored + 1, stored + 7)
        store.close()
        print(stored + 7)
    """
    with child(path, code) as process:
        output = process.stdout.read()
    assert process.returncode == 0
    store, aside = open_store(path)
    assert (aside, store.count()) == (None, int(output))
    store.close()


def test_a_read_only_store_answers_and_refuses_to_write(path):
    with pytest.raises(StoreError):
        EmbeddedStore(path, read_only=True)
    store, _ = open_store(path)
    store.append([event()])
    store.close()
    store = EmbeddedStore(path, read_only=True)
    assert [found.seq for found in store.events()] == [1]
    with pytest.raises(StoreError):
        store.append([event()])
    store.close()


def test_the_engine_is_capped_and_reaches_nothing_else(path, tmp_path):
    store = EmbeddedStore(path, memory_mebibytes=128)
    cursor = store._root.cursor()
    values = dict(cursor.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert (values["memory_limit"], values["threads"]) == ("128.0 MiB", "2")
    assert values["temp_directory"] == f"{path}.tmp"
    for sql in (f"COPY events TO '{tmp_path / 'x.csv'}'", "INSTALL httpfs", "SET threads = 8"):
        with pytest.raises(duckdb.Error):
            cursor.execute(sql)
    cursor.close()
    store.close()


def test_duckdb_is_not_imported_by_the_module():
    code = "import sys, vxtray.core.store.embedded; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_closed_store_leaves_nothing_of_the_engine_behind(tmp_path):
    """Even where something holds it beyond the end of the process, as a window's library may do."""
    script = """
        import ctypes, sys
        from pathlib import Path
        from vxtray.core.store.embedded import EmbeddedStore

        store = EmbeddedStore(Path(sys.argv[1]))
        store.count()
        store.close()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(store))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "events.duckdb")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
