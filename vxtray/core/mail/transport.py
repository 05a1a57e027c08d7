"""Sockets and TLS under a deadline: look-up, connect, a byte stream that can be upgraded to TLS.

On the thread of the caller, except for the look-up: the system's resolver knows no time limit (measured: 10 s with a
limit of 1 s), so it runs on a daemon thread ``vx-resolve`` that is left to itself when it takes too long.

Faults are those of the system (``OSError`` with ``TimeoutError`` for our deadlines, ``ssl.SSLError``); the connection
knows the step and turns them into the error tree.
"""

import contextlib
import errno
import ipaddress
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_CHUNK = 65536
#: Octets that TLS itself has to answer (refusals of a renegotiation); they leave with our next words.
_TLS_ANSWERS = 16384
#: Seconds until the next address is tried while the one before has not answered (RFC 8305, section 5).
_STAGGER = 0.25
#: This machine has no way to an address, whatever the other side does.
_NO_WAY = frozenset({errno.ENETUNREACH, errno.ENETDOWN, 10050, 10051})
#: Seconds after which a wait looks whether it was cut off.
_SLICE = 0.2


class Cutoff:
    """Lets any thread end the conversations that were begun with it: their waits raise within a moment.

    Once the final dot of a mail is sent, only ``cut(in_doubt=True)`` ends the wait for the server's word.
    """

    def __init__(self) -> None:
        self._before_dot = threading.Event()
        self._always = threading.Event()

    def cut(self, *, in_doubt: bool = False) -> None:
        """End what was begun, and whatever is begun from now on; ``in_doubt``: past the final dot too."""
        self._before_dot.set()
        if in_doubt:
            self._always.set()

    def is_cut(self) -> bool:
        """Return True once conversations are ended."""
        return self._before_dot.is_set()

    def is_cut_in_doubt(self) -> bool:
        """Return True once even the wait for the server's last word is ended."""
        return self._always.is_set()


class Deadline:
    """A point of the monotonic clock that a whole phase must not pass, however often bytes trickle in.

    ``is_cut`` tells that somebody ended the phase before its time.
    """

    def __init__(self, seconds: float, is_cut: Callable[[], bool] = lambda: False) -> None:
        self._end = time.monotonic() + seconds
        self._is_cut = is_cut

    def slice(self) -> float:
        """Return how long one wait may last. Raises as ``left``."""
        return min(_SLICE, self.left())

    def left(self) -> float:
        """Return the seconds that remain, more than 0. Raises ``TimeoutError``, ``ConnectionAbortedError``."""
        if self._is_cut():
            raise ConnectionAbortedError("cut off")
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("deadline passed")
        return seconds


#: A family and the socket address that belongs to it.
Address = tuple[socket.AddressFamily, tuple[Any, ...]]


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """Return the addresses of a host, families in turn (RFC 8305). Raises ``socket.gaierror``, ``TimeoutError``."""
    flags = 0
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        flags = socket.AI_NUMERICHOST
    found: list[Address] = []
    faults: list[OSError] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
            found.extend((family, sockaddr) for family, _, _, _, sockaddr in rows)
        except OSError as fault:
            faults.append(fault)
        except UnicodeError as fault:
            faults.append(socket.gaierror(socket.EAI_NONAME, str(fault)))
        finally:
            done.set()

    thread = threading.Thread(target=look_up, name="vx-resolve", daemon=True)
    thread.start()
    while not done.wait(deadline.slice()):
        pass
    thread.join()
    if faults:
        raise faults[0]
    return list(_in_turn(dict.fromkeys(found)))


