"""Lines at a rate, and as many as go, and what became of them."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from tests.e2e.loglines import firewall

_BURST = 10


def plain_lines(count: int = 250) -> list[bytes]:
    """Return lines of connections that raise no alert."""
    now = datetime.now(UTC)
    return [firewall(now, f"198.51.100.{number % 250}", denied=number % 2 == 0).encode() for number in range(count)]


@contextlib.contextmanager
def paced(rate: int, act: Callable[[int], object]) -> Iterator[None]:
    """Do something so often a second, with its number, until the end of the block."""
    ended = threading.Event()

    def go_on() -> None:
        began = time.perf_counter()
        for number in itertools.count():
            if number % _BURST == 0 and ended.wait(max(0.0, number / rate - (time.perf_counter() - began))):
                return
            act(number)

    thread = threading.Thread(target=go_on, name="paced")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def send(port: int, seconds: float, rate: int) -> int:
    """Send lines over UDP for so long, so many a second (0: as many as go); return how many were sent."""
    lines = plain_lines()
    sent, began = 0, time.perf_counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        while (passed := time.perf_counter() - began) < seconds:
            if rate and sent > passed * rate:
                time.sleep(min(0.005, sent / rate - passed))
                continue
            for _ in range(_BURST):
                sock.send(lines[sent % len(lines)])
                sent += 1
    return sent
