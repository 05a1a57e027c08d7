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

from tests.bench.conftest import Figures
from tests.bench.figures import OURS
from tests.bench.pixels import Pixel
from tests.peers.desktop import XServer, until
from tests.peers.status_notifier import Watcher
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.store.embedded import EmbeddedStore

pytestmark = [pytest.mark.bench, pytest.mark.xserver, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
TURNS = 7
EVENTS = 1_000_000
SETTLE_SECONDS = 60  # the goals speak of ten minutes; the first half minute's ticks are the start's
BARE = (sys.executable, str(Path(__file__).with_name("bare_tray.py")))
BARE_WINDOW = (sys.executable, str(Path(__file__).with_name("bare_window.py")))

#: A place that every window covers which stands in the middle of the screen or in its corner: ground in the frame that
#: is painted first, and in a card of the page that follows.
PLACE = 500, 300
#: The lines of the full menu, which is there once the engine is.
LINES = 12
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
        self.process = subprocess.Popen(command, cwd=ROOT, env=installed(screen), stdout=subprocess.DEVNULL)
        self._item = watcher.item(number)
        assert self._item.menu()
        self.seconds = time.perf_counter() - began
        self._began = began

    def complete(self) -> float:
        """Wait until everything in the menu can be used, and return how many seconds after the start that was."""
        until(lambda: sum(not entry.separator for entry in self._item.menu()) == LINES, "the full menu", 30)
        return time.perf_counter() - self._began

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


def installed(screen: XServer) -> dict[str, str]:
    """Return the environment of programs whose byte code is kept, as every installer does: the first turn makes it."""
    env = screen.env | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(screen.folder / "bytecode")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


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


def test_start_to_a_usable_tray(begin, profile: Profile, capsys: pytest.CaptureFixture[str], figures: Figures) -> None:
    SettingsFile(profile.settings_file).merge(SET_UP)
    commands = {"bare": BARE, "vxtray": hidden(profile)} | ({"vorta": vorta()} if vorta() else {})
    took: dict[str, list[float]] = {name: [] for name in (*commands, "vxtray, full menu")}
    for turn in range(TURNS + 1):
        for name, command in commands.items():
            program = begin(command)
            if turn:  # the first one reads the files from the disk
                took[name].append(program.seconds)
            if name == "vxtray":
                complete = program.complete()
                took["vxtray, full menu"] += [complete] if turn else []
            program.end()
    ratio = statistics.median(one / other for one, other in zip(took["vxtray"], took["bare"], strict=True))
    for name, seconds in took.items():
        tell(capsys, f"{name}: start to tray {statistics.median(seconds) * 1000:.0f} ms, median of {len(seconds)}")
    tell(capsys, f"vxtray / bare: {ratio:.2f}")
    for name, who in (("vxtray", OURS), ("bare", "bare tray"), ("vorta", "Vorta"), ("vxtray, full menu", "full menu")):
        figures.add("start-tray", who, *(one * 1000 for one in took.get(name, [])))


def test_start_to_the_first_window(
    xserver: XServer, profile: Profile, capsys: pytest.CaptureFixture[str], figures: Figures
) -> None:
    SettingsFile(profile.settings_file).merge(SET_UP)
    commands = {"bare window": BARE_WINDOW, "vxtray": hidden(profile)[:-1]}
    took: dict[str, list[float]] = {name: [] for name in (*commands, "vxtray, page")}
    with Pixel(xserver.display, *PLACE) as pixel:
        empty = pixel.colour()
        for turn in range(TURNS + 1):
            for name, command in commands.items():
                began = time.perf_counter()
                process = subprocess.Popen(command, cwd=ROOT, env=installed(xserver), stdout=subprocess.DEVNULL)
                try:
                    painted = pixel.differs_from(empty) - began
                    if turn:
                        took[name].append(painted)
                    if name == "vxtray":
                        page = pixel.differs_from(pixel.colour()) - began
                        took["vxtray, page"] += [page] if turn else []
                    until(lambda: name != "vxtray" or Path(profile.control_address).exists(), "it runs", 30)  # noqa: B023
                finally:
                    process.terminate()
                    process.wait(20)
                until(lambda: pixel.colour() == empty, "the screen is empty again")
    ratio = statistics.median(one / other for one, other in zip(took["vxtray"], took["bare window"], strict=True))
    for name, seconds in took.items():
        tell(capsys, f"{name}: start to window painted {statistics.median(seconds) * 1000:.0f} ms, of {len(seconds)}")
    tell(capsys, f"vxtray / bare window: {ratio:.2f}")
    for name, who in (("vxtray", OURS), ("bare window", "bare window"), ("vxtray, page", "its page")):
        figures.add("start-window", who, *(one * 1000 for one in took[name]))


@pytest.mark.parametrize("events", [0, EVENTS], ids=["no source", "a million events"])
def test_memory_and_idleness(
    begin,
    profile: Profile,
    events: int,
    capsys: pytest.CaptureFixture[str],
    figures: Figures,
    request: pytest.FixtureRequest,
) -> None:
    idle_seconds = request.config.getoption("--bench-idle-seconds")
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
    time.sleep(idle_seconds)
    wakes, ticks = ours.wakes() - wakes, ours.ticks() - ticks
    own = ours.own_bytes()
    tell(capsys, f"{events:,} events: USS {own / 2**20:.0f} MiB, bare {floor / 2**20:.0f} MiB: {own / floor:.2f}")
    tell(
        capsys, f"{wakes / idle_seconds:.1f} wake-ups/s, {ticks * 10 / idle_seconds:.1f} ms of processor time a second"
    )
    ours.end()
    store = "-store" if events else ""
    figures.add(f"idle-memory{store}", OURS, own / 2**20)
    figures.add(f"idle-memory{store}", "bare tray", floor / 2**20)
    figures.add(f"idle-wakeups{store}", OURS, wakes / idle_seconds)
    if events:
        figures.add("idle-cpu", OURS, ticks / idle_seconds)  # a tick is a hundredth of a second


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