def _in_turn(addresses: Iterable[Address]) -> Iterator[Address]:
    """Give IPv6 and IPv4 by turns, beginning with what the system put first."""
    families: dict[socket.AddressFamily, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    rows = list(families.values())
    for position in range(max(map(len, rows), default=0)):
        yield from (row[position] for row in rows if position < len(row))


def connect(addresses: Iterable[Address], deadline: Deadline) -> socket.socket:
    """Return a connected socket to the first address that answers; one dead address never costs the whole deadline.

    Raises ``TimeoutError`` when none answered, else the fault of the last that refused.
    """
    race = _Race(list(addresses))
    try:
        return race.run(deadline)
    finally:
        race.close()


class _Race:
    """Connection attempts side by side."""

    def __init__(self, waiting: list[Address]) -> None:
        self._waiting = waiting
        self._selector = selectors.DefaultSelector()
        self._running: set[socket.socket] = set()
        self._fault = OSError("the name has no address")

    def run(self, deadline: Deadline) -> socket.socket:
        """Return the winner."""
        while self._waiting or self._running:
            if self._waiting and (winner := self._start(*self._waiting.pop(0))):
                return winner
            for key, _ in self._selector.select(min(deadline.slice(), _STAGGER)):
                if winner := self._settle(key.fileobj):
                    return winner
        raise self._fault

    def _start(self, family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket | None:
        try:
            attempt = socket.socket(family, socket.SOCK_STREAM)
        except OSError as fault:  # a family that this system does not have
            self._fault = fault
            return None
        self._running.add(attempt)
        attempt.setblocking(False)
        try:
            attempt.connect(address)
        except (BlockingIOError, InterruptedError):
            self._selector.register(attempt, selectors.EVENT_WRITE)
            return None
        except OSError as fault:
            self._drop(attempt, fault)
            return None
        return self._win(attempt)

    def _settle(self, attempt: object) -> socket.socket | None:
        assert isinstance(attempt, socket.socket)
        self._selector.unregister(attempt)
        number = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not number:
            return self._win(attempt)
        self._drop(attempt, OSError(number, "connect failed"))
        return None

    def _win(self, attempt: socket.socket) -> socket.socket:
        self._running.discard(attempt)
        return attempt

    def _drop(self, attempt: socket.socket, fault: OSError) -> None:
        if (
            self._fault.errno is None or fault.errno not in _NO_WAY
        ):  # a refusal tells more than a family without a route
            self._fault = fault
        self._running.discard(attempt)
        attempt.close()

    def close(self) -> None:
        for attempt in self._running:
            attempt.close()
        self._selector.close()


class Stream:
    """A connected socket, later perhaps with TLS over it. Owns and closes the socket; one thread at a time."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over the socket. Raises ``OSError``, and closes it, where the other side has reset it already."""
        try:
            sock.setblocking(False)
            # Measured against Postfix: 254 mails/s on one connection instead of 21.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.local_ip = str(sock.getsockname()[0])
            self.peer_ip = str(sock.getpeername()[0])
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ)
        self.tls: ssl.SSLObject | None = None
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._ended = False  # TLS was closed by the other side, the socket perhaps not

    def _wait(self, events: int, deadline: Deadline) -> int:
        self._selector.modify(self._socket, events)
        while not (ready := self._selector.select(deadline.slice())):
            pass
        return ready[0][1]

    def _read_raw(self) -> bytes | None:
        """Return what the socket holds, None when nothing has come. Raises ``ConnectionAbortedError`` at the end."""
        try:
            data = self._socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return None
        if not data:
            raise ConnectionAbortedError("closed by the server")
        return data

    def waiting(self) -> bytes:
        """Return what has already come, without waiting: empty when the other side is silent, as it should be."""
        if self.tls is None:
            return self._read_raw() or b""
        # Left over from a read that was cut at its limit? Asked first: to decrypt nothing costs as much as something.
        if (self.tls.pending() or self._in.pending or self._ended) and (plain := self._decrypt(self.tls)):
            return plain
        if (raw := self._read_raw()) is None:
            return b""
        self._in.write(raw)
        plain = self._decrypt(self.tls)
        if self._out.pending > _TLS_ANSWERS:
            raise ConnectionAbortedError("asks for one handshake after the other")
        return plain

    def _decrypt(self, tls: ssl.SSLObject) -> bytes:
        plain = bytearray()
        try:
            while piece := tls.read(_CHUNK):
                plain += piece
                if len(plain) >= _CHUNK:
                    break
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except ssl.SSLZeroReturnError:
            self._ended = True
            if not plain:
                raise ConnectionAbortedError("closed by the server") from None
        return bytes(plain)

    def receive(self, deadline: Deadline) -> bytes:
        """Return at least one byte. Raises ``TimeoutError``, ``ConnectionError``, ``ssl.SSLError``."""
        while not (data := self.waiting()):
            self._wait(selectors.EVENT_READ, deadline)
        return data

    def send(self, data: bytes, deadline: Deadline, heard: Callable[[], None] | None = None) -> None:
        """Send everything. Raises ``TimeoutError``, ``ConnectionError``, ``ssl.SSLError``.

        ``heard`` is called when the other side speaks instead of reading; what it raises ends the sending.
        """
        if self.tls is not None:
            rest = memoryview(data)
            while rest:
                rest = rest[self.tls.write(rest) :]
            data = self._out.read()
        self._send_raw(data, deadline, heard)

    def _send_raw(self, data: bytes, deadline: Deadline, heard: Callable[[], None] | None = None) -> None:
        events = selectors.EVENT_WRITE | (selectors.EVENT_READ if heard else 0)
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except (BlockingIOError, InterruptedError):
                if self._wait(events, deadline) & selectors.EVENT_READ and heard is not None:
                    heard()
            else:
                deadline.left()

    def start_tls(self, context: ssl.SSLContext, host: str, deadline: Deadline) -> None:
        """Shake hands; the certificate must be for ``host``. Raises ``ssl.SSLError``, ``OSError``."""
        tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._send_raw(self._out.read(), deadline)
                self._wait(selectors.EVENT_READ, deadline)
                self._in.write(self._read_raw() or b"")
            except ssl.SSLError:
                self._flush_last_words()
                raise
        self._send_raw(self._out.read(), deadline)
        self.tls = tls

    def _flush_last_words(self) -> None:
        """Send a TLS alert, so that the server's log says why we left; nothing depends on it."""
        with contextlib.suppress(OSError):
            self._socket.send(self._out.read())

    def close(self) -> None:
        """Close, politely where TLS is up; never raises, never waits."""
        if self.tls is not None:
            with contextlib.suppress(OSError, ValueError):
                self.tls.unwrap()
            self._flush_last_words()
        self._selector.close()
        self._socket.close()
