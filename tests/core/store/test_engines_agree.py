"""All numbers of one larger store, the same on every engine."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from tests.core.store.engines import ENGINES, cluster_store
from tests.core.store.test_sections import MESSAGES
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store import EventQuery, EventStore

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
END = NOW.astimezone(ZoneInfo("Europe/Paris"))
DAY = timedelta(days=1)
MANY = 100_000


def random_events(chance: random.Random) -> Iterator[SecurityEvent]:
    """Yield events of forty days, with many equal names and some rare ones."""

    def address() -> str:
        low = f"{chance.randrange(4)}.{int(chance.paretovariate(1)) % 256}.{chance.randrange(256)}"
        return chance.choice(["", f"2001:db8::{chance.randrange(999):x}", f"10.{low}"])

    for _ in range(MANY):
        yield SecurityEvent(
            at=NOW - timedelta(microseconds=chance.randrange(40 * 86_400_000_000)),
            source=chance.choice(["sophos", "fail2ban", "crowdsec"]),
            category=chance.choice(list(Category)),
            action=chance.choice(list(Action)),
            severity=chance.choice(list(Severity)),
            src_ip=address(),
            src_port=chance.randrange(65536),
            country=chance.choice(["", "FR", "CN", "US"]),
            dst_ip=address(),
            target_host=chance.choice(["", "a.example", "b.example", "é.example"]),
            user=chance.choice(["", "a", "B", "zoë"]),
            rule_id=str(chance.randrange(300)),
            rule_name=chance.choice(["", "sshd", "postfix", "XSS", f"SQLi {chance.randrange(50)}"]),
            message=chance.choice(MESSAGES),
            score=chance.choice([None, 1, 50]),
        )


def found(query: EventQuery) -> Callable[[EventStore], object]:
    return lambda store: (store.count(query), store.search(query, limit=300))


QUESTIONS: dict[str, Callable[[EventStore], object]] = {
    "a month": lambda store: store.summarize(END - 30 * DAY, END, by_day=True, top=20, silent=timedelta(minutes=9)),
    "a day": lambda store: store.summarize(END - DAY, END, by_day=False, silent=timedelta(minutes=2), now=NOW),
    "totals": lambda store: store.totals(END - 30 * DAY, END),
    "a text": found(EventQuery(text="SQLI 7")),
    "a text with an accent": found(EventQuery(text="ZOË")),
    "a network": found(EventQuery(source="10.1.0.0/18")),
    "an IPv6 network": found(EventQuery(source="2001:db8::/112", severity=Severity.HIGH)),
    "a rule": found(EventQuery(rule="sshd", since=NOW - 3 * DAY)),
    "a source": lambda store: store.source_record("10.1.1.7", NOW),
    "kinds": lambda store: sorted(
        store.count_kinds(
            [(Category.WAF, Action.BLOCKED, Severity.HIGH)],
            NOW - 30 * DAY,
            NOW,
            rule_ids=["5"],
            networks=["10.0.0.0/8"],
        ),
        key=repr,
    ),
}


@pytest.mark.slow
def test_every_engine_gives_the_same_numbers(tmp_path_factory):
    events = list(random_events(random.Random(7)))
    engines = {**ENGINES, "cluster": cluster_store}
    stores = [engine(tmp_path_factory.mktemp(name)) for name, engine in engines.items()]
    try:
        for store in stores:
            for begin in range(0, MANY, 20_000):
                store.append(events[begin : begin + 20_000])
        for name, ask in QUESTIONS.items():
            first, *others = (ask(store) for store in stores)
            assert others == [first] * len(others), name
    finally:
        for store in stores:
            store.close()


def test_a_cluster_gives_the_same_numbers_as_one_server(tmp_path_factory):
    events = list(islice(random_events(random.Random(8)), 500))
    stores = [engine(tmp_path_factory.mktemp("store")) for engine in (ENGINES["embedded"], cluster_store)]
    try:
        for store in stores:
            store.append(events)
        for name in ("a month", "a text"):  # the slow test above asks all
            first, second = (QUESTIONS[name](store) for store in stores)
            assert second == first, name
    finally:
        for store in stores:
            store.close()
