"""The tables on a ClickHouse server: the SQL that makes them, for one server or a cluster, and how long events stay.

Pure but for what a given client is asked; any thread.
"""

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = logging.getLogger(__name__)

#: Where the SQL stands among the resources.
RESOURCE = "sql/clickhouse.sql"

_PLACE = re.compile(r"\{(\w+)\}")
_DAYS = re.compile(r"toIntervalDay\((\d+)\)|INTERVAL (\d+) DAY")
_WINDOW = 10_000
_WEEK = 7 * 86400


def statements(text: str, database: str, days: int, cluster: str = "") -> list[str]:
    """Return the statements of ``RESOURCE``'s text that make the tables; events stay for ``days``.

    With a ``cluster`` each shard has replicated tables of its own, and ``events`` and ``programs`` go to all of them.
    Database and cluster are names as ``settings.wellformed.is_identifier`` has them.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    values = _of_cluster(cluster) if cluster else _OF_SERVER
    values = {**values, "database": database, "days": str(days), "cluster": cluster}
    parts = [part.strip(" \n;") for part in "\n".join(lines).split(";\n")]
    wanted = [part for part in parts if part and (cluster or "{cluster}" not in part)]
    return [_PLACE.sub(lambda place: values[place[1]], part) for part in wanted]


_OF_SERVER = {
    "on_cluster": "",
    "events": "events",
    "programs": "programs",
    "engine": "MergeTree",
    "newest": "ReplacingMergeTree",
    "window": f"non_replicated_deduplication_window = {_WINDOW}",
}


def _of_cluster(cluster: str) -> dict[str, str]:
    return {
        "on_cluster": f" ON CLUSTER {cluster}",
        "events": local("events", cluster),
        "programs": local("programs", cluster),
        "engine": "ReplicatedMergeTree",
        "newest": "ReplicatedReplacingMergeTree",
        "window": (f"replicated_deduplication_window = {_WINDOW}, replicated_deduplication_window_seconds = {_WEEK}"),
    }


def local(table: str, cluster: str) -> str:
    """Return the table that holds the rows: on a cluster it is behind the one that is asked."""
    return f"{table}_local" if cluster else table


def missing(client: "Client", database: str) -> list[str]:
    """Return which of the tables are not there. Raises what the driver raises."""
    asked = client.query(
        "SELECT name FROM system.tables WHERE database = {database:String}", parameters={"database": database}
    )
    there = {str(row[0]) for row in asked.result_rows}
    return [table for table in ("events", "programs") if table not in there]


def is_denied(error: Exception) -> bool:
    """Return whether the account lacks a right."""
    return "Code: 497" in str(error)


def make(client: "Client", text: str, database: str, days: int, cluster: str) -> None:
    """Make the tables that are not there. Raises what the driver raises, also where the account may not."""
    for statement in statements(text, database, days, cluster):
        client.command(statement)


def keep_for(client: "Client", database: str, days: int, cluster: str) -> bool:
    """Let the server delete events after so many days; return whether it was told anew.

    Where the account may not say so, it stays as it is. Raises what the driver raises.
    """
    from clickhouse_connect.driver.exceptions import DatabaseError

    table = local("events", cluster)
    asked = client.query(
        "SELECT create_table_query FROM system.tables WHERE database = {database:String} AND name = {table:String}",
        parameters={"database": database, "table": table},
    )
    said = next((_DAYS.search(str(row[0])) for row in asked.result_rows), None)
    if said is None or int(said[1] or said[2]) == days:
        return False
    on_cluster = f" ON CLUSTER {cluster}" if cluster else ""
    try:
        client.command(
            f"ALTER TABLE {database}.{table}{on_cluster} MODIFY TTL at + INTERVAL {days:d} DAY",
            settings={"materialize_ttl_after_modify": 0},
        )
    except DatabaseError as error:
        if not is_denied(error):
            raise
        log.warning("the server keeps events for another time than %d days, and the account may not change it", days)
        return False
    return True
