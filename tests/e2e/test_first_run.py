"""From a fresh profile to a test mail that arrived and an icon in the tray: by mouse, and by keyboard alone.

The real program on a real screen with a window manager and a panel, beside a real keyring; DNS and mail server are the
test's own.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gui.support.screen import ROOT, Program
from tests.peers.desktop import KEYRING_PASSWORD, SecretService, XServer, need_programs, until
from tests.peers.mailbox import PASSWORD, USER, Mailbox
from tests.peers.nameserver import NameServer
from vxtray.core.paths import Profile

pytestmark = pytest.mark.xserver

#: Each step may wait for a machine that does other things, too.
SECONDS = 60
ADDRESS = "soc@firma.invalid"
LINE = (
    b'<30>device="SFW" date=2026-11-22 time=10:42:11 timezone="CET" device_name="XGS" device_id=C1'
    b' log_id=075000617071 log_type="WAF" log_component="Web Application Firewall" priority=Information'
    b" src_ip=18.160.13.241 local_ip=192.0.2.10 method=GET httpstatus=403 server=shop.example.com"
    b' reason="WAF Anomaly" extra="Inbound Anomaly Score Exceeded (Total Score: 25)"'
)


class FirstRun(Program):
    """vxtray beside an unlocked keyring, with the test's name server and certificate authority."""

    def __init__(
        self, screen: XServer, profile: Profile, keyring: SecretService, names: NameServer, box: Mailbox
    ) -> None:
        self.screen, self.profile = screen, profile
        self._errors = (screen.folder / "program.log").open("ab")
        asks = str(Path(__file__).with_name("asks_here.py"))
        self.process = subprocess.Popen(
            keyring.command([sys.executable, asks, str(names.port), str(profile.config)]),
            cwd=ROOT,
            env=screen.env
            | keyring.env
            | {
                "DISPLAY": screen.display,
                "QT_QPA_PLATFORM": "xcb",
                "PYTHONPATH": str(ROOT),
                "KEYRING_PASSWORD": KEYRING_PASSWORD,
                "SSL_CERT_FILE": str(box.ca_file),
                "RES_OPTIONS": "timeout:1 attempts:1",  # there is no network to look names up in
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def see(self, name: str) -> dict[str, Any]:
        """Wait for a widget by its name."""
        return self.find("widget", name, seconds=SECONDS)

    def retype(self, text: str) -> None:
        self.press("ctrl+a")
        self.type(text)

    def next_says(self, text: str) -> None:
        """Wait until the primary button says so."""
        until(lambda: (self.ask("widget", "assistant.next") or {}).get("text") == text, f"the button {text}", SECONDS)

    def heard(self) -> None:
        """Send lines like a firewall until the newest is shown as it was read."""
        until(lambda: self.saved("sources.syslog.enabled") is True, "the receiver is on", SECONDS)
        port = int(str(self.saved("sources.syslog.port")))

        def shown() -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as firewall:
                firewall.sendto(LINE, ("127.0.0.1", port))
            return self.ask("widget", "WAF Anomaly") is not None

        until(shown, "the line is shown as read", SECONDS)


@pytest.fixture
def begin(
    xserver: XServer,
    profile: Profile,
    secret_service: SecretService,
    nameserver: NameServer,
    smtp_catcher: Mailbox,
) -> Iterator[Callable[[], FirstRun]]:
    """Return a function that starts the program for the first time in its life."""
    need_programs("xdotool")
    xserver.window_manager()
    xserver.tray()
    nameserver.records = {"_submission._tcp.firma.invalid SRV": [f"0 1 {smtp_catcher.port} localhost."]}
    started: list[FirstRun] = []

    def made() -> FirstRun:
        program = FirstRun(xserver, profile, secret_service, nameserver, smtp_catcher)
        started.append(program)
        program.shown()
        program.see("E-mail address to find settings for")
        return program

    yield made
    for program in started:
        program.kill()


def in_the_tray(program: FirstRun, box: Mailbox) -> None:
    """Assert that everything a first run is for has come about."""
    until(lambda: program.ask("window")["visible"] is False, "the window is away", SECONDS)
    until(lambda: program.ask("tray") is not None, "the icon is in the tray", SECONDS)
    mails = box.wait(1, SECONDS)  # the firewall's line may have made an alert, too
    assert {mail.recipients for mail in mails} == {("boss@example.com",)}
    assert any("Test e-mail" in str(mail.message["Subject"]) for mail in mails)
    assert program.saved("smtp.host") == "localhost"
    assert program.saved("smtp.username") == USER
    assert program.saved("smtp.recipients") == ("boss@example.com",)
    assert program.saved("reports.daily.enabled") is True
    assert program.saved("general.autostart") is True
    entries = list((Path(os.environ["XDG_CONFIG_HOME"]) / "autostart").glob("*.desktop"))
    assert len(entries) == 1
    assert "--hidden" in entries[0].read_text()
    files = [path for path in program.profile.config.rglob("*") if path.is_file()]
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]


def test_by_mouse(begin: Callable[[], FirstRun], smtp_catcher: Mailbox) -> None:
    program = begin()

    def click(name: str) -> None:
        program.click(program.see(name))

    def go_on() -> None:
        program.click(program.see("assistant.next"))

    click("E-mail address to find settings for")
    program.type(ADDRESS)
    click("Find settings")
    click("User name")
    program.retype(USER)
    click("Password")
    program.type(PASSWORD)
    go_on()
    click("Recipient 1")
    program.retype("boss@example.com")
    go_on()
    program.see("Choose another &file…")
    middle = program.ask("window")
    program.screen.run(
        "xdotool", "mousemove", str(middle["x"]), str(middle["y"]), "click", "--repeat", "30", "--delay", "5", "5"
    )
    click("Address of the firewall")
    program.type("127.0.0.1")
    click("&Receive")
    program.heard()
    go_on()
    click("assistant.reports.daily")
    until(lambda: program.saved("reports.daily.enabled") is True, "the daily report is on", SECONDS)
    go_on()
    program.next_says("&Send test e-mail")
    go_on()
    program.next_says("&Next")
    go_on()
    click("assistant.general.autostart")
    until(lambda: program.saved("general.autostart") is True, "it starts with the session", SECONDS)
    go_on()
    in_the_tray(program, smtp_catcher)


def test_by_keyboard_alone(begin: Callable[[], FirstRun], smtp_catcher: Mailbox) -> None:
    program = begin()
    program.type(ADDRESS)
    program.press("Return")
    program.see("Password")  # which has the focus then
    program.next_says("&Check and go on")
    program.press("shift+Tab")
    program.retype(USER)
    program.press("Tab")
    program.type(PASSWORD)
    program.press("Return")
    program.see("Recipient 1")
    program.retype("boss@example.com")
    program.press("Return")
    program.see("Choose another &file…")
    program.press("alt+i")
    program.type("127.0.0.1")
    program.press("Return")
    program.heard()
    program.press("alt+n")
    program.see("assistant.reports.daily")
    program.press("space")
    until(lambda: program.saved("reports.daily.enabled") is True, "the daily report is on", SECONDS)
    program.press("alt+n")
    program.next_says("&Send test e-mail")
    program.press("Return")
    program.next_says("&Next")
    program.press("Return")
    program.see("assistant.general.autostart")
    program.press("space")
    until(lambda: program.saved("general.autostart") is True, "it starts with the session", SECONDS)
    program.press("alt+f")
    in_the_tray(program, smtp_catcher)


@pytest.mark.slow
def test_sent_away_it_does_not_come_back_by_itself(begin: Callable[[], FirstRun], xserver: XServer) -> None:
    program = begin()
    program.press("Escape")
    program.see("Pages")
    program.press("ctrl+q")
    assert program.end() == 0
    again = Program(xserver, program.profile)
    try:
        again.shown()
        assert again.ask("widget", "assistant.next") is None
        again.press("F1")
        again.click(again.find("widget", "Set-up assistant", seconds=SECONDS))
        again.find("widget", "assistant.next", seconds=SECONDS)
    finally:
        again.kill()
