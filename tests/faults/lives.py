"""Profiles that live through many kills of what works on them, and what must hold of them afterwards.

``EngineLife`` is the whole engine: a followed log that is written and rotated, attacks over syslog, a report each day,
mails to a server. ``BurstLife`` is an outbox whose mails leave, ``ImportLife`` two logs that are read in.
"""

import contextlib
import gzip
import re
import socket
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.core.alerts.watch import check_accounts
from tests.e2e.alert_counts import events_told
from tests.e2e.log_writer import day_of_records, record, records
from tests.e2e.loglines import waf
from tests.e2e.rotating import HOWS, RotatedLog
from tests.faults import failpoints
from tests.faults.nursery import Child, Nursery, a_mail
from tests.peers.desktop import until
from tests.peers.mail_server import free_ports
from tests.peers.mail_servers import Receiver
from tests.peers.mailbox import ReceivedMail
from vxtray.core.mail.outbox import Outbox, Outgoing
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.store.embedded import EmbeddedStore

SECONDS = 300
_CALM_LIVES = 3
_DAY = 86_400.0


class Life:
    """One profile; ``kill_once`` as often as wanted, then ``finish``."""

    work = ""
    points: Sequence[str] = ()
    #: A point is come by this often at most before the kill.
    most = 4
    #: Seconds after which a process is killed that has not come by its point.
    patience = 2.0

    def __init__(self, folder: Path, nursery: Nursery, chance: Random, hits: Counter[str]) -> None:
        self.folder = folder
        self.chance = chance
        self.hits = hits
        self.kills = 0
        self.twice = 0
        self.doubts = 0
        self.items: Counter[str] = Counter()
        self._nursery = nursery

    def kill_once(self) -> None:
        """Start it, armed or not, and kill it; look at what it left."""
        self.before()
        point = self._point() if self.chance.random() < 0.5 else ""
        # What comes by often is let pass more often.
        many = self.most * (20 if point == failpoints.STATEMENT else 1)
        child = self.start(point, self.chance.randint(1, many))
        if point:
            status = self._live(child, self.patience)
        else:
            status = self._live(child, self.chance.random() * self.chance.choice([0.15, 0.6, self.patience]))
        if status == 0:
            self.ended()
            return
        assert status == -9, self.told(f"ended with {status}")
        self.kills += 1
        self.between()

    def start(self, point: str = "", count: int = 1) -> Child:
        """Start a process on this profile."""
        return self._nursery.start(self.work, self.folder, point=point, count=count, ahead=self.ahead())

    def _live(self, child: Child, seconds: float) -> int:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not child.ended():
            self.meanwhile()
            time.sleep(0.003)
        by_itself = child.ended()
        status = child.end()
        self.hits[self._armed if by_itself and status == -9 else "at random"] += status == -9
        return status

    def _point(self) -> str:
        """Return a point, rather one that was not met so often."""
        some = self.chance.sample(list(self.points), min(4, len(self.points)))
        self._armed = min(some, key=lambda point: self.hits[point])
        return self._armed

    _armed = ""

    def ahead(self) -> float:
        """Return by how much the clock of the program is ahead."""
        return 0.0

    def before(self) -> None:
        """Prepare something to do."""

    def meanwhile(self) -> None:
        """Do what happens around a program that runs."""

    def between(self) -> None:
        """Check what must hold right after a kill."""

    def ended(self) -> None:
        """It came to its end before it was killed."""

    def finish(self) -> None:
        """Let it finish undisturbed, and compare."""

    def told(self, what: str = "") -> str:
        """Return what failed, with what the programs said."""
        said = self.folder / "said.txt"
        return f"{what}\n{said.read_text()[-3000:] if said.exists() else ''}\n{dict(self.hits)}"


