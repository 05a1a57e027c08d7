"""A piece of work with the provider on a daemon thread ``vx-oauth``, for which threads wait with a limit.

The thread, because neither a name look-up nor a server that sends a byte now and then knows our limits. Who waits may
leave; the work goes on to its end, so that a token that was replaced by the provider is still stored.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from vxtray.core.mail.transport import Deadline

T = TypeVar("T")

#: Seconds that an errand may take beside its requests, for the lock and the keyring around them.
_BESIDE_SECONDS = 60.0


class Line:
    """The connection that an errand uses just now; it can be cut from another thread.

    A context manager around one request, which may last ``seconds``, connecting and all.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._stream: Any = None
        self._end: float | None = None

    def __enter__(self) -> "Line":
        with self._lock:
            self._stream, self._end = None, time.monotonic() + self.seconds
        return self

    def __exit__(self, *_fault: object) -> None:
        with self._lock:
            self._stream, self._end = None, None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Remember the newest stream; httpx's request extension ``trace`` (python-httpx.org, "Extensions")."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            with self._lock:
                self._stream = info["return_value"]

    def tend(self) -> None:
        """Cut the connection once the request has lasted too long."""
        if self._end is not None and time.monotonic() > self._end:
            self.cut()

    def cut(self) -> None:
        """End the request under way: whatever waits on its socket wakes up."""
        with self._lock:
            stream = self._stream
        raw = stream.get_extra_info("socket") if stream is not None else None
        if raw is not None:
            with contextlib.suppress(OSError):  # it has ended by itself
                socket.socket.shutdown(raw, socket.SHUT_RDWR)  # not the TLS socket's own, which is not for two threads


class Errand(Generic[T]):
    """Runs ``work`` at once; any number of threads may wait for its result."""

    def __init__(self, work: Callable[[Line], T], seconds: float) -> None:
        """``seconds`` are for each request of the work."""
        self._line = Line(seconds)
        self._answer: Future[T] = Future()
        self._work = work
        self._thread = threading.Thread(target=self._run, name="vx-oauth", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answer.set_result(self._work(self._line))
        except BaseException as fault:  # noqa: BLE001 - raised again where somebody waits
            self._answer.set_exception(fault)

    @property
    def running(self) -> bool:
        """True until the work is done."""
        return not self._answer.done()

    def result(self, is_cut: Callable[[], bool] = lambda: False, *, abandon: bool = False) -> T:
        """Return what the work returned, or raise what it raised.

        Raises ``TimeoutError`` when it takes too long, ``ConnectionAbortedError`` once ``is_cut``; with ``abandon`` the
        request is then cut, too.
        """
        deadline = Deadline(_BESIDE_SECONDS + 2 * self._line.seconds, is_cut)
        try:
            while self.running:
                self._thread.join(deadline.slice())
                self._line.tend()
        except ConnectionAbortedError:
            if abandon:
                self._line.cut()
            raise
        return self._answer.result()

    def wait(self, seconds: float) -> bool:
        """Give the work some seconds to end; True when it has."""
        self._thread.join(seconds)
        return not self.running
