"""A damaged outbox: what can be read is saved, and sent."""

import sqlite3
from pathlib import Path

import pytest

from tests.core.engine import Engine, settings
from tests.core.mail.office import unvaried
from tests.core.mail.test_outbox import NOW, Server, mail, send
from vxtray.core.alerts import register
from vxtray.core.alerts.incidents import Incident, Kind, Shape, Tally, TopRow
from vxtray.core.alerts.rules import Rule
from vxtray.core.mail.outbox import Outbox
from vxtray.core.paths import Profile

PAGE = 4096


def filled(path: Path, mails: int = 300) -> None:
    box = Outbox(path)
    box.add_all([mail(f"k{number}") for number in range(mails)], NOW, facts={"cursor": "u:7"})
    box._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    box.close()


def leaves(path: Path, table: str) -> list[int]:
    """Return the pages of a table's leaves: those of type 13 (https://sqlite.org/fileformat2.html#b_tree_pages)."""
    db = sqlite3.connect(path)
    (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    db.close()
    data = path.read_bytes()
    page = data[(root - 1) * PAGE : root * PAGE]
    assert page[0] == 5, "an inner page"
    cells = [int.from_bytes(page[12 + 2 * at : 14 + 2 * at], "big") for at in range(int.from_bytes(page[3:5], "big"))]
    return [int.from_bytes(page[cell : cell + 4], "big") for cell in cells]


def overwrite(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xff" * PAGE)


def test_mails_that_can_be_read_are_saved_and_sent(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    filled(path)
    overwrite(path, leaves(path, "mails")[2])
    box = Outbox(path, unvaried)
    assert box.salvaged is not None
    assert 200 < box.salvaged.kept < 300
    assert box.salvaged.aside.exists()
    assert box.fact("cursor") == "u:7"
    assert set(send(box, Server())) == {"sent"}
    box.close()
    again = Outbox(path)
    assert again.salvaged is None, "the new file is whole"
    again.close()


def test_what_was_counted_of_alerts_is_saved(tmp_path: Path) -> None:
    """Of a file whose mails are damaged: incidents go on, and tell what they had not told."""
    path = tmp_path / "outbox.db"
    filled(path)
    box = Outbox(path)
    with box.changing() as db:
        incident = Incident(id=7, shape=Shape.WIDE, urgent=True, opened_at=NOW, last_at=NOW, events=5, untold=4)
        register.put(db, [incident])
        tally = Tally(rule=Rule.CRITICAL, source="s", target="t", what="w", events=4, first_at=NOW, last_at=NOW)
        register.count(db, {7: [tally]})
        register.told(db, 7, 1, 3, Kind.STARTED, NOW, 1)
    box._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    box.close()
    overwrite(path, leaves(path, "mails")[2])
    box = Outbox(path, unvaried)
    assert box.salvaged is not None
    with box.looking() as db:
        assert register.still_open(db) == [incident]
        assert [(letter.incident, letter.number) for letter in register.letters(db, 9)] == [(7, 1)]
        found = register.folded(db, 7, 0)
    box.close()
    assert found is not None
    assert (found.events, found.top_targets) == (4, (TopRow(name="t", events=4),))


def test_a_mail_whose_bytes_are_damaged_is_parked_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    filled(path)
    overwrite(path, leaves(path, "contents")[1])
    box = Outbox(path, unvaried)
    assert box.salvaged is None
    states = send(box, Server())
    lost = [entry for entry in box.entries(1000) if entry.state == "failed"]
    assert 0 < len(lost) < 200
    assert len(states) + len(lost) == 300
    box.close()


@pytest.mark.expected_log("salvaged: The outbox was damaged. Saved were")
def test_the_person_is_told(profile: Profile) -> None:
    profile.state.mkdir(parents=True, mode=0o700)
    filled(profile.outbox_file)
    overwrite(profile.outbox_file, leaves(profile.outbox_file, "mails")[0])
    engine = Engine(profile, settings())
    assert [trouble.what for trouble in engine.service.troubles()] == ["salvaged"]
    engine.service.stop()
