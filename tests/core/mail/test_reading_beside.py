"""The outbox is read while another thread writes to it: without waiting, and as it was before."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.core.mail.test_outbox import mail
from vxtray.core.errors import StoreError
from vxtray.core.mail.outbox import Outbox

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db")
    made.set_fact("colour", "blue")
    yield made
    made.close()


def change(box: Outbox, begun: threading.Event, finish: threading.Event) -> None:
    with box.changing() as db:
        db.execute("UPDATE facts SET value = 'red' WHERE name = 'colour'")
        begun.set()
        assert finish.wait(20)


def test_reading_does_not_wait_for_a_transaction(box: Outbox) -> None:
    begun, finish = threading.Event(), threading.Event()
    writer = threading.Thread(target=change, args=(box, begun, finish))
    writer.start()
    try:
        assert begun.wait(20)
        assert box.fact("colour") == "blue"  # the transaction is still open: its thread waits for us
        assert box.last_settled() is None
    finally:
        finish.set()
        writer.join()
    assert box.fact("colour") == "red"


def test_a_question_may_ask_another_beside_a_transaction(box: Outbox) -> None:
    assert box.add(mail("a question"), NOW)
    begun, finish = threading.Event(), threading.Event()
    writer = threading.Thread(target=change, args=(box, begun, finish))
    writer.start()
    try:
        assert begun.wait(20)
        with box.looking():
            assert box.fact("colour") == "blue"
            assert box.fact("colour") == "blue"
        assert box.entry(1)[0].key == "a question"
        assert box.entry(1)[1]
    finally:
        finish.set()
        writer.join()


def test_who_writes_reads_what_it_wrote(box: Outbox) -> None:
    with box.changing() as db:
        db.execute("UPDATE facts SET value = 'red' WHERE name = 'colour'")
        assert box.fact("colour") == "red"


def test_what_reads_beside_a_writer_cannot_change_anything(box: Outbox) -> None:
    begun, finish = threading.Event(), threading.Event()
    writer = threading.Thread(target=change, args=(box, begun, finish))
    writer.start()
    try:
        assert begun.wait(20)
        with pytest.raises(StoreError), box.looking() as db:
            db.execute("DELETE FROM facts")
    finally:
        finish.set()
        writer.join()
    assert box.fact("colour") == "red"
