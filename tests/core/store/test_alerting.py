"""What alerts ask of every event store: events by kind as pages, counts by kind, and what a source did before."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import product

import msgspec
import pytest
from hypothesis import strategies as st

from tests.core.store.engines import examples
from vxtray.core.errors import StoreError
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store import EventStore
from vxtray.core.store.alerting import unpaged
from vxtray.core.store.clickhouse import ClickHouseStore
from vxtray.core.store.clickhouse_sql import EARLIEST
from vxtray.core.store.kinds import Kind, SourceRecord, TriedRule

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ALL = frozenset(product(Category, Action, Severity))
LONG_AGO, FAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


def event(minutes: float = 0, **fields: object) -> SecurityEvent:
    base = SecurityEvent(
        at=NOON + timedelta(minutes=minutes),
        source="fw",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.HIGH,
    )
    return msgspec.structs.replace(base, **fields)


def kind_of(one: SecurityEvent) -> Kind:
    return one.category, one.action, one.severity


def read(store: EventStore, kinds=ALL, since=LONG_AGO, until=FAR) -> list[SecurityEvent]:
    found = store.pages(kinds, since, until)
    events = [one for page in found.pages for one in unpaged(page)]
    assert len(events) == found.total
    return events


HOSTILE = "'\"\\\r\n\x00\x1b[31m{}[]$text\u2028\u202e é 田 \U0001f600</script>"


def test_whole_events_come_back_whatever_stands_in_them(store):
    full = event(
        0.25,
        src_ip="2001:db8::1",
        src_port=65535,
        country="FR",
        dst_ip="192.0.2.1",
        dst_port=1,
        target_host=HOSTILE,
        target_url=HOSTILE,
        user=HOSTILE,
        rule_id=HOSTILE,
        rule_name=HOSTILE,
        message=HOSTILE,
        score=-5,
    )
    store.append([full, event(1)])
    assert read(store) == [msgspec.structs.replace(full, seq=1), event(1, seq=2)]


def _at(one: SecurityEvent) -> tuple[datetime, int]:
    return one.at, one.seq


@pytest.mark.parametrize("at", [datetime(1, 1, 2, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)])
def test_odd_times_come_back(store, at):
    store.append([event(at=at)])
    wanted = max(at, EARLIEST) if isinstance(store, ClickHouseStore) else at
    assert [one.at for one in read(store, since=datetime(1, 1, 1, tzinfo=UTC))] == [wanted]


def test_an_empty_store_and_no_kinds_have_no_pages(store):
    assert read(store) == []
    store.append([event()])
    assert read(store, kinds=()) == []
    assert store.count_kinds((), LONG_AGO, FAR) == []


def test_what_is_stored_meanwhile_is_left_out_and_what_is_deleted_is_missing(store):
    store.append([event(number) for number in range(6000)])
    found = store.pages(ALL, LONG_AGO, FAR)
    first = next(found.pages)
    store.append([event(7000)])
    store.prune(NOON + timedelta(minutes=5500))
    rest = [one.seq for page in found.pages for one in unpaged(page)]
    assert ([one.seq for one in unpaged(first)], rest) == ([*range(1, 5001)], [*range(5501, 6001)])


def test_a_closed_store_says_so(store):
    store.append([event()])
    found = store.pages(ALL, LONG_AGO, FAR)
    store.close()
    with pytest.raises(StoreError):
        next(found.pages)
    with pytest.raises(StoreError):
        store.source_record("192.0.2.1", NOON)


ADDRESSES = (
    "",
    "10.0.0.1",
    "10.1.2.3",
    "100.1.1.1",
    "192.0.2.7",
    "2001:db8::1",
    "::ffff:10.0.0.1",
    "nonsense",
    "fe80::1",
)
NETWORKS = ("10.0.0.0/8", "10.0.0.1", "172.16.0.0/12", "0.0.0.0/0", "192.0.2.4/30", "2001:db8::/32", "::/0")

made = st.builds(
    event,
    st.integers(0, 6),
    category=st.sampled_from(Category),
    action=st.sampled_from(Action),
    severity=st.sampled_from(Severity),
    src_ip=st.sampled_from(ADDRESSES),
    rule_id=st.sampled_from(("", "5", "942100")),
    rule_name=st.sampled_from(("", "SQLi")),
    target_host=st.sampled_from(("", "a.example.com")),
    dst_ip=st.sampled_from(("", "10.9.9.9")),
)
kinds_sets = st.frozensets(st.sampled_from(sorted(ALL)), max_size=40) | st.just(ALL)
bounds = st.tuples(st.integers(-1, 8), st.integers(-1, 8))


def fill(store: EventStore, events: list[SecurityEvent]) -> list[SecurityEvent]:
    """Put these events in the place of all others; return them with their numbers."""
    store.prune(FAR)
    first, _last = store.append(events)
    return [msgspec.structs.replace(one, seq=seq) for seq, one in enumerate(events, first)]


@examples(25, 3, st.lists(made, max_size=40), kinds_sets, bounds, st.integers(1, 9))
def test_pages_hold_each_event_of_these_kinds_once_in_order(store, monkeypatch, events, kinds, times, size):
    monkeypatch.setattr("vxtray.core.store.alerting.PAGE", size)
    since, until = (NOON + timedelta(minutes=minutes) for minutes in times)
    numbered = fill(store, events)
    found = store.pages(kinds, since, until)
    parts = [unpaged(page) for page in found.pages]
    wanted = [one for one in numbered if kind_of(one) in kinds and since <= one.at < until]
    assert [one for part in parts for one in part] == sorted(wanted, key=_at)
    assert found.total == len(wanted)
    assert all(len(part) == size for part in parts[:-1])


def lies_in(address: str, networks: list[str]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ip_network(network, strict=False) for network in networks)


@examples(
    25,
    4,
    st.lists(made, max_size=40),
    kinds_sets,
    bounds,
    st.sampled_from(((), ("5",), ("", "942100"))),
    st.lists(st.sampled_from(NETWORKS), max_size=3),
)
def test_counts_are_those_of_the_events(store, events, kinds, times, rule_ids, networks):
    since, until = (NOON + timedelta(minutes=minutes) for minutes in times)
    fill(store, events)
    groups = store.count_kinds(kinds, since, until, rule_ids=rule_ids, networks=networks)
    wanted = [one for one in events if kind_of(one) in kinds and since <= one.at < until]
    counts: Counter[tuple[object, ...]] = Counter()
    for group in groups:
        address = group.src_ip if lies_in(group.src_ip, networks) else ""
        counts[group.category, group.action, group.severity, group.rule_id, address] += group.events
    assert counts == Counter(
        (
            *kind_of(one),
            one.rule_id if one.rule_id in rule_ids else None,
            one.src_ip if lies_in(one.src_ip, networks) else "",
        )
        for one in wanted
    )


def record_of(events: list[SecurityEvent], address: str, now: datetime) -> SourceRecord:
    own = [one for one in events if one.src_ip == address and one.at <= now]
    month = [one for one in own if one.at > now - 30 * DAY]
    day = [one for one in month if one.at > now - DAY]
    rules: dict[str, list[SecurityEvent]] = {}
    for one in month:
        rules.setdefault(one.rule_name or one.rule_id or one.category.value, []).append(one)
    tried = [
        TriedRule(
            name, len(all_of), sum(one.blocked for one in all_of), max((one.severity for one in all_of), key=_rank)
        )
        for name, all_of in rules.items()
    ]
    return SourceRecord(
        day_events=len(day),
        day_blocked=sum(one.blocked for one in day),
        month_events=len(month),
        month_blocked=sum(one.blocked for one in month),
        targets=len({one.target for one in month if one.target}),
        first_at=min((one.at for one in own), default=None),
        known_since=min((one.at for one in events), default=None),
        tried=tuple(sorted(tried, key=lambda rule: (-rule.events, rule.name))[:5]),
    )


def _rank(severity: Severity) -> int:
    return severity.rank


@examples(25, 4, st.lists(st.tuples(made, st.integers(0, 40)), max_size=60), st.sampled_from(ADDRESSES[1:]))
def test_a_sources_record_is_that_of_its_events(store, aged, address):
    events = [msgspec.structs.replace(one, at=one.at - days * DAY) for one, days in aged]
    fill(store, events)
    assert store.source_record(address, NOON) == record_of(events, address, NOON)
