"""``vxtray serve`` killed at random points of a storm of events that raise alerts: each is told or counted, once.

The truth is what the event store holds. In between, the store itself is damaged and set aside: alerts go on.
"""

import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.core.alerts.watch import check_accounts
from tests.core.mail.wire import PASSWORD
from tests.e2e.alert_counts import events_told
from tests.e2e.killing import ROOT, seeds, start_serve
from tests.e2e.loglines import firewall, waf
from tests.peers.desktop import until
from tests.peers.mail_servers import Receiver
from tests.peers.mailbox import ReceivedMail
from vxtray.core.mail.outbox import Outbox
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.store.embedded import EmbeddedStore

SHORT, LONG = seeds(1, (41, 42, 43, 44, 45))
SECONDS = 30
RUBBISH = b"this was an event store once " * 1000
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills sessions of processes")


class Sender(threading.Thread):
    """Sends log lines, most of them critical: many of few sources, single ones of many, and calm in between."""

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(name="sender")
        self._port = port
        self._chance = random.Random(seed)
        self.ended = threading.Event()
        self._sent = 0

    def run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while not self.ended.is_set():
                for line in self._burst():
                    sock.sendto(line.encode(), ("127.0.0.1", self._port))
                self.ended.wait(self._chance.random() * 0.05)

    def _burst(self) -> list[str]:
        chance, now = self._chance, datetime.now(UTC)
        if chance.random() < 0.1:
            return [firewall(now, "198.51.100.1", denied=True)] * 3
        lines = []
        for _ in range(chance.choice([1, 1, 3, 30])):
            self._sent += 1
            few = chance.random() < 0.5
            address = f"203.0.113.{chance.randrange(3)}" if few else f"10.{self._sent >> 8 & 255}.{self._sent & 255}.1"
            lines.append(waf(now, address, 25))
        return lines


