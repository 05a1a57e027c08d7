"""Saves what can be read of a damaged outbox, row by row, into a new file; the damaged one is kept beside it.

Runs where the file is opened, before anybody else uses it.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vxtray.core.mail.schema import bring_up_to_date

#: So many rows in a row that cannot be read end the search in a table.
_MOST_MISSED = 2000

_BESIDE = ("", "-wal", "-shm")
_BY_NUMBER = ("mails", "contents", "attempts", "history", "incidents")
_BY_NAME = ("periods", "facts", "recipients", "letters", "tallies")


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """How many mails were saved, how many of them without their content or recipients, and where the old file is."""

    kept: int
    broken: int
    aside: Path


def damaged(db: sqlite3.Connection) -> bool:
    """Return whether the tables cannot be read through; the mails' contents are not looked at, for they are large."""
    try:
        for table in ("mails", "recipients", "facts", "periods"):
            db.execute(f"SELECT count(*), max(length(CAST({_column(table)} AS BLOB))) FROM {table}").fetchone()  # noqa: S608
    except sqlite3.DatabaseError as error:
        return _corrupt(error)
    return False


def _column(table: str) -> str:
    return {"mails": "reply", "recipients": "reply", "facts": "value", "periods": "outcome"}[table]


def salvage(path: Path) -> Salvaged:
    """Set a damaged file aside and make a new one of what can be read. Raises ``sqlite3.Error``, ``OSError``."""
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
    for ending in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{ending}").rename(f"{aside}{ending}")
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    old, new = sqlite3.connect(aside), sqlite3.connect(part, isolation_level=None)
    try:
        new.execute("PRAGMA synchronous=FULL")
        bring_up_to_date(new, part)
        for table in (*_BY_NUMBER, *_BY_NAME):
            new.execute("BEGIN")
            _copy(old, new, table)
            new.execute("COMMIT")
        (kept,) = new.execute("SELECT count(*) FROM mails").fetchone()
        (broken,) = new.execute(
            "SELECT count(*) FROM mails WHERE NOT EXISTS (SELECT 1 FROM contents WHERE mail = mails.id)"
            " OR NOT EXISTS (SELECT 1 FROM recipients WHERE mail = mails.id)"
        ).fetchone()
    finally:
        old.close()
        new.close()
    part.replace(path)
    return Salvaged(kept=kept, broken=broken, aside=aside)


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    try:
        names = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
    except sqlite3.DatabaseError:
        return
    known = {row[1] for row in new.execute(f"PRAGMA table_info({table})")}
    columns = [name for name in names if name in known]
    insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    for row in _rows(old, table, columns):
        with contextlib.suppress(sqlite3.IntegrityError, sqlite3.DataError):
            new.execute(insert, row)


def _rows(old: sqlite3.Connection, table: str, columns: list[str]) -> Iterator[tuple[object, ...]]:
    """Yield the rows that can be read, stepping over those that cannot."""
    select = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - own names
    if table in _BY_NAME:
        with contextlib.suppress(sqlite3.DatabaseError):
            yield from old.execute(select)
        return
    last, missed = 0, 0
    while missed < _MOST_MISSED:
        try:
            row = old.execute(
                f"SELECT {columns[0]}, {', '.join(columns)} FROM {table} WHERE {columns[0]} > ?"  # noqa: S608
                f" ORDER BY {columns[0]} LIMIT 1",
                (last,),
            ).fetchone()
        except sqlite3.DatabaseError:
            last, missed = last + 1, missed + 1
            continue
        if row is None:
            return
        last, missed = int(row[0]), 0
        yield row[1:]


def _corrupt(error: sqlite3.DatabaseError) -> bool:
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) == sqlite3.SQLITE_CORRUPT
