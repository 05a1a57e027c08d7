"""The engine with its events on a ClickHouse server: what waits, what is told, and what goes along to another store."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from tests.core.engine import Engine, event, settings, text_of
from tests.core.store.engines import clickhouse
from tests.peers.clickhouse import PASSWORD, USER
from tests.peers.desktop import until
from vxtray.core.credentials import MemoryStore, Secret
from vxtray.core.errors import StoreError, StoreFull
from vxtray.core.paths import Profile
from vxtray.core.settings.tree import Alerts, Settings, Store, StoreClickHouse
from vxtray.core.status import status
from vxtray.core.store import Position
from vxtray.core.store.clickhouse import ClickHouseStore
from vxtray.core.store.embedded import EmbeddedStore
from vxtray.core.storeserver import account_of

HOUR = timedelta(hours=1)
NOBODY = "http://127.0.0.1:9"  # discard: nothing listens there


def server_of(profile: Profile, **changed: object) -> StoreClickHouse:
    database = f"room_{sha256(str(profile.state).encode()).hexdigest()[:16]}"
    named = StoreClickHouse(url=clickhouse().url, username=USER, database=database)
    return msgspec.structs.replace(named, **changed)


def on(server: StoreClickHouse | None, base: Settings | None = None, **changed: object) -> Settings:
    """Return settings with the events on a server, or embedded."""
    chosen = base or settings(alerts=Alerts(critical=True, language="en"))
    store = Store(engine="clickhouse", clickhouse=server) if server else Store()
    return msgspec.structs.replace(chosen, store=msgspec.structs.replace(store, **changed))


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("vxtray.core.store.clickhouse._RETRY", 0.0)
    yield
    clickhouse().fail("", 0)


@pytest.fixture
def engine(profile: Profile) -> Iterator[Callable[..., Engine]]:
    opened: list[Engine] = []

    def make(chosen: Settings) -> Engine:
        keyring = MemoryStore()
        for url in (clickhouse().url, NOBODY):
            keyring.set(account_of(server_of(profile, url=url)), Secret(PASSWORD))
        opened.append(Engine(profile, chosen, keyring))
        return opened[-1]

    yield make
    for one in opened:
        one.service.stop()


def stored(profile: Profile) -> int:
    """Return how many events the server holds."""
    return int(clickhouse().run(f"SELECT count() FROM {server_of(profile).database}.events"))


def keep(one: Engine, *hosts: int, alerts: bool = True, position: Position | None = None) -> None:
    """Store events as the intake does."""
    events = [event(one.clock(), src_ip=f"203.0.113.{host}") for host in hosts]
    one.service._intake._commit(events, position, alerts=alerts)


def told(one: Engine) -> dict[str, str]:
    return {trouble.what: str(trouble.error) for trouble in one.service.troubles()}


def test_events_arrive_in_tables_that_are_made_and_a_command_sends_what_it_stored(
    engine: Callable[..., Engine], profile: Profile
) -> None:
    one = engine(on(server_of(profile)))
    keep(one, 1, 2, 3, alerts=False)
    health = one.service.room.health()
    assert (health.engine, health.address) == ("clickhouse", clickhouse().url)
    assert health.sending is not None
    assert (health.sending.waiting, health.sending.last_sent) == (3, None)
    assert one.service.store().count() == 3
    keep(one, 4, alerts=False)
    one.service.stop()
    assert stored(profile) == 4
    assert not profile.events_file.exists()


@pytest.mark.expected_log("store:server: ", "reports: What is due waits for the event store")
def test_while_the_server_is_away_alerts_go_on_and_a_report_waits(
    engine: Callable[..., Engine], profile: Profile
) -> None:
    one = engine(on(server_of(profile, url=NOBODY)))
    one.clock.at(7)
    one.tick()
    keep(one, 1)
    assert ["203.0.113.1" in text_of(mail) for mail in one.mails("alert")] == [True]
    one.clock.at(8)
    one.tick()
    assert not one.mails("report")
    assert "Events wait for the ClickHouse server (1, the oldest since" in told(one)["store:server"]
    assert "What is due waits for the event store" in told(one)["reports"]
    document = status(one.service, running=True, language="en")["store"]
    assert (document["waiting"], document["last_sent"]) == (1, None)  # type: ignore[index]  # a dict
    assert "cannot be used" in document["error"]  # type: ignore[index]
    one.restart(on(server_of(profile)))
    one.clock.at(9)
    one.tick()
    (report,) = one.mails("report")
    assert stored(profile) == 1
    assert report["Subject"]
    assert told(one) == {}
    assert len(one.mails("alert")) == 1


@pytest.mark.expected_log("store:server: ")
def test_a_server_that_comes_back_gets_what_waited_without_a_new_event(
    engine: Callable[..., Engine], profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vxtray.core.store.sending.RETRY_SECONDS", 0.05)
    clickhouse().fail("500", 6, of="INSERT")
    one = engine(on(server_of(profile)))
    one.service.room.start()
    keep(one, *range(1, 6), position=Position(key="file:a", offset=9))
    until(lambda: one.service.room.health().sending.waiting == 0, "what waited to arrive", 20)
    assert stored(profile) == 5
    assert one.service.store().position("file:a") == 9


@pytest.mark.expected_log("store:server: ")
def test_a_server_that_hangs_holds_no_append_up(
    engine: Callable[..., Engine], profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vxtray.core.storeserver._ANSWER_SECONDS", 1)
    monkeypatch.setattr("vxtray.core.store.sending.RETRY_SECONDS", 0.05)
    monkeypatch.setattr("vxtray.core.store.clickhouse._PATIENCE", 0.2)
    one = engine(on(server_of(profile)))
    one.service.room.start()
    keep(one, 1)
    until(lambda: stored(profile) == 1, "the first event to arrive", 20)
    clickhouse().fail("hang", 1, of="INSERT")
    keep(one, 2)
    sending = one.service.room.health().sending
    assert sending is not None
    assert sending.waiting == 1
    keep(one, 3, 4)
    assert one.service.store().last_seq() == 4
    with contextlib.suppress(StoreError):
        one.service.store().count()
    until(lambda: stored(profile) == 4, "what waited to arrive", 20)
    assert one.service.store().count() == 4


@pytest.mark.expected_log("store: Too many events wait for the ClickHouse server")
def test_no_more_wait_than_the_cap(engine: Callable[..., Engine], profile: Profile) -> None:
    one = engine(on(server_of(profile, url=NOBODY)))
    store = one.service.store()
    assert isinstance(store, ClickHouseStore)
    store._most_waiting = 1 << 20
    batch = [event(one.clock(), message=f"{n:x}" * 300) for n in range(500)]
    with pytest.raises(StoreFull) as full:
        list(map(store.append, [batch] * 100))
    waiting = store.waiting()
    assert waiting == store.last_seq() > 0
    assert f"Too many events wait for the ClickHouse server ({waiting}, since" in str(full.value)
    assert "no more than 1 MiB may wait" in str(full.value)
    assert one.service._intake._append([event(one.clock())], None, alerts=True) is None
    assert "may wait" in told(one)["store"]


def test_an_engine_is_changed_while_the_program_runs_and_no_line_is_read_twice(
    engine: Callable[..., Engine], profile: Profile
) -> None:
    one = engine(on(None))
    keep(one, 1, 2, position=Position(key="file:a", offset=20, marks=(("follow:/a", 5),)))
    one.service.apply(on(server_of(profile)))
    assert one.service.room.health().sending is not None, "in the moment before it is opened"
    one.tick()
    store = one.service.store()
    assert isinstance(store, ClickHouseStore)
    assert (store.count(), store.position("file:a"), store.positions("follow:")) == (0, 20, {"follow:/a": 5})
    keep(one, 3, position=Position(key="file:a", offset=30))
    assert "203.0.113.3" in text_of(one.mails("alert")[-1]), "alerts go on"
    told_before = len(one.mails("alert"))
    one.restart(on(None))  # and back, while it does not run
    store = one.service.store()
    assert isinstance(store, EmbeddedStore)
    assert (store.count(), store.position("file:a")) == (2, 30)
    assert not store.positions("spool:")
    one.tick()
    assert len(one.mails("alert")) == told_before, "nothing is told again"
    assert stored(profile) == 1


@pytest.mark.expected_log("store:programs: ")
def test_two_that_send_and_none_are_told(
    engine: Callable[..., Engine], profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = engine(on(server_of(profile)))
    store = one.service.store()
    other = ClickHouseStore(tmp_path / "other.duckdb", store._link._connect, server_of(profile).database)  # type: ignore[attr-defined]
    try:
        for ours, theirs, expected in (
            (True, True, "2 programs on this event store send mail"),
            (True, False, ""),
            (False, False, "No program on this event store sends mail"),
            (False, True, ""),
        ):
            one.service.apply(on(server_of(profile), send=ours))
            other._host, other._sends = "there", theirs
            other.tell_of_us()
            store._host, store._sends = "here", ours  # type: ignore[attr-defined]
            store.tell_of_us()  # type: ignore[attr-defined]
            one.tick()
            assert expected in told(one).get("store:programs", ""), (ours, theirs)
            assert ("store:programs" in told(one)) == bool(expected)
            if "2 programs" in expected:
                assert "here, there" in told(one)["store:programs"]
        document = status(one.service, running=True, language="en")["store"]
        assert {(one["host"], one["sends"]) for one in document["programs"]} == {("here", False), ("there", True)}  # type: ignore[index]
    finally:
        other.close()
    keep(one, 9)
    assert not one.mails(), "the other one sends"


@pytest.mark.expected_log("store:programs: 2 programs")  # for a moment, while they change places
def test_the_one_that_sends_tells_of_the_events_of_all_once(
    engine: Callable[..., Engine], profile: Profile, tmp_path: Path
) -> None:
    one = engine(on(server_of(profile)))
    store = one.service.store()
    assert isinstance(store, ClickHouseStore)
    other = ClickHouseStore(tmp_path / "other.duckdb", store._link._connect, server_of(profile).database)
    other._sends = False

    def arrives(*hosts: int, alerts: bool = True) -> None:
        other.append([event(one.clock(), src_ip=f"198.51.100.{host}") for host in hosts], alerts=alerts)
        other.send()
        other.tell_of_us()
        now = one.service.store()
        assert isinstance(now, ClickHouseStore)
        now.tell_of_us()
        one.tick()

    def addresses() -> list[str]:
        texts = "".join(text_of(mail) for mail in one.mails("alert"))
        return [f"198.51.100.{host}" for host in range(1, 9) if f"198.51.100.{host}" in texts]

    try:
        arrives(1)
        assert addresses() == [], "of a program that is new here, alerts begin now"
        arrives(2)
        arrives(3, alerts=False)
        arrives(4)
        assert addresses() == ["198.51.100.2", "198.51.100.4"]
        before = len(one.mails("alert"))
        one.tick()
        one.restart()
        arrives()
        assert len(one.mails("alert")) == before, "each once, also over a restart"
        one.service.apply(on(server_of(profile), send=False))
        other._sends = True
        arrives(5)
        one.service.apply(on(server_of(profile)))
        other._sends = False
        arrives(6)
        assert addresses() == ["198.51.100.2", "198.51.100.4", "198.51.100.6"], "while it did not send, another one did"
        assert one.service.store().count() == 6
    finally:
        other.close()


def test_events_stay_for_as_long_as_the_settings_say(engine: Callable[..., Engine], profile: Profile) -> None:
    one = engine(on(server_of(profile)))
    one.tick()
    keep(one, 1)
    assert one.service.store().count() == 1
    made = f"SHOW CREATE TABLE {server_of(profile).database}.events"
    assert "toIntervalDay(400)" in clickhouse().run(made)
    one.service.apply(on(server_of(profile), retention_days=500))
    one.tick()
    one.clock.now += 2 * HOUR
    one.tick()
    assert "toIntervalDay(500)" in clickhouse().run(made)
    assert one.service.store().count() == 1


def test_without_an_address_events_wait(engine: Callable[..., Engine], profile: Profile) -> None:
    one = engine(on(server_of(profile, url="")))
    keep(one, 1)
    with pytest.raises(StoreError, match="No usable address"):
        one.service.store().count()
    sending = one.service.room.health().sending
    assert sending is not None
    assert sending.waiting == 1