def arrived(receiver: Receiver) -> dict[str, list[bytes]]:
    """Return the mails that a server has, by Message-ID."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for mail in receiver.mails():
        (identity,) = re.findall(rb"^Message-ID: *(\S+)$", mail, re.MULTILINE)
        found[identity.decode()].append(mail)
    return found


def whole(path: Path) -> bool:
    """Return whether SQLite finds its file in order."""
    with sqlite3.connect(path, timeout=10) as db:
        found = db.execute("PRAGMA integrity_check").fetchall()
    db.close()
    return bool(found == [("ok",)])


def doubts_and_copies(outbox: Outbox, receiver: Receiver) -> tuple[int, int]:
    """Check each settled mail against what arrived; return how many attempts were in doubt and how many copies more."""
    copies, doubts, twice = arrived(receiver), 0, 0
    entries = outbox.entries(1_000_000)
    assert max(Counter(entry.key for entry in entries).values(), default=1) == 1, "one row for each mail"
    for entry in entries:
        _, _, attempts, data = outbox.entry(entry.id)
        own = [attempt["outcome"] for attempt in attempts].count("doubt")
        found = copies[entry.message_id]
        assert entry.state == "sent", f"{entry.message_id} is {entry.state}: {entry.reply}"
        assert found, f"{entry.message_id} was lost"
        assert len(found) <= 1 + own, f"{entry.message_id} came {len(found)} times, in doubt {own} times"
        plain = data.replace(b"\r\n", b"\n")
        assert all(copy.endswith(plain) for copy in found), f"{entry.message_id} is not as it was queued"
        doubts, twice = doubts + own, twice + len(found) - 1
    assert copies.keys() <= {entry.message_id for entry in entries}, "a mail that nobody queued"
    return doubts, twice


class BurstLife(Life):
    """Mails that wait are sent to a server."""

    work, points, patience = "burst", failpoints.BURST, 1.0

    def __init__(self, folder: Path, nursery: Nursery, chance: Random, hits: Counter[str], receiver: Receiver) -> None:
        super().__init__(folder, nursery, chance, hits)
        self.receiver = receiver
        self._added = 0
        (folder / "smtp.json").write_bytes(msgspec.json.encode(receiver.smtp))

    def before(self) -> None:
        """Queue some mails; the program does not run meanwhile."""
        outbox = Outbox(self.folder / "outbox.db")
        missing = 20 - outbox.counts()["queued"]
        outbox.add_all([self._mail() for _ in range(missing)], datetime.now(UTC))
        outbox.close()

    def _mail(self) -> Outgoing:
        self._added += 1
        return a_mail(self._added, self.folder.name)

    def between(self) -> None:
        """At most one mail is in hand, and the file is in order."""
        path = self.folder / "outbox.db"
        assert whole(path)
        with sqlite3.connect(path) as db:
            (in_hand,) = db.execute("SELECT count(*) FROM mails WHERE state = 'sending'").fetchone()
        db.close()
        assert in_hand <= 1

    def finish(self) -> None:
        """Send what is left, and compare."""
        child = self.start()
        assert child.end(after=SECONDS) == 0, self.told()
        outbox = Outbox(self.folder / "outbox.db")
        assert len(outbox.entries(1_000_000)) == self._added
        self.doubts, self.twice = doubts_and_copies(outbox, self.receiver)
        outbox.close()
        assert self.twice <= self.doubts <= self.kills
        self.items["mails"] += self._added


class ImportLife(Life):
    """Two logs, one compressed, that grow and are read in."""

    work, points, most = "import", failpoints.IMPORT, 6

    def __init__(self, folder: Path, nursery: Nursery, chance: Random, hits: Counter[str]) -> None:
        super().__init__(folder, nursery, chance, hits)
        (folder / "logs").mkdir()
        self.files: dict[Path, list[str]] = {folder / "logs" / "a.log": [], folder / "logs" / "b.log.gz": []}
        self._count = 0
        self.ended()

    def ended(self) -> None:
        """Let the logs grow."""
        for path, names in self.files.items():
            first, end = self._count, self._count + self.chance.choice([50, 3000])
            data = records(first, end, day_of_records())
            with path.open("ab") as file:
                file.write(gzip.compress(data, 1) if path.suffix == ".gz" else data)
            names += [f"n{number}" for number in range(first, end)]
            self._count = end

    def finish(self) -> None:
        """Read the rest in, and compare."""
        assert self.start().end(after=SECONDS) == 0, self.told()
        wanted = Counter(name for names in self.files.values() for name in names)
        assert names_in(self.folder / "events.duckdb") == wanted, self.told("lost or twice")
        self.items["imported lines"] += wanted.total()


def names_in(path: Path) -> Counter[str]:
    """Return the numbered records of ``log_writer`` that a store holds."""
    store = EmbeddedStore(path)
    with store._reading() as cursor:
        rows = cursor.execute("SELECT rule_name FROM events").fetchall()
    store.close()
    names = (str(row[0]).rpartition("/")[2] for row in rows)
    return Counter(name for name in names if re.fullmatch(r"n\d+", name))


class EngineLife(Life):
    """The whole engine; its clock goes on by a day at most starts, so that there is a report to be made."""

    work, points = "serve", failpoints.SERVE

    def __init__(self, folder: Path, nursery: Nursery, chance: Random, hits: Counter[str], receiver: Receiver) -> None:
        super().__init__(folder, nursery, chance, hits)
        self.receiver = receiver
        self.profile = Profile.under(folder / "profile")
        (self._port,) = free_ports(1)
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        (folder / "logs").mkdir()
        self._log = RotatedLog(folder / "logs" / "app.log", chance.choice(HOWS))
        self._days, self._written, self._attacks = 0, 0, 0
        self._day = day_of_records()
        (folder / "began").write_text(str(time.time()))
        names = ("host", "port", "security", "username", "from_address", "recipients", "ca_file")
        SettingsFile(self.profile.settings_file).merge(
            {
                **{f"smtp.{name}": getattr(receiver.smtp, name) for name in names},
                "sources.syslog.enabled": True,
                "sources.syslog.port": self._port,
                "sources.files": [{"path": str(self._log.path), "start": "beginning"}],
                "alerts.language": "en",
                "alerts.group_seconds": 1,
                "alerts.summary_minutes": 1,
                "alerts.max_mails_per_hour": 1000,
                "reports.daily.enabled": True,
                "reports.daily.time": "00:00",
                "reports.zone": "UTC",
                "reports.language": "en",
                "reports.catch_up": "all",
                "reports.attach_pdf": False,
            }
        )
        self.write(3)
        self._begin()

    def _begin(self) -> None:
        """Run until the first lines are stored: "from the beginning" holds from the first commit on."""
        for pause in range(60):
            child = self.start()
            until(lambda: child.ended() or self._starts() > 0, self.told("it starts"), SECONDS)  # noqa: B023 - called here
            assert child.end(15, after=0.3 + pause) == 0, self.told()
            if self.profile.events_file.exists() and names_in(self.profile.events_file):
                return
        raise AssertionError(self.told("nothing was stored"))

    def ahead(self) -> float:
        return self._days * _DAY

    def before(self) -> None:
        """Another day, mostly; the log is written and maybe rotated while nobody looks."""
        self._days += self.chance.random() < 0.5
        self.write(self.chance.choice([0, 3, 40]))

    def meanwhile(self) -> None:
        """Attacks come, and lines are written."""
        what = self.chance.random()
        if what < 0.2:
            self.write(self.chance.choice([1, 1, 3, 20]))
        elif what < 0.6:
            for _ in range(self.chance.choice([1, 1, 3, 20])):
                self._attacks += 1
                few = self.chance.random() < 0.5
                address = (
                    f"203.0.113.{self._attacks % 3}"
                    if few
                    else f"10.{self._attacks >> 8 & 255}.{self._attacks & 255}.1"
                )
                line = waf(datetime.now(UTC) + timedelta(seconds=self.ahead()), address, 25)
                self._sock.sendto(line.encode(), ("127.0.0.1", self._port))

    def write(self, many: int) -> None:
        """Append so many records, and rotate at times."""
        data = b"".join(record(self._written + number, self._day) for number in range(many))
        self._written += many
        if self._written > 100 and self.chance.random() < 0.05:
            self._log.rotate()
        self._log.write(data)

    def between(self) -> None:
        """The file of mails is in order, at most one is in hand."""
        assert whole(self.profile.outbox_file)
        assert self._ask("SELECT count(*) FROM mails WHERE state = 'sending'") <= 1

    def finish(self) -> None:
        """Let a day pass, so that everything that waits is due; let it come to rest, and compare.

        A log that is still being read when all that was told is told takes another calm life: unread is not lost.
        """
        self._days += 1
        for _life in range(_CALM_LIVES):
            self._live_calmly()
            if names_in(self.profile.events_file).total() >= self._written:
                break
        self._log.close()
        self._sock.close()
        self._compare()

    def _live_calmly(self) -> None:
        starts = self._starts()
        child = self.start()
        try:
            until(lambda: child.ended() or self._starts() > starts, "it was started", SECONDS)
            with contextlib.suppress(pytest.fail.Exception):  # what is missing is said below
                until(lambda: child.ended() or self._at_rest(), "all is told", SECONDS)
        finally:
            status = child.end(15, after=0.0)
        assert status == 0, self.told(f"ended with {status}")

    def _starts(self) -> int:
        return self._ask("SELECT count(*) FROM history WHERE what = 'started'")

    def _ask(self, query: str, *values: object) -> int:
        if not self.profile.outbox_file.exists():
            return 0
        with sqlite3.connect(self.profile.outbox_file, timeout=10) as db:
            try:
                (count,) = db.execute(query, values).fetchone()
            except sqlite3.OperationalError:  # its tables are being made
                count = 0
        db.close()
        return int(count)

    _calm_since = 0.0
    _seen: tuple[int, int] = (0, 0)

    def _at_rest(self) -> bool:
        """True once no mail waits, no storm is open, and nothing has changed for a while."""
        soon = (datetime.now(UTC) + timedelta(seconds=self.ahead(), minutes=2)).isoformat()
        waiting = self._ask("SELECT count(*) FROM mails WHERE state IN ('queued', 'sending')")
        waiting += self._ask("SELECT count(*) FROM incidents WHERE closed_at = '' AND next_at < ?", soon)
        waiting += self._days - self._ask("SELECT count(*) FROM mails WHERE kind = 'report'")
        now = self._ask("SELECT count(*) FROM mails"), self._ask("SELECT ifnull(sum(events), 0) FROM tallies")
        if waiting or now != self._seen:
            self._calm_since, self._seen = time.monotonic(), now
        return not waiting and time.monotonic() - self._calm_since > 2.5

    def _compare(self) -> None:
        wanted = Counter(f"n{number}" for number in range(self._written))
        found = names_in(self.profile.events_file)
        missing, more = wanted - found, found - wanted
        assert missing == more == Counter(), self.told(f"lines lost: {list(missing)[:9]}, twice: {list(more)[:9]}")
        outbox = Outbox(self.profile.outbox_file)
        self._compare_alerts(outbox)
        began = datetime.fromtimestamp(float((self.folder / "began").read_text()), UTC)
        days = {f"report:daily:{began + timedelta(days=number):%Y-%m-%d}" for number in range(self._days)}
        keys = {entry.key for entry in outbox.entries(1_000_000) if entry.kind == "report"}
        assert keys == days, f"reports lost: {sorted(days - keys)}, too many: {sorted(keys - days)}"
        self.doubts, self.twice = doubts_and_copies(outbox, self.receiver)
        outbox.close()
        assert self.twice <= self.doubts <= self.kills
        self.items["followed lines"] += self._written
        self.items["reports"] += len(days)

    def _compare_alerts(self, outbox: Outbox) -> None:
        """What was told, and what an open storm still holds, is what the store holds."""
        store = EmbeddedStore(self.profile.events_file)
        with store._reading() as cursor:
            (held,) = cursor.execute("SELECT count(*) FROM events WHERE severity = 'critical'").fetchone() or (0,)
        store.close()
        check_accounts(outbox, total=held)
        copies = arrived(self.receiver)
        with outbox.looking() as db:
            letters = dict(
                db.execute("SELECT message_id, events FROM letters JOIN mails ON mails.id = mail").fetchall()
            )
            (untold,) = db.execute("SELECT ifnull(sum(untold), 0) FROM incidents").fetchone()
        for identity, events in letters.items():
            assert {events_told(ReceivedMail("", (), copy)) for copy in copies[identity]} == {events}
        assert sum(letters.values()) + untold == held
        self.items["attacks"] += held
