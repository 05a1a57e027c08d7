"""The engine with live sources: what is sent by syslog or written to a file is stored, told and mailed."""

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.core.engine import MONDAY, Engine, keyring_for, settings, smtp_of
from tests.core.test_service import line
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox
from vxtray.core.errors import PortTaken
from vxtray.core.health import SourceHealth
from vxtray.core.intake import MOST_WAITING
from vxtray.core.notices import EventsStored, TroubleChanged
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.settings.tree import Alerts, LogFile, Reports, Settings, Sources, Syslog
from vxtray.core.status import status

Making = Callable[..., Engine]

#: No report is due, so that no mail is tried.
QUIET = settings(reports=Reports(zone="Europe/Paris"))


@pytest.fixture
def engine(profile: Profile, smtp_catcher: Mailbox) -> Iterator[Making]:
    """Make engines and start their threads; they end before the mail server does."""
    made: list[Engine] = []

    def make(chosen: Settings, password: str = "") -> Engine:
        one = Engine(profile, chosen, keyring_for(chosen.smtp, password) if password else None)
        one.clock.now = datetime.now(UTC)
        made.append(one)
        one.service.start()
        return one

    yield make
    for one in made:
        one.service.stop()


@pytest.fixture
def port() -> int:
    """Return a port of loopback that is free for UDP and for TCP."""
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as streams:
            datagrams.bind(("127.0.0.1", 0))
            number = int(datagrams.getsockname()[1])
            try:
                streams.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
    pytest.fail("no free port")


def listening(port: int, *files: LogFile, minutes: int = 60) -> Settings:
    sources = Sources(syslog=Syslog(enabled=True, port=port), files=files, silent_minutes=minutes)
    return msgspec.structs.replace(QUIET, sources=sources)


def running(one: Engine) -> dict[str, SourceHealth]:
    return {source.name: source for source in one.service.sources() if source.running}


def ready(one: Engine, *names: str) -> None:
    """Wait until the listeners have their sockets."""

    def there() -> bool:
        runs = one.service._intake._runs
        return all(name in runs and getattr(runs[name].source, "ports", None) for name in names)

    until(there, f"{names} listen")


