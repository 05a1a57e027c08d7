"""P7: a computer that sleeps, and whose clock is set: overdue reports come once and soon, and what was logged is told.

The process is stopped (SIGSTOP), its log grows, its clock goes on by the gap, and it goes on (SIGCONT): what a suspend
is to a program, since its monotonic clock stands still meanwhile. The clock is a parameter of the engine; ``faketime``
would have ``time.sleep`` fail.
"""

import contextlib
import signal
import sqlite3
import struct
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from tests.e2e.loglines import waf
from tests.faults.lives import arrived, doubts_and_copies
from tests.faults.nursery import Child, Nursery
from tests.faults.promises import Impossible, Measured, Run, promise
from tests.peers.desktop import until
from tests.peers.mail_servers import Receiver, receiver_in
from vxtray.core.mail.outbox import Outbox
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile

MOST_SECONDS = 60.0
_DAY = 86_400.0
#: From a minute to sixty days.
GAPS = (60.0, 600.0, 3600.0, 8 * 3600.0, _DAY, 3 * _DAY, 60 * _DAY)


@promise("P7", "Suspend/resume", "gaps of 1 min-60 days: overdue reports queued within 60 s, once; alerts caught up")
def p7(run: Run) -> Measured:
    if not sys.platform.startswith("linux"):
        raise Impossible("a copy of the engine is started by fork")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(run.room())
        receiver = stack.enter_context(receiver_in(folder / "server", trustme.CA()))
        nursery = stack.enter_context(Nursery())
        sleeper = Sleeper(folder, receiver)
        child = nursery.start("serve", folder)
        try:
            sleeper.wait_for_first(child)
            gaps = list(GAPS) * 4 if run.full else [8 * 3600.0, 3 * _DAY]  # within the 400 days that are kept
            for gap in gaps:
                if not run.over():
                    sleeper.sleep(child, gap * (1 + 0.1 * run.chance.random()), run.chance.randint(1, 20))
                    if run.full or gap == gaps[-1]:
                        sleeper.set_clock(child, run.chance.choice([-7200.0, 7200.0]))
        finally:
            status = child.end(signal.SIGTERM)
        assert status == 0, (folder / "said.txt").read_text()
        sleeper.compare()
    reports, alerts = max(sleeper.reports, default=0.0), max(sleeper.alerts)
    words = (
        f"{len(sleeper.alerts)} gaps: {len(sleeper.reports)} overdue reports once each, after {reports:.1f} s at most;"
        f" {sleeper.attacks} attacks logged meanwhile all told, after {alerts:.1f} s at most; {sleeper.set} clock steps"
    )
    detail = {"report seconds": sleeper.reports, "alert seconds": sleeper.alerts}
    ok = run.soon_enough(max(reports, alerts), MOST_SECONDS)
    return Measured(words, count=len(sleeper.alerts), unit="gaps", ok=ok, detail=detail)


class Sleeper:
    """An engine with a daily report and a log, its clock, and what it queued."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.receiver = receiver
        self.attacks = self.set = self._lines = 0
        #: Seconds from waking up until the overdue report, and the alerts, were queued.
        self.reports: list[float] = []
        self.alerts: list[float] = []
        self._profile = Profile.under(folder / "profile")
        self._log = folder / "app.log"
        self._clock = folder / "ahead"
        self._ahead = 0.0
        self._log.touch()
        self._move(0.0)
        (folder / "began").write_text(str(time.time()))
        names = ("host", "port", "security", "username", "from_address", "recipients", "ca_file")
        SettingsFile(self._profile.settings_file).merge(
            {
                **{f"smtp.{name}": getattr(receiver.smtp, name) for name in names},
                "sources.files": [{"path": str(self._log), "start": "beginning"}],
                "alerts.language": "en",
                "alerts.group_seconds": 1,
                "alerts.max_mails_per_hour": 1000,
                "reports.daily.enabled": True,
                "reports.daily.time": "00:00",
                "reports.zone": "UTC",
                "reports.language": "en",
                "reports.attach_pdf": False,
            }
        )

    @property
    def now(self) -> datetime:
        """What its clock shows."""
        return datetime.now(UTC) + timedelta(seconds=self._ahead)

    def _move(self, seconds: float) -> None:
        self._ahead += seconds
        if not self._clock.exists():
            self._clock.write_bytes(bytes(8))
        with self._clock.open("r+b") as file:
            file.write(struct.pack("d", self._ahead))

    def wait_for_first(self, child: Child) -> None:
        """Log attacks until they are told: what is there before it begins to follow is a backlog, which is not told."""

        def told() -> bool:
            self._write(1)
            time.sleep(0.2)
            return child.ended() or self._told() > 0

        until(told, "it follows its log", 60)
        seen = -1
        while seen != (seen := self._told()):  # the rest of what was just written
            time.sleep(1.5)
        self.attacks = seen

    def _write(self, attacks: int) -> None:
        with self._log.open("a") as log:
            for _ in range(attacks):
                self._lines += 1
                address = f"10.{self._lines >> 16 & 255}.{self._lines >> 8 & 255}.{self._lines & 255}"
                log.write(waf(self.now, address, 25) + "\n")

    def sleep(self, child: Child, gap: float, attacks: int) -> None:
        """Let the computer sleep for so many seconds, attacks be logged meanwhile, and wake up."""
        before, told, day = self._count("mails", "kind = 'report'"), self._told(), self.now.date()
        child.send(signal.SIGSTOP)
        self._move(gap)
        self._write(attacks)
        self.attacks += attacks
        child.send(signal.SIGCONT)
        woken = time.monotonic()
        until(lambda: child.ended() or self._told() >= told + attacks, "what was logged is told", MOST_SECONDS + 30)
        self.alerts.append(round(time.monotonic() - woken, 2))
        if self.now.date() > day:
            overdue = lambda: self._count("mails", "kind = 'report'") > before  # noqa: E731
            until(lambda: child.ended() or overdue(), "the overdue report is queued", MOST_SECONDS + 30)
            self.reports.append(round(time.monotonic() - woken, 2))
        assert not child.ended()

    def set_clock(self, child: Child, step: float) -> None:
        """Set the clock forward or back while the computer is awake."""
        self._move(step)
        self.set += 1
        time.sleep(1.0)  # it looks at its clock each half second
        assert not child.ended()

    def compare(self) -> None:
        """One report for each period that was due, every attack told once, and every mail delivered."""
        outbox = Outbox(self._profile.outbox_file)
        keys = [entry.key for entry in outbox.entries(1_000_000) if entry.kind == "report"]
        assert len(keys) == len(set(keys)), "a report twice"
        settled = outbox.period_outcomes()
        days = sorted(datetime.fromisoformat(key.rpartition(":")[2]).date() for key in settled)
        assert days == [days[0] + timedelta(days=number) for number in range(len(days))], "a period was forgotten"
        assert self._told() == self.attacks, "an attack told twice"
        until(lambda: len(arrived(self.receiver)) > 0, "mails arrive")
        waiting = outbox.counts()["queued"]
        if not waiting:
            doubts_and_copies(outbox, self.receiver)
        outbox.close()

    def _told(self) -> int:
        return self._count("tallies", "1", "ifnull(sum(events), 0)")

    def _count(self, table: str, where: str, what: str = "count(*)") -> int:
        if not self._profile.outbox_file.exists():
            return 0
        with contextlib.closing(sqlite3.connect(self._profile.outbox_file, timeout=10)) as db:
            try:
                (count,) = db.execute(f"SELECT {what} FROM {table} WHERE {where}").fetchone()
            except sqlite3.OperationalError:  # its tables are being made
                return 0
        return int(count)
