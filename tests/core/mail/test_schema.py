"""Files of earlier releases open and keep everything; those of later ones are left alone."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.mail.office import unvaried
from tests.core.mail.test_outbox import NOW, ROOT, Server, mail, send
from vxtray.core.errors import StoreError
from vxtray.core.mail.outbox import Outbox
from vxtray.core.mail.schema import VERSION

#: The layout of release 0.1.
FIRST = """
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    message_id TEXT NOT NULL,
    mail_from TEXT NOT NULL,
    added_at TEXT NOT NULL,
    state TEXT NOT NULL,
    next_try_at TEXT NOT NULL,
    settled_at TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS mails_by_state ON mails (state, next_try_at);
CREATE TABLE IF NOT EXISTS recipients (
    mail INTEGER NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    reply TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (mail, address)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY,
    mail INTEGER NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
    at TEXT NOT NULL,
    seconds REAL NOT NULL,
    stage TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reply TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS periods (key TEXT PRIMARY KEY, settled_at TEXT NOT NULL, outcome TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


#: The layout before incidents.
SECOND = """
CREATE TABLE mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    message_id TEXT NOT NULL,
    mail_from TEXT NOT NULL,
    added_at TEXT NOT NULL,
    state TEXT NOT NULL,
    next_try_at TEXT NOT NULL,
    settled_at TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    rank INTEGER NOT NULL DEFAULT 1,
    waits_since TEXT NOT NULL DEFAULT '',
    rounds INTEGER NOT NULL DEFAULT 0,
    dot_at TEXT NOT NULL DEFAULT '',
    resend_of INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX mails_by_turn ON mails (state, rank, id);
CREATE INDEX mails_by_settling ON mails (settled_at);
CREATE TABLE contents (
    mail INTEGER PRIMARY KEY REFERENCES mails (id) ON DELETE CASCADE,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE recipients (
    mail INTEGER NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    reply TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (mail, address)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    mail INTEGER NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
    at TEXT NOT NULL,
    seconds REAL NOT NULL,
    stage TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reply TEXT NOT NULL,
    peer TEXT NOT NULL DEFAULT '',
    mechanism TEXT NOT NULL DEFAULT '',
    tls TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX attempts_by_mail ON attempts (mail);
CREATE TABLE periods (key TEXT PRIMARY KEY, settled_at TEXT NOT NULL, outcome TEXT NOT NULL) STRICT;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX history_by_time ON history (at);
PRAGMA user_version = 2;
"""


#: What came with incidents.
NEW = ("incidents", "tallies", "letters")


def first_release(path: Path, mails: int = 3) -> None:
    db = sqlite3.connect(path)
    db.executescript(FIRST)
    for number in range(1, mails + 1):
        state = "sent" if number == 1 else "queued"
        db.execute(
            "INSERT INTO mails (key, kind, subject, message_id, mail_from, added_at, state, next_try_at, settled_at,"
            " data) VALUES (?, ?, ?, ?, 'f@example.com', ?, ?, ?, ?, ?)",
            (
                *(f"k{number}", "report" if number % 2 else "alert", f"Subject k{number}", f"<{number}@x>"),
                *(NOW.isoformat(), state, NOW.isoformat(), NOW.isoformat() if number == 1 else "", b"x" * 50_000),
            ),
        )
        db.execute("INSERT INTO recipients VALUES (?, 'a@example.org', ?, '')", (number, state))
        db.execute(
            "INSERT INTO attempts (mail, at, seconds, stage, outcome, reply)"
            " VALUES (?, ?, 1, 'data', 'later', '451 x')",
            (number, NOW.isoformat()),
        )
    db.execute("INSERT INTO facts VALUES ('alert-cursor', 'u:9')")
    db.execute("INSERT INTO periods VALUES ('report:daily:2026-11-22', 'x', 'queued')")
    db.commit()
    db.close()


def test_a_file_of_the_first_release_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    first_release(path)
    box = Outbox(path, unvaried)
    assert [entry.state for entry in box.entries()] == ["queued", "queued", "sent"]
    assert (box.fact("alert-cursor"), set(box.settled_periods())) == ("u:9", {"report:daily:2026-11-22"})
    assert [len(box.entry(number)[3]) for number in (1, 2, 3)] == [50_000] * 3
    assert box.entry(2)[2][0]["reply"] == "451 x"
    assert not box.add(mail("k1"), NOW), "its keys are known for ever"
    server = Server()
    assert send(box, server) == ["sent", "sent"]
    assert server.subjects == ["k2", "k3"], "the alert before the report"
    box.close()
    copy = tmp_path / "outbox.db.v0"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    db = sqlite3.connect(copy)
    assert db.execute("SELECT count(*), sum(length(data)) FROM mails").fetchone() == (3, 150_000)
    db.close()
    again = Outbox(path)
    assert len(again.entries()) == 3
    again.close()


def second_release(path: Path, mails: int = 3) -> None:
    db = sqlite3.connect(path)
    db.executescript(SECOND)
    for number, state in zip(range(1, mails + 1), ("sent", "held", "queued"), strict=True):
        db.execute(
            "INSERT INTO mails (key, kind, subject, message_id, mail_from, added_at, state, next_try_at, settled_at)"
            " VALUES (?, 'alert', 'S', ?, 'f@example.com', ?, ?, ?, '')",
            (f"alert:u:{number}", f"<{number}@x>", NOW.isoformat(), state, NOW.isoformat()),
        )
        db.execute("INSERT INTO contents VALUES (?, ?)", (number, b"x" * 50_000))
        db.execute("INSERT INTO recipients VALUES (?, 'a@example.org', 'queued', '')", (number,))
    db.execute("INSERT INTO facts VALUES ('alert-cursor', 'u:9')")
    db.execute("INSERT INTO history (at, what, detail) VALUES (?, 'started', '{}')", (NOW.isoformat(),))
    db.commit()
    db.close()


def test_a_file_from_before_incidents_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    second_release(path)
    box = Outbox(path, unvaried)
    assert [entry.state for entry in box.entries()] == ["queued", "held", "sent"]
    assert [len(box.entry(number)[3]) for number in (1, 2, 3)] == [50_000] * 3
    assert (box.fact("alert-cursor"), [one.what for one in box.history()]) == ("u:9", ["started"])
    assert box.release_held(NOW) == 1
    with box.looking() as db:
        assert [db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in NEW] == [(0,)] * len(NEW)
    box.close()
    db = sqlite3.connect(tmp_path / "outbox.db.v2")
    assert db.execute("SELECT count(*), (SELECT * FROM pragma_user_version) FROM mails").fetchone() == (3, 2)
    db.close()


def test_all_ways_to_the_layout_of_today_are_the_same(tmp_path: Path) -> None:
    first_release(tmp_path / "old.db")
    second_release(tmp_path / "later.db")
    shapes = []
    for name in ("old.db", "later.db", "new.db"):
        Outbox(tmp_path / name).close()
        db = sqlite3.connect(tmp_path / name)
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        shapes.append(
            {table: sorted(db.execute(f"PRAGMA table_info({table})").fetchall(), key=str) for table in tables}
        )
        shapes[-1] = {
            table: sorted((column[1], column[2], column[3], column[4]) for column in columns)
            for table, columns in shapes[-1].items()
        }
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        db.close()
    assert shapes[0] == shapes[1] == shapes[2]


def test_a_file_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    Outbox(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer vxtray"):
        Outbox(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (99,)
    db.close()


DIES = """
import os, sqlite3, sys
from pathlib import Path
from vxtray.core.mail import schema
left = int(sys.argv[2])
class Dies(sqlite3.Connection):
    def execute(self, *words):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return super().execute(*words)
db = sqlite3.connect(sys.argv[1], isolation_level=None, factory=Dies)
db.execute("PRAGMA journal_mode=WAL")
schema.bring_up_to_date(db, Path(sys.argv[1]))
"""


@pytest.mark.parametrize("step", [3, 4, 6, 9, 11, 13, 16, 20, 22, 24, 26, 28])
def test_an_end_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path, step: int) -> None:
    path = tmp_path / "outbox.db"
    first_release(path)
    subprocess.run([sys.executable, "-c", DIES, str(path), str(step)], cwd=ROOT, env={**os.environ}, check=False)
    box = Outbox(path)
    assert [entry.state for entry in box.entries()] == ["queued", "queued", "sent"]
    assert len(box.entry(3)[3]) == 50_000
    box.close()


@pytest.mark.parametrize("step", [2, 3, 5, 7, 9, 10])
def test_an_end_at_any_step_keeps_the_file_from_before_incidents(tmp_path: Path, step: int) -> None:
    path = tmp_path / "outbox.db"
    second_release(path)
    subprocess.run([sys.executable, "-c", DIES, str(path), str(step)], cwd=ROOT, env={**os.environ}, check=False)
    box = Outbox(path)
    assert [entry.state for entry in box.entries()] == ["queued", "held", "sent"]
    with box.looking() as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    box.close()
