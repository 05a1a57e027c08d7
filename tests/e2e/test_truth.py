"""Generated lines through the whole program, by every way in: the store holds exactly what they say.

In the gate with a few thousand lines; with a million (or ``VXTRAY_TRUTH_LINES``) by ``-m slow``, see CONTRIBUTING.md.
What arrives live or from a file that rotates is also compared with what an import of the same file stores, event by
event and in order.
"""

import itertools
import mmap
import os
import random
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.e2e.rotating import HOWS, How, RotatedLog
from tests.e2e.truth import Content, Found, Made, check, made
from tests.e2e.vxtray_process import Vxtray

SHORT = 6_000
LONG = int(os.environ.get("VXTRAY_TRUTH_LINES", "1000000"))
#: Lines a second over UDP, which cannot say "wait"; and how many of them may be on their way at once.
UDP_RATE = 12_000
UDP_AHEAD = 30_000
#: Parts into which rotations cut a log in the short form and in the long one.
PARTS = (7, 24)
#: What does not move for so long (seconds) does not come any more.
PATIENCE = 20.0

COUNTED = ("lines", "events", "rejected", "ignored", "dropped")


class Imported(NamedTuple):
    """What a store holds after an import: in order, and each event without its number."""

    ordered: Content
    unordered: Content


pytestmark = pytest.mark.parametrize(
    "count", [SHORT, pytest.param(LONG, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])], scope="module"
)


@pytest.fixture(scope="module")
def lines(shared: Path, tmp_path_factory: pytest.TempPathFactory, count: int) -> Made:
    """Four days, two of them in each layout."""
    folder = tmp_path_factory.mktemp("truth")
    return made(shared / "tools" / "make_events.py", folder, count, "--format", "mix", "--days", "4")


@pytest.fixture(scope="module")
def imported(lines: Made, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """Return what an import of these lines stores."""
    vxtray = Vxtray(tmp_path_factory.mktemp("imported") / "profile", without_qt=True)
    vxtray.run("import", lines.log, seconds=600)
    with Found(vxtray.profile) as found:
        return Imported(found.content(), found.content(in_order=False))


@pytest.fixture
def vxtray(tmp_path: Path) -> Vxtray:
    vxtray = Vxtray(tmp_path / "profile", without_qt=True)
    vxtray.run("settings", "set", "store.retention_days=36500", "store.max_mebibytes=100000")
    return vxtray


def source(vxtray: Vxtray, name: str) -> Counter[str]:
    """Return what the status counts of a source, or of all whose names begin like that."""
    told = [told for told in vxtray.json("status", status=3)["sources"] if told["name"].startswith(name)]
    assert told
    return Counter({key: sum(one[key] for one in told) for key in COUNTED})


def troubles(vxtray: Vxtray) -> list[str]:
    return [trouble["what"] for trouble in vxtray.json("status", status=3)["trouble"]]


def arrived(vxtray: Vxtray, name: str, kind: str, least: int) -> Counter[str]:
    """Wait until a source has counted so many, or none for a long time; return what it says."""
    told, moved = source(vxtray, name), time.monotonic()
    while told[kind] < least and time.monotonic() - moved < PATIENCE:
        time.sleep(0.1 if least < LONG else 1.0)
        before, told = told, source(vxtray, name)
        if told["lines"] != before["lines"]:
            moved = time.monotonic()
    return told


def check_all(vxtray: Vxtray, lines: Made, imported: Imported) -> None:
    """What the truth knows, and each event as the import stored it."""
    with Found(vxtray.profile) as found:
        check(found, lines)
        assert found.content() == imported.ordered


# --- import -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "central", "--header", "pri"),
        ("--format", "default", "--header", "bsd"),
        ("--format", "mix", "--header", "iso"),
    ],
    ids=" ".join,
)
def test_import(vxtray: Vxtray, shared: Path, tmp_path: Path, count: int, options: tuple[str, ...]) -> None:
    lines = made(shared / "tools" / "make_events.py", tmp_path, count, *options, "--seed", "2")
    good, bad = lines.truth["good"], lines.truth["bad"]
    said = vxtray.json("import", lines.log, seconds=600)
    assert [said[name] for name in ("read", "stored", "rejected", "ignored", "duplicates")] == [count, good, bad, 0, 0]
    assert said["by_format"] == {"sophos": good}
    with Found(vxtray.profile) as found:
        check(found, lines)
        content = found.content()
    again = vxtray.json("import", lines.log, seconds=600)
    assert [again["read"], again["stored"], again["rejected"] + again["duplicates"]] == [count, 0, count]
    with Found(vxtray.profile) as found:
        assert found.content() == content


