"""The ClickHouse store and its server's faults: nothing lost, nothing twice; what every store does is in the others."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.core.store import test_alerting, test_contract, test_search, test_sections
from tests.core.store.engines import SQL, clickhouse, clickhouse_store, connect
from vxtray.core.errors import StoreError, StoreFull
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store import EventQuery, Position
from vxtray.core.store.clickhouse import ClickHouseStore
from vxtray.core.store.clickhouse_sql import away, translate
from vxtray.core.store.tables import statements

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def event(minutes: float = 0, **fields: object) -> SecurityEvent:
    base = SecurityEvent(
        at=NOON + timedelta(minutes=minutes),
        source="fw",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.HIGH,
    )
    return msgspec.structs.replace(base, **fields)


@pytest.fixture
def opened(tmp_path, monkeypatch) -> Iterator[Callable[[], ClickHouseStore]]:
    """Open the same store again and again, as after a restart; a server that was away is asked again at once."""
    monkeypatch.setattr("vxtray.core.store.clickhouse._RETRY", 0.0)
    stores: list[ClickHouseStore] = []

    def open_again() -> ClickHouseStore:
        while stores:
            stores.pop().close()
        stores.append(clickhouse_store(tmp_path))
        return stores[-1]

    yield open_again
    clickhouse().fail("", 0)
    for store in stores:
        store.close()


@pytest.fixture
def store(opened) -> ClickHouseStore:
    return opened()


def stored(store: ClickHouseStore) -> list[int]:
    """Return the numbers that the server holds, with no look at what waits here."""
    return [int(line) for line in clickhouse().run(f"SELECT seq FROM {store._table} ORDER BY seq").split()]


def put(store: ClickHouseStore, *events: SecurityEvent) -> None:
    """Store events, and send what waits as far as the server lets us."""
    store.append(events)
    with contextlib.suppress(StoreError):
        store.send()


#: How often the answer to an insertion must be lost for the driver to give up: it sends it once more of itself.
GIVEN_UP = 2


@pytest.mark.parametrize(("kind", "times"), [("500", 1), ("half", 1), ("lost", 1), ("lost", GIVEN_UP)])
def test_a_fault_while_sending_loses_nothing_and_doubles_nothing(store, kind, times):
    put(store, event())
    clickhouse().fail(kind, times, of="INSERT")
    assert store.append([event(1), event(2)], position=Position(key="file:a", offset=7)) == (2, 3)
    assert store.position("file:a") == 7
    put(store)
    put(store, event(3))
    assert [found.seq for found in store.events()] == [4, 3, 2, 1]
    assert stored(store) == [1, 2, 3, 4]
    assert store.waiting() == 0


def test_a_batch_whose_answer_was_lost_is_sent_again_as_it_was_though_more_waits(store):
    put(store, event())
    clickhouse().fail("lost", 3 * GIVEN_UP, of="INSERT")
    for minutes in (1, 2, 3):
        put(store, event(minutes))
    assert stored(store) == [1, 2]  # the first of the three arrived each time, once
    assert store.waiting() == 3
    assert store.count() == 4
    assert stored(store) == [1, 2, 3, 4]


def test_a_batch_whose_answer_was_lost_is_not_doubled_by_a_restart(opened):
    store = opened()
    put(store, event())
    clickhouse().fail("lost", GIVEN_UP, of="INSERT")
    put(store, event(1))
    assert (store.waiting(), stored(store)) == (1, [1, 2])
    uuid = store.uuid
    store = opened()
    assert (store.uuid, store.waiting(), store.last_seq()) == (uuid, 1, 2)
    assert store.append([event(2)]) == (3, 3)
    assert [found.seq for found in store.events()] == [3, 2, 1]
    assert stored(store) == [1, 2, 3]


def test_a_batch_over_months_of_which_a_part_arrived_is_completed(store):
    batch = [event(days * 24 * 60) for days in range(0, 400, 20)]
    clickhouse().fail("lost", GIVEN_UP, of="INSERT")
    put(store, *batch)
    assert store.waiting() == 20
    store.append([event()])
    assert store.count() == 21
    assert stored(store) == list(range(1, 22))


def test_a_batch_of_any_number_of_months_arrives(store):
    put(store, *(event(months * 31 * 24 * 60) for months in range(-150, 0)))
    assert (store.waiting(), store.count()) == (0, 150)


@pytest.fixture
def unreached(tmp_path) -> Iterator[ClickHouseStore]:
    """Open a store whose server nobody reaches."""

    def refused() -> object:
        raise away(ConnectionRefusedError("refused"))

    store = ClickHouseStore(tmp_path / "spool.duckdb", refused, "vxtray_away")  # type: ignore[arg-type]
    yield store
    store.close()


def test_while_the_server_is_away_events_wait_and_still_raise_alerts(unreached):
    store = unreached
    assert store.append([event(), event(1)], position=Position(key="file:a", offset=9)) == (1, 2)
    assert store.append([event(2)], alerts=False) == (3, 3)
    assert [found.seq for found in store.alertable(0)] == [1, 2]
    assert (store.waiting(), store.last_seq(), store.position("file:a")) == (3, 3, 9)
    for ask in (store.events, store.count, lambda: store.totals(NOON, NOON + DAY), lambda: store.prune(NOON)):
        with pytest.raises(StoreError) as fault:
            ask()
        assert fault.value.transient


def test_what_waited_arrives_once_after_a_day(tmp_path, monkeypatch):
    peer, reachable = clickhouse(), False

    def sometimes() -> object:
        if not reachable:
            raise away(ConnectionRefusedError("refused"))
        return connect(peer)

    monkeypatch.setattr("vxtray.core.store.clickhouse._RETRY", 0.0)
    monkeypatch.setattr("vxtray.core.store.clickhouse._BATCH", 40)
    for statement in statements(SQL.read_text(), "vxtray_later", 100_000):
        peer.run(statement)
    path = tmp_path / "spool.duckdb"
    for begin in (0, 100):  # and the program is started anew between
        store = ClickHouseStore(path, sometimes, "vxtray_later")  # type: ignore[arg-type]
        for minute in range(begin, begin + 100):
            store.append([event(minute)])
        store.close()
    reachable = True
    store = ClickHouseStore(path, sometimes, "vxtray_later")  # type: ignore[arg-type]
    try:
        assert store.waiting() == 200
        peer.fail("lost", GIVEN_UP, after=2, of="INSERT")
        with pytest.raises(StoreError):
            store.send()
        store.send()
        assert (store.waiting(), stored(store)) == (0, list(range(1, 201)))
        assert [found.seq for found in store.alertable(195)] == [196, 197, 198, 199, 200]
    finally:
        store.close()


def test_more_than_may_wait_is_refused_and_taken_again_when_it_has_arrived(tmp_path, opened):
    opened().close()
    reachable = False

    def sometimes() -> object:
        if not reachable:
            raise away(ConnectionRefusedError("refused"))
        return connect(clickhouse())

    database = clickhouse_store(tmp_path / "other")._table.partition(".")[0]
    store = ClickHouseStore(tmp_path / "full.duckdb", sometimes, database, most_waiting_bytes=2**21)  # type: ignore[arg-type]
    try:
        batch = [event(number, message=f"{number:x}" * 300) for number in range(500)]
        with pytest.raises(StoreFull):
            list(map(store.append, [batch] * 100))
        held = store.last_seq()
        assert (store.waiting(), held % 500) == (held, 0)
        store.append([], position=Position(key="file:a", offset=3))
        reachable = True
        store.send()
        store.append([event()])
        assert store.count() == held + 1
    finally:
        store.close()


def test_two_programs_share_a_server_and_each_keeps_to_its_own_numbers(tmp_path, opened):
    ours = opened()
    database = ours._table.partition(".")[0]
    theirs = ClickHouseStore(tmp_path / "theirs.duckdb", lambda: connect(clickhouse()), database)  # type: ignore[arg-type, return-value]
    try:
        put(ours, event(src_ip="192.0.2.1"))
        put(theirs, event(src_ip="192.0.2.2"), event(2, src_ip="192.0.2.2"))
        assert ours.count() == theirs.count() == 3
        # however many it stored itself, a program sees all of theirs and takes none for new
        assert ours.count(EventQuery(up_to_seq=1)) == 3
        assert ours.count(EventQuery(after_seq=1)) == 0
        found = ours.search(EventQuery())
        assert [one.seq > 0 for one in found] == [False, True, False]
        assert len({one.seq for one in found}) == 3
        (page,) = ours.pages([(Category.WAF, Action.BLOCKED, Severity.HIGH)], NOON, NOON + DAY).pages
        assert len(msgspec.json.decode(page)) == 3
        assert [found.src_ip for found in ours.alertable(0)] == ["192.0.2.1"]
        assert [found.src_ip for found in theirs.alertable(0)] == ["192.0.2.2"] * 2
    finally:
        theirs.close()


def test_a_question_that_the_server_breaks_off_is_told_and_the_next_is_answered(store):
    store.append([event()])
    for kind, times in (("500", 1), ("half", 1), ("lost", 3)):
        clickhouse().fail(kind, times)
        with pytest.raises(StoreError) as fault:
            store.count()
        assert fault.value.transient
        assert store.count() == 1


def test_what_a_person_types_stays_a_value(store):
    store.append([event(message="{text: String} $text ? 'x\\' --")])
    for text in ("{text: string}", "$text ? 'x\\' --", "\\'"):
        assert store.count(EventQuery(text=text)) == 1
    assert "{text: }" in translate("SELECT 1 FROM events WHERE contains(lower(message), lower($text))")


RANDOM = [
    test_alerting.test_pages_hold_each_event_of_these_kinds_once_in_order,
    test_alerting.test_counts_are_those_of_the_events,
    test_alerting.test_a_sources_record_is_that_of_its_events,
    test_search.test_a_search_in_slices_finds_what_one_scan_finds,
    test_search.test_any_network_holds_what_python_says,
]


@pytest.mark.slow
@pytest.mark.parametrize("test", RANDOM, ids=lambda test: test.__name__)
def test_many_random_stores(store, test, request):
    fixtures = inspect.signature(test).parameters.keys() - {"store"}
    test.try_examples(40, store=store, **{name: request.getfixturevalue(name) for name in fixtures})


@pytest.mark.slow
@pytest.mark.parametrize(
    "test",
    [test_sections.test_sections_equal_a_recount, test_contract.test_summaries_equal_a_recount],
    ids=lambda test: test.__name__,
)
def test_many_random_summaries(tmp_path_factory, test):
    test.try_examples(40, engine=clickhouse_store, tmp_path_factory=tmp_path_factory)
