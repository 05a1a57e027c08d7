"""How long events stay: an age, and the room that the store may take. Runs on ``vx-report``, once an hour.

Room is counted in used blocks: deleting leaves a file at its size, and its free blocks take the next events. A
checkpoint frees blocks when whole row groups (122,880 events) are deleted; until then the part of the deleted rows is
left out of the count.
"""

import logging
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from vxtray.core.settings.tree import Store as Wanted
from vxtray.core.store import EventStore

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logging.getLogger(__name__)

_PAUSE = timedelta(hours=1)

#: After a change of the limits: who set one too low by mistake can undo it.
_GRACE = timedelta(minutes=1)
_MEBIBYTE = 1024 * 1024

#: Below the cap by so much, so that the next hour's events do not exceed it again at once.
_GOAL = 0.95
#: Bytes in used blocks, rows in them (with those that are deleted but not yet cleared away), and events.
_ROOM = """
SELECT (SELECT sum(block_size * used_blocks) FROM pragma_database_size()),
       (SELECT estimated_size FROM duckdb_tables() WHERE table_name = 'events'),
       (SELECT count(*) FROM events)
"""

#: Steps of deleting: whole days, or parts of the only day.
_STEPS = ("day", "hour", "minute", "second")


class Retention:
    """Keeps a store within its limits, at most once an hour."""

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._wanted: Wanted | None = None

    def run(self, store: EventStore, wanted: Wanted, now: datetime) -> int:
        """Delete what is too old or too much, where it is time to look; return how many events.

        Raises ``StoreError``.
        """
        if not self.is_due(wanted, now):
            return 0
        self.looked(now)
        old = store.prune(now - timedelta(days=wanted.retention_days))
        if old:
            log.info("%d events were older than %d days and have been deleted", old, wanted.retention_days)
        oldest = store.shrink(wanted.max_mebibytes * _MEBIBYTE)
        if oldest:
            log.warning(
                "the event store exceeded %d MiB; its %d oldest events are deleted", wanted.max_mebibytes, oldest
            )
        return old + oldest

    def looked(self, now: datetime) -> None:
        """It was looked."""
        self._last = now

    def is_due(self, wanted: Wanted, now: datetime) -> bool:
        """Return whether it is time to look."""
        if self._wanted is not None and wanted != self._wanted:
            self._last = now - _PAUSE + _GRACE
        self._wanted = wanted
        return self._last is None or abs(now - self._last) >= _PAUSE


def used_bytes(cursor: "DuckDBPyConnection", path: Path) -> int:
    """Return what the events take: their part of the used blocks, and the log that is not yet part of them."""
    blocks, rows, live = cursor.execute(_ROOM).fetchall()[0]
    log_file = Path(f"{path}.wal")
    return int(blocks * live / max(rows, live, 1)) + (log_file.stat().st_size if log_file.exists() else 0)


def surplus_end(cursor: "DuckDBPyConnection", used: int, most: int) -> datetime | None:
    """Return the moment before which to delete so that about ``most`` of the ``used`` bytes remain, None for nothing.

    It is the end of the last day that must go; the newest day is touched where there is no other, then by the hour.
    """
    for step in _STEPS:
        rows: list[tuple[datetime, int]] = cursor.execute(
            f"SELECT date_trunc('{step}', \"at\") AS begin, count(*) FROM events GROUP BY begin ORDER BY begin"  # noqa: S608 - constants
        ).fetchall()
        if len(rows) > 1:
            surplus = sum(count for _begin, count in rows) * (1 - most * _GOAL / used)
            gone = accumulate(count for _begin, count in rows)
            ends = (begin for (begin, _count), before in zip(rows[1:], gone, strict=False) if before >= surplus)
            return next(ends, rows[-1][0]).replace(tzinfo=UTC)
    return None
