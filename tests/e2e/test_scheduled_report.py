"""A report of the schedule leaves the program by itself, without or with a desktop, and reaches a mailbox.

At the very minute set, two minutes long: ``pytest -m slow tests/e2e/test_scheduled_report.py``.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.core.engine import text_of
from tests.e2e.loglines import waf
from tests.e2e.vxtray_process import SECONDS, Vxtray, credentials_of
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox

WAYS = ["serve", "--hidden"]
MINUTE = timedelta(minutes=1)


def installed(folder: Path, box: Mailbox, way: str) -> Vxtray:
    """Return a program with a log line of yesterday and a mailbox, whose reports go to somebody of its own."""
    folder.mkdir()
    vxtray = Vxtray(
        folder / "profile",
        without_qt=way == "serve",
        CREDENTIALS_DIRECTORY=credentials_of(folder / "credentials", box),
        TZ="UTC",
    )
    vxtray.set_up(box, f"recipients={way.strip('-')}@example.org")
    log = folder / "old.log"
    log.write_text(waf(datetime.now(UTC) - timedelta(days=1), "203.0.113.1", 5) + "\n")
    vxtray.run("import", log)
    return vxtray


def schedule(vxtray: Vxtray, at: datetime) -> None:
    vxtray.run("settings", "set", "reports.daily.enabled=true", f"reports.daily.time={at:%H:%M}", "reports.zone=UTC")


@contextlib.contextmanager
def running(vxtray: Vxtray, way: str) -> Iterator[None]:
    """Run the program in one of the ways until the end of the block."""
    with (vxtray.profile.parent / "said").open("a+") as said:
        process = subprocess.Popen(
            [*vxtray.command, way], env=vxtray.env, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            until(vxtray.answers, "the program answers", SECONDS)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(SECONDS)
            said.seek(0)
            assert "Traceback" not in said.read()


@pytest.mark.parametrize("way", WAYS)
def test_a_missed_report_leaves_once(tmp_path: Path, smtp_catcher: Mailbox, way: str) -> None:
    """Switched on while the program was off; at its start, the report of yesterday leaves, and says why so late."""
    vxtray = installed(tmp_path / "own", smtp_catcher, way)
    now = datetime.now(UTC)
    due = now - 20 * MINUTE
    if due.date() != now.date():
        pytest.skip("just after midnight, twenty minutes ago was yesterday")
    schedule(vxtray, due)
    saved = (due - 5 * MINUTE).timestamp()
    os.utime(vxtray.profile / "settings.toml", (saved, saved))
    for _ in range(2):
        with running(vxtray, way):
            (mail,) = smtp_catcher.wait(1)
            until(lambda: vxtray.json("status")["queue"]["queued"] == 0, "the mail is sent")
            following = vxtray.json("status")["next_reports"]["daily"]
    assert len(smtp_catcher.mails) == 1
    assert "Sent late: vxtray was not running from" in " ".join(text_of(mail.message).split())
    assert following == f"{due.date() + timedelta(days=1)}T{due:%H:%M}:00+00:00"


@pytest.mark.slow
def test_a_report_leaves_at_its_minute(tmp_path: Path, smtp_catcher: Mailbox) -> None:
    """Both ways beside each other; a clock of half a minute may let it leave that much later."""
    programs = {way: installed(tmp_path / way.strip("-"), smtp_catcher, way) for way in WAYS}
    with contextlib.ExitStack() as stack:
        for way, vxtray in programs.items():
            stack.enter_context(running(vxtray, way))
        due = (datetime.now(UTC) + 75 * timedelta(seconds=1)).replace(second=0, microsecond=0)
        for vxtray in programs.values():
            schedule(vxtray, due)
            assert vxtray.json("status")["next_reports"]["daily"] == due.isoformat()
        assert not smtp_catcher.mails
        while datetime.now(UTC) < due:  # the clock itself is what is waited for
            assert not smtp_catcher.mails, "not before its time"
            time.sleep(0.2)
        until(lambda: len(smtp_catcher.mails) >= len(WAYS), "both reports", 40)
        for vxtray in programs.values():
            until(lambda one=vxtray: one.json("status")["queue"]["queued"] == 0, "the mail is sent")  # type: ignore[misc]  # mypy 1.x and defaults
            assert vxtray.json("status")["next_reports"]["daily"] == (due + timedelta(days=1)).isoformat()
            (entry,) = vxtray.json("outbox")
            assert (entry["kind"], entry["state"]) == ("report", "sent")
    assert len(smtp_catcher.mails) == len(WAYS)
    for mail in smtp_catcher.mails:
        assert "Sent late" not in text_of(mail.message)
        assert mail.message["Date"].datetime - due < timedelta(seconds=40)
