"""What a session shall start: this vxtray, by the path that still holds after a move of the working folder.

Pure functions, any thread.
"""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vxtray.core.paths import Profile

#: Said to the program by the session: stay in the tray, and note that the session started it.
AT_LOGIN = "--at-login"
_OPTIONS = ("--hidden", AT_LOGIN)

_NAME = "vxtray"


class Launch(msgspec.Struct, frozen=True):
    """``program`` starts vxtray, ``options`` follow; ``name`` tells the entries of several profiles apart."""

    program: tuple[str, ...]
    options: tuple[str, ...]
    name: str = _NAME

    @property
    def words(self) -> tuple[str, ...]:
        """Return program and options."""
        return self.program + self.options


def launch(
    profile: Profile,
    environ: Mapping[str, str] = os.environ,
    *,
    platform: str = sys.platform,
    executable: str = sys.executable,
    frozen: bool = bool(getattr(sys, "frozen", False)),
) -> Launch:
    """Return how this very program is started for a profile."""
    program = _program(environ, platform, executable, frozen=frozen)
    if profile.config == Profile.default().config:  # its state may be elsewhere for now
        return Launch(program, _OPTIONS)
    mark = hashlib.sha256(os.fsencode(profile.config)).hexdigest()[:8]
    return Launch(program, ("--profile-dir", str(profile.config), *_OPTIONS), f"{_NAME}-{mark}")


def _program(environ: Mapping[str, str], platform: str, executable: str, *, frozen: bool) -> tuple[str, ...]:
    if app := environ.get("FLATPAK_ID"):  # inside the sandbox, no path of this program means anything outside
        return ("flatpak", "run", app)
    if image := environ.get("APPIMAGE"):  # what runs is mounted under another name each time
        return (image,)
    if frozen:
        return (_without_console(executable) if platform == "win32" else executable,)
    # -P: nothing in the folder where the session starts it may stand in for a module
    return (_without_console(executable) if platform == "win32" else executable, "-P", "-m", "vxtray")


def _without_console(executable: str) -> str:
    """Return the program's twin without a console, where it is there: at login no console window may flash.

    Python has ``pythonw.exe`` beside ``python.exe``, the bundle ``vxtray-window.exe`` beside ``vxtray.exe``.
    """
    path = Path(executable)
    name = path.name.lower()
    twin = name.replace("python", "pythonw", 1) if "python" in name else name.replace(".exe", "-window.exe", 1)
    already = "pythonw" in name or "-window" in name
    silent = path.with_name(twin)
    return str(silent) if not already and silent.exists() else executable
