"""Many days in the life of one engine, under a clock of its own: what it holds, and what became of reports and alerts.

    python -m tests.faults.days --days 400 [--hours 0.5] [--seed 1]

Each step of ``--hours`` the engine ticks, as every half minute in life; attacks come each day, mails go to a server.
The computer sleeps now and then, and the zone of the reports changes. Prints JSON.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from tests.core.alerts.watch import check_accounts
from tests.core.engine import Engine, event, settings
from tests.core.mail.wire import Inbox, aiosmtpd
from tests.core.mail.wire import settings as mail_to
from tests.core.reports.test_desk_machine import _without_a_gap
from tests.faults.soaking import MEBI, Sample, sample
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.reports.rendering import undrawn
from vxtray.core.settings.tree import Alerts, Daily, Monthly, Reports, Store, Weekly

#: From before the change to winter time on, with a leap day after it.
BEGIN = datetime(2027, 9, 20, 6, tzinfo=UTC)
ZONES = ("Europe/Paris", "America/New_York", "Pacific/Auckland", "Asia/Kolkata", "America/Santiago", "Europe/Paris")
SLEEPS = (1.0, 8.0, 30.0, 72.0)
_ATTACKS = 3


class Headers(Inbox):
    """A mail server in this process that keeps the headers only, or it would grow by itself."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        head = envelope.original_content.partition(b"\r\n\r\n")[0] + b"\r\n"
        self.taken.append((envelope.mail_from, tuple(envelope.rcpt_tos), head))
        return "250 2.0.0 kept"


class Days:
    """One engine and its days."""

    def __init__(self, folder: Path, seed: int, port: int) -> None:
        self.chance = random.Random(seed)
        self.attacks = self.sleeps = self.zones = 0
        self.samples: list[Sample] = []
        chosen = settings(
            mail_to(port),
            reports=Reports(
                zone=ZONES[0],
                language="en",
                catch_up="all",
                attach_pdf=False,
                daily=Daily(enabled=True, time="02:30"),
                weekly=Weekly(enabled=True, time="00:00"),
                monthly=Monthly(enabled=True, time="08:00", day=31),
            ),
            alerts=Alerts(language="en", group_seconds=60, max_mails_per_hour=1000),
        )
        chosen = msgspec.structs.replace(chosen, store=Store(retention_days=30))
        self.engine = Engine(Profile.under(folder / "profile"), chosen)
        self.engine.clock.now = BEGIN
        self.engine.saved_at = BEGIN
        self.engine.service._reports._draw = undrawn

    def live(self, days: int, hours: float) -> None:
        """Go on by steps of so many hours."""
        clock, service = self.engine.clock, self.engine.service
        end, day = BEGIN + timedelta(days=days), BEGIN.date()
        sleeps = {round(days * (number + 0.5) / 20) for number in range(20)} if days >= 40 else {days // 2}
        moves = {round(days * (number + 1) / 6) for number in range(5)} if days >= 12 else {days // 3}
        while clock.now < end:
            clock.now += timedelta(hours=hours)
            if clock.now.date() > day:
                day = clock.now.date()
                self._day((day - BEGIN.date()).days, sleeps, moves)
            self.engine.tick()
            service.send_waiting()

    def _day(self, number: int, sleeps: set[int], moves: set[int]) -> None:
        clock, service = self.engine.clock, self.engine.service
        if number in sleeps:
            clock.now += timedelta(hours=self.chance.choice(SLEEPS))
            service.time_leapt()
            self.sleeps += 1
        if number in moves:
            self.zones += 1
            reports = msgspec.structs.replace(service.settings.reports, zone=ZONES[self.zones % len(ZONES)])
            service.apply(msgspec.structs.replace(service.settings, reports=reports))
        addresses = (f"10.{self.attacks % 250}.{self.chance.randrange(250)}.{other}" for other in range(_ATTACKS))
        service.store().append([event(clock.now, src_ip=address) for address in addresses])
        self.attacks += _ATTACKS
        self.engine.notices.clear()  # of the test, not of the program
        self.samples.append(sample(os.getpid(), 0.0))

    def compare(self, inbox: Inbox) -> dict[str, Any]:
        """Check reports, alerts and mails; return the figures."""
        outbox = self.engine.service.outbox
        outbox.lift(self.engine.clock())
        self.engine.service.send_waiting()
        check_accounts(outbox, total=self.attacks)
        entries = outbox.entries(1_000_000)
        assert {entry.state for entry in entries} == {"sent"}
        came = Counter(data.split(b"Message-ID: ")[1].split(b"\r\n")[0].decode() for _, _, data in inbox.taken)
        assert came == Counter(entry.message_id for entry in entries), "a mail lost, or twice"
        reports = Counter(entry.key for entry in entries if entry.kind == "report")
        assert set(reports.values()) == {1}, "a report twice"
        for cadence in Cadence:
            firsts = {_first(key) for key in reports if f":{cadence}:" in key}
            assert _without_a_gap(cadence, firsts), f"{cadence}: {sorted(firsts)}"
        return {"reports": len(reports), "alert mails": len(entries) - len(reports), "attacks": self.attacks}


def _first(key: str) -> date:
    day = key.rpartition(":")[2]
    return date.fromisoformat(day if len(day) > len("2027-11") else f"{day}-01")


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vxf-days-") as folder, aiosmtpd(Headers()) as inbox:
        days = Days(Path(folder), options.seed, inbox.port)
        days.live(options.days, options.hours)
        found = days.compare(inbox)
        days.engine.service.stop()
    warm = days.samples[len(days.samples) * 2 // 5 :]
    rss = [one.rss / MEBI for one in warm]
    start, end = statistics.median(rss[:9]), statistics.median(rss[-9:])
    found |= {"days": options.days, "suspends": days.sleeps, "zone changes": days.zones}
    found["rss"] = {
        "warm_mib": round(start, 1),
        "end_mib": round(end, 1),
        "growth_percent": round((end / start - 1) * 100, 2),
    }
    found |= {
        name: [min(getattr(one, name) for one in warm), max(getattr(one, name) for one in warm)]
        for name in ("fds", "threads")
    }
    found["seconds"] = round(time.monotonic() - began, 1)
    found["threads left"] = threading.active_count()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
