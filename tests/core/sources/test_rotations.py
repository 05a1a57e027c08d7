"""The follower against arbitrary rotations, stops and crashes: nothing lost, nothing twice."""

import gzip
import itertools
import shutil
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.sources.following import PACKERS, Committed, Follower, append, copy_truncate, pack
from vxtray.core.settings.tree import LogFile
from vxtray.core.sources import follower as module
from vxtray.core.sources.follower import FileSource

SIZES = st.sampled_from([0, 10, 300, 5000])


class Rotations(RuleBasedStateMachine):
    """A log that is written and rotated while the program runs, rests or crashes; every line is another one."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="vxtray-rotations-"))
        self.path = self.folder / "app.log"
        self.numbers = itertools.count()
        self.written: list[bytes] = []
        self.unsure: set[bytes] = set()

    @initialize(pattern=st.booleans(), empty=st.booleans())
    def start(self, *, pattern: bool, empty: bool) -> None:
        if not empty:
            self.write(1, 10)
        self.follower = Follower(self.folder / ("app.log*" if pattern else "app.log"), store=Committed())
        self.follower.store.at_once = False

    @property
    def runs(self) -> bool:
        return self.follower.source is not None

    def parts(self) -> list[Path]:
        """The rotated parts, the newest first."""
        found = [file for file in self.folder.iterdir() if file.name.startswith("app.log.")]
        return sorted(found, key=lambda file: int(file.name.split(".")[2]))

    def make_room(self) -> Path:
        for file in reversed(self.parts()):
            _, _, number, *packed = file.name.split(".")
            file.rename(file.with_name(".".join(["app.log", str(int(number) + 1), *packed])))
        return self.folder / "app.log.1"

    def new_lines(self, count: int, size: int) -> list[bytes]:
        lines = [b"%d %b" % (next(self.numbers), b"x" * size) for _ in range(count)]
        self.written += lines
        return lines

    # --- the writer ---

    @rule(count=st.integers(1, 5), size=SIZES)
    def write(self, count: int, size: int) -> None:
        append(self.path, *self.new_lines(count, size))

    @precondition(lambda self: self.runs)
    @rule(size=SIZES)
    def write_in_two_pieces(self, size: int) -> None:
        (line,) = self.new_lines(1, size)
        append(self.path, line[:2], end=b"")
        self.look()
        append(self.path, line[2:])

    # --- rotations ---

    @precondition(lambda self: self.path.exists())
    @rule(create=st.booleans())
    def rename(self, *, create: bool) -> None:
        self.path.rename(self.make_room())
        if create:
            self.path.touch()

    @precondition(lambda self: self.parts())
    @rule(size=SIZES)
    def write_late(self, size: int) -> None:
        """The writer has not noticed the rotation yet."""
        if (newest := self.parts()[0]).suffix == ".1":
            append(newest, *self.new_lines(1, size))
            self.settle()

    @precondition(lambda self: self.path.exists() and self.path.stat().st_size)
    @rule()
    def copytruncate(self) -> None:
        copy_truncate(self.path, self.make_room())

    @precondition(lambda self: self.runs and self.path.exists() and self.path.stat().st_size)
    @rule(looks=st.booleans())
    def copytruncate_with_lines_between(self, *, looks: bool) -> None:
        self.settle()
        copy = self.path.read_bytes()
        lines = self.new_lines(2, 20)
        append(self.path, *lines)
        if looks:
            self.look()
        else:
            self.unsure.update(lines)
        self.make_room().write_bytes(copy)
        with self.path.open("r+b") as file:
            file.truncate(0)
        self.settle()

    @precondition(lambda self: self.path.exists())
    @rule(more=st.booleans())
    def replace(self, *, more: bool) -> None:
        other = self.folder / "other"
        shutil.copyfile(self.path, other)
        if more:
            append(other, *self.new_lines(1, 30))
        other.replace(self.path)

    @rule(suffix=st.sampled_from(sorted(PACKERS)))
    def compress(self, suffix: str) -> None:
        plain = [file for file in self.parts() if file.suffix not in PACKERS]
        if plain and plain[-1].stat().st_size:
            pack(plain[-1], plain[-1].name + suffix, PACKERS[suffix])

    @precondition(lambda self: self.runs and self.parts())
    @rule()
    def delete(self) -> None:
        self.settle()
        self.parts()[-1].unlink()

    @precondition(lambda self: self.runs and self.path.exists())
    @rule()
    def delete_present(self) -> None:
        self.settle()
        self.path.unlink()

    # --- the program ---

    @precondition(lambda self: self.runs)
    @rule()
    def look(self) -> None:
        self.follower.look()

    @precondition(lambda self: self.runs)
    @rule()
    def settle(self) -> None:
        if self.runs:
            self.follower.look()
            self.follower.store.commit()

    @precondition(lambda self: self.runs)
    @rule()
    def let_go(self) -> None:
        self.follower.let_go()

    @rule(count=st.integers(0, 3))
    def commit(self, count: int) -> None:
        self.follower.store.commit(count)

    @precondition(lambda self: self.runs)
    @rule()
    def rest(self) -> None:
        self.follower.end()
        self.follower.store.commit()

    @rule(crash=st.none() | st.integers(0, 3))
    def restart(self, crash: int | None) -> None:
        self.follower.restart(crash=crash)

    @invariant()
    def nothing_twice(self) -> None:
        lines = self.follower.store.lines if hasattr(self, "follower") else []
        assert len(lines) == len(set(lines)), [line for line in lines if lines.count(line) > 1]

    def teardown(self) -> None:
        try:
            if hasattr(self, "follower"):
                self.follower.restart()
                self.settle()
                self.follower.restart()
                self.settle()
                self.nothing_twice()
                lines = set(self.follower.store.lines)
                assert lines <= set(self.written)
                assert set(self.written) - self.unsure <= lines
                self.follower.end()
        finally:
            shutil.rmtree(self.folder)


Rotations.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, suppress_health_check=list(HealthCheck), deadline=None
)
test_arbitrary_rotations = Rotations.TestCase
test_arbitrary_rotations.__name__ = "test_arbitrary_rotations"


def rotate(path: Path, number: int) -> None:
    """Move all parts on, of which some are compressed, then rename, or copy and truncate."""
    for old in range(40, 0, -1):
        for suffix in ("", ".gz"):
            if (part := path.with_name(f"app.log.{old}{suffix}")).exists():
                part.replace(path.with_name(f"app.log.{old + 1}{suffix}"))
    if number % 4 == 1 and (part := path.with_name("app.log.2")).exists():
        path.with_name("packing").write_bytes(gzip.compress(part.read_bytes(), 1))
        path.with_name("packing").replace(path.with_name("app.log.2.gz"))
        part.unlink()
    if number % 3 == 2:
        copy_truncate(path, path.with_name("app.log.1"))
    else:
        path.rename(path.with_name("app.log.1"))


def rotate_under_load(folder: Path, rotations: int, patch: pytest.MonkeyPatch) -> None:
    """Write as fast as it goes, rotate in all styles, and restart the follower now and then."""
    patch.setattr(module, "_POLL", 0.002)
    path, store = folder / "app.log", Committed()
    store.positions[f"follow:{path}"] = 1
    stop = threading.Event()

    def follow() -> threading.Thread:
        source = FileSource(LogFile(path=str(path)), store.position)
        thread = threading.Thread(target=source.run, args=(store.emit, stop), name="vx-source-test")
        thread.start()
        return thread

    thread, numbers, written = follow(), itertools.count(), list[bytes]()
    try:
        for number in range(rotations):
            with path.open("ab", buffering=0) as log:
                for _ in range(10):
                    lines = [b"%d %b" % (next(numbers), b"y" * (number % 300)) for _ in range(5)]
                    log.write(b"\n".join(lines) + b"\n")
                    written += lines
            rotate(path, number)
            if number % 20 == 19:
                stop.set()
                thread.join(5)
                stop.clear()
                thread = follow()
            end = time.monotonic() + 20
            while len(written) - store.count > 300:  # no part may be deleted before it was read
                assert time.monotonic() < end, "the follower does not keep up"
                time.sleep(0.001)
        end = time.monotonic() + 20
        while store.count < len(written) and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        stop.set()
        thread.join(5)
    lines = store.lines
    assert len(lines) == len(set(lines))
    assert set(lines) == set(written)


def test_rotations_under_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rotate_under_load(tmp_path, 100, monkeypatch)


@pytest.mark.slow
def test_ten_thousand_rotations_under_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rotate_under_load(tmp_path, 10_000, monkeypatch)
