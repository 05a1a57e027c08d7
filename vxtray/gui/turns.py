"""Work of the window in pieces, between which it paints and answers. GUI thread only."""

from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot


class Turns:
    """Does one piece after the other, each in a turn of the event loop of its own, for as long as ``owner`` lives."""

    def __init__(self, owner: QObject) -> None:
        self._pieces: deque[Callable[[], None]] = deque()
        self._timer = QTimer(owner, singleShot=True)  # a posted event would still be of the same turn
        self._timer.timeout.connect(self._next)

    def take(self, *pieces: Callable[[], None]) -> None:
        """Do these after what waits already."""
        self._pieces.extend(pieces)
        if self._pieces and not self._timer.isActive():
            self._timer.start(0)

    @Slot()
    def _next(self) -> None:
        piece = self._pieces.popleft()
        if self._pieces:
            self._timer.start(0)
        piece()
