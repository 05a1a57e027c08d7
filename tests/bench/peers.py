"""The programs that are measured beside us: installed where that is possible, else the reason why they are missing."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: program -> Debian package
_DEBIAN = {
    "fail2ban-regex": "fail2ban",
    "msmtp": "msmtp",
    "curl": "curl",
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "xdotool": "xdotool",
    "trayer": "trayer",
    "dbus-daemon": "dbus",
}
_SECONDS = 600


def ready(*, install: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment that names the peers, and their versions or why one is missing."""
    missing = {program: package for program, package in _DEBIAN.items() if shutil.which(program) is None}
    trouble = _by_apt(sorted(set(missing.values()))) if missing and install else ""
    said = {
        program: _version(program) if shutil.which(program) else f"missing{trouble and f': {trouble}'}"
        for program in ("fail2ban-regex", "msmtp")
    }
    vorta, said["Vorta"] = _vorta(install=install)
    return ({"VXTRAY_VORTA": str(vorta)} if vorta else {}), said


def _by_apt(packages: list[str]) -> str:
    """Install Debian packages; return what went wrong, "" for nothing."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return f"install {' '.join(packages)}, or run this as root on Debian"
    return _run("apt-get", "install", "-y", "--no-install-recommends", *packages)


def _vorta(*, install: bool) -> tuple[Path | None, str]:
    """Find Vorta, or install it from PyPI into an environment of its own that stays for the next run."""
    if named := os.environ.get("VXTRAY_VORTA") or shutil.which("vorta"):
        return Path(named), "as found"
    folder = Path(tempfile.gettempdir()) / "vxtray-bench-vorta"
    program = folder / "bin" / "vorta"
    if not program.exists():
        if not install:
            return None, "missing: not to be installed"
        trouble = _run(sys.executable, "-m", "venv", str(folder))
        trouble = trouble or _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "vorta")
        if trouble or not program.exists():
            return None, f"missing: {trouble or 'its package has no program of that name'}"
    asked = [str(folder / "bin" / "python"), "-c", "import importlib.metadata as m; print(m.version('vorta'))"]
    return program, subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def _run(*command: str) -> str:
    """Run a command; return the last line of what it said where it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
    return "" if done.returncode == 0 else said[-1]
