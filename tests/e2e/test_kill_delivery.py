"""``vxtray serve`` killed at random points of a burst: every mail arrives, twice only what was in hand at a kill."""

import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.core.mail.wire import PASSWORD, USER
from tests.e2e.killing import ROOT, seeds, start_serve
from tests.peers.desktop import until
from tests.peers.mail_server import INBOX
from tests.peers.mail_servers import Receiver
from vxtray.core.mail.message import Mail, compose
from vxtray.core.mail.outbox import Outbox, Outgoing
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile

SHORT, LONG = seeds(1, (31, 32, 33, 34))
SECONDS = 60
#: So many mails wait at each start at least; more than leave until the kill, as a rule.
WAITING = 100
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills sessions of processes")


class Burst:
    """A profile with mails in its outbox, and the program that sends them."""

    def __init__(self, folder: Path, receiver: Receiver, seed: int) -> None:
        self.chance = random.Random(seed)
        self.receiver = receiver
        self.profile = Profile.under(folder / "profile")
        self.added: dict[str, bytes] = {}
        self.points: Counter[str] = Counter()
        #: Mails that were in doubt, each with the moment of its final dot.
        self.doubtful: set[tuple[int, str]] = set()
        self._said = folder / "said.txt"
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), "CREDENTIALS_DIRECTORY": str(folder / "credentials")}
        (folder / "credentials").mkdir(mode=0o700)
        (folder / "credentials" / "smtp-password").write_text(PASSWORD + "\n")
        names = ("host", "port", "security", "username", "from_address", "recipients", "ca_file")
        SettingsFile(self.profile.settings_file).merge({f"smtp.{name}": getattr(receiver.smtp, name) for name in names})

    def fill(self) -> None:
        """Queue mails until enough of them wait; the program does not run meanwhile."""
        outbox = Outbox(self.profile.outbox_file)
        missing = WAITING - outbox.counts()["queued"]
        outbox.add_all([self._mail() for _ in range(missing)], datetime.now(UTC))
        outbox.close()

    def _mail(self) -> Outgoing:
        number = len(self.added)
        mail = Mail(
            subject=f"Mail {number}",
            text="".join(f"{'.' * self.chance.randint(0, 2)}line {line} of {number}\n" for line in range(100)),
            html="",
            from_address=USER,
            from_name="vxtray",
            recipients=(INBOX,),
            message_id=f"<n{number}@example.com>",
            date=datetime.now(UTC),
        )
        self.added[mail.message_id] = compose(mail)
        return Outgoing(
            key=f"n{number}",
            kind=self.chance.choice(["report", "alert"]),
            subject=mail.subject,
            message_id=mail.message_id,
            mail_from=USER,
            recipients=(INBOX,),
            data=self.added[mail.message_id],
        )

    def start(self) -> subprocess.Popen[bytes]:
        return start_serve(self.profile, self._env, self._said)

    def kill_once(self) -> None:
        """Start it and kill it, mostly while mails leave; look what it left in hand."""
        self.fill()
        process = self.start()
        if self.chance.random() < 0.2:
            time.sleep(self.chance.random() * 1.5)  # a random moment, and no wait for anything
        else:
            wanted, end = self.receiver.count() + self.chance.randint(1, WAITING // 2), time.monotonic() + SECONDS
            while self.receiver.count() < wanted:
                assert process.poll() is None, self.told()
                assert time.monotonic() < end, self.told()
                time.sleep(0.001)
            time.sleep(self.chance.random() * 0.01)
        if self.chance.random() < 0.5:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, self.told()
        self.points["all"] += 1
        with sqlite3.connect(self.profile.outbox_file) as db:
            (intact,) = db.execute("PRAGMA integrity_check").fetchone()
            in_hand = db.execute("SELECT id, dot_at FROM mails WHERE state = 'sending'").fetchall()
        db.close()
        assert intact == "ok"
        assert len(in_hand) <= 1
        after_dot = {dot for dot in in_hand if dot[1]}
        kind = "after the dot" if after_dot - self.doubtful else "before the dot" if in_hand else "between"
        self.points["before it began" if after_dot & self.doubtful else kind] += 1
        self.doubtful |= after_dot

    def finish(self) -> None:
        """Let it send what is left, and end it as people do."""
        process = self.start()
        try:
            until(lambda: process.poll() is not None or not self._waiting(), "the queue is empty", SECONDS)
        finally:
            process.terminate()
            assert process.wait(SECONDS) == 0, self.told()
        until(lambda: self.arrived().keys() == self.added.keys(), "every mail arrived", SECONDS)

    def _waiting(self) -> int:
        with sqlite3.connect(self.profile.outbox_file, timeout=10) as db:
            (count,) = db.execute("SELECT count(*) FROM mails WHERE state IN ('queued', 'sending')").fetchone()
        db.close()
        return int(count)

    def arrived(self) -> dict[str, list[bytes]]:
        """Return the mails that arrived, by Message-ID."""
        found: dict[str, list[bytes]] = defaultdict(list)
        for mail in self.receiver.mails():
            (identity,) = re.findall(rb"^Message-ID: *(\S+)$", mail, re.MULTILINE)
            found[identity.decode()].append(mail)
        return found

    def check(self) -> None:
        """Compare what arrived with what was queued, and with what the outbox says."""
        outbox, arrived = Outbox(self.profile.outbox_file), self.arrived()
        entries = outbox.entries(1_000_000)
        attempts = {entry.message_id: [one["outcome"] for one in outbox.entry(entry.id)[2]] for entry in entries}
        outbox.close()
        assert Counter(entry.message_id for entry in entries) == Counter(self.added.keys()), "one row each"
        assert {entry.state for entry in entries} == {"sent"}
        assert arrived.keys() == self.added.keys()
        twice = 0
        for identity, copies in arrived.items():
            own, doubts = self.added[identity].replace(b"\r\n", b"\n"), attempts[identity].count("doubt")
            assert attempts[identity] == ["doubt"] * doubts + ["sent"], identity
            assert len(copies) <= 1 + doubts, f"{identity} came {len(copies)} times, in doubt {doubts} times"
            for copy in copies:
                trace = copy.removesuffix(own)
                assert len(trace) == len(copy) - len(own), f"{identity} is not as it was queued"
                assert b"\n\n" not in trace, "only headers come before"
            twice += len(copies) - 1
        in_doubt = sum(each.count("doubt") for each in attempts.values())
        assert twice <= in_doubt == self.points["after the dot"] <= self.points["all"]
        sys.stderr.write(f"\n{len(self.added)} mails, kills {dict(self.points)}, twice {twice}\n")

    def told(self) -> str:
        return self._said.read_text()[-3000:]


def run_burst(burst: Burst, points: int) -> None:
    while burst.points["all"] < points:
        burst.kill_once()
    burst.finish()
    burst.check()


Forms = pytest.mark.parametrize(
    ("seed", "points"),
    [
        *((seed, 3) for seed in SHORT),
        *(pytest.param(seed, 25, marks=[pytest.mark.slow, pytest.mark.timeout(300)]) for seed in LONG),
    ],
)


@Forms
def test_a_killed_sender_loses_nothing(own_server: Receiver, tmp_path: Path, seed: int, points: int) -> None:
    run_burst(Burst(tmp_path, own_server, seed), points)


@Forms
def test_a_killed_sender_loses_nothing_at_postfix(
    postfix_receiver: Receiver, tmp_path: Path, seed: int, points: int
) -> None:
    run_burst(Burst(tmp_path, postfix_receiver, seed), points)
