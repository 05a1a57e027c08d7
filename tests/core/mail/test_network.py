"""Whether there is a network at all."""

import errno
import socket

import pytest

from vxtray.core.mail.network import default_route, has_default, missing

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
GATEWAY = HEAD + "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
DOCKER = HEAD + "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
REJECTED = HEAD + "eth0\t00000000\t010200C0\t0203\t0\t0\t0\t00000000\t0\t0\t0\n"
ZERO = "0" * 32
IPV6 = f"{ZERO} 00 {ZERO} 00 fd{'0' * 29}1 00000400 00000003 00000000 00000003     eth0\n"
LOCAL6 = f"{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo\n"


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "found"),
    [
        (GATEWAY, "", True),
        (DOCKER, "", False),
        (REJECTED, "", False),
        (HEAD, "", False),
        (HEAD, IPV6, True),
        (DOCKER, LOCAL6, False),
        ("", "", False),
    ],
)
def test_the_tables_of_linux(ipv4: str, ipv6: str, found: bool) -> None:
    assert has_default(ipv4, ipv6) is found


@pytest.mark.parametrize(
    ("fault", "step", "seconds", "route", "is_missing"),
    [
        (OSError(errno.ENETUNREACH, "x"), "connect", 0.0, True, True),
        (OSError(errno.ENETDOWN, "x"), "connect", 9.0, True, True),
        (OSError(errno.EHOSTUNREACH, "x"), "connect", 0.1, True, True),
        (OSError(errno.EHOSTUNREACH, "x"), "connect", 3.1, True, False),
        (OSError(errno.ECONNREFUSED, "x"), "connect", 0.0, False, False),
        (TimeoutError("x"), "connect", 30.0, False, False),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "resolve", 0.0, False, True),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "resolve", 0.0, True, False),
        (socket.gaierror(socket.EAI_NONAME, "x"), "resolve", 0.0, False, True),
        (TimeoutError("x"), "resolve", 10.0, False, True),
        (ConnectionAbortedError("x"), "greeting", 0.0, False, False),
        (None, "connect", 0.0, False, False),
    ],
)
def test_what_says_that_there_is_no_network(
    fault: BaseException | None, step: str, seconds: float, route: bool, is_missing: bool
) -> None:
    assert missing(fault, step, seconds, lambda: route) is is_missing


def test_this_machine_can_be_asked() -> None:
    assert default_route() in {True, False}
