"""P24: from damaged settings, outbox or events back to work by itself; what was saved is counted, the time measured."""

import contextlib
import re
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.core.engine import event
from tests.core.mail import hostile as h
from tests.core.mail.test_salvage import leaves, overwrite
from tests.faults.nursery import a_mail
from tests.faults.p23 import World
from tests.faults.promises import Measured, Run, promise
from vxtray.core.mail.outbox import Outbox
from vxtray.core.settings.file import SettingsFile
from vxtray.core.store.embedded import EmbeddedStore, open_store

#: Of 201 mails, where one page of some twenty cannot be read.
_LEAST_SAVED = 150


@promise(
    "P24",
    "time to restore",
    "bad settings: last good generation by itself; bad outbox: saved row by row, the count shown",
)
def p24(run: Run) -> Measured:
    mails, rounds = run.amount(300, 10_000), run.amount(2, 50)
    took: dict[str, list[float]] = {"settings": [], "outbox": [], "events": []}
    saved = broken = 0
    for _ in range(rounds):
        with run.room("settings") as folder:
            took["settings"].append(_settings(run, folder))
        with run.room("outbox") as folder:
            seconds, kept, lost = _outbox(run, folder, mails)
            took["outbox"].append(seconds)
            saved, broken = saved + kept, broken + lost
        with run.room("events") as folder:
            took["events"].append(_events(run, folder))
        if run.over():
            break
    with run.room("told") as folder, h.hostile(h.script()) as server:
        told = _told(folder, server.port)
    worst = {name: round(max(times), 2) for name, times in took.items()}
    words = (
        f"settings {worst['settings']} s; outbox of {mails:,} mails {worst['outbox']} s, {saved:,} of"
        f" {mails * len(took['outbox']):,} saved, {broken} of them without their bytes; events {worst['events']} s"
    )
    count = sum(map(len, took.values()))
    return Measured(words, count=count, unit="damaged files", ok=True, detail={"seconds": took, "told": told})


def _settings(run: Run, folder: Path) -> float:
    """Damage the file in one of several ways; what was last good is in force, and the file is kept."""
    file = SettingsFile(folder / "settings.toml")
    file.merge({"smtp.host": "mail.example.org", "smtp.from_address": "a@example.org"})
    file.merge({"smtp.port": 2525})
    content = file.path.read_bytes()
    at = run.chance.randrange(len(content))
    damage = run.chance.choice([content[:at] + b"\0\xff[[[" + content[at:], b"\0" * len(content), b"[[["])
    file.path.write_bytes(damage)
    again = SettingsFile(file.path)
    began = time.monotonic()
    loaded = again.read_or_last_good()
    seconds = time.monotonic() - began
    assert loaded.trouble is not None
    assert (loaded.settings.smtp.host, loaded.settings.smtp.port) == ("mail.example.org", 2525)
    assert file.path.exists() or list(folder.glob("settings*broken*"))
    again.merge({"smtp.port": 587})
    assert SettingsFile(file.path).read().settings.smtp.host == "mail.example.org"
    return seconds


def _outbox(run: Run, folder: Path, mails: int) -> tuple[float, int, int]:
    """Overwrite some pages of rows; return the seconds until it is open again, the mails saved, those without bytes.

    Pages that hold the layout itself are for ``tests/core/mail/test_salvage.py``: then no row can be found.
    """
    path = folder / "outbox.db"
    Outbox(path).close()
    first_row = path.stat().st_size
    box = Outbox(path)
    now = datetime.now(UTC)
    for first in range(0, mails, 500):
        box.add_all([a_mail(number, "p24") for number in range(first, min(first + 500, mails))], now)
    box.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        for _ in range(3):
            file.seek(run.chance.randrange(first_row, size - 4096) // 4096 * 4096)
            file.write(run.chance.randbytes(4096))
    began = time.monotonic()
    box = Outbox(path)
    seconds = time.monotonic() - began
    salvaged = box.salvaged
    entries = box.entries(1_000_000)
    box.close()
    if salvaged is None:  # only bytes of mails were hit: found at their turn
        assert len(entries) == mails
        return seconds, len(entries), 0
    assert Path(salvaged.aside).exists()
    assert salvaged.kept == len(entries)
    assert salvaged.kept >= mails * 0.5, f"{salvaged.kept} of {mails}"
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return seconds, salvaged.kept, salvaged.broken


def _events(run: Run, folder: Path) -> float:
    path = folder / "events.duckdb"
    store = EmbeddedStore(path)
    store.append([event(datetime.now(UTC)) for _ in range(1000)])
    store.close()
    content = bytearray(path.read_bytes())
    content[: 4096 * 3] = run.chance.randbytes(4096 * 3)
    path.write_bytes(content)
    began = time.monotonic()
    again, aside = open_store(path)
    seconds = time.monotonic() - began
    assert aside is not None
    assert aside.exists()
    assert again.append([event(datetime.now(UTC))])[0] == 1
    again.close()
    return seconds


def _told(folder: Path, port: int) -> str:
    """A program that starts on a damaged outbox says how many mails it saved, and sends them."""
    world = World(folder, port)
    world.vxtray.run("report", "weekly", "--send", status=0, seconds=60)
    path = world.profile / "state" / "outbox.db"
    box = Outbox(path)
    box.add_all([a_mail(number, "told") for number in range(200)], datetime.now(UTC))
    box.close()
    overwrite(path, leaves(path, "mails")[1])
    with world.vxtray.serve():
        told = world.troubles()
    saved = re.search(r"Saved were (\d+) mails", told)
    assert saved is not None, told
    assert int(saved[1]) > _LEAST_SAVED, f"of 201 mails, a page of which was damaged: {told}"
    return told
