"""The store within its limits: age, room, and an older version's file brought up to date."""

import logging
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vxtray.core.errors import StoreError
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.settings.tree import Store
from vxtray.core.store import Position, migrations, retention
from vxtray.core.store.embedded import EmbeddedStore, open_store

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MEBIBYTE = 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(path)
    yield store
    store.close()


def event(at: datetime, text: str = "") -> SecurityEvent:
    return SecurityEvent(
        at=at, source="sophos", category=Category.WAF, action=Action.BLOCKED, severity=Severity.LOW, message=text
    )


def fill(store: EmbeddedStore, days: int, each: int, *, bulky: bool = False) -> None:
    chance = random.Random(1)
    for day in range(days):
        begin = BEGIN + day * DAY
        store.append(
            [event(begin + n * DAY / each, chance.randbytes(60).hex() if bulky else "") for n in range(each)],
            position=Position(key="file:a", offset=day + 1),
            alerts=day % 2 == 1,
        )


def used(store: EmbeddedStore, path: Path) -> int:
    store._checkpoint()
    with store._reading() as cursor:
        return retention.used_bytes(cursor, path)


def oldest(store: EmbeddedStore) -> datetime:
    return min(event.at for event in store.events(limit=10**6))


def test_events_leave_with_their_age(store: EmbeddedStore, caplog: pytest.LogCaptureFixture) -> None:
    fill(store, 10, 50)
    keeper = retention.Retention()
    wanted = Store(retention_days=5)
    caplog.set_level(logging.INFO, "vxtray")
    now = BEGIN + 10 * DAY

    assert keeper.run(store, wanted, now) == 250
    assert "250 events were older than 5 days" in caplog.text
    assert oldest(store) == BEGIN + 5 * DAY
    assert store.last_seq() == 500
    assert store.position("file:a") == 10
    assert next(iter(store.alertable(0))).seq == 251
    # Once an hour; a clock that was put back counts, too.
    assert keeper.run(store, wanted, now + timedelta(minutes=59)) == 0
    assert keeper.run(store, wanted, now + timedelta(hours=12)) == 25
    assert keeper.run(store, wanted, now - DAY) == 0


def test_an_empty_store_stays_last_numbered(store: EmbeddedStore, path: Path) -> None:
    fill(store, 3, 10)
    assert retention.Retention().run(store, Store(retention_days=1), BEGIN + 400 * DAY) == 30
    assert store.last_seq() == 30
    assert list(store.alertable(0)) == []
    store.close()
    again = EmbeddedStore(path)
    assert again.last_seq() == 30
    assert again.position("file:a") == 3
    assert again.append([event(BEGIN)]) == (31, 31)
    again.close()


def test_the_oldest_days_leave_until_the_rest_has_room(store: EmbeddedStore, path: Path) -> None:
    fill(store, 20, 10_000, bulky=True)
    before = used(store, path)
    assert store.shrink(before + MEBIBYTE) == 0
    assert store.count() == 200_000

    cap = before * 6 // 10
    gone = store.shrink(cap)
    assert 200_000 * 0.38 < gone <= 200_000 * 0.6
    assert gone % 10_000 == 0  # whole days
    assert store.count() == 200_000 - gone
    assert oldest(store) == BEGIN + DAY * (gone // 10_000)
    assert used(store, path) <= cap
    assert store.shrink(cap) == 0  # room that is counted once is not made twice
    assert store.last_seq() == 200_000
    # The blocks of what left take what comes.
    fill(store, 5, 10_000, bulky=True)
    assert store.shrink(before) == 0


def test_the_only_day_is_cut_by_the_hour(store: EmbeddedStore, path: Path) -> None:
    fill(store, 1, 60_000, bulky=True)
    gone = store.shrink(used(store, path) // 2)
    assert 0 < gone < 60_000
    assert gone % 2500 == 0
    assert oldest(store) == BEGIN + timedelta(hours=gone // 2500)


def test_a_reader_in_the_middle_is_not_disturbed(store: EmbeddedStore, path: Path) -> None:
    fill(store, 4, 10_000, bulky=True)
    with store._reading() as cursor:
        cursor.execute("BEGIN TRANSACTION")
        assert cursor.execute("SELECT count(*) FROM events").fetchall() == [(40_000,)]
        assert store.shrink(used(store, path) // 2) > 0
        assert cursor.execute("SELECT count(*) FROM events").fetchall() == [(40_000,)]
        cursor.execute("ROLLBACK")


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def older(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file with events as version 1 wrote it, to a program whose newest version is 3."""
    store = EmbeddedStore(path)
    fill(store, 2, 10)
    store.close()

    def add_note(cursor: object) -> None:
        cursor.execute("ALTER TABLE positions ADD COLUMN note VARCHAR DEFAULT 'old'")  # type: ignore[attr-defined]

    def longer_ports(cursor: object) -> None:
        cursor.execute("UPDATE positions SET note = note || '!'")  # type: ignore[attr-defined]

    monkeypatch.setattr(migrations, "SCHEMA", 3)
    monkeypatch.setattr(migrations, "STEPS", {1: add_note, 2: longer_ports})
    return path


@pytest.mark.expected_log("was brought from version 1 to 3")
def test_an_older_file_is_brought_up_to_date_and_kept(older: Path) -> None:
    with pytest.raises(StoreError, match="opened for writing once"):
        EmbeddedStore(older, read_only=True)
    store, aside = open_store(older)
    assert aside is None
    assert store.count() == 20
    with store._reading() as cursor:
        assert cursor.execute("SELECT note FROM positions").fetchall() == [("old!",)]
        assert cursor.execute("SELECT value FROM meta WHERE key = 'schema'").fetchall() == [("3",)]
    first = store.uuid
    store.close()

    EmbeddedStore(older).close()  # nothing left to do
    copy = older.with_name("events.schema-1.duckdb")
    assert sorted(p.name for p in older.parent.iterdir() if p.suffix != ".wal") == [older.name, copy.name]
    migrations.SCHEMA = 1
    kept = EmbeddedStore(copy)
    assert (kept.count(), kept.uuid) == (20, first)
    kept.close()


def test_a_step_that_fails_changes_nothing(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(cursor: object) -> None:
        cursor.execute("SELECT * FROM nowhere")  # type: ignore[attr-defined]

    monkeypatch.setitem(migrations.STEPS, 2, fail)
    with pytest.raises(StoreError):
        EmbeddedStore(older)
    monkeypatch.setattr(migrations, "SCHEMA", 1)
    store = EmbeddedStore(older)
    with store._reading() as cursor:
        assert [row[0] for row in cursor.execute("DESCRIBE positions").fetchall()] == ["key", "offset"]
    store.close()
