"""Parsing of lines that arrive: here while they are few, in a process of its own while they are many.

One thread (``vx-store``). Beside a thread that parses at full speed the window would stutter, since one interpreter
runs both.
"""

import logging
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from vxtray.core.parsers.worker import Job, Parsed, ParseWorker

log = logging.getLogger(__name__)

#: From this backlog on, or from so many lines a second, the process parses; it ends when not needed for so long.
_BACKLOG = 4_000
_BUSY = 2_500
_IDLE_SECONDS = 20.0


class LiveParser:
    """Ask ``beside`` for each chunk: False means ``parse``, True ``submit`` and later ``collect``, by turns."""

    def __init__(self) -> None:
        self._worker: ParseWorker | None = None
        self._used = 0.0
        self._rate = 0.0  # lines a second, over about the last one
        self._rated_at = time.monotonic()

    def beside(self, lines: int, *, waiting: int) -> bool:
        """Return whether the process is to parse a chunk of so many lines; until it has started, it is not."""
        now = time.monotonic()
        self._rate = self._rate * math.exp(self._rated_at - now) + lines
        self._rated_at = now
        return (self._rate >= _BUSY or waiting >= _BACKLOG) and self._is_ready()

    def _is_ready(self) -> bool:
        try:
            if self._worker is None:
                from vxtray.core.parsers.worker import ParseWorker

                self._worker = ParseWorker()
                self._used = time.monotonic()
            return self._worker.started()
        except (OSError, EOFError):
            self._lost()
            return False

    def parse(self, jobs: "Sequence[Job]") -> "list[Parsed]":
        """Parse in this thread."""
        from vxtray.core.parsers.worker import parse_job

        return [parse_job(job) for job in jobs]

    def submit(self, jobs: "Sequence[Job]") -> None:
        """Hand jobs to the process; where it is gone, ``collect`` parses here."""
        if self._worker is None:
            return
        try:
            self._worker.submit(jobs)
            self._used = time.monotonic()
        except OSError:
            self._lost()

    def collect(self, jobs: "Sequence[Job]") -> "list[Parsed]":
        """Wait for what the same jobs, submitted before, came to."""
        if self._worker is not None:
            try:
                return self._worker.collect()
            except (OSError, EOFError, msgspec.MsgspecError):
                self._lost()
        return self.parse(jobs)

    def _lost(self) -> None:
        log.warning("the parser process cannot be used; lines are parsed in the program itself")
        self.close()

    def rest(self) -> None:
        """End the process where it was not needed for a while."""
        if self._worker is not None and time.monotonic() - self._used > _IDLE_SECONDS:
            self.close()

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
