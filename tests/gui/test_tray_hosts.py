"""The program in the trays there are: a StatusNotifierWatcher (KDE, GNOME's extension), late, restarted, or none.

And how it ends, in each of the ways in which a desktop may ask for that, also with a mail in hand.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.core.mail.hostile import Hostile, Talk, hang, hostile, script, take_mail
from tests.gui.support.screen import Program
from tests.gui.support.smtp import SAVED
from tests.peers.desktop import XServer, need_programs, until
from tests.peers.notifications import Notifications
from tests.peers.status_notifier import Watcher, flat
from vxtray.core.mail.outbox import Outbox, Outgoing
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile

pytestmark = pytest.mark.xserver


@pytest.fixture
def screen(xserver: XServer, session_bus: str) -> XServer:
    need_programs("xdotool")
    xserver.window_manager()
    return xserver


def visible(program: Program) -> bool:
    return bool((program.ask("window") or {}).get("visible"))


def command(program: Program, *words: str) -> "subprocess.Popen[bytes]":
    """Run a command beside the program, with its profile."""
    return program.screen.start(sys.executable, "-m", "vxtray", "--profile-dir", str(program.profile.config), *words)


# --- trays -----------------------------------------------------------------------------------------------------------


def test_the_icon_its_words_and_its_menu_over_the_bus(start, watcher: Watcher, profile: Profile) -> None:
    SettingsFile(profile.settings_file).merge(SAVED | {"smtp.ca_file": "", "reports.daily.enabled": True})
    program = start("--hidden")
    item = watcher.item()
    assert item.status() == "Active"
    assert {16, 22, 24, 32} <= item.pictures().keys()
    until(lambda: len(item.tool_tip().splitlines()) == 2, "the next report is known")
    picture = item.pictures()[22]
    assert (picture.pixelColor(0, 0).alpha(), picture.pixelColor(11, 6).alpha()) == (0, 255)
    state, report = item.tool_tip().splitlines()
    assert state == "vxtray – Set up, but not tried yet"
    assert report.startswith("Next report: ")
    menu = item.menu()
    assert [entry.label for entry in menu if not entry.separator] == [
        "Set up, but not tried yet",
        report,
        "Last mail: none yet",
        "Queue: nothing waits",
        "Last critical: none yet",
        "Send test e-mail",
        "Send a report now",
        "Pause alert mails",
        "Acknowledge alerts",
        "Open vxtray",
        "Settings…",
        "Quit vxtray",
    ]
    assert not menu[0].enabled
    assert {"Daily report", "For 8 hours", "Critical ones too"} <= {entry.label for entry in flat(menu)}
    assert not visible(program)
    item.activate()
    until(lambda: visible(program), "a click opens the window")
    item.click("For 30 minutes")
    until(lambda: item.tool_tip().startswith("vxtray – Alert mails are held until "), "the pause shows")
    assert item.pictures()[22] != picture
    item.click("Quit vxtray")
    assert program.end() == 0


def test_a_watcher_that_comes_late_and_starts_again(start, session_bus: str) -> None:
    program = start("--soon")
    program.shown()
    assert program.ask("tray") is None
    for _time in range(2):
        watcher = Watcher(session_bus)
        try:
            assert watcher.item().tool_tip().startswith("vxtray – ")
            assert flat(watcher.item().menu())
        finally:
            watcher.close()
    until(lambda: program.ask("tray") is None, "the icon is given up")
    watcher = Watcher(session_bus)
    try:
        watcher.item().click("Quit vxtray")
        assert program.end() == 0
    finally:
        watcher.close()


def test_without_any_tray_a_hidden_start_is_not_hidden(start) -> None:
    program = start("--hidden", "--soon")
    program.shown()
    assert program.find(
        "widget",
        "No panel on this screen shows tray icons. So the window is shown."
        " Whenever you start vxtray again, it comes to the front.",
    )
    assert program.find("widget", "Menu")


def test_a_tray_that_goes_for_good_gives_the_window_back(start, session_bus: str) -> None:
    watcher = Watcher(session_bus)
    program = start("--hidden", "--soon")
    watcher.item()
    until(lambda: program.ask("tray") is not None, "the icon")
    assert not visible(program)
    watcher.close()
    until(lambda: visible(program), "the window is shown")


def test_closing_to_the_tray_is_told_once(
    start, screen: XServer, watcher: Watcher, notifications: Notifications
) -> None:
    program = start()
    program.shown()
    item = watcher.item()
    for _time in range(2):
        program.press("ctrl+w")
        until(lambda: not visible(program), "the window is away")
        second = command(program)
        assert second.wait(20) == 0
        until(lambda: visible(program), "a second start brings it back")
        program.shown()
    item.click("For 1 hour")  # whose answer comes after a second hint would have
    program.press("ctrl+w")
    item.click("Send alert mails again")
    until(lambda: "Nothing was held" in "".join(shown.text for shown in notifications.shown), "the answer")
    assert [shown.title for shown in notifications.shown].count("vxtray goes on in the tray") == 1
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def silent_after_the_mail() -> Iterator[Hostile]:
    """A server that takes a mail whole and never says whether it keeps it."""

    def never(talk: Talk) -> None:
        hang(talk)

    with hostile(script(DATA=take_mail(never))) as server:
        yield server


def queue_a_mail(profile: Profile, server: Hostile) -> None:
    """Have a mail wait for the program's start, and for this server."""
    there = {"smtp.host": "127.0.0.1", "smtp.port": server.port, "smtp.auth": "none", "smtp.security": "none"}
    SettingsFile(profile.settings_file).merge(SAVED | there | {"smtp.ca_file": ""})
    profile.state.mkdir(parents=True, exist_ok=True)
    outbox = Outbox(profile.outbox_file)
    mail = Outgoing(
        key="report:1",
        kind="report",
        subject="A report",
        message_id="<1@example.com>",
        mail_from="alerts@example.com",
        recipients=("boss@example.com",),
        data=b"Subject: A report\r\n\r\nNothing happened.\r\n",
    )
    outbox.add(mail, datetime.now(UTC))
    outbox.close()


