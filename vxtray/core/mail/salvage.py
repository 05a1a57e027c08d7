"""Saves what can be read of a damaged outbox, row by row, into a new file; the damaged one is kept beside it.

Runs where the file is opened, before anybody else uses it. Until the new file is whole the damaged one keeps its name,
so that what ends it on the way, a crash or a full disk, costs nothing but the time.
"""

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vxtray.core.mail.schema import bring_up_to_date

#: So many rows in a row that cannot be read end the search in a table.
_MOST_MISSED = 2000

#: What ``quick_check`` says of a page that the disk did not give (SQLITE_IOERR and its extensions, sqlite.org/rescode).
_UNREAD = re.compile(r"error code=(?:10|266|522)\b")
#: So often a row is read before it is given up: the disk may have had a moment's fault.
_TRIES = 2
_BY_NUMBER = ("mails", "contents", "attempts", "history", "incidents")
_BY_NAME = ("periods", "facts", "recipients", "letters", "tallies")


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """How many mails were saved, how many of them without their content or recipients, and where the old file is."""

    kept: int
    broken: int
    aside: Path


def damaged(db: sqlite3.Connection) -> bool:
    """Return whether tables or their indexes are damaged; of the mails' contents, which are large, where one is added.

    The contents of a mail that are damaged are found at its turn. Pages that the disk does not give are damaged where
    it does not give them a second time either.
    """
    found = _found(db)
    return bool(_found(db) if _UNREAD.search(found) else found)


def _found(db: sqlite3.Connection) -> str:
    """Return in SQLite's words what is wrong, "" for nothing."""
    try:
        db.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()
        for table in (*_BY_NUMBER, *_BY_NAME):
            if table == "contents":
                db.execute("SELECT max(mail) FROM contents").fetchone()
            elif (said := "\n".join(row[0] for row in db.execute(f"PRAGMA quick_check({table})"))) != "ok":
                return said
    except sqlite3.DatabaseError as error:
        return str(error) if corrupt(error) else ""
    return ""


def salvage(path: Path) -> Salvaged:
    """Set a damaged file aside and make a new one of what can be read. Raises ``sqlite3.Error``, ``OSError``."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    old, new = sqlite3.connect(path), sqlite3.connect(part, isolation_level=None)
    try:
        new.execute("PRAGMA synchronous=FULL")
        bring_up_to_date(new, part)
        for table in (*_BY_NUMBER, *_BY_NAME):
            new.execute("BEGIN")
            _copy(old, new, table)
            new.execute("COMMIT")
        _forget_orphans(new)
        (kept,) = new.execute("SELECT count(*) FROM mails").fetchone()
        (broken,) = new.execute(
            "SELECT count(*) FROM mails WHERE NOT EXISTS (SELECT 1 FROM contents WHERE mail = mails.id)"
            " OR NOT EXISTS (SELECT 1 FROM recipients WHERE mail = mails.id)"
        ).fetchone()
    finally:
        old.close()
        new.close()
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
    try:  # so that there is no moment without a file
        os.link(path, aside)
    except OSError:  # a file system without links
        shutil.copyfile(path, aside)
    for ending in ("-wal", "-shm"):  # before the new file has its name, or SQLite took them for its own
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{ending}").replace(f"{aside}{ending}")
    part.replace(path)
    return Salvaged(kept=kept, broken=broken, aside=aside)


def _forget_orphans(new: sqlite3.Connection) -> None:
    """Forget what belongs to mails that could not be read, and give none of their numbers to a new mail."""
    tables = ("contents", "recipients", "attempts", "letters")
    numbers = [new.execute(f"SELECT max(mail) FROM {table}").fetchone()[0] or 0 for table in tables]  # noqa: S608
    numbers.append(new.execute("SELECT max(id) FROM mails").fetchone()[0] or 0)
    new.execute("BEGIN")
    for table in tables[:3]:
        new.execute(f"DELETE FROM {table} WHERE mail NOT IN (SELECT id FROM mails)")  # noqa: S608
    new.execute("DELETE FROM sqlite_sequence WHERE name = 'mails'")
    new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('mails', ?)", (max(numbers),))
    new.execute("COMMIT")


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    try:
        names = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
    except sqlite3.DatabaseError:
        return
    known = {row[1] for row in new.execute(f"PRAGMA table_info({table})")}
    columns = [name for name in names if name in known]
    if not columns:  # the table is gone, or its definition cannot be read
        return
    insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    for row in _rows(old, table, columns):
        with contextlib.suppress(sqlite3.IntegrityError, sqlite3.DataError):
            new.execute(insert, row)


def _rows(old: sqlite3.Connection, table: str, columns: list[str]) -> Iterator[tuple[object, ...]]:
    """Yield the rows that can be read, stepping over those that cannot; a row may come twice."""
    select = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - own names
    if table in _BY_NAME:
        for _ in range(_TRIES):
            with contextlib.suppress(sqlite3.DatabaseError):
                yield from old.execute(select)
                return
        return
    key = columns[0]
    following = f"SELECT {key}, {', '.join(columns)} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT 1"  # noqa: S608
    last, missed, tries = 0, 0, 0
    while missed < _MOST_MISSED:
        try:
            row = old.execute(following, (last,)).fetchone()
        except sqlite3.DatabaseError:
            tries += 1
            if tries == _TRIES:
                last, missed, tries = last + 1, missed + 1, 0
            continue
        if row is None:
            return
        last, missed, tries = int(row[0]), 0, 0
        yield row[1:]


def corrupt(error: sqlite3.DatabaseError) -> bool:
    """Return whether an error says that pages of the file are damaged."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) == sqlite3.SQLITE_CORRUPT
