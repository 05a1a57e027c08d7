"""How far sources have been read, in the transaction of whoever writes events (DuckDB)."""

from typing import TYPE_CHECKING

from vxtray.core.store import Position

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def below(cursor: "DuckDBPyConnection", prefix: str) -> dict[str, int]:
    """Return the offsets of all keys that begin so."""
    found = cursor.execute('SELECT key, "offset" FROM positions WHERE starts_with(key, ?)', [prefix])
    return dict(found.fetchall())


def remember(writer: "DuckDBPyConnection", position: Position) -> None:
    """Remember a position with its marks, and forget what it says is outdated; within a transaction."""
    writer.execute("DELETE FROM positions WHERE key = ?", [position.key])
    writer.execute("INSERT INTO positions VALUES (?, ?)", [position.key, position.offset])
    if marks := {key: offset for key, offset in position.marks if key != position.key}:
        keys, offsets = list(marks), list(marks.values())
        writer.execute("DELETE FROM positions WHERE key IN (SELECT unnest(?::VARCHAR[]))", [keys])
        writer.execute("INSERT INTO positions SELECT unnest(?::VARCHAR[]), unnest(?::BIGINT[])", [keys, offsets])
    for prefix, limit in position.outdated:
        writer.execute('DELETE FROM positions WHERE starts_with(key, ?) AND "offset" < ?', [prefix, limit])
