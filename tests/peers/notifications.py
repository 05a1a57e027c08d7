"""A session bus of the test's own, and on it a notification server that writes down what it is asked to show."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.peers.desktop import need_programs, until

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"


@pytest.fixture
def session_bus(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a session bus and return its address, which is the program's, too."""
    need_programs("dbus-daemon")
    folder = Path(tmp_path_factory.mktemp("bus"))
    folder.joinpath("session.conf").write_text(
        f"<busconfig><type>session</type><listen>unix:path={folder}/socket</listen><auth>EXTERNAL</auth>"
        '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>'
        '<allow own="*"/></policy></busconfig>'
    )
    daemon = subprocess.Popen(
        [shutil.which("dbus-daemon") or "", f"--config-file={folder}/session.conf", "--nofork"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: _listens(folder / "socket"), "a session bus")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address := f"unix:path={folder}/socket")
    yield address
    daemon.terminate()
    daemon.wait(10)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as knock:
        try:
            knock.connect(str(path))
        except OSError:
            return False
    return True


class Shown(NamedTuple):
    """What a program asked to show, as it came over the bus."""

    number: int
    replaces: int
    title: str
    text: str
    actions: dict[str, str]
    hints: dict[str, object]


class Notifications:
    """The server. ``shown`` holds all that was asked for, ``standing`` the numbers that stand now."""

    def __init__(self, address: str, capabilities: tuple[str, ...]) -> None:
        from jeepney.bus_messages import message_bus
        from jeepney.io.threading import open_dbus_connection
        from jeepney.wrappers import unwrap_msg

        self.capabilities = list(capabilities)
        self.shown: list[Shown] = []
        self.standing: list[int] = []
        self._caller = ""
        self._bus = open_dbus_connection(address)
        self._bus.send(message_bus.RequestName(NAME))
        while (answer := self._bus.receive(timeout=30)).header.fields.get(5) is None:  # until the reply's serial
            pass
        assert unwrap_msg(answer) == (1,)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def press(self, number: int, action: str, token: str = "") -> None:
        """Do what a person does."""
        if token:
            self._tell("ActivationToken", "us", (number, token))
        self._tell("ActionInvoked", "us", (number, action))
        self._tell("NotificationClosed", "uu", (number, 2))

    def close(self) -> None:
        self._bus.interrupt()
        self._thread.join(10)
        self._bus.close()

    def _tell(self, signal: str, signature: str, body: tuple[object, ...]) -> None:
        from jeepney import DBusAddress, new_signal

        self._bus.send(new_signal(DBusAddress(PATH, interface=NAME), signal, signature, body))

    def _serve(self) -> None:
        from jeepney import HeaderFields, MessageType, new_method_return
        from jeepney.io.threading import ReceiveStopped

        while True:
            try:
                message = self._bus.receive()
            except (ReceiveStopped, ConnectionError):
                return
            if message.header.message_type is MessageType.method_call:
                signature, body = self._answer(message.header.fields[HeaderFields.member], message.body)
                self._bus.send(new_method_return(message, signature, body))

    def _answer(self, method: str, body: tuple[Any, ...]) -> tuple[str | None, tuple[object, ...]]:
        if method == "GetCapabilities":
            return "as", (self.capabilities,)
        if method == "Notify":
            _app, replaces, _icon, title, text, actions, hints, _timeout = body
            number = replaces or len(self.shown) + 1
            pairs = dict(zip(actions[::2], actions[1::2], strict=True))
            self.shown.append(
                Shown(number, replaces, title, text, pairs, {name: value for name, (_, value) in hints.items()})
            )
            self.standing = [*(one for one in self.standing if one != number), number]
            return "u", (number,)
        assert method == "CloseNotification"
        self.standing.remove(body[0])
        self._tell("NotificationClosed", "uu", (body[0], 3))
        return None, ()


@pytest.fixture
def notifications(session_bus: str) -> Iterator[Notifications]:
    """Return a notification server that knows markup and actions, as the large desktops' do."""
    server = Notifications(session_bus, ("body", "body-markup", "actions", "persistence"))
    yield server
    server.close()
