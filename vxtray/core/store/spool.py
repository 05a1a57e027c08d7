"""Events on their way to another engine: an embedded store of those that have not arrived there yet.

It gives the numbers (seq), keeps positions and batches for good, and holds the events themselves only until they have
arrived. Any thread, as ``embedded``.
"""

from pathlib import Path

from vxtray.core.events import SecurityEvent
from vxtray.core.store import Position, retention
from vxtray.core.store.alerting import alert_ranges
from vxtray.core.store.embedded import EmbeddedStore
from vxtray.core.store.rows import COLUMNS, to_event

#: Up to which seq all have arrived, and up to which they are on their way: a batch that was sent once is sent again as
#: it was, or the server could not tell that it has it already.
_ARRIVED, _SENDING = "spool:arrived", "spool:sending"


class Spool(EmbeddedStore):
    """The store of what waits."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raises as ``EmbeddedStore`` does."""
        super().__init__(path)
        self._arrived, self._sending = self.position(_ARRIVED), self.position(_SENDING)

    @property
    def arrived(self) -> int:
        """Up to which seq all events have arrived."""
        return self._arrived

    def waiting(self) -> int:
        """Return how many events wait."""
        return self.last_seq() - self.arrived

    def used_bytes(self) -> int:
        """Return how much room on the disk the events take that wait."""
        with self._reading() as cursor:
            return retention.used_bytes(cursor, self._path)

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
        last = min(self.last_seq(), arrived + most)
        if last <= arrived:
            return None
        self.append((), position=Position(key=_SENDING, offset=last))
        self._sending = last
        return arrived + 1, last

    def has_arrived(self, last: int) -> None:
        """Forget the events up to a number."""
        with self._writing() as writer:
            writer.execute("DELETE FROM events WHERE seq <= ?", [last])
            writer.execute("DELETE FROM positions WHERE key = ?", [_ARRIVED])
            writer.execute("INSERT INTO positions VALUES (?, ?)", [_ARRIVED, last])
            writer.execute("COMMIT")
            self._arrived = last