class Storm:
    """A profile, the program that is killed on it, and what its store held."""

    def __init__(self, folder: Path, receiver: Receiver, port: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.receiver = receiver
        self.profile = Profile.under(folder / "profile")
        self.points: Counter[str] = Counter()
        self.sender = Sender(port, seed)
        #: What stores that were set aside held: by source, critical events.
        self.before: Counter[str] = Counter()
        #: The last event stored, as the alert cursor names it.
        self.last = ""
        self._copy = folder / "copy"
        self._said = folder / "said.txt"
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), "CREDENTIALS_DIRECTORY": str(folder / "credentials")}
        (folder / "credentials").mkdir(mode=0o700)
        (folder / "credentials" / "smtp-password").write_text(PASSWORD + "\n")
        names = ("host", "port", "security", "username", "from_address", "recipients", "ca_file")
        SettingsFile(self.profile.settings_file).merge(
            {
                **{f"smtp.{name}": getattr(receiver.smtp, name) for name in names},
                "sources.syslog.enabled": True,
                "sources.syslog.port": port,
                "alerts.language": "en",
                "alerts.group_seconds": 1,
                "alerts.summary_minutes": 1,
                "alerts.max_mails_per_hour": self.chance.choice([8, 1000]),
            }
        )

    def start(self) -> subprocess.Popen[bytes]:
        return start_serve(self.profile, self._env, self._said)

    def kill_once(self) -> None:
        """Start it and kill it: at any moment, or right when alerts were written."""
        process = self.start()
        kind = self.chance.choice(["start", "write", "write", "later"])
        if kind == "start":
            time.sleep(self.chance.random() * 1.5)  # a random moment, and no wait for anything
        else:
            counted = self.counted().total()
            until(lambda: self.counted().total() > counted, "alerts are raised", SECONDS)
        if kind == "write":
            wanted, before = self.chance.randint(0, 30), self._written()
            while wanted:
                time.sleep(0.0005)
                if (now := self._written()) != before:
                    before, wanted = now, wanted - 1
            time.sleep(self.chance.random() * 0.005)
        elif kind == "later":
            time.sleep(self.chance.random() * 3.0)
        assert process.poll() is None, self.told()
        if self.chance.random() < 0.5:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, self.told()
        self.points[kind] += 1
        self.check_between()

    def _written(self) -> tuple[int, int]:
        try:
            status = Path(f"{self.profile.outbox_file}-wal").stat()
        except OSError:
            return 0, 0
        return status.st_size, status.st_mtime_ns

    def check_between(self) -> None:
        """Nothing is counted that the store does not hold, and nothing twice."""
        counted, held = self.counted(), self.before + self.held()
        assert not counted - held, self.told(f"too much: {counted - held}")

    def held(self) -> Counter[str]:
        """Return the critical events in the store by their source, from a copy of what lies on the disk."""
        shutil.rmtree(self._copy, ignore_errors=True)
        self._copy.mkdir()
        if not self.profile.events_file.exists() or self.profile.events_file.read_bytes() == RUBBISH:
            return Counter()
        for file in self.profile.state.glob("events.*"):
            if file.is_file():
                shutil.copyfile(file, self._copy / file.name)
        store = EmbeddedStore(self._copy / self.profile.events_file.name)
        with store._reading() as cursor:
            rows = cursor.execute(
                "SELECT src_ip, count(*) FROM events WHERE severity = 'critical' GROUP BY 1"
            ).fetchall()
        self.last = f"{store.uuid}:{store.last_seq()}"
        store.close()
        return Counter(dict(rows))

    def counted(self) -> Counter[str]:
        """Return the events that are told, or counted to be told, by their source."""
        if not self.profile.outbox_file.exists():
            return Counter()
        with sqlite3.connect(self.profile.outbox_file, timeout=10) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            query = "SELECT source, sum(events) FROM tallies GROUP BY source"
            rows = db.execute(query).fetchall() if "tallies" in tables else []
        db.close()
        return Counter(dict(rows))

    def come_to_rest(self) -> None:
        """Let it look at everything that is stored while nothing new comes, and end it as people do."""
        self.sender.ended.set()
        self.sender.join()
        self.held()
        starts = self._starts()
        process = self.start()
        try:
            until(lambda: self._starts() > starts, "it was started", SECONDS)
            until(lambda: process.poll() is not None or self._at_rest(), "all is told", SECONDS)
        finally:
            process.terminate()
            assert process.wait(SECONDS) == 0, self.told()
        counted, held = self.counted(), self.before + self.held()
        assert counted == held, self.told(f"missing {held - counted}, too much {counted - held}")

    def _starts(self) -> int:
        with sqlite3.connect(self.profile.outbox_file, timeout=10) as db:
            (count,) = db.execute("SELECT count(*) FROM history WHERE what = 'started'").fetchone()
        db.close()
        return int(count)

    def _at_rest(self) -> bool:
        """True once every critical event stored is counted, storms are over or held by the cap, and mails left."""
        if not self.profile.outbox_file.exists():
            return False
        with sqlite3.connect(self.profile.outbox_file, timeout=10) as db:
            (mails,) = db.execute("SELECT count(*) FROM mails WHERE state IN ('queued', 'sending')").fetchone()
            soon = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
            (open_,) = db.execute(
                "SELECT count(*) FROM incidents WHERE closed_at = '' AND next_at < ?", (soon,)
            ).fetchone()
            cursor = db.execute("SELECT value FROM facts WHERE name = 'alert-cursor'").fetchone()
        db.close()
        return not mails and not open_ and (cursor[0] if cursor else "") == self.last

    def damage_the_store(self, port: int, seed: int) -> None:
        """Keep what the store held in mind, and put rubbish in its place."""
        self.come_to_rest()
        self.before += self.held()
        for file in self.profile.state.glob(f"{self.profile.events_file.name}*"):
            file.unlink()
        self.profile.events_file.write_bytes(RUBBISH)
        self.sender = Sender(port, seed)
        self.sender.start()

    def check(self) -> None:
        """What was told, what is still held, and what the mails say are the events that matched."""
        outbox = Outbox(self.profile.outbox_file)
        with outbox.looking() as db:
            letters = dict(
                db.execute("SELECT message_id, events FROM letters JOIN mails ON mails.id = mail").fetchall()
            )
            (untold,) = db.execute("SELECT ifnull(sum(untold), 0) FROM incidents").fetchone()
            doubtful = dict(
                db.execute(
                    "SELECT message_id, count(*) FROM attempts JOIN mails ON mails.id = mail WHERE outcome = 'doubt'"
                    " GROUP BY mail"
                ).fetchall()
            )
        matched = self.counted().total()
        check_accounts(outbox, total=matched)
        outbox.close()
        arrived = self.arrived()
        assert letters.keys() <= arrived.keys()
        for message_id, events in letters.items():
            copies = arrived[message_id]
            assert len(copies) <= 1 + doubtful.get(message_id, 0), "an alert came twice"
            assert {events_told(ReceivedMail("", (), copy)) for copy in copies} == {events}
        assert sum(letters.values()) + untold == matched
        sys.stderr.write(
            f"\n{matched} events, {len(letters)} mails, {untold} still held, kills {dict(self.points)}"
            f" (in doubt {sum(doubtful.values())})\n"
        )

    def arrived(self) -> dict[str, list[bytes]]:
        """Return the mails that arrived, by Message-ID."""
        found: dict[str, list[bytes]] = defaultdict(list)
        for mail in self.receiver.mails():
            (identity,) = re.findall(rb"^Message-ID: *(\S+)$", mail, re.MULTILINE)
            found[identity.decode()].append(mail)
        return found

    def told(self, what: str = "") -> str:
        said = self._said.read_text()[-3000:] if self._said.exists() else ""
        return f"{what}\n{said}"


@pytest.mark.parametrize(
    ("seed", "points"),
    [
        *((seed, 4) for seed in SHORT),
        *(pytest.param(seed, 40, marks=[pytest.mark.slow, pytest.mark.timeout(400)]) for seed in LONG),
    ],
)
def test_a_killed_program_tells_every_event_once(
    own_server: Receiver, tmp_path: Path, free_port: int, seed: int, points: int
) -> None:
    storm = Storm(tmp_path, own_server, free_port, seed)
    storm.sender.start()
    try:
        while storm.points.total() < points // 2:
            storm.kill_once()
        storm.damage_the_store(free_port, seed + 1)
        while storm.points.total() < points:
            storm.kill_once()
        storm.come_to_rest()
    finally:
        storm.sender.ended.set()
    storm.check()
