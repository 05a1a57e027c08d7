"""The list of mails and the history: paged, searched, bounded."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.core.mail.office import unvaried
from tests.core.mail.test_outbox import NOW, PEOPLE, Server, mail, send
from vxtray.core.mail import records
from vxtray.core.mail.outbox import Outbox, Outcome, State, Verdict

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.db", unvaried)
    yield outbox
    outbox.close()


def keys(box: Outbox, text: str = "", **options: object) -> list[str]:
    return [entry.key for entry in box.search(text, **options)]  # type: ignore[arg-type]  # by name


def test_mails_page_by_page(box: Outbox) -> None:
    for number in range(25):
        box.add(mail(f"k{number:02}"), NOW + number * MINUTE)
    pages, last = [], 0
    while page := box.search(before_id=last, limit=10):
        pages.append([entry.key for entry in page])
        last = page[-1].id
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [key for page in pages for key in page] == [f"k{number:02}" for number in range(24, -1, -1)]
    assert keys(box, since=NOW + 20 * MINUTE) == ["k24", "k23", "k22", "k21", "k20"]
    assert keys(box, until=NOW + 2 * MINUTE) == ["k01", "k00"]


def test_mails_are_found_by_what_stands_in_them(box: Outbox) -> None:
    box.add_all([mail("100%"), mail("1000"), mail("under_score", to=PEOPLE), mail("other")], NOW)
    server = Server()
    server.by_subject["Subject 1000"] = Outcome(verdict=Verdict.FAILED, reply="554 Spam, said the server")
    send(box, server)
    assert keys(box, "00%") == ["100%"], "a sign of SQL's own stands for itself"
    assert keys(box, "r_s") == ["under_score"]
    assert keys(box, "SPAM") == ["1000"]
    assert keys(box, "C@EXAMPLE.org") == ["under_score"]
    assert keys(box, states=[State.FAILED]) == ["1000"]
    assert keys(box, "subject", states=[State.SENT], limit=2) == ["other", "under_score"]
    assert keys(box, "' OR 1=1 --") == []


def test_the_history_holds_mails_and_what_was_noted(box: Outbox) -> None:
    box.note(NOW, "started", {"version": "1"})
    box.note(NOW + MINUTE, "settings", {"changed": {"smtp.host": ["", "mail.example.com"]}})
    box.add(mail("k"), NOW)
    send(box, Server(), NOW + 2 * MINUTE)
    box.note(NOW + 3 * MINUTE, "stopped")
    found = box.history()
    assert [one.what for one in found] == ["stopped", "mail", "settings", "started"]
    assert (found[1].mail, found[1].detail["state"], found[1].detail["subject"]) == (1, "sent", "Subject k")
    assert found[2].detail["changed"]["smtp.host"] == ["", "mail.example.com"]
    assert [one.what for one in box.history(since=NOW + MINUTE, until=NOW + 3 * MINUTE)] == ["mail", "settings"]
    assert [one.what for one in box.history(text="mail.example")] == ["settings"]
    assert [one.what for one in box.history(text="Subject k")] == ["mail"]
    assert [one.what for one in box.history(limit=2)] == ["stopped", "mail"]


def test_the_history_is_bounded(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_KEPT_ROWS", 10)
    for number in range(30):
        box.note(NOW + number * MINUTE, "started", {"n": number})
    assert [one.detail["n"] for one in box.history()] == list(range(29, 19, -1))
    box.note(NOW + 500 * DAY, "started", {"n": 99})
    assert [one.detail["n"] for one in box.history()] == [99]


def test_a_line_that_cannot_be_read_is_no_end(box: Outbox) -> None:
    with box._transaction() as db:
        db.execute("INSERT INTO history (at, what, detail) VALUES ('2026-11-23', 'started', 'no json')")
    (found,) = box.history()
    assert (found.what, found.detail) == ("started", {})


def test_many_sent_mails_cost_no_counting(box: Outbox) -> None:
    with box._reading() as db:
        plan = " ".join(
            str(row) for row in db.execute("EXPLAIN QUERY PLAN SELECT count(*) FROM mails WHERE state = 'queued'")
        )
    assert "mails_by_turn" in plan


def test_what_became_of_mails_is_counted_by_when_it_was_known(box: Outbox) -> None:
    server = Server()
    server.by_subject["Subject bad"] = Outcome(verdict=Verdict.FAILED, reply="554 Spam, said the server")
    box.add_all([mail("good"), mail("bad")], NOW)
    send(box, server, NOW + MINUTE)
    kinds = {entry.state: entry.kind for entry in box.entries()}
    counted = {(kinds[state], str(state)): 1 for state in (State.SENT, State.FAILED)}
    assert box.settled(NOW, NOW + DAY) == counted
    assert box.settled(NOW, NOW + MINUTE) == {}
    assert box.settled(NOW + DAY, NOW + 2 * DAY) == {}
