"""``vxtray serve`` killed at random points while it follows a log that is written and rotated: every record once."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.killing import ROOT, Killed, seeds
from tests.e2e.log_writer import day_of_records
from tests.peers.desktop import until
from vxtray.core.control import Call, call_running
from vxtray.core.errors import ControlError

SHORT, LONG = seeds(1, (21, 22, 23, 24))
SECONDS = 40
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes in /proc")


class Followed:
    """A log with a program that writes it and one that follows it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rig = Killed(folder, seed)
        self.seed = seed
        (folder / "logs").mkdir()
        self.log = folder / "logs" / "app.log"
        self.written = 0
        self.rig.profile.config.mkdir()
        self.rig.profile.settings_file.write_text(
            f'[[sources.files]]\npath = "{self.log}"\nstart = "beginning"\n\n[reports]\nzone = "UTC"\n'
        )

    @contextlib.contextmanager
    def writer(self) -> Iterator[Callable[[], None]]:
        """Let the log be written until the end of the block, and rotated from the call of what is given on."""
        words = [str(self.log), str(self.seed), str(self.rig.journal)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.log_writer", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        stdin = process.stdin

        def rotate() -> None:
            stdin.write("rotate\n")
            stdin.flush()

        try:
            yield rotate
            out, _ = process.communicate(timeout=SECONDS)
            self.written = int(out)
        finally:
            process.kill()
            process.communicate()

    def counted(self) -> int:
        """Return how many events the running program says are stored, 0 where it does not answer."""
        words = ["report", "daily", "--for", f"{day_of_records():%Y-%m-%d}", "--json"]
        try:
            answers = call_running(self.rig.profile, Call(argv=words, cwd="/", language="en"))
            said = "".join(answer.out for answer in answers or ())
        except ControlError:
            return 0
        return int(json.loads(said)["totals"]["events"]) if said else 0

    def kill_once(self) -> None:
        """Start it and kill it at some point, often after it has said how far it is."""
        process = self.rig.start("serve")
        self.rig.wait_for_a_point(process, 2.0)
        at_least = self.counted() if self.rig.chance.random() < 0.5 else 0
        self.kill(process, at_least)

    def kill(self, process: subprocess.Popen[str], at_least: int = 0) -> None:
        """Kill it; it does not end by itself."""
        assert self.rig.kill(process, at_least=at_least), self.rig.told("it ended by itself")
        assert process.stdout is not None
        process.stdout.close()

    def complete(self) -> None:
        """Run it until everything is stored, and once more; end it as people do."""
        for _ in range(2):
            process = self.rig.start("serve")
            end = time.monotonic() + SECONDS
            while self.counted() < self.written and time.monotonic() < end:
                time.sleep(0.05)
            process.terminate()
            process.communicate(timeout=SECONDS)
            self.rig.look()
            wanted = {f"n{number}" for number in range(self.written)}
            assert set(self.rig.stored) == wanted, self.rig.told(self.rig.difference(wanted))


def killed_again_and_again(followed: Followed, points: int) -> None:
    """Kill it so often while the log is written."""
    with followed.writer() as rotate:
        until(followed.log.exists, "the log is there")
        # "From the beginning" holds from the first commit on; what was rotated away before that was never seen.
        process = followed.rig.start("serve")
        until(lambda: followed.counted() > 0, "the first events are stored", SECONDS)
        rotate()
        followed.kill(process)
        while followed.rig.points < points:
            followed.kill_once()


@pytest.mark.parametrize(
    ("seed", "points"),
    [
        *((seed, 3) for seed in SHORT),
        *(pytest.param(seed, 25, marks=[pytest.mark.slow, pytest.mark.timeout(300)]) for seed in LONG),
    ],
)
def test_a_killed_follower_doubles_and_loses_nothing(tmp_path: Path, seed: int, points: int) -> None:
    followed = Followed(tmp_path, seed)
    with contextlib.closing(followed.rig):
        killed_again_and_again(followed, points)
        followed.complete()
