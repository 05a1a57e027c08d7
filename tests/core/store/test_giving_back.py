"""Memory that the engine keeps after a question is given back, and nobody who uses the store meanwhile notices."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.core.engine import event
from vxtray.core.events import SecurityEvent, Severity
from vxtray.core.store import connecting
from vxtray.core.store.embedded import EmbeddedStore

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def numbered(number: int) -> SecurityEvent:
    """Return an event of which the engine can compress next to nothing."""
    return event(NOON + timedelta(seconds=number), Severity.HIGH, message=secrets.token_hex(100))


def held(store: EmbeddedStore) -> float:
    """Return the MiB that the engine holds."""
    with store._reading() as cursor:
        return float(cursor.execute("SELECT sum(memory_usage_bytes) / 1048576 FROM duckdb_memory()").fetchall()[0][0])


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedStore]:
    """Open a store of some 20 MiB anew, of which none is in memory, where 2 MiB are too much already."""
    monkeypatch.setattr(connecting, "_ENOUGH_MEBIBYTES", 2)
    path = tmp_path / "events.duckdb"
    filled = EmbeddedStore(path)
    for start in range(0, 60_000, 20_000):
        filled.append([numbered(number) for number in range(start, start + 20_000)])
    filled.close()
    opened = EmbeddedStore(path)
    yield opened
    opened.close()


def test_what_a_question_left_is_given_back(store: EmbeddedStore) -> None:
    assert sum(1 for _event in store.events(limit=100_000)) == 60_000
    before = held(store)
    assert before > 5
    store.give_back()
    assert held(store) <= 2
    store.append([numbered(60_000)])
    assert sum(1 for _event in store.events(limit=100_000)) == 60_001
    assert held(store) == pytest.approx(before, rel=0.3)  # the cap is what it was


def test_not_while_a_question_is_answered(store: EmbeddedStore) -> None:
    with store._reading() as cursor:
        answer = cursor.execute("SELECT message FROM events ORDER BY message")
        first = answer.fetchone()
        store.give_back()
        assert first is not None
        assert len(answer.fetchall()) == 59_999
    assert held(store) > 2


def test_a_closed_store_has_nothing_to_give(store: EmbeddedStore) -> None:
    store.close()
    store.give_back()


def test_nothing_else_can_be_changed_in_the_engine(store: EmbeddedStore) -> None:
    import duckdb

    with store._reading() as cursor:
        for statement in ("SET threads = 4", "SET allowed_configs = ['threads']", "SET enable_external_access = true"):
            with pytest.raises(duckdb.Error):
                cursor.execute(statement)
