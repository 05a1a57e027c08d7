"""No network but loopback: another address is an error of the test, a name under .invalid is not found."""

import ipaddress
import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest


class ForbiddenNetwork(BaseException):
    """A test reached for another machine. No ``Exception``, so that the code under test cannot take it for a fault."""


def _is_local(host: Any) -> bool:
    if host in (None, "", b"", "localhost", "ip6-localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _check(address: Any, family: int) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise ForbiddenNetwork(f"connection to {address[0]}")


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Let sockets of this process reach this machine only."""
    connect, connect_ex, lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _check(address, self.family)
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _check(address, self.family)
        return connect_ex(self, address)

    def guarded_lookup(host: Any, *arguments: Any, **named: Any) -> Any:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if isinstance(name, str) and name.rstrip(".").lower().endswith(".invalid"):  # RFC 6761: never exists
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not _is_local(name) and not _is_numeric(name):
            raise ForbiddenNetwork(f"look-up of {name}")
        return lookup(host, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_lookup)
        yield


def _is_numeric(host: Any) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True


@pytest.fixture
def own_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the assistant look for a syslog port where no other process of the same test run does at that moment."""
    from vxtray.core.sources import finding

    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    monkeypatch.setattr(finding, "_FIRST_PORT", finding._FIRST_PORT + 100 * (1 + worker))