def send_udp(port: int, *lines: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for text in lines:
            sock.sendto(b"<30>" + text.encode(), ("127.0.0.1", port))


def stored(one: Engine) -> set[str]:
    return {event.src_ip for event in one.service.store().events(limit=1000)}


def test_lines_by_udp_and_tcp_are_stored_told_and_mailed(engine: Making, smtp_catcher: Mailbox, port: int) -> None:
    chosen = listening(port)
    chosen = msgspec.structs.replace(chosen, smtp=smtp_of(smtp_catcher), alerts=Alerts(language="en"))
    one = engine(chosen, smtp_catcher.password)
    ready(one, "syslog udp", "syslog tcp")
    send_udp(port, line(1), line(2, score=3), "no log line at all")
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(line(3, score=3).encode())
    until(lambda: stored(one) == {f"203.0.113.{n}" for n in (1, 2, 3)}, "the events are stored")
    (mail,) = smtp_catcher.wait(1)
    assert "203.0.113.1" in mail.message["Subject"]
    assert sum(notice.events for notice in one.told(EventsStored)) == 3  # type: ignore[attr-defined]  # told by kind
    until(lambda: running(one)["syslog udp"].lines == 3, "all three lines are counted")
    udp, tcp = running(one)["syslog udp"], running(one)["syslog tcp"]
    assert (udp.events, udp.rejected, tcp.events) == (2, 1, 1)
    document = status(one.service, running=True, language="en")
    told = {source["name"]: source for source in document["sources"]}  # type: ignore[attr-defined]  # a list
    assert told["syslog udp"]["rejected"] == 1
    assert told["syslog udp"]["last_event"]
    assert told["syslog tcp"]["rate"] > 0
    assert not document["trouble"]


def test_new_settings_restart_only_what_they_change(engine: Making, port: int, tmp_path: Path) -> None:
    log = tmp_path / "fail2ban.log"
    log.write_text("")
    one = engine(listening(port, LogFile(path=str(log))))
    ready(one, "syslog udp", "syslog tcp")
    before = {name: run.thread for name, run in one.service._intake._runs.items()}
    assert before.keys() == {"syslog udp", "syslog tcp", str(log)}

    one.service.apply(listening(port, LogFile(path=str(log)), minutes=5))
    assert {name: run.thread for name, run in one.service._intake._runs.items()} == before

    one.service.apply(listening(port, LogFile(path=str(log)), LogFile(path=str(tmp_path / "other.log"))))
    after = {name: run.thread for name, run in one.service._intake._runs.items()}
    assert after.keys() - before.keys() == {str(tmp_path / "other.log")}
    assert all(after[name] is before[name] for name in before)

    # the same port again, for which the old listeners have to let it go first
    chosen = listening(port)
    syslog = msgspec.structs.replace(chosen.sources.syslog, allow=("127.0.0.1",))
    chosen = msgspec.structs.replace(chosen, sources=msgspec.structs.replace(chosen.sources, syslog=syslog))
    one.service.apply(chosen)
    ready(one, "syslog udp", "syslog tcp")
    assert one.service._intake._runs.keys() == {"syslog udp", "syslog tcp"}
    assert one.service._intake._runs["syslog udp"].thread is not before["syslog udp"]
    send_udp(port, line(7, score=3))
    until(lambda: stored(one) == {"203.0.113.7"}, "the new listener hears")
    assert not one.service.troubles()

    one.service.apply(QUIET)
    assert not one.service.sources()


def test_what_is_written_to_a_followed_file_is_stored(engine: Making, tmp_path: Path) -> None:
    log = tmp_path / "sophos.log"
    log.write_text(line(1, score=3))
    chosen = msgspec.structs.replace(QUIET, sources=Sources(files=(LogFile(path=str(log)),)))
    one = engine(chosen)
    until(lambda: one.service.store().position(f"follow:{log}") > 0, "it is followed")
    with log.open("a") as file:
        file.write(line(2, score=3))
    until(lambda: stored(one) == {"203.0.113.2"}, "the new line is stored, the old one is not")


@pytest.mark.expected_log("Port .* is already in use")
def test_a_taken_port_is_told_and_tried_again(engine: Making, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))
        one = engine(listening(port))
        until(lambda: bool(one.service.troubles()), "it is told")
        (trouble,) = one.service.troubles()
        assert trouble.what == "source:syslog udp"
        assert isinstance(trouble.error, PortTaken)
        ready(one, "syslog tcp")
        until(lambda: "syslog udp" not in running(one), "its thread has ended")
    one.tick()
    ready(one, "syslog udp")
    one.tick()
    assert not one.service.troubles()
    kinds = [(notice.what, notice.error is None) for notice in one.told(TroubleChanged)]  # type: ignore[attr-defined]
    assert kinds == [("source:syslog udp", False), ("source:syslog udp", True)]


@pytest.mark.expected_log("Nothing was heard from")
def test_silence_is_trouble_until_something_is_heard(engine: Making, port: int) -> None:
    one = engine(listening(port, minutes=30))
    ready(one, "syslog udp", "syslog tcp")
    began = one.clock.now
    one.clock.now = began + timedelta(minutes=29)
    one.tick()
    assert not one.service.troubles()
    one.clock.now = began + timedelta(minutes=31)
    one.tick()
    (trouble,) = one.service.troubles()
    assert trouble.what == "silent:syslog"
    assert str(trouble.error) == f"Nothing was heard from syslog since {began:%H:%M}."
    assert status(one.service, running=True, language="en")["ok"] is False
    send_udp(port, line(1, score=3))
    until(lambda: running(one)["syslog udp"].lines == 1, "it is heard")
    one.clock.now = datetime.now(UTC) + timedelta(minutes=29)
    one.tick()
    assert not one.service.troubles()


