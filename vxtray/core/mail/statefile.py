"""The one SQLite file of mails and of what must agree with them: settled report periods, the alert cursor, pauses.

One connection reads and writes, behind a lock, so any thread may call; beside a transaction of another thread a second
one reads what was there before, so that the window never waits for the disk. While the program runs, other processes
reach the file only through the control socket. A transaction is on the disk when it returns (WAL, synchronous=FULL).
"""

import contextlib
import errno
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from vxtray.core.errors import N_, StoreBusy, StoreDamaged, StoreError, StoreFull
from vxtray.core.mail.salvage import Salvaged, corrupt, damaged, salvage
from vxtray.core.mail.schema import bring_up_to_date
from vxtray.core.paths import private_folder
from vxtray.core.settings.tree import shown

_FULL = N_("The disk is full: {path} cannot take new mails.")
_MAKE_ROOM = N_("Make room on the disk; the mails that are kept already are not lost.")

#: Faults that need no words of their own beyond a reason.
_REASONS = {
    sqlite3.SQLITE_READONLY: N_("it may only be read"),
    sqlite3.SQLITE_PERM: N_("Permission denied"),
    sqlite3.SQLITE_CANTOPEN: N_("it cannot be opened"),
    sqlite3.SQLITE_IOERR: N_("the disk reports a fault"),
}


class StateFile:
    """Opens the file, and keeps facts and settled report periods."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises ``StoreError``."""
        self.path = path
        #: What was saved, where the file was damaged and had to be made anew.
        self.salvaged: Salvaged | None = None
        self._lock = threading.RLock()
        self._beside = threading.RLock()
        self._reader: sqlite3.Connection | None = None
        self._durable = True  # as ``synchronous`` was set last
        with self._converted():
            private_folder(path.parent)
            path.touch(mode=0o600)  # before SQLite makes it: its journals take over this mode
            path.chmod(0o600)
            self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        """Connect; what can be read of a damaged file is saved first, also where it cannot even be connected to."""
        try:
            db = _connected(self.path)
            if not damaged(db):
                return db
            db.close()
        except sqlite3.DatabaseError as error:
            if not corrupt(error):
                raise
        self.salvaged = salvage(self.path)
        return _connected(self.path)

    def close(self) -> None:
        """Close the file; calling it twice is harmless."""
        with self._lock, self._beside:
            if self._reader is not None:
                self._reader.close()
            self._db.close()

    def fact(self, name: str) -> str:
        """Return a remembered text, "" where there is none."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def set_fact(self, name: str, value: str, *, durable: bool = True) -> None:
        """Remember a text, "" forgets it; if not ``durable``, a power cut may undo it."""
        with self._transaction(durable=durable) as db:
            set_fact(db, name, value)

    def settled_periods(self) -> frozenset[str]:
        """Return the keys of the report periods that were sent or skipped."""
        with self._reading() as db:
            return frozenset(key for (key,) in db.execute("SELECT key FROM periods"))

    def period_outcomes(self) -> dict[str, str]:
        """Return what became of each report period that was settled: ``queued`` or ``skipped``."""
        with self._reading() as db:
            return dict(db.execute("SELECT key, outcome FROM periods"))

    def reopen_periods(self, keys: Iterable[str]) -> None:
        """Forget that report periods were skipped."""
        with self._transaction() as db:
            db.executemany("DELETE FROM periods WHERE key = ? AND outcome = 'skipped'", [(key,) for key in keys])

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Change several things or none. If not ``durable``, it does not wait for the disk: a power cut may undo it."""
        with self._lock, self._converted():
            if durable is not self._durable:  # only where it changes: each switch costs as much as a statement
                self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a failed COMMIT (disk full) may have rolled back by itself
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._converted():
            if self._lock.acquire(blocking=False):
                try:
                    yield self._db
                finally:
                    self._lock.release()
                return
            with self._beside:
                if self._reader is None:
                    self._reader = _connected(self.path)
                    self._reader.execute("PRAGMA query_only=ON")
                if self._reader.in_transaction:  # a question within a question of this thread
                    yield self._reader
                    return
                self._reader.execute("BEGIN")
                try:
                    yield self._reader
                finally:
                    self._reader.execute("ROLLBACK")

    @contextlib.contextmanager
    def _converted(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _explained(self.path, error) from error


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA fullfsync=ON")
        db.execute("PRAGMA foreign_keys=ON")
        bring_up_to_date(db, path)
    except BaseException:
        db.close()
        raise
    return db


def full(path: Path) -> StoreFull:
    """Return the fault of a disk that is full."""
    return StoreFull(_FULL, _MAKE_ROOM, path=path)


def _explained(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Return what an error means; the low byte of SQLite's code is the fault, the others tell where it was met."""
    if isinstance(error, OSError):
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return full(path)
        return StoreError(path=path, reason=error.strerror or str(error))
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return full(path)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusy(N_("{path} is in use by another program."), path=path)
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreDamaged(
            N_("{path} is damaged."),
            N_("Start vxtray again: it saves the mails that can be read, and keeps the damaged file beside."),
            path=path,
        )
    if code == sqlite3.SQLITE_NOTADB:
        return StoreDamaged(
            N_("{path} is damaged, so no mail can be kept."),
            N_("Quit vxtray, move the file away and start vxtray again; the mails that wait in it are lost."),
            path=path,
        )
    return StoreError(path=path, reason=_REASONS.get(code) or shown(str(error).rstrip(".")))


def as_text(moment: datetime) -> str:
    """Return UTC in a form that sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def set_fact(db: sqlite3.Connection, name: str, value: str) -> None:
    """Remember a text within a transaction; "" forgets it."""
    if value:
        db.execute(
            "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )
    else:
        db.execute("DELETE FROM facts WHERE name = ?", (name,))


def settle_period(db: sqlite3.Connection, key: str, outcome: str, now: datetime) -> None:
    """Record what became of a report period, within a transaction; one that was skipped may still be sent."""
    db.execute(
        "INSERT INTO periods (key, settled_at, outcome) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
        " settled_at = excluded.settled_at, outcome = excluded.outcome WHERE outcome = 'skipped'",
        (key, as_text(now), outcome),
    )
