"""Which source this program was made from: for ``--version``, the Help page and the first line of the log.

A wheel carries ``_build.json`` (written by ``packaging/hatch_build.py``) with the revision and a digest of its modules,
so that files changed after the installation are noticed; a checkout asks git. Any thread; the first call reads the
package's modules or runs git for some milliseconds, later calls cost nothing.
"""

import hashlib
import json
import os
import subprocess
from functools import cache
from pathlib import Path

#: Where nobody can tell.
UNKNOWN = "unknown"

#: In the package of a wheel: revision, built (ISO 8601, UTC) and sha256 of the modules.
BUILD_FILE = "_build.json"

_LENGTH = 12
_GIT_SECONDS = 3.0


def version_line() -> str:
    """Return the name, version and revision: ``vxtray 0.1.0 (abc123def456)``."""
    from vxtray import __version__  # not at the top: the build reads this file by itself, without the package

    return f"vxtray {__version__} ({revision()})"


@cache
def revision() -> str:
    """Return the revision of the running code, 12 hexadecimal digits.

    ``-dirty`` marks a checkout with changes that are not committed, ``+modified`` an installation whose modules are
    not those that were built; "unknown" where nobody can tell.
    """
    return revision_of(Path(__file__).resolve().parents[1])


def revision_of(package: Path) -> str:
    """Return the revision of the package in a folder (see ``revision``)."""
    try:
        built = json.loads((package / BUILD_FILE).read_bytes())
        known, expected = str(built["revision"]), str(built["sha256"])
    except FileNotFoundError:
        return describe(package.parent) or UNKNOWN
    except (OSError, ValueError, KeyError, TypeError):
        return UNKNOWN
    has_sources = any(package.glob("*.py"))  # a frozen bundle has none; its executable is one signed file
    return f"{known}+modified" if has_sources and digest(package) != expected else known


def digest(package: Path) -> str:
    """Return the SHA-256 (hexadecimal) over the names and contents of all modules below a folder."""
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(package).as_posix()} {content}\n".encode())
    return total.hexdigest()


def describe(root: Path) -> str:
    """Return the revision of a checkout, with ``-dirty`` where git says so; "" where the folder is no checkout."""
    if not (root / ".git").exists():
        return ""
    return _ask_git(root) or _read_head(root)


def _ask_git(root: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(  # nosec B603 - the arguments are our own
            # Not "describe --dirty": that takes the index's lock, whatever GIT_OPTIONAL_LOCKS says.
            ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],  # noqa: S607 - on PATH
            cwd=root,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},  # looking must not write into somebody's repository
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    commit, changed = "", False
    for line in answer.stdout.splitlines():
        if line.startswith("# branch.oid "):
            commit = line.split(" ")[2]
        changed = changed or not line.startswith("#")
    if not commit or commit.startswith("("):  # nothing was committed yet
        return ""
    return commit[:_LENGTH] + ("-dirty" if changed else "")


def _read_head(root: Path) -> str:
    """Read the commit from git's own files (gitrepository-layout(5)), for a machine without git."""
    try:
        folder = root / ".git"
        if folder.is_file():  # a linked worktree
            folder = root / folder.read_text("utf-8").removeprefix("gitdir:").strip()
        common = folder
        if (folder / "commondir").exists():
            common = folder / (folder / "commondir").read_text("utf-8").strip()
        head = (folder / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref:"):
            return head[:_LENGTH]
        return _read_reference(head.removeprefix("ref:").strip(), folder, common)[:_LENGTH]
    except (OSError, UnicodeDecodeError):
        return ""


def _read_reference(name: str, folder: Path, common: Path) -> str:
    for place in (folder, common):
        if (place / name).is_file():
            return (place / name).read_text("utf-8").strip()
    for line in (common / "packed-refs").read_text("utf-8").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name:
            return commit
    return ""
