"""P21: the layout of every file goes up a step at a time; killed at any statement, it opens as before or as after."""

import contextlib
import itertools
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

from tests.core.mail.test_outbox import ROOT
from tests.core.mail.test_schema import DIES, first_release, second_release
from tests.faults.promises import Measured, Run, promise
from vxtray.core.errors import SettingsInvalid, StoreError, VxtrayError
from vxtray.core.mail.outbox import Outbox
from vxtray.core.mail.schema import VERSION
from vxtray.core.settings import migrations as of_settings
from vxtray.core.settings.file import SettingsFile
from vxtray.core.store import migrations as of_events
from vxtray.core.store.embedded import EmbeddedStore, open_store
from vxtray.core.store.spool import Spool

#: The same for the event store: every statement of its making, and of each step there is.
_DUCKDB_DIES = """
import os, sys
from pathlib import Path
import duckdb
left = int(sys.argv[2])
real = duckdb.connect
class Dies:
    def __init__(self, inner): self.inner = inner
    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if name == "cursor":
            return lambda *words: Dies(found(*words))
        if name not in ("execute", "executemany", "sql"):
            return found
        def counted(*words, **named):
            global left
            left -= 1
            if left < 0:
                os._exit(9)
            found(*words, **named)
            return self
        return counted
duckdb.connect = lambda *words, **named: Dies(real(*words, **named))
from vxtray.core.store.embedded import EmbeddedStore
from vxtray.core.store.spool import Spool
kind = {"events": EmbeddedStore, "spool": Spool}[sys.argv[3]]
kind(Path(sys.argv[1])).close()
"""


def _killed(code: str, path: Path, statement: int, *more: str) -> bool:
    """Run code that ends itself before its n-th statement; return whether it did."""
    command = [sys.executable, "-c", code, str(path), str(statement), *more]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 9), done.stderr
    return done.returncode == 9


@promise(
    "P21", "upgrade and downgrade", "every step x kill at every statement: either version opens; copy kept; refused"
)
def p21(run: Run) -> Measured:
    kills = {
        "outbox 0": _each(run, lambda folder, n: _outbox(folder, n, first_release, ["queued", "queued", "sent"])),
        "outbox 2": _each(run, lambda folder, n: _outbox(folder, n, second_release, ["queued", "held", "sent"])),
        "events": _each(run, lambda folder, n: _events(folder, n, "events")),
        "spool": _each(run, lambda folder, n: _events(folder, n, "spool")),
    }
    with run.room("newer") as folder:
        refused = _refused(folder)
    steps = len(of_settings.STEPS) + len(of_events.STEPS) + 2
    total = sum(kills.values())
    words = f"{steps} steps, {total} kills at a statement: all open; {len(refused)} files of a newer release refused"
    return Measured(words, count=total, unit="kills", ok=True, detail={"kills": kills, "refused": refused})


def _each(run: Run, once: Callable[[Path, int], bool]) -> int:
    """Kill at each statement (in the short form at each seventh) until it comes to its end; return how often."""
    start, every = (0, 1) if run.full else (run.chance.randrange(7), 7)
    for kills, statement in enumerate(itertools.count(start, every)):
        with run.room("upgrade") as folder:
            if not once(folder, statement):
                return kills
    raise AssertionError


def _outbox(folder: Path, statement: int, made: Callable[[Path], None], states: list[str]) -> bool:
    path = folder / "outbox.db"
    made(path)
    died = _killed(DIES, path, statement)
    box = Outbox(path)
    assert [entry.state for entry in box.entries()] == states
    with box.looking() as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    box.close()
    copies = [one.name for one in folder.glob("outbox.db.v*")]
    assert len(copies) == 1, "the file as it was is kept"
    return died


def _events(folder: Path, statement: int, kind: str) -> bool:
    path = folder / "events.duckdb"
    died = _killed(_DUCKDB_DIES, path, statement, kind)
    if kind == "spool":
        with contextlib.closing(Spool(path)) as spool:
            assert spool.waiting() == 0
    else:
        store, _aside = open_store(path)
        assert store.count() == 0
        store.close()
    return died


def _refused(folder: Path) -> dict[str, str]:
    """Open files of a release to come; each is left as it was, and the words say why."""
    told: dict[str, str] = {}

    def refused(name: str, path: Path, act: Callable[[], object], kind: type[VxtrayError]) -> None:
        before = path.read_bytes()
        try:
            act()
        except kind as error:
            told[name] = str(error).replace(str(folder), "…")
        assert "newer" in told.get(name, ""), f"{name}: {told}"
        assert path.read_bytes() == before

    settings = folder / "settings.toml"
    settings.write_text(f"version = {of_settings.VERSION + 1}\n")
    refused("settings", settings, lambda: SettingsFile(settings).read(), SettingsInvalid)
    outbox = folder / "outbox.db"
    with contextlib.closing(Outbox(outbox)) as box, box.looking() as db:
        db.execute("SELECT 1")
    with contextlib.closing(sqlite3.connect(outbox)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    refused("outbox", outbox, lambda: Outbox(outbox), StoreError)
    events = folder / "events.duckdb"
    EmbeddedStore(events).close()
    with contextlib.closing(duckdb.connect(str(events))) as store:
        store.execute("UPDATE meta SET value = ? WHERE key = 'schema'", [str(of_events.SCHEMA + 1)])
    refused("events", events, lambda: EmbeddedStore(events), StoreError)
    return told
