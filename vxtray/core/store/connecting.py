"""How the embedded store's file is opened: with bounded memory, and without a way out. Any thread."""

from pathlib import Path
from typing import TYPE_CHECKING

from vxtray.core.errors import StoreError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TEMPORARY_GIBIBYTES = 2


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
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection
