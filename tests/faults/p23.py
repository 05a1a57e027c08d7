"""P23: without a network, a screen, a keyring, good settings or a good store it starts, says so, and the rest works."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.core.mail import hostile as h
from tests.e2e.loglines import waf
from tests.e2e.test_serve import yesterday
from tests.e2e.vxtray_process import SECONDS, Vxtray
from tests.faults.promises import Measured, Run, promise
from tests.peers.desktop import until
from tests.peers.mailbox import PASSWORD, USER

#: Runs a program in a network of its own, which has nothing but a loopback that is down.
_NO_NETWORK = ["unshare", "-n"]
#: Runs a program for which a folder is ``/var/tmp``, and another one read-only.
_PLACED = 'mount --bind "$0" /var/tmp && exec "$@"'
_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


class World:
    """A profile that is set up, with a mail server that is there, and a log to be read."""

    def __init__(self, folder: Path, port: int) -> None:
        self.profile = folder / "profile"
        self.log = folder / "fw.log"
        self.log.write_text(waf(yesterday(), "203.0.113.99", 55) + "\n")
        (folder / "credentials").mkdir(mode=0o700)
        (folder / "credentials" / "smtp-password").write_text(PASSWORD + "\n")
        self.vxtray = Vxtray(self.profile, CREDENTIALS_DIRECTORY=str(folder / "credentials"))
        self.vxtray.run(
            *("smtp", "set", "host=127.0.0.1", f"port={port}", "security=none", f"username={USER}"),
            *(f"from_address={USER}", "recipients=a@example.org", "timeout_seconds=5"),
        )

    def status(self) -> dict[str, Any]:
        """Return the document of ``status``, whatever its exit status."""
        done = subprocess.run(
            [*self.vxtray.command, "status"], env=self.vxtray.env, capture_output=True, text=True, check=False
        )
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def troubles(self) -> str:
        """Return what is told to need attention."""
        return " ".join(str(trouble["what"]) for trouble in self.status()["trouble"])


@promise(
    "P23",
    "start without parts",
    "no network, display, tray, keyring, good settings, good event store, or a read-only home: starts, says so,"
    " the rest works",
)
def p23(run: Run) -> Measured:
    parts: dict[str, Callable[[World, h.Hostile], str]] = {
        "no keyring": _no_keyring,
        "bad settings": _bad_settings,
        "bad event store": _bad_events,
        "no display": _no_display,
    }
    if os.name == "posix" and os.getuid() == 0 and shutil.which("unshare"):
        parts |= {"no network": _no_network, "read-only home": _read_only}
    if not run.full:  # the others have tests of their own in the gate, or need a minute
        parts = {name: part for name, part in parts.items() if name in {"no keyring", "read-only home"}}
    said: dict[str, str] = {}
    starts = 0
    for _ in range(run.amount(1, 20)):
        for name, part in parts.items():
            with run.room("part") as folder, h.hostile(h.script()) as server:
                said[name] = part(World(folder, server.port), server)
            starts += 1
        if run.over():
            break
    words = "; ".join(f"{name}: {what}" for name, what in said.items()) + "; no tray: P17"
    return Measured(words, count=starts, unit="starts", ok=True, detail=said)


def _delivers(world: World, server: h.Hostile) -> None:
    world.vxtray.run("report", "weekly", "--send", seconds=2 * SECONDS)
    until(lambda: bool(server.mail), "the report arrives", SECONDS)


def _no_keyring(world: World, server: h.Hostile) -> str:
    """There is no session bus, and no credential of systemd's: the mail waits, and events are stored."""
    world.vxtray.env.pop("CREDENTIALS_DIRECTORY")
    with world.vxtray.serve():
        stored = world.vxtray.json("import", world.log, seconds=2 * SECONDS)["stored"]
        world.vxtray.run("report", "weekly", "--send", seconds=2 * SECONDS)
        until(lambda: "keyring" in world.troubles(), "it is told", SECONDS)
        assert world.status()["queue"]["queued"] == 1
    assert stored == 1
    return "told, mails wait, events are stored"


def _bad_settings(world: World, server: h.Hostile) -> str:
    path = world.profile / "settings.toml"
    path.write_text(path.read_text() + "\n[[[ not TOML")
    with world.vxtray.serve():
        assert "settings" in world.troubles()
        _delivers(world, server)
    return "told, the last good ones are in force, mail leaves"


