"""The layout of the outbox's file, and how a file of an earlier release becomes one of today.

Runs where the file is opened. ``PRAGMA user_version`` names the layout: 0 is a new file or one of the first release.
The mails' bytes have a table of their own, because SQLite writes a whole row again when one of its columns changes.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from vxtray.core.errors import N_, StoreError

VERSION = 3

#: The first layout with the bytes in a table of their own.
_BYTES_APART = 2

_TABLES = (
    """CREATE TABLE mails (
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
        rank INTEGER NOT NULL DEFAULT 1,
        waits_since TEXT NOT NULL DEFAULT '',
        rounds INTEGER NOT NULL DEFAULT 0,
        dot_at TEXT NOT NULL DEFAULT '',
        resend_of INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    "CREATE INDEX mails_by_turn ON mails (state, rank, id)",
    "CREATE INDEX mails_by_settling ON mails (settled_at)",
    """CREATE TABLE contents (
        mail INTEGER PRIMARY KEY REFERENCES mails (id) ON DELETE CASCADE,
        data BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE recipients (
        mail INTEGER NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
        address TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued',
        reply TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (mail, address)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        mail INTEGER NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
        at TEXT NOT NULL,
        seconds REAL NOT NULL,
        stage TEXT NOT NULL,
        outcome TEXT NOT NULL,
        reply TEXT NOT NULL,
        peer TEXT NOT NULL DEFAULT '',
        mechanism TEXT NOT NULL DEFAULT '',
        tls TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE INDEX attempts_by_mail ON attempts (mail)",
    "CREATE TABLE periods (key TEXT PRIMARY KEY, settled_at TEXT NOT NULL, outcome TEXT NOT NULL) STRICT",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    """CREATE TABLE history (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        what TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX history_by_time ON history (at)",
)

#: Incidents of alerts: what each gathered (``tallies``; letter 0 is what stands in no mail yet), and its mails.
#: ``severity`` of a tally is its rank.
_INCIDENTS = (
    """CREATE TABLE incidents (
        id INTEGER PRIMARY KEY,
        shape TEXT NOT NULL,
        urgent INTEGER NOT NULL,
        opened_at TEXT NOT NULL,
        last_at TEXT NOT NULL,
        rule TEXT NOT NULL,
        source TEXT NOT NULL,
        target TEXT NOT NULL,
        why TEXT NOT NULL,
        silence INTEGER NOT NULL,
        title TEXT NOT NULL,
        severity TEXT NOT NULL,
        events INTEGER NOT NULL,
        untold INTEGER NOT NULL,
        mails INTEGER NOT NULL,
        next_at TEXT NOT NULL,
        acknowledged_at TEXT NOT NULL,
        closed_at TEXT NOT NULL,
        thread TEXT NOT NULL DEFAULT '',
        last_message_id TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE INDEX incidents_by_closing ON incidents (closed_at)",
    """CREATE TABLE tallies (
        incident INTEGER NOT NULL,
        letter INTEGER NOT NULL,
        rule TEXT NOT NULL,
        source TEXT NOT NULL,
        target TEXT NOT NULL,
        what TEXT NOT NULL,
        country TEXT NOT NULL,
        severity INTEGER NOT NULL,
        events INTEGER NOT NULL,
        blocked INTEGER NOT NULL,
        first_at TEXT NOT NULL,
        last_at TEXT NOT NULL,
        first_seq INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        PRIMARY KEY (incident, letter, rule, source, target, what)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE letters (
        incident INTEGER NOT NULL,
        number INTEGER NOT NULL,
        mail INTEGER NOT NULL,
        kind TEXT NOT NULL,
        at TEXT NOT NULL,
        events INTEGER NOT NULL,
        PRIMARY KEY (incident, number)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX letters_by_mail ON letters (mail)",
)

#: From the first release's layout: what is new, and the bytes in a table of their own.
_FROM_FIRST = (
    "DROP INDEX IF EXISTS mails_by_state",
    "ALTER TABLE mails ADD COLUMN rank INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE mails ADD COLUMN waits_since TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE mails ADD COLUMN rounds INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE mails ADD COLUMN dot_at TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE mails ADD COLUMN resend_of INTEGER NOT NULL DEFAULT 0",
    "UPDATE mails SET rank = CASE kind WHEN 'report' THEN 2 ELSE 1 END, waits_since = added_at, rounds = tries",
    *_TABLES[1:4],
    "INSERT INTO contents (mail, data) SELECT id, data FROM mails",
    "ALTER TABLE mails DROP COLUMN data",
    *(f"ALTER TABLE attempts ADD COLUMN {name} TEXT NOT NULL DEFAULT ''" for name in ("peer", "mechanism", "tls")),
    _TABLES[6],
    *_TABLES[9:],
)


def bring_up_to_date(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or change an old file's in one transaction, after a copy beside it (``.v0``) was kept.

    Raises ``sqlite3.Error``, ``OSError``, and ``StoreError`` for a file of a newer release, which is left as it is.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version > VERSION:
        raise StoreError(
            N_("{path} was written by a newer vxtray."),
            N_("Start the newer vxtray, or move the file away to begin a new outbox."),
            path=path,
        )
    old = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'mails'").fetchone() is not None
    if old:
        _keep_copy(db, path.with_name(f"{path.name}.v{version}"))
    before = _TABLES if not old else _FROM_FIRST if version < _BYTES_APART else ()
    _change(db, lambda: [db.execute(statement) for statement in (*before, *_INCIDENTS)])


def _change(db: sqlite3.Connection, change: Callable[[], object]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        change()
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _keep_copy(db: sqlite3.Connection, path: Path) -> None:
    """Write a whole copy of the file, which appears under its name only when it is complete."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    copy = sqlite3.connect(part)
    try:
        db.backup(copy)
    finally:
        copy.close()
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
