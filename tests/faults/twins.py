"""A process that has all of the program loaded, and starts two copies of itself in the same moment, as often as asked.

    python -m tests.faults.twins

Each line of standard input is the folder of a profile. The answer is a line with the numbers of two processes, which
run ``vxtray serve`` on it, then one line for each as it ends: its number and its exit status. What they say is added to
``said.txt`` in the folder.
"""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from tests.faults.nursery import ROOT, die_with_parent, forked, load
from vxtray import cli

_SECONDS = 30.0


def _born(folder: Path, shot: int, trigger: int) -> int:
    """Fork a copy that waits for the end of a pipe and then starts as a person would; return its number."""

    def work() -> int:
        os.close(trigger)
        os.read(shot, 1)
        return cli.main(["--profile-dir", str(folder), "serve"])

    return forked(folder, work)


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main() -> None:
    """Start what standard input asks for, one pair after the other."""
    die_with_parent()
    load()
    _say("ready")
    for line in sys.stdin:
        folder = Path(line.strip())
        folder.mkdir(parents=True, exist_ok=True)
        shot, trigger = os.pipe()
        pids = [_born(folder, shot, trigger) for _ in range(2)]
        os.close(shot)
        _say(" ".join(map(str, pids)))
        os.close(trigger)  # both go
        for _ in pids:
            pid, status = os.wait()
            _say(f"{pid} {os.waitstatus_to_exitcode(status)}")


class Twins:
    """The pairs as those see them who let them race; use as a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._hearer: threading.Thread | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> "Twins":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.twins"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hearer = threading.Thread(target=self._hear, args=(self._process.stdout,), daemon=True)
        self._hearer.start()
        assert self._answers.get(timeout=_SECONDS) == "ready"
        return self

    def __exit__(self, *_raised: object) -> None:
        assert self._process is not None
        self._process.kill()  # with it end those that it started
        self._process.wait()
        assert self._hearer is not None
        self._hearer.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def start(self, folder: Path) -> list[int]:
        """Start two programs on one profile; return their numbers. Both must have ended before the next pair."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()
        return [int(number) for number in self._answers.get(timeout=_SECONDS).split()]

    def ended(self) -> tuple[int, int]:
        """Return the number and the exit status of the next one that ends."""
        try:
            number, status = map(int, self._answers.get(timeout=_SECONDS).split())
        except queue.Empty:
            raise AssertionError("no one ends: both live") from None
        return number, status

    def _hear(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._answers.put(line.strip())


if __name__ == "__main__":
    main()
