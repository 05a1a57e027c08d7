"""The syslog receiver against real sockets on loopback: every line arrives once, or is counted."""

import contextlib
import itertools
import queue
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from vxtray.core.errors import PortTaken, SourceError
from vxtray.core.settings.tree import Syslog
from vxtray.core.sources import Batch, listening, senders, streams
from vxtray.core.sources.senders import Senders
from vxtray.core.sources.syslog import SyslogSource, Transport

HERE = Syslog(enabled=True, port=0)


class Taker:
    """What stands behind ``emit``. ``refuse`` makes it full."""

    def __init__(self) -> None:
        self.batches: queue.SimpleQueue[Batch] = queue.SimpleQueue()
        self.lines: list[bytes] = []
        self.refuse = False
        self.refused = threading.Event()

    def __call__(self, batch: Batch) -> bool:
        if self.refuse:
            self.refused.set()
            return False
        self.batches.put(batch)
        return True

    def wait(self, count: int, seconds: float = 10) -> list[bytes]:
        """Wait until so many lines have come in all, and return all."""
        until = time.monotonic() + seconds
        while len(self.lines) < count:
            try:
                self.lines += self.batches.get(timeout=max(0.01, until - time.monotonic())).lines
            except queue.Empty:
                pytest.fail(f"{len(self.lines)} lines instead of {count}")
        return self.lines

    def rest(self) -> list[bytes]:
        """Return all lines, also those that nobody waited for; after the source has ended."""
        while not self.batches.empty():
            self.lines += self.batches.get().lines
        return self.lines


@contextlib.contextmanager
def running(source: SyslogSource, take: Callable[[Batch], bool]) -> Iterator[int]:
    """Run a source and give its port; it must end within a second."""
    source.open()
    stop, faults = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            source.run(take, stop)
        except BaseException as fault:  # noqa: BLE001 - told by the test
            faults.append(fault)

    thread = threading.Thread(target=work, name="vx-source-test")
    thread.start()
    try:
        yield next(iter(source.ports.values()))
    finally:
        stop.set()
        thread.join(1)
        assert not thread.is_alive()
    assert not faults


