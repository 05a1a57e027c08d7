"""``store test``, ``store sql`` and ``store status``, with the real engine on loopback."""

import sqlglot

from tests.core.store.engines import clickhouse
from tests.peers.clickhouse import PASSWORD, USER

STEPS = ["Reach the server", "Sign in", "Release of the server", "Tables", "Right to write and to read"]


def set_up(vxtray, database: str, *, url: str = "", username: str = USER, password: str = PASSWORD) -> None:
    words = (f"url={url or clickhouse().url}", f"username={username}", f"database={database}")
    assert vxtray("settings", "set", *(f"store.clickhouse.{word}" for word in words)).code == 0
    assert vxtray("secret", "set", "store-clickhouse-password", stdin=password.encode()).code == 0


def test_the_server_is_checked_step_by_step_and_gets_its_tables(vxtray, memory) -> None:
    set_up(vxtray, "from_command")
    said = vxtray("store", "test", "--json")
    assert (said.code, said.json["ok"]) == (0, True)
    assert [step["step"] for step in said.json["steps"]] == STEPS
    assert all(step["ok"] for step in said.json["steps"])
    assert "were made in the database from_command" in said.json["steps"][3]["says"]
    assert set(clickhouse().run("SHOW TABLES FROM from_command").split()) == {"events", "programs"}
    again = vxtray("store", "test")
    assert again.code == 0
    assert "✓ Tables: They are in the database from_command." in again.out
    assert clickhouse().run("SELECT count() FROM from_command.events").strip() == "0"
    assert PASSWORD not in said.out + again.out


def test_the_first_step_that_fails_is_the_last_and_says_what_to_do(vxtray, memory) -> None:
    said = vxtray("store", "test")
    assert (said.code, "No address of a ClickHouse server is set" in said.err) == (3, True)
    set_up(vxtray, "nowhere", password="wrong")
    said = vxtray("store", "test")
    assert said.code == 1
    assert "✗ Sign in: The ClickHouse server does not accept the account vxtray." in said.out
    assert "vxtray secret set store-clickhouse-password" in said.out
    assert "Tables" not in said.out
    set_up(vxtray, "nowhere", url="http://127.0.0.1:9")
    said = vxtray("store", "test", "--json")
    assert (said.code, [step["ok"] for step in said.json["steps"]]) == (1, [False])
    assert "refused" in said.json["steps"][0]["says"]


def test_the_sql_is_printed_for_one_server_and_for_a_cluster(vxtray, memory) -> None:
    assert vxtray("settings", "set", "store.clickhouse.database=logs", "store.retention_days=90").code == 0
    one = vxtray("store", "sql")
    assert one.code == 0
    assert len(sqlglot.parse(one.out, read="clickhouse")) == 3
    assert "INTERVAL 90 DAY" in one.out
    many = vxtray("store", "sql", "--cluster", "east", "--json").json["statements"]
    assert len(many) == 5
    assert "Distributed(east, logs, events_local" in many[3]
    assert vxtray("store", "sql", "--cluster", "east; DROP").code == 2


def test_the_state_of_the_store_is_told(vxtray, memory, profile, tmp_path) -> None:
    log = tmp_path / "f2b.log"
    log.write_text("2026-11-20 10:00:00,123 fail2ban.actions [812]: NOTICE [sshd] Ban 203.0.113.5\n")
    assert vxtray("import", str(log)).code == 0
    embedded = vxtray("store", "status", "--json").json
    assert embedded == {"engine": "embedded", "address": str(profile.events_file), "error": ""}
    set_up(vxtray, "state", url="http://127.0.0.1:9")
    assert vxtray("settings", "set", "store.engine=clickhouse").code == 0
    other = tmp_path / "f2b.2.log"
    other.write_text(log.read_text().replace("203.0.113.5", "203.0.113.6"))
    assert vxtray("import", str(other)).code == 0
    state = vxtray("store", "status", "--json").json
    assert (state["engine"], state["waiting"], state["last_sent"], state["send"]) == ("clickhouse", 1, None, True)
    assert state["oldest_waiting"]
    assert vxtray("status").json["store"] == state
    set_up(vxtray, "state")
    third = tmp_path / "f2b.3.log"
    third.write_text(log.read_text().replace("203.0.113.5", "203.0.113.7"))
    assert vxtray("import", str(third)).code == 0
    assert vxtray("store", "status", "--json").json["waiting"] == 0
    assert clickhouse().run("SELECT count() FROM state.events").strip() == "2"
    assert "engine = clickhouse" in vxtray("store", "status").out
