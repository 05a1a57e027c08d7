"""How long the window is ever held up: scrolling and searching a million events, and while lines arrive.

Measures and asserts what was done, never how quickly; the figures stand in the table of the run. Under Xvfb, where
drawing is the processor's work as well.
"""

import itertools
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.bench.conftest import Figures
from tests.bench.figures import IDLE, OURS
from tests.peers.desktop import XServer, need_programs
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.sources.importer import import_files
from vxtray.core.store.embedded import EmbeddedStore

pytestmark = [pytest.mark.bench, pytest.mark.xserver, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
RATE = 10_000
LINES = 100_000
IMPORTED = 1_000_000
Gaps = list[dict[str, Any]]


class Rig:
    """The program with a heartbeat, on a screen."""

    def __init__(self, screen: XServer, folder: Path, gaps: Gaps, *options: str, **env: str) -> None:
        self.gaps = gaps
        self.profile = folder
        self._errors = (screen.folder / "rig.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("rig.py")), str(folder), *options],
            cwd=ROOT,
            env=screen.env | {"PYTHONPATH": str(ROOT)} | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ask(self, what: str, name: str, *values: object) -> dict[str, Any]:
        """Let the rig do something, keep what it measured, and return it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([name, *values]) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert answer["beats"] > 0
        self.gaps.append({"what": what} | answer)
        return answer

    def visit(self, *pages: str) -> None:
        """Look at pages for a second each: a page is made when it is seen for the first time."""
        for page in pages:
            self.ask(f"{page}, for the first time", "watch", page, 1)

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            assert self.process.wait(30) == 0
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self._errors.close()


@pytest.fixture(scope="module")
def gaps(request: pytest.FixtureRequest) -> Iterator[Gaps]:
    """Return the table of gaps, printed at the end and kept as JSON by the module's name under ``--bench-out``."""
    table: Gaps = []
    yield table
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    for row in table:
        found = f", first rows {row['first']:.0f} ms, all {row['all']:.0f} ms" if "first" in row else ""
        assert reporter is not None
        reporter.write_line(
            f"{row['what']}: worst gap {row['worst']:.0f} ms, {row['long']} over 50 ms of {row['beats']} beats{found}"
        )
    if out := request.config.getoption("--bench-out"):
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{request.path.stem.removeprefix('test_')}.json").write_text(json.dumps(table, indent=2) + "\n")


@pytest.fixture(scope="module")
def filled(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a store with the generated events, to be copied."""
    path = tmp_path_factory.mktemp("filled") / "events.duckdb"
    store = EmbeddedStore(path)
    import_files([log], store, zone=ZoneInfo("Europe/Paris"))
    store.close()
    yield path
    path.unlink()


@pytest.fixture
def rig(filled: Path, xserver: XServer, profile: Profile, free_port: int, gaps: Gaps) -> Iterator[Rig]:
    """Run the program over a store with the generated events, and with a syslog source."""
    need_programs("openbox", "xdotool")
    xserver.window_manager()
    profile.events_file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(filled, profile.events_file)
    SettingsFile(profile.settings_file).merge(
        {"sources.syslog.enabled": True, "sources.syslog.port": free_port, "store.retention_days": 3650}
    )
    made = Rig(xserver, profile.config, gaps)
    made.visit("overview", "events")
    yield made
    made.end()


def test_scrolling_and_searching(rig: Rig, figures: Figures) -> None:
    figures.add("gap-search", IDLE, rig.ask("overview, at rest", "watch", "overview", 3)["worst"])
    rig.ask("events, at rest", "watch", "events", 3)
    scrolled = rig.ask("scrolling", "scroll", 10)
    assert scrolled["rows"] > 240
    figures.add("gap-search", OURS, scrolled["worst"])
    figures.add("gap-search", OURS, rig.ask("typing filters", "type", ["sql", "admin", "zzz"])["worst"])
    for text in ("sql", "admin", "is not there", "10.255.255.254", ""):
        found = rig.ask(f"searching for {text!r}", "find", text)
        assert found["first"] <= found["all"]
        figures.add("gap-search", OURS, found["worst"])


def test_an_import(rig: Rig, figures: Figures, log: Path, tmp_path: Path) -> None:
    with log.open("rb") as file:  # other lines than those that are stored, or nothing would be
        other = [line.replace(b'src_ip="', b'src_ip="::ffff:', 1) for line in itertools.islice(file, IMPORTED)]
    (tmp_path / "more.log").write_bytes(b"".join(other))
    figures.add("gap-import", IDLE, rig.ask("overview, at rest", "watch", "overview", 3)["worst"])
    command = [sys.executable, "-m", "vxtray", "--profile-dir", rig.profile, "import", tmp_path / "more.log", "--json"]
    run = subprocess.Popen([str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        for page in ("overview", "events"):
            figures.add("gap-import", OURS, rig.ask(f"{page}, during an import", "watch", page, 4)["worst"])
            assert run.poll() is None
        told = json.loads(run.communicate(timeout=300)[0])
    finally:
        run.kill()
        run.communicate()
    assert told["stored"] > 0


def test_lines_arrive(rig: Rig, figures: Figures, log: Path, free_port: int) -> None:
    with log.open("rb") as file:
        lines = [line.rstrip(b"\n") for line in itertools.islice(file, LINES)]
    stop = threading.Event()

    def send() -> None:
        began = time.perf_counter()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number, line in enumerate(itertools.cycle(lines)):
                if number % 50 == 0:
                    if stop.is_set():
                        return
                    time.sleep(max(0.0, number / RATE - (time.perf_counter() - began)))
                sender.sendto(line, ("127.0.0.1", free_port))

    figures.add("gap-lines", IDLE, rig.ask("overview, at rest", "watch", "overview", 3)["worst"])
    sending = threading.Thread(target=send)
    sending.start()
    try:
        for page in ("overview", "events"):
            watched = rig.ask(f"{page}, {RATE:,} lines/s", "watch", page, 10)
            figures.add("gap-lines", OURS, watched["worst"])
        rig.ask(f"scrolling, {RATE:,} lines/s", "scroll", 10)
    finally:
        stop.set()
        sending.join()
