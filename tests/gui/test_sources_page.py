"""The page of sources: what is set there is saved in one step, and what comes in is shown as it is."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from tests.gui.support.world import SaveCounter, World, no_room
from tests.gui.test_pages import HOSTILE, clipped, settle, sideways
from tests.peers.desktop import until
from vxtray.core import texts
from vxtray.core.health import SourceHealth
from vxtray.core.settings.tree import LogFile, Syslog
from vxtray.gui.logfile_dialog import LogFileDialog
from vxtray.gui.main_window import MainWindow
from vxtray.gui.pages.sources import SourcesPage
from vxtray.gui.server_dialog import ServerDialog
from vxtray.gui.source_view import SourceView
from vxtray.gui.source_words import counts_of, state_of_source
from vxtray.gui.syslog_dialog import SyslogDialog
from vxtray.gui.widgets import Button, Kind, PlainLabel

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)"),
    pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: "),
]

BAN = "2026-11-23 10:00:00,123 fail2ban.actions        [812]: NOTICE  [sshd] Ban 203.0.113.{n}\n"
DAY = timedelta(days=1)
Opening = Callable[..., MainWindow]


def press(top: QWidget, name: str) -> None:
    """Press a button by what is on it or what it is called."""
    settle()
    found = [one for one in top.findChildren(Button) if one.isVisible() and name in (one.text(), one.accessibleName())]
    assert len(found) == 1, (name, found)
    found[0].click()


def said(top: QWidget) -> str:
    return "\n".join(label.text() for label in top.findChildren(PlainLabel) if label.isVisible())


def page_of(window: MainWindow) -> SourcesPage:
    return window.sources


def file_dialog(page: SourcesPage) -> LogFileDialog:
    assert page.file_dialog is not None
    return page.file_dialog


def following(world: World, *paths: str) -> None:
    world.model.update({"sources.files": tuple(LogFile(path=path) for path in paths)})


def paths(world: World) -> list[str]:
    return [file.path for file in world.saved("sources.files")]  # type: ignore[attr-defined]  # a tuple of LogFile


def close(dialog: QDialog) -> None:
    dialog.done(0)
    settle()


# --- nothing set yet -------------------------------------------------------------------------------------------------


def test_a_new_person_sees_the_three_ways(world: World, open_window: Opening) -> None:
    page = page_of(open_window("sources"))
    assert page.heading.title() == "Where do your events come from?"
    assert "A firewall sends its log here" in said(page)
    press(page, "Set up the receiver")
    assert page.syslog_dialog.isVisible()
    close(page.syslog_dialog)
    press(page, "Choose a log file…")
    assert file_dialog(page).isVisible()
    close(file_dialog(page))
    press(page, "Set up the server")
    assert isinstance(page.servers.dialog, ServerDialog)
    assert page.servers.dialog.isVisible()
    close(page.servers.dialog)
    assert not page.receiver.isVisible()
    assert not page.servers.isVisible()


def test_importing_is_offered(world: World, open_window: Opening) -> None:
    window = open_window("sources")
    page = page_of(window)
    assert page.load.isVisible()
    assert page.load.text() == "Import log files…"


# --- the receiver ----------------------------------------------------------------------------------------------------


def test_the_receiver_is_saved_in_one_step(world: World, open_window: Opening, saves: SaveCounter) -> None:
    page = page_of(open_window("sources"))
    dialog: SyslogDialog = page.syslog_dialog
    dialog.open()
    dialog.address.setText("0.0.0.0")
    dialog.port.setValue(5515)
    dialog.allow.setPlainText("192.0.2.1\n198.51.100.0/24")
    before = saves.count()
    dialog.save.click()
    assert not dialog.isVisible()
    assert saves.count() == before + 1
    assert world.saved("sources.syslog.enabled") is True
    assert world.saved("sources.syslog.address") == "0.0.0.0"
    assert world.saved("sources.syslog.port") == 5515
    assert world.saved("sources.syslog.allow") == ("192.0.2.1", "198.51.100.0/24")
    assert page.receiver.toggle.isChecked()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "fw.example.com"])
def test_nobody_listens_to_everybody(world: World, open_window: Opening, address: str, saves: SaveCounter) -> None:
    page = page_of(open_window("sources"))
    dialog = page.syslog_dialog
    dialog.open()
    dialog.address.setText(address)
    dialog.save.click()
    assert dialog.isVisible()
    assert dialog.trouble.text() == (
        f"On {address} everybody in the network could send lines."
        " First name those who may send, or listen on 127.0.0.1."
    )
    assert dialog.allow.property("invalid") is True
    assert saves.count() == 0
    dialog.address.setText("127.0.0.1")
    dialog.save.click()
    assert not dialog.isVisible()


def test_what_is_wrong_is_said_beside_the_field(world: World, open_window: Opening) -> None:
    dialog = page_of(open_window("sources")).syslog_dialog
    dialog.open()
    dialog.allow.setPlainText("192.0.2.1, not an address")
    dialog.save.click()
    assert "“not an address”" in dialog.trouble.text()
    assert "sources.syslog" not in dialog.trouble.text()
    dialog.allow.clear()
    dialog.tls_port.setValue(6514)
    dialog.save.click()
    assert dialog.trouble.text().startswith("TLS needs a certificate.")
    assert dialog.cert_file.property("invalid") is True
    assert dialog.allow.property("invalid") is False
    dialog.reject()
    dialog.open()
    assert dialog.tls_port.value() == 0
    assert not dialog.trouble.isVisible()


def test_a_disk_that_is_full_is_said_in_the_dialog(world: World, open_window: Opening) -> None:
    dialog = page_of(open_window("sources")).syslog_dialog
    dialog.open()
    with no_room():
        dialog.save.click()
    assert dialog.isVisible()
    assert "could not be saved" in dialog.trouble.text()
    assert world.model.current.sources.syslog == Syslog()


def test_what_to_enter_in_the_firewall_follows_what_is_typed(world: World, open_window: Opening) -> None:
    dialog = page_of(open_window("sources")).syslog_dialog
    dialog.open()
    settle()
    assert "for this machine only" in said(dialog)
    dialog.address.setText("192.0.2.7")
    dialog.port.setValue(5599)
    dialog.tls_port.setValue(6514)
    settle()
    told = said(dialog)
    assert "for this machine only" not in told
    for text in ("192.0.2.7", "5599", "on, port 6514", "DAEMON", "Device standard format"):
        assert text in told


def test_the_lines_that_come_are_shown(world: World, open_window: Opening, qtbot, free_port: int) -> None:
    world.start()
    window = open_window("sources")
    page = page_of(window)
    world.model.update({"sources.syslog.enabled": True, "sources.syslog.port": free_port})
    until(lambda: len([one for one in world.engine.sources() if one.running]) == 2, "the listeners run")
    page.refresh()
    assert page.heading.title() == "0 of 1 source heard"
    assert "What to enter in a Sophos firewall" in said(page)
    press(page, "Show the last lines of the syslog receiver")
    (view,) = page.findChildren(SourceView)
    assert "Waiting for the first line…" in said(view)
    runs = world.engine._intake._runs
    until(lambda: bool(getattr(runs["syslog udp"].source, "ports", None)), "it listens")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for text in (BAN.format(n=7), HOSTILE, BAN.format(n=8)):
            sock.sendto(text.encode(), ("127.0.0.1", free_port))
    until(lambda: sum(one.lines for one in world.engine.sources()) == 3, "they are read")
    view.refresh()
    page.refresh()
    shown = [reading.text.strip() for reading in view.lines.model.readings]
    assert shown == [BAN.format(n=8).strip(), HOSTILE, BAN.format(n=7).strip()]
    model = view.lines.model
    assert model.data(model.index(1, 0)) == "▲ The line is of no known log format."
    assert model.data(model.index(0, 2)) == "203.0.113.8"
    view.lines.table.selectRow(1)
    assert HOSTILE in view.lines.line.toPlainText()
    assert page.heading.title() == "1 of 1 source heard"
    figures = said(page)
    assert "2 events" in figures
    assert "33.3% not understood" in figures.replace("\N{NO-BREAK SPACE}", "")
    assert "What to enter in a Sophos firewall" not in figures
    view.which.setCurrentIndex(1)
    assert [reading.text for reading in view.lines.model.readings] == [HOSTILE]
    view.reject()


def test_a_taken_port_is_said_on_the_page(world: World, open_window: Opening, free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        world.start()
        page = page_of(open_window("sources"))
        world.model.update({"sources.syslog.enabled": True, "sources.syslog.port": free_port})
        until(lambda: bool(world.engine.troubles()), "it is told")
        page.refresh()
        assert f"Port {free_port} on 127.0.0.1 is already in use" in said(page)
        assert "End the program that listens there, or choose another port." in said(page)
        assert page._receiver_row.pill.kind in (Kind.DANGER, Kind.WARNING)
        assert page.heading.title() == "0 of 1 source heard"


def test_the_switch_saves_and_hides_the_state(world: World, open_window: Opening) -> None:
    following(world, "/var/log/a.log")
    page = page_of(open_window("sources"))
    assert not page._receiver_row.isVisible()
    page.receiver.toggle.click()
    assert world.saved("sources.syslog.enabled") is True
    assert page._receiver_row.isVisible()
    with no_room():
        page.receiver.toggle.click()
    assert page.receiver.toggle.isChecked()
    assert "could not be saved" in page.receiver.trouble()


# --- followed files --------------------------------------------------------------------------------------------------


def test_a_file_is_tried_then_followed(world: World, open_window: Opening, qtbot, tmp_path: Path) -> None:
    log = tmp_path / "fail2ban.log"
    log.write_text(BAN.format(n=1) + HOSTILE + "\n")
    page = page_of(open_window("sources"))
    press(page, "Choose a log file…")
    dialog = file_dialog(page)
    dialog.path.setText(str(log))
    dialog.test.click()
    qtbot.waitUntil(dialog.lines.isVisible)
    readings = dialog.lines.model.readings
    assert [(reading.text, bool(reading.reason)) for reading in readings] == [
        (HOSTILE, True),
        (BAN.format(n=1).rstrip(), False),
    ]
    assert dialog.lines.summary.text() == f"1 of the last 2 lines of {log} understood."
    dialog.start.setCurrentIndex(1)
    dialog.format.setCurrentIndex(dialog.format.findData("fail2ban"))
    dialog.zone.setText("Europe/Paris")
    dialog.save.click()
    assert not dialog.isVisible()
    wanted = LogFile(path=str(log), format="fail2ban", zone="Europe/Paris", start="beginning")
    assert world.saved("sources.files") == (wanted,)
    assert str(log) in said(page)


@pytest.mark.parametrize(
    ("path", "zone", "reason"),
    [
        ("", "", "Name the log file first."),
        ("fail2ban.log", "", "Write the whole path"),
        ("/var/log/x.log", "Paris", "“Paris” is not a time zone."),
        ("/var/log/known.log", "", "/var/log/known.log is followed already."),
    ],
)
def test_a_wrong_entry_is_refused(world: World, open_window: Opening, path: str, zone: str, reason: str) -> None:
    following(world, "/var/log/known.log")
    page = page_of(open_window("sources"))
    page.add_file.click()
    dialog = file_dialog(page)
    dialog.path.setText(path)
    dialog.zone.setText(zone)
    dialog.save.click()
    assert dialog.isVisible()
    assert reason in dialog.trouble.text()
    assert paths(world) == ["/var/log/known.log"]


def test_a_file_that_cannot_be_read_is_told(world: World, open_window: Opening, qtbot, tmp_path: Path) -> None:
    page = page_of(open_window("sources"))
    press(page, "Choose a log file…")
    dialog = file_dialog(page)
    dialog.path.setText(str(tmp_path / "missing.log"))
    dialog.test.click()
    qtbot.waitUntil(dialog.trouble.isVisible)
    assert "There is no file" in dialog.trouble.text()
    assert dialog.test.isEnabled()


def test_editing_keeps_the_others_and_the_order(world: World, open_window: Opening) -> None:
    following(world, "/var/log/a.log", "/var/log/b.log", "/var/log/c.log")
    page = page_of(open_window("sources"))
    press(page, "Edit /var/log/b.log")
    dialog = file_dialog(page)
    assert dialog.path.text() == "/var/log/b.log"
    dialog.path.setText("/var/log/*.log")
    dialog.save.click()
    assert paths(world) == ["/var/log/a.log", "/var/log/*.log", "/var/log/c.log"]
    assert "/var/log/b.log" not in said(page)


def test_removing_can_be_undone_for_a_while(world: World, open_window: Opening, qtbot) -> None:
    following(world, "/var/log/a.log", "/var/log/b.log", "/var/log/c.log")
    page = page_of(open_window("sources"))
    press(page, "Remove /var/log/b.log")
    assert paths(world) == ["/var/log/a.log", "/var/log/c.log"]
    assert page.undo.isVisible()
    assert page._undo_timer.interval() == 10_000
    press(page.undo, "Undo")
    assert paths(world) == ["/var/log/a.log", "/var/log/b.log", "/var/log/c.log"]
    assert not page.undo.isVisible()
    page._undo_timer.setInterval(20)
    press(page, "Remove /var/log/c.log")
    qtbot.waitUntil(lambda: not page.undo.isVisible())
    assert paths(world) == ["/var/log/a.log", "/var/log/b.log"]


def test_what_cannot_be_saved_stays(world: World, open_window: Opening) -> None:
    following(world, "/var/log/a.log")
    page = page_of(open_window("sources"))
    with no_room():
        press(page, "Remove /var/log/a.log")
    assert "could not be saved" in page.warning()
    assert not page.undo.isVisible()
    assert "/var/log/a.log" in said(page)


def test_a_followed_file_says_what_it_is_read_as(world: World, open_window: Opening, qtbot, tmp_path: Path) -> None:
    log = tmp_path / "fail2ban.log"
    log.write_text("")
    following(world, str(log), f"{tmp_path}/none/*.log")
    world.start()
    page = page_of(open_window("sources"))
    until(lambda: world.engine.store().position(f"follow:{log}") > 0, "it is followed")
    with log.open("a") as file:
        file.write(BAN.format(n=1) + BAN.format(n=2) + "no log line\n")
    until(lambda: any(one.lines == 3 for one in world.engine.sources()), "it is read")
    page.refresh()
    assert page.heading.title() == "1 of 2 sources heard"
    assert page._rows[str(log)].pill.text() == "Heard"
    missing = page._rows[f"{tmp_path}/none/*.log"]
    assert missing.pill.text() == "Needs a look"
    assert missing.trouble.text() == f"No file matches {tmp_path}/none/*.log."
    press(page, f"Test {log}")
    (view,) = page.findChildren(SourceView)
    qtbot.waitUntil(lambda: len(view.lines.model.readings) == 3)
    assert "The line is of no known log format." in said(view)
    view.reject()


# --- the page itself -------------------------------------------------------------------------------------------------


def test_silence_is_set_here(world: World, open_window: Opening) -> None:
    following(world, "/var/log/a.log")
    page = page_of(open_window("sources"))
    page.silent_minutes.setValue(15)
    page.silent_minutes.editingFinished.emit()
    assert world.saved("sources.silent_minutes") == 15
    page.silent_minutes.setValue(0)
    page.silent_minutes.editingFinished.emit()
    assert page.silent_minutes.text() == "never"
    assert world.saved("sources.silent_minutes") == 0


@pytest.mark.parametrize(("limit", "kind"), [(timedelta(minutes=60), Kind.WARNING), (timedelta(), Kind.GOOD)])
def test_silence_without_a_limit_is_no_trouble(limit: timedelta, kind: Kind) -> None:
    now = datetime.now(UTC)
    part = SourceHealth(name="a", running=True, began=now - DAY, last_line=now - DAY, lines=1)
    assert state_of_source([part], (), now, limit).kind is kind


def test_what_was_dropped_is_told_as_what_it_was() -> None:
    now = datetime.now(UTC)
    dropped = {"queue": 3, "framing": 2, "tls": 4, "truncated": 1, "connections": 5}
    part = SourceHealth(name="syslog tls", running=True, began=now, last_line=now, lines=9, dropped=dropped)
    assert "3 lines dropped" in state_of_source([part], (), now, DAY).figures
    told = dict(counts_of([part]))["Dropped"].splitlines()
    assert told == [
        "5 – too many connections at once",
        "4 – failed TLS handshakes",
        "3 – too many lines were waiting",
        "2 – connections that did not send syslog, or ended in a message",
        "1 – the file was cut before it was read",
    ]


def test_it_looks_only_while_it_is_seen(world: World, open_window: Opening) -> None:
    window = open_window("sources")
    page = page_of(window)
    assert page._timer.isActive()
    window.go_to("overview")
    assert not page._timer.isActive()


def test_the_overview_leads_here(world: World, open_window: Opening, free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        world.start()
        window = open_window()
        world.model.update(
            {
                "smtp.host": "mail.example.com",
                "smtp.from_address": "a@example.com",
                "smtp.recipients": ("b@example.com",),
                "sources.syslog.enabled": True,
                "sources.syslog.port": free_port,
            }
        )
        until(lambda: bool(world.engine.troubles()), "it is told")
        window.overview.refresh()
        press(window.overview, "Show me")
        assert page_of(window).isVisible()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_is_cut(world: World, open_window: Opening, qtbot, language: str, tmp_path: Path) -> None:
    texts.use(language)
    log = tmp_path / ("a-long-name-" * 9 + ".log")
    log.write_text(BAN.format(n=1) + HOSTILE + "\n")
    following(world, str(log), f"/var/{HOSTILE}/*.log")
    world.model.update({"general.language": language, "sources.syslog.enabled": True, "sources.syslog.port": 0})
    world.start()
    window = open_window("sources")
    page = page_of(window)
    until(lambda: all(one.running for one in world.engine.sources()), "all run")
    page._remove(str(log))
    page._put_back()
    page._remove(f"/var/{HOSTILE}/*.log")
    for width in (640, 760, 1000, 1400, 640):
        window.resize(width, 620)
        page.refresh()
        settle()
        assert not clipped(window), width
        assert not sideways(window), width
    page.syslog_dialog.open()
    page.syslog_dialog.address.setText("0.0.0.0")
    page.syslog_dialog.save.click()
    page._open_dialog(LogFile(path=str(log)))
    dialog = file_dialog(page)
    dialog.test.click()
    qtbot.waitUntil(dialog.lines.isVisible)
    page._show_view("syslog", "syslog", None)
    page._show_view(str(log), str(log), LogFile(path=str(log)))
    for top in (page.syslog_dialog, dialog, *page.findChildren(SourceView)):
        for width in (top.minimumWidth(), 900):
            top.resize(width, 640)
            settle()
            assert not clipped(top), (top, width)
            assert not sideways(top), (top, width)
        close(top)
    assert QApplication.instance() is not None


def test_foreign_text_is_shown_as_it_is(world: World, open_window: Opening) -> None:
    following(world, f"/var/{HOSTILE}.log")
    page = page_of(open_window("sources"))
    labels = [label for label in page.findChildren(PlainLabel) if HOSTILE in label.text()]
    assert labels
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)