def until(done: Callable[[], Any], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def udp_socket(family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    return socket.socket(family, socket.SOCK_DGRAM)


def is_closed(sock: socket.socket, seconds: float = 10) -> bool:
    sock.settimeout(seconds)
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


# --- UDP -------------------------------------------------------------------------------------------------------------


def test_one_datagram_is_one_line() -> None:
    take, source = Taker(), SyslogSource(HERE, "udp")
    sent = [b"<1>a\n", b"<1>b\r\n\0", b"<1>c\nd", b"", b"\xff" * 60_000, b"12 <1>e"]
    with running(source, take) as port, udp_socket() as sock:
        for datagram in sent:
            sock.sendto(datagram, ("127.0.0.1", port))
        assert take.wait(6) == [b"<1>a", b"<1>b", b"<1>c\nd", b"", b"\xff" * 60_000, b"12 <1>e"]
    assert source.health().dropped == {}


def test_what_a_batch_says() -> None:
    take, source = Taker(), SyslogSource(HERE, "udp")
    with running(source, take) as port, udp_socket() as sock:
        sock.sendto(b"<1>a", ("127.0.0.1", port))
        batch = take.batches.get(timeout=5)
    assert (batch.source, batch.lines, batch.position, batch.alerts) == ("syslog udp", (b"<1>a",), None, True)
    assert abs(batch.received.timestamp() - time.time()) < 10
    assert source.name == "syslog udp"


def need_ipv6() -> None:
    try:
        with udp_socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")


def test_both_families() -> None:
    need_ipv6()
    take = Taker()
    allow = ("127.0.0.0/8", "::1")
    with (
        running(SyslogSource(Syslog(address="::", port=0, allow=allow), "udp"), take) as port,
        udp_socket() as four,
        udp_socket(socket.AF_INET6) as six,
    ):
        four.sendto(b"<1>four", ("127.0.0.1", port))
        six.sendto(b"<1>six", ("::1", port))
        assert sorted(take.wait(2)) == [b"<1>four", b"<1>six"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_name_and_all_its_addresses(transport: Transport) -> None:
    source = SyslogSource(Syslog(address="localhost", port=0), transport)
    source.open()
    try:
        assert {sock.getsockname()[1] for sock in source._sockets} == {source.ports[transport]}
    finally:
        source.close()


def flood(port: int, count: int, size: int) -> None:
    with udp_socket() as sock:
        sock.connect(("127.0.0.1", port))
        for number in range(count):
            sock.send(b"<1>%d " % number + b"x" * size)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what it dropped")
def test_a_flood_is_accounted_for_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent = taken + dropped by the kernel + dropped by us, whatever of it is the bottleneck."""
    monkeypatch.setattr(listening, "_UDP_BUFFER", 300_000)
    monkeypatch.setattr(listening, "_SO_RCVBUFFORCE", socket.SO_RCVBUF)
    take = Taker()
    source = SyslogSource(HERE, "udp")
    source._senders = Senders((), rate=2000, burst=2000)
    calls = itertools.count()

    def slow(batch: Batch) -> bool:
        time.sleep(0.01)
        return next(calls) % 3 != 1 and take(batch)

    with running(source, slow) as port:
        flood(port, 30_000, 200)
    dropped = source.health().dropped
    assert {"kernel", "rate", "queue"} <= set(dropped)
    assert len(take.rest()) + sum(dropped.values()) == 30_000
    numbers = [int(line[3:].split()[0]) for line in take.lines]
    assert numbers == sorted(set(numbers))


def test_a_full_queue_drops_the_newest_and_counts() -> None:
    take, source = Taker(), SyslogSource(HERE, "udp")
    with running(source, take) as port, udp_socket() as sock:
        sock.sendto(b"<1>a", ("127.0.0.1", port))
        take.wait(1)
        take.refuse = True
        for _ in range(50):
            sock.sendto(b"<1>b", ("127.0.0.1", port))
        until(lambda: source.health().dropped.get("queue") == 50)
        take.refuse = False
        sock.sendto(b"<1>c", ("127.0.0.1", port))
        assert take.wait(2) == [b"<1>a", b"<1>c"]


def test_forty_thousand_datagrams_a_second() -> None:
    source, taken = SyslogSource(HERE, "udp"), 0
    source._senders = Senders((), burst=1e9)

    def count(batch: Batch) -> bool:
        nonlocal taken
        taken += len(batch.lines)
        return True

    with running(source, count) as port:
        began = time.monotonic()
        flood(port, 40_000, 300)  # sender and receiver share this process
        until(lambda: taken + source.health().dropped.get("kernel", 0) == 40_000)
        assert time.monotonic() - began < 4
    assert taken > 20_000


def test_what_arrived_before_the_end_is_taken() -> None:
    take, source = Taker(), SyslogSource(HERE, "udp")
    with running(source, take) as port:
        flood(port, 3000, 100)
    assert len(take.rest()) + source.health().dropped.get("kernel", 0) == 3000


# --- who may send ----------------------------------------------------------------------------------------------------


def test_strangers_are_counted_and_named() -> None:
    settings = Syslog(port=0, allow=("192.0.2.0/24", "2001:db8::/32"))
    take, by_datagram, by_stream = Taker(), SyslogSource(settings, "udp"), SyslogSource(settings, "tcp")
    with running(by_datagram, take) as port, udp_socket() as sock:
        sock.sendto(b"<1>a", ("127.0.0.1", port))
        until(lambda: by_datagram.health().dropped == {"sender": 1})
    with running(by_stream, take) as port, socket.create_connection(("127.0.0.1", port)) as sock:
        assert is_closed(sock)
        until(lambda: by_stream.health().dropped == {"sender": 1})
    assert by_stream.health().where == "127.0.0.1"
    assert "{where}" in by_stream.health().fault
    assert take.rest() == []


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_nothing_listens_to_everybody(address: str, transport: Transport) -> None:
    with pytest.raises(SourceError, match=r"syslog .* may not listen on .*everybody") as caught:
        SyslogSource(Syslog(address=address, port=0), transport).open()
    assert "sources.syslog.allow" in caught.value.advice_id


def test_a_bucket_fills_again_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    many = Senders((), rate=10, burst=10)
    first = many.get("192.0.2.1", 100.0)
    assert first is not None
    assert first.tokens == 10
    first.tokens = 0
    assert many.get("192.0.2.1", 100.5) is first
    assert first.tokens == 5
    monkeypatch.setattr(senders, "_MOST", 100)
    for number in range(1000):
        sender = many.get(f"198.51.{number // 250}.{number % 250}", 100.0)
        assert sender is not None
        sender.tokens -= 1
    assert len(many._known) <= 100
    assert many.get("203.0.113.1", 100.0) is many.get("203.0.113.2", 100.0)  # those beyond share one bucket
    assert many.get("203.0.113.1", 200.0) is not many.get("203.0.113.2", 200.0)  # the idle ones were forgotten


@pytest.mark.parametrize(
    ("host", "allow", "admitted"),
    [
        ("::ffff:192.0.2.7", ("192.0.2.0/24",), True),
        ("fe80::1%eth0", ("fe80::/10",), True),
        ("192.0.2.7", ("192.0.2.7",), True),
        ("192.0.2.8", ("192.0.2.7",), False),
        ("192.0.2.8", (), True),
    ],
)
def test_the_list(host: str, allow: Sequence[str], admitted: bool) -> None:
    assert (Senders(allow).get(host, 0.0) is not None) is admitted


# --- TCP -------------------------------------------------------------------------------------------------------------


def test_every_framing_in_single_bytes() -> None:
    take, source = Taker(), SyslogSource(HERE, "tcp")
    with running(source, take) as port, contextlib.ExitStack() as closing:
        connections = [closing.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3)]
        for sock in connections:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        texts = (b"<1>a\n<1>b\r\n", b"4 <2>a6 <2>b\nc", b"4 <3>a<3>b\n")
        for at in range(max(map(len, texts))):
            for sock, text in zip(connections, texts, strict=True):
                sock.sendall(text[at : at + 1])
        wanted = [b"<1>a", b"<1>b", b"<2>a", b"<2>b\nc", b"<3>a", b"<3>b"]
        assert sorted(take.wait(6)) == wanted
    assert source.health().dropped == {}


def test_the_last_line_needs_no_line_feed() -> None:
    take, source = Taker(), SyslogSource(HERE, "tcp")
    with running(source, take) as port:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"<1>a\n<1>b")
        assert take.wait(2) == [b"<1>a", b"<1>b"]
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"4 <1>c20 <1>cut")
        assert take.wait(3)[2:] == [b"<1>c"]
        until(lambda: source.health().dropped == {"framing": 1})


def test_a_reset_counts_the_message_that_it_cut() -> None:
    take, source = Taker(), SyslogSource(HERE, "tcp")
    with running(source, take) as port:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"<1>a\n<1>cu")
            take.wait(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        until(lambda: source.health().dropped == {"framing": 1})
    assert take.rest() == [b"<1>a"]


def test_garbage_closes_its_connection_only() -> None:
    take, source = Taker(), SyslogSource(HERE, "tcp")
    with running(source, take) as port, socket.create_connection(("127.0.0.1", port)) as good:
        for garbage in (b"99999999 <1>a", b"4 <1>x\xff\xff\xff", b"3 <1>y"):
            with socket.create_connection(("127.0.0.1", port)) as bad:
                bad.sendall(garbage)
                assert is_closed(bad)
        good.sendall(b"<1>good\n")
        until(lambda: b"<1>good" in take.rest())
    assert source.health().dropped == {"framing": 3}
    assert take.lines == [b"<1>x", b"<1>", b"<1>good"]


def test_too_long_messages_are_counted() -> None:
    take, source = Taker(), SyslogSource(HERE, "tcp")
    with running(source, take) as port, socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"<1>" + b"x" * 300_000 + b"\n<1>a\n")
        assert take.wait(1) == [b"<1>a"]
    assert source.health().dropped == {"length": 1}


def test_when_nobody_takes_them_senders_wait() -> None:
    take, source = Taker(), SyslogSource(HERE, "tcp")
    take.refuse = True
    count, line = 40_000, b"<1>" + b"x" * 500
    with running(source, take) as port, socket.create_connection(("127.0.0.1", port)) as sock:
        sender = threading.Thread(target=sock.sendall, args=((line + b"\n") * count,))
        sender.start()
        assert take.refused.wait(5)
        sender.join(0.5)
        assert sender.is_alive()  # 20 MB do not fit into the buffers of a connection that nobody reads
        assert len(source.health().dropped) == 0
        take.refuse = False
        assert len(take.wait(count)) == count
        sender.join(5)
    assert source.health().dropped == {}


def test_too_fast_a_sender_waits_and_loses_nothing() -> None:
    take, source = Taker(), SyslogSource(HERE, "tcp")
    source._senders = Senders((), rate=4000, burst=4000)
    with running(source, take) as port, socket.create_connection(("127.0.0.1", port)) as sock:
        began = time.monotonic()
        sock.sendall(b"<1>x\n" * 8000)
        take.wait(8000)
        sock.sendall(b"<1>y\n")
        take.wait(8001)
        assert time.monotonic() - began > 0.8  # 4,000 at once, the others in a second
    assert source.health().dropped == {}


def test_places_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_PER_SENDER", 3)
    take, source = Taker(), SyslogSource(HERE, "tcp")
    with running(source, take) as port, contextlib.ExitStack() as closing:

        def connect() -> socket.socket:
            return closing.enter_context(socket.create_connection(("127.0.0.1", port)))

        first = [connect() for _ in range(3)]
        for sock in first:
            sock.sendall(b"<1>a\n")
        take.wait(3)
        assert is_closed(connect())
        assert source.health().dropped == {"connections": 1}
        monkeypatch.setattr(streams, "MAX_PER_SENDER", 9)
        monkeypatch.setattr(streams, "MAX_CONNECTIONS", 3)
        assert is_closed(connect())
        first[0].close()
        until(lambda: not is_closed(connect(), 0.2))
        # Silent for long: the one who has said nothing for the longest time makes room.
        first[2].sendall(b"<1>b\n")
        take.wait(4)
        monkeypatch.setattr(streams, "IDLE_SECONDS", 0.3)
        time.sleep(0.3)
        connect().sendall(b"<1>c\n")
        take.wait(5)
        assert is_closed(first[1])


def test_who_hangs_is_closed_and_who_is_only_silent_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "IDLE_SECONDS", 0.3)
    take, source = Taker(), SyslogSource(HERE, "tcp")
    with running(source, take) as port, contextlib.ExitStack() as closing:
        silent, hanging, mute = (closing.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3))
        silent.sendall(b"<1>a\n")
        hanging.sendall(b"<1>b\n<1>half")
        take.wait(2)
        assert is_closed(hanging)
        assert is_closed(mute)
        silent.sendall(b"<1>c\n")
        take.wait(3)
    assert source.health().dropped == {"framing": 1}


def test_what_streams_sent_before_the_end_is_taken() -> None:
    take, source = Taker(), SyslogSource(HERE, "tcp")
    with running(source, take) as port, socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"<1>a\n")
        take.wait(1)
        sock.sendall(b"<1>b\n" * 5000)
    assert len(take.rest()) == 5001


# --- TLS -------------------------------------------------------------------------------------------------------------


class Keys:
    """A certificate for the receiver, one for a client, and what they were signed with."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.stranger = trustme.CA(), trustme.CA()
        self.cert, self.key, self.ca_file = (str(folder / name) for name in ("cert.pem", "key.pem", "ca.pem"))
        issued = self.ca.issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(self.key)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(self.cert, append=True)
        self.ca.cert_pem.write_to_path(self.ca_file)

    def settings(self, *, client_ca: bool = False) -> Syslog:
        return Syslog(cert_file=self.cert, key_file=self.key, client_ca_file=self.ca_file if client_ca else "")

    def client(self, signed_by: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if signed_by:
            signed_by.issue_cert("firewall.example").configure_cert(context)
        return context


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


def tls_connect(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    sock = socket.create_connection(("127.0.0.1", port))
    try:
        return context.wrap_socket(sock, server_hostname="localhost")
    except BaseException:
        sock.close()
        raise


def test_tls_with_both_framings_and_a_sender_that_never_reads(keys: Keys) -> None:
    take, source = Taker(), SyslogSource(keys.settings(), "tls")
    with running(source, take) as port:
        for text in (b"4 <1>a" * 20_000, b"<1>a\n" * 20_000):
            with tls_connect(keys.client(), port) as sock:
                assert sock.version() == "TLSv1.3"
                sock.sendall(text)
                sock.unwrap()
        assert take.wait(40_000) == [b"<1>a"] * 40_000
        with tls_connect(keys.client(), port) as sock:  # closes without a goodbye
            sock.sendall(b"<1>a\n" * 20_000)
        take.wait(60_000)
    assert source.health().dropped == {}


def test_tls_in_single_bytes(keys: Keys) -> None:
    take, source = Taker(), SyslogSource(keys.settings(), "tls")
    with running(source, take) as port, tls_connect(keys.client(), port) as sock:
        for byte in b"4 <1>a<1>b\n":
            sock.sendall(bytes([byte]))
        assert take.wait(2) == [b"<1>a", b"<1>b"]


def test_old_tls_is_refused(keys: Keys) -> None:
    take, source = Taker(), SyslogSource(keys.settings(), "tls")
    context = keys.client()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with running(source, take) as port:
        with pytest.raises(OSError):  # noqa: PT011 - alert or reset
            tls_connect(context, port)
        until(lambda: source.health().dropped == {"tls": 1})


@pytest.mark.parametrize("which", ["right", "none", "wrong"])
def test_a_client_certificate_is_required(keys: Keys, which: str) -> None:
    take, source = Taker(), SyslogSource(keys.settings(client_ca=True), "tls")
    signer = {"right": keys.ca, "none": None, "wrong": keys.stranger}[which]
    with running(source, take) as port:
        with contextlib.suppress(OSError), tls_connect(keys.client(signer), port) as sock:
            sock.sendall(b"4 <1>a")
            sock.unwrap()
        if which == "right":
            assert take.wait(1) == [b"<1>a"]
        else:
            until(lambda: source.health().dropped == {"tls": 1})
            assert source.health().where == "127.0.0.1"
    assert take.rest() == [b"<1>a"] * (which == "right")


def test_garbage_and_hanging_handshakes(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HANDSHAKE_SECONDS", 0.3)
    take, source = Taker(), SyslogSource(keys.settings(), "tls")
    with (
        running(source, take) as port,
        tls_connect(keys.client(), port) as good,
        socket.create_connection(("127.0.0.1", port)) as garbage,
        socket.create_connection(("127.0.0.1", port)) as mute,
    ):
        garbage.sendall(b"<1>this is no TLS\n" * 10)
        until(lambda: source.health().dropped.get("tls") == 2)
        assert is_closed(mute)
        good.sendall(b"<1>a\n")
        assert take.wait(1) == [b"<1>a"]


def test_certificates_that_cannot_be_used(keys: Keys, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().issue_cert("x").private_key_pem.write_to_path(str(other))
    locked = tmp_path / "locked.pem"
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n")
    for settings, words in [
        (Syslog(), "needs a certificate"),
        (Syslog(cert_file=str(tmp_path / "missing")), "No such file"),
        (Syslog(cert_file=keys.cert, key_file=str(other)), "do not belong together"),
        (Syslog(cert_file=keys.cert, key_file=str(locked)), "damaged"),
        (Syslog(cert_file=keys.cert, key_file=keys.key, client_ca_file=str(other)), "damaged"),
    ]:
        with pytest.raises(SourceError, match=words):
            SyslogSource(settings, "tls").open()


# --- opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("transport", "kind"), [("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)])
def test_a_taken_port_is_named(transport: Transport, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if transport == "tcp":
            other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"{port} on 127.0.0.1 is already in use") as caught:
            SyslogSource(Syslog(port=port), transport).run(Taker(), threading.Event())
        assert caught.value.transient
    again = SyslogSource(Syslog(port=port), transport)
    again.open()
    assert again.ports == {transport: port}
    again.close()


def test_addresses_that_are_none_of_this_machine() -> None:
    with pytest.raises(SourceError, match="no such address"):
        SyslogSource(Syslog(address="192.0.2.1", port=0, allow=("192.0.2.0/24",)), "udp").open()
    with pytest.raises(SourceError, match="no such name"):
        SyslogSource(Syslog(address="host.invalid", port=0), "udp").open()
