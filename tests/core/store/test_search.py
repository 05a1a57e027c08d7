"""What search and count answer, in every event store: filters, order, and pages that neither skip nor repeat."""

import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import msgspec
import pytest
from hypothesis import strategies as st

from tests.core.store.engines import examples
from vxtray.core.errors import StoreError
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store import Cursor, EventQuery, EventStore, Found
from vxtray.core.store.clickhouse import ClickHouseStore

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def event(minutes: float = 0, **fields: object) -> SecurityEvent:
    base = SecurityEvent(
        at=NOON + minutes * MINUTE,
        source="fw",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.HIGH,
    )
    return msgspec.structs.replace(base, **fields)


def seqs(store: EventStore, **query: object) -> list[int]:
    wanted = EventQuery(**query)
    found = [one.seq for one in store.search(wanted, limit=1000)]
    assert store.count(wanted) == len(found)
    return found


def paged(store: EventStore, query: EventQuery, size: int) -> list[int]:
    found: list[int] = []
    after = None
    while page := store.search(query, after=after, limit=size):
        assert len(page) <= size
        found += [one.seq for one in page]
        after = Cursor(page[-1].at, page[-1].seq)
    return found


def test_an_empty_store_finds_nothing(store):
    assert store.search(EventQuery()) == []
    assert store.count() == store.count(EventQuery(text="x")) == 0


def test_newest_first_and_of_equal_times_the_last_stored(store):
    store.append([event(0), event(5), event(5), event(-3)])
    store.append([event(5), event(1)])
    assert seqs(store) == [5, 3, 2, 6, 1, 4]


def test_a_whole_event_comes_back(store):
    full = event(src_ip="192.0.2.1", country="FR", target_url="/a", user="zoë", rule_name="XSS", message="m", score=5)
    store.append([full])
    assert store.search(EventQuery()) == [msgspec.structs.replace(full, seq=1)]


@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_pages_neither_skip_nor_repeat(store, size):
    store.append([event(number % 5, score=number) for number in range(60)])
    everything = [one.seq for one in store.search(EventQuery(), limit=1000)]
    assert paged(store, EventQuery(), size) == everything
    assert sorted(everything) == list(range(1, 61))


def test_more_than_one_piece_of_the_engines_answer(store):
    store.append([event(number) for number in range(2001)])
    assert len(store.search(EventQuery(), limit=1700)) == 1700
    assert store.search(EventQuery(), limit=0) == store.search(EventQuery(), limit=-1) == []


@pytest.mark.parametrize("slices", [(1, 1.0), (1, 2.0), (7, 1.5), (30, 4.0), (60, 4.0), (1000, 4.0)])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_text_is_found_wherever_the_search_pauses(store, slices, size, monkeypatch):
    monkeypatch.setattr("vxtray.core.store.search._FIRST_SLICE", slices[0])
    monkeypatch.setattr("vxtray.core.store.search._GROWTH", slices[1])
    many = 9 if isinstance(store, ClickHouseStore) else 60  # a hundred questions to a server take seconds
    store.append([event(number * 7 % 20, message="wanted" if number % 3 else "other") for number in range(many)])
    everything = [one.seq for one in store.search(EventQuery(), limit=100) if one.message == "wanted"]
    assert len(everything) == many * 2 // 3
    assert paged(store, EventQuery(text="WANTED"), size) == everything
    assert looked(store, EventQuery(text="WANTED"), size) == everything


def looked(store: EventStore, query: EventQuery, size: int) -> list[int]:
    """Search with no patience at all: each answer is one slice."""
    found: list[int] = []
    rest: Cursor | None = None
    while True:
        answer = store.look(query, after=rest, limit=size, seconds=0)
        assert len(answer.events) <= size
        found += [one.seq for one in answer.events]
        if answer.rest is None:
            return found
        assert rest is None or (answer.rest.at, answer.rest.seq) < (rest.at, rest.seq)
        rest = answer.rest


WORDS = ("Zoë", "ZOË", "zoe", "ß", "İ", "sql", "SQL 1", "192.0.2.7", "a", "", "É", "\u0131")


