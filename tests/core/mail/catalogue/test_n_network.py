"""N01 to N12 of the catalogue: names, ways, clocks, and the day the network returns."""

import contextlib
import email
import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import (
    Case,
    Ends,
    World,
    assert_arrives_as_queued,
    assert_nothing_left,
    in_clear,
    numbered,
    over_tls,
    run,
)
from tests.core.mail.office import HOUR, MINUTE, Post
from tests.core.mail.wire import PASSWORD, STARTTLS, TLS, settings
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import ProtocolError, TlsError
from vxtray.core.mail.hold import Cause
from vxtray.core.mail.outbox import Outgoing

NAME = "mail.example.com"
TEN_YEARS = timedelta(days=3650)

Answers = Callable[..., Any]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], list[str]]:
    """Let the system's resolver be this; return the names it is asked for. Addresses need none."""
    real = socket.getaddrinfo

    def use(answers: Answers) -> list[str]:
        asked: list[str] = []

        def look_up(host: str, port: int, *more: Any, **options: Any) -> Any:
            if not host[-1].isalpha():
                return real(host, port, *more, **options)
            asked.append(host)
            return answers(host, port)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return asked

    return use


def addresses(*ips: str) -> Answers:
    """Answer with these addresses."""

    def rows(_host: str, port: int) -> Any:
        return [
            (socket.AF_INET6, 1, 6, "", (ip, port, 0, 0)) if ":" in ip else (socket.AF_INET, 1, 6, "", (ip, port))
            for ip in ips
        ]

    return rows


def refusing(number: int, text: str) -> Answers:
    def refuse(_host: str, _port: int) -> Any:
        raise socket.gaierror(number, text)

    return refuse


def cause(one: Post) -> str:
    hold = one.outbox.hold()
    return "" if hold is None else hold.cause


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_NODATA], ids=["N01", "N01 no address"])
def test_no_such_name(number: int, post: Callable[..., Post], resolver: Callable[[Answers], list[str]]) -> None:
    """Three times it may be the resolver's fault; then a person must look, and it is asked for once in half an hour."""
    asked = resolver(refusing(number, "not known"))
    one = post(settings(1, host=NAME))
    one.add("k", "l")
    for wait in (1, 2):
        assert len(one.send()) == 1
        assert (cause(one), one.outbox.next_due()) == (Cause.SERVER, one.clock() + wait * MINUTE)
        one.clock.now += wait * MINUTE
    one.send()
    assert (cause(one), str(one.fault)) == (Cause.ACCOUNT, f"There is no server called {NAME}.")
    assert one.outbox.next_due() == one.clock() + 30 * MINUTE
    one.clock.now += 29 * MINUTE
    assert (one.send(), len(asked)) == ([], 3)
    with h.hostile(h.script()) as server:
        one.mended(settings(server.port, host=NAME))
        resolver(addresses("127.0.0.1"))
        assert sorted(one.send()) == [("k", "sent"), ("l", "sent")]


