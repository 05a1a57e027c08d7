"""A disk that reports faults: the store is opened anew, rests after some in a row, and loses and doubles nothing."""

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.vxtray_process import ROOT
from vxtray.core.errors import StoreDamaged, StoreError
from vxtray.core.store.embedded import open_store
from vxtray.core.store.faults import explained
from vxtray.core.store.resting import MOST_FAULTS, REST_SECONDS, Resting

FAULT = StoreError(path=Path("e"), reason="Input/output error")

#: Does with a store what it is told, a word a line, and answers each with a line.
STORE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tests.core.engine import event
from vxtray.core.errors import StoreError
from vxtray.core.store import resting
from vxtray.core.store.embedded import EmbeddedStore
resting.REST_SECONDS = float(sys.argv[2])
store, number = EmbeddedStore(Path(sys.argv[1])), 0
uuid = store.uuid
print("ready", flush=True)
for word in map(str.strip, sys.stdin):
    try:
        if word == "append":
            store.append([event(datetime.now(UTC), rule_name=f"n{number}")] * 3)
            number += 1
            print("done", flush=True)
        else:
            assert store.uuid == uuid
            print(store.count(), flush=True)
    except StoreError as error:
        print(error, flush=True)
store.close()
"""


class Faulty:
    """A store in a process of its own, on a disk whose syncs fail within ``broken``."""

    def __init__(self, folder: Path, rest: float) -> None:
        if shutil.which("strace") is None:
            pytest.skip("strace is not there")
        self.path = folder / "e.duckdb"
        self._process = subprocess.Popen(
            [sys.executable, "-c", STORE, str(self.path), str(rest)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._answer() == "ready"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def told(self, word: str) -> str:
        """Have it do something; return what it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._answer()

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        """Let every sync fail."""
        calls = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO"]
        strace = subprocess.Popen(
            ["strace", "-f", "-o", "/dev/null", *calls, "-p", str(self._process.pid)], stderr=subprocess.PIPE, text=True
        )
        assert strace.stderr is not None
        if "attached" not in (said := strace.stderr.readline()):
            pytest.skip(f"nothing can be traced here: {said}")
        try:
            yield
        finally:
            strace.send_signal(signal.SIGINT)
            strace.communicate(timeout=30)

    def close(self) -> None:
        self._process.communicate(timeout=30)


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Callable[[float], Faulty]]:
    with contextlib.ExitStack() as stack:

        def made(rest: float) -> Faulty:
            return stack.enter_context(contextlib.closing(Faulty(tmp_path, rest)))

        yield made


def rows(path: Path) -> dict[str, int]:
    store, aside = open_store(path)
    assert aside is None
    with store._reading() as cursor:
        found = cursor.execute("SELECT rule_name, count(*) FROM events GROUP BY 1").fetchall()
    store.close()
    return dict(found)


def test_after_a_disk_that_failed_it_goes_on_by_itself(faulty: Callable[[float], Faulty]) -> None:
    store = faulty(0)
    assert store.told("append") == "done"
    with store.broken():
        said = [store.told("append") for _ in range(5)]
    assert all("fsync failed" in words for words in said), said
    assert ["is read-only after" in words for words in said] == [False, False, True, True, True]
    assert [store.told("append"), store.told("append"), store.told("count")] == ["done", "done", "9"]
    store.close()
    assert rows(store.path) == {"n0": 3, "n1": 3, "n2": 3}


def test_a_disk_that_stays_broken_is_left_alone_and_what_it_holds_can_be_read(
    faulty: Callable[[float], Faulty],
) -> None:
    store = faulty(3600)
    assert store.told("append") == "done"
    with store.broken():
        said = [store.told("append") for _ in range(3)]
        assert store.told("count") == "3"
    assert "is read-only after 3 faults of the disk in a row" in said[-1]
    assert "is read-only after 3 faults of the disk in a row" in store.told("append"), "the disk is not asked"
    assert store.told("count") == "3"
    store.close()
    assert rows(store.path) == {"n0": 3}


def test_it_rests_after_some_faults_in_a_row() -> None:
    now = [0.0]
    resting = Resting(Path("e"), lambda: now[0])
    for number in range(1, MOST_FAULTS + 1):
        resting.may_write()
        told = resting.met(FAULT)
        assert ("read-only" in str(told)) == (number == MOST_FAULTS)
    with pytest.raises(StoreError, match=r"read-only after 3 faults .*Input/output error"):
        resting.may_write()
    now[0] += REST_SECONDS
    resting.may_write()  # it is tried
    assert "after 4 faults" in str(resting.met(FAULT))
    with pytest.raises(StoreError):
        resting.may_write()
    now[0] += REST_SECONDS
    resting.may_write()
    resting.went_well()
    resting.may_write()
    assert resting.met(FAULT) is FAULT, "it is counted from the beginning"


def test_a_disk_that_fails_while_a_file_is_opened_does_not_mean_that_the_file_is_damaged() -> None:
    for words in ("FATAL Error: fsync failed!", "IO Error: Could not read from file: Input/output error"):
        assert not isinstance(explained(Path("e"), RuntimeError(words), opening=True), StoreDamaged)
    assert isinstance(explained(Path("e"), RuntimeError("checksum does not match"), opening=True), StoreDamaged)