@pytest.mark.expected_log("Nothing was heard from")
def test_a_source_that_is_added_late_is_not_silent_at_once(engine: Making, port: int, tmp_path: Path) -> None:
    one = engine(QUIET)
    one.clock.now += timedelta(hours=10)
    one.service.apply(listening(port))
    ready(one, "syslog udp", "syslog tcp")
    one.tick()
    assert not one.service.troubles()
    one.clock.now += timedelta(hours=2)
    one.tick()
    assert [trouble.what for trouble in one.service.troubles()] == ["silent:syslog"]
    one.service.apply(QUIET)
    one.tick()
    assert not one.service.troubles()


def test_silence_is_not_told_where_nobody_wants_it(engine: Making, port: int) -> None:
    one = engine(listening(port, minutes=0))
    ready(one, "syslog udp", "syslog tcp")
    one.clock.now += timedelta(days=30)
    one.tick()
    assert not one.service.troubles()


@pytest.mark.expected_log("There is no file")
def test_a_missing_file_is_trouble_until_it_is_there(engine: Making, tmp_path: Path) -> None:
    log = tmp_path / "missing.log"
    one = engine(msgspec.structs.replace(QUIET, sources=Sources(files=(LogFile(path=str(log)),))))
    until(lambda: any(source.fault for source in one.service.sources()), "it was looked for")
    one.tick()
    (trouble,) = one.service.troubles()
    assert trouble.what == f"source:{log}"
    assert running(one), "and it is waited for"
    told = status(one.service, running=True, language="en")["trouble"]
    assert [item["what"] for item in told] == [f"There is no file {log}."]  # type: ignore[attr-defined]  # a list
    log.write_text("")
    until(lambda: not any(source.fault for source in one.service.sources()), "it was found")
    one.tick()
    assert not one.service.troubles()

    log.unlink()
    one.service.apply(QUIET)
    one.tick()
    assert not one.service.troubles(), "what nobody wants any more is no trouble"


@pytest.mark.expected_log("There is no file")
def test_what_ends_takes_its_trouble_with_it(engine: Making, tmp_path: Path) -> None:
    files = tuple(LogFile(path=str(tmp_path / f"{n}.log")) for n in range(3))
    one = engine(msgspec.structs.replace(QUIET, sources=Sources(files=files)))
    until(lambda: sum(bool(source.fault) for source in one.service.sources()) == 3, "they were looked for")
    one.tick()
    assert len(one.service.troubles()) == 3
    one.service.apply(msgspec.structs.replace(QUIET, sources=Sources(files=files[:1])))
    one.tick()
    assert [trouble.what for trouble in one.service.troubles()] == [f"source:{files[0].path}"]


def test_lines_that_found_no_room_are_told_by_the_report(engine: Making, port: int) -> None:
    one = engine(listening(port, minutes=0))
    ready(one, "syslog udp", "syslog tcp")
    one.clock.now = MONDAY.astimezone(UTC) + timedelta(hours=10)
    one.tick()
    intake = one.service._intake
    with intake._change:
        intake._lines = MOST_WAITING  # as many wait as may
    send_udp(port, *(line(n, score=3) for n in range(25)))
    until(lambda: running(one)["syslog udp"].dropped.get("queue") == 25, "they are counted")
    with intake._change:
        intake._lines = 0
    one.clock.now += timedelta(minutes=1)
    one.tick()
    one.restart(QUIET)
    text = " ".join(one.service.make_report(Cadence.DAILY, MONDAY.date()).document.text.split())
    assert (
        "Events from 23 Nov 2026, 10:00 (Europe/Paris) to 23 Nov 2026, 10:01 (Europe/Paris) were lost: 25 lines from"
        " syslog udp could not be taken in time." in text
    )


def test_lines_lost_just_before_the_end_are_told_too(engine: Making, port: int) -> None:
    one = engine(listening(port))
    ready(one, "syslog udp", "syslog tcp")
    intake = one.service._intake
    with intake._change:
        intake._lines = MOST_WAITING
    send_udp(port, line(1))
    until(lambda: running(one)["syslog udp"].dropped.get("queue") == 1, "it is counted")
    with intake._change:
        intake._lines = 0
    one.restart(QUIET)
    assert [(gap.source, gap.lines) for gap in one.service._reports.losses.gaps()] == [("syslog udp", 1)]
