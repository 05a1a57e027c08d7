"""Where things are: the person's folders, and the resources that came with the program.

Pure look-ups, any thread. Folders are made on first use, readable by their owner only.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from vxtray.core.errors import VxtrayError

#: Longest path that every platform takes for a local socket (sockaddr_un on macOS: 104 bytes with the final zero).
SOCKET_PATH = 100


class Profile(NamedTuple):  # no Struct and no dataclass: a start needs it before these are loaded
    """The folders of one set of settings, state, stores and logs."""

    config: Path
    state: Path
    logs: Path
    runtime: Path
    #: Of a copy that is worked with (``standin``): what it stands in for.
    home: "Profile | None" = None
    #: What a start has to tell about these folders.
    notes: tuple[VxtrayError, ...] = ()

    @classmethod
    def default(cls) -> "Profile":
        """Return the platform's folders for this person."""
        import platformdirs

        folders = platformdirs.PlatformDirs("vxtray", appauthor=False)
        session = os.environ.get("XDG_RUNTIME_DIR")  # a server's cron job has none
        return cls(
            config=folders.user_config_path,
            state=folders.user_state_path,
            logs=folders.user_log_path,
            runtime=Path(session) / "vxtray" if session else folders.user_state_path / "run",
        )

    @classmethod
    def under(cls, folder: Path) -> "Profile":
        """Return a profile that keeps everything below one folder (``--profile-dir``)."""
        folder = folder.expanduser().resolve()
        return cls(config=folder, state=folder / "state", logs=folder / "logs", runtime=folder / "run")

    @property
    def settings_file(self) -> Path:
        """The settings, TOML."""
        return self.config / "settings.toml"

    @property
    def outbox_file(self) -> Path:
        """Mails, the ledger of reports and other small state, SQLite."""
        return self.state / "outbox.db"

    @property
    def events_file(self) -> Path:
        """The embedded event store, DuckDB."""
        return self.state / "events.duckdb"

    @property
    def spool_file(self) -> Path:
        """The events that wait for a server which keeps them, DuckDB."""
        return self.state / "spool.duckdb"

    @property
    def log_file(self) -> Path:
        """The program's own log."""
        return self.logs / "vxtray.log"

    @property
    def instance_lock(self) -> Path:
        """Held by the one process that works with the stores, wherever they are."""
        return (self.home or self).state / "instance.lock"

    @property
    def control_key(self) -> Path:
        """The secret that a command shows to the running program."""
        return self.state / "control.key"

    @property
    def control_address(self) -> str:
        """The running program's local socket (a named pipe on Windows)."""
        import hashlib

        name = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:16]
        if sys.platform == "win32":
            return rf"\\.\pipe\vxtray-{name}"
        path = self.runtime / f"{name}.sock"
        if len(os.fsencode(path)) > SOCKET_PATH and self.control_place.exists():
            return self.control_place.read_text("utf-8")
        return str(path)

    @property
    def control_place(self) -> Path:
        """Names the socket where its usual path would be too long for one; ``control`` writes it."""
        return self.state / "control.place"


def private_folder(folder: Path) -> Path:
    """Make a folder and its missing parents so that only their owner can enter, and return it. Raises ``OSError``."""
    if not folder.parent.exists():
        private_folder(folder.parent)  # mkdir's own parents=True would make it open to others
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def resource(name: str) -> Path:
    """Return the path of a shipped resource such as ``icons/vxtray.svg``.

    Looks in a frozen bundle, in the installed package, then beside the package (a checkout). Raises
    ``FileNotFoundError`` where the installation is incomplete.
    """
    package = Path(__file__).resolve().parents[1]
    bundle = getattr(sys, "_MEIPASS", None)
    places = [Path(bundle) / "vxtray" / "_resources"] if bundle else []
    places += [package / "_resources", package.parent / "resources"]
    for place in places:
        if (found := place / name).exists():
            return found
    raise FileNotFoundError(f"this installation of vxtray lacks the resource {name}")
