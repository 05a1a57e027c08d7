"""The listener for the browser's redirect: one hit, this machine only, nothing believed and nothing echoed."""

import contextlib
import errno
import random
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.peers.desktop import until
from vxtray.core.credentials import redact
from vxtray.core.mail.oauth import loopback
from vxtray.core.mail.oauth.loopback import BadRequest, Callback, Listener, query_of

STATE = "the-state-of-this-sign-in"
HOSTS = frozenset({"localhost:4711", "127.0.0.1:4711", "[::1]:4711"})


class Waiting:
    """A listener whose ``wait`` runs on a thread, as in a sign-in."""

    def __init__(self, seconds: float = 60) -> None:
        self.cut = threading.Event()
        self.listener = Listener(STATE)
        self.port = self.listener.port
        self.answer: Future[Callback] = Future()
        self.thread = threading.Thread(target=self._run, args=(seconds,), daemon=True)
        self.thread.start()

    def _run(self, seconds: float) -> None:
        try:
            self.answer.set_result(self.listener.wait(seconds, self.cut.is_set))
        except OSError as fault:
            self.answer.set_exception(fault)

    def connect(self, host: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection((host, self.port), 20)

    def ask(self, target: str, *, host: str = "", method: str = "GET", address: str = "127.0.0.1") -> str:
        """Send a request and return the whole answer."""
        with self.connect(address) as raw:
            raw.sendall(f"{method} {target} HTTP/1.1\r\nHost: {host or f'localhost:{self.port}'}\r\n\r\n".encode())
            return everything(raw)

    def close(self) -> None:
        self.cut.set()
        self.thread.join(10)
        self.listener.close()


def everything(raw: socket.socket) -> str:
    data = bytearray()
    while piece := raw.recv(65536):
        data += piece
    return data.decode()


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    one = Waiting()
    yield one
    one.close()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as raw:
            raw.bind(("::1", 0))
    except OSError:
        return False
    return True


# --- the one hit -----------------------------------------------------------------------------------------------------


def test_the_redirect_is_handed_on_and_answered_in_both_languages(waiting: Waiting) -> None:
    page = waiting.ask(f"/?code=the-code-itself&state={STATE}&iss=https%3A%2F%2Fid.example")
    assert waiting.answer.result(10) == Callback(
        {"code": "the-code-itself", "state": STATE, "iss": "https://id.example"}, state_matches=True
    )
    assert page.startswith("HTTP/1.1 200 ")
    assert 'lang="en"' in page
    assert 'lang="fr"' in page
    assert redact("the-code-itself") == "***"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6"))]
)
def test_both_ways_to_localhost_lead_there(waiting: Waiting, address: str) -> None:
    assert "200 OK" in waiting.ask(f"/?code=c&state={STATE}", address=address)
    assert waiting.answer.result(10).state_matches


def test_a_wrong_state_is_told_to_both_sides(waiting: Waiting) -> None:
    page = waiting.ask("/?code=c&state=the-state-of-another")
    assert page.startswith("HTTP/1.1 403 ")
    assert not waiting.answer.result(10).state_matches


@pytest.mark.parametrize("state", ["", STATE + "x", STATE[:-1], STATE.upper(), "é" * 30, "%ff%fe", "%00"])
def test_only_the_very_state_matches(waiting: Waiting, state: str) -> None:
    waiting.ask(f"/?code=c&state={state}".encode().decode("ascii", "replace").replace("�", "%e9"))
    assert not waiting.answer.result(10).state_matches


def test_an_error_is_the_hit_too(waiting: Waiting) -> None:
    page = waiting.ask(f"/?error=access_denied&error_description=%3Cscript%3E&state={STATE}")
    assert page.startswith("HTTP/1.1 403 ")
    assert waiting.answer.result(10).params["error"] == "access_denied"


def test_a_second_hit_is_refused(waiting: Waiting) -> None:
    with waiting.connect() as ahead:
        assert "200 OK" in waiting.ask(f"/?code=the-first-c0de&state={STATE}")
        assert waiting.answer.result(10).params["code"] == "the-first-c0de"
        with pytest.raises(ConnectionRefusedError):
            waiting.ask(f"/?code=the-second-c0de&state={STATE}")
        waiting.listener.close()
        try:
            ahead.sendall(
                f"GET /?code=the-third-c0de&state={STATE} HTTP/1.1\r\nHost: localhost:{waiting.port}\r\n\r\n".encode()
            )
            assert "200 OK" not in everything(ahead)
        except OSError:
            pass  # reset: refused, too
    assert waiting.answer.result().params["code"] == "the-first-c0de"


def test_two_hits_at_the_same_moment_are_one(waiting: Waiting) -> None:
    head = f"HTTP/1.1\r\nHost: localhost:{waiting.port}\r\n\r\n"
    with waiting.connect() as one, waiting.connect() as two:
        one.sendall(f"GET /?code=one&state={STATE} {head}".encode())
        two.sendall(f"GET /?code=two&state={STATE} {head}".encode())
        pages = []
        for raw in (one, two):
            try:
                pages.append(everything(raw))
            except OSError:
                pages.append("")
    assert sum("200 OK" in page for page in pages) == 1
    assert waiting.answer.result(10).params["code"] in {"one", "two"}


