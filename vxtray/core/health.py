"""What is known of each source: how much it brought, what of that was not understood, and when it was last heard.

A ``Tally`` is written by ``vx-store`` and read by any thread.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.errors import VxtrayError
from vxtray.core.sources import LINES, Batch

if TYPE_CHECKING:
    from vxtray.core.parsers.worker import Parsed  # heavy: the parsers are loaded with the first line

_RATE_SECONDS = 60.0
_SAMPLES = 5

#: Lines of a source that are kept to be looked at, and the bytes of each.
LATEST = 50
LATEST_BYTES = 1024


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source: ``rate`` in lines a second over the last minute; ``began`` when it was last started.

    ``rejected_by`` counts by reason, ``samples`` are some of those lines with their reason, both message ids;
    ``latest`` are the last lines with when they came, cut to ``LATEST_BYTES``. ``dropped``, ``fault``, ``where`` and
    ``trouble`` are those of ``sources.Health``.
    """

    name: str
    running: bool
    began: datetime
    last_line: datetime | None = None
    last_event: datetime | None = None
    rate: float = 0.0
    lines: int = 0
    events: int = 0
    ignored: int = 0
    rejected: int = 0
    rejected_by: dict[str, int] = {}
    samples: tuple[tuple[str, str], ...] = ()
    latest: tuple[tuple[datetime, bytes], ...] = ()
    dropped: dict[str, int] = {}
    fault: str = ""
    where: str = ""
    trouble: VxtrayError | None = None

    @property
    def dropped_lines(self) -> int:
        """Of what was dropped, the lines; connections and files are counted in ``dropped`` beside them."""
        return sum(count for reason, count in self.dropped.items() if reason in LINES)


def group_of(name: str) -> str:
    """Return under which name a source is told to be silent or heard.

    The listeners of one receiver (``syslog udp``, ``syslog tcp``) count as one: a sender uses one of them.
    """
    return "syslog" if name.startswith("syslog ") else name


def silent(sources: Iterable[SourceHealth], now: datetime, limit: timedelta) -> dict[str, datetime]:
    """Return what was not heard for longer than ``limit`` (0: never told), by ``group_of``, and since when.

    What does not run is silent for another reason, which is told already.
    """
    heard: dict[str, datetime] = {}
    for source in sources:
        if source.running:
            group = group_of(source.name)
            heard[group] = max(heard.get(group, source.began), source.last_line or source.began)
    return {group: last for group, last in heard.items() if limit and now - last > limit}


class Tally:
    """The counts of one source."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._last_line: datetime | None = None
        self._last_event: datetime | None = None
        self._lines = self._events = self._ignored = 0
        self._rejected: dict[str, int] = {}
        self._samples: deque[tuple[str, str]] = deque(maxlen=_SAMPLES)
        self._latest: deque[tuple[datetime, bytes]] = deque(maxlen=LATEST)
        self._marks: deque[tuple[float, int]] = deque()

    def add(self, batch: Batch, parsed: "Parsed") -> None:
        """Count a parsed batch."""
        if not batch.lines:
            return
        with self._guard:
            self._lines += len(batch.lines)
            self._events += len(parsed.events)
            self._ignored += parsed.ignored
            for reason, count in parsed.rejected.items():
                self._rejected[reason] = self._rejected.get(reason, 0) + count
            self._samples.extend(parsed.samples)
            self._latest.extend((batch.received, line[:LATEST_BYTES]) for line in batch.lines[-LATEST:])
            self._last_line = batch.received
            if parsed.events:
                self._last_event = batch.received
            self._mark(len(batch.lines))

    def _mark(self, lines: int) -> None:
        now = time.monotonic()
        if self._marks and now - self._marks[-1][0] < 1:
            self._marks[-1] = (self._marks[-1][0], self._marks[-1][1] + lines)
        else:
            self._marks.append((now, lines))

    def _rate(self) -> float:
        since = time.monotonic() - _RATE_SECONDS
        while self._marks and self._marks[0][0] < since:
            self._marks.popleft()
        return sum(count for _at, count in self._marks) / _RATE_SECONDS

    def health(self, name: str, *, running: bool, began: datetime) -> SourceHealth:
        """Return the counts as they stand."""
        with self._guard:
            return SourceHealth(
                name=name,
                running=running,
                began=began,
                last_line=self._last_line,
                last_event=self._last_event,
                rate=self._rate(),
                lines=self._lines,
                events=self._events,
                ignored=self._ignored,
                rejected=sum(self._rejected.values()),
                rejected_by=dict(self._rejected),
                samples=tuple(self._samples),
                latest=tuple(self._latest),
            )
