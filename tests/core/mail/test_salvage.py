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
from vxtray.core.mail import salvage
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


@pytest.mark.parametrize("step", ["_copy", "_forget_orphans"])
def test_a_salvage_that_ends_halfway_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "outbox.db"
    filled(path)
    overwrite(path, leaves(path, "mails")[2])
    before = path.read_bytes()

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(salvage, step, killed)
        with pytest.raises(Killed):
            Outbox(path)
    assert path.read_bytes() == before, "nothing was set aside before the new file is whole"
    box = Outbox(path)
    assert box.salvaged is not None
    assert 200 < box.salvaged.kept < 300
    assert [one.name for one in tmp_path.iterdir() if "damaged" in one.name] == [box.salvaged.aside.name]
    box.close()


class Disk(sqlite3.Connection):
    """Says of a page that the disk did not give it, as often as ``faults`` says, in SQLite's words."""

    faults = 0

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if "quick_check" in sql and self.faults:
            self.faults -= 1
            sql = "SELECT 'Tree 4 page 9: unable to get the page. error code=266'"
        return super().execute(sql, *values)


@pytest.mark.parametrize(("faults", "given_up"), [(0, False), (1, False), (99, True)])
def test_a_moments_fault_of_the_disk_is_no_damage(tmp_path: Path, faults: int, given_up: bool) -> None:
    path = tmp_path / "outbox.db"
    filled(path, mails=3)
    db = sqlite3.connect(path, factory=Disk)
    db.faults = faults
    assert salvage.damaged(db) is given_up
    db.close()


def test_a_file_without_a_table_is_salvaged_too(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    filled(path)
    db = sqlite3.connect(path)
    db.execute("DROP TABLE attempts")
    db.close()
    found = salvage.salvage(path)
    assert found.kept == 300
    box = Outbox(path, unvaried)
    assert set(send(box, Server())) == {"sent"}
    box.close()


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


def test_any_page_of_the_layout_may_be_damaged(tmp_path: Path) -> None:
    """Then the file may not even be opened; it is set aside, told with its count, and mail goes on."""
    Outbox(tmp_path / "fresh.db").close()
    saved = []
    for page in range(2, (tmp_path / "fresh.db").stat().st_size // PAGE + 1):
        path = tmp_path / str(page) / "outbox.db"
        path.parent.mkdir()
        filled(path, 3)
        overwrite(path, page)
        box = Outbox(path, unvaried)
        if box.salvaged is not None:
            saved.append(box.salvaged.kept)
            assert box.salvaged.aside.exists()
        box.add(mail("new"), NOW)
        assert send(box, Server())[-1] == "sent"
        box.close()
    assert saved
    assert max(saved) == 3