@pytest.mark.parametrize("seconds", [1, 600], ids=["N02", "N02 bound"])
def test_a_dead_resolver(
    seconds: int, post: Callable[..., Post], resolver: Callable[[Answers], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a limit of its own; our own name is never looked up."""
    if seconds > 10:
        assert Limits.of(settings(1, timeout_seconds=seconds)).resolve == 10
        return
    over = threading.Event()

    def dead(_host: str, _port: int) -> Any:
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    def never(*_about: Any) -> str:
        raise AssertionError("a reverse look-up")

    for name in ("getfqdn", "gethostbyaddr", "gethostbyname"):
        monkeypatch.setattr(socket, name, never)
    resolver(dead)
    one = post(settings(1, host=NAME, timeout_seconds=seconds))
    one.add("k")
    began = time.monotonic()
    try:
        assert one.send() == [("k", "queued")]
        assert 1 <= time.monotonic() - began < 2
        assert (one.attempts(), cause(one)) == (["server"], Cause.SERVER)
        assert f"The name {NAME} could not be looked up." in str(one.fault)
    finally:
        over.set()
    with h.hostile(h.script()) as server:
        one.courier.mended(settings(server.port))
        resolver(addresses("127.0.0.1"))
        one.clock.now += MINUTE
        assert one.send() == [("k", "sent")]


# --- ways ------------------------------------------------------------------------------------------------------------


def ipv6_works() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not ipv6_works(), reason="this kernel has no IPv6")


@needs_ipv6
def test_n03_a_host_with_ipv6_alone(post: Callable[..., Post], resolver: Callable[[Answers], list[str]]) -> None:
    with h.hostile(h.script(), host="::1") as server:
        resolver(addresses("::1"))
        one = post(settings(server.port, host=NAME))
        one.add("k")
        assert one.send() == [("k", "sent")]
        assert b"EHLO [IPv6:::1]\r\n" in server.heard
    assert one.outbox.entry(1)[2][0]["peer"] == "::1"


@needs_ipv6
@pytest.mark.parametrize("filtered", [True, False], ids=["N03 filtered", "N03 refused"])
def test_two_families_and_one_is_dead(
    filtered: bool, post: Callable[..., Post], resolver: Callable[[Answers], list[str]]
) -> None:
    """A quarter of a second later the other is tried beside it (RFC 8305)."""
    with h.hostile(h.script()) as server, contextlib.ExitStack() as dead:
        if filtered:
            dead.enter_context(h.full_backlog("::1", server.port))
        resolver(addresses("::1", "127.0.0.1"))
        one = post(settings(server.port, host=NAME, timeout_seconds=30))
        one.add("k")
        began = time.monotonic()
        assert one.send() == [("k", "sent")]
        assert time.monotonic() - began < 1.5
    assert one.outbox.entry(1)[2][0]["peer"] == "127.0.0.1"


@contextlib.contextmanager
def filtered(port: int, *ips: str) -> Iterator[None]:
    with contextlib.ExitStack() as dead:
        for ip in ips:
            dead.enter_context(h.full_backlog(ip, port))
        yield


DEAD = tuple(f"127.0.0.{last}" for last in range(2, 11))


def test_n04_nine_of_ten_addresses_are_dead(
    post: Callable[..., Post], resolver: Callable[[Answers], list[str]]
) -> None:
    with h.hostile(h.script()) as server, filtered(server.port, *DEAD):
        resolver(addresses(*DEAD, "127.0.0.1"))
        one = post(settings(server.port, host=NAME, timeout_seconds=30))
        one.add("k")
        began = time.monotonic()
        assert one.send() == [("k", "sent")]
        assert time.monotonic() - began < 5, "nine times a quarter of a second"
    assert one.outbox.entry(1)[2][0]["peer"] == "127.0.0.1"


def test_n04_all_are_dead_and_the_limit_is_one_for_all(
    post: Callable[..., Post], resolver: Callable[[Answers], list[str]], free_port: int
) -> None:
    assert Limits().connect == 30
    with filtered(free_port, *DEAD):
        resolver(addresses(*DEAD))
        one = post(settings(free_port, host=NAME, timeout_seconds=1))
        one.add("k")
        began = time.monotonic()
        assert one.send() == [("k", "queued")]
        assert 1 <= time.monotonic() - began < 2
    assert (f"{NAME} does not answer on port" in str(one.fault), cause(one)) == (True, Cause.SERVER)
    assert_arrives_as_queued(one)


WAYS = {
    "N05 refused": (errno.ECONNREFUSED, 0, Cause.SERVER, "refuses connections on port"),
    "N05 unreachable after a while": (errno.EHOSTUNREACH, 3, Cause.SERVER, "There is no network path to"),
    "N05 unreachable at once": (errno.EHOSTUNREACH, 0, Cause.NETWORK, "There is no network"),
    "N05 no route": (errno.ENETUNREACH, 0, Cause.NETWORK, "There is no network"),
    "N05 timed out": (errno.ETIMEDOUT, 60, Cause.SERVER, "does not answer on port"),
    "N05 forbidden": (errno.EACCES, 0, Cause.SERVER, "does not allow the connection"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_no_way(way: tuple[int, float, Cause, str], post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch) -> None:
    """RETRY; where there is no network at all, it is no attempt. The kernel's answers are made up."""
    number, seconds, waits_for, says = way
    one = post(settings(1))

    def answer(_socket: socket.socket, _address: Any) -> None:
        one.clock.now += timedelta(seconds=seconds)
        raise OSError(number, "made up")

    with monkeypatch.context() as kernel:
        kernel.setattr(socket.socket, "connect", answer)
        one.add("k")
        assert one.send() == [("k", "queued")]
    assert (cause(one), says in str(one.fault)) == (waits_for, True)
    assert one.attempts() == (["server"] if waits_for is Cause.SERVER else [])
    wait = MINUTE if waits_for is Cause.SERVER else timedelta(seconds=15)
    assert one.outbox.next_due() == one.clock() + wait
    assert_arrives_as_queued(one)


def test_n05_filtered(post: Callable[..., Post]) -> None:
    with h.full_backlog() as port:
        one = post(settings(port, timeout_seconds=1))
        one.add("k")
        assert one.send() == [("k", "queued")]
    assert ("does not answer on port" in str(one.fault), cause(one)) == (True, Cause.SERVER)
    assert_arrives_as_queued(one)


@pytest.mark.parametrize("dot", [False, True], ids=["N06 before the dot", "N06 after the dot"])
def test_the_network_changes_in_the_middle(
    dot: bool, post: Callable[..., Post], resolver: Callable[[Answers], list[str]]
) -> None:
    """The old way is dead: RETRY or DOUBT by phase. Until the new one stands nothing counts; then the mail leaves."""

    def lose(talk: h.Talk) -> None:
        one.route = False
        h.reset(talk)

    answers: dict[str, Any] = {"DATA": h.take_mail(lose)} if dot else {"RCPT": lose}
    with h.hostile(h.script(**answers)) as server:
        one = post(settings(server.port, host=NAME))
        resolver(addresses("127.0.0.1"))
        one.add("k")
        assert one.send() == [("k", "queued")]
        assert one.attempts() == ["doubt" if dot else "server"]
    resolver(refusing(socket.EAI_AGAIN, "later"))
    for _ in range(3):
        one.clock.now += HOUR
        assert one.send() == [("k", "queued")]
        assert (cause(one), len(one.attempts())) == (Cause.NETWORK, 1)
    one.route = True
    assert_arrives_as_queued(one)


_PORTAL = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\n\r\n<html>"


@numbered(
    [
        (
            "N07 at every port",
            Case(
                serve=in_clear(greeting=_PORTAL),
                ends=Ends.RETRY,
                fault=ProtocolError,
                says="is not a mail server",
                advises="hotel network",
            ),
        ),
        (
            "N07 STARTTLS",
            Case(
                serve=in_clear(greeting=_PORTAL),
                ends=Ends.RETRY,
                fault=ProtocolError,
                security=STARTTLS,
                advises="hotel network",
            ),
        ),
        (
            "N07 TLS",
            Case(serve=lambda _world: lambda talk: talk.say(_PORTAL), ends=Ends.SEC, fault=TlsError, security=TLS),
        ),
        (
            "N07 another name",
            Case(
                serve=over_tls(lambda world: world.tls("portal.example")),
                ends=Ends.SEC,
                fault=TlsError,
                says="is for another name",
                security=TLS,
            ),
        ),
    ]
)
def test_captive_portal(case: Case, world: World, post: Callable[..., Post]) -> None:
    _one, server = run(case, world, post)
    assert_nothing_left(server)


def test_n08_proxies_of_the_environment_are_not_used(
    post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    with h.hostile(h.close) as proxy, h.hostile(h.script()) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "socks_proxy", "smtp_proxy", "ftp_proxy"):
            for form in (name, name.upper()):
                monkeypatch.setenv(form, f"socks5://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        one = post(settings(server.port))
        one.add("k")
        assert one.send() == [("k", "sent")]
        assert (proxy.connections, server.connections) == (0, 1)


# --- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [TEN_YEARS, -TEN_YEARS, -MINUTE], ids=["N09 forward", "N09 back", "N09 a minute back"])
def test_the_clock_steps_in_the_middle(step: timedelta, post: Callable[..., Post]) -> None:
    """Deadlines count by the monotonic clock: the mail leaves, and bears the time at which it was queued."""

    def set_the_clock(talk: h.Talk) -> None:
        one.clock.sleep(step)
        talk.say(b"250 2.1.0 ok\r\n")

    with h.hostile(h.script(MAIL=set_the_clock)) as server:
        one = post(settings(server.port))
        queued = one.clock()
        one.add("k")
        assert one.send() == [("k", "sent")]
    assert email.message_from_bytes(server.mail)["Date"] == f"{queued:%a, %d %b %Y %H:%M:%S} +0000"
    (attempt,) = one.outbox.entry(1)[2]
    assert 0 <= float(str(attempt["seconds"])) <= TEN_YEARS.total_seconds()


@pytest.mark.parametrize("step", [TEN_YEARS, -TEN_YEARS], ids=["N09 waiting forward", "N09 waiting back"])
def test_the_clock_steps_while_mails_wait(step: timedelta, post: Callable[..., Post]) -> None:
    """They are tried once more, then the usual pauses go on: no busy loop, nothing given up, nothing forgotten."""
    with h.hostile(h.script(MAIL=b"451 4.9.9 not now\r\n")) as server:
        one = post(settings(server.port))
        one.add("k", "l")
        one.send()
        one.clock.sleep(step)
        for tries in (2, 3):
            assert len(one.send()) == 1
            assert one.send() == []
            assert (server.connections, one.outbox.counts()["queued"]) == (tries, 2)
            due = one.outbox.next_due()
            assert due is not None
            assert timedelta(0) < due - one.clock() <= 15 * MINUTE
            one.clock.now = due
    with h.hostile(h.script()) as server:
        one.courier.mended(settings(server.port))
        assert sorted(one.send()) == [("k", "sent"), ("l", "sent")]


@pytest.mark.parametrize(
    ("place", "counted"), [("MAIL", []), ("RCPT", []), ("dot", ["doubt"])], ids=["N10 MAIL", "N10 RCPT", "N10 dot"]
)
def test_suspend_for_eight_hours(place: str, counted: list[str], post: Callable[..., Post]) -> None:
    """The socket is dead on resume. Before the dot that is no failure of the server; after it the mail is in doubt."""

    def sleep(talk: h.Talk) -> None:
        one.clock.sleep(8 * HOUR)
        h.reset(talk)

    answers: dict[str, Any] = {"DATA": h.take_mail(sleep)} if place == "dot" else {place: sleep}
    with h.hostile(h.script(**answers)) as server:
        one = post(settings(server.port))
        one.add("k")
        assert one.send() == [("k", "queued")]
        assert (one.attempts(), one.outbox.entry(1)[0].tries) == (counted, len(counted))
        wait = 15 * MINUTE if counted else timedelta(seconds=15)
        assert one.outbox.next_due() == one.clock() + wait
        assert (cause(one), one.fault is None) == ((Cause.SERVER, False) if counted else (Cause.BLOCKED, True))
    assert_arrives_as_queued(one)


# --- the network returns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "most"), [("smtp.gmail.com", 20), ("smtp.office365.com", 30)], ids=["N11", "N11 Microsoft"]
)
def test_ten_thousand_mails(
    host: str, most: int, post: Callable[..., Post], resolver: Callable[[Answers], list[str]]
) -> None:
    """Never more in a minute than the provider takes; the newest alert first, reports after them in their order."""
    with h.hostile(h.script()) as server:
        resolver(addresses("127.0.0.1"))
        one = post(settings(server.port, host=host))
        one.add("first")
        usual = Outgoing(
            key="", kind="alert", subject="s", message_id="", mail_from="reports@example.com",
            recipients=("a@example.org",), data=one.outbox.entry(1)[3],
        )  # fmt: skip
        one.outbox.cancel(1, one.clock())
        one.outbox.add_all(
            (
                msgspec.structs.replace(
                    usual,
                    key=f"{number}",
                    kind="report" if number % 200 else "alert",
                    message_id=f"<{number}@example.com>",
                    urgent=number == 4200,
                )
                for number in range(10_000)
            ),
            one.clock(),
        )
        left: list[tuple[float, int]] = []
        began = one.clock()
        while one.clock() - began < timedelta(minutes=5):
            sent = one.send(keep=True)
            left += [(one.clock.awake(), int(number)) for number, state in sent if state == "sent"]
            assert len(sent) <= 10, "no more than a burst at once"
            one.clock.now += timedelta(seconds=max(1.0, one.courier.seconds_to_next()))
        server.over.set()
    alerts = [4200, *(number for number in range(9800, -1, -200) if number != 4200)]
    reports = [number for number in range(10_000) if number % 200]
    assert [number for _, number in left] == [*alerts, *reports][: len(left)]
    assert len(left) > len(alerts)
    assert max(sum(1 for other, _ in left if at <= other < at + 60) for at, _ in left) <= most
    assert len(left) >= 5 * most * 0.6


@pytest.mark.parametrize("matches", [True, False], ids=["N12", "N12 another certificate"])
def test_a_name_that_leads_to_this_machine_now(
    matches: bool, world: World, post: Callable[..., Post], resolver: Callable[[Answers], list[str]]
) -> None:
    """A public name may lead to a private address; what counts is the certificate."""
    resolver(addresses("127.0.0.1"))
    case = Case(
        serve=over_tls(lambda world: world.tls(NAME if matches else "localhost")),
        ends=Ends.OK if matches else Ends.SEC,
        fault=TlsError,
        says="is for another name",
        security=TLS,
        changes={"host": NAME},
    )
    _one, server = run(case, world, post)
    assert PASSWORD.encode() not in server.heard
    assert (b"Good morning" in server.heard) is matches
