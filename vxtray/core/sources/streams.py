"""Syslog over TCP and TLS: many connections on one thread, the source's own.

What protects it: a list of senders, places for 100 connections (16 of one sender), messages of 64 KiB, a time for the
handshake and for each message. When nobody takes the lines, nothing more is read, so that the senders wait.
"""

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from vxtray.core.errors import N_
from vxtray.core.sources.framing import BadFraming, Deframer
from vxtray.core.sources.listening import Certificates, keep_alive
from vxtray.core.sources.senders import Sender, Senders
from vxtray.core.sources.stopping import StopEvent, sooner, waking

MAX_CONNECTIONS = 100
MAX_PER_SENDER = 16
#: Seconds in which a message must be complete, and after which a silent connection gives its place to a new one.
IDLE_SECONDS = 60.0
HANDSHAKE_SECONDS = 10.0
#: Lines that are collected before they are handed on.
BATCH = 1000

_SEGMENT = 65536
_BATCH_BYTES = 1024 * 1024
_RETRY = 0.02
#: Seconds between two looks for what hangs, and for another certificate, where nothing arrives.
_SWEEP_SECONDS = 1.0
_RENEW_SECONDS = 2.0
#: Seconds that the end may take to read what has arrived already.
_LAST_READ = 0.4

#: Takes lines; false where there is no room for them now.
Take = Callable[[Sequence[bytes]], bool]


class _Connection:
    """One sender's connection. ``since`` is when its last message was complete or its present one began."""

    def __init__(self, sock: socket.socket, sender: Sender, now: float) -> None:
        self.sock = sock
        self.sender = sender
        self.since = now
        self.deframer = Deframer()
        self.handshaking = isinstance(sock, ssl.SSLSocket)
        self.has_spoken = False
        self.resumes = 0.0

    @property
    def may_hang(self) -> bool:
        """True where it is waited for something that may never come."""
        return self.handshaking or self.deframer.partial or not self.has_spoken


