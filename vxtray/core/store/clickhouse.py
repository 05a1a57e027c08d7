"""The event store on a ClickHouse server, for more events than a desktop should hold.

Every batch goes into the ``spool`` first, in one transaction with the position of its source; from there it is sent,
under a token that lets the server drop what it has already. So nothing is lost while the server is away, and nothing is
twice when an answer is. Questions are the SQL of the embedded store, translated (``clickhouse_sql``).

Several programs may write, each under the uuid of its spool; any thread, as ``EventStore`` says. ``vx-spool`` sends;
what is asked first sends what waits, so an answer is about everything that was stored. A program numbers its own events
(seq > 0). Those of others it sees under numbers below 0: no limit on when events were stored shuts them out, and none
of them counts as having come since.
"""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from vxtray.core.errors import N_, StoreError, StoreFull
from vxtray.core.events import SecurityEvent
from vxtray.core.settings.tree import shown
from vxtray.core.store import Position, Rows, alerting, tables
from vxtray.core.store.asking import Asking
from vxtray.core.store.clickhouse_sql import away, held
from vxtray.core.store.embedded import open_kind
from vxtray.core.store.kinds import Kind, Pages, Writer
from vxtray.core.store.link import Connect, Link
from vxtray.core.store.queries import naive_utc
from vxtray.core.store.rows import COLUMNS, pack, to_event
from vxtray.core.store.sending import Program, Sender, Sending
from vxtray.core.store.spool import Spool
from vxtray.core.store.tables import statements

__all__ = ["ClickHouseStore", "Program", "Sending", "statements"]

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logging.getLogger(__name__)

#: Events sent at a time, and read at a time for alerts.
_BATCH = 50_000
_CHUNK = 1000
#: So many events after it, nobody asks any more whether an event may raise an alert.
_REMEMBERED = 10_000_000
#: Seconds before a server that failed is asked again; until then, who asks is told at once.
_RETRY = 15.0
#: Seconds that a question waits while what is being sent does not get on.
_PATIENCE = 5.0
#: Seconds that closing waits for what is being sent.
_CLOSE_SECONDS = 5.0
#: A program that the server has not heard of for so many minutes does not run.
_PRESENT_MINUTES = 10
#: What is taken from the numbers of other programs' events: below 0, in their order, and hardly ever twice.
_OTHERS = "seq - 4611686018427387904 + toInt64(cityHash64(writer) % 1024) * 2251799813685248"
_SEEN_BY_OTHERS = f"* REPLACE ({_OTHERS} AS seq), events.seq AS number"
_UUID = re.compile(r"[0-9a-f-]{36}")
_BELOW_ALL = -(2**63)
_FIELDS = SecurityEvent.__struct_fields__
#: As which fields are sent; the server makes of them what its columns hold.
_TYPES = {
    "seq": "Int64",
    "at": "DateTime64(6, 'UTC')",
    "src_port": "Int32",
    "dst_port": "Int32",
    "score": "Nullable(Int32)",
}


