"""Programs that are killed at random points, and what must hold afterwards. Linux: processes are looked up in /proc.

A point is one of three: somewhere after the start, right after the store's files were written, or later on. Half of the
time the program alone is killed, so that its children are left, half of the time with all its children.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from tests.peers.desktop import until
from vxtray.core.paths import Profile
from vxtray.core.store.embedded import EmbeddedStore

ROOT = Path(__file__).resolve().parents[2]
_CHILD_SECONDS = 10


def seeds(short: int, long: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Return the seeds of the short and of the long form; ``VXTRAY_KILL_SEED`` replaces them by one."""
    chosen = os.environ.get("VXTRAY_KILL_SEED")
    return ([int(chosen)], [int(chosen)]) if chosen else ([short], list(long))


def start_serve(profile: Profile, env: dict[str, str], said: Path) -> subprocess.Popen[bytes]:
    """Start ``vxtray serve`` in a session of its own; what it says is added to a file."""
    with said.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "vxtray", "--profile-dir", str(profile.config), "serve"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


class Killed:
    """One profile on which programs are started and killed; keeps what is stored in it in view."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.profile = Profile.under(folder / "profile")
        self.said = folder / "said.txt"
        self.journal = folder / "journal.txt"
        self.points = 0
        self.stored: list[str] = []
        self._copy = folder / "copy"
        self._process: subprocess.Popen[str] | None = None
        self._session = 0

    def close(self) -> None:
        """End what still runs, after a failure."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()

    def note(self, text: str) -> None:
        """Keep what happened, for the report of a failure."""
        with self.journal.open("a") as file:
            file.write(f"{time.time():.3f} {text}\n")

    def start(self, *words: object) -> subprocess.Popen[str]:
        """Start a command in a session of its own."""
        command = [sys.executable, "-m", "vxtray", "--profile-dir", str(self.profile.config), *map(str, words)]
        self.note(" ".join(map(str, words)))
        with self.said.open("a") as said:
            process = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )
        self._process, self._session = process, process.pid
        return process

    def wait_for_a_point(self, process: subprocess.Popen[str], latest: float) -> None:
        """Wait up to a random moment; the waits are for nothing in particular."""
        kind = self.chance.choice(["start", "store", "later"])
        if kind == "store":
            wanted, before = self.chance.randint(1, 8), self._written()
            end = time.monotonic() + latest
            while wanted and process.poll() is None and time.monotonic() < end:
                time.sleep(0.0005)
                if (now := self._written()) != before:
                    before, wanted = now, wanted - 1
            time.sleep(self.chance.random() * 0.005)
        else:
            time.sleep(self.chance.random() * (0.8 if kind == "start" else latest))
        self.note(f"point {kind}")

    def _written(self) -> list[tuple[int, int]]:
        found = []
        for path in (self.profile.events_file, Path(f"{self.profile.events_file}.wal")):
            try:
                status = path.stat()
                found.append((status.st_size, status.st_mtime_ns))
            except OSError:
                found.append((0, 0))
        return found

    def kill(self, process: subprocess.Popen[str], *, at_least: int = 0) -> bool:
        """Kill it, look what it left, and return whether it had still been running.

        ``at_least`` is how many events it had said were stored.
        """
        if self.chance.random() < 0.5:
            process.kill()
        elif process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        killed = status == -signal.SIGKILL
        assert killed or status == 0, self.told()
        if killed:
            self.points += 1
            self._check_freed()
        self.look(at_least)
        self.note(f"ended with {status}, {len(self.stored)} stored")
        return killed

    def _check_freed(self) -> None:
        """A child may live on for a moment, but holds nothing, and ends."""
        if self.profile.instance_lock.exists():
            with FileLock(self.profile.instance_lock, timeout=0):
                pass
        until(lambda: not list(self.left()), "the children end by themselves", _CHILD_SECONDS)

    def left(self) -> Iterator[str]:
        """Yield the processes of the session that was started last, but for those that are dead."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                state, _parent, _group, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == self._session and state not in "ZX":
                    yield (folder / "cmdline").read_text()
            except OSError:
                continue

    def look(self, at_least: int = 0) -> None:
        """Read the stored rule names in their order, from a copy of what lies on the disk."""
        before, self.stored = self.stored, []
        shutil.rmtree(self._copy, ignore_errors=True)
        self._copy.mkdir()
        if self.profile.events_file.exists():
            for file in self.profile.state.glob("events.*"):
                if file.is_file():
                    shutil.copyfile(file, self._copy / file.name)
            store = EmbeddedStore(self._copy / self.profile.events_file.name)
            with store._reading() as cursor:
                rows = cursor.execute("SELECT rule_name FROM events ORDER BY seq").fetchall()
            store.close()
            self.stored = [re.sub(".*/", "", row[0]) for row in rows]
        assert self.stored[: len(before)] == before, self.told("what was stored is there no more")
        assert len(self.stored) >= at_least, self.told(f"{at_least} were committed")
        assert len(set(self.stored)) == len(self.stored), self.told(self.difference(set(self.stored)))
        assert not list(self.profile.state.glob("*damaged*")), self.told("a store was set aside")

    def difference(self, wanted: set[str]) -> str:
        """Say what is missing and what is there twice or too much."""
        counted = Counter(self.stored)
        doubled = sorted((name for name, count in counted.items() if count > 1), key=_number)
        missing = sorted(wanted - counted.keys(), key=_number)
        other = sorted(counted.keys() - wanted)
        return (
            f"missing {len(missing)}: {_ranges(missing)}; twice {len(doubled)}: {_ranges(doubled)};"
            f" never written: {other[:9]}"
        )

    def told(self, what: str = "") -> str:
        """Return what failed, with what the programs said and what happened until then."""
        said = self.said.read_text()[-3000:] if self.said.exists() else ""
        journal = "\n".join(sorted(self.journal.read_text().splitlines())) if self.journal.exists() else ""
        return f"{what}\n--- said\n{said}\n--- journal\n{journal[-20_000:]}"


def _number(name: str) -> int:
    return int("0" + re.sub(r"\D", "", name))


def _ranges(names: list[str]) -> str:
    """Return numbers as ranges, the first few."""
    found: list[list[int]] = []
    for number in map(_number, names):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(f"{first}-{last}" for first, last in found[:20])