def _bad_events(world: World, server: h.Hostile) -> str:
    world.vxtray.run("import", world.log, seconds=2 * SECONDS)
    (world.profile / "state" / "events.duckdb").write_bytes(b"no database" * 5000)
    with world.vxtray.serve():
        assert world.vxtray.json("import", world.log, seconds=2 * SECONDS)["stored"] == 1
        assert "set aside" in world.troubles()
        _delivers(world, server)
    return "told, a new one is begun, events are stored, mail leaves"


def _no_display(world: World, server: h.Hostile) -> str:
    env = {name: value for name, value in world.vxtray.env.items() if name != "QT_QPA_PLATFORM"}
    done = subprocess.run(world.vxtray.command, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1
    assert "no screen" in done.stderr
    with world.vxtray.serve():
        _delivers(world, server)
    return "the window says what to start instead, and that works"


def _no_network(world: World, server: h.Hostile) -> str:
    """Not even loopback is up: commands still reach it, events are stored, the mail waits."""
    world.vxtray.command = [*_NO_NETWORK, *world.vxtray.command]
    with world.vxtray.serve():
        assert world.vxtray.json("import", world.log, seconds=2 * SECONDS)["stored"] == 1
        world.vxtray.run("report", "weekly", "--send", seconds=2 * SECONDS)
        until(lambda: "network" in world.troubles(), "it is told", SECONDS)
        assert world.status()["queue"]["queued"] == 1
    world.vxtray.command = world.vxtray.command[len(_NO_NETWORK) :]
    with world.vxtray.serve():
        until(lambda: bool(server.mail), "and leaves when there is one again", 2 * SECONDS)
    return "told, events are stored, the mail waits and leaves later"


def _read_only(world: World, server: h.Hostile) -> str:
    """A copy of the state is worked with, and taken back: each mail arrives once, each event is there once."""
    place = world.profile.parent / "var-tmp"
    place.mkdir()
    usual = ["unshare", "-m", "sh", "-c", _PLACED, str(place), *world.vxtray.command]
    read_only = ["unshare", "-m", "sh", "-c", _READ_ONLY, str(world.profile), *usual]
    with world.vxtray.serve():
        assert world.vxtray.json("import", world.log, seconds=2 * SECONDS)["stored"] == 1
        _delivers(world, server)
    before = {path: path.read_bytes() for path in sorted(world.profile.rglob("*")) if path.is_file()}

    world.vxtray.command = read_only
    assert world.vxtray.run("settings", "get", "smtp.host").strip() == "127.0.0.1"
    with world.vxtray.serve():
        assert "Read-only file system" in world.troubles()
        assert str(place) not in world.troubles(), "told as the program sees it"
        world.log.write_text(waf(yesterday(), "203.0.113.98", 55) + "\n")
        assert world.vxtray.json("import", world.log, seconds=2 * SECONDS)["stored"] == 1
        world.vxtray.run("report", "daily", "--send", seconds=2 * SECONDS)
        until(lambda: len(server.mails) == 2, "the report arrives", SECONDS)
        refused = world.vxtray.run("settings", "set", "general.language=fr", status=1) + world.vxtray.said
        assert "Read-only file system" in refused
    world.vxtray.command = [*_NO_NETWORK, *read_only]
    with world.vxtray.serve():
        world.vxtray.run("report", "monthly", "--send", seconds=2 * SECONDS)
        until(lambda: world.status()["queue"]["queued"] == 1, "a mail waits", SECONDS)
    assert {path: path.read_bytes() for path in sorted(world.profile.rglob("*")) if path.is_file()} == before

    world.vxtray.command = usual
    with world.vxtray.serve():
        until(lambda: len(server.mails) == 3, "what waited leaves from the home", 2 * SECONDS)
        assert "Read-only" not in world.troubles()
        assert len(world.vxtray.json("events", "--since", "2000-01-01")) == 2
        until(lambda: world.status()["queue"]["queued"] == 0, "nothing waits", SECONDS)
    assert len({re.search(rb"(?im)^message-id: *(.*)", mail)[1] for mail in server.mails}) == len(server.mails) == 3  # type: ignore[index]
    assert list(place.iterdir()) == []
    return "told with both folders, all works on a copy (2 mails, 1 event), which is taken back: 0 lost, 0 twice"
