"""Who may send syslog, and how much. On the source's own thread.

The address in front of a datagram proves nothing, so the list keeps strangers' noise out and is no authentication;
that is what TLS with client certificates is for.
"""

import ipaddress
from collections.abc import Iterable

import msgspec

#: Lines a second from one address over time, twice what one firewall at full load writes, and lines at once.
RATE = 50_000
BURST = 4 * RATE
#: Addresses that are remembered; more can only be forged or a very wide list.
_MOST = 4096


def is_loopback(host: str) -> bool:
    """True for an address of this machine that no other can reach."""
    return _address(host).is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return a socket's address; IPv4 that arrived on an IPv6 socket is IPv4 again, a scope is dropped."""
    address = ipaddress.ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


class Sender(msgspec.Struct, gc=False):
    """One address and the lines that it may still send now. ``tokens`` below zero are a debt."""

    host: str
    tokens: float
    at: float
    connections: int = 0


class Senders:
    """The allow-list, and a token bucket per address. An empty list admits everyone."""

    def __init__(self, allow: Iterable[str], rate: float = RATE, burst: float = BURST) -> None:
        """``allow`` are addresses and networks in CIDR notation, ``rate`` lines a second, ``burst`` lines at once."""
        self.rate = rate
        self.burst = burst
        self._networks = [ipaddress.ip_network(text, strict=False) for text in allow]
        self._known: dict[str, Sender | None] = {}
        self._others = Sender("", burst, 0.0)

    def get(self, host: str, now: float) -> Sender | None:
        """Return the sender with its bucket filled up to ``now`` (monotonic seconds), None where it is not allowed."""
        try:
            sender = self._known[host]
        except KeyError:
            sender = self._new(host, now)
        if sender is not None:
            self.fill(sender, now)
        return sender

    def fill(self, sender: Sender, now: float) -> None:
        """Fill a bucket up to ``now``."""
        if now > sender.at:
            sender.tokens = min(self.burst, sender.tokens + (now - sender.at) * self.rate)
            sender.at = now

    def _new(self, host: str, now: float) -> Sender | None:
        address = _address(host)
        allowed = not self._networks or any(address in network for network in self._networks)
        if len(self._known) >= _MOST:
            self._forget_idle(now)
        if len(self._known) >= _MOST:
            return self._others if allowed else None
        sender = Sender(str(address), self.burst, now) if allowed else None
        self._known[host] = sender
        return sender

    def _forget_idle(self, now: float) -> None:
        """Forget strangers, and those whose bucket is full again and who have no connection."""
        self._known = {
            host: sender
            for host, sender in self._known.items()
            if sender and (sender.connections or sender.tokens + (now - sender.at) * self.rate < self.burst)
        }
