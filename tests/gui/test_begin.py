"""The start in two steps: what can be done before the engine is there, and how a start ends that cannot go on."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.desktop import XServer, need_programs, until
from tests.peers.status_notifier import Item, Watcher
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile

ROOT = Path(__file__).resolve().parents[2]

#: The program off screen, which ends as soon as garbage is collected again, and says what is exempt from it.
_COLLECTING = """
import gc, sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from vxtray import desktop
from vxtray.cli import handler
from vxtray.core.paths import Profile

def look():
    if gc.isenabled():
        print(began, gc.get_freeze_count() > 10_000)
        app.exit()

app = QApplication(sys.argv[:1])
timer = QTimer(interval=10)
timer.timeout.connect(look)
QTimer.singleShot(0, timer.start)
began = desktop.gc.isenabled()
desktop.run_window(Profile.under(Path(sys.argv[1])), handler, hidden=True)
print(gc.get_freeze_count())
"""


class Gated:
    """The program on a screen, whose engine waits at a gate."""

    def __init__(self, screen: XServer, watcher: Watcher, profile: Profile, gate: Path) -> None:
        self._screen = screen
        self._gate = gate
        self._words = ("--profile-dir", str(profile.config))
        self.process = self._start(str(Path(__file__).with_name("support") / "gated.py"), *self._words, "--hidden")
        self.item: Item = watcher.item()

    def _start(self, *words: str) -> "subprocess.Popen[bytes]":
        return self._screen.start(sys.executable, *words, PYTHONPATH=str(ROOT), VXTRAY_TEST_GATE=str(self._gate))

    def second(self, *words: str) -> "subprocess.Popen[bytes]":
        return self._start("-m", "vxtray", *self._words, *words)

    def labels(self) -> list[str]:
        return [entry.label for entry in self.item.menu() if not entry.separator]

    def windows(self) -> list[str]:
        return self._screen.windows("^vxtray$")

    def let_go(self) -> None:
        self._gate.touch()


@pytest.fixture
def gated(xserver: XServer, watcher: Watcher, profile: Profile, tmp_path: Path) -> Iterator[Gated]:
    need_programs("xdotool")
    xserver.window_manager()
    program = Gated(xserver, watcher, profile, tmp_path / "gate")
    yield program
    program.let_go()
    if program.process.poll() is None:
        program.process.terminate()
    program.process.wait(20)


@pytest.mark.xserver
def test_the_menu_can_be_used_before_the_engine_is_there(gated: Gated) -> None:
    assert gated.labels() == ["Starting…", "Open vxtray", "Quit vxtray"]
    assert [entry.enabled for entry in gated.item.menu()] == [False, True, True]
    assert gated.item.tool_tip() == "vxtray – Starting…"
    assert gated.item.pictures()
    gated.let_go()
    until(lambda: len(gated.labels()) == 12, "the full menu", 30)
    assert gated.labels()[0] == "The mail server is not set up yet"
    assert gated.labels()[-3:] == ["Open vxtray", "Settings…", "Quit vxtray"]
    assert not gated.windows()
    gated.item.click("Quit vxtray")
    assert gated.process.wait(20) == 0


@pytest.mark.xserver
def test_the_window_that_is_asked_for_before_the_engine_is_there_comes_at_once(gated: Gated) -> None:
    gated.item.click("Open vxtray")
    until(lambda: bool(gated.windows()), "its frame", 30)
    assert gated.labels()[0] == "Starting…"
    gated.let_go()
    until(lambda: len(gated.labels()) == 12, "the full menu", 30)
    assert gated.windows()


@pytest.mark.xserver
def test_a_second_start_waits_for_the_first_and_raises_its_window(gated: Gated, profile: Profile) -> None:
    second = gated.second()
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(1)
    gated.let_go()
    assert second.wait(30) == 0
    until(lambda: bool(gated.windows()), "the first one's window")
    assert gated.second("quit").wait(20) == 0
    assert gated.process.wait(20) == 0


@pytest.mark.xserver
def test_quit_before_the_engine_is_there_builds_none(gated: Gated, profile: Profile) -> None:
    gated.item.click("Quit vxtray")
    gated.let_go()
    assert gated.process.wait(20) == 0
    assert not profile.outbox_file.exists()


@pytest.mark.xserver
def test_the_system_can_end_it_before_the_engine_is_there(gated: Gated, profile: Profile) -> None:
    gated.process.send_signal(signal.SIGTERM)
    assert gated.process.wait(20) == -signal.SIGTERM
    assert not profile.outbox_file.exists()
    gated.let_go()
    assert gated.second("status").wait(20) == 3, "the profile is free again"


@pytest.mark.xserver
def test_faulty_settings_are_told_and_keep_nothing_from_starting(
    xserver: XServer, watcher: Watcher, profile: Profile, tmp_path: Path
) -> None:
    SettingsFile(profile.settings_file).merge({"general.language": "en"})
    profile.settings_file.write_text('[general]\nlanguage = "no such"\ntheme = 7\n')
    gate = tmp_path / "gate"
    gate.touch()
    program = Gated(xserver, watcher, profile, gate)
    until(lambda: "language" in program.labels()[0], "the key is named", 30)
    program.item.click("Quit vxtray")
    assert program.process.wait(20) == 0


def test_what_a_start_made_is_not_gone_through_for_garbage_again(profile: Profile) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _COLLECTING, str(profile.config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["True", "True", "0"], done.stderr
    assert "leak" not in done.stderr


def test_a_fault_of_the_second_step_ends_the_program_and_is_told(profile: Profile) -> None:
    profile.outbox_file.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "vxtray", "--profile-dir", str(profile.config), "--hidden"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert str(profile.outbox_file) in done.stderr
    assert "Traceback" not in done.stderr
