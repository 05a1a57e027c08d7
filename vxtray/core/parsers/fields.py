"""Values of log fields made safe: printable text, addresses, ports, host names. Pure functions, any thread.

The caches only ever see short texts (the callers cut first), so that a hostile log cannot fill the memory with them.
"""

import ipaddress
import re
from functools import lru_cache

MAX_ADDRESS = 64
MAX_HOST = 253
MAX_URL = 2048
MAX_NAME = 256
MAX_MESSAGE = 1024

#: What is ASCII and not printable.
_CONTROLS = bytes([*range(32), 127])

_HOST = re.compile(r"[\w.*-]{1,253}")
_URL_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://(?:[^/?#@\s]*@)?([^/?#\s]+)")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!\Z)|\Z)){4}")


def printable(text: str) -> str:
    """Return the text without control, format and other invisible characters; odd blanks become blanks."""
    if text.isascii():
        if len(text.encode().translate(None, _CONTROLS)) == len(text):  # in half the time of ``isprintable``
            return text
    elif text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)


@lru_cache(maxsize=16384)
def address(text: str) -> str:
    """Return an IP address in its shortest spelling, "" where the text is none. A scope (``%eth0``) is dropped."""
    if _IPV4.fullmatch(text):
        return text
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


def network_address(text: str) -> str:
    """Return an address, or the one a network begins with (``192.0.2.0/24``), "" where the text is neither."""
    return address(text[:MAX_ADDRESS].partition("/")[0])


@lru_cache(maxsize=4096)
def port(text: str) -> int:
    """Return a port from 0 to 65535, 0 where the text is none."""
    if len(text) > 5 or not text.isdecimal():
        return 0
    number = int(text)
    return number if number <= 65535 else 0


@lru_cache(maxsize=4096)
def host(text: str) -> str:
    """Return a host name or address in lower case without port and final dot, "" where the text is none."""
    text = text.strip().lower()
    if text.startswith("["):
        return address(text[1:].partition("]")[0])
    if text.count(":") == 1:
        text = text.partition(":")[0]
    text = text.removesuffix(".")
    return text if _HOST.fullmatch(text) else address(text)


def url_host(url: str) -> str:
    """Return the host of an absolute URL, "" for a path or a bare name."""
    match = _URL_HOST.match(url)
    return host(match[1][: MAX_HOST + 6]) if match else ""