@examples(
    40,
    4,
    rows=st.lists(
        st.tuples(
            st.integers(0, 6),
            st.sampled_from(["rule_name", "message", "target_host", "target_url", "user", "rule_id", "src_ip"]),
            st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join),
            st.sampled_from(list(Severity)),
        ),
        max_size=40,
    ),
    text=st.sampled_from([word for word in WORDS if word]),
    least=st.sampled_from([None, Severity.MEDIUM, Severity.CRITICAL]),
    limit=st.integers(1, 9),
    first=st.integers(1, 50),
)
def test_a_search_in_slices_finds_what_one_scan_finds(store, monkeypatch, rows, text, least, limit, first):
    """The oracle is one plain scan, which the count is as well."""
    monkeypatch.setattr("vxtray.core.store.search._FIRST_SLICE", first)
    begun = store.last_seq()
    store.append([event(at, **{field: words}, severity=severity) for at, field, words, severity in rows])
    query = EventQuery(text=text, severity=least, after_seq=begun)
    bounds = EventQuery(severity=least, after_seq=begun)
    wanted = [
        one.seq
        for one in store.search(bounds, limit=100)
        if any(
            text.lower() in getattr(one, field).lower()
            for field in ("rule_name", "message", "target_host", "target_url", "user", "rule_id", "src_ip", "dst_ip")
        )
    ]
    if text not in ("İ", "\u0131"):  # Python makes two characters of a small dotted I, the engine one
        assert paged(store, query, limit) == wanted
    assert looked(store, query, limit) == paged(store, query, limit)
    assert store.count(query) == len(paged(store, query, limit))


def test_a_look_ends_when_all_was_looked_through(store):
    store.append([event(number) for number in range(5)])
    assert store.look(EventQuery(), limit=3).rest == Cursor(NOON + 2 * MINUTE, 3)
    assert store.look(EventQuery(), limit=6).rest is None
    assert store.look(EventQuery(text="nothing")) == Found([], None)
    assert store.look(EventQuery(text="nothing"), limit=0) == Found([], None)


def test_what_is_stored_meanwhile_does_not_move_a_snapshot(store):
    store.append([event(number) for number in range(10)])
    snapshot = EventQuery(up_to_seq=store.last_seq())
    first = store.search(snapshot, limit=4)
    store.append([event(3), event(8.5), event(100)])
    after = Cursor(first[-1].at, first[-1].seq)
    assert [one.seq for one in store.search(snapshot, after=after, limit=100)] == [6, 5, 4, 3, 2, 1]
    assert store.count(EventQuery(after_seq=snapshot.up_to_seq)) == 3
    assert store.count(EventQuery(after_seq=snapshot.up_to_seq, since=NOON + 8 * MINUTE)) == 2


def test_time_category_action_and_least_severity(store):
    store.append(
        [
            event(0, category=Category.IPS, severity=Severity.CRITICAL),
            event(1, action=Action.DETECTED, severity=Severity.MEDIUM),
            event(2, category=Category.AUTH, action=Action.FAILED, severity=Severity.INFO),
        ]
    )
    assert seqs(store, since=NOON + MINUTE) == [3, 2]
    assert seqs(store, until=NOON + MINUTE) == [1]
    assert seqs(store, since=NOON + MINUTE, until=NOON + 2 * MINUTE) == [2]
    assert seqs(store, categories=frozenset({Category.IPS, Category.AUTH})) == [3, 1]
    assert seqs(store, actions=frozenset({Action.DETECTED})) == [2]
    assert seqs(store, severity=Severity.MEDIUM) == [2, 1]
    assert seqs(store, severity=Severity.INFO) == [3, 2, 1]
    assert seqs(store, severity=Severity.HIGH, categories=frozenset({Category.AUTH})) == []
    with pytest.raises(ValueError, match="zone"):
        store.search(EventQuery(since=datetime(2026, 11, 21)))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("field", ["rule_name", "message", "target_host", "target_url", "user", "rule_id"])
def test_text_is_found_in_every_field_whatever_its_case(store, field):
    store.append([event(**{field: "An SQL Injection – ÉTÉ"}), event(**{field: "nothing"}), event()])
    assert seqs(store, text="sql inj") == [1]
    assert seqs(store, text="été") == [1]
    assert seqs(store, text="ÉTÉ") == [1]


def test_text_is_found_in_addresses_but_not_in_other_fields(store):
    store.append([event(src_ip="192.0.2.77"), event(dst_ip="198.51.100.77"), event(country="77", source="77")])
    assert seqs(store, text=".77") == [2, 1]
    assert seqs(store, text="77") == [2, 1]


