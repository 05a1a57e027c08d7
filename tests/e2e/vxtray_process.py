"""The program as people start it: a process of its own, with a profile, and a mail server to talk to."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30

#: Runs the command line with Qt blocked.
WITHOUT_QT = """
import sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("PySide6", "shiboken6"):
            raise ModuleNotFoundError(f"{name} is blocked")

sys.meta_path.insert(0, NoQt())
from vxtray.cli import main
sys.exit(main())
"""


class Vxtray:
    """Commands on one profile; keeps everything that they said."""

    def __init__(self, profile: Path, *, without_qt: bool = False, **env: str) -> None:
        self.profile = profile
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        start = ["-c", WITHOUT_QT] if without_qt else ["-m", "vxtray"]
        self.command = [sys.executable, *start, "--profile-dir", str(profile)]
        self.said = ""

    def run(self, *words: object, status: int = 0, stdin: str = "", seconds: float = SECONDS) -> str:
        """Run a command to its end, check its exit status, and return what it printed."""
        done = subprocess.run(
            [*self.command, *map(str, words)],
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        self.said += done.stdout + done.stderr
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def json(self, *words: object, status: int = 0, seconds: float = SECONDS) -> Any:
        """Run a command with ``--json`` and return its document."""
        return json.loads(self.run(*words, "--json", status=status, seconds=seconds))

    def set_up(self, box: Mailbox, *more: str) -> None:
        """Save the settings that lead to a mailbox."""
        self.run(
            "smtp",
            "set",
            f"host={box.host}",
            f"port={box.port}",
            f"username={box.user}",
            "from_address=reports@example.com",
            "recipients=a@example.org",
            f"ca_file={box.ca_file}",
            "timeout_seconds=5",
            *more,
        )

    @contextlib.contextmanager
    def serve(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Run ``serve`` until the end of the block, wait until commands reach it, and keep what it said."""
        process = subprocess.Popen(
            [*self.command, *options, "serve"],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            until(lambda: process.poll() is not None or self.answers(), "the program answers", SECONDS)
            assert process.poll() is None, process.communicate()[0]
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                self.said += process.communicate(timeout=SECONDS)[0]
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise

    def answers(self) -> bool:
        done = subprocess.run([*self.command, "status"], env=self.env, capture_output=True, text=True, check=False)
        return '"running": true' in done.stdout


def credentials_of(folder: Path, box: Mailbox) -> str:
    """Make a folder as systemd gives it to a service, and return its name."""
    folder.mkdir(mode=0o700)
    (folder / "smtp-password").write_text(box.password + "\n")
    return str(folder)
