"""The list of mails and happenings, page by page and again, and what a cancelled mail goes back to."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vxtray.core.errors import UsageError
from vxtray.core.mail.chronicle import BEGIN, END, Line, Sought, Standing, Topic
from vxtray.core.mail.outbox import Outbox, Outgoing

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.sqlite3")
    yield made
    made.close()


def add(box: Outbox, number: int, minutes: float, kind: str = "alert") -> None:
    people = tuple(f"p{n}@example.com" for n in range(number % 5 + 1))
    mail = Outgoing(
        key=str(number),
        kind=kind,
        subject=f"number {number}",
        message_id=f"<{number}@x>",
        mail_from="f@example.com",
        recipients=people,
        data=b"x",
    )
    box.add(mail, NOON + timedelta(minutes=minutes))


def name(line: Line) -> str:
    return line.entry.subject if line.entry is not None else line.happening.what if line.happening is not None else ""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("mixed", ["turns", "mails first", "mails last"])
def test_pages_hold_each_line_once_and_end(box: Outbox, size: int, mixed: str) -> None:
    shift = {"turns": 0.5, "mails first": -100, "mails last": 100}[mixed]
    for number in range(1, 8):
        add(box, number, number)
        box.note(NOON + timedelta(minutes=number + shift), "started", {"version": str(number)})
    lines, place, pages = list[Line](), BEGIN, 0
    while place != END:
        more, place = box.chronicle(Sought(), place, size)
        lines += more
        assert box.chronicle_again(Sought(), place) == lines
        pages += 1
        assert pages < 30
    assert len({line.key for line in lines}) == len(lines) == box.chronicle_count(Sought()) == 14
    assert [line.at for line in lines] == sorted((line.at for line in lines), reverse=True)


def test_what_comes_later_is_listed_again_with_what_was_read(box: Outbox) -> None:
    for number in range(1, 5):
        box.note(NOON + timedelta(minutes=number), "started")
        add(box, number, number - 60)
    lines, place = box.chronicle(Sought(), BEGIN, 2)
    assert [line.entry for line in lines] == [None, None]
    add(box, 9, 30)
    again = box.chronicle_again(Sought(), place)
    assert [name(line) for line in again] == ["number 9", "started", "started"]
    rest, _place = box.chronicle(Sought(), place, 100)
    assert not {line.key for line in rest} & {line.key for line in again}


def test_recipients_are_named_and_counted(box: Outbox) -> None:
    add(box, 4, 0)
    (line,), _place = box.chronicle(Sought())
    assert (line.to, line.people, line.refused) == (("p0@example.com", "p1@example.com", "p2@example.com"), 5, 0)


def test_topics_and_states(box: Outbox) -> None:
    add(box, 1, 0)
    add(box, 2, 1, "report")
    box.cancel(2, NOON)
    for what in ("started", "settings", "tested", "paused"):
        box.note(NOON + timedelta(minutes=2), what, {"name": "ünder_100%"})

    def found(**sought: object) -> list[str]:
        lines, place = box.chronicle(Sought(**sought))  # type: ignore[arg-type]  # fields of Sought
        assert place == END
        assert box.chronicle_count(Sought(**sought)) == len(lines)  # type: ignore[arg-type]
        return [name(line) for line in lines]

    assert found(topic=Topic.ALERTS) == ["number 1"]
    assert found(topic=Topic.REPORTS) == ["number 2"]
    assert found(topic=Topic.RUNS) == ["started"]
    assert found(topic=Topic.TESTS) == ["tested"]
    assert found(standing=Standing.CANCELLED) == ["number 2"]
    assert found(standing=Standing.WAITING, topic=Topic.RUNS) == []
    assert found(text="UMBER 1") == ["number 1"]
    assert len(found(text="_100%")) == 4
    assert found(text="%") == ["paused", "tested", "settings", "started"]
    assert found(until=NOON + timedelta(minutes=1)) == ["number 1"]
    assert found(since=NOON + timedelta(minutes=1), until=NOON + timedelta(minutes=2)) == ["number 2"]


def test_a_mail_is_kept_although_it_is_not_sought(box: Outbox) -> None:
    add(box, 1, 0)
    add(box, 2, 1)
    sought = Sought(standing=Standing.WAITING)
    _lines, place = box.chronicle(sought)
    box.cancel(2, NOON)
    assert [name(line) for line in box.chronicle_again(sought, place)] == ["number 1"]
    assert [name(line) for line in box.chronicle_again(sought, place, keep=2)] == ["number 2", "number 1"]


def test_restore_gives_back_the_state_once(box: Outbox) -> None:
    add(box, 1, 0)
    before = box.entry(1)[0]
    with pytest.raises(UsageError):
        box.restore(before)
    box.cancel(1, NOON)
    assert box.next_due() is None
    box.restore(before)
    assert box.entry(1)[0] == before
    assert box.next_due() == NOON
    with pytest.raises(UsageError):
        box.restore(before)