@pytest.mark.parametrize(
    "text", ["%", "_", "\\", "a%b", "'; DROP TABLE events; --", "[a]", ".*", "$text", "\x00", "🔥"]
)
def test_text_is_taken_as_it_is_written(store, text):
    store.append([event(message="axxb ab _nothing"[:7]), event(message=f"before {text} after")])
    assert seqs(store, text=text) == [2]


def test_bytes_that_are_no_text_find_nothing(store):
    store.append([event(message="a")])
    assert seqs(store, text="\udcff") == []
    assert seqs(store, source="\udcff") == []


def test_a_rule_is_its_whole_name_or_number(store):
    store.append([event(rule_name="XSS"), event(rule_name="XSS filter"), event(rule_id="941100")])
    assert seqs(store, rule="XSS") == [1]
    assert seqs(store, rule="941100") == [3]
    assert seqs(store, rule="94") == []


ADDRESSES = [
    "192.0.2.7",
    "192.0.2.70",
    "192.0.20.7",
    "10.1.2.3",
    "",
    "2001:db8::1",
    "2001:db8:0:1::5",
    "fe80::1",
    "::1",
]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("192.0.2.7", [1]),
        (" 192.0.2.7 ", [1]),
        ("192.0.2.", [2, 1]),
        ("192.0.2", [3, 2, 1]),
        ("192.0.2.0/24", [2, 1]),
        ("192.0.2.64/26", [2]),
        ("192.0.0.0/19", [3, 2, 1]),
        ("192.0.2.9/24", [2, 1]),
        ("192.0.2.7/32", [1]),
        ("0.0.0.0/0", [4, 3, 2, 1]),
        ("2001:DB8::1", [6]),
        ("2001:0db8:0:0::1", [6]),
        ("2001:DB8:", [7, 6]),
        ("2001:db8::/32", [7, 6]),
        ("2001:db8::/64", [6]),
        ("2001:db8:0:1::/64", [7]),
        ("fe80::/10", [8]),
        ("::/0", [9, 8, 7, 6]),
        ("::1/128", [9]),
        ("not an address", []),
        ("10.0.0.0/99", []),
    ],
)
def test_source_is_an_address_a_network_or_a_beginning(store, source, wanted):
    store.append([event(src_ip=address) for address in ADDRESSES])
    assert seqs(store, source=source) == wanted


@examples(60, 10, address=st.ip_addresses(), length=st.integers(0, 128), near=st.integers(0, 2**128 - 1))
def test_any_network_holds_what_python_says(store, address, length, near):
    length = min(length, address.max_prefixlen)
    other = type(address)(int(address) ^ (near >> (128 - address.max_prefixlen + length) if length < 128 else 0))
    first = store.append([event(src_ip=str(address)), event(src_ip=str(other))])[0]
    network = ip_network(f"{address}/{length}", strict=False)
    found = seqs(store, source=str(network), after_seq=first - 1)
    in_it = [number for number, one in ((first + 1, other), (first, address)) if one in network]
    if "." in str(address) and ":" in str(address):  # how Python 3.13 writes a mapped address
        return
    assert found == in_it
    assert ip_address(str(address)) == address


def test_search_goes_on_while_events_arrive(store):
    store.append([event(number / 60) for number in range(3000)])
    failures: list[Exception] = []
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(40):
                store.append([event(1000 + number + at / 100) for at in range(50)])
        except Exception as error:  # noqa: BLE001 - told by the assert
            failures.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    snapshot = EventQuery(up_to_seq=3000)
    rounds = 0
    while not done.is_set() or not rounds:
        assert paged(store, snapshot, 700) == list(range(3000, 0, -1))
        rounds += 1
    writer.join()
    assert failures == []
    assert store.count() == 5000


def test_closing_breaks_off_what_is_being_asked(store):
    store.append([event(number, message=f"{number}" * 50) for number in range(20_000)])
    asked, outcome = threading.Event(), []

    def ask() -> None:
        try:
            while True:
                store.count(EventQuery(text="nothing"))
                asked.set()
        except StoreError as error:
            outcome.append(error)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    assert asked.wait(10)
    store.close()
    for asker in askers:
        asker.join(10)
    assert len(outcome) == 3
