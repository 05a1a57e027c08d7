"""Every engine that an event store may stand on: each must pass all that is asked of one."""

import atexit
import contextlib
import re
import tempfile
from collections.abc import Callable
from functools import cache, wraps
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from tests.peers.clickhouse import CLUSTER, PASSWORD, USER, ClickHousePeer, clickhouse_server
from vxtray.core.store import EventStore
from vxtray.core.store.clickhouse import ClickHouseStore
from vxtray.core.store.embedded import EmbeddedStore
from vxtray.core.store.tables import statements

SQL = Path(__file__).resolve().parents[3] / "resources/sql/clickhouse.sql"
_running = contextlib.ExitStack()
atexit.register(_running.close)


@cache
def clickhouse() -> ClickHousePeer:
    """Return the one server of this process."""
    folder = _running.enter_context(
        tempfile.TemporaryDirectory(prefix="vxtray-clickhouse-", ignore_cleanup_errors=True)
    )
    return _running.enter_context(clickhouse_server(Path(folder)))


def connect(peer: ClickHousePeer) -> "object":
    """Return a client."""
    import clickhouse_connect

    host, _, port = peer.url.removeprefix("http://").partition(":")
    return clickhouse_connect.get_client(
        host=host, port=int(port), username=USER, password=PASSWORD, autogenerate_session_id=False
    )


def clickhouse_store(folder: Path) -> ClickHouseStore:
    """Open the store of a folder, on a database of its own."""
    peer, database = clickhouse(), f"vxtray_{sha256(str(folder).encode()).hexdigest()[:16]}"
    for statement in statements(SQL.read_text(), database, 100_000):
        peer.run(statement)
    return ClickHouseStore(folder / "spool.duckdb", lambda: connect(peer), database)  # type: ignore[arg-type, return-value]


def cluster_store(folder: Path) -> ClickHouseStore:
    """Open a store on distributed tables, as a cluster of one shard has them but for replicas."""
    peer, database = clickhouse(), f"cluster_{sha256(str(folder).encode()).hexdigest()[:16]}"
    for statement in statements(SQL.read_text(), database, 100_000, CLUSTER):
        peer.run(alone(statement))
    return ClickHouseStore(folder / "spool.duckdb", lambda: connect(peer), database, cluster=CLUSTER)  # type: ignore[arg-type, return-value]


def alone(statement: str) -> str:
    """Return a statement for a cluster as one without a keeper takes it."""
    single = statement.replace(f" ON CLUSTER {CLUSTER}", "").replace("Replicated", "")
    return re.sub(r"\breplicated_(deduplication_window = \d+), replicated_\w+ = \d+", r"non_replicated_\1", single)


#: By name, what opens a store in a folder.
ENGINES: dict[str, Callable[[Path], EventStore]] = {
    "embedded": lambda folder: EmbeddedStore(folder / "events.duckdb"),
    "clickhouse": clickhouse_store,
}


def examples(many: int, few: int, *strategies: Any, **named: Any) -> Callable[[Callable[..., None]], Any]:
    """Let hypothesis try ``many`` examples on the embedded engine, and ``few`` on a server, where each takes seconds.

    ``try_examples`` of the test tries as many as one wants; see the slow test of ``test_clickhouse``.
    """

    def decorated(test: Callable[..., None]) -> Any:
        def try_examples(number: int, **fixtures: Any) -> None:
            tried = given(*strategies, **named)(test)
            settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck))(tried)(**fixtures)

        @wraps(settings(suppress_health_check=list(HealthCheck))(given(*strategies, **named)(test)))
        def run(**fixtures: Any) -> None:
            on_server = any(one is clickhouse_store or isinstance(one, ClickHouseStore) for one in fixtures.values())
            try_examples(few if on_server else many, **fixtures)

        run.try_examples = try_examples  # type: ignore[attr-defined]
        return run

    return decorated
