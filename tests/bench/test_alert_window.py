"""How long the desktop program is ever held up by a storm of alerts: hidden in the tray, and on the page of alerts.

Measures, under Xvfb, and asserts that every event was told.
"""

import socket
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.bench.conftest import Figures
from tests.bench.figures import IDLE, OURS
from tests.bench.test_alert_storm import storm
from tests.bench.test_window import Gaps, Rig, gaps  # noqa: F401 - a fixture
from tests.core.mail.wire import PASSWORD
from tests.e2e.alert_counts import all_told
from tests.peers.desktop import XServer, need_programs, until
from tests.peers.mail_servers import Receiver
from tests.peers.mailbox import ReceivedMail
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile

pytestmark = [pytest.mark.bench, pytest.mark.xserver, pytest.mark.timeout(300)]

LINES = 60_000
RATE = 5_000
GROUP_SECONDS = 5


def send(lines: Iterable[bytes], port: int) -> None:
    began = time.perf_counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number, line in enumerate(lines):
            if number % 25 == 0:
                time.sleep(max(0.0, number / RATE - (time.perf_counter() - began)))
            sock.sendto(line, ("127.0.0.1", port))


@pytest.mark.parametrize("hidden", [True, False], ids=["hidden", "alerts page"])
def test_a_storm(
    hidden: bool,
    xserver: XServer,
    own_server: Receiver,
    profile: Profile,
    tmp_path: Path,
    free_port: int,
    gaps: Gaps,  # noqa: F811 - the fixture
    figures: Figures,
) -> None:
    need_programs("openbox", "xdotool", "trayer")
    xserver.window_manager()
    xserver.tray()
    (tmp_path / "credentials").mkdir(mode=0o700)
    (tmp_path / "credentials" / "smtp-password").write_text(PASSWORD)
    smtp = own_server.smtp
    SettingsFile(profile.settings_file).merge(
        {
            "smtp.host": smtp.host,
            "smtp.port": smtp.port,
            "smtp.username": smtp.username,
            "smtp.from_address": smtp.from_address,
            "smtp.recipients": smtp.recipients,
            "smtp.ca_file": smtp.ca_file,
            "sources.syslog.enabled": True,
            "sources.syslog.port": free_port,
            "alerts.new_ban": True,
            "alerts.group_seconds": GROUP_SECONDS,
        }
    )
    options = ["--hidden"] if hidden else []
    rig = Rig(xserver, profile.config, gaps, *options, CREDENTIALS_DIRECTORY=str(tmp_path / "credentials"))
    lines = list(storm(datetime.now(UTC)))[:LINES]

    def told() -> int:
        return all_told(ReceivedMail("", (), content) for content in own_server.mails())

    def look(what: str, seconds: float, who: str = OURS) -> None:
        where, words = ("hidden", ["rest"]) if hidden else ("alerts page", ["watch", "alerts"])
        figures.add("gap-storm", who, rig.ask(f"{where}, {what}", *words, seconds)["worst"])

    try:
        if not hidden:
            rig.visit("alerts")
        look("at rest", 3, IDLE)
        sending = threading.Thread(target=send, args=(lines, free_port))
        sending.start()
        look(f"{RATE:,} matching lines/s", LINES / RATE + 1)
        sending.join()
        look("after the storm", GROUP_SECONDS + 5)
        until(lambda: told() >= LINES, "every event is told", 30)
        assert told() == LINES
        assert own_server.count() <= 10
    finally:
        rig.end()
