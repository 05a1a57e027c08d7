"""Notifications over D-Bus, as desktops on Linux and BSD show them (org.freedesktop.Notifications).

``show``, ``withdraw`` and ``stop`` belong to the GUI thread and never wait for the bus: ``vx-notify``, which begins
with the first notification, holds the connection, and what comes back runs on the GUI thread through ``call``.
https://specifications.freedesktop.org/notification/latest/
"""

import contextlib
import html
import logging
import os
import queue
import selectors
import socket
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from vxtray.core.paths import resource

log = logging.getLogger(__name__)

_NAME = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"
_REPLY_SECONDS = 5.0
_STOP_SECONDS = 1.0

#: Notifications whose click is still waited for: a server may never say that one was closed.
_REMEMBERED = 64

#: The name of the action that a click on the notification itself is, by the specification.
OPEN = "default"
ACKNOWLEDGE = "acknowledge"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a notification says, in plain text. A new one of the same ``key`` takes the former's place.

    ``where`` is the page that a click opens, "" for none. ``actions`` are names (``OPEN``, ``ACKNOWLEDGE``) with the
    words that stand on their buttons.
    """

    key: str
    title: str
    text: str = ""
    where: str = ""
    actions: dict[str, str] = {}
    urgent: bool = False
    sound: bool = False


class NotificationServer:
    """The desktop's own notification server, where there is one."""

    def __init__(
        self,
        call: Callable[[Callable[[], None]], None],
        *,
        pressed: Callable[[Note, str, str], None],
        refused: Callable[[Note], None],
        unheard: Callable[[], None],
    ) -> None:
        """Tell through ``call`` what came of notifications.

        ``pressed(note, action, token)`` when a person did, with the token that lets a window come to the front on
        Wayland ("" elsewhere); ``refused(note)`` where nobody showed it; ``unheard()`` where the server has no sound.
        """
        self._call = call
        self._pressed = pressed
        self._refused = refused
        self._unheard = unheard
        self._tasks: queue.SimpleQueue[Note | str] = queue.SimpleQueue()
        self._waking: socket.socket | None = None
        self._worker: threading.Thread | None = None
        self._stopping = threading.Event()

    def show(self, note: Note) -> None:
        """Show a notification, soon."""
        if sys.platform in {"win32", "darwin"}:
            self._refused(note)
            return
        if self._waking is None and not self._stopping.is_set():
            woken, self._waking = socket.socketpair()
            self._worker = threading.Thread(target=self._work, args=(woken,), name="vx-notify", daemon=True)
            self._worker.start()
        self._put(note)

    def withdraw(self, key: str) -> None:
        """Take the notification of that key away, where one is shown."""
        self._put(key)

    def stop(self) -> None:
        """End the thread; what is shown stays there to be read."""
        self._stopping.set()
        if self._waking is not None and self._worker is not None:
            self._waking.close()  # which wakes the thread
            self._waking = None
            self._worker.join(_STOP_SECONDS)

    def _put(self, task: Note | str) -> None:
        if self._waking is not None:
            self._tasks.put(task)
            self._waking.send(b"!")

    # --- on vx-notify ------------------------------------------------------------------------------------------------

    def _work(self, woken: socket.socket) -> None:
        link: _Link | None = None
        with woken:
            while not self._stopping.is_set():
                with selectors.DefaultSelector() as waiting:
                    for one in (woken, *([link.socket] if link else [])):
                        waiting.register(one, selectors.EVENT_READ)
                    ready = {key.fileobj for key, _events in waiting.select()}
                if woken in ready:
                    woken.recv(4096)
                link = self._serve(link)
            _end(link)

    def _serve(self, link: "_Link | None") -> "_Link | None":
        """Do what waits and hear what the server says; return the connection as it then is."""
        while not self._tasks.empty() and not self._stopping.is_set():
            task = self._tasks.get()
            try:
                link = link or _Link()
                self._do(link, task)
            except _faults() as error:
                log.info("the desktop shows no notification: %s", error)
                _end(link)
                link = None
                if isinstance(task, Note):
                    self._call(lambda task=task: self._refused(task))  # type: ignore[misc]  # called once, later
        if link is not None:
            try:
                for note, action, token in link.heard():
                    self._call(lambda note=note, action=action, token=token: self._pressed(note, action, token))  # type: ignore[misc]  # as above
            except _faults() as error:
                log.info("the session bus has gone: %s", error)
                _end(link)
                link = None
        return link

    def _do(self, link: "_Link", task: Note | str) -> None:
        if isinstance(task, str):
            link.withdraw(task)
        elif not link.show(task) and task.sound:
            self._call(self._unheard)


