"""The syslog receiver: one source each for UDP, TCP and TLS, on the thread that calls ``run``.

Read ``streams`` for TCP and TLS, ``framing`` for their messages, ``listening`` for the sockets, ``senders`` for who may
send. Sources: RFC 5426 (UDP), 6587 (TCP), 5425 (TLS).
"""

import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from vxtray.core.errors import N_
from vxtray.core.settings.tree import Syslog
from vxtray.core.sources import Batch, Emit, Health
from vxtray.core.sources.listening import Certificates, kernel_drops, open_sockets
from vxtray.core.sources.senders import Senders
from vxtray.core.sources.stopping import waking
from vxtray.core.sources.streams import BATCH, Streams

_DATAGRAM = 65536
_BATCH_BYTES = 1024 * 1024
#: Seconds between two looks at a busy socket, so that datagrams come in batches and not one by one. The kernel holds
#: them meanwhile; where it gave little room, the pause is short.
_PAUSE = 0.005
_SHORT_PAUSE = 0.001
_MUCH_ROOM = 4 * 1024 * 1024
_LAST_READ = 0.4
#: How long a fault is told.
_FAULT_SECONDS = 600.0

Transport = Literal["udp", "tcp", "tls"]
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp", "tls")


class SyslogSource:
    """Receives syslog by one transport. ``name`` is ``syslog udp``, ``syslog tcp`` or ``syslog tls``.

    ``ports`` maps the transport to its real port once it is open, which matters where the setting says 0.
    """

    def __init__(self, settings: Syslog, transport: Transport) -> None:
        self.name = f"syslog {transport}"
        self.ports: dict[str, int] = {}
        self._settings = settings
        self._transport = transport
        self._sockets: list[socket.socket] = []
        self._certificates: Certificates | None = None
        self._senders = Senders(settings.allow)
        self._dropped: Counter[str] = Counter()
        self._kernel: dict[socket.socket, int] = {}
        self._fault = ("", "", 0.0)

    def open(self) -> None:
        """Open the port, where ``run`` has not yet. Raises ``SourceError``, ``PortTaken``."""
        if self._sockets:
            return
        if self._transport == "tls":
            self._certificates = Certificates(self._settings, self.name)
        port = self._settings.tls_port if self._transport == "tls" else self._settings.port
        kind = socket.SOCK_DGRAM if self._transport == "udp" else socket.SOCK_STREAM
        self._sockets = open_sockets(self._settings, self.name, port, kind)
        self._kernel = dict.fromkeys(self._sockets, 0)
        self.ports = {self._transport: self._sockets[0].getsockname()[1]}

    def close(self) -> None:
        """Close the port; ``run`` does so at its end."""
        while self._sockets:
            self._sockets.pop().close()

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Receive until ``stop`` is set. Raises ``SourceError``, ``PortTaken``."""
        self.open()
        try:
            if self._transport == "udp":
                self._receive(emit, stop)
            else:
                streams = Streams(self._sockets, self._senders, self._dropped, self._tell, self._certificates)
                streams.run(lambda lines: emit(self._batch(lines)), stop)
        finally:
            self.close()

    def health(self) -> Health:
        """Return the counts, and what went wrong last (a message id with ``{where}``) if it was not long ago."""
        fault, where, at = self._fault
        if time.monotonic() - at > _FAULT_SECONDS:
            fault = where = ""
        trouble = self._certificates.fault if self._certificates else None
        return Health(dropped=dict(self._dropped), fault=fault, where=where, trouble=trouble)

    def _tell(self, fault: str, where: str) -> None:
        self._fault = (fault, where, time.monotonic())

    def _batch(self, lines: Sequence[bytes]) -> Batch:
        return Batch(source=self.name, lines=tuple(lines), received=datetime.now(UTC))

    # --- UDP ---------------------------------------------------------------------------------------------------------

    def _receive(self, emit: Emit, stop: threading.Event) -> None:
        room = min(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for sock in self._sockets)
        pause = _PAUSE if room >= _MUCH_ROOM else _SHORT_PAUSE
        with selectors.DefaultSelector() as selector:
            for sock in self._sockets:
                selector.register(sock, selectors.EVENT_READ)
            with waking(stop, selector) as tick:
                while not stop.is_set():
                    ready = selector.select(tick)
                    if not self._drain(emit) and ready:
                        stop.wait(pause)
        until = time.monotonic() + _LAST_READ
        while self._drain(emit) and time.monotonic() < until:
            pass
        self._count_kernel_drops()

    def _drain(self, emit: Emit) -> bool:
        """Take and hand on what the sockets hold; return whether one may hold more."""
        more = False
        for sock in self._sockets:
            lines, unfinished = self._read(sock)
            more |= unfinished
            if lines and not emit(self._batch(lines)):
                self._dropped["queue"] += len(lines)
        self._count_kernel_drops()
        return more

    def _read(self, sock: socket.socket) -> tuple[list[bytes], bool]:
        """Take up to a batch of datagrams, one line each."""
        lines: list[bytes] = []
        host, sender, now, size = None, None, time.monotonic(), 0
        for _ in range(BATCH):
            try:
                data, address = sock.recvfrom(_DATAGRAM)
            except OSError:  # nothing there any more; on Windows also an echo of nobody's datagram
                return lines, False
            if address[0] != host:
                host = address[0]
                sender = self._senders.get(host, now)
            if sender is None:
                self._dropped["sender"] += 1
                self._tell(N_("{where} is not among those who may send."), str(host))
            elif sender.tokens < 1:
                self._dropped["rate"] += 1
                self._tell(N_("{where} sends more than can be taken."), sender.host)
            else:
                sender.tokens -= 1
                lines.append(data.rstrip(b"\r\n\0"))
                size += len(data)
                if size > _BATCH_BYTES:
                    break
        return lines, True

    def _count_kernel_drops(self) -> None:
        for sock, before in self._kernel.items():
            now = kernel_drops(sock)
            if now != before:
                self._kernel[sock] = now
                self._dropped["kernel"] += (now - before) % 2**32
                self._tell(N_("Lines came faster than they could be read."), "")
