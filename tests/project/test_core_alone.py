"""Core works where there is no Qt, and Qt's signals survive as many emits as a long run makes."""

import subprocess
import sys
from pathlib import Path

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


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout.strip()


def test_core_imports_with_qt_blocked() -> None:
    assert int(run(WITHOUT_QT)) > 20


def test_the_command_line_starts_light() -> None:
    assert run(LAZY.format(module="vxtray.__main__")) == ""


def test_five_thousand_emits() -> None:
    """PySide6 6.12.0 on Python 3.11 aborts after about 550; pyproject.toml keeps that pair apart."""
    assert run(EMIT) == "sound"
