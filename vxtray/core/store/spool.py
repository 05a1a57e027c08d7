"""Events on their way to another engine: an embedded store of those that have not arrived there yet.

It gives the numbers (seq), keeps positions and batches for good, and holds the events themselves only until they have
arrived. Any thread, as ``embedded``.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vxtray.core.events import SecurityEvent
from vxtray.core.store import Position, Rows, retention
from vxtray.core.store.alerting import alert_ranges
from vxtray.core.store.embedded import EmbeddedStore
from vxtray.core.store.rows import COLUMNS, to_event

#: Before the keys of what the spool itself remembers among the positions.
OWN = "spool:"
#: Up to which seq all have arrived, and up to which they are on their way: a batch that was sent once is sent again as
#: it was, or the server could not tell that it has it already. And since when (ms) there is something that waits.
_ARRIVED, _SENDING, _SINCE = f"{OWN}arrived", f"{OWN}sending", f"{OWN}since"


class Spool(EmbeddedStore):
    """The store of what waits."""

    def __init__(self, path: Path, *, memory_mebibytes: int = 256) -> None:
        """Open or make the file; raises as ``EmbeddedStore`` does."""
        super().__init__(path, memory_mebibytes=memory_mebibytes)
        self._arrived, self._sending = self.position(_ARRIVED), self.position(_SENDING)
        self._since = self.position(_SINCE)
        self._cut_at = (0, 0)  # the last seq when a batch was cut, and when (ms) that was

    @property
    def arrived(self) -> int:
        """Up to which seq all events have arrived."""
        return self._arrived

    def waiting(self) -> int:
        """Return how many events wait."""
        return self.last_seq() - self.arrived

    def waiting_since(self) -> datetime | None:
        """Return since when (aware, UTC) at the latest events wait, None where none does."""
        return datetime.fromtimestamp(self._since / 1000, UTC) if self.waiting() else None

    def used_bytes(self) -> int:
        """Return how much room on the disk the events take that wait."""
        with self._reading() as cursor:
            return retention.used_bytes(cursor, self._path)

    def append_packed(
        self, blocks: Sequence[Rows], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """Store events that were packed before; the first that has to wait says since when."""
        if self.waiting() or not any(block.count for block in blocks):
            return super().append_packed(blocks, position=position, alerts=alerts)
        now = _now()
        if position is None:
            position = Position(key=_SINCE, offset=now)
        else:
            position = msgspec.structs.replace(position, marks=(*position.marks, (_SINCE, now)))
        stored = super().append_packed(blocks, position=position, alerts=alerts)
        self._since = now
        return stored

    def between(self, first: int, last: int) -> list[SecurityEvent]:
        """Return the events with these numbers that wait still, in order."""
        with self._reading() as cursor:
            rows = cursor.execute(
                f"SELECT {COLUMNS} FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq",  # noqa: S608 - constants
                [first, last],
            ).fetchall()
        return [to_event(row) for row in rows]

    def alert_ranges(self, after: int) -> list[tuple[int, int]]:
        """Return from where to where events with a seq above ``after`` were stored with ``alerts``."""
        with self._reading() as cursor:
            return alert_ranges(cursor, after)

    def forget_batches(self, before: int) -> None:
        """Forget the batches of events with lower numbers, which are no more; the newest stays: it has the last seq."""
        with self._writing() as writer:
            writer.execute(
                "DELETE FROM batches WHERE last_seq < ? AND last_seq < (SELECT max(last_seq) FROM batches)", [before]
            )
            writer.execute("COMMIT")

    def next_batch(self, most: int) -> tuple[int, int] | None:
        """Return the numbers of the batch to send, the same until ``has_arrived`` was called for it; None for none."""
        arrived, sending = self._arrived, self._sending
        if sending > arrived:
            return arrived + 1, sending
        now, newest = _now(), self.last_seq()
        last = min(newest, arrived + most)
        if last <= arrived:
            return None
        self.append((), position=Position(key=_SENDING, offset=last))
        self._sending = last
        self._cut_at = newest, now
        return arrived + 1, last

    def has_arrived(self, last: int) -> None:
        """Forget the events up to a number."""
        with self._writing() as writer:
            writer.execute("DELETE FROM events WHERE seq <= ?", [last])
            writer.execute("DELETE FROM positions WHERE key = ?", [_ARRIVED])
            writer.execute("INSERT INTO positions VALUES (?, ?)", [_ARRIVED, last])
            writer.execute("COMMIT")
            self._arrived = last
            if self._cut_at[0] <= last:  # what waits now came after the batch was cut
                self._since = max(self._since, self._cut_at[1])


def _now() -> int:
    return time.time_ns() // 1_000_000
