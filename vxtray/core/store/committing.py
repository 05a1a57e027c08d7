"""An event store with which something else is done after each commit. On the thread of whoever stores."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from vxtray.core.events import SecurityEvent
from vxtray.core.store import EventStore, Position, Rows

#: Returns the log line, or the record of several lines, of one of the events just stored, counted from 0.
#: At most 256 KiB, as the log wrote it. To be kept no longer than by the call that got it: it holds all the lines.
LineOf = Callable[[int], str]

#: Told after a commit: the first seq, the events in order, whether they may raise alerts, and what knows their lines
#: (None where nobody does).
Committed = Callable[[int, list[SecurityEvent], bool, LineOf | None], None]


#: Within it, the open store does not become another one.
Steady = Callable[[], AbstractContextManager[None]]


class CommittingStore:
    """The event store as an importer sees it: after each batch, what hangs on a commit is done."""

    def __init__(
        self,
        store: EventStore,
        committed: Committed,
        imported: Callable[[int], None],
        steady: Steady = nullcontext,
    ) -> None:
        """``imported`` is told how many events were stored that hold no alert."""
        self._steady = steady
        self._store = store
        self._committed = committed
        self._imported = imported
        self._lines: LineOf | None = None

    def lines_are(self, lines: LineOf) -> None:
        """Say what knows the lines of the events that are appended next."""
        self._lines = lines

    def append(
        self, events: Sequence[SecurityEvent], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """Store a batch and tell of it."""
        lines, self._lines = self._lines, None
        with self._steady():
            first, last = self._store.append(events, position=position, alerts=alerts)
            self._committed(first, list(events), alerts, lines)
        return first, last

    def append_packed(
        self, blocks: Sequence[Rows], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """Store old events, which never raise alerts."""
        first, last = self._store.append_packed(blocks, position=position, alerts=alerts)
        self._imported(last - first + 1 if last else 0)
        return first, last

    def position(self, key: str) -> int:
        """Return the offset remembered for a key."""
        return self._store.position(key)
