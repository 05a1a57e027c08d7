"""From a log line to its alert mail at the mail server, in seconds, while a thousand other lines a second arrive.

The clock starts before the line is sent and stops where the server has the mail on its disk, right before it says so
(the file's change time). Beside it, in the same run: what nobody can avoid (``smtplib`` to the same server, over a new
connection and over an open one, and a durable record on the same disk), and the mail action of Debian's fail2ban with
curl as its mail program, from the line of a failed login to the mail. Measures and asserts what was done, never how
quickly.
"""

import base64
import contextlib
import itertools
import json
import os
import random
import shutil
import smtplib
import socket
import ssl
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.bench.conftest import Figures
from tests.bench.figures import OURS
from tests.bench.mailing import mailing_program
from tests.core.mail.wire import PASSWORD, USER
from tests.e2e.loglines import firewall, waf
from tests.e2e.vxtray_process import Vxtray
from tests.peers.desktop import need_programs, until
from tests.peers.mail_server import INBOX
from tests.peers.mail_servers import Receiver

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

RATE = 1_000
FEW = 20
Table = list[dict[str, Any]]
#: Writes or sends what is to be told, which names this address.
Cause = Callable[[str], None]


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Return the table of latencies, printed at the end and kept as ``alert_latency.json`` under ``--bench-out``."""
    made: Table = []
    yield made
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None
    for row in made:
        took = ", ".join(f"{name} {row[name] * 1000:.0f} ms" for name in ("p50", "p99", "most"))
        reporter.write_line(f"{row['what']}: {took} ({row['samples']} times, load {row['load']:.1f})")
    if out := request.config.getoption("--bench-out"):
        out.mkdir(parents=True, exist_ok=True)
        (out / "alert_latency.json").write_text(json.dumps(made, indent=2) + "\n")


@pytest.fixture
def samples(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--bench-samples"))


def tell(figures: Figures, who: str, seconds: list[float]) -> None:
    """Put median and 99th of a hundred into the table of figures, in milliseconds."""
    ordered = sorted(seconds)
    figures.add("alert-p50", who, *(one * 1000 for one in seconds))
    figures.add("alert-p99", who, ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))] * 1000)


def keep(table: Table, what: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    table.append(
        {
            "what": what,
            "p50": statistics.median(ordered),
            "p99": ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))],
            "most": ordered[-1],
            "samples": len(ordered),
            "load": os.getloadavg()[0],
        }
    )


class Told:
    """The mails of a receiver, and when each was there."""

    def __init__(self, receiver: Receiver) -> None:
        self._box = receiver.box
        self._seen: set[str] = set()
        self._find("")

    def after(self, cause: Cause, address: str, seconds: float = 20) -> float:
        """Return the seconds from a cause to the mail that names the address."""
        there: list[float] = []
        began = time.time()
        cause(address)

        def arrived() -> bool:
            there.extend(self._find(address))
            return bool(there)

        until(arrived, f"a mail about {address}", seconds)
        return max(0.0, there[0] - began)

    def _find(self, address: str) -> list[float]:
        """Look at the mails that are new; return when those that name an address were on the disk."""
        new = [file for file in self._box.iterdir() if file.name not in self._seen]
        self._seen.update(file.name for file in new)
        return [file.stat().st_ctime for file in new if address.encode() in file.read_bytes()]


@contextlib.contextmanager
def at_once(act: Callable[[int], object]) -> Iterator[None]:
    """Do something ``RATE`` times a second, with its number, until the end of the block, in bursts of ten."""
    stop = threading.Event()

    def go_on() -> None:
        began = time.perf_counter()
        for number in itertools.count():
            if number % 10 == 0 and stop.wait(max(0.0, number / RATE - (time.perf_counter() - began))):
                return
            act(number)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def addresses(third: int) -> Iterator[str]:
    return (f"203.0.{third}.{number}" for number in range(1, 255))


def pause() -> None:
    """Come at any phase of what the program does at intervals; three alerts a second would be told as a storm."""
    time.sleep(random.uniform(0.5, 0.8))


# --- vxtray -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def vxtray(tmp_path: Path, own_server: Receiver, free_port: int) -> Vxtray:
    """Return a program that tells each attack and each ban, and lets go of a group after a second."""
    vxtray = mailing_program(
        tmp_path,
        own_server,
        free_port,
        f'sources.files=[{{"path": "{tmp_path / "fail2ban.log"}"}}]',
        "alerts.new_ban=true",
        "alerts.group_seconds=1",
        "alerts.max_mails_per_hour=1000",
    )
    (tmp_path / "fail2ban.log").touch()
    return vxtray


def test_line_to_mail(
    vxtray: Vxtray,
    own_server: Receiver,
    tmp_path: Path,
    free_port: int,
    table: Table,
    figures: Figures,
    samples: int,
) -> None:
    told, now = Told(own_server), datetime.now(UTC)
    others = [firewall(now, f"198.51.100.{number}", denied=number % 2 == 0).encode() for number in range(250)]
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.connect(("127.0.0.1", free_port))
        ban_log = stack.enter_context((tmp_path / "fail2ban.log").open("a"))

        def attack(address: str) -> None:
            sock.send(waf(now, address, 55).encode())

        def ban(address: str) -> None:
            ban_log.write(f"{now:%Y-%m-%d %H:%M:%S},123 fail2ban.actions  [812]: NOTICE  [sshd] Ban {address}\n")
            ban_log.flush()

        def listens() -> bool:
            return len(vxtray.json("status")["sources"]) > 1

        first = []
        for address in itertools.islice(addresses(1), 3):
            with vxtray.serve():
                until(listens, "the sources begin")
                with at_once(lambda number: sock.send(others[number % len(others)])):
                    time.sleep(2)  # the rate is reached
                    first.append(told.after(attack, address))
        keep(table, f"vxtray, UDP, the first mail of a process, {RATE:,} lines/s", first)
        with vxtray.serve():
            until(listens, "the sources begin")
            for cause, what, third in ((attack, "UDP", 2), (ban, "a followed file", 3)):
                with at_once(lambda number: sock.send(others[number % len(others)])):
                    time.sleep(2)
                    took = []
                    for address in itertools.islice(addresses(third), samples):
                        took.append(told.after(cause, address))
                        pause()
                    keep(table, f"vxtray, {what}, connection kept, {RATE:,} lines/s", took[1:])
                    took.clear()
                    for number, address in enumerate(itertools.islice(addresses(third + 2), min(FEW, samples))):
                        vxtray.run("smtp", "set", f"timeout_seconds={20 + number}")  # what closes the connection
                        pause()
                        took.append(told.after(cause, address))
                    keep(table, f"vxtray, {what}, new connection, {RATE:,} lines/s", took)
                    if what == "UDP":
                        tell(figures, OURS, took)
        assert {one["state"] for one in vxtray.json("outbox")} == {"sent"}


# --- what nobody can avoid --------------------------------------------------------------------------------------------


def test_limit(own_server: Receiver, tmp_path: Path, table: Table, figures: Figures, samples: int) -> None:
    smtp = own_server.smtp
    context = ssl.create_default_context(cafile=smtp.ca_file)
    plain = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()

    def opened() -> smtplib.SMTP:
        client = smtplib.SMTP(smtp.host, smtp.port)
        assert client.sock is not None
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.starttls(context=context)
        client.ehlo()
        assert client.docmd("AUTH", f"PLAIN {plain}")[0] == 235
        return client

    mail = b"Subject: x\r\n\r\n" + b"203.0.113.7 blocked 100\r\n" * 800
    fresh, kept, record = [], [], []
    for _ in range(samples):
        began = time.perf_counter()
        with opened() as client:
            assert client.sendmail(USER, [INBOX], mail) == {}
            fresh.append(time.perf_counter() - began)
            began = time.perf_counter()
            assert client.sendmail(USER, [INBOX], mail) == {}
            kept.append(time.perf_counter() - began)
        with (tmp_path / "record").open("ab") as file:
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            record.append(time.perf_counter() - began)
    keep(table, "limit: smtplib, new connection", fresh)
    keep(table, "limit: smtplib, connection kept", kept)
    keep(table, "limit: one durable record", record)
    tell(figures, "limit", [one + other for one, other in zip(fresh, record, strict=True)])


# --- fail2ban ---------------------------------------------------------------------------------------------------------

JAIL = """
[DEFAULT]
backend = auto
bantime = 1h
maxretry = 1
[bench]
enabled = true
filter = sshd
logpath = {log}
action = sendmail[name=bench, dest={to}, sender={sender}, mailcmd='{curl}', actionstart='', actionstop='']
"""


@pytest.fixture
def jail(tmp_path: Path, own_server: Receiver) -> Iterator[Path]:
    """Run fail2ban with a jail that bans at the first failed login and only sends a mail; return its log."""
    need_programs("fail2ban-server", "fail2ban-client", "curl")
    if not Path("/etc/fail2ban/action.d/sendmail.conf").exists():
        pytest.skip("fail2ban has no configuration (Debian package fail2ban)")
    folder, log, smtp = tmp_path / "fail2ban", tmp_path / "auth.log", own_server.smtp
    shutil.copytree("/etc/fail2ban", folder)
    log.touch()
    (tmp_path / "curlrc").write_text(f'user = "{USER}:{PASSWORD}"\n')
    curl = (
        f"curl --silent --config {tmp_path / 'curlrc'} --ssl-reqd --cacert {smtp.ca_file}"
        f" --url smtp://{smtp.host}:{smtp.port} --mail-from {USER} --mail-rcpt {INBOX} --upload-file -"
    )
    for other in (folder / "jail.d").iterdir():
        other.unlink()
    (folder / "jail.local").write_text(JAIL.format(log=log, to=INBOX, sender=USER, curl=curl))
    options = ["-c", folder, "-s", tmp_path / "f2b.sock", "-p", tmp_path / "f2b.pid"]
    command = ["fail2ban-server", *map(str, options), "--logtarget", str(tmp_path / "f2b.log"), "-xf", "start"]
    (folder / "fail2ban.local").write_text("[Definition]\ndbfile = None\n")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def pong() -> bool:
        ask = ["fail2ban-client", *map(str, options), "status", "bench"]
        return subprocess.run(ask, capture_output=True, check=False).returncode == 0

    try:
        until(pong, "fail2ban runs its jail", 20)
        yield log
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "busy"])
def test_fail2ban(jail: Path, own_server: Receiver, table: Table, figures: Figures, samples: int, busy: bool) -> None:
    told, took = Told(own_server), []
    with jail.open("a") as log, contextlib.ExitStack() as stack:

        def say(words: str) -> None:
            log.write(f"{datetime.now(UTC):%b %d %H:%M:%S} host sshd[4711]: {words}\n")
            log.flush()

        def fail(address: str) -> None:
            say(f"Failed password for invalid user admin from {address} port 4711 ssh2")

        if busy:
            stack.enter_context(at_once(lambda number: say(f"Starting session: command for root id {number}")))
            time.sleep(2)
        for address in itertools.islice(addresses(9 + busy), min(FEW, samples)):
            took.append(told.after(fail, address, 60))
            pause()
    keep(table, f"fail2ban and curl, {f'{RATE:,} lines/s' if busy else 'no other lines'}", took)
    if busy:
        tell(figures, "fail2ban and curl", took)
