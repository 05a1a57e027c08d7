"""``vxtray serve`` under an everyday load for hours: what it holds is sampled, and at the end all is counted.

    python -m tests.faults.soaking --minutes 60 --out soak.json [--rate 200]

The load: syslog over UDP, a log that is written and rotated, attacks among the lines whose alerts go to a mail server,
one daily report, and a person who asks ``vxtray status``. Linux: what a process holds is read from /proc.
"""

import argparse
import contextlib
import json
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.bench.mailing import mailing_program
from tests.bench.measured import family
from tests.e2e.alert_counts import all_told
from tests.e2e.loglines import firewall, waf
from tests.e2e.rotating import RotatedLog
from tests.e2e.vxtray_process import Vxtray
from tests.peers.desktop import until
from tests.peers.mail_server import free_ports
from tests.peers.mail_servers import Receiver, receiver_in
from tests.peers.mailbox import ReceivedMail
from vxtray.core.paths import Profile
from vxtray.core.store.embedded import EmbeddedStore

#: Of the lines, one in so many is an attack that is told, and one in so many goes to the log file.
_ATTACKS, _TO_FILE = 500, 20
_ROTATE_SECONDS = 60
_ASK_SECONDS = 30
#: Before that, caches fill and the first report is made.
WARM = 0.4
MEBI = 2**20


@dataclass
class Sample:
    """What a program held at a moment: bytes, descriptors, threads; ``uss`` and ``processes`` count its children."""

    seconds: float
    rss: int
    uss: int
    fds: int
    threads: int
    processes: int


@dataclass
class Soaked:
    """What came of a soak."""

    sent: int = 0
    stored: int = 0
    dropped: int = 0
    matched: int = 0
    told: int = 0
    reports: int = 0
    mails: int = 0
    status: list[dict[str, Any]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Return the growth after warm-up, in MiB an hour and per cent, and the spans of the other counts."""
        warm = self.samples[int(len(self.samples) * WARM) :]
        hours = (warm[-1].seconds - warm[0].seconds) / 3600
        found: dict[str, Any] = {}
        for name in ("rss", "uss"):
            values = [getattr(one, name) / MEBI for one in warm]
            fit = statistics.linear_regression([one.seconds / 3600 for one in warm], values)
            start, end = statistics.median(values[:9]), statistics.median(values[-9:])
            found[name] = {
                "slope_mib_per_hour": round(fit.slope, 2),
                "warm_mib": round(start, 1),
                "end_mib": round(end, 1),
                "most_mib": round(max(values), 1),
                "growth_percent": round((end / start - 1) * 100, 2),
            }
        for name in ("fds", "threads", "processes"):
            values = [getattr(one, name) for one in warm]
            found[name] = {"least": min(values), "most": max(values), "first": values[0], "last": values[-1]}
        found["hours_after_warm_up"] = round(hours, 3)
        found |= {name: getattr(self, name) for name in vars(self) if name not in {"samples", "status"}}
        return found


class Load(threading.Thread):
    """Sends lines over UDP and writes a log, at a rate, until told to end."""

    def __init__(self, log: Path, port: int, rate: int, seed: int) -> None:
        super().__init__(name="load", daemon=True)
        self.ended = threading.Event()
        self.sent = 0
        self.matched = 0
        self._log = RotatedLog(log, "rename")
        self._port = port
        self._rate = rate
        self._chance = random.Random(seed)

    def run(self) -> None:
        began, rotated = time.monotonic(), time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self._port))
            while not self.ended.wait(max(0.0, self.sent / self._rate - (time.monotonic() - began))):
                line = self._line(datetime.now(UTC)).encode()
                if self.sent % _TO_FILE == 0:
                    self._log.write(line + b"\n")
                else:
                    sock.send(line)
                self.sent += 1
                if time.monotonic() - rotated > _ROTATE_SECONDS:
                    self._log.rotate()
                    for old in self._log.parts()[5:]:
                        old.unlink()
                    rotated = time.monotonic()
        self._log.close()

    def _line(self, now: datetime) -> str:
        address = f"203.0.{self._chance.randrange(113, 119)}.{self._chance.randrange(1, 255)}"
        if self._chance.randrange(_ATTACKS) == 0:
            self.matched += 1
            return waf(now, address, 25)
        return firewall(now, address, denied=self._chance.random() < 0.6)


def sample(pid: int, began: float) -> Sample:
    """Look at a process and its children."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    uss = processes = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            rows = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            uss += sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Private_"))
            processes += 1
    return Sample(
        seconds=round(time.monotonic() - began, 1),
        rss=int(status["VmRSS"].split()[0]) * 1024,
        uss=uss,
        fds=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        threads=int(status["Threads"]),
        processes=processes,
    )