def alike(lines: Made, folder: Path, shared: Path) -> Made:
    """Make other lines that begin with the same one."""
    other = made(shared / "tools" / "make_events.py", folder, lines.total, "--seed", "5", "--days", "4")
    with lines.log.open("rb") as file:
        first = file.readline()
    text = other.log.read_bytes()
    other.log.write_bytes(first + text)
    return other


def test_two_files_with_the_same_first_line(vxtray: Vxtray, lines: Made, shared: Path, tmp_path: Path) -> None:
    other = alike(lines, tmp_path, shared)
    want = lines.truth["good"] + other.truth["good"] + 1
    assert vxtray.json("import", lines.log, other.log, seconds=600)["stored"] == want
    assert vxtray.json("import", other.log, lines.log, seconds=600)["stored"] == 0
    with Found(vxtray.profile) as found:
        expected = lines.truth["src_lines"] + other.truth["src_lines"]
        assert sum(found.tally("category").values()) == want
        assert found.rows("SELECT count(*) FROM events WHERE src_ip <> ''")[0][0] >= expected


# --- syslog -----------------------------------------------------------------------------------------------------------


def send_udp(vxtray: Vxtray, port: int, lines: Iterable[bytes]) -> None:
    began = time.perf_counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        for number, line in enumerate(lines):
            if number % 50 == 0:
                time.sleep(max(0.0, number / UDP_RATE - (time.perf_counter() - began)))
            if number and number % UDP_AHEAD == 0:
                arrived(vxtray, "syslog udp", "lines", number - UDP_AHEAD // 2)
            sender.send(line)


def send_stream(sock: socket.socket, messages: Iterable[bytes]) -> None:
    """Send them in pieces that end anywhere."""
    chance, held, rest = random.Random(1), b"", iter(messages)
    for some in iter(lambda: b"".join(itertools.islice(rest, 200)), b""):
        held += some
        cut = chance.randrange(len(held))
        sock.sendall(held[:cut])
        held = held[cut:]
    sock.sendall(held)


def counted(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (b"%d %s" % (len(line), line) for line in lines)


def ended(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line + b"\n" for line in lines)


def received(vxtray: Vxtray, name: str, lines: Made, send: Callable[[], None]) -> None:
    """Send all lines to the running program, and check what it says of them."""
    with vxtray.serve():
        arrived(vxtray, name, "lines", 0)
        send()
        told = arrived(vxtray, name, "lines", lines.total)
        assert troubles(vxtray) == ["The mail server is not set up yet."]
    assert told == Counter(lines=lines.total, events=lines.truth["good"], rejected=lines.truth["bad"])


def listen(vxtray: Vxtray, port: int, *more: str) -> None:
    vxtray.run("settings", "set", "sources.syslog.enabled=true", f"sources.syslog.port={port}", *more)


def test_udp(vxtray: Vxtray, lines: Made, imported: Imported, free_port: int) -> None:
    listen(vxtray, free_port)
    received(vxtray, "syslog udp", lines, lambda: send_udp(vxtray, free_port, lines.lines()))
    check_all(vxtray, lines, imported)


@pytest.mark.parametrize("framed", [ended, counted])
def test_tcp(
    vxtray: Vxtray,
    lines: Made,
    imported: Imported,
    free_port: int,
    framed: Callable[[Iterable[bytes]], Iterator[bytes]],
) -> None:
    def send() -> None:
        with socket.create_connection(("127.0.0.1", free_port)) as sock:
            send_stream(sock, framed(lines.lines()))

    listen(vxtray, free_port)
    received(vxtray, "syslog tcp", lines, send)
    check_all(vxtray, lines, imported)


@pytest.mark.parametrize("framed", [counted, ended])
def test_tls(
    vxtray: Vxtray,
    lines: Made,
    imported: Imported,
    tmp_path: Path,
    free_port: int,
    framed: Callable[[Iterable[bytes]], Iterator[bytes]],
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(str(chain))
    certificate.private_key_pem.write_to_path(str(key))
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def send() -> None:
        with (
            socket.create_connection(("127.0.0.1", free_port)) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as secure,
        ):
            send_stream(secure, framed(lines.lines()))
            secure.unwrap()

    with socket.create_server(("127.0.0.1", 0)) as other:
        plain = other.getsockname()[1]
    tls = (f"sources.syslog.cert_file={chain}", f"sources.syslog.key_file={key}")
    listen(vxtray, plain, f"sources.syslog.tls_port={free_port}", *tls)
    received(vxtray, "syslog tls", lines, send)
    check_all(vxtray, lines, imported)


# --- a followed file --------------------------------------------------------------------------------------------------


def sections(text: mmap.mmap, count: int, chance: random.Random) -> list[bytes]:
    """Cut a text into so many parts between two lines."""
    places = sorted(chance.sample(range(len(text) - 10_000), count - 1))
    cuts = [0, *(text.find(b"\n", place) + 1 for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(cuts)]


def write(log: RotatedLog, text: bytes, chance: random.Random) -> None:
    """Write in pieces that end anywhere, as a program's buffer does, now and then with a pause; then rotate."""
    late = text.find(b"\n", len(text) - chance.randint(1, 3000)) + 1
    at = 0
    while at < late:
        end = min(late, at + chance.randint(1, max(1, len(text) // 4)))
        log.write(text[at:end])
        at = end
        if chance.random() < 0.15:
            time.sleep(chance.random() * 0.6)  # not to wait for anything: for other moments
    log.rotate(text[late:])


@pytest.mark.parametrize("hows", [HOWS, *(pytest.param((how,), marks=pytest.mark.slow) for how in HOWS)], ids=", ".join)
def test_files_that_are_rotated(
    vxtray: Vxtray, lines: Made, imported: Imported, tmp_path: Path, hows: tuple[How, ...]
) -> None:
    """Read from the beginning, with rotations while it is written, some of them while the program is off.

    Each way of rotating has a log of its own and its share of the lines.
    """
    chance, folder = random.Random(f"{hows} {lines.total}"), tmp_path / "log"
    logs = [RotatedLog(folder / how.replace(" ", "-") / "firewall.log", how) for how in hows]
    followed = ", ".join(f'{{"path": "{log.path}", "start": "beginning"}}' for log in logs)
    vxtray.run("settings", "set", f"sources.files=[{followed}]")
    with lines.log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        parts = sections(text, PARTS[lines.total > SHORT] * len(logs), chance)
    turns = iter([parts[start :: PARTS[lines.total > SHORT]] for start in range(PARTS[lines.total > SHORT])])

    def write_on(turns: Iterable[list[bytes]]) -> None:
        for turn in turns:
            for log, part in zip(logs, turn, strict=True):
                write(log, part, chance)

    for log, part in zip(logs, next(turns), strict=True):
        log.write(part)
    with vxtray.serve():
        for log in logs:
            arrived(vxtray, str(log.path), "lines", 1)
            log.rotate()
        write_on(itertools.islice(turns, 3))
    before = count_events(vxtray)
    write_on(itertools.islice(turns, 2))
    with vxtray.serve():
        write_on(turns)
        missing = lines.truth["good"] - before
        told = arrived(vxtray, str(folder), "events", missing)
        assert troubles(vxtray) == ["The mail server is not set up yet."]
    for log in logs:
        log.close()
    assert (told["events"], told["ignored"], told["dropped"]) == (missing, 0, 0)
    assert told["lines"] == told["events"] + told["rejected"]
    with Found(vxtray.profile) as found:
        check(found, lines)
        assert found.content(in_order=False) == imported.unordered
        # Between logs there is no order, nor where the old file is still written to beside the new one.
        assert len(hows) > 1 or hows == ("rename",) or found.content() == imported.ordered
    again = vxtray.json("import", *(part for log in logs for part in log.parts()), seconds=600)
    assert (again["read"], again["stored"]) == (lines.total, 0)


def count_events(vxtray: Vxtray) -> int:
    with Found(vxtray.profile) as found:
        return found.content()[0]


def test_followed_files_with_the_same_first_line(vxtray: Vxtray, lines: Made, shared: Path, tmp_path: Path) -> None:
    other = alike(lines, tmp_path, shared)
    folder = tmp_path / "log"
    folder.mkdir()
    vxtray.run("settings", "set", f'sources.files=[{{"path": "{folder}/*.log", "start": "beginning"}}]')
    want = lines.truth["good"] + other.truth["good"] + 1
    with vxtray.serve():
        logs = [RotatedLog(folder / name, "rename") for name in ("one.log", "other.log")]
        for one, log in zip((lines, other), logs, strict=True):
            with one.log.open("rb") as file:
                while block := file.read(1 << 20):
                    log.write(block)
            log.close()
        told = arrived(vxtray, f"{folder}/*.log", "events", want)
    assert (told["events"], count_events(vxtray)) == (want, want)
