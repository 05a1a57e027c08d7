"""The embedded event store: one DuckDB file, one writer, readers on cursors of their own.

``vx-store`` appends; ``vx-report``, ``vx-task`` and commands read. Every method may be called from any thread.
DuckDB is imported when a store is opened, not before.
"""

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vxtray.core.errors import N_, StoreDamaged, StoreError
from vxtray.core.events import SecurityEvent
from vxtray.core.store import (
    Position,
    Rows,
    alerting,
    migrations,
    positions,
    retention,
)
from vxtray.core.store.aside import free_name, move
from vxtray.core.store.asking import Asking
from vxtray.core.store.connecting import connect, give_back
from vxtray.core.store.faults import explained, is_of_the_disk, refuses_all
from vxtray.core.store.kinds import Kind, Pages, Writer
from vxtray.core.store.queries import naive_utc
from vxtray.core.store.resting import Resting
from vxtray.core.store.rows import pack, table

if TYPE_CHECKING:
    import duckdb
    from duckdb import DuckDBPyConnection

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 5.0  # for the answers that are still being found, which are broken off


#: The embedded store, or what is built on it.
Kept = TypeVar("Kept", bound="EmbeddedStore")

_ANY_TABLE = "SELECT count(*) FROM duckdb_tables()"


class EmbeddedStore(Asking):
    """An ``EventStore`` in one file. What ``append`` returned for survives a crash and a power cut."""

    def __init__(self, path: Path, *, memory_mebibytes: int = 256, read_only: bool = False) -> None:
        """Open or make the file. ``open_store`` does the same and copes with a damaged file.

        Raises ``StoreError``, ``StoreBusy`` where another process has it open, ``StoreFull``.
        """
        import duckdb

        self._path = path
        self._memory_mebibytes = memory_mebibytes
        self._read_only = read_only
        self._resting = Resting(path)
        self._refuses = False  # after a fault of the disk, until the file is opened anew
        self._only_reads = False  # while the disk rests
        self._closed = False
        self._write_lock = threading.Lock()
        self._door = threading.Condition()
        self._cursors: list[DuckDBPyConnection] = []
        self._root: DuckDBPyConnection | None = None
        try:
            self._root = connect(path, memory_mebibytes, read_only=read_only)
            self._writer = self._root.cursor()
            if not read_only:
                self._migrate(memory_mebibytes)
            self._uuid, self._last_seq = self._begin(may_create=not read_only)
        except duckdb.Error as error:
            self.close()
            raise explained(path, error, opening=True) from error
        except StoreError:
            self.close()
            raise

    @property
    def uuid(self) -> str:
        """Of this store; a new file has a new one."""
        return self._uuid

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
        """Store events that were packed before, maybe in another process; otherwise as ``append``."""
        count = sum(block.count for block in blocks)
        with self._writing() as writer:
            first, last = self._last_seq + 1, self._last_seq + count
            if count:
                columns = table([block for block in blocks if block.count], first)  # lives until it has been read
                writer.from_arrow(columns).insert_into("events")
                writer.execute("INSERT INTO batches VALUES (?, ?, ?)", [first, last, alerts])
            if position is not None:
                positions.remember(writer, position)
            writer.execute("COMMIT")
            self._last_seq = last
        return (first, last) if count else (0, 0)

    def position(self, key: str) -> int:
        """Return the offset remembered for a key, 0 when nothing is known."""
        with self._reading() as cursor:
            row = cursor.execute('SELECT "offset" FROM positions WHERE key = ?', [key]).fetchone()
        return int(row[0]) if row else 0

    def positions(self, prefix: str) -> dict[str, int]:
        """Return the offsets remembered for all keys that begin so."""
        with self._reading() as cursor:
            return positions.below(cursor, prefix)

    def forget(self, prefix: str, keep: Collection[str]) -> None:
        """Forget the positions whose keys begin so, but for those of ``keep``."""
        with self._writing() as writer:
            writer.execute(
                "DELETE FROM positions WHERE starts_with(key, ?) AND NOT list_contains(?::VARCHAR[], key)",
                [prefix, list(keep)],
            )
            writer.execute("COMMIT")

    def alertable(self, after: int) -> Iterator[SecurityEvent]:
        """Yield events with a seq above ``after`` that were stored with ``alerts``, oldest first.

        Between two events nothing is held open, so the caller may take its time and append meanwhile.
        """
        return alerting.alertable(self._reading, after)

    def others(self) -> tuple[Writer, ...]:
        """Return nothing: one program alone writes to a file."""
        return ()

    def alertable_of(self, writer: Writer, after: int) -> tuple[list[SecurityEvent], int]:  # noqa: ARG002 - see above
        """Return nothing."""
        return [], writer.last_seq

    def pages(self, kinds: Collection[Kind], since: datetime, until: datetime) -> Pages:
        """Return the events of these kinds in [since, until), in order of their times."""
        return alerting.pages(self._reading, kinds, since, until, up_to_seq=self._last_seq)

    def last_seq(self) -> int:
        """Return the highest seq given so far, 0 for an empty store; it stays when events are pruned."""
        return self._last_seq

    def prune(self, before: datetime) -> int:
        """Delete the events older than ``before``; return how many. Their seqs are never given again.

        The file keeps its size; its free blocks are used for new events.
        """
        moment = naive_utc(before)
        with self._writing() as writer:
            row = writer.execute('DELETE FROM events WHERE "at" < ?', [moment]).fetchone()
            # The newest batch stays: it holds the highest seq.
            writer.execute(
                "DELETE FROM batches WHERE last_seq < (SELECT max(last_seq) FROM batches)"
                " AND last_seq < (SELECT coalesce(min(seq), 9223372036854775807) FROM events)"
            )
            writer.execute("COMMIT")
        return int(row[0]) if row else 0

    def shrink(self, most_bytes: int) -> int:
        """Delete the oldest events, by whole days, until the store takes at most so much; return how many.

        What counts are used blocks; those of deleted events become free here.
        """
        with self._reading() as cursor:
            if retention.used_bytes(cursor, self._path) <= most_bytes:
                return 0
        self._checkpoint()
        with self._reading() as cursor:
            used = retention.used_bytes(cursor, self._path)
            before = retention.surplus_end(cursor, used, most_bytes) if used > most_bytes else None
        deleted = self.prune(before) if before else 0
        self._checkpoint()
        return deleted

    def _checkpoint(self) -> None:
        """Free the blocks of deleted events, where no reader is in the way."""
        import duckdb

        with self._write_lock, contextlib.suppress(duckdb.TransactionException):
            if self._root is not None:
                self._writer.execute("CHECKPOINT")

    def renew(self) -> None:
        """Take a new uuid, because events that had a seq are lost and their seqs will be given again."""
        new = str(uuid.uuid4())
        with self._writing() as writer:
            writer.execute("UPDATE meta SET value = ? WHERE key = 'uuid'", [new])
            writer.execute("COMMIT")
            self._uuid = new

    def give_back(self) -> None:
        """Give memory back that only answers sooner what may never be asked again, unless the store is in use.

        One report over ten million events would otherwise cost 250 MiB for as long as the program runs.
        """
        import duckdb

        with self._write_lock, self._door, contextlib.suppress(duckdb.Error):
            if self._root is not None and not self._cursors and not self._refuses:
                give_back(self._root, self._memory_mebibytes)

    def close(self) -> None:
        """Flush and close; calling it twice is harmless. Afterwards every method raises ``StoreError``.

        So do questions that are being answered meanwhile.
        """
        with self._write_lock:
            self._closed = True
            self._shut()

    def _shut(self) -> None:
        """Close the file; the write lock is held."""
        import duckdb

        with self._door:
            root, self._root = self._root, None
            if root is None:
                return
            # the engine refuses to close under a question that is being answered
            until = time.monotonic() + _CLOSE_SECONDS
            while self._cursors and time.monotonic() < until:
                for cursor in self._cursors:
                    with contextlib.suppress(duckdb.Error):  # it ended of itself just now
                        cursor.interrupt()
                self._door.wait(0.05)
            with contextlib.suppress(duckdb.Error):
                self._writer.close()
                root.close()
            del self._writer  # the engine complains at the end of the process of what is still known by then

    def _open_anew(self, *, read_only: bool) -> None:
        """Open the file again where a fault of the disk has made the engine refuse all; the write lock is held.

        What had been told as stored is there. Raises ``StoreError``: it is tried again at the next use.
        """
        import duckdb

        self._shut()
        if self._closed:
            raise StoreError(path=self._path, reason=N_("it is closed"))
        if not self._path.exists():
            raise StoreError(path=self._path, reason=N_("it is not there any more"))
        try:
            self._root = connect(self._path, self._memory_mebibytes, read_only=read_only)
            self._writer = self._root.cursor()
            self._uuid, self._last_seq = self._begin(may_create=False)
        except duckdb.Error as error:
            self._shut()
            raise explained(self._path, error, opening=True) from error
        except StoreError:
            self._shut()
            raise
        self._refuses, self._only_reads = False, read_only
        log.warning("the event store was opened again after a fault of the disk%s", ", to be read" if read_only else "")

    def _begin(self, *, may_create: bool) -> tuple[str, int]:
        """Make the tables of a new file; return the uuid and the last seq."""
        tables = self._writer.execute(_ANY_TABLE).fetchall()
        if may_create and tables == [(0,)]:
            self._writer.execute("BEGIN TRANSACTION")
            self._writer.execute(migrations.SCHEMA_SQL)
            self._writer.execute(
                "INSERT INTO meta VALUES ('uuid', ?), ('schema', ?)", [str(uuid.uuid4()), str(migrations.SCHEMA)]
            )
            self._writer.execute("COMMIT")
            self._writer.execute("CHECKPOINT")  # so that the log to replay never holds the making of tables
            self._path.chmod(0o600)
        if migrations.version_of(self._writer, self._path) != migrations.SCHEMA:
            raise StoreError(path=self._path, reason=N_("it must be opened for writing once, to be brought up to date"))
        found = self._writer.execute("SELECT value FROM meta WHERE key = 'uuid'").fetchone()
        if found is None:
            raise StoreDamaged(path=self._path, reason=N_("it does not say what it is"))
        row = self._writer.execute("SELECT coalesce(max(last_seq), 0) FROM batches").fetchone()
        return str(found[0]), int(row[0]) if row else 0

    def _migrate(self, memory_mebibytes: int) -> None:
        """Bring a file of an older version up to date; it is kept as it was, beside this one."""
        if self._root is None or self._writer.execute(_ANY_TABLE).fetchall() == [(0,)]:
            return
        version = migrations.version_of(self._writer, self._path)
        if version == migrations.SCHEMA:
            return
        self._writer.execute("CHECKPOINT")
        self._writer.close()
        self._root.close()
        self._root = None
        copy = migrations.keep_copy(self._path, version)
        self._root = connect(self._path, memory_mebibytes, read_only=False)
        self._writer = self._root.cursor()
        migrations.migrate(self._writer, version)
        log.warning(
            "the event store was brought from version %d to %d; it is kept as %s", version, migrations.SCHEMA, copy
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator["DuckDBPyConnection"]:
        """Give the write connection in a transaction that the body commits; it is rolled back where it does not."""
        import duckdb

        with self._write_lock:
            self._resting.may_write()
            try:
                if self._refuses or self._only_reads:
                    self._refuses = True
                    self._open_anew(read_only=self._read_only)
                if self._root is None:
                    raise StoreError(path=self._path, reason=N_("it is closed"))
                self._writer.execute("BEGIN TRANSACTION")
                yield self._writer
            except BaseException as error:
                if self._root is not None:
                    with contextlib.suppress(duckdb.Error):  # a failed COMMIT has rolled back already
                        self._writer.execute("ROLLBACK")
                if isinstance(error, duckdb.Error):
                    raise self._met(error) from error
                if self._refuses and isinstance(error, StoreError):  # it could not be opened anew
                    raise self._resting.met(error) from error
                raise
            self._resting.went_well()

    def _met(self, error: "duckdb.Error") -> StoreError:
        """Return what to raise for an error of a statement that writes."""
        self._refuses = self._refuses or refuses_all(error)
        fault = explained(self._path, error)
        return self._resting.met(fault) if is_of_the_disk(error) else fault

    @contextlib.contextmanager
    def _reading(self) -> Iterator["DuckDBPyConnection"]:
        import duckdb

        if self._refuses:
            with self._write_lock:
                if self._refuses:
                    self._open_anew(read_only=self._read_only or self._resting.rests)
        with self._door:
            if self._root is None:
                raise StoreError(path=self._path, reason=N_("it is closed"))
            cursor = self._root.cursor()
            self._cursors.append(cursor)
        try:
            yield cursor
        except duckdb.Error as error:
            self._refuses = self._refuses or refuses_all(error)
            raise explained(self._path, error) from error
        finally:
            cursor.close()
            with self._door:
                self._cursors = [other for other in self._cursors if other is not cursor]
                self._door.notify_all()


def open_store(path: Path, *, memory_mebibytes: int = 256) -> tuple[EmbeddedStore, Path | None]:
    """Open the store as ``open_kind`` does."""
    return open_kind(EmbeddedStore, path, memory_mebibytes=memory_mebibytes)


def open_kind(kind: type[Kept], path: Path, *, memory_mebibytes: int = 256) -> tuple[Kept, Path | None]:
    """Open the store; set aside what is damaged and go on with the rest, under a new uuid.

    Where only the write-ahead log is damaged, the events up to the last checkpoint are kept. Returns the store and the
    file set aside (the log alone, or the store with its log beside it), None where all is well. Raises ``StoreError``
    where the file may be sound but cannot be used (rights, disk), ``StoreBusy`` where another process has it open.
    """
    try:
        return kind(path, memory_mebibytes=memory_mebibytes), None
    except StoreDamaged:
        aside = free_name(path)
    log, log_aside = Path(f"{path}.wal"), Path(f"{aside}.wal")
    if log.exists():
        move(log, log_aside)
        with contextlib.suppress(StoreDamaged):
            store = kind(path, memory_mebibytes=memory_mebibytes)
            store.renew()
            return store, log_aside
    move(path, aside)
    return kind(path, memory_mebibytes=memory_mebibytes), aside