def soak(folder: Path, seconds: float, rate: int = 200, seed: int = 1, every: float = 10.0) -> Soaked:
    """Run it for so long under so many lines a second; return what it held and what became of the lines."""
    folder.mkdir(exist_ok=True)
    (port,) = free_ports(1)
    soaked = Soaked()
    with receiver_in(folder / "server", trustme.CA()) as server:
        soon = datetime.now(UTC) + timedelta(seconds=min(180, max(60, seconds * 0.1)))
        log = folder / "logs" / "app.log"
        log.parent.mkdir()
        vxtray = mailing_program(
            folder,
            server,
            port,
            f'sources.files=[{{"path": "{log}", "start": "beginning"}}]',
            "reports.daily.enabled=true",
            f"reports.daily.time={soon:%H:%M}",
            "reports.zone=UTC",
            "alerts.language=en",
            "alerts.group_seconds=30",
            "alerts.summary_minutes=2",
            "alerts.max_mails_per_hour=1000",
        )
        with vxtray.serve() as process:
            load = Load(log, port, rate, seed)
            load.start()
            soaked.samples += _watched(vxtray, process.pid, seconds, every)
            load.ended.set()
            load.join()
            soaked.sent, soaked.matched = load.sent, load.matched
            _settled(vxtray, server, soaked)
        _count(folder, server, soaked)
    return soaked


def _watched(vxtray: Vxtray, pid: int, seconds: float, every: float) -> Iterator[Sample]:
    began = time.monotonic()
    asked, number = began, 0
    while (now := time.monotonic()) < began + seconds:
        if now - asked >= _ASK_SECONDS:
            vxtray.json("status")
            asked = now
        yield sample(pid, began)
        number += 1
        time.sleep(max(0.0, began + number * every - time.monotonic()))


def _settled(vxtray: Vxtray, server: Receiver, soaked: Soaked) -> None:
    def stored() -> bool:
        sources = vxtray.json("status")["sources"]
        soaked.status = sources
        soaked.dropped = sum(one["dropped"] for one in sources)
        return sum(one["lines"] for one in sources) + soaked.dropped >= soaked.sent

    with contextlib.suppress(pytest.fail.Exception):  # the figures say what is missing
        until(stored, "every line is stored", 900)  # a machine that others use as well may be behind
        until(lambda: _told(server) >= soaked.matched, "every attack is told", 300)


def _alerts_and_reports(server: Receiver) -> tuple[list[ReceivedMail], int]:
    mails = [ReceivedMail("", (), data) for data in server.mails()]
    reports = [mail for mail in mails if "daily" in mail.message["Subject"].lower()]
    alerts = [mail for mail in mails if mail not in reports]
    return alerts, len(reports)


def _told(server: Receiver) -> int:
    return all_told(_alerts_and_reports(server)[0])


def _count(folder: Path, server: Receiver, soaked: Soaked) -> None:
    alerts, soaked.reports = _alerts_and_reports(server)
    soaked.told, soaked.mails = all_told(alerts), len(alerts)
    store = EmbeddedStore(Profile.under(folder / "profile").events_file)
    soaked.stored = store.count()
    store.close()


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for profile, log and mails")
    parser.add_argument("--out", type=Path, default=Path("soak.json"))
    options = parser.parse_args()
    soaked = soak(options.folder, options.minutes * 60, options.rate)
    figures = soaked.figures()
    samples = [vars(one) for one in soaked.samples]
    options.out.write_text(json.dumps({"figures": figures, "samples": samples}, indent=1) + "\n")
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
