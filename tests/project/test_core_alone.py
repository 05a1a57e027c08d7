"""Core works where there is no Qt, and Qt's signals survive as many emits as a long run makes."""

import subprocess
import sys
from pathlib import Path

from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_QT = """
import importlib, pkgutil, sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("PySide6", "shiboken6"):
            raise ModuleNotFoundError(f"{name} is blocked")

sys.meta_path.insert(0, NoQt())
import vxtray.core
names = [found.name for found in pkgutil.walk_packages(vxtray.core.__path__, "vxtray.core.")]
for name in names:
    importlib.import_module(name)
assert not [name for name in sys.modules if name.startswith(("PySide6", "shiboken6", "vxtray.gui"))]
print(len(names))
"""

LAZY = """
import sys
import {module}
heavy = {{"duckdb", "jinja2", "keyring", "truststore", "babel", "PySide6", "apscheduler", "aiosmtpd", "trustme"}}
print(",".join(sorted(heavy & set(sys.modules))))
"""

#: What a start must not wait for before its icon is shown, and what a program in the tray has no use for yet.
FIRST_STEP = """
import sys
from pathlib import Path
from vxtray import desktop
from vxtray.core.instance import holding
from vxtray.core.paths import Profile
profile = Profile.under(Path(sys.argv[1]))
with holding(profile, 0):
    desktop._first_step(profile, hidden=True)
unwanted = {"PySide6.QtDBus", "PySide6.QtNetwork", "apscheduler", "asyncio", "babel", "dataclasses", "email"}
unwanted |= {"filelock", "msgspec", "multiprocessing", "sqlite3", "socket", "ssl", "tomlkit"}
unwanted |= {"vxtray." + name for name in ("app", "core.credentials", "core.settings.tree", "gui.bridge", "gui.theme")}
print(*sorted(unwanted & set(sys.modules)))
"""

HIDDEN = """
import os, signal, sys, threading, time
from pathlib import Path
from vxtray.cli import main
from vxtray.core.paths import Profile
profile = Profile.under(Path(sys.argv[1]))
heavy = {"aiosmtpd", "authlib", "clickhouse_connect", "cryptography", "dns", "duckdb", "filelock", "httpx", "jinja2"}
heavy |= {"keyring", "requests", "sqlglot", "tomlkit", "truststore", "trustme", "typst", "unittest", "zstandard"}
heavy |= {"vxtray.core.parsers", "vxtray.core.reports.making", "vxtray.core.store.embedded", "vxtray.demo"}
heavy |= {"vxtray.gui.bindings", "vxtray.gui.main_window", "vxtray.gui.pages", "vxtray.gui.widgets"}
def look():
    while not Path(profile.control_address).exists():
        time.sleep(0.02)
    time.sleep(1.0)  # what is looked at once everything runs
    print(*sorted(heavy & set(sys.modules)))
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=look, daemon=True).start()
sys.exit(main(["--profile-dir", sys.argv[1], "--hidden"]))
"""

EMIT = """
import sys
from PySide6.QtCore import QObject, Signal

class Source(QObject):
    told = Signal(bool, object)

class Listener(QObject):
    def __init__(self):
        super().__init__()
        self.heard = 0
    def hear(self, flag, value):
        self.heard += flag

source, listener = Source(), Listener()
source.told.connect(listener.hear)
before = sys.getrefcount(True)
for _ in range(5000):
    source.told.emit(True, None)
assert listener.heard == 5000
lost = before - sys.getrefcount(True)
assert lost < 100, f"{lost} references to True were lost"
print("sound")
"""


def run(code: str, *words: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout.strip()


def test_core_imports_with_qt_blocked() -> None:
    assert int(run(WITHOUT_QT)) > 20


def test_the_command_line_starts_light() -> None:
    assert run(LAZY.format(module="vxtray.__main__")) == ""


def test_the_icon_waits_for_nothing_heavy(profile: Profile) -> None:
    assert run(FIRST_STEP, str(profile.config)) == ""


def test_a_hidden_program_holds_nothing_that_it_does_not_use(profile: Profile) -> None:
    SettingsFile(profile.settings_file).merge(
        {"smtp.host": "127.0.0.1", "smtp.port": 1, "smtp.auth": "none", "smtp.from_address": "a@example.com"}
        | {"smtp.recipients": ("b@example.com",), "reports.daily.enabled": True, "sources.syslog.enabled": True}
        | {"sources.syslog.port": 0}
    )
    assert run(HIDDEN, str(profile.config)) == ""


def test_five_thousand_emits() -> None:
    """PySide6 6.12.0 on Python 3.11 aborts after about 550; pyproject.toml keeps that pair apart."""
    assert run(EMIT) == "sound"
