"""A receiver without a tick ends as soon as it is told to, and nothing wakes it before."""

import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.desktop import until
from vxtray.core.settings.tree import Syslog
from vxtray.core.sources import Batch
from vxtray.core.sources.stopping import StopEvent, sooner, waking
from vxtray.core.sources.syslog import SyslogSource, Transport


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as made:
        yield made


def test_it_wakes_a_selector_that_waits_for_ever(selector: selectors.BaseSelector) -> None:
    stop, found = StopEvent(), []

    def wait() -> None:
        with waking(stop, selector) as tick:
            assert tick is None
            found.extend(key.data for key, _events in selector.select(tick))

    waiting = threading.Thread(target=wait)
    waiting.start()
    stop.set()
    waiting.join(10)
    assert found == [stop]
    assert not selector.get_map(), "nothing of it stays behind"


def test_one_that_was_set_before_wakes_at_once(selector: selectors.BaseSelector) -> None:
    stop = StopEvent()
    stop.set()
    stop.set()
    with waking(stop, selector) as tick:
        assert [key.data for key, _events in selector.select(tick)] == [stop]
    stop.set()  # nobody listens any more


def test_a_plain_event_is_looked_at_now_and_then(selector: selectors.BaseSelector) -> None:
    with waking(threading.Event(), selector) as tick:
        assert tick is not None
        assert 0 < tick < 1


def test_the_sooner_of_two_waits() -> None:
    assert (sooner(None, None), sooner(None, 2.0), sooner(1.0, None), sooner(1.0, 2.0)) == (None, 2.0, 1.0, 1.0)


def woken(thread: threading.Thread) -> int:
    """Return how often a thread has gone to sleep of its own accord."""
    text = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux counts it there")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_receiver_sleeps_until_a_line_comes_and_ends_at_once(transport: Transport) -> None:
    source, stop, batches = SyslogSource(Syslog(port=0), transport), StopEvent(), list[Batch]()
    source.open()
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    sender = socket.socket(socket.AF_INET, kind)
    sender.connect(("127.0.0.1", source.ports[transport]))

    def take(batch: Batch) -> bool:
        batches.append(batch)
        return True

    thread = threading.Thread(target=source.run, args=(take, stop))
    thread.start()
    sender.sendall(b"<13>one\n")
    until(lambda: bool(batches), "the first line is there")
    before = woken(thread)
    threading.Event().wait(0.5)  # the very time in which nothing may happen
    assert woken(thread) - before <= 1
    sender.sendall(b"<13>two\n")
    until(lambda: len(batches) == 2, "the second line is there")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    sender.close()
