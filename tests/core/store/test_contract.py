"""What every event store must do. A new engine is added to ``engines.ENGINES`` and passes all of it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import strategies as st

from tests.core.store.engines import ENGINES, examples
from vxtray.core.errors import StoreError
from vxtray.core.events import BLOCKED, Action, Category, SecurityEvent, Severity
from vxtray.core.store import EventStore, Position, Summary, Top, Totals
from vxtray.core.store.clickhouse import ClickHouseStore
from vxtray.core.store.localtime import start_of_day, utc

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture(params=ENGINES.values(), ids=ENGINES.keys())
def opened(request, tmp_path) -> Iterator[Callable[[], EventStore]]:
    """Open the same store, any number of times."""
    stores: list[EventStore] = []

    def open_again() -> EventStore:
        stores.append(request.param(tmp_path))
        return stores[-1]

    yield open_again
    for store in stores:
        store.close()


@pytest.fixture
def store(opened) -> EventStore:
    return opened()


def event(at: datetime = NOON, action: Action = Action.BLOCKED, **fields: object) -> SecurityEvent:
    base = SecurityEvent(at=at, source="fw", category=Category.WAF, action=action, severity=Severity.HIGH)
    return msgspec.structs.replace(base, **fields)


def test_an_empty_store_answers_with_nothing(store):
    assert store.last_seq() == 0
    assert store.position("file:a") == 0
    assert store.events() == []
    assert list(store.alertable(0)) == []
    summary = store.summarize(NOON, NOON + DAY, by_day=False)
    assert summary.totals == Totals()
    assert summary.by_severity == dict.fromkeys(Severity, 0)
    assert summary.by_category == {}
    assert summary.top_sources == summary.top_targets == summary.top_countries == summary.top_rules == ()
    assert len(summary.buckets) == 24
    assert store.append([]) == (0, 0)


def test_every_field_comes_back_as_it_was(store):
    full = SecurityEvent(
        at=datetime(2026, 11, 21, 13, 4, 5, 678901, tzinfo=timezone(timedelta(hours=1))),
        source="sophos:fw-paris",
        category=Category.EMAIL,
        action=Action.FAILED,
        severity=Severity.LOW,
        src_ip="2001:db8::1",
        src_port=65535,
        country="FR",
        dst_ip="10.0.0.1",
        dst_port=443,
        target_host="café.example.com",
        target_url="/a?b='; DROP TABLE events; --",
        user="Zoë\\\"'\x00",
        rule_id="941100",
        rule_name="XSS “filter” – 日本語 🔥",
        message="m" * 4096,
        score=-5,
    )
    assert store.append([full, event()]) == (1, 2)
    [newest, other] = store.events()
    assert newest == msgspec.structs.replace(full, seq=1)
    assert newest.at.utcoffset() == timedelta(0)
    assert other == event(seq=2)
    assert other.score is None


def test_seq_goes_on_after_pruning_and_reopening(opened):
    store = opened()
    assert store.append([event(), event()]) == (1, 2)
    assert store.append([event()], position=Position(key="file:a", offset=10)) == (3, 3)
    assert store.prune(NOON + DAY) == 3
    assert store.count() == 0
    identity = store.uuid
    store.close()
    store = opened()
    assert (store.uuid, store.last_seq(), store.position("file:a")) == (identity, 3, 10)
    assert store.append([event()]) == (4, 4)
    assert store.prune(NOON) == 0
    assert [found.seq for found in store.events()] == [4]


def test_a_position_moves_with_its_events_and_alone(store):
    store.append([event()], position=Position(key="file:a", offset=10))
    store.append([event()], position=Position(key="file:b", offset=2**40))
    assert store.append([], position=Position(key="file:a", offset=7)) == (0, 0)
    assert (store.position("file:a"), store.position("file:b"), store.position("file:")) == (7, 2**40, 0)
    assert store.last_seq() == 2


def test_marks_are_remembered_with_their_position_and_forgotten_by_age(store):
    marks = (("poll:a:1", 100), ("poll:a:2", 200), ("poll:b:1", 100))
    store.append([event()], position=Position(key="poll", offset=10, marks=marks))
    assert [store.position(key) for key in ("poll", "poll:a:1", "poll:a:2", "poll:b:1")] == [10, 100, 200, 100]
    again = Position(key="poll", offset=11, marks=(("poll:a:2", 200), ("poll", 5)), outdated=(("poll:a:", 150),))
    store.append([], position=again)
    assert [store.position(key) for key in ("poll", "poll:a:1", "poll:a:2", "poll:b:1")] == [11, 0, 200, 100]


def test_a_time_without_zone_is_refused_and_nothing_is_stored(store):
    naive = msgspec.structs.replace(event(), at=datetime(2026, 11, 21))  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="time zone"):
        store.append([event(), naive], position=Position(key="file:a", offset=10))
    with pytest.raises(ValueError, match="time zone"):
        store.events(since=naive.at)
    assert (store.last_seq(), store.position("file:a"), store.events()) == (0, 0, [])
    assert store.append([event()]) == (1, 1)


def test_what_a_log_says_is_bounded_and_never_refuses_the_batch(store):
    store.append([event(message="x" * 10**6, user="u" * 10**6, src_ip="\udcff\udc80", src_port=-1, score=10**30)])
    [found] = store.events()
    assert (len(found.message), len(found.user)) == (4096, 512)
    assert (found.src_ip, found.src_port, found.score) == ("??", 0, 2**31 - 1)


def test_events_are_filtered_and_newest_first(store):
    store.append([event(NOON + n * DAY, category=Category.VPN if n % 2 else Category.WAF) for n in range(6)])
    store.append([event(NOON)])
    assert [found.seq for found in store.events(limit=2)] == [6, 5]
    assert [found.seq for found in store.events(since=NOON + DAY, until=NOON + 3 * DAY)] == [3, 2]
    assert [found.seq for found in store.events(category=Category.VPN)] == [6, 4, 2]
    assert [found.seq for found in store.events(until=NOON + DAY)] == [7, 1]
    assert store.events(limit=0) == []


def test_old_lines_never_become_alertable(opened):
    store = opened()
    store.append([event() for _ in range(3)], alerts=False)
    store.append([event() for _ in range(2500)])
    store.append([event()], alerts=False)
    store.append([event()])
    store.append([event()])
    store.close()
    store = opened()
    assert [found.seq for found in store.alertable(0)] == [*range(4, 2504), 2505, 2506]
    assert [found.seq for found in store.alertable(2502)] == [2503, 2505, 2506]
    assert list(store.alertable(2506)) == []


def test_alertable_lets_the_caller_write_meanwhile(store):
    store.append([event() for _ in range(1500)])
    seen = [(found.seq, store.append([event()], alerts=False)) for found in store.alertable(1490)]
    assert [seq for seq, _ in seen] == list(range(1491, 1501))


def test_readers_see_whole_batches_while_one_writes(store):
    stop = threading.Event()
    found: list[int] = []
    faults: list[Exception] = []

    def read() -> None:
        try:
            while not stop.is_set():
                summary = store.summarize(NOON, NOON + DAY, by_day=False)
                found.append(summary.totals.events)
                assert sum(bucket.events for bucket in summary.buckets) == summary.totals.events
                assert sum(top.events for top in summary.top_sources) == summary.totals.events
        except Exception as fault:  # noqa: BLE001 - shown by the main thread
            faults.append(fault)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    batches = 10 if isinstance(store, ClickHouseStore) else 30  # readers ask a server a dozen questions between two
    for _ in range(batches):
        store.append([event(src_ip="192.0.2.1") for _ in range(100)])
    stop.set()
    for reader in readers:
        reader.join()
    assert not faults
    assert found == [n for n in found if n % 100 == 0 and n <= 100 * batches]
    assert store.count() == 100 * batches


def test_a_closed_store_says_so(store):
    store.close()
    store.close()
    for call in (store.events, lambda: store.append([event()]), lambda: list(store.alertable(0))):
        with pytest.raises(StoreError):
            call()


def test_active_bans_are_those_not_lifted_before_the_end(store):
    store.append(
        [
            event(NOON - 50 * DAY, Action.BANNED, src_ip="192.0.2.1"),
            event(NOON, Action.BANNED, src_ip="192.0.2.2"),
            event(NOON + DAY, Action.UNBANNED, src_ip="192.0.2.2"),
            event(NOON, Action.BANNED, src_ip="192.0.2.3"),
            event(NOON, Action.UNBANNED, src_ip="192.0.2.3"),  # of the same second: the later one counts
            event(NOON, Action.BANNED),  # without an address it bans nobody that could be counted
            event(NOON, Action.BLOCKED, src_ip="192.0.2.4"),
        ]
    )
    totals = store.summarize(NOON, NOON + DAY, by_day=False).totals
    assert (totals.new_bans, totals.active_bans) == (3, 2)
    assert store.summarize(NOON, NOON + 2 * DAY, by_day=True).totals.active_bans == 1


def test_top_lists(store):
    store.append(
        [
            event(NOON, src_ip="192.0.2.9", country="FR", dst_ip="10.0.0.1", target_host="b.example", rule_id="7"),
            event(NOON, Action.ALLOWED, src_ip="192.0.2.9", country="CN", dst_ip="10.0.0.1", rule_name="Scan"),
            event(NOON - DAY, src_ip="192.0.2.9", country="US"),
            event(NOON, src_ip="192.0.2.10", target_host="a.example", rule_name="Scan", rule_id="8"),
            event(NOON),
        ]
    )
    summary = store.summarize(NOON, NOON + DAY, by_day=False, top=2)
    seen = {"first_seen": NOON, "last_seen": NOON}
    assert summary.top_sources == (
        Top(name="192.0.2.9", events=2, blocked=1, share=0.5, country="CN", tried=("7", "Scan"), **seen),
        Top(name="192.0.2.10", events=1, blocked=1, share=0.25, tried=("Scan",), new=True, **seen),
    )
    assert [top.name for top in summary.top_targets] == ["10.0.0.1", "a.example"]
    assert [(top.name, top.blocked) for top in summary.top_countries] == [("CN", 0), ("FR", 1)]
    assert [(top.name, top.label, top.events) for top in summary.top_rules] == [("Scan", "8", 2), ("7", "7", 1)]
    assert summary.totals.unique_sources == 2
    assert store.summarize(NOON, NOON + DAY, by_day=False, top=0).totals.unique_sources == 2


@pytest.mark.parametrize(
    ("zone", "day", "buckets"),
    [
        ("Europe/Paris", date(2026, 3, 29), 23),
        ("Europe/Paris", date(2026, 10, 25), 25),
        ("Asia/Kathmandu", date(2026, 5, 1), 24),
        ("Australia/Lord_Howe", date(2026, 10, 4), 24),  # 23.5 hours: one piece is short
        ("Australia/Lord_Howe", date(2026, 4, 5), 25),  # 24.5 hours
        ("Africa/Cairo", date(2026, 4, 24), 23),  # begins at 01:00
        ("America/Santiago", date(2026, 9, 6), 23),  # begins at 01:00
    ],
)
def test_hours_of_odd_days(store, zone, day, buckets):
    start, end = start_of_day(day, ZoneInfo(zone)), start_of_day(day + DAY, ZoneInfo(zone))
    minutes = (utc(end) - utc(start)) // timedelta(minutes=1)
    store.append([event(utc(start) + timedelta(minutes=n)) for n in range(-1, minutes + 1)])
    summary = store.summarize(start, end, by_day=False)
    assert len(summary.buckets) == buckets
    assert summary.totals.events == sum(bucket.events for bucket in summary.buckets) == minutes
    starts = [utc(bucket.start) for bucket in summary.buckets]
    assert [bucket.events for bucket in summary.buckets] == [
        (after - before) // timedelta(minutes=1) for before, after in zip(starts, [*starts[1:], utc(end)], strict=True)
    ]
    assert all(bucket.start.tzinfo is start.tzinfo for bucket in summary.buckets)
    assert store.hours(start, end) == summary.buckets


def test_days_of_a_month_with_a_clock_change(store):
    zone = ZoneInfo("Europe/Paris")
    start, end = start_of_day(date(2026, 10, 1), zone), start_of_day(date(2026, 11, 1), zone)
    hours = (utc(end) - utc(start)) // timedelta(hours=1)
    store.append([event(utc(start) + timedelta(hours=n)) for n in range(hours)])
    summary = store.summarize(start, end, by_day=True)
    assert [bucket.start.date() for bucket in summary.buckets] == [date(2026, 10, n) for n in range(1, 32)]
    assert [bucket.events for bucket in summary.buckets] == [25 if n == 25 else 24 for n in range(1, 32)]


def test_a_period_that_begins_anywhere(store):
    start = datetime(2026, 11, 21, 12, 34, 56, 789, tzinfo=ZoneInfo("Asia/Kathmandu"))
    store.append([event(start + n * timedelta(minutes=10)) for n in range(12)])
    summary = store.summarize(start, start + timedelta(hours=2), by_day=False)
    assert [(bucket.start.hour, bucket.start.minute, bucket.events) for bucket in summary.buckets] == [
        (12, 34, 3),
        (13, 0, 6),
        (14, 0, 3),
    ]
    assert store.hours(start, start + timedelta(hours=2)) == summary.buckets
    assert store.summarize(start, start, by_day=True).buckets == store.hours(start, start) == ()


FIRST_WALL = datetime(2026, 3, 27)  # noqa: DTZ001 - hypothesis adds the zone
texts = st.sampled_from(["", "a", "B", "é"])
random_events = st.builds(
    SecurityEvent,
    at=st.datetimes(FIRST_WALL, FIRST_WALL + 4 * DAY, timezones=st.sampled_from([UTC, ZoneInfo("Asia/Kathmandu")])),
    source=st.just("s"),
    category=st.sampled_from(list(Category)),
    action=st.sampled_from(list(Action)),
    severity=st.sampled_from(list(Severity)),
    src_ip=st.sampled_from(["", "192.0.2.1", "192.0.2.2", "2001:db8::1"]),
    country=st.sampled_from(["", "FR", "CN"]),
    dst_ip=texts,
    target_host=texts,
    rule_id=texts,
    rule_name=texts,
)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
@examples(12, 3, batch=st.lists(random_events, max_size=40), by_day=st.booleans(), top=st.integers(1, 4))
def test_summaries_equal_a_recount(engine, tmp_path_factory, batch, by_day, top):
    store = engine(tmp_path_factory.mktemp("store"))
    zone = ZoneInfo("Europe/Paris")
    start, end = start_of_day(date(2026, 3, 28), zone), start_of_day(date(2026, 3, 30), zone)
    try:
        store.append(batch)
        summary = store.summarize(start, end, by_day=by_day, top=top)
    finally:
        store.close()
    recount(summary, batch, start, end, by_day=by_day, top=top)


def recount(
    summary: Summary, batch: list[SecurityEvent], start: datetime, end: datetime, *, by_day: bool, top: int
) -> None:
    inside = [e for e in batch if utc(start) <= utc(e.at) < utc(end)]
    latest = {e.src_ip: e.action for e in sorted(batch, key=lambda e: utc(e.at)) if utc(e.at) < utc(end) and is_ban(e)}
    assert summary.totals == Totals(
        events=len(inside),
        blocked=sum(e.action in BLOCKED for e in inside),
        detected=sum(e.action == Action.DETECTED for e in inside),
        allowed=sum(e.action == Action.ALLOWED for e in inside),
        critical=sum(e.severity == Severity.CRITICAL for e in inside),
        unique_sources=len({e.src_ip for e in inside} - {""}),
        new_bans=sum(e.action == Action.BANNED for e in inside),
        active_bans=sum(action == Action.BANNED for action in latest.values()),
    )
    assert summary.by_severity == {s.value: sum(e.severity == s for e in inside) for s in Severity}
    assert summary.by_category == {c.value: n for c in Category if (n := sum(e.category == c for e in inside))}
    critical = [e for e in inside if e.severity == Severity.CRITICAL and not e.blocked]
    assert summary.critical_unblocked == len(critical)
    assert summary.got_through == len({id(e) for e in critical} | {id(e) for e in inside if e.action == "detected"})
    for tops, name in (
        (summary.top_sources, lambda e: e.src_ip),
        (summary.top_targets, lambda e: e.target),
        (summary.top_countries, lambda e: e.country),
        (summary.top_rules, lambda e: e.rule_name or e.rule_id),
    ):
        events = Counter(name(e) for e in inside if name(e))
        blocked = Counter(name(e) for e in inside if e.blocked)
        expected = sorted(events, key=lambda text, events=events: (-events[text], text))[:top]
        assert [(t.name, t.events, t.blocked, t.share) for t in tops] == [
            (text, events[text], blocked[text], events[text] / len(inside)) for text in expected
        ]
    for source in summary.top_sources:
        known = [e for e in sorted(inside, key=lambda e: utc(e.at)) if e.src_ip == source.name and e.country]
        assert source.country == (known[-1].country if known else "")
    starts = [utc(bucket.start) for bucket in summary.buckets]
    assert len(starts) == (2 if by_day else 47)
    for bucket, begin, after in zip(summary.buckets, starts, [*starts[1:], utc(end)], strict=True):
        within = [e for e in inside if begin <= utc(e.at) < after]
        assert (bucket.events, bucket.blocked, bucket.critical) == (
            len(within),
            sum(e.blocked for e in within),
            sum(e.severity == Severity.CRITICAL for e in within),
        )


def is_ban(e: SecurityEvent) -> bool:
    return bool(e.src_ip) and e.action in {Action.BANNED, Action.UNBANNED}


def test_the_whole_year_is_one_period(store):
    store.append([event(FIRST), event(LAST - timedelta(microseconds=1)), event(LAST)])
    summary = store.summarize(FIRST, LAST, by_day=True)
    assert (summary.totals.events, len(summary.buckets)) == (2, 365)
    assert (summary.buckets[0].events, summary.buckets[-1].events) == (1, 1)