class Streams:
    """Serves all connections of some listening sockets; ``run`` is called once."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        senders: Senders,
        dropped: Counter[str],
        tell: Callable[[str, str], None],
        certificates: Certificates | None = None,
    ) -> None:
        """``dropped`` is counted up, ``tell`` gets faults (a message id, and the sender), ``certificates`` make TLS."""
        self._listeners = listeners
        self._senders = senders
        self._dropped = dropped
        self._tell = tell
        self._certificates = certificates
        self._selector = selectors.DefaultSelector()
        self._connections: set[_Connection] = set()
        self._paused: set[_Connection] = set()
        self._lines: list[bytes] = []
        self._bytes = 0
        self._swept = 0.0

    def run(self, take: Take, stop: threading.Event) -> None:
        """Serve until ``stop`` is set; what has arrived by then is still read."""
        with self._selector:
            for listener in self._listeners:
                self._selector.register(listener, selectors.EVENT_READ)
            try:
                with waking(stop, self._selector) as tick:
                    while not stop.is_set():
                        self._turn(sooner(tick, self._patience()))
                        self._hand_on(take, stop)
                self._read_the_rest(take)
            finally:
                for connection in tuple(self._connections):
                    self._close(connection)

    def _patience(self) -> float | None:
        """Return for how many seconds nothing has to be done unless something arrives; None for ever."""
        if self._paused:
            return _RETRY
        if any(one.may_hang for one in self._connections):
            return _SWEEP_SECONDS
        return _RENEW_SECONDS if self._certificates else None

    def _turn(self, timeout: float | None) -> bool:
        """Wait for something and do it; return whether there was anything."""
        now = time.monotonic()
        if self._paused:
            self._resume(now)
        if now >= self._swept + _SWEEP_SECONDS:
            self._swept = now
            self._sweep(now)
            if self._certificates:
                self._certificates.renew()
        ready = self._selector.select(timeout)
        for key, _ in ready:
            if isinstance(key.data, StopEvent):
                continue
            if key.data is None:
                self._accept(key.fileobj)  # type: ignore[arg-type]  # sockets are registered, never numbers
            elif key.data in self._connections:  # not closed by an accept just before
                self._serve(key.data)
            if len(self._lines) >= BATCH or self._bytes >= _BATCH_BYTES:
                break
        return bool(ready)

    def _hand_on(self, take: Take, stop: threading.Event) -> None:
        """Hand on what was read. Where there is no room, wait without reading."""
        waited = False
        while self._lines and not stop.is_set():
            if take(self._lines[:BATCH]):
                del self._lines[:BATCH]
            else:
                waited = True
                stop.wait(_RETRY)
        self._bytes = 0
        if waited:  # that nothing was read was not the senders' fault
            now = time.monotonic()
            for connection in self._connections:
                connection.since = now

    def _read_the_rest(self, take: Take) -> None:
        until = time.monotonic() + _LAST_READ
        for listener in self._listeners:
            self._selector.unregister(listener)
        while True:
            while self._lines:
                if not take(self._lines[:BATCH]):
                    self._dropped["queue"] += len(self._lines)
                    return
                del self._lines[:BATCH]
            self._bytes = 0
            if time.monotonic() > until or not self._turn(0):
                return

    # --- connections -------------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:  # gone already, or no descriptor left
            if not isinstance(error, BlockingIOError | ConnectionError):
                self._tell(N_("No further connection can be taken: the system has no room."), "")
                time.sleep(_RETRY)
            return
        now = time.monotonic()
        sender = self._senders.get(address[0], now)
        if sender is None:
            self._dropped["sender"] += 1
            self._tell(N_("{where} is not among those who may send."), address[0])
            sock.close()
            return
        if not self._has_place(sender, now):
            self._dropped["connections"] += 1
            self._tell(N_("{where} has too many connections, or all places are taken."), sender.host)
            sock.close()
            return
        try:
            sock.setblocking(False)
            keep_alive(sock)
            if self._certificates:
                sock = self._certificates.context.wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
                )
        except OSError:  # reset by now
            sock.close()
            return
        connection = _Connection(sock, sender, now)
        sender.connections += 1
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _has_place(self, sender: Sender, now: float) -> bool:
        """Look for a place, if need be that of the connection that has been silent for the longest time."""
        if sender.connections >= MAX_PER_SENDER:
            candidates = [one for one in self._connections if one.sender is sender]
        elif len(self._connections) >= MAX_CONNECTIONS:
            candidates = list(self._connections)
        else:
            return True
        silent = min(candidates, key=lambda one: one.since)
        if now - silent.since < IDLE_SECONDS:
            return False
        self._close(silent)
        return True

    def _close(self, connection: _Connection) -> None:
        if connection in self._paused:
            self._paused.discard(connection)
        else:
            self._selector.unregister(connection.sock)
        self._connections.discard(connection)
        connection.sender.connections -= 1
        if isinstance(connection.sock, ssl.SSLSocket) and not connection.handshaking:
            with contextlib.suppress(OSError, ValueError):  # says goodbye, and does not wait for an answer
                connection.sock.unwrap()
        connection.sock.close()

    def _give_up(self, connection: _Connection, reason: str, fault: str) -> None:
        self._dropped[reason] += 1
        self._tell(fault, connection.sender.host)
        self._close(connection)

    def _sweep(self, now: float) -> None:
        """Close what hangs in a handshake or in a message, or has never said anything."""
        for one in tuple(self._connections):
            if one.handshaking:
                if now - one.since > HANDSHAKE_SECONDS:
                    self._give_up(one, "tls", N_("{where} did not finish the TLS handshake."))
            elif one in self._paused or now - one.since <= IDLE_SECONDS:
                continue
            elif one.deframer.partial:
                self._give_up(one, "framing", N_("{where} stopped in the middle of a message."))
            elif not one.has_spoken:
                self._close(one)

    def _resume(self, now: float) -> None:
        for one in [one for one in self._paused if now >= one.resumes]:
            self._paused.discard(one)
            self._selector.register(one.sock, selectors.EVENT_READ, one)

    # --- what they say -----------------------------------------------------------------------------------------------

    def _serve(self, connection: _Connection) -> None:
        try:
            if connection.handshaking:
                connection.sock.do_handshake()  # type: ignore[attr-defined]  # only TLS has handshakes
                connection.handshaking = False
                self._wait_for(connection, selectors.EVENT_READ)
                return
            data = connection.sock.recv(_SEGMENT)
        except (BlockingIOError, ssl.SSLWantReadError):
            self._wait_for(connection, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._wait_for(connection, selectors.EVENT_WRITE)
        except ssl.SSLZeroReturnError:
            self._ended(connection)
        except OSError as error:  # SSLError is one, too
            self._failed(connection, error)
        else:
            if data:
                self._heard(connection, data)
            else:
                self._ended(connection)

    def _wait_for(self, connection: _Connection, events: int) -> None:
        self._selector.modify(connection.sock, events, connection)

    def _heard(self, connection: _Connection, data: bytes) -> None:
        deframer, now = connection.deframer, time.monotonic()
        was_partial, too_long = deframer.partial, deframer.too_long
        refused = False
        try:
            found = deframer.feed(data)
        except BadFraming as fault:
            found, refused = fault.args[0], True
        if deframer.too_long > too_long:
            self._dropped["length"] += deframer.too_long - too_long
            self._tell(N_("{where} sends messages of more than 64 KiB."), connection.sender.host)
        if found or not was_partial:
            connection.since = now
        self._keep(connection, found)
        self._senders.fill(connection.sender, now)
        if refused:
            self._give_up(connection, "framing", N_("{where} does not send syslog, or counts its messages wrongly."))
        elif connection.sender.tokens < 0:
            connection.resumes = now - connection.sender.tokens / self._senders.rate
            self._paused.add(connection)
            self._selector.unregister(connection.sock)

    def _keep(self, connection: _Connection, found: list[bytes]) -> None:
        if found:
            connection.has_spoken = True
            connection.sender.tokens -= len(found)
            self._lines += found
            self._bytes += sum(map(len, found))

    def _ended(self, connection: _Connection) -> None:
        """The sender has closed in order: a last line needs no line feed."""
        partial = connection.deframer.partial
        found = connection.deframer.finish()
        self._keep(connection, found)
        if partial and not found:
            self._give_up(connection, "framing", N_("{where} stopped in the middle of a message."))
        else:
            self._close(connection)

    def _failed(self, connection: _Connection, error: OSError) -> None:
        if connection.handshaking:
            asked = getattr(error, "reason", "") == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
            fault = N_("{where} has shown no certificate, and one is required.")
            self._give_up(connection, "tls", fault if asked else N_("The TLS handshake with {where} failed."))
        elif connection.deframer.partial:
            self._give_up(connection, "framing", N_("{where} stopped in the middle of a message."))
        else:
            self._close(connection)
