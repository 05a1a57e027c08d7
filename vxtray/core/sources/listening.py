"""Sockets for the syslog receiver: opened, or refused in words. Any thread.

Nothing here listens wider than this machine without a list of senders.
"""

import errno
import socket
import ssl
import struct
import sys
from pathlib import Path

from vxtray.core.errors import N_, PortTaken, SourceError
from vxtray.core.settings.tree import Syslog
from vxtray.core.sources.senders import is_loopback

#: What the kernel may hold of one UDP socket, in bytes. An ordinary user gets ``net.core.rmem_max`` at most.
_UDP_BUFFER = 32 * 1024 * 1024
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO_DROPS = 8
_BACKLOG = 128


def open_sockets(settings: Syslog, source: str, port: int, kind: socket.SocketKind) -> list[socket.socket]:
    """Bind one socket for each address of the setting, all to the same port (any free one for 0), non-blocking.

    Raises ``SourceError``, ``PortTaken``.
    """
    address = settings.address or Syslog().address
    opened: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, host in _resolve(address, kind, source):
            if not settings.allow and not is_loopback(host):
                raise SourceError(
                    N_("{source} may not listen on {address}: everybody could send to it."),
                    N_("First name those who may send, in sources.syslog.allow, or listen on 127.0.0.1."),
                    source=source,
                    address=address,
                )
            number = opened[0].getsockname()[1] if opened else port
            try:
                opened.append(_bind(family, kind, host, number))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise _refused(error, source, address, number) from error
                missing = error  # "localhost" is also ::1, on machines without IPv6 too
        if not opened and missing:
            raise _refused(missing, source, address, port) from missing
    except SourceError:
        for sock in opened:
            sock.close()
        raise
    return opened


def _resolve(address: str, kind: socket.SocketKind, source: str) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(address, None, type=kind, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SourceError(
            N_("{source} cannot listen on {address}: there is no such name."),
            N_("Give an address of this machine, such as 127.0.0.1."),
            source=source,
            address=address,
        ) from error
    return list(dict.fromkeys((family, str(place[0])) for family, _, _, _, place in found))


def _bind(family: socket.AddressFamily, kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:  # the address of all of IPv6 takes IPv4 too
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        if kind == socket.SOCK_STREAM and sys.platform != "win32":  # there it would share the port with anybody
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.listen(_BACKLOG)
        else:
            _enlarge(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _enlarge(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER)
    if sys.platform == "linux":
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _UDP_BUFFER)
        except PermissionError:  # only root may pass rmem_max
            return


def kernel_drops(sock: socket.socket) -> int:
    """Return how many datagrams the kernel has dropped at this socket, modulo 2**32; 0 where it does not say.

    The counter of ``SO_RXQ_OVFL``, read by ``SO_MEMINFO`` (Linux 4.12): the former comes along with the next datagram
    only, so the drops at the end of a flood would stay unknown.
    """
    if sys.platform != "linux":
        return 0
    try:
        values = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64)
    except OSError:
        return 0
    if len(values) < 4 * (_MEMINFO_DROPS + 1):
        return 0
    return int(struct.unpack_from("=I", values, 4 * _MEMINFO_DROPS)[0])


def keep_alive(sock: socket.socket) -> None:
    """Have the system find out within two minutes that a silent peer is gone."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def tls_context(settings: Syslog, source: str) -> ssl.SSLContext:
    """Return what TLS connections are made with (RFC 5425): 1.2 at least, a client's certificate where a CA is set.

    Raises ``SourceError``.
    """
    if not settings.cert_file:
        raise SourceError(
            N_("{source} needs a certificate and has none."),
            N_("Set sources.syslog.cert_file and key_file to the files of this machine's certificate and its key."),
            source=source,
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A sender that never reads and closes would, with tickets unread, reset the connection and lose its last lines.
    context.num_tickets = 0
    path = settings.cert_file
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(settings.cert_file, settings.key_file or None, password=lambda: "")
        if settings.client_ca_file:
            path = settings.client_ca_file
            context.load_verify_locations(settings.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except ssl.SSLError as error:
        raise SourceError(
            N_("{source} cannot use {path}: it is damaged, or certificate and key do not belong together."),
            N_("Both must be in PEM format, the key without a password."),
            source=source,
            path=path,
        ) from error
    except OSError as error:  # which does not say which of the two files it means
        raise SourceError(
            N_("{source} cannot read its certificate or key: {reason}."),
            N_("Check that the files exist and that you may read them: {path}."),
            source=source,
            path=", ".join(filter(None, (settings.cert_file, settings.key_file, settings.client_ca_file))),
            reason=error.strerror or str(error),
        ) from error
    return context


class Certificates:
    """What TLS connections are made with, read anew when one of its files has changed. One thread renews it."""

    def __init__(self, settings: Syslog, source: str) -> None:
        """Read the files. Raises ``SourceError``."""
        self._settings = settings
        self._source = source
        self._stamps = self._look()
        self.context = tls_context(settings, source)
        self.fault: SourceError | None = None

    def renew(self) -> None:
        """Look at the files; where they changed and cannot be used, the former ones stay, and ``fault`` says so."""
        stamps = self._look()
        if stamps == self._stamps:
            return
        self._stamps = stamps  # of before the reading, so that what changes meanwhile is read again
        try:
            self.context = tls_context(self._settings, self._source)
            self.fault = None
        except SourceError as error:
            self.fault = SourceError(
                N_("The changed files of the certificate cannot be used; {source} goes on with the former ones."),
                error.advice_id,
                **error.values,
            )

    def _look(self) -> list[tuple[int, int, int] | None]:
        found: list[tuple[int, int, int] | None] = []
        for name in (self._settings.cert_file, self._settings.key_file, self._settings.client_ca_file):
            try:
                status = Path(name).stat()
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
            except OSError:
                found.append(None)
        return found


def _refused(error: OSError, source: str, address: str, port: int) -> SourceError:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(source=source, address=address, port=port)
    if error.errno == errno.EACCES:
        return SourceError(
            N_("{source} may not open port {port}."),
            N_("Ports below 1024 belong to the administrator: choose a higher one, and send there."),
            source=source,
            port=port,
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return SourceError(
            N_("{source} cannot listen on {address}: this machine has no such address."),
            N_("Give an address of this machine, such as 127.0.0.1."),
            source=source,
            address=address,
        )
    return SourceError(source=source, reason=error.strerror or str(error))