class ClickHouseStore(Asking):
    """Events in ``database`` of a server; ``connect`` makes a client, and raises ``StoreError`` where it cannot."""

    def __init__(
        self,
        path: Path,
        connect: Connect,
        database: str,
        *,
        cluster: str = "",
        most_waiting_bytes: int = 2**31,
    ) -> None:
        """``path`` is the spool's file; when it exceeds ``most_waiting_bytes``, no more events are taken.

        A damaged spool is set aside, as ``open_store`` does. Raises ``StoreError``.
        """
        self._spool, _damaged = open_kind(Spool, path)
        self._path = path
        self._link = Link(connect, lambda: _RETRY, path)
        self._database = database
        self._cluster = cluster
        self._table = f"{database}.events"
        self._most_waiting = most_waiting_bytes
        self._sending = threading.Lock()
        self._sender: Sender | None = None
        self._last_sent: datetime | None = None
        self._host, self._sends = "", True
        self._programs: tuple[Program, ...] = ()
        self._busy_until = 0.0  # until then it is not waited again for what does not get on

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
            raise self._full()
        stored = self._spool.append_packed(blocks, position=position, alerts=alerts)
        if self._sender is not None and stored[1]:
            self._sender.wake()
        return stored

    def _is_full(self) -> bool:
        # a file stays as large as it once was; its free blocks take the next events
        return self._path.stat().st_size > self._most_waiting and self._spool.used_bytes() > self._most_waiting

    def _full(self) -> StoreFull:
        since = self._spool.waiting_since()
        return StoreFull(
            N_("Too many events wait for the ClickHouse server ({n}, since {since}): no more than {cap} MiB may wait."),
            N_("Bring the server back, or raise store.clickhouse.max_waiting_mebibytes; nothing that waits is lost."),
            path=self._path,
            n=self._spool.waiting(),
            since=f"{since.astimezone():%Y-%m-%d %H:%M}" if since else "",
            cap=self._most_waiting >> 20,
        )

    def waiting(self) -> int:
        """Return how many events have not arrived at the server."""
        return self._spool.waiting()

    def health(self) -> Sending:
        """Return how events get to the server; quick, asks nobody."""
        return Sending(
            waiting=self._spool.waiting(),
            waiting_since=self._spool.waiting_since(),
            last_sent=self._last_sent,
            fault=self._link.fault,
            programs=tuple(one for one in self._programs if one.present),
        )

    def keep_sending(self, host: str, *, sends: bool, told: Callable[[Sending], None]) -> None:
        """From now on send what waits on ``vx-spool``, and tell the server each minute that this program runs.

        ``told`` hears from that thread how it went.
        """
        self._host, self._sends = host, sends
        self._sender = Sender(self.send, self.tell_of_us, lambda: told(self.health()))

    def say_whether_we_send(self, *, sends: bool) -> None:
        """The settings changed: this program sends mail, or leaves that to another one."""
        if sends != self._sends:
            self._sends = sends
            if self._sender is not None:
                self._sender.beat_now()

    def send(self) -> None:
        """Send what waits. Raises ``StoreError`` where the server is away; nothing is lost then."""
        with self._sending:
            self._send(self._spool.last_seq())

    def _send(self, up_to: int) -> None:
        while self._spool.arrived < up_to and (batch := self._spool.next_batch(_BATCH)) is not None:
            self._insert(*batch)
            self._spool.has_arrived(batch[1])
            self._last_sent = datetime.now(UTC)
            self._link.is_well()

    def tell_of_us(self) -> None:
        """Tell the server that this program runs, and ask it for the others. Raises ``StoreError``."""
        self._link.command(
            f"INSERT INTO {self._database}.programs (program, host, sends, arrived, seen)"
            " SELECT {program:String}, {host:String}, {sends:Bool}, {arrived:Int64}, now64(3)",
            {
                "program": self.uuid,
                "host": self._host[:255],
                "sends": self._sends,
                "arrived": self._spool.arrived,
            },
        )
        rows = self._over("true").execute(
            "SELECT program, argMax(host, seen), argMax(sends, seen), argMax(arrived, seen),"  # noqa: S608 - our own name
            f" max(seen) > now64(3) - INTERVAL '{_PRESENT_MINUTES}' MINUTE"
            f" FROM {self._database}.programs GROUP BY program ORDER BY program"
        )
        self._programs = tuple(
            Program(uuid, shown(host), bool(sends), int(arrived), bool(present))
            for uuid, host, sends, arrived, present in rows.fetchall()
            if _UUID.fullmatch(uuid)
        )
        self._link.is_well()

    def keep_for(self, days: int | None) -> None:
        """Let the server delete older events by itself (None: another program says after how long).

        Forgets what is known of batches that arrived long ago. Raises ``StoreError``.
        """
        self._spool.forget_batches(self._spool.arrived - _REMEMBERED)
        if days is not None:
            with self._link.answering() as client:
                if tables.keep_for(client, self._database, days, self._cluster):
                    log.info("the server keeps events for %d days from now on", days)

    def _insert(self, first: int, last: int) -> None:
        events = self._spool.between(first, last)
        if not events:
            return
        columns = [[getattr(event, name) for event in events] for name in _FIELDS]
        columns[_FIELDS.index("at")] = [held(event.at) for event in events]
        settings: dict[str, object] = {
            "insert_deduplication_token": f"{self.uuid}:{first}-{last}",
            "async_insert": 0,
            "max_partitions_per_insert_block": 0,  # old lines may be of any month
        }
        if self._cluster:  # answered when every shard has its part
            settings["insert_distributed_sync"] = 1
        alertable = [range(begin, end + 1) for begin, end in self._spool.alert_ranges(first - 1)]
        with self._link.answering() as client:
            client.insert(
                self._table,
                [[self.uuid] * len(events), [_is_in(event.seq, alertable) for event in events], *columns],
                column_names=["writer", "alerts", *_FIELDS],
                column_type_names=["String", "Bool", *(_TYPES.get(name, "String") for name in _FIELDS)],
                column_oriented=True,
                settings=settings,
            )

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
            rows = f"{self._database}.{tables.local('events', self._cluster)}"
            where = f"{rows} ON CLUSTER {self._cluster}" if self._cluster else rows
            self._link.command(f"DELETE FROM {where} WHERE at < '{moment:%Y-%m-%d %H:%M:%S.%f}'")  # noqa: S608 - a time
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

    def others(self) -> tuple[Writer, ...]:
        """Return the other programs, as the server last knew them."""
        return tuple(Writer(one.uuid, one.arrived) for one in self._programs if one.uuid != self.uuid)

    def alertable_of(self, writer: Writer, after: int) -> tuple[list[SecurityEvent], int]:
        """Return some of what another one stored with ``alerts`` and numbered above ``after``, oldest first.

        The events have the numbers under which this program sees them; with them comes up to which of its own numbers
        that is all. Raises ``StoreError``.
        """
        numbers = f"alerts AND events.seq BETWEEN {after:d} + 1 AND {writer.last_seq:d}"
        cursor = self._over(f"writer = '{writer.uuid}' AND {numbers}", _SEEN_BY_OTHERS)
        sql = f"SELECT {COLUMNS}, number FROM events ORDER BY number LIMIT {_BATCH // 10}"  # noqa: S608 - constants
        rows = cursor.execute(sql).fetchall()
        return [to_event(row[:-1]) for row in rows], int(rows[-1][-1]) if len(rows) == _BATCH // 10 else writer.last_seq

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
        at, seq = values["since"], _BELOW_ALL
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
        if self._sender is not None:
            self._sender.stop(_CLOSE_SECONDS)
        self._link.close()
        self._spool.close()

    @contextlib.contextmanager
    def _reading(self) -> "Iterator[DuckDBPyConnection]":
        """Give a cursor over all that is stored. Raises ``StoreError`` where the server is away."""
        self._settle()
        yield self._cursor()

    def _settle(self) -> None:
        """Wait until all has arrived that is stored by now; gives up where it does not get on."""
        wanted = self._spool.last_seq()
        if self._spool.arrived < wanted and time.monotonic() < self._busy_until:
            raise _busy()
        while (before := self._spool.arrived) < wanted:
            if self._sending.acquire(timeout=_PATIENCE):
                try:
                    self._send(wanted)
                finally:
                    self._sending.release()
            elif self._spool.arrived == before:
                self._busy_until = time.monotonic() + _RETRY
                raise _busy()

    def _cursor(self) -> "DuckDBPyConnection":
        """Give a cursor over what has arrived by now, whole batches only: there are no transactions on a server."""
        seq = f"if(writer = '{self.uuid}', seq, {_OTHERS})"
        return self._over(f"writer <> '{self.uuid}' OR seq <= {self._spool.arrived}", f"* REPLACE ({seq} AS seq)")

    def _own(self) -> "DuckDBPyConnection":
        return self._over(f"writer = '{self.uuid}'")

    def _over(self, condition: str, columns: str = "*") -> "DuckDBPyConnection":
        # of the embedded store's cursors only this much is used: execute, fetchall, fetchone, fetchmany
        table = f"(SELECT {columns} FROM {self._table} WHERE {condition})"  # noqa: S608 - our own names and numbers
        return cast("DuckDBPyConnection", self._link.cursor(table))


def _is_in(seq: int, ranges: Sequence[range]) -> bool:
    return any(seq in one for one in ranges)


def _busy() -> StoreError:
    return away(TimeoutError(N_("events that waited are still on their way to it")))
