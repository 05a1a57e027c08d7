"""vxtray's own work going wrong, from the cause to the mail that was read back: told when it begins and ends, once.

The clock is the engine's parameter; sockets, servers and disks are real.
"""

import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest

from tests.core.engine import PARIS, Engine, keyring_for, opened, settings, smtp_of, text_of
from tests.core.mail.wire import Inbox
from tests.core.mail.wire import settings as plain
from tests.peers.anyport import AnyPort
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox
from vxtray.core.alerts.conditions import Disk
from vxtray.core.credentials import Secret, smtp_account
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.settings.tree import Reports, Sources, Syslog
from vxtray.core.watching import disk_at

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MEBIBYTE = 1024 * 1024
QUIET = settings(reports=Reports(zone="Europe/Paris", language="en"))


def told(one: Engine) -> set[str]:
    return {trouble.what for trouble in one.service.troubles()}


def minutes(one: Engine, count: int) -> None:
    """Let time pass as it does: each minute what is due is sent, and the schedule ticks."""
    for _ in range(count):
        one.clock.now += MINUTE
        one.service.send_waiting()
        one.tick()


def is_answer(answer: EmailMessage, to: EmailMessage) -> bool:
    return str(answer["In-Reply-To"]) == str(to["Message-ID"])


# --- a source ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.expected_log("Nothing was heard from")
def test_a_sender_that_falls_silent_and_comes_back(profile: Profile, smtp_catcher: Mailbox, port: int) -> None:
    smtp = smtp_of(smtp_catcher)
    sources = Sources(syslog=Syslog(enabled=True, port=port), silent_minutes=30)
    one = Engine(
        profile, msgspec.structs.replace(QUIET, smtp=smtp, sources=sources), keyring_for(smtp, smtp_catcher.password)
    )
    one.clock.now = datetime.now(UTC) - 80 * MINUTE
    one.service.start()
    try:
        until(lambda: "syslog udp" in {source.name for source in one.service.sources() if source.running}, "it listens")
        for _ in range(30):
            one.clock.now += MINUTE
            one.tick()
        assert not told(one)
        while one.clock.now < datetime.now(UTC):
            one.clock.now += MINUTE
            one.tick()
        (first,) = smtp_catcher.wait(1)
        assert "silent" in first.message["Subject"]
        assert "syslog" in first.message["Subject"]
        assert told(one) == {"silent:syslog"}

        def heard() -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"<30>nothing that is understood", ("127.0.0.1", port))
            return any(source.last_line for source in one.service.sources())

        until(heard, "it is heard")
        one.tick()
        _, second = smtp_catcher.wait(2)
        assert "heard again" in text_of(second.message)
        assert is_answer(second.message, first.message)
        assert "it was silent for 1" in text_of(second.message), "1 h 20 min: since vxtray began to listen"
        assert not told(one)
    finally:
        one.service.stop()
    assert len(smtp_catcher.mails) == 2


# --- mail -------------------------------------------------------------------------------------------------------------


@pytest.mark.expected_log("mail: ", "mail:down: No mail could be sent since")
def test_a_mail_server_that_is_away_for_hours(profile: Profile, free_port: int) -> None:
    one = Engine(profile, msgspec.structs.replace(QUIET, smtp=plain(free_port)))
    one.tick()
    failed_at = one.clock.now + MINUTE
    one.service.send_report(Cadence.DAILY)
    one.service.send_report(Cadence.WEEKLY)
    minutes(one, 60)
    assert told(one) == {"mail"}
    minutes(one, 2)
    assert told(one) == {"mail", "mail:down"}
    assert len(one.mails()) == 2, "who would get a mail of it"
    one.restart()
    minutes(one, 20)
    assert "mail:down" in told(one)

    inbox = Inbox()
    server = AnyPort(inbox, server_hostname="mail.example.com")
    server.port = free_port
    server.start()
    try:
        minutes(one, 40)
        assert not told(one)
        worked_at = min(datetime.fromisoformat(entry.settled_at) for entry in one.service.outbox.entries())
        one.restart()
        minutes(one, 100)
    finally:
        server.stop()
        one.service.stop()
    *reports, mail = [opened(data) for _, _, data in inbox.taken]
    assert len(reports) == 2
    assert mail["Subject"].startswith("[vxtray]")
    text = text_of(mail)
    assert "No mail could leave for" in text
    for moment in (failed_at, worked_at):
        assert f"{moment.astimezone(PARIS):%H:%M}" in text
    assert re.search(r"waited:?\s+2\b", text), text


# --- disk -------------------------------------------------------------------------------------------------------------

Leave = Callable[[int], None]


@pytest.fixture(params=["tmpfs", "parameter"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, Leave]]:
    """An engine on a disk of 128 MiB, and what leaves so many of these free."""
    folder, free = tmp_path / "disk", [128]
    folder.mkdir()
    if request.param == "parameter":
        one = Engine(Profile.under(folder), QUIET)
        one.service._watch.disk = lambda path: Disk(path=str(path), free=free[0] * MEBIBYTE, total=128 * MEBIBYTE)
        yield one, lambda mebibytes: free.__setitem__(0, mebibytes)
        one.service.stop()
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    filler = folder / "filler"

    def leave(mebibytes: int) -> None:
        filler.unlink(missing_ok=True)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, disk_at(folder).free - mebibytes * MEBIBYTE))

    one = Engine(Profile.under(folder), QUIET)
    one.service._watch.disk = disk_at
    try:
        yield one, leave
    finally:
        one.service.stop()
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.expected_log("disk:.*The disk is almost full")
def test_a_disk_that_fills_up_and_gets_room_again(small_disk: tuple[Engine, Leave], smtp_catcher: Mailbox) -> None:
    one, leave = small_disk
    smtp = smtp_of(smtp_catcher)
    one.service.apply(msgspec.structs.replace(QUIET, smtp=smtp))
    one.service.credentials.set(smtp_account(smtp), Secret(smtp_catcher.password))
    minutes(one, 3)
    assert not told(one)
    leave(60)
    minutes(one, 3)
    (trouble,) = one.service.troubles()
    assert trouble.what == f"disk:{one.profile.state}"
    assert "of 128 MiB are left" in str(trouble.error)
    (first,) = smtp_catcher.wait(1)
    assert "Disk almost full" in first.message["Subject"]
    for mebibytes in (66, 60, 70, 62, 75):
        leave(mebibytes)
        minutes(one, 2)
    assert len(smtp_catcher.mails) == 1, "around the limit there are no news"
    leave(110)
    minutes(one, 3)
    _, second = smtp_catcher.wait(2)
    assert "The disk has room again" in text_of(second.message)
    assert is_answer(second.message, first.message)
    assert not told(one)
    minutes(one, 90)
    assert len(smtp_catcher.mails) == 2
