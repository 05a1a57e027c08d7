"""What a screen reader sees: the tree of a program as it tells it over AT-SPI, on a bus of the test's own.

The accessibility bus and its registry are at-spi2-core's own; the reader is this file, by jeepney. Roles and states are
those of atspi-constants.h.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from jeepney import DBusAddress, HeaderFields, Message, MessageType, Properties, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from tests.peers.desktop import until

LAUNCHER = Path("/usr/libexec/at-spi-bus-launcher")

_ACCESSIBLE = "org.a11y.atspi.Accessible"
_ROOT = "/org/a11y/atspi/accessible/root"
_SECONDS = 20
_PASSWORD = 40
#: A table tells each of its cells; so many are enough to judge it.
_CHILDREN = 60


class State(IntEnum):
    """Bits of the states."""

    CHECKED = 4
    EDITABLE = 7
    ENABLED = 8
    FOCUSABLE = 11
    FOCUSED = 12
    SHOWING = 25
    READ_ONLY = 43


@dataclass
class Node:
    """One thing that is told: ``role`` in words ("push button"), ``states`` as bits, ``labels`` those that name it."""

    bus: str
    path: str
    role: str = ""
    name: str = ""
    description: str = ""
    states: int = 0
    labels: tuple[str, ...] = ()
    children: list["Node"] = field(default_factory=list)

    def has(self, state: State) -> bool:
        return bool(self.states >> state & 1)

    def all(self) -> Iterator["Node"]:
        """Yield this and everything beneath, in order."""
        yield self
        for child in self.children:
            yield from child.all()

    def lines(self, indent: int = 0) -> Iterator[str]:
        """Yield the tree as text, for a person and for messages."""
        words = [state.name.lower() for state in (State.FOCUSABLE, State.CHECKED) if self.has(state)]
        yield f"{'  ' * indent}{self.role} {self.name!r} {' '.join(words)}".rstrip()
        for child in self.children:
            yield from child.lines(indent + 1)


class Reader:
    """Asks a program over the accessibility bus."""

    def __init__(self, address: str) -> None:
        self._bus: DBusConnection = open_dbus_connection(address)

    def close(self) -> None:
        self._bus.close()

    def windows(self) -> list[Node]:
        """Return what the programs on the bus show as windows, dialogs and menus, without what is within."""
        (desktop,) = self._children([Node("org.a11y.atspi.Registry", _ROOT)])
        windows = [window for children in self._children(desktop) for window in children]
        self._describe(windows)
        return [window for window in windows if window.has(State.SHOWING)]

    def tree(self, top: Node) -> Node:
        """Return a window with all that is shown in it."""
        level = [top]
        self._describe(level)
        while level:
            found = [children[:_CHILDREN] for children in self._children(level)]
            self._describe([child for children in found for child in children])
            for node, children in zip(level, found, strict=True):
                node.children = [child for child in children if child.has(State.SHOWING)]
            level = [child for node in level for child in node.children]
        self._label([node for node in top.all() if node.has(State.FOCUSABLE)])
        return top

    def _describe(self, nodes: Sequence[Node]) -> None:
        """Ask for role, states and names of all of them at once, so that no answer is waited for one by one."""
        asked: list[Message] = []
        for node in nodes:
            whom = DBusAddress(node.path, node.bus, _ACCESSIBLE)
            asked += [
                new_method_call(whom, "GetRoleName"),
                new_method_call(whom, "GetRole"),
                new_method_call(whom, "GetState"),
                Properties(whom).get("Name"),
                Properties(whom).get("Description"),
            ]
        answers = iter(self._ask(asked))
        for node in nodes:
            node.role, number = next(answers)[0], next(answers)[0]
            if number == _PASSWORD:  # Qt's word for it is that of any text
                node.role = "password text"
            low, high = next(answers)[0]
            node.states = low | high << 32
            node.name, node.description = next(answers)[0][1], next(answers)[0][1]

    def _children(self, nodes: Sequence[Node]) -> list[list[Node]]:
        asked = (new_method_call(DBusAddress(one.path, one.bus, _ACCESSIBLE), "GetChildren") for one in nodes)
        return [[Node(bus, path) for bus, path in answer[0]] for answer in self._ask(asked)]

    def _label(self, nodes: Sequence[Node]) -> None:
        """Ask which labels belong to controls (relation 2: labelled by)."""
        asked = (new_method_call(DBusAddress(one.path, one.bus, _ACCESSIBLE), "GetRelationSet") for one in nodes)
        for node, answer in zip(nodes, self._ask(asked), strict=True):
            names = [Node(bus, path) for kind, whom in answer[0] if kind == 2 for bus, path in whom]
            self._describe(names)
            node.labels = tuple(label.name for label in names)

    def _ask(self, messages: Iterable[Message]) -> list[Any]:
        """Send all questions and return the answers in their order."""
        serials = []
        for message in messages:
            serials.append(serial := next(self._bus.outgoing_serial))
            self._bus.send(message, serial=serial)
        answers: dict[int, Message] = {}
        while len(answers) < len(serials):
            answer = self._bus.receive(timeout=_SECONDS)
            if answer.header.fields.get(HeaderFields.reply_serial) in serials:
                answers[answer.header.fields[HeaderFields.reply_serial]] = answer
        for answer in answers.values():
            assert answer.header.message_type is MessageType.method_return, answer.body
        return [answers[serial].body for serial in serials]


@pytest.fixture
def reader(session_bus: str, tmp_path: Path) -> Iterator[Reader]:
    """Start the accessibility bus on the session bus, and return a screen reader's way to it."""
    if not LAUNCHER.exists():
        pytest.skip("not installed: at-spi2-core (packaging/test.sh installs it as root)")
    with (tmp_path / "at-spi.log").open("wb") as log:
        launcher = subprocess.Popen(
            [str(LAUNCHER), "--launch-immediately"],
            env=os.environ | {"DBUS_SESSION_BUS_ADDRESS": session_bus},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    found: list[str] = []

    def told() -> bool:
        with open_dbus_connection(session_bus) as bus:
            whom = DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.a11y.Bus")
            answer = bus.send_and_get_reply(new_method_call(whom, "GetAddress"), timeout=_SECONDS)
            if answer.header.message_type is MessageType.method_return:
                found.extend(filter(None, answer.body))
        return bool(found)

    try:
        until(told, "the accessibility bus", 20)
        made = Reader(found[0])
        yield made
        made.close()
    finally:
        launcher.terminate()
        launcher.wait(10)
