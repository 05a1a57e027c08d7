"""The signals that end the program: SIGTERM, SIGINT, and SIGHUP when its terminal goes. GUI thread only."""

import contextlib
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

from PySide6.QtCore import QObject, QSocketNotifier, Slot

#: What the system ends a program with; the last one when its terminal goes, where there are terminals.
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]


class EndingSignals(QObject):
    """Calls ``quit`` when the system asks, from here until ``remove``.

    Python's handlers run between byte codes only, so a byte wakes the event loop.
    """

    def __init__(self, quit_: Callable[[], None], ending: Callable[[], bool], parent: QObject) -> None:
        """``ending`` says whether the program ends already."""
        super().__init__(parent)
        self._quit = quit_
        self._ending = ending
        self._heard: set[int] = set()
        self._ends = reading, writing = socket.socketpair()
        for end in self._ends:
            end.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        self._wakes = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read, self)
        self._wakes.activated.connect(self._woken)
        wanted = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]  # as nohup wants it
        self._before: dict[int, Any] = {number: signal.signal(number, self._signalled) for number in wanted}

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        """End; only the same signal again hurries, since a session may send different ones at once."""
        if number in self._heard or not self._ending():
            self._quit()
        self._heard.add(number)

    @Slot()
    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._ends[0].recv(4096)  # the handler itself runs now, or did already

    def remove(self) -> None:
        """Give back the handlers that were there."""
        self._wakes.setEnabled(False)
        signal.set_wakeup_fd(-1)
        for number, before in self._before.items():
            signal.signal(number, before)
        for end in self._ends:
            end.close()
