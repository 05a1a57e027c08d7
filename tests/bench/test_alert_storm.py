"""A hundred thousand lines that each match a rule, through a program of its own: mails, exact counts, memory over time.

Half of them are critical, half are bans; half come from one source each, half from a new source each time. Asserts what
was told, never how quickly. ``--bench-storm-seconds 600`` spreads them over ten minutes.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.bench.mailing import mailing_program
from tests.bench.measured import family
from tests.e2e.alert_counts import all_told, events_told
from tests.e2e.loglines import waf
from tests.e2e.vxtray_process import Vxtray
from tests.peers.desktop import until
from tests.peers.mail_servers import Receiver
from tests.peers.mailbox import ReceivedMail

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

STORM = 100_000
GROUP_SECONDS = 60
EVERY_SECONDS = 0.5


class Memory:
    """The memory that a program and its children alone use (USS), at intervals: (seconds, bytes, lines sent)."""

    def __init__(self, pid: int) -> None:
        self.seen: list[tuple[float, int, int]] = []
        self.sent = 0
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(EVERY_SECONDS):
            used = sum(map(unshared, family(self._pid)))
            self.seen.append((time.monotonic() - began, used, self.sent))

    def at(self, lines: int) -> float:
        """Return the MiB in use once so many lines had been sent."""
        return next((used for _, used, sent in self.seen if sent >= lines), self.seen[-1][1]) / 2**20


def unshared(pid: int) -> int:
    with suppress(OSError):
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Private_"))
    return 0


def storm(now: datetime) -> Iterator[bytes]:
    for number in range(STORM // 4):
        other = f"{number >> 8}.{number & 255}"
        yield waf(now, "203.0.113.1", 55).encode()
        yield waf(now, f"198.18.{other}", 55).encode()
        for address in ("203.0.113.2", f"198.19.{other}"):
            yield f"{now:%Y-%m-%d %H:%M:%S},123 fail2ban.actions [812]: NOTICE  [sshd] Ban {address}".encode()


@pytest.fixture
def vxtray(tmp_path: Path, own_server: Receiver, free_port: int) -> Vxtray:
    return mailing_program(
        tmp_path, own_server, free_port, "alerts.new_ban=true", f"alerts.group_seconds={GROUP_SECONDS}"
    )


def test_storm(
    vxtray: Vxtray, own_server: Receiver, free_port: int, request: pytest.FixtureRequest, rows: list[dict[str, Any]]
) -> None:
    spread = request.config.getoption("--bench-storm-seconds")
    lines = list(storm(datetime.now(UTC)))

    def mails() -> list[ReceivedMail]:
        return [ReceivedMail("", (), content) for content in own_server.mails()]

    def stored() -> int:
        return sum(source["lines"] for source in vxtray.json("status")["sources"])

    with vxtray.serve() as process, Memory(process.pid) as memory:
        until(lambda: bool(vxtray.json("status")["sources"]), "the sources begin")
        began = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", free_port))
            for number, line in enumerate(lines):
                if number % 50 == 0:
                    time.sleep(max(0.0, number / STORM * spread - (time.monotonic() - began)))
                if number and number % 20_000 == 0:
                    until(lambda least=number - 10_000: stored() >= least, "it keeps up", 60)  # type: ignore[misc]
                sock.send(line)
                memory.sent = number + 1
        sent = time.monotonic() - began
        until(lambda: stored() == STORM, "every line is stored", 120)
        seconds = time.monotonic() - began
        until(lambda: all_told(mails()) >= STORM, "every event is told", GROUP_SECONDS + 60)
        told = time.monotonic() - began
    arrived = sorted(mails(), key=lambda mail: mail.message["Date"].datetime)
    assert all_told(arrived) == STORM
    assert len(arrived) <= 10
    flat = ", ".join(f"{memory.at(STORM * part // 10):.0f}" for part in (1, 2, 4, 6, 8, 10))
    subjects = "; ".join(f"{mail.message['Subject']} ({events_told(mail):,})" for mail in arrived)
    peak = max(used for _, used, _ in memory.seen) / 2**20
    remarks = (
        f"sent in {sent:.0f} s, all told after {told:.0f} s in {len(arrived)} mails; USS in MiB after 10, 20, 40, 60, "
        f"80, 100 %: {flat}; at most {peak:.0f}, at the end {memory.seen[-1][1] / 2**20:.0f}; {subjects}"
    )
    rows.append({"what": "storm of alerts over UDP", "lines": STORM, "seconds": seconds, "remarks": remarks})
    if out := request.config.getoption("--bench-out"):
        out.mkdir(parents=True, exist_ok=True)
        (out / "alert_storm.json").write_text(json.dumps(memory.seen) + "\n")
