"""The one SQLite file of mails and of what must agree with them: settled report periods, the alert cursor, pauses.

One connection reads and writes, behind a lock, so any thread may call; while the program runs, other processes reach
the file only through the control socket. Every transaction is on the disk when it returns (WAL, synchronous=FULL).
"""

import contextlib
import errno
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from vxtray.core.errors import N_, StoreBusy, StoreDamaged, StoreError, StoreFull
from vxtray.core.paths import private_folder
from vxtray.core.settings.tree import shown

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    message_id TEXT NOT NULL,
    mail_from TEXT NOT NULL,
    added_at TEXT NOT NULL,
    state TEXT NOT NULL,
    next_try_at TEXT NOT NULL,
    settled_at TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS mails_by_state ON mails (state, next_try_at);
CREATE TABLE IF NOT EXISTS recipients (
    mail INTEGER NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    reply TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (mail, address)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY,
    mail INTEGER NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
    at TEXT NOT NULL,
    seconds REAL NOT NULL,
    stage TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reply TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS periods (key TEXT PRIMARY KEY, settled_at TEXT NOT NULL, outcome TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


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
        self._lock = threading.RLock()
        with self._converted():
            private_folder(path.parent)
            path.touch(mode=0o600)  # before SQLite makes it: its journals take over this mode
            path.chmod(0o600)
            self._db = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA fullfsync=ON")
            self._db.execute("PRAGMA foreign_keys=ON")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file; calling it twice is harmless."""
        with self._lock:
            self._db.close()

    def fact(self, name: str) -> str:
        """Return a remembered text, "" where there is none."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def set_fact(self, name: str, value: str) -> None:
        """Remember a text durably; "" forgets it."""
        with self._transaction() as db:
            set_fact(db, name, value)

    def settled_periods(self) -> frozenset[str]:
        """Return the keys of the report periods that were sent or skipped."""
        with self._reading() as db:
            return frozenset(key for (key,) in db.execute("SELECT key FROM periods"))

    def settle_period(self, key: str, outcome: str, now: datetime) -> None:
        """Record that a period needs no report any more (``skipped``)."""
        with self._transaction() as db:
            settle_period(db, key, outcome, now)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._converted():
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
        with self._lock, self._converted():
            yield self._db

    @contextlib.contextmanager
    def _converted(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _explained(self.path, error) from error


def _explained(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Return what an error means; the low byte of SQLite's code is the fault, the others tell where it was met."""
    if isinstance(error, OSError):
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return StoreFull(_FULL, _MAKE_ROOM, path=path)
        return StoreError(path=path, reason=error.strerror or str(error))
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(_FULL, _MAKE_ROOM, path=path)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusy(N_("{path} is in use by another program."), path=path)
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
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
    """Record what became of a report period, once, within a transaction."""
    db.execute(
        "INSERT INTO periods (key, settled_at, outcome) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (key, as_text(now), outcome),
    )