class _Link:
    """A connection to the session bus. Its thread is ``vx-notify``; all methods raise one of ``_faults()``."""

    def __init__(self) -> None:
        from jeepney import DBusAddress, HeaderFields, MatchRule
        from jeepney.bus_messages import message_bus
        from jeepney.io.blocking import open_dbus_connection

        self._member = HeaderFields.member
        self._server = DBusAddress(_PATH, bus_name=_NAME, interface=_NAME)
        self._shown: OrderedDict[int, Note] = OrderedDict()
        self._tokens: dict[int, str] = {}
        self._signals: deque[Any] = deque()
        self._bus = open_dbus_connection(_address())
        self.socket: socket.socket = self._bus.sock
        try:
            self._bus.filter(MatchRule(type="signal", interface=_NAME, path=_PATH), queue=self._signals)
            wanted = MatchRule(type="signal", interface=_NAME, path=_PATH, sender=_NAME)
            self._answer(message_bus.AddMatch(wanted))
        except _faults():
            self.end()
            raise

    def show(self, note: Note) -> bool:
        """Show a notification in the place of the former one of its key; return whether the server makes sounds."""
        able = self._ask("GetCapabilities")[0]
        former = next((number for number, shown in self._shown.items() if shown.key == note.key), 0)
        hints: dict[str, tuple[str, object]] = {
            "urgency": ("y", 2 if note.urgent else 1),
            "desktop-entry": ("s", "vxtray"),
        }
        hints |= {"sound-name": ("s", "dialog-warning")} if note.sound else {"suppress-sound": ("b", True)}
        body = html.escape(note.text, quote=False) if "body-markup" in able else note.text
        actions = [word for pair in note.actions.items() for word in pair] if "actions" in able else []
        icon = Path(str(resource("icons/vxtray.svg"))).as_uri()
        # the summary is no markup, and yet there are servers that read it as such
        title = harmless(note.title)
        words = ("vxtray", former, icon, title, body, actions, hints, -1)
        number = self._ask("Notify", "susssasa{sv}i", words)[0]
        self._shown.pop(former, None)
        self._shown[number] = note
        while len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)
        return "sound" in able

    def withdraw(self, key: str) -> None:
        """Take away what is shown under a key."""
        for number in [number for number, shown in self._shown.items() if shown.key == key]:
            del self._shown[number]
            self._ask("CloseNotification", "u", (number,))

    def heard(self) -> list[tuple[Note, str, str]]:
        """Return what was pressed since: notification, action and activation token."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._bus.recv_messages(timeout=0)
        pressed = []
        while self._signals:
            signal = self._signals.popleft()
            number, *rest = signal.body
            match signal.header.fields[self._member], rest:
                case "ActivationToken", [str(token)]:
                    self._tokens = {number: token}
                case "ActionInvoked", [str(action)] if number in self._shown:
                    pressed.append((self._shown[number], action, self._tokens.pop(number, "")))
                case "NotificationClosed", _:
                    self._shown.pop(number, None)
        return pressed

    def end(self) -> None:
        """Close the connection."""
        self._bus.close()

    def _ask(self, method: str, signature: str = "", words: tuple[object, ...] = ()) -> Any:
        from jeepney import new_method_call

        return self._answer(new_method_call(self._server, method, signature or None, words))

    def _answer(self, message: Any) -> Any:
        from jeepney.wrappers import unwrap_msg

        return unwrap_msg(self._bus.send_and_get_reply(message, timeout=_REPLY_SECONDS))


def harmless(text: str) -> str:
    """Return the text with other signs where a reader of markup would see tags."""
    return text.replace("<", "‹").replace(">", "›")


def _end(link: _Link | None) -> None:
    if link is not None:
        link.end()


def _address() -> str:
    """Return where the session bus listens. Raises ``OSError`` where there is none."""
    if address := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    folder = os.environ.get("XDG_RUNTIME_DIR")
    if not folder:
        raise ConnectionRefusedError("no session bus")
    return f"unix:path={folder}/bus"


def _faults() -> tuple[type[Exception], ...]:
    """Return what a bus or a server can do to a connection: no bus, no server, no answer, nonsense."""
    from jeepney import DBusErrorResponse

    return (OSError, ValueError, LookupError, TypeError, RuntimeError, DBusErrorResponse)
