"""Which login this is: a mark that stays the same for one session and differs in the next. Any thread.

It only compares what vxtray noted itself; "" where the system has no such mark.
"""

import contextlib
import ctypes
import importlib
import os
import subprocess
import sys
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SECONDS = 5


def login_session() -> str:
    """Return the mark of the session in which this process runs."""
    if sys.platform == "win32":
        return _logon()
    if sys.platform == "darwin":
        return _joined(_sysctl("kern.bootsessionuuid"), os.environ.get("SECURITYSESSIONID", ""))
    boot = ""
    with contextlib.suppress(OSError):
        boot = _BOOT.read_text("ascii").strip()
    return _joined(boot, _graphical_session() or os.environ.get("XDG_SESSION_ID", ""))


def _joined(boot: str, session: str) -> str:
    return f"{boot}/{session}" if boot and session else ""


def _graphical_session() -> str:
    """Return the person's graphical session as logind counts it, sd_uid_get_display(3).

    Not $XDG_SESSION_ID: gnome-session takes it out of what it starts by systemd.
    """
    for name in ("libsystemd.so.0", "libelogind.so.0"):
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(name)
            found = ctypes.c_char_p()
            if library.sd_uid_get_display(ctypes.c_uint32(os.getuid()), ctypes.byref(found)) >= 0 and found.value:
                return found.value.decode("ascii", errors="replace")  # its few bytes are not worth a free()
    return ""


def _sysctl(name: str) -> str:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        words = ["/usr/sbin/sysctl", "-n", name]
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603 - constants
        return done.stdout.strip()
    return ""


def _logon() -> str:
    """Return when Windows made the key of this logon's own environment, which it does at each logon."""
    with contextlib.suppress(OSError):
        registry = importlib.import_module("winreg")
        with registry.OpenKey(registry.HKEY_CURRENT_USER, "Volatile Environment") as key:
            return str(registry.QueryInfoKey(key)[2])
    return ""
