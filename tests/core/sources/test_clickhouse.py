"""The tables of VIGILANCE X in the real ClickHouse engine as a source: each row of meaning once, faults included."""

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.core.sources.polling import Polling, now
from tests.core.sources.test_vigilancex import IDP_LINE, WAF_LINE
from tests.peers.clickhouse import PASSWORD, TABLES, USER, ClickHousePeer, clickhouse_server
from vxtray.core.credentials import Secret
from vxtray.core.errors import SourceError
from vxtray.core.events import Action, Category
from vxtray.core.settings import tree
from vxtray.core.sources.clickhouse import Tables
from vxtray.core.sources.vigilancex import VigilanceXSource
from vxtray.core.sources.vigilancex_api import PathFailed, ServerAway
from vxtray.core.store import EventStore
from vxtray.core.store.embedded import EmbeddedStore

DATABASE = "vigilance_x"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHousePeer]:
    with clickhouse_server(tmp_path_factory.mktemp("clickhouse")) as peer:
        yield peer


class Desk(Polling):
    def __init__(self, peer: ClickHousePeer, store: EventStore) -> None:
        self.peer = peer
        super().__init__(store)

    def restart(self, *, password: str = PASSWORD) -> None:
        self.end()
        settings = tree.ClickHouse(enabled=True, url=self.peer.url, username=USER)
        asked = Tables(settings, lambda: Secret(password))
        self.source = VigilanceXSource("clickhouse", asked, self.peer.url, self.store.positions, clock=self.clock)

    def event(self, age: timedelta = timedelta(), **fields: object) -> None:
        at = int((now() - age).timestamp())
        row = {"timestamp": at, "ingested_at": at, "log_type": "Firewall", "action": "drop", "src_ip": "203.0.113.7"}
        self.peer.insert(f"{DATABASE}.events", {**row, "event_id": str(uuid.uuid4()), **fields})

    def rule(self, request: str, number: str, **fields: object) -> None:
        row = {"timestamp": now().timestamp(), "unique_id": request, "src_ip": "203.0.113.9", "rule_id": number}
        said = {"hostname": "shop.example.com", "uri": "/x", "rule_msg": "SQL Injection", "attack_type": "sqli"}
        self.peer.insert(f"{DATABASE}.modsec_logs", {**row, **said, "rule_severity": "CRITICAL", **fields})

    def ban(self, address: str, status: str = "active", **fields: object) -> None:
        at = int(now().timestamp()) + 1
        row = {"ip": address, "status": status, "first_ban": at, "last_ban": at, "version": at, "reason": "attacks"}
        self.peer.insert(f"{DATABASE}.ip_ban_status", {**row, **fields})


@pytest.fixture
def desk(engine: ClickHousePeer, tmp_path: Path) -> Iterator[Desk]:
    engine.fail("", 0)
    engine.run(f"DROP DATABASE IF EXISTS {DATABASE}")
    engine.run(TABLES)
    store = EmbeddedStore(tmp_path / "events.duckdb")
    made = Desk(engine, store)
    yield made
    made.end()
    store.close()


def test_events_are_read_from_their_lines_once(desk: Desk) -> None:
    desk.event(timedelta(days=2), src_ip="198.51.100.1")
    desk.event(timedelta(days=1), log_type="Unknown", category="Other", action="unknown", raw_log=IDP_LINE)
    desk.poll()
    assert desk.loud == []
    desk.event(-timedelta(seconds=1), log_type="WAF", action="unknown", raw_log=WAF_LINE, message=WAF_LINE)
    desk.poll(2)
    desk.restart()
    desk.poll(2)
    found = {event.src_ip: event for event in desk.stored()}
    assert len(desk.stored()) == 3
    assert (found["198.51.100.5"].category, found["198.51.100.5"].action) == (Category.IPS, Action.BLOCKED)
    assert [event.src_ip for event in desk.loud] == ["198.51.100.4"]