@pytest.mark.parametrize("target", ["/favicon.ico", "/", "/?", "/?x=1", f"/other?code=c&state={STATE}", "/robots.txt"])
def test_what_a_browser_asks_besides_is_not_the_hit(waiting: Waiting, target: str) -> None:
    assert waiting.ask(target).startswith("HTTP/1.1 404 ")
    assert "200 OK" in waiting.ask(f"/?code=c&state={STATE}")
    assert waiting.answer.result(10).state_matches


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "get", ""])
def test_only_get_is_taken(waiting: Waiting, method: str) -> None:
    assert re.match(r"HTTP/1.1 40[05] ", waiting.ask(f"/?code=c&state={STATE}", method=method))
    assert "200 OK" in waiting.ask(f"/?code=c&state={STATE}")


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "localhost:1", "127.0.0.1.evil.example", "localhost:4711@x"]
)
def test_a_name_that_was_bent_to_this_machine_gets_nothing(waiting: Waiting, host: str) -> None:
    assert waiting.ask(f"/?code=c&state={STATE}", host=host).startswith("HTTP/1.1 400 ")
    assert not waiting.answer.done()


# --- others on the same machine --------------------------------------------------------------------------------------


def test_slow_and_silent_connections_keep_nobody_out(waiting: Waiting) -> None:
    idle = [waiting.connect() for _ in range(loopback._MOST_CONNECTIONS + 8)]
    try:
        for raw in idle[::2]:
            raw.sendall(b"GET /?code=slow")
        assert "200 OK" in waiting.ask(f"/?code=c&state={STATE}")
        assert waiting.answer.result(10).params["code"] == "c"
    finally:
        for raw in idle:
            raw.close()


def test_a_request_without_end_is_cut(waiting: Waiting) -> None:
    with waiting.connect() as raw:
        try:
            for _ in range(100):
                raw.sendall(b"X-Filler: " + b"x" * 4000 + b"\r\n")
            assert everything(raw).startswith("HTTP/1.1 400 ")
        except ConnectionError:
            pass  # it hung up while we were still talking
    assert "200 OK" in waiting.ask(f"/?code=c&state={STATE}")


def test_a_reset_in_the_middle_does_no_harm(waiting: Waiting) -> None:
    for said in (b"", b"GET /?co", b"GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n"):
        raw = waiting.connect()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.sendall(said)
        raw.close()
    assert "200 OK" in waiting.ask(f"/?code=c&state={STATE}")


def test_a_connection_that_takes_too_long_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "_PATIENCE", 0.05)
    one = Waiting()
    try:
        with one.connect() as raw:
            raw.sendall(b"GET /?code=c")
            assert everything(raw) == ""
        assert not one.answer.done()
    finally:
        one.close()


# --- until when, and where -------------------------------------------------------------------------------------------


def test_it_waits_no_longer_than_it_should() -> None:
    with Listener(STATE) as listener, pytest.raises(TimeoutError):
        listener.wait(0.05)


def test_the_wait_can_be_cut(waiting: Waiting) -> None:
    waiting.cut.set()
    with pytest.raises(ConnectionAbortedError):
        waiting.answer.result(10)
    waiting.listener.close()
    with pytest.raises(ConnectionRefusedError):
        waiting.connect()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_listens_on_loopback_only(waiting: Waiting) -> None:
    wanted = f"{waiting.port:04X}"
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        rows = [row.split() for row in Path(table).read_text().splitlines()[1:]] if Path(table).exists() else []
        found += [row[1] for row in rows if row[1].endswith(f":{wanted}") and row[3] == "0A"]
    assert f"0100007F:{wanted}" in found
    assert set(found) <= {f"0100007F:{wanted}", f"00000000000000000000000001000000:{wanted}"}


@pytest.mark.skipif(sys.platform != "linux", reason="the whole of 127/8 is this machine's on Linux")
def test_another_address_of_this_machine_is_refused(waiting: Waiting) -> None:
    with pytest.raises(ConnectionRefusedError):
        waiting.connect("127.0.0.2")