def in_hand(program: Program, server: Hostile) -> None:
    until(lambda: bool(server.mail), "the mail is past its final dot", 20)
    until(lambda: program.ask("window") is not None, "the program runs", 20)


def state_of_the_mail(profile: Profile) -> str:
    outbox = Outbox(profile.outbox_file)
    (entry,) = outbox.entries()
    outbox.close()
    return str(entry.state)


def test_quit_says_that_a_mail_is_finished_and_can_be_hurried(
    start, screen: XServer, profile: Profile, silent_after_the_mail: Hostile, tmp_path: Path
) -> None:
    queue_a_mail(profile, silent_after_the_mail)
    program = start()
    program.shown()
    in_hand(program, silent_after_the_mail)
    program.press("ctrl+q")
    assert program.find("widget", "Finishing the mail in hand…")
    assert not visible(program)
    program.click(program.find("widget", "Quit now"))
    assert program.end() == 0
    assert state_of_the_mail(profile) == "queued"


def test_sigterm_waits_for_the_answer_in_hand(start, profile: Profile) -> None:
    answered: list[Talk] = []

    def once_told(talk: Talk) -> None:
        answered.append(talk)
        until(lambda: len(answered) > 1, "the program ends")
        talk.say(b"250 2.0.0 taken\r\n")

    with hostile(script(DATA=take_mail(once_told))) as server:
        queue_a_mail(profile, server)
        program = start("--hidden")
        in_hand(program, server)
        program.process.send_signal(signal.SIGTERM)
        assert program.find("widget", "Finishing the mail in hand…")
        answered.append(answered[0])
        assert program.end() == 0
    assert state_of_the_mail(profile) == "sent"


def test_a_second_sigterm_does_not_wait(start, profile: Profile, silent_after_the_mail: Hostile) -> None:
    queue_a_mail(profile, silent_after_the_mail)
    program = start("--hidden")
    in_hand(program, silent_after_the_mail)
    program.process.send_signal(signal.SIGTERM)
    assert program.find("widget", "Quit now")
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0
    assert state_of_the_mail(profile) == "queued"
