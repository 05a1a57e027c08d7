"""The SQL that makes the tables on a ClickHouse server: on one, and on a cluster as far as one without a keeper can."""

import pytest
import sqlglot
from sqlglot import exp

from tests.core.store.engines import SQL, alone, clickhouse, cluster_store, connect
from tests.core.store.test_clickhouse import event, put, stored
from tests.peers.clickhouse import CLUSTER
from vxtray.core.store import tables
from vxtray.core.store.tables import statements

TEXT = SQL.read_text()


@pytest.mark.parametrize("cluster", ["", "east"])
def test_each_statement_is_one_of_the_engines_own(cluster: str) -> None:
    made = statements(TEXT, "logs", 30, cluster)
    parsed = [sqlglot.parse_one(statement, read="clickhouse") for statement in made]
    assert all(isinstance(one, exp.Create) for one in parsed), "none is taken for a mere command"
    assert "{" not in "".join(made)
    assert not any(line.lstrip().startswith("--") for line in made)
    names = [one.this.find(exp.Table).sql() for one in parsed]
    on_cluster = [bool(one.find(exp.OnCluster)) for one in parsed]
    if cluster:
        assert names == ["logs", "logs.events_local", "logs.programs_local", "logs.events", "logs.programs"]
        assert on_cluster == [True] * 5
        assert "ENGINE = ReplicatedMergeTree\n" in made[1]
        assert "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800" in made[1]
        assert "ReplicatedReplacingMergeTree(seen)" in made[2]
        assert "Distributed(east, logs, events_local, cityHash64(writer, seq))" in made[3]
    else:
        assert names == ["logs", "logs.events", "logs.programs"]
        assert on_cluster == [False] * 3
        assert "non_replicated_deduplication_window = 10000" in made[1]
    assert "TTL at + INTERVAL 30 DAY" in made[1]


def test_what_is_not_there_is_made_once_and_events_stay_for_the_days_wanted() -> None:
    client = connect(clickhouse())
    assert tables.missing(client, "by_hand") == ["events", "programs"]  # type: ignore[arg-type]
    tables.make(client, TEXT, "by_hand", 400, "")  # type: ignore[arg-type]
    tables.make(client, TEXT, "by_hand", 400, "")  # type: ignore[arg-type]
    assert tables.missing(client, "by_hand") == []  # type: ignore[arg-type]
    assert not tables.keep_for(client, "by_hand", 400, "")  # type: ignore[arg-type]
    assert tables.keep_for(client, "by_hand", 900, "")  # type: ignore[arg-type]
    assert not tables.keep_for(client, "by_hand", 900, "")  # type: ignore[arg-type]


def test_on_a_cluster_a_batch_whose_answer_was_lost_is_not_doubled(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("vxtray.core.store.clickhouse._RETRY", 0.0)
    store = cluster_store(tmp_path)
    try:
        put(store, event())
        clickhouse().fail("lost", 2, of="INSERT")
        put(store, *(event(days * 24 * 60) for days in range(0, 200, 20)))
        assert store.waiting() == 10
        put(store)
        assert (store.waiting(), stored(store), store.count()) == (0, list(range(1, 12)), 11)
    finally:
        clickhouse().fail("", 0)
        store.close()


def test_on_a_cluster_deleting_goes_to_what_holds_the_rows(tmp_path, monkeypatch) -> None:
    store = cluster_store(tmp_path)
    asked: list[str] = []
    command = store._link.command
    monkeypatch.setattr(store._link, "command", lambda sql: asked.append(sql) or command(alone(sql)))
    try:
        put(store, event(), event(24 * 60))
        assert store.prune(event(60).at) == 1
        assert f".events_local ON CLUSTER {CLUSTER} WHERE" in asked[0]
        assert [one.seq for one in store.events()] == [2]
    finally:
        store.close()
