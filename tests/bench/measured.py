"""A program that runs, with the memory of all its processes together and the processor time that they took.

Linux: memory is the sum of the processes' proportional set sizes (``/proc/PID/smaps_rollup``), so that shared pages
count once. Elsewhere none is told.
"""

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

#: The row of the table that the others are compared with.
FAIL2BAN = "fail2ban-regex, one rule"

_EVERY_SECONDS = 0.25


class Measured:
    """Use as a context manager, then ``wait``; standard output is kept."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._output, env=env)
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        #: Of all processes together, where that can be told.
        self.peak_bytes = 0
        self.cpu_seconds = 0.0

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._ended.set()
        self._watch.join()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def wait(self) -> str:
        """Wait for its end, which must be a good one; return what it printed."""
        before = os.times()
        status = self._process.wait()
        after = os.times()
        self.cpu_seconds = sum(after[2:4]) - sum(before[2:4])
        self._output.seek(0)
        assert status == 0, status
        return self._output.read().decode()

    def remarks(self, lines: int) -> str:
        """Return processor time and memory in words."""
        memory = f", at most {self.peak_bytes / 2**20:.0f} MiB in all processes" if self.peak_bytes else ""
        return f"{lines / self.cpu_seconds:,.0f} lines per CPU second{memory}"

    def _sample(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            self.peak_bytes = max(self.peak_bytes, sum(map(_proportional, family(self._process.pid))))


def family(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def _proportional(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
