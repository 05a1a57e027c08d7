"""How events get to a server: the thread ``vx-spool`` sends what waits, so that storing never waits for a server."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

import msgspec

from vxtray.core.errors import StoreError

log = logging.getLogger(__name__)

#: While events wait that could not be sent, they are tried again this often.
RETRY_SECONDS = 15.0
#: So often the server hears of this program.
BEAT_SECONDS = 60.0


class Program(msgspec.Struct, frozen=True):
    """A program that keeps its events in the same tables: its store's uuid, its host, and whether it sends mail.

    ``arrived`` is the last seq of its events that the server had when it last told of itself; ``present`` says that
    this was lately.
    """

    uuid: str
    host: str
    sends: bool
    arrived: int = 0
    present: bool = True


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """How events get to the server: how many wait and since when at the latest, when some last arrived (aware, UTC).

    ``fault`` is why the server cannot be used, None where it can. ``programs`` are those that it knows and that
    run; empty until this one told it of itself.
    """

    waiting: int = 0
    waiting_since: datetime | None = None
    last_sent: datetime | None = None
    fault: StoreError | None = None
    programs: tuple[Program, ...] = ()


class Sender:
    """Calls ``send`` when woken, and again after a pause while that raises ``StoreError``; ``beat`` each minute.

    ``told`` is called where that begins to go wrong or to go well, and after each beat.
    """

    def __init__(self, send: Callable[[], None], beat: Callable[[], None], told: Callable[[], None]) -> None:
        self._send = send
        self._beat = beat
        self._told = told
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._beaten: float | None = None
        self._thread = threading.Thread(target=self._run, name="vx-spool", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to send."""
        self._wake.set()

    def beat_now(self) -> None:
        """What ``beat`` tells has changed."""
        self._beaten = None
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """End, and wait for what is being sent, but no longer than this."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        was_good = None
        while not self._stopping.is_set():
            self._wake.clear()
            good = self._tried(self._send) and self._beaten_in_time()
            if good != was_good and not self._stopping.is_set():
                was_good = good
                self._tried(self._told)
            if good:
                self._wake.wait(BEAT_SECONDS)
            else:
                self._stopping.wait(RETRY_SECONDS)  # not woken by what is stored meanwhile: it would only wait as well

    def _beaten_in_time(self) -> bool:
        if self._beaten is not None and time.monotonic() - self._beaten < BEAT_SECONDS:
            return True
        good = self._tried(self._beat)
        self._beaten = time.monotonic() if good else None
        return good and self._tried(self._told)

    def _tried(self, call: Callable[[], None]) -> bool:
        try:
            call()
        except StoreError as error:
            log.info("the event server: %s", error)
            return False
        except Exception:  # the thread must outlive it; what waits is safe
            log.exception("sending to the event server met an unknown fault")
            return False
        return True
