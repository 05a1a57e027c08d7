"""``vxtray serve`` and its commands as processes of their own, without Qt: a server in the field."""

import os
import re
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.core.engine import text_of
from tests.e2e.loglines import counted, waf
from tests.e2e.vxtray_process import SECONDS, Vxtray, credentials_of
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox


@pytest.fixture
def vxtray(tmp_path: Path, smtp_catcher: Mailbox) -> Vxtray:
    folder = credentials_of(tmp_path / "credentials", smtp_catcher)
    return Vxtray(tmp_path / "profile", without_qt=True, CREDENTIALS_DIRECTORY=folder, TZ="UTC")


def yesterday() -> datetime:
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def write(log: Path, *lines: str) -> Path:
    log.write_text("\n".join(lines) + "\n")
    return log


def test_import_report_and_alert_without_qt(vxtray: Vxtray, smtp_catcher: Mailbox, tmp_path: Path) -> None:
    vxtray.set_up(smtp_catcher, "smtp.from_name=Näme")
    at = yesterday()
    old = write(tmp_path / "old.log", *[waf(at, f"203.0.113.{number}", 5) for number in range(9)])
    with vxtray.serve() as process:
        assert vxtray.json("import", old) == {
            "read": 9,
            "stored": 9,
            "duplicates": 0,
            "ignored": 0,
            "rejected": 0,
            "by_format": {"sophos": 9},
            "seconds": pytest.approx(0, abs=20),
            "stopped": False,
        }
        new = write(tmp_path / "new.log", waf(at, "203.0.113.99", 55))
        vxtray.run("import", "--alerts", new)
        (alert,) = smtp_catcher.wait(1)
        assert "203.0.113.99" in text_of(alert.message)
        numbers = vxtray.json("report", "daily", "--send")
        report = smtp_catcher.wait(2)[1].message
        truth = counted(old.read_text() + new.read_text(), f"{at:%Y-%m-%d}")
        totals = numbers["totals"]
        assert {name: totals[name] for name in truth} == truth
        assert re.search(rf"^Events +{truth['events']}\b", text_of(report), re.MULTILINE)
        until(lambda: vxtray.json("status")["queue"]["queued"] == 0, "an empty queue")
        status = vxtray.json("status")
        assert (status["ok"], status["state"], status["last_mail"]["kind"]) == (True, "working", "report")
        vxtray.run("settings", "set", "reports.daily.enabled=true", "reports.daily.time=23:59")
        assert vxtray.json("status")["next_reports"]["daily"] is not None, (
            "settings hold in the running program at once"
        )
        vxtray.run("quit")
        assert process.wait(SECONDS) == 0
    assert vxtray.json("status", status=1)["state"] == "stopped"
    assert [entry["state"] for entry in vxtray.json("outbox")] == ["sent", "sent"]
    assert len(smtp_catcher.mails) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(vxtray: Vxtray, smtp_catcher: Mailbox, number: signal.Signals) -> None:
    vxtray.set_up(smtp_catcher)
    with vxtray.serve() as process:
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
    assert "Traceback" not in vxtray.said
    assert "ended" in (vxtray.profile / "logs" / "vxtray.log").read_text()


def test_a_kill_while_the_server_is_away_loses_no_mail(
    vxtray: Vxtray, smtp_catcher: Mailbox, tmp_path: Path, free_port: int
) -> None:
    vxtray.set_up(smtp_catcher, f"port={free_port}", "host=localhost")
    new = write(tmp_path / "new.log", waf(yesterday(), "203.0.113.99", 55))
    with vxtray.serve() as process:
        vxtray.run("import", "--alerts", new)
        until(lambda: vxtray.json("outbox")[0]["tries"] == 1, "the first try")
        (before,) = vxtray.json("outbox")
        process.kill()
        process.wait(SECONDS)
    with vxtray.serve():
        vxtray.run("smtp", "set", f"port={smtp_catcher.port}", f"host={smtp_catcher.host}")
        (mail,) = smtp_catcher.wait(1)
        assert mail.message["Message-ID"] == before["message_id"]
        until(lambda: vxtray.json("outbox")[0]["state"] == "sent", "the mail is sent")
        vxtray.run("import", "--alerts", new)
    assert len(smtp_catcher.mails) == 1


def test_a_report_that_is_due_leaves_from_the_process(vxtray: Vxtray, smtp_catcher: Mailbox, tmp_path: Path) -> None:
    """Switched on while it was stopped: what came due since then is sent at the start, and once."""
    vxtray.set_up(smtp_catcher)
    vxtray.run("import", write(tmp_path / "old.log", waf(yesterday(), "203.0.113.1", 5)))
    due = datetime.now(UTC) - timedelta(minutes=1)
    vxtray.run("settings", "set", "reports.daily.enabled=true", f"reports.daily.time={due:%H:%M}", "reports.zone=UTC")
    settings = vxtray.profile / "settings.toml"
    saved = due.replace(second=0, microsecond=0) - timedelta(minutes=5)
    os.utime(settings, (saved.timestamp(), saved.timestamp()))
    for _ in range(2):
        with vxtray.serve():
            (mail,) = smtp_catcher.wait(1)
            until(lambda: vxtray.json("outbox")[0]["state"] == "sent", "the mail is sent")
    if datetime.now(UTC).date() == due.date():
        assert "Daily" in mail.message["Subject"]
        assert len(smtp_catcher.mails) == 1


def test_a_wrong_password_shows_in_the_status_and_is_mended(
    vxtray: Vxtray, smtp_catcher: Mailbox, tmp_path: Path
) -> None:
    vxtray.set_up(smtp_catcher)
    secret = tmp_path / "credentials" / "smtp-password"
    secret.write_text("quite another one")
    with vxtray.serve():
        vxtray.run("report", "daily", "--send")
        until(lambda: vxtray.json("status", status=1)["state"] == "trouble", "the trouble")
        (trouble,) = vxtray.json("status", status=1)["trouble"]
        assert "refused the user name or the password" in trouble["what"]
        assert trouble["advice"]
        secret.write_text(smtp_catcher.password)
        vxtray.run("smtp", "send-test")
        smtp_catcher.wait(2)
        until(lambda: vxtray.json("outbox")[0]["state"] == "sent", "the mail is sent")
        assert vxtray.json("status")["trouble"] == []


def test_two_at_once(vxtray: Vxtray, smtp_catcher: Mailbox) -> None:
    vxtray.set_up(smtp_catcher)
    with vxtray.serve():
        vxtray.run("serve", status=1)
    assert "Another vxtray" in vxtray.said


def test_a_command_while_it_starts_is_answered(vxtray: Vxtray, smtp_catcher: Mailbox) -> None:
    """Between taking the profile's lock and listening there is a moment; nobody waits half a minute for it."""
    vxtray.set_up(smtp_catcher)
    began = time.monotonic()
    with vxtray.serve():  # asks for the status at once and again
        pass
    assert time.monotonic() - began < 20


def test_standard_input_reaches_whoever_reads_it(vxtray: Vxtray, smtp_catcher: Mailbox) -> None:
    """The running program, and after its end (its key is still there) the command itself."""
    vxtray.set_up(smtp_catcher)
    lines = [waf(yesterday(), f"203.0.113.{number}", 5) + "\n" for number in range(3)]
    with vxtray.serve():
        assert '"stored": 1' in vxtray.run("import", "-", "--json", stdin=lines[0])
    assert '"stored": 2' in vxtray.run("import", "-", "--json", stdin=lines[1] + lines[2])
    assert len(vxtray.json("events")) == 3
