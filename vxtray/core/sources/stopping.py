"""The wish that a source ends, which wakes it out of a wait for sockets, too. Any thread.

Without this a receiver would have to look up several times a second, all day, whether it shall go on.
"""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

#: How often a receiver looks up whose wish to end is a plain event, which rings nowhere.
_TICK = 0.2


class StopEvent(threading.Event):
    """An event that also rings where somebody waits in a selector."""

    def __init__(self) -> None:
        super().__init__()
        self._bells: set[socket.socket] = set()
        self._guard = threading.Lock()

    def set(self) -> None:
        """Set it, and wake whoever waits."""
        super().set()
        with self._guard:
            for bell in self._bells:
                _ring(bell)

    @contextlib.contextmanager
    def heard_by(self, selector: selectors.BaseSelector) -> Iterator[None]:
        """Let a selector return once this is set; what it then finds ready has ``data`` of this event."""
        hearing, ringing = socket.socketpair()
        with hearing, ringing:
            ringing.setblocking(False)
            selector.register(hearing, selectors.EVENT_READ, self)
            with self._guard:
                self._bells.add(ringing)
            if self.is_set():
                _ring(ringing)
            try:
                yield
            finally:
                with self._guard:
                    self._bells.discard(ringing)
                selector.unregister(hearing)


def _ring(bell: socket.socket) -> None:
    with contextlib.suppress(OSError):  # full: it rings already
        bell.send(b"\0")


@contextlib.contextmanager
def waking(stop: threading.Event, selector: selectors.BaseSelector) -> Iterator[float | None]:
    """Yield how many seconds a selector may wait so that ``stop`` is noticed; None where that wakes it by itself."""
    if isinstance(stop, StopEvent):
        with stop.heard_by(selector):
            yield None
    else:
        yield _TICK


def sooner(one: float | None, other: float | None) -> float | None:
    """Return the shorter of two waits; None is for ever."""
    return min((wait for wait in (one, other) if wait is not None), default=None)
