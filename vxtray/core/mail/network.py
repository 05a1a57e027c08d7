"""Is there a network at all? Without one, a failed look-up or connection says nothing about the mail server.

Any thread; asks the system, sends nothing.
"""

import contextlib
import errno
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from vxtray.core.mail.faults import Stage

#: The interface is down, or no route leads there; the last three are Windows' numbers.
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.ENETDOWN, 10050, 10051})
_HOST_UNREACHABLE = frozenset({errno.EHOSTUNREACH, 10065})

#: A host that is unreachable at once has no route to it; after some seconds it is the host that does not answer (ARP).
_AT_ONCE = 1.0

_REJECTS = 0x0200  # RTF_REJECT of linux/route.h
_UP = 0x0001


def missing(fault: BaseException | None, step: str, seconds: float, default_route: Callable[[], bool]) -> bool:
    """Return whether a fault of the system at a step, after so many seconds, means that there is no network."""
    if not isinstance(fault, OSError):
        return False
    if step == Stage.CONNECT:
        return fault.errno in _NO_ROUTE or (fault.errno in _HOST_UNREACHABLE and seconds < _AT_ONCE)
    return step == Stage.RESOLVE and isinstance(fault, socket.gaierror | TimeoutError) and not default_route()


def default_route() -> bool:
    """Return whether something leads out of this machine's own networks; True where that cannot be told."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return has_default(Path("/proc/net/route").read_text("ascii"), _ipv6_routes())
    return any(_leads_out(*way) for way in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")))


def _ipv6_routes() -> str:
    try:
        return Path("/proc/net/ipv6_route").read_text("ascii")
    except OSError:  # no IPv6 in this kernel
        return ""


def has_default(ipv4: str, ipv6: str) -> bool:
    """Return whether the tables of Linux (proc_net(5): ``/proc/net/route`` and ``ipv6_route``) hold a default route."""
    for line in ipv4.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[0] != "lo" and fields[1] == "00000000" and _usable(fields[3]):
            return True
    for line in ipv6.splitlines():
        fields = line.split()
        if len(fields) > 9 and fields[9] != "lo" and int(fields[0], 16) == 0 and _usable(fields[8]):
            return True
    return False


def _usable(flags: str) -> bool:
    return bool(int(flags, 16) & _UP) and not int(flags, 16) & _REJECTS


def _leads_out(family: socket.AddressFamily, address: str) -> bool:
    """Ask for the way to an address of the documentation (RFC 5737, RFC 3849); connecting UDP sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True
