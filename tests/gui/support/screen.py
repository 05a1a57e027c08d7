"""The real program on a real screen: started as a process, found by name, clicked and typed at by xdotool."""

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.peers.desktop import KEYRING_PASSWORD, SecretService, XServer, until
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.keys import typed_value

_DRIVEN = Path(__file__).with_name("driven.py")
ROOT = Path(__file__).resolve().parents[3]


class Program:
    """vxtray on a screen. Where things are, it says itself; what happens, only mouse and keyboard do."""

    def __init__(self, screen: XServer, profile: Profile, *options: str, keyring: SecretService | None = None) -> None:
        """Start it, beside an unlocked keyring where one is given."""
        self.screen = screen
        self.profile = profile
        self._errors = (screen.folder / "program.log").open("ab")
        command, env = [sys.executable, str(_DRIVEN), str(profile.config), *options], screen.env
        if keyring is not None:
            command, env = keyring.command(command), keyring.env | env | {"KEYRING_PASSWORD": KEYRING_PASSWORD}
            env |= {name: keyring.env[name] for name in ("HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def ask(self, *question: str) -> Any:
        """Ask the harness inside the program and return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            pytest.fail(f"the program does not answer:\n{(self.screen.folder / 'program.log').read_text()}")
        return json.loads(line)

    def find(self, *question: str, seconds: float = 10) -> dict[str, Any]:
        """Wait until something is on the screen and return where."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = filter(None, [self.ask(*question)])
            return bool(found)

        until(there, " ".join(question), seconds)
        return found[0]

    def shown(self) -> None:
        """Wait for the window, with the keyboard."""
        until(lambda: (self.ask("window") or {}).get("visible") is True, "the window is shown", 20)
        self.screen.window("^vxtray$")
        until(lambda: self.ask("window")["active"], "the window is active")

    def click(self, *places: dict[str, Any], button: int = 1) -> None:
        """Click on places as fast as xdotool can."""
        moves = [["mousemove", str(at["x"]), str(at["y"]), "click", str(button)] for at in places]
        self.screen.run("xdotool", *(word for move in moves for word in move))

    def press(self, *keys: str) -> None:
        self.screen.run("xdotool", "key", *keys)

    def type(self, text: str) -> None:
        self.screen.run("xdotool", "type", "--delay", "5", text)

    def saved(self, key: str) -> object:
        return typed_value(SettingsFile(self.profile.settings_file).read().settings, key)

    def end(self) -> int:
        """Wait until the program has ended by itself and return its exit status."""
        status = self.process.wait(20)
        self._close()
        return status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._close()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self._errors):
            if pipe is not None:
                pipe.close()
