"""Commands as a person gives them: in this process, in one of their own, or to a program that runs."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.peers.desktop import until
from vxtray import app, cli
from vxtray.core.control import Call, call_running
from vxtray.core.credentials import MemoryStore
from vxtray.core.errors import ControlError
from vxtray.core.paths import Profile


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output; anything beside it is a fault."""
        return json.loads(self.out)


Command = Callable[..., Said]


@pytest.fixture
def vxtray(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process on the test's profile."""

    def run(*words: str, stdin: bytes = b"") -> Said:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            code = cli.main(["--profile-dir", str(profile.config), *words])
        out, err = (stream.buffer.getvalue().decode("utf-8") for stream in streams)  # type: ignore[attr-defined]
        return Said(code, out, err)

    return run


@pytest.fixture
def vxtray_process(profile: Profile) -> Command:
    """Run a command as a process of its own on the test's profile."""

    def run(*words: str, stdin: bytes | None = None, cwd: Path | None = None, **env: str) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "vxtray", "--profile-dir", str(profile.config), *words],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env},
            timeout=60,
            check=False,
        )
        said = Said(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))
        assert "Traceback" not in said.err, said.err
        return said

    return run


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Let commands in this process find a keyring that keeps secrets in memory."""
    store = MemoryStore()
    monkeypatch.setattr(app, "system_store", lambda: store)
    return store


def answers(profile: Profile) -> bool:
    """Tell whether a program answers commands on this profile."""
    try:
        found = call_running(profile, Call(argv=["reload"], cwd="/", language="en"))
        return found is not None and [answer.exit for answer in found] == [0]
    except ControlError:
        return False


class Server:
    """``vxtray serve`` in a process of its own."""

    def __init__(self, profile: Profile, folder: Path) -> None:
        self.profile = profile
        self.output = folder / "serve.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vxtray", "--profile-dir", str(profile.config), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        until(lambda: self.process.poll() is not None or answers(profile), "vxtray serve answers", 20)

    @property
    def log(self) -> str:
        """What it logged so far."""
        return self.profile.log_file.read_text("utf-8")

    def wait(self) -> int:
        """Return its exit status when it has ended."""
        return self.process.wait(15)


@pytest.fixture
def serve(profile: Profile, tmp_path: Path) -> Iterator[Server]:
    """Run ``vxtray serve`` on the test's profile; it must say nothing but what it logs, and log no error."""
    server = Server(profile, tmp_path)
    yield server
    if server.process.poll() is None:
        server.process.terminate()
        server.wait()
    assert server.output.read_text("utf-8") == ""
    assert [line for line in server.log.splitlines() if " ERROR " in line or "Traceback" in line] == []
