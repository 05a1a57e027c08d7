"""The event store on a ClickHouse server, for more events than a desktop should hold.

Every batch goes into the ``spool`` first, in one transaction with the position of its source; from there it is sent,
under a token that lets the server drop what it has already. So nothing is lost while the server is away, and nothing is
twice when an answer is. Questions are the SQL of the embedded store, translated (``clickhouse_sql``).

One writer, many readers; any thread, as ``EventStore`` says. What is asked first sends what waits, so an answer is
about everything that was stored.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from vxtray.core.errors import N_, StoreError, StoreFull
from vxtray.core.events import SecurityEvent
from vxtray.core.store import (
    Position,
    Rows,
    alerting,
)
from vxtray.core.store.asking import Asking
from vxtray.core.store.clickhouse_sql import ClickHouseCursor, away, held
from vxtray.core.store.kinds import Kind, Pages
from vxtray.core.store.queries import naive_utc
from vxtray.core.store.rows import COLUMNS, pack, to_event
from vxtray.core.store.spool import Spool

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from duckdb import DuckDBPyConnection

log = logging.getLogger(__name__)

#: Events sent at a time, and read at a time for alerts.
_BATCH = 50_000
_CHUNK = 1000
#: Seconds before a server that was away is asked again on the way of an append.
_RETRY = 15.0
_FIELDS = SecurityEvent.__struct_fields__
#: As which fields are sent; the server makes of them what its columns hold.
_TYPES = {
    "seq": "Int64",
    "at": "DateTime64(6, 'UTC')",
    "src_port": "Int32",
    "dst_port": "Int32",
    "score": "Nullable(Int32)",
}

Connect = Callable[[], "Client"]


class ClickHouseStore(Asking):
    """Events in ``database`` of a server; ``connect`` makes a client, and raises ``StoreError`` where it cannot."""

    def __init__(self, path: Path, connect: Connect, database: str, *, most_waiting_bytes: int = 2**31) -> None:
        """``path`` is the spool's file; when it exceeds ``most_waiting_bytes``, no more events are taken."""
        self._spool = Spool(path)
        self._path = path
        self._connect = connect
        self._table = f"{database}.events"
        self._most_waiting = most_waiting_bytes
        self._client: Client | None = None
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._not_before = 0.0
        self._closed = False

    @property
    def uuid(self) -> str:
        """Of this store; a new spool has a new one."""
        return self._spool.uuid

    # --- writing -----------------------------------------------------------------------------------------------------

    def append(
        self, events: Sequence[SecurityEvent], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """Store a batch and the position in one transaction; return the first and the last seq, (0, 0) for none.

        Raises ``StoreError`` (nothing of the batch is stored then) and ``ValueError`` for a time without a zone.
        """
        return self.append_packed([pack(events)], position=position, alerts=alerts)

    def append_packed(
        self, blocks: Sequence[Rows], *, position: Position | None = None, alerts: bool = True
    ) -> tuple[int, int]:
        """Store events that were packed before; otherwise as ``append``. The server need not be there."""
        if any(block.count for block in blocks) and self._is_full():
            raise StoreFull(path=self._path)
        stored = self._spool.append_packed(blocks, position=position, alerts=alerts)
        if stored[1] and time.monotonic() >= self._not_before:
            with contextlib.suppress(StoreError):  # it waits; ``send`` tells whoever asks
                self.send()
        return stored

    def _is_full(self) -> bool:
        # a file stays as large as it once was; its free blocks take the next events
        return self._path.stat().st_size > self._most_waiting and self._spool.used_bytes() > self._most_waiting

    def waiting(self) -> int:
        """Return how many events have not arrived at the server."""
        return self._spool.waiting()

    def send(self) -> None:
        """Send what waits. Raises ``StoreError`` where the server is away; nothing is lost then."""
        with self._sending:
            while (batch := self._spool.next_batch(_BATCH)) is not None:
                self._insert(*batch)
                self._spool.has_arrived(batch[1])

    def _insert(self, first: int, last: int) -> None:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        events = self._spool.between(first, last)
        if not events:
            return
        columns = [[getattr(event, name) for event in events] for name in _FIELDS]
        columns[_FIELDS.index("at")] = [held(event.at) for event in events]
        try:
            self._asked().insert(
                self._table,
                [[self.uuid] * len(events), *columns],
                column_names=["writer", *_FIELDS],
                column_type_names=["String", *(_TYPES.get(name, "String") for name in _FIELDS)],
                column_oriented=True,
                settings={"insert_deduplication_token": f"{self.uuid}:{first}-{last}", "async_insert": 0},
            )
        except (ClickHouseError, OSError) as error:
            self._forget_client()
            raise away(error) from error

    def position(self, key: str) -> int:
        """Return the offset remembered for a key, 0 when nothing is known."""
        return self._spool.position(key)

    def positions(self, prefix: str) -> dict[str, int]:
        """Return the offsets remembered for all keys that begin so."""
        return self._spool.positions(prefix)

    def forget(self, prefix: str, keep: Collection[str]) -> None:
        """Forget the positions whose keys begin so, but for those of ``keep``."""
        self._spool.forget(prefix, keep)

    def last_seq(self) -> int:
        """Return the highest seq given so far, 0 for an empty store."""
        return self._spool.last_seq()

    def prune(self, before: datetime) -> int:
        """Delete the events older than ``before``; return how many."""
        moment = naive_utc(before)
        with self._reading() as cursor:
            asked = cursor.execute('SELECT count(*) FROM events WHERE "at" < $before', {"before": moment})
            gone = asked.fetchall()[0][0]
        if gone:
            self._command(f"DELETE FROM {self._table} WHERE at < '{moment:%Y-%m-%d %H:%M:%S.%f}'")  # noqa: S608 - a time
            first = self._own().execute("SELECT min(seq) FROM events").fetchall()[0][0]
            self._spool.forget_batches(first or self.last_seq())
        return int(gone)

    def shrink(self, most_bytes: int) -> int:  # noqa: ARG002 - the server's disk is not ours
        """Delete nothing: how much a server may hold is its administrator's to say."""
        return 0

    # --- asking ------------------------------------------------------------------------------------------------------

    def alertable(self, after: int) -> Iterator[SecurityEvent]:
        """Yield events with a seq above ``after`` that were stored with ``alerts``, oldest first.

        What waits here is yielded though the server is away.
        """
        for first, last in self._spool.alert_ranges(after):
            for begin in range(max(first, after + 1), last + 1, _CHUNK):
                end = min(begin + _CHUNK - 1, last)
                waiting = self._spool.between(begin, end)
                known = {event.seq for event in waiting}
                arrived = self._between(begin, end) if len(waiting) < end - begin + 1 else []
                yield from sorted(
                    [*waiting, *(event for event in arrived if event.seq not in known)], key=lambda event: event.seq
                )

    def _between(self, first: int, last: int) -> list[SecurityEvent]:
        sql = f"SELECT {COLUMNS} FROM events WHERE seq BETWEEN $first AND $last ORDER BY seq"  # noqa: S608 - constants
        rows = self._own().execute(sql, {"first": first, "last": last}).fetchall()
        return [to_event(row) for row in rows]

    def pages(self, kinds: Collection[Kind], since: datetime, until: datetime) -> Pages:
        """Return the events of these kinds in [since, until), in order of their times."""
        where, values = alerting.selection(kinds, since, until, up_to_seq=self.last_seq())
        with self._reading() as cursor:
            total = cursor.execute(f"SELECT count(*) FROM events WHERE {where}", values).fetchall()[0][0]  # noqa: S608 - constants
        return Pages(int(total), self._pages(where, values))

    def _pages(self, where: str, values: dict[str, Any]) -> Iterator[bytes]:
        sql = (
            f'SELECT {COLUMNS} FROM events WHERE {where} AND ("at" > $from_at OR "at" = $from_at AND seq > $from_seq)'  # noqa: S608 - constants
            ' ORDER BY "at", seq LIMIT $size'
        )
        at, seq = values["since"], -1
        while (
            rows := self._cursor()
            .execute(sql, values | {"from_at": at, "from_seq": seq, "size": alerting.PAGE})
            .fetchall()
        ):
            yield msgspec.json.encode([to_event(row) for row in rows])
            at, seq = rows[-1][1], rows[-1][0]

    # --- the server --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connection and the spool; what waits is sent after the next start."""
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        if client is not None:
            client.close()
        self._spool.close()

    @contextlib.contextmanager
    def _reading(self) -> "Iterator[DuckDBPyConnection]":
        """Give a cursor over all that is stored. Raises ``StoreError`` where the server is away."""
        self.send()
        yield self._cursor()

    def _cursor(self) -> "DuckDBPyConnection":
        """Give a cursor over what has arrived by now, whole batches only: there are no transactions on a server."""
        return self._over(f"writer <> '{self.uuid}' OR seq <= {self._spool.arrived}")

    def _own(self) -> "DuckDBPyConnection":
        return self._over(f"writer = '{self.uuid}'")

    def _over(self, condition: str) -> "DuckDBPyConnection":
        # of the embedded store's cursors only this much is used: execute, fetchall, fetchone, fetchmany
        table = f"(SELECT * FROM {self._table} WHERE {condition})"  # noqa: S608 - our own names and numbers
        return cast("DuckDBPyConnection", ClickHouseCursor(self._asked(), table))

    def _command(self, sql: str) -> None:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            self._asked().command(sql, settings={"mutations_sync": 2, "lightweight_deletes_sync": 2})
        except (ClickHouseError, OSError) as error:
            self._forget_client()
            raise away(error) from error

    def _asked(self) -> "Client":
        """Return the client. Raises ``StoreError`` where there is none to be had, and after ``close``."""
        with self._lock:
            if self._closed:
                raise StoreError(path=self._path, reason=N_("it is closed"))
            if self._client is None:
                try:
                    self._client = self._connect()
                except StoreError:
                    self._not_before = time.monotonic() + _RETRY
                    raise
            return self._client

    def _forget_client(self) -> None:
        self._not_before = time.monotonic() + _RETRY
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()


def statements(text: str, database: str, days: int) -> list[str]:
    """Return the statements of a file of ``resources/sql`` that makes the tables."""
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    filled = "\n".join(lines).replace("{database}", database).replace("{days}", str(days))
    return [part.strip() for part in filled.split(";\n") if part.strip(" \n;")]
