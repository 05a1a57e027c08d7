"""The tray of KDE and of GNOME's AppIndicator extension: a StatusNotifierWatcher on a session bus of the test's own.

It keeps what programs register, reads their icon, tool tip and menu as a panel does, and clicks.
https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/
"""

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.peers.desktop import until

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

NAME, PATH = "org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher"
_ITEM, _MENU = "org.kde.StatusNotifierItem", "com.canonical.dbusmenu"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_ITEM_PATH = "/StatusNotifierItem"


class Entry(NamedTuple):
    """A line of a menu, as the panel would draw it."""

    number: int
    label: str
    enabled: bool
    separator: bool
    entries: "tuple[Entry, ...]"


class Item:
    """A program's icon, read over the bus."""

    def __init__(self, address: str, service: str) -> None:
        from jeepney.io.blocking import open_dbus_connection

        self.service = service
        self._bus = open_dbus_connection(address)

    def tool_tip(self) -> str:
        _icon, _pictures, title, text = self._get("ToolTip")
        return str(title or text)

    def status(self) -> str:
        return str(self._get("Status"))

    def title(self) -> str:
        return str(self._get("Title"))

    def pictures(self) -> "dict[int, QImage]":
        """Return the icon's pixels by width: ARGB in network byte order."""
        from PySide6.QtGui import QImage

        found = {}
        for width, height, data in self._get("IconPixmap"):
            swapped = b"".join(data[n : n + 4][::-1] for n in range(0, len(data), 4))
            found[width] = QImage(swapped, width, height, QImage.Format.Format_ARGB32).copy()
        return found

    def menu(self) -> tuple[Entry, ...]:
        """Tell the program that its menu is about to be shown, and return it."""
        self._ask(self._menu_path(), _MENU, "AboutToShow", "i", (0,))
        _revision, layout = self._ask(self._menu_path(), _MENU, "GetLayout", "iias", (0, -1, []))
        return _entry(layout).entries

    def activate(self) -> None:
        """Click on the icon with the left button."""
        self._ask(_ITEM_PATH, _ITEM, "Activate", "ii", (0, 0))

    def click(self, label: str) -> None:
        """Click on the first entry of that name, wherever it stands in the menu."""
        number = next(entry.number for entry in flat(self.menu()) if entry.label == label)
        moment = int(time.time())
        self._ask(self._menu_path(), _MENU, "Event", "isvu", (number, "clicked", ("s", ""), moment))

    def close(self) -> None:
        self._bus.close()

    def _menu_path(self) -> str:
        return str(self._get("Menu"))

    def _get(self, name: str) -> Any:
        ((_signature, value),) = self._ask(_ITEM_PATH, _PROPERTIES, "Get", "ss", (_ITEM, name))
        return value

    def _ask(self, path: str, interface: str, method: str, signature: str, body: tuple[object, ...]) -> Any:
        from jeepney import DBusAddress, new_method_call
        from jeepney.wrappers import unwrap_msg

        address = DBusAddress(path, bus_name=self.service, interface=interface)
        return unwrap_msg(self._bus.send_and_get_reply(new_method_call(address, method, signature, body), timeout=30))


def flat(entries: tuple[Entry, ...]) -> list[Entry]:
    """Return the entries and all below them."""
    return [one for entry in entries for one in (entry, *flat(entry.entries))]


def _entry(layout: Any) -> Entry:
    number, properties, children = layout
    values = {name: value for name, (_signature, value) in properties.items()}
    return Entry(
        number=number,
        label=str(values.get("label", "")).replace("__", "\0").replace("_", "").replace("\0", "_"),
        enabled=bool(values.get("enabled", True)),
        separator=values.get("type") == "separator",
        entries=tuple(_entry(child) for _signature, child in children if _shown(child)),
    )


def _shown(layout: Any) -> bool:
    _signature, visible = layout[1].get("visible", ("b", True))
    return bool(visible)


class Watcher:
    """The watcher and its host. ``registered`` are the bus names of all icons that were ever registered here."""

    def __init__(self, address: str) -> None:
        from jeepney.bus_messages import message_bus
        from jeepney.io.threading import open_dbus_connection
        from jeepney.wrappers import unwrap_msg

        self._address = address
        self.registered: list[str] = []
        self._items: list[Item] = []
        self._bus = open_dbus_connection(address)
        self._bus.send(message_bus.RequestName(NAME))
        while (answer := self._bus.receive(timeout=30)).header.fields.get(5) is None:  # until the reply's serial
            pass
        assert unwrap_msg(answer) == (1,)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def item(self, number: int = 1, seconds: float = 30) -> Item:
        """Wait for the icon that is registered as the ``number``-th, and return it."""
        until(lambda: len(self.registered) >= number, "an icon is registered", seconds)
        self._items.append(Item(self._address, self.registered[number - 1]))
        return self._items[-1]

    def close(self) -> None:
        for item in self._items:
            item.close()
        self._bus.interrupt()
        self._thread.join(10)
        self._bus.close()

    def _serve(self) -> None:
        from jeepney import HeaderFields, MessageType, new_method_return
        from jeepney.io.threading import ReceiveStopped

        while True:
            try:
                message = self._bus.receive()
            except (ReceiveStopped, ConnectionError):
                return
            if message.header.message_type is MessageType.method_call:
                fields = message.header.fields
                answer = self._answer(fields[HeaderFields.member], message.body, fields[HeaderFields.sender])
                self._bus.send(new_method_return(message, *answer))

    def _answer(self, method: str, body: tuple[Any, ...], sender: str) -> tuple[str | None, tuple[object, ...]]:
        values: dict[str, tuple[str, object]] = {
            "IsStatusNotifierHostRegistered": ("b", True),
            "ProtocolVersion": ("i", 0),
            "RegisteredStatusNotifierItems": ("as", list(self.registered)),
        }
        if method == "RegisterStatusNotifierItem":
            self.registered.append(sender if body[0].startswith("/") else body[0])
            return None, ()
        if method == "Get":
            return "v", (values[body[1]],)
        if method == "GetAll":
            return "a{sv}", (values,)
        return None, ()


@pytest.fixture
def watcher(session_bus: str) -> Iterator[Watcher]:
    """Return a tray that is there from the beginning."""
    made = Watcher(session_bus)
    yield made
    made.close()