def test_many_events_come_by_pages(desk: Desk) -> None:
    begin = int((now() - timedelta(days=3)).timestamp())
    desk.peer.run(
        f"INSERT INTO {DATABASE}.events (timestamp, ingested_at, log_type, action, src_ip) "
        f"SELECT {begin} + intDiv(number, 3), {begin} + intDiv(number, 3), 'Firewall', 'drop', toIPv4(number + 1) "
        "FROM numbers(7000)"
    )
    desk.poll()
    desk.restart()
    desk.poll()
    addresses = Counter(event.src_ip for event in desk.stored())
    assert len(addresses) == addresses.total() == 7000


def test_rows_that_are_inserted_again_and_again_are_one_attack(desk: Desk) -> None:
    desk.poll()
    for _sync in range(3):
        desk.rule("request-1", "942100", total_score=15)
        desk.rule("request-1", "949110", is_blocking=1, total_score=15)
        desk.rule("request-2", "941100")
        desk.poll()
    desk.restart()
    desk.poll()
    found = sorted(desk.stored(), key=lambda event: event.rule_id)
    assert [(event.rule_id, event.action, event.score) for event in found] == [
        ("941100", Action.DETECTED, None),
        ("942100", Action.BLOCKED, 15),
    ]


def test_bans_begin_and_end(desk: Desk) -> None:
    desk.poll()
    desk.ban("198.51.100.20", status="permanent")
    desk.ban("198.51.100.21")
    desk.ban("198.51.100.22", status="expired")
    desk.poll()
    desk.ban("198.51.100.21", status="expired", version=2**40)
    desk.poll(3)
    actions = Counter((event.src_ip, str(event.action)) for event in desk.stored())
    assert actions == {
        ("198.51.100.20", "banned"): 1,
        ("198.51.100.21", "banned"): 1,
        ("198.51.100.21", "unbanned"): 1,
    }


def test_tables_that_are_not_there_leave_the_events_alone(desk: Desk) -> None:
    desk.peer.run(f"DROP TABLE {DATABASE}.ip_ban_status")
    desk.peer.run(f"DROP TABLE {DATABASE}.modsec_logs")
    desk.event()
    desk.poll(2)
    assert len(desk.stored()) == 1


@pytest.mark.parametrize("fault", ["500", "half", "lost"])
def test_a_fault_loses_and_doubles_nothing(desk: Desk, fault: str) -> None:
    desk.poll()
    for number in range(20):
        desk.event(src_ip=f"10.0.0.{number + 1}")
    for question in range(2):  # the clock, the events
        desk.peer.fail(fault, after=question)
        with contextlib.suppress(ServerAway, PathFailed):  # a lost answer is asked for again at once, by the library
            desk.poll()
    desk.peer.fail(fault, after=2)  # what else there is may fail alone
    desk.poll(3)
    assert len(desk.stored()) == len({event.src_ip for event in desk.stored()}) == 20


def test_a_refused_account_is_told_and_its_password_never_shown(desk: Desk) -> None:
    desk.restart(password="wrong-password")
    with pytest.raises(SourceError, match="does not accept the account vxtray") as raised:
        desk.poll()
    assert not raised.value.transient
    assert "wrong-password" not in repr(raised.value.__cause__)


def test_nobody_there_is_a_passing_fault(free_port: int) -> None:
    settings = tree.ClickHouse(url=f"http://127.0.0.1:{free_port}", username=USER)
    with pytest.raises(ServerAway):
        Tables(settings, lambda: Secret(PASSWORD)).get("/events")


def test_what_a_row_says_is_never_taken_for_sql(desk: Desk) -> None:
    nasty = "'; DROP TABLE vigilance_x.events; --"
    desk.event(src_ip="10.0.0.1", message=nasty, rule_name=nasty)
    desk.poll(2)
    (event,) = desk.stored()
    assert event.message == nasty
