"""The tables of the event store, and how those of an older version become them when ``embedded`` opens a file.

Each step changes the tables in place, all steps in one transaction; before them the file as it was is kept beside it.
"""

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vxtray.core.errors import N_, StoreDamaged, StoreError
from vxtray.core.events import Action, Category, Severity

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Step = Callable[["DuckDBPyConnection"], None]

#: Of the tables as this version makes them.
SCHEMA = 1
#: ``STEPS[n]`` turns version n into version n + 1. Version 1 is the first that was published.
STEPS: dict[int, Step] = {}


def _enum(values: Sequence[str]) -> str:
    return "ENUM (" + ", ".join(f"'{value}'" for value in values) + ")"


# No index and no key: a primary key makes the file four times larger, and replaying one is where DuckDB fails.
SCHEMA_SQL = f"""
CREATE TYPE category AS {_enum(list(Category))};
CREATE TYPE action AS {_enum(list(Action))};
CREATE TYPE severity AS {_enum(list(Severity))};
CREATE TABLE events (
    seq BIGINT NOT NULL, "at" TIMESTAMP NOT NULL, source VARCHAR NOT NULL, category category NOT NULL,
    action action NOT NULL, severity severity NOT NULL, src_ip VARCHAR NOT NULL, src_port INTEGER NOT NULL,
    country VARCHAR NOT NULL, dst_ip VARCHAR NOT NULL, dst_port INTEGER NOT NULL, target_host VARCHAR NOT NULL,
    target_url VARCHAR NOT NULL, "user" VARCHAR NOT NULL, rule_id VARCHAR NOT NULL, rule_name VARCHAR NOT NULL,
    message VARCHAR NOT NULL, score INTEGER
);
CREATE TABLE positions (key VARCHAR NOT NULL, "offset" BIGINT NOT NULL);
CREATE TABLE batches (first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL, alerts BOOLEAN NOT NULL);
CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
"""


def version_of(cursor: "DuckDBPyConnection", path: Path) -> int:
    """Return the version of a file that has tables.

    Raises ``StoreDamaged`` where it does not say, ``StoreError`` where a newer vxtray wrote it, ``duckdb.Error``.
    """
    row = next(iter(cursor.execute("SELECT value FROM meta WHERE key = 'schema'").fetchall()), None)
    if row is None or not row[0].isdecimal():
        raise StoreDamaged(path=path, reason=N_("it does not say what it is"))
    version = int(row[0])
    if version > SCHEMA:
        raise StoreError(
            N_("The event store {path} was written by a newer vxtray."),
            N_("Install that version again, or move the file away to begin with an empty store."),
            path=path,
        )
    return version


def keep_copy(path: Path, version: int) -> Path:
    """Copy a file that is closed, and return the copy: ``events.schema-1.duckdb``. Raises ``StoreError``."""
    copy = path.with_name(f"{path.stem}.schema-{version}{path.suffix}")
    half = copy.with_name(f"{copy.name}.new")
    try:
        shutil.copy2(path, half)
        half.replace(copy)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)
        raise StoreError(path=path, reason=error.strerror or str(error)) from error
    return copy


def migrate(cursor: "DuckDBPyConnection", version: int) -> None:
    """Take every step from ``version`` on. Raises ``duckdb.Error``; then nothing has changed."""
    cursor.execute("BEGIN TRANSACTION")
    for step in range(version, SCHEMA):
        STEPS[step](cursor)
    cursor.execute("UPDATE meta SET value = ? WHERE key = 'schema'", [str(SCHEMA)])
    cursor.execute("COMMIT")
    cursor.execute("CHECKPOINT")  # so that the log to replay never holds a change of tables
