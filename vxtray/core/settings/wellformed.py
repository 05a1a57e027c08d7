"""What a text has to look like to be a host, an address, a network, a zone, a URL or a name in SQL.

Pure functions, any thread.
"""

import ipaddress
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LOCAL_PART = re.compile(r"[^\s@<>(),;:\\\"\[\]\x00-\x1f\x7f]{1,64}")
_LABEL = re.compile(r"(?!-)[^\s@<>(),;:\\\"\[\]\x00-\x2c\x2f\x7f]{1,63}(?<!-)")


def is_host(text: str) -> bool:
    """True for a host name (also an internationalised one) or an IP address, without port, scheme or blanks."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        return len(text) <= 253 and text.isprintable() and all(_LABEL.fullmatch(label) for label in labels)
    return True


def is_address(text: str) -> bool:
    """True for an e-mail address that can stand in an SMTP envelope: no blanks, quotes, display name or parameters."""
    local, at, domain = text.rpartition("@")
    return bool(at and _LOCAL_PART.fullmatch(local)) and text.isprintable() and ".." not in local and is_host(domain)


def is_network(text: str) -> bool:
    """True for an address or a network in CIDR notation."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def is_zone(text: str) -> bool:
    """True for an IANA time zone name."""
    try:
        ZoneInfo(text)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False
    return True


_LOOPBACK_URL = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|$)")
_HTTPS_URL = re.compile(r"https://[^\s/]+")


def is_safe_url(text: str) -> bool:
    """True for an address over TLS, or one of this machine."""
    return bool(_HTTPS_URL.match(text) or _LOOPBACK_URL.match(text))


_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def is_identifier(text: str) -> bool:
    """True for a name that needs no quotes in SQL, so that nothing else can stand in it."""
    return bool(_IDENTIFIER.fullmatch(text))
