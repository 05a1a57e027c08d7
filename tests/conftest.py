"""What every test gets: a home of its own, no network but loopback, and an eye on threads and logs left behind.

Nothing here imports Qt, so the core's tests also run with ``-p no:pytest-qt``. Function-scoped fixtures are made once
for all examples of a hypothesis test: what an example changes in a profile, the next one finds.
"""

import logging
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from vxtray.core.paths import Profile

pytest_plugins = [
    "tests.peers.loopback",
    "tests.peers.mailbox",
    "tests.peers.desktop",
    "tests.peers.accessibility",
    "tests.peers.notifications",
    "tests.peers.status_notifier",
    "tests.peers.nameserver",
    "tests.peers.mail_servers",
    "tests.peers.oauth_server",
    "tests.peers.oauth_mail",
]

ROOT = Path(__file__).resolve().parents[1]

#: Names by which a test could reach the person's own session, settings and secrets.
PERSONAL = (
    "CREDENTIALS_DIRECTORY",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "GNOME_KEYRING_CONTROL",
    "LANGUAGE",
    "LC_ALL",
    "LC_MESSAGES",
    "PYTHON_KEYRING_BACKEND",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_CONFIG_DIRS",
    "XDG_CURRENT_DESKTOP",
    "XDG_DATA_DIRS",
)
OWN_THREADS = ("vx-", "APScheduler")

#: Folders whose tests drive windows, servers and other processes.
AGAIN = frozenset({"cli", "e2e", "faults", "gui", "mail", "sources", "store"})

hypothesis.settings.register_profile("vxtray", deadline=None, database=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("vxtray")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Know pytest-qt's settings where pytest-qt itself is switched off."""
    if not pluginmanager.hasplugin("pytest-qt"):
        parser.addini("qt_api", "of pytest-qt")
        parser.addini("qt_log_level_fail", "of pytest-qt")


def pytest_configure(config: pytest.Config) -> None:
    """Isolate what is made before the first test, such as the one QApplication of a run."""
    folder = tempfile.mkdtemp(prefix="vxtray-tests-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    for name in PERSONAL:
        os.environ.pop(name, None)
    os.environ.update(home_in(Path(folder)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give what drives windows, servers and other processes one second try: they share ports and processors.

    The closing line counts each ("rerun"), the lines before it name it, and each is a defect to mend.
    """
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    for item in items:
        if AGAIN & set(item.path.relative_to(ROOT / "tests").parts):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show why each second try was needed: the first one's failure is printed nowhere else."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.write_sep("_", f"the first try of {report.nodeid}")
        terminalreporter.write_line(report.longreprtext[-3_000:])


def home_in(folder: Path) -> dict[str, str]:
    """Make a home in a folder and return the environment that leads there."""
    places = {
        "HOME": "home",
        "XDG_CONFIG_HOME": "home/.config",
        "XDG_DATA_HOME": "home/.local/share",
        "XDG_STATE_HOME": "home/.local/state",
        "XDG_CACHE_HOME": "home/.cache",
        "XDG_RUNTIME_DIR": "run",
    }
    for place in places.values():
        (folder / place).mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "run").chmod(0o700)
    fixed = {"LANG": "C.UTF-8", "TZ": "UTC", "QT_QPA_PLATFORM": "offscreen"}
    return {name: str(folder / place) for name, place in places.items()} | fixed


@pytest.fixture(autouse=True)
def isolation(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test a home of its own, which is returned, and the English language."""
    folder = tmp_path_factory.mktemp("own")
    for name in PERSONAL:
        monkeypatch.delenv(name, raising=False)
    for name, value in home_in(folder).items():
        monkeypatch.setenv(name, value)
    time.tzset()
    yield folder / "home"
    time.tzset()
    if texts := sys.modules.get("vxtray.core.texts"):
        texts.use("en")
    if credentials := sys.modules.get("vxtray.core.credentials"):
        credentials._revealed.clear()  # or a word that was a secret here would be blackened in the next test


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves one of the program's threads running."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.name.startswith(OWN_THREADS)]
    until = time.monotonic() + 3
    for thread in left:
        thread.join(max(0.0, until - time.monotonic()))
    if alive := sorted(thread.name for thread in left if thread.is_alive()):
        pytest.fail(f"threads left running: {', '.join(alive)}")


class _Listener(logging.Handler):
    """Keeps what is logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def expected_log(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Fail a test on a warning or error of the program that it did not expect.

    A test says what it provokes with ``@pytest.mark.expected_log("pattern", ...)`` or by calling this fixture with a
    pattern.
    """
    marks = request.node.iter_markers("expected_log")
    patterns = [pattern for mark in marks for pattern in mark.args]
    logger, listener = logging.getLogger("vxtray"), _Listener()
    level, propagate = logger.level, logger.propagate
    handlers = list(logger.handlers)
    logger.addHandler(listener)
    yield patterns.append
    for handler in list(logger.handlers):
        if handler not in handlers:
            logger.removeHandler(handler)
            handler.close()
    logger.setLevel(level)
    logger.propagate = propagate
    if surprises := [said for said in listener.said if not any(re.search(pattern, said) for pattern in patterns)]:
        pytest.fail("unexpected in the log:\n" + "\n".join(surprises))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with samples, tools and designs beside the checkout (or where VXTRAY_SHARED says)."""
    folder = Path(os.environ.get("VXTRAY_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}; name one with VXTRAY_SHARED")
    return folder


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """Return a profile of the test's own, still empty."""
    return Profile.under(tmp_path / "profile")


@pytest.fixture
def free_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