def taken_on_ipv6_only() -> socket.socket:
    """Return a listener of ::1 at a port that no other process of this machine has on 127.0.0.1.

    Nor gets there later: it is above those that Linux gives to whoever asks for any (32768 to 60999).
    """
    for port in random.sample(range(61_000, 65_536), 50):
        other = socket.socket(socket.AF_INET6)
        try:
            other.bind(("::1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            other.close()
            continue
        other.listen()
        return other
    pytest.fail("no port is free on both")


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_a_port_that_is_taken_on_one_side_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(taken_on_ipv6_only()) as other:
        taken = other.getsockname()[1]
        real, ports = loopback._bound, [taken, 0]

        def bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
            return real(family, address, ports.pop(0) if family == socket.AF_INET else port)

        monkeypatch.setattr(loopback, "_bound", bound)  # the first port that the system gives is the taken one
        with Listener(STATE) as listener:
            assert listener.port != taken
            assert ports == []


def test_without_ipv6_it_listens_on_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = loopback._bound

    def bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return real(family, address, port)

    monkeypatch.setattr(loopback, "_bound", bound)
    with Listener(STATE) as listener, socket.create_connection(("127.0.0.1", listener.port), 5) as raw:
        raw.sendall(f"GET /?code=c&state={STATE} HTTP/1.1\r\nHost: localhost:{listener.port}\r\n\r\n".encode())
        raw.shutdown(socket.SHUT_WR)
        assert listener.wait(10).state_matches


def test_nothing_is_left_open() -> None:
    code = (
        "import os, socket\n"
        "from vxtray.core.mail.oauth.loopback import Listener\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        "for _ in range(5):\n"
        "    with Listener('s') as one:\n"
        "        raw = socket.create_connection(('127.0.0.1', one.port))\n"
        "        try: one.wait(0.01)\n"
        "        except TimeoutError: pass\n"
        "    raw.close()\n"
        "assert len(os.listdir('/proc/self/fd')) == before\n"
    )
    if sys.platform != "linux":
        pytest.skip("counts in /proc")
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


# --- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", [f"/?code=c&state={STATE}", "/?code=c&state=wrong", "/?<script>x</script>=1", "/nope"]
)
def test_the_page_holds_nothing_of_the_request_and_loads_nothing(waiting: Waiting, target: str) -> None:
    head, _, body = waiting.ask(target).partition("\r\n\r\n")
    assert "script" not in body
    assert STATE not in head + body
    assert not re.search(r"(src|href|url\(|@import)", body)
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert fields["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert fields["Cache-Control"] == "no-store"
    assert fields["Referrer-Policy"] == "no-referrer"
    assert fields["Connection"] == "close"
    assert int(fields["Content-Length"]) == len(body.encode())


def test_a_browser_that_reads_slowly_still_gets_the_page(waiting: Waiting) -> None:
    with waiting.connect() as raw:
        raw.sendall(f"GET /?code=c&state={STATE} HTTP/1.1\r\nHost: localhost:{waiting.port}\r\n\r\n".encode())
        assert raw.recv(10) == b"HTTP/1.1 2"
        assert everything(raw).endswith("</html>")
    until(waiting.answer.done, "the redirect")


# --- the parser ------------------------------------------------------------------------------------------------------


def head(target: str, *fields: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"{method} {target} {version}", *(fields or ("Host: localhost:4711",))]).encode()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (head("/?code=a&code=b&state=s"), 400),
        (head("/?code=a&state=s", "Host: localhost:4711", "Host: localhost:4711"), 400),
        (head("/?code=a&state=s", "X: y"), 400),
        (head("http://localhost:4711/?code=a&state=s"), 400),
        (head("/?code=" + "a" * 20000), 400),
        (head("/?" + "&".join(f"x{n}=1" for n in range(60))), 400),
        (head("//evil.example/?code=a"), 404),
        (head("/?code=a", version="HTTP/0.9"), 400),
        (b"", 400),
        (b"\xff\xfe", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
def test_what_is_malformed_is_refused(said: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as caught:
        query_of(said, HOSTS)
    assert caught.value.status == status


@given(st.binary(max_size=300) | st.builds(head, st.text(st.characters(codec="ascii"), max_size=80)))
@example(head("/?code=%"))
@example(head("/?code=%ff%00&state=\x7f"))
@example(head("/?=&=&code"))
@example(b"GET /?code=a HTTP/1.1\r\nHost:\tlocalhost:4711 ")
@example(b"GET  /?code=a HTTP/1.1\r\nHost: localhost:4711")
def test_whatever_is_said_is_either_read_or_refused(said: bytes) -> None:
    """The parser's contract under any octets: a mapping with one of our names, or ``BadRequest`` with a known status.

    What it accepts is a GET of "/" for one of our hosts, and nothing it returns was not in the request's own line.
    """
    try:
        params = query_of(said, HOSTS)
    except BadRequest as bad:
        if bad.status not in {400, 404, 405}:
            raise
        return
    assert params.keys() & {"code", "error", "state"}
    assert said.startswith(b"GET /?")
    assert b"4711" in said


@given(st.dictionaries(st.sampled_from(["code", "state", "error", "iss"]), st.text(max_size=40), min_size=1))
def test_every_redirect_is_read_as_it_was_meant(params: dict[str, str]) -> None:
    from urllib.parse import urlencode

    wanted = {name: value.encode("utf-8", "replace").decode() for name, value in params.items()}
    if not wanted.keys() & {"code", "state", "error"}:
        return
    assert query_of(head(f"/?{urlencode(wanted)}"), HOSTS) == wanted
