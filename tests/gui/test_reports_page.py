"""The page of the reports: last results, the preview of any period, sending and saving it, and the options."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QLabel

from tests.gui.support.world import World
from tests.peers.mailbox import Mailbox
from vxtray.core.mail.outbox import Outcome, State, Verdict
from vxtray.core.reports.period import Cadence, custom, last_complete, report_zone
from vxtray.gui.main_window import MainWindow
from vxtray.gui.widgets import Kind, Toggle

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

ANN, BOB = "ann@example.com", "bob@example.com"
UNKNOWN = "550 5.1.1 <ann@example.com>: Recipient address rejected: User unknown in local recipient table"
BUILT_MS = 60_000


def yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture
def ready(smtp_catcher: Mailbox, world: World) -> World:
    """A program that can send: its mail server keeps everything, its reports are made in UTC."""
    world.keep_password(smtp_catcher.user, smtp_catcher.host, smtp_catcher.password)
    world.model.update(
        {
            "smtp.host": smtp_catcher.host,
            "smtp.port": smtp_catcher.port,
            "smtp.username": smtp_catcher.user,
            "smtp.ca_file": str(smtp_catcher.ca_file),
            "smtp.from_address": "alerts@example.com",
            "smtp.recipients": (BOB,),
            "reports.recipients": (ANN,),
            "reports.zone": "UTC",
        }
    )
    return world


@pytest.fixture
def events(world: World, shared: Path, tmp_path: Path) -> int:
    """Fill the store with three days of made events that end with yesterday; return how many."""
    log = tmp_path / "firewall.log"
    start = yesterday() - timedelta(days=2)
    tool = [sys.executable, shared / "tools" / "make_events.py", "-n", "300", "--days", "3", "--tz", "+0000"]
    subprocess.run([*tool, "--start", str(start), "-o", log], check=True, capture_output=True)
    return world.engine.import_files([log], zone="UTC").stored


def build(window: MainWindow, qtbot) -> None:
    with qtbot.waitSignal(window.reports.preview.shown, timeout=BUILT_MS):
        window.reports.preview.build()


def switched_on_days_ago(world: World, days: int) -> None:
    """Let the daily report be on for some days, as after a holiday of the computer."""
    world.model.update({"reports.daily.enabled": True, "reports.daily.time": "00:00"})
    world.engine.outbox.set_fact("since:daily", (datetime.now(UTC) - timedelta(days=days)).isoformat())


def last_result(window: MainWindow, qtbot, word: str) -> str:
    row = window.reports.results[Cadence.DAILY]
    qtbot.waitUntil(lambda: row.pill.isVisible() and row.pill.text() == word, timeout=BUILT_MS)
    return row.said.text()


def seen(window: MainWindow) -> str:
    return "\n".join(label.text() for label in window.reports.findChildren(QLabel) if label.isVisible())


# --- the preview -----------------------------------------------------------------------------------------------------


def test_the_mail_that_is_sent_is_the_one_that_was_shown(
    ready: World, events: int, smtp_catcher: Mailbox, open_window, qtbot
) -> None:
    ready.start()
    window = open_window("reports", 1100, 900)
    preview = window.reports.preview
    assert not preview.send_button.isEnabled()
    assert not preview.save_button.isEnabled()
    assert "Show the preview first" in seen(window)
    build(window, qtbot)
    assert f"Goes to {ANN}." in seen(window)
    text = preview.tabs.html.toPlainText()
    totals = preview.built.made.report.totals
    assert 0 < totals.events < events
    assert f"{totals.events} events, {totals.blocked} of them blocked" in text
    (image, *_others) = preview.built.mail.images
    kind = QTextDocument.ResourceType.ImageResource.value
    assert preview.tabs.html.loadResource(kind, QUrl(f"cid:{image}")).width() > 500
    preview.tabs.setCurrentWidget(preview.tabs.text)
    preview.send_button.click()
    (mail,) = smtp_catcher.wait(1)
    assert mail.recipients == (ANN,)
    assert mail.message["Subject"] == preview.built.made.document.subject
    assert f"{totals.events} events, {totals.blocked} blocked" in mail.message["Subject"]
    plain, rich = (mail.message.get_body((kind,)).get_content().replace("\r\n", "\n") for kind in ("plain", "html"))
    shown = preview.tabs.text.toPlainText()  # which has usual spaces where the mail has some that do not break
    assert plain.replace("\N{NO-BREAK SPACE}", " ").strip() == shown.strip()
    assert rich.strip() == preview.built.made.document.html.strip()
    qtbot.waitUntil(lambda: window.reports.note() == f"On its way to {ANN}.")
    qtbot.waitUntil(preview.sent_link.isVisible)
    preview.sent_link.click()
    details = window.history.details
    qtbot.waitUntil(lambda: details.shown is not None and details.isVisible())
    assert details.shown.mail.subject == mail.message["Subject"]


def test_any_days_and_each_file(ready: World, events: int, open_window, qtbot, tmp_path: Path) -> None:
    window = open_window("reports", 1100, 900)
    preview = window.reports.preview
    build(window, qtbot)
    first, last = yesterday() - timedelta(days=2), yesterday()
    with qtbot.waitSignal(preview.shown, timeout=BUILT_MS):
        preview.chooser.choose(None, first, last)  # is built without being asked again
    made = preview.built.made
    assert made.report.totals.events == events
    assert made.report.period == custom(first, last, report_zone(ready.model.current.reports))
    assert len(made.report.summary.buckets) == 3
    assert made.document.subject.startswith("[vxtray] Security report, ")
    for ending, begins in {"pdf": b"%PDF", "html": b"<!DOCTYPE html>", "json": b"{", "eml": b"", "csv": b""}.items():
        path = tmp_path / f"saved.{ending}"
        preview.save_to(path)
        qtbot.waitUntil(lambda path=path: path.exists() and window.reports.note() == f"Saved as {path.name}.")
        assert path.read_bytes().startswith(begins)
        assert path.read_bytes() == preview.built.files()[ending]
    numbers = json.loads((tmp_path / "saved.json").read_bytes())
    assert numbers["totals"]["events"] == events
    assert numbers["period"]["cadence"] == "custom"
    preview.save_to(tmp_path / "no" / "folder.pdf")
    qtbot.waitUntil(lambda: "folder.pdf" in preview.trouble.text())
    assert preview.trouble.isVisible()


def test_a_quiet_day_before_anything_is_set_up(world: World, open_window, qtbot) -> None:
    world.model.update({"reports.zone": "UTC"})
    window = open_window("reports", 1100, 900)
    preview = window.reports.preview
    assert "See a report before it is sent" in seen(window)
    build(window, qtbot)
    assert "no event was stored in this period" in preview.tabs.html.toPlainText()
    assert not preview.tabs.isTabVisible(2)
    assert "It can be sent once the mail server is set up." in seen(window)
    assert not preview.send_button.isEnabled()
    assert preview.send_button.toolTip() == "It can be sent once the mail server is set up."
    assert preview.save_button.isEnabled()
    assert "eml" not in preview.built.files()


def test_steps_and_kinds(world: World, open_window, qtbot) -> None:
    world.model.update({"reports.zone": "UTC"})
    window = open_window("reports")
    chooser, now = window.reports.preview.chooser, world.engine.clock()
    zone = report_zone(world.model.current.reports)
    assert chooser.period() == last_complete(Cadence.DAILY, now, zone)
    chooser.before.click()
    assert chooser.period().first == yesterday() - timedelta(days=1)
    chooser.after.click()
    chooser.after.click()
    assert chooser.period().first == datetime.now(UTC).date()
    assert not chooser.after.isEnabled()
    for index, cadence in ((1, Cadence.WEEKLY), (2, Cadence.MONTHLY)):
        chooser.kind.setCurrentIndex(index)
        chooser.kind.activated.emit(index)
        assert chooser.period() == last_complete(cadence, now, zone)
    assert window.reports.preview.built is None  # nothing is built until it is asked for


def test_days_the_wrong_way_round_are_told(world: World, open_window, qtbot) -> None:
    window = open_window("reports")
    preview = window.reports.preview
    preview.chooser.choose(None, yesterday(), yesterday() - timedelta(days=3))
    preview.build()
    assert "Choose a last day that is not before the first" in preview.trouble.text()
    assert not preview.busy
    assert not preview.save_button.isEnabled()


def test_cancelled_and_chosen_on_meanwhile(ready: World, open_window, qtbot) -> None:
    window = open_window("reports")
    preview = window.reports.preview
    preview.build()
    assert preview.cancel_button.isVisible()
    assert "Building the report…" in seen(window)
    preview.cancel_button.click()
    assert not preview.busy
    assert preview.built is None
    preview.build()
    preview.chooser.choose(Cadence.DAILY, yesterday() - timedelta(days=5))
    with qtbot.waitSignal(preview.shown, timeout=BUILT_MS):
        preview.build()
    assert preview.built.made.report.period.first == yesterday() - timedelta(days=5)


def test_a_change_of_the_settings_is_seen_in_the_preview(ready: World, open_window, qtbot) -> None:
    window = open_window("reports", 1100, 900)
    preview = window.reports.preview
    build(window, qtbot)
    assert [one.name[-4:] for one in preview.built.made.attached] == [".pdf"]
    with qtbot.waitSignal(preview.shown, timeout=BUILT_MS):
        ready.model.update({"reports.language": "fr", "reports.attach_pdf": False})
    assert "Rapport" in preview.built.made.document.subject
    assert preview.built.made.attached == ()
    assert "Rapport" in preview.tabs.html.toPlainText()


# --- what became of the last ones ------------------------------------------------------------------------------------


def test_a_scheduled_report_and_the_ones_before_it(ready: World, smtp_catcher: Mailbox, open_window, qtbot) -> None:
    switched_on_days_ago(ready, 3)
    window = open_window("reports", 1100, 900)
    assert not window.reports.results[Cadence.DAILY].pill.isVisible()
    ready.start()
    (mail,) = smtp_catcher.wait(1, seconds=60)
    said = last_result(window, qtbot, "Sent")
    assert said.startswith("Last: ")
    assert "The mail server took it on " in said
    assert "reports were skipped, for a newer one was due already: " in said or "1 report was skipped" in said
    assert window.reports.results[Cadence.DAILY].pill.kind is Kind.GOOD
    window.reports.results[Cadence.DAILY].link.click()
    assert window.sidebar.current() == "history"
    details = window.history.details
    qtbot.waitUntil(lambda: details.shown is not None and details.isVisible())
    assert details.shown.mail.subject == mail.message["Subject"]
    assert not window.reports.results[Cadence.WEEKLY].pill.isVisible()


@pytest.mark.expected_log("undelivered: Mails that could not be delivered")
def test_one_that_waits_and_one_that_was_refused(ready: World, open_window, qtbot) -> None:
    switched_on_days_ago(ready, 2)
    ready.engine._tick()
    window = open_window("reports", 1100, 900)
    assert "It is tried in a moment." in last_result(window, qtbot, "Waiting")
    refused = Outcome(verdict=Verdict.FAILED, stage="recipients", reply=UNKNOWN, refused={ANN: UNKNOWN})
    next(ready.engine.outbox.deliver_due(lambda _parcel: refused, ready.engine.clock))
    assert ready.engine.outbox.entries(1)[0].state == State.FAILED
    ready.engine.watch_undelivered()
    assert "does not know this recipient" in last_result(window, qtbot, "Not delivered")


def test_nothing_leaves_before_the_mail_server_is_set_up(world: World, open_window, qtbot) -> None:
    window = open_window("reports")
    assert "No report leaves yet" not in seen(window)
    window.findChild(Toggle, "reports.daily.enabled").click()
    assert "No report leaves yet: the mail server is not set up." in seen(window)


# --- options ---------------------------------------------------------------------------------------------------------


def test_options_are_saved_at_once(world: World, open_window, qtbot) -> None:
    window = open_window("reports")
    options = window.reports.options
    for key in ("reports.attach_csv", "general.defang", "general.mask_internal"):
        window.findChild(Toggle, key).click()
        assert world.saved(key) is True
    for field, key, index, value in (
        (options.language, "reports.language", 2, "fr"),
        (options.catch_up, "reports.catch_up", 1, "all"),
    ):
        field.setCurrentIndex(index)
        field.activated.emit(index)
        assert world.saved(key) == value
    options.zone.setText("Asia/Kathmandu")
    options.zone.editingFinished.emit()
    assert world.saved("reports.zone") == "Asia/Kathmandu"
    options.zone.setText("Europe/Nowhere")
    options.zone.editingFinished.emit()
    assert world.saved("reports.zone") == "Asia/Kathmandu"
    assert options.zone.text() == "Europe/Nowhere"
    assert "Europe/Paris" in seen(window)
