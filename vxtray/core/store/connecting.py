"""How the embedded store's file is opened: with bounded memory, and without a way out. Any thread."""

from pathlib import Path
from typing import TYPE_CHECKING

from vxtray.core.errors import StoreError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TEMPORARY_GIBIBYTES = 2
#: Held memory that is not worth giving back.
_ENOUGH_MEBIBYTES = 16
_HELD = "SELECT coalesce(sum(memory_usage_bytes), 0) / 1048576 FROM duckdb_memory()"


def connect(path: Path, memory_mebibytes: int, *, read_only: bool) -> "DuckDBPyConnection":
    """Open the file with a cap on memory and on temporary files, without network and without other files.

    Raises ``StoreError`` where there can be no file, and ``duckdb.Error``.
    """
    import duckdb

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = Path(f"{path}.wal")
        if not read_only and path.is_file() and path.stat().st_size == 0 and not log.exists():
            path.unlink()  # killed between creating the file and writing its header; DuckDB would call it invalid
    except OSError as error:
        raise StoreError(path=path, reason=error.strerror or str(error)) from error
    connection = duckdb.connect(
        str(path),
        read_only=read_only,
        config={
            "memory_limit": f"{memory_mebibytes}MiB",
            "threads": 2,
            "temp_directory": f"{path}.tmp",
            "max_temp_directory_size": f"{_TEMPORARY_GIBIBYTES}GiB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("SET allowed_configs = ['memory_limit']")  # for give_back; all else stays as it is
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def give_back(connection: "DuckDBPyConnection", memory_mebibytes: int) -> None:
    """Let go of the pages of the file that the engine keeps, up to its cap for as long as the file is open.

    Nothing else may use the engine meanwhile. Raises ``duckdb.Error``.
    """
    (held,) = connection.execute(_HELD).fetchall()[0]
    if held <= _ENOUGH_MEBIBYTES:
        return
    try:
        connection.execute(f"SET memory_limit = '{_ENOUGH_MEBIBYTES}MiB'")
    finally:
        connection.execute(f"SET memory_limit = '{memory_mebibytes}MiB'")
