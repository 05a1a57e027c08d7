"""Whether an address lies in one of some networks, for very many addresses. Any thread."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_REMEMBERED = 8192


def _address(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


class Networks:
    """Networks in CIDR notation; raises ``ValueError`` for what is none.

    Answers are remembered, up to a bound: a storm asks for the same addresses again and again.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._networks = [ip_network(text, strict=False) for text in texts]
        self._lies_in = lru_cache(maxsize=_REMEMBERED)(self._look)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        return bool(address) and self._lies_in(address)

    @property
    def remembered(self) -> int:
        """How many addresses are remembered now."""
        return self._lies_in.cache_info().currsize

    def _look(self, text: str) -> bool:
        try:
            address = _address(text)
        except ValueError:  # a log may say anything; what is no address lies nowhere
            return False
        return any(address in network for network in self._networks)


@lru_cache(maxsize=256)
def networks(texts: tuple[str, ...]) -> Networks:
    """Return ``Networks`` made once for the same texts."""
    return Networks(texts)
