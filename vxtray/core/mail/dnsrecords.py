"""DNS records that tell how a domain sends and takes mail: MX, SRV, TXT and addresses.

On the thread of the caller, which a look-up may block for the limit given. What comes back is not trusted: names that
are no host names are left out.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from vxtray.core.errors import N_, VxtrayError
from vxtray.core.settings.wellformed import is_host

if TYPE_CHECKING:
    import dns.resolver

#: Seconds for one look-up with all its tries; a person waits for the answer.
_LIMIT = 3.0
#: More records of one kind than this are not read: nobody needs them, and nobody may fill the memory with them.
_MOST = 50


class LookupFault(VxtrayError):
    """The DNS did not answer; nothing is known of the name."""

    title = N_("The name service did not answer for {name}.")
    advice = N_("Check the network connection, then try again.")
    transient = True


class Service(msgspec.Struct, frozen=True):
    """One SRV record (RFC 2782); the empty host means that the service is not offered (RFC 6186)."""

    host: str
    port: int
    priority: int
    weight: int


class Records:
    """Asks the system's name servers, or those given (``nameservers`` with one ``port``, for tests)."""

    def __init__(self, nameservers: tuple[str, ...] = (), port: int = 53, seconds: float = _LIMIT) -> None:
        """``seconds``: the limit of one look-up."""
        self._nameservers = nameservers
        self._port = port
        self._seconds = seconds

    def mx(self, domain: str) -> tuple[str, ...]:
        """Return who takes the domain's mail, most preferred first. Raises ``LookupFault``."""
        found = [(int(row.preference), _host(row.exchange)) for row in self._ask(domain, "MX")]
        return tuple(host for _, host in sorted(found) if host)

    def srv(self, name: str) -> tuple[Service, ...]:
        """Return the SRV records of a name in the order in which to try them. Raises ``LookupFault``."""
        rows = self._ask(name, "SRV")
        found = [Service(_host(row.target), int(row.port), int(row.priority), int(row.weight)) for row in rows]
        return tuple(sorted(found, key=lambda one: (one.priority, -one.weight, one.host)))

    def txt(self, name: str) -> tuple[str, ...]:
        """Return the texts of a name, the strings of each joined (RFC 7208, 3.3). Raises ``LookupFault``."""
        return tuple(b"".join(row.strings).decode("utf-8", "replace") for row in self._ask(name, "TXT"))

    def addresses(self, host: str) -> tuple[str, ...]:
        """Return the IPv4 and IPv6 addresses of a host. Raises ``LookupFault``."""
        return tuple(str(row.address) for kind in ("A", "AAAA") for row in self._ask(host, kind))

    def exists(self, domain: str) -> bool:
        """Return False where the name certainly does not exist. Raises ``LookupFault``."""
        import dns.resolver

        try:
            self._resolver().resolve(domain, "A", lifetime=self._seconds, search=False)
        except dns.resolver.NXDOMAIN:
            return False
        except dns.resolver.NoAnswer:
            return True
        except _faults() as fault:
            raise LookupFault(name=domain) from fault
        return True

    def _ask(self, name: str, kind: str) -> list[Any]:
        import dns.resolver

        try:
            found = self._resolver().resolve(name, kind, lifetime=self._seconds, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except _faults() as fault:
            raise LookupFault(name=name) from fault
        return list(found)[:_MOST]

    def _resolver(self) -> "dns.resolver.Resolver":
        """Return a resolver; a new one each time, so that a changed network is noticed."""
        import dns.resolver

        resolver = dns.resolver.Resolver(configure=not self._nameservers)
        if self._nameservers:
            resolver.nameservers = list(self._nameservers)
            resolver.port = self._port
        return resolver


def _faults() -> tuple[type[Exception], ...]:
    import dns.exception

    return (dns.exception.DNSException, OSError, UnicodeError)


def _host(name: object) -> str:
    """Return a target as a host name in lower case; empty for the root and for what is no host name."""
    text = str(name).rstrip(".").lower()
    return text if is_host(text) else ""
