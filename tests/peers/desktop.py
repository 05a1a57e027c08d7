"""A real X server with a tray, and a real keyring: Xvfb, openbox, trayer; gnome-keyring under dbus-run-session."""

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

KEYRING_PASSWORD = "the keyring's own password"


def need_programs(*names: str) -> None:
    """Skip the test where a program is missing."""
    if missing := [name for name in names if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)} (packaging/test.sh installs it as root)")


def until(done: Callable[[], bool], what: str, seconds: float = 10) -> None:
    """Wait for what another program does on its own; fails after some seconds."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            pytest.fail(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


class XServer:
    """One X server on a display of its own. ``env`` leads programs there, with Qt's own X11 plug-in."""

    def __init__(self, folder: Path, size: str = "1280x800x24") -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        reading, writing = os.pipe()
        arguments = ["-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp", "-noreset"]
        self._server = subprocess.Popen(
            ["Xvfb", *arguments], pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            ready, _, _ = select.select([pipe], [], [], 20)
            number = pipe.readline().strip().decode() if ready else ""
        if not number:
            self.stop()
            pytest.fail("Xvfb did not start")
        self.display = f":{number}"

    @property
    def env(self) -> dict[str, str]:
        """The environment of programs on this screen."""
        return {**os.environ, "DISPLAY": self.display, "QT_QPA_PLATFORM": "xcb", "NO_AT_BRIDGE": "1"}

    def start(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a program on this screen; it ends with the screen at the latest. Output goes to a file."""
        with (self.folder / f"{Path(command[0]).name}-{len(self._started)}.log").open("wb") as log:
            process = subprocess.Popen(command, env=self.env | env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._started.append(process)
        return process

    def run(self, *command: str, seconds: float = 20) -> str:
        """Run a program on this screen to its end and return what it printed."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=seconds, check=False)
        return done.stdout

    def windows(self, name: str) -> list[str]:
        """Return the ids of the visible windows whose title matches."""
        return self.run("xdotool", "search", "--onlyvisible", "--name", name).split()

    def window(self, name: str, seconds: float = 20) -> str:
        """Wait for a visible window by its title and return its id."""
        until(lambda: bool(self.windows(name)), f"a window {name!r}", seconds)
        return self.windows(name)[0]

    def window_manager(self) -> None:
        """Start openbox and wait until it manages."""
        need_programs("openbox", "xdotool")
        self.start("openbox", "--sm-disable")
        until(lambda: bool(self.run("xdotool", "get_num_desktops").strip()), "a window manager")

    def tray(self) -> subprocess.Popen[bytes]:
        """Start trayer and wait until its panel is there."""
        need_programs("trayer", "xdotool")
        process = self.start(
            "trayer", "--edge", "bottom", "--align", "right", "--widthtype", "request", "--height", "26"
        )
        until(lambda: bool(self.run("xdotool", "search", "--class", "trayer").strip()), "a tray")
        return process

    def screenshot(self, path: Path, window: str = "root") -> Path:
        """Write what the screen shows as a picture."""
        need_programs("import")
        subprocess.run(["import", "-window", window, str(path)], env=self.env, check=True, timeout=20)
        return path

    def stop(self) -> None:
        """End all programs that were started here, then the server."""
        for process in [*reversed(self._started), self._server]:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


@pytest.fixture
def xserver(tmp_path: Path) -> Iterator[XServer]:
    """Run an X server of the test's own."""
    need_programs("Xvfb")
    folder = tmp_path / "screen"
    folder.mkdir()
    server = XServer(folder)
    yield server
    server.stop()


#: Asking for the service before its owner is there would have the bus start a second, locked one.
_BESIDE_KEYRING = r"""
printf %s "$KEYRING_PASSWORD" |
    gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>"$HOME/keyring.log" &
keyring=$!
unset KEYRING_PASSWORD
ask() { dbus-send --session --print-reply --dest="$@" 2>/dev/null; }
ready() {
    ask org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true &&
        ask org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.ReadAlias string:default |
        grep -q collection/
}
tries=0
until ready; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { echo "the keyring did not start" >&2; exit 99; }
    sleep 0.05
done
"$@"
status=$?
kill "$keyring"
wait "$keyring" 2>/dev/null
exit "$status"
"""


class SecretService:
    """Runs commands beside an unlocked gnome-keyring, which keeps its files in one home for the whole test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {
            **os.environ,
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / ".local" / "share"),
            "XDG_RUNTIME_DIR": str(home / "run"),
        }
        for folder in (home / ".local" / "share", home / "run"):
            folder.mkdir(parents=True, mode=0o700)

    @staticmethod
    def command(command: Sequence[str]) -> list[str]:
        """Return what runs a command so; ``KEYRING_PASSWORD`` must stand in its environment."""
        return ["dbus-run-session", "--", "sh", "-c", _BESIDE_KEYRING, "sh", *command]

    def run(
        self, command: Sequence[str], *, stdin: str = "", env: dict[str, str] | None = None, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a session bus of its own and return what it said; the keyring's files outlive it."""
        return subprocess.run(
            self.command(command),
            env={**self.env, **(env or {}), "KEYRING_PASSWORD": KEYRING_PASSWORD},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def contains(self, text: str) -> bool:
        """Tell whether a text stands in the keyring's files as it is (it never should: they are encrypted)."""
        return any(text.encode() in path.read_bytes() for path in self.home.rglob("*.keyring"))


@pytest.fixture
def secret_service(tmp_path: Path) -> SecretService:
    """Return a runner of commands beside a real, unlocked Secret Service."""
    need_programs("dbus-run-session", "dbus-send", "gnome-keyring-daemon")
    return SecretService(tmp_path / "keyring-home")
