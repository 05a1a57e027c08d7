"""Look-up and connecting."""

import os
import socket
import threading
import time
from typing import Any

import pytest

from tests.core.mail.wire import DATA, SENDER, TO, failing, settings
from vxtray.core.errors import NotConfigured
from vxtray.core.mail.faults import (
    ConnectError,
    Stage,
)
from vxtray.core.mail.smtp import send
from vxtray.core.mail.transport import Deadline, Stream, connect, resolve
from vxtray.core.settings.tree import Smtp


def test_unknown_host() -> None:
    fault = failing(settings(25, host="something.invalid"))
    assert isinstance(fault, ConnectError)
    assert str(fault) == "There is no server called something.invalid."
    assert (fault.step, fault.transient) == (Stage.RESOLVE, True)


def test_host_that_cannot_exist() -> None:
    assert failing(settings(25, host="ü" * 300)).step is Stage.RESOLVE


def test_nothing_set_up() -> None:
    with pytest.raises(NotConfigured):
        send(Smtp(), None, SENDER, TO, DATA)


def test_refused_connection(free_port: int) -> None:
    fault = failing(settings(free_port))
    assert isinstance(fault, ConnectError)
    assert "refuses connections" in str(fault)
    fault = failing(settings(free_port, host="localhost"))
    assert "refuses connections" in str(fault)


def test_dead_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30) and [])
    started = time.monotonic()
    fault = failing(settings(25, timeout_seconds=1))
    assert time.monotonic() - started < 3
    assert "could not be looked up" in str(fault)
    over.set()


@pytest.fixture
def full_listener() -> Any:
    """A port whose queue is full: connections to it get no answer at all."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        yield port
        for filler in fillers:
            filler.close()


@pytest.mark.skipif(os.name == "nt", reason="the queue of a listener works otherwise there")
def test_no_answer_at_all(full_listener: int) -> None:
    fault = failing(settings(full_listener, timeout_seconds=1))
    assert isinstance(fault, ConnectError)
    assert "does not answer on port" in str(fault)


@pytest.mark.skipif(os.name == "nt", reason="the queue of a listener works otherwise there")
def test_a_dead_address_does_not_hold_up_the_next(full_listener: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        dead, alive = ("127.0.0.1", full_listener), server.getsockname()
        started = time.monotonic()
        sock = connect([(socket.AF_INET, dead), (socket.AF_INET, dead), (socket.AF_INET, alive)], Deadline(10))
        assert sock.getpeername() == alive
        assert time.monotonic() - started < 5
        sock.close()


def test_families_take_turns() -> None:
    found = resolve("localhost", 25, Deadline(5))
    assert found
    assert all(str(address[0]) in {"127.0.0.1", "::1"} for _, address in found)
    assert len(set(found)) == len(found)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6() -> None:
    try:
        probe = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with probe as server:
        sock = connect(resolve("::1", server.getsockname()[1], Deadline(5)), Deadline(5))
        assert sock.getpeername()[0] == "::1"
        sock.close()


def test_a_connection_that_was_reset_at_once_leaves_no_socket() -> None:
    sock = socket.socket()  # as the system shows one whose other side has gone: it has no peer
    with pytest.raises(OSError, match="not connected"):
        Stream(sock)
    assert sock.fileno() == -1
