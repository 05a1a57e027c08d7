"""P4: a full disk: each call that writes is refused, and a small disk that is really full under the whole program."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.bench.mailing import mailing_program
from tests.e2e.alert_counts import all_told
from tests.e2e.loglines import waf
from tests.e2e.vxtray_process import Vxtray
from tests.faults.failing import sweep, told
from tests.faults.flooding import plain_lines
from tests.faults.lives import doubts_and_copies, whole
from tests.faults.promises import Impossible, Measured, Run, promise
from tests.peers.desktop import until
from tests.peers.mail_server import free_ports
from tests.peers.mail_servers import Receiver, receiver_in
from tests.peers.mailbox import ReceivedMail
from vxtray.core.mail.outbox import Outbox
from vxtray.core.paths import Profile
from vxtray.core.store.embedded import open_store

_WRITES = "write,pwrite64,ftruncate,fallocate"
_DISK = 48 << 20
_CROWD = 300
BANNER_SECONDS, RECOVERY_SECONDS = 5.0, 60.0


@promise(
    "P4",
    "Disk full",
    "ENOSPC at every write and a really full volume: 0 crashes, 0 damage, told within 5 s, queued alerts leave,"
    " recovered within 60 s of room, no restart",
)
def p4(run: Run) -> Measured:
    detail: dict[str, Any] = {}
    try:
        with run.room("small") as place, _small_disk(place) as folder:
            detail["volume"] = found = _really_full(place, folder)
    except Impossible as reason:
        volume, ok = f"no full volume: {reason}", True
    else:
        volume = (
            f"a full volume was told after {found['told']:.1f} s, {found['left']} of {found['queued']} queued mails"
            f" left while it was full, all was well {found['recovered']:.1f} s after there was room"
        )
        ok = run.soon_enough(found["told"], BANNER_SECONDS) and run.soon_enough(found["recovered"], RECOVERY_SECONDS)
        ok = ok and found["left"] == found["queued"]
    total = sweep(run, _WRITES, "ENOSPC", short=2)
    words, wrong = told(total)
    detail |= dict(total)
    return Measured(
        f"{words}; {volume}",
        count=total["faults"] + 1,
        unit="runs with a fault",
        ok=ok and not wrong,
        detail=detail,
        of=total["of"] + 1,
    )


@contextlib.contextmanager
def _small_disk(place: Path) -> Iterator[Path]:
    folder = place / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        raise Impossible("a small disk can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class _Full:
    """The whole program on a small disk."""

    def __init__(self, vxtray: Vxtray, profile: Profile, server: Receiver, port: int) -> None:
        self.vxtray = vxtray
        self.profile = profile
        self.server = server
        self.attacks = self.others = 0
        self._port = port
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def attack(self) -> None:
        self.attacks += 1
        line = waf(datetime.now(UTC), f"203.0.113.{self.attacks}", 25)
        self._sock.sendto(line.encode(), ("127.0.0.1", self._port))

    def crowd(self) -> None:
        """Other lines, more than what a last page that is not full yet may take."""
        for line in plain_lines(_CROWD):
            self._sock.sendto(line, ("127.0.0.1", self._port))
        self.others += _CROWD

    def status(self) -> dict[str, Any]:
        """Return what ``vxtray status`` says, whatever its exit status."""
        command = [*self.vxtray.command, "status", "--json"]
        done = subprocess.run(command, env=self.vxtray.env, capture_output=True, text=True, check=False)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def close(self) -> None:
        self._sock.close()


def _really_full(place: Path, folder: Path) -> dict[str, Any]:
    """Fill the disk while alerts wait; return when it was told, what left, and when all was well again."""
    (port,) = free_ports(1)
    with receiver_in(place / "server", trustme.CA()) as server:
        assert server.process is not None
        vxtray = mailing_program(folder, server, port, "alerts.group_seconds=1", "alerts.max_mails_per_hour=1000")
        full = _Full(vxtray, Profile.under(folder / "profile"), server, port)
        with contextlib.closing(full), vxtray.serve() as process:
            until(lambda: len(vxtray.json("status")["sources"]) > 1, "the sources begin", 30)
            full.attack()
            until(lambda: server.count() == 1, "the first alert arrives", 30)
            server.process.send_signal(signal.SIGSTOP)
            for _ in range(5):
                full.attack()
                time.sleep(0.4)  # one by one, or they would be one mail
            until(lambda: full.status()["queue"]["queued"] >= 1, "alerts wait", 30)
            found = _fill(full, folder, _waiting(full.profile), process)
        _compare(full)
        return found


def _waiting(profile: Profile) -> int:
    """Return how many mails wait or are in hand."""
    with contextlib.closing(sqlite3.connect(profile.outbox_file, timeout=10)) as db:
        (count,) = db.execute("SELECT count(*) FROM mails WHERE state IN ('queued', 'sending')").fetchone()
    return int(count)


def _fill(full: _Full, folder: Path, queued: int, process: "subprocess.Popen[str]") -> dict[str, Any]:
    filler, before = folder / "filler", full.server.count()
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    began = time.monotonic()
    full.attack()
    until(lambda: bool(full.status()["trouble"]), "the full disk is told", 30)
    seconds = time.monotonic() - began
    full.crowd()
    until(lambda: "event store" in str(full.status()["trouble"]), "events are refused", 30)
    found: dict[str, Any] = {"told": seconds, "queued": queued}
    assert full.server.process is not None
    full.server.process.send_signal(signal.SIGCONT)
    with contextlib.suppress(pytest.fail.Exception):  # the figure says how many did
        until(lambda: full.server.count() >= before + queued, "what waited leaves", 90)
    found["left"] = min(queued, full.server.count() - before)
    filler.unlink()
    room = time.monotonic()
    full.attack()
    until(lambda: not full.status()["trouble"], "nothing is wrong any more", 90)
    found["recovered"] = time.monotonic() - room
    assert process.poll() is None, "it ended"
    until(lambda: _told(full.server) >= full.attacks, "every attack is told", 60)
    return found


def _told(server: Receiver) -> int:
    return all_told(ReceivedMail("", (), data) for data in server.mails())


def _compare(full: _Full) -> None:
    outbox = Outbox(full.profile.outbox_file)
    doubts_and_copies(outbox, full.server)
    outbox.close()
    assert whole(full.profile.outbox_file)
    store, aside = open_store(full.profile.events_file)
    count = store.count()
    store.close()
    assert aside is None
    assert count == full.attacks + full.others, f"{count} stored of {full.attacks + full.others}"
    assert _told(full.server) == full.attacks
