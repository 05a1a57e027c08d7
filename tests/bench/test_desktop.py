"""What the hidden program costs somebody's desk: start to a tray that can be used, memory, idleness; beside a bare one.

Measures and asserts only that it works; the figures stand in the table of the run. "Usable" is when a panel (a
StatusNotifierWatcher on a bus of the test's own) has the icon and gets the menu. Vorta is measured too where it is
installed (``VXTRAY_VORTA`` names its program).
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.peers.desktop import XServer
from tests.peers.status_notifier import Watcher
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.store.embedded import EmbeddedStore

pytestmark = [pytest.mark.bench, pytest.mark.xserver, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
TURNS = 7
EVENTS = 1_000_000
IDLE_SECONDS = 30
SETTLE_SECONDS = 20
BARE = (sys.executable, str(Path(__file__).with_name("bare_tray.py")))
SET_UP = {
    "smtp.host": "127.0.0.1",
    "smtp.port": 1,
    "smtp.auth": "none",
    "smtp.security": "none",
    "smtp.from_address": "a@example.com",
    "smtp.recipients": ("b@example.com",),
    "reports.daily.enabled": True,
}


class Started:
    """A program in the tray, and how long it took to get there."""

    def __init__(self, screen: XServer, watcher: Watcher, command: Sequence[str], number: int) -> None:
        began = time.perf_counter()
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=screen.env | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
        )
        self._item = watcher.item(number)
        assert self._item.menu()
        self.seconds = time.perf_counter() - began

    def own_bytes(self) -> int:
        """Return the memory that nobody else shares (USS)."""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))

    def wakes(self) -> int:
        """Return how often any of its threads went to sleep of its own accord."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        texts = [(task / "status").read_text() for task in tasks]
        return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts)

    def ticks(self) -> int:
        """Return the processor time that it took, in ticks of 10 ms."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return int(fields[11]) + int(fields[12])

    def end(self) -> None:
        self._item.close()
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def begin(xserver: XServer, watcher: Watcher) -> Iterator[Callable[[Sequence[str]], Started]]:
    """Return a function that starts a program in the tray."""
    started: list[Started] = []

    def one(command: Sequence[str]) -> Started:
        started.append(Started(xserver, watcher, command, len(started) + 1))
        return started[-1]

    yield one
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


def hidden(profile: Profile) -> tuple[str, ...]:
    return (sys.executable, "-m", "vxtray", "--profile-dir", str(profile.config), "--hidden")


def vorta() -> tuple[str, ...]:
    found = os.environ.get("VXTRAY_VORTA") or shutil.which("vorta")
    return (found, "--daemonise") if found else ()


def test_start_to_a_usable_tray(begin, profile: Profile, capsys: pytest.CaptureFixture[str]) -> None:
    SettingsFile(profile.settings_file).merge(SET_UP)
    commands = {"bare": BARE, "vxtray": hidden(profile)} | ({"vorta": vorta()} if vorta() else {})
    took: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(TURNS + 1):
        for name, command in commands.items():
            program = begin(command)
            if turn:  # the first one reads the files from the disk
                took[name].append(program.seconds)
            program.end()
    ratio = statistics.median(one / other for one, other in zip(took["vxtray"], took["bare"], strict=True))
    for name, seconds in took.items():
        tell(capsys, f"{name}: start to tray {statistics.median(seconds) * 1000:.0f} ms, median of {len(seconds)}")
    tell(capsys, f"vxtray / bare: {ratio:.2f}")


@pytest.mark.parametrize("events", [0, EVENTS], ids=["no source", "a million events"])
def test_memory_and_idleness(begin, profile: Profile, events: int, capsys: pytest.CaptureFixture[str]) -> None:
    SettingsFile(profile.settings_file).merge(SET_UP)
    if events:
        fill(profile, events)
        SettingsFile(profile.settings_file).merge({"sources.syslog.enabled": True, "sources.syslog.port": 0})
    bare = begin(BARE)
    time.sleep(2)
    floor = bare.own_bytes()
    bare.end()  # alone, each of them: of two, neither would own what they share
    ours = begin(hidden(profile))
    time.sleep(SETTLE_SECONDS)
    wakes, ticks = ours.wakes(), ours.ticks()
    time.sleep(IDLE_SECONDS)
    wakes, ticks = ours.wakes() - wakes, ours.ticks() - ticks
    own = ours.own_bytes()
    tell(capsys, f"{events:,} events: USS {own / 2**20:.0f} MiB, bare {floor / 2**20:.0f} MiB: {own / floor:.2f}")
    tell(
        capsys, f"{wakes / IDLE_SECONDS:.1f} wake-ups/s, {ticks * 10 / IDLE_SECONDS:.1f} ms of processor time a second"
    )
    ours.end()


def tell(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


def fill(profile: Profile, count: int) -> None:
    """Store events of the last 30 days."""
    profile.events_file.parent.mkdir(parents=True, exist_ok=True)
    store = EmbeddedStore(profile.events_file)
    now = datetime.now(UTC)
    batch = 100_000
    for first in range(0, count, batch):
        store.append(
            [
                SecurityEvent(
                    at=now - timedelta(seconds=2 * (count - number)),
                    source="sophos",
                    category=Category.WAF,
                    action=Action.BLOCKED,
                    severity=Severity.LOW,
                    src_ip=f"203.0.{number % 50}.{number % 250}",
                    message="SQL Injection Attack",
                )
                for number in range(first, first + batch)
            ],
            alerts=False,
        )
    store.close()
