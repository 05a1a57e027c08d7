"""Every page, dialog and menu of the program, by name: how each is opened over a ``Stage``.

What is new under ``vxtray.gui.pages`` is found by itself; a new dialog needs its line in ``SCENES``, and
``test_accessibility.py`` says so where it is missing.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QMessageBox, QProgressBar, QWidget

from tests.core.sources.test_vigilancex_takeover import SAID
from tests.gui.support.stage import Mood, Stage
from tests.peers.vigilancex import PASSWORD, USER, vigilancex_server
from vxtray.core.credentials import Account, Secret
from vxtray.core.mail.certificates import Shown
from vxtray.core.store import EventQuery
from vxtray.gui.crash_dialog import CrashDialog
from vxtray.gui.guide.window import GuideWindow, open_guide
from vxtray.gui.leaving import LeavingNote
from vxtray.gui.logfile_dialog import LogFileDialog
from vxtray.gui.mail_view import MailView
from vxtray.gui.main_window import MainWindow
from vxtray.gui.pages.alerts_rehearsal import RehearsalView
from vxtray.gui.pausing import PauseDialog
from vxtray.gui.registration_guide import RegistrationGuide
from vxtray.gui.server_dialog import ServerDialog
from vxtray.gui.silence_dialog import SilenceDialog
from vxtray.gui.smtp_dialog import SmtpDialog
from vxtray.gui.source_view import SourceView
from vxtray.gui.store_dialog import StoreDialog
from vxtray.gui.syslog_dialog import SyslogDialog
from vxtray.gui.take_over_dialog import TakeOverDialog
from vxtray.gui.trusting import asks_to_trust

#: What the window is given, in px at 100 %.
WIDTH, HEIGHT = 1080, 720

_SECONDS = 20.0


class Scene(NamedTuple):
    """``open`` shows something and returns the window, dialog or menu that it is in, which is a ``kind``."""

    name: str
    mood: Mood
    open: Callable[[Stage], QWidget]
    kind: type[QWidget]


def pump(seconds: float = 0.0) -> None:
    """Let Qt do what is due, for as long as asked."""
    end = time.monotonic() + seconds
    while True:
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        if time.monotonic() >= end:
            return
        time.sleep(0.005)


def wait(done: Callable[[], object], what: str) -> None:
    """Let Qt work until something has happened."""
    end = time.monotonic() + _SECONDS
    while not done():
        assert time.monotonic() < end, what
        pump(0.02)


def rested(widget: QWidget, seconds: float = 0.12) -> QImage:
    """Return a picture of what is shown, once it has come to rest: three times the same, and no longer busy."""
    end = time.monotonic() + _SECONDS
    same, before = 0, QImage()
    while same < 2 and time.monotonic() < end:
        pump(seconds)
        picture = widget.grab().toImage()
        same = same + 1 if picture == before else 0
        before = picture
    return before


def put_away(keep: QWidget | None = None) -> None:
    """Close and delete what is shown, but for one window."""
    for widget in QApplication.topLevelWidgets():
        if widget is not keep:
            widget.close()
            if widget.parent() is None:
                widget.deleteLater()
    pump()


def shown_window(stage: Stage) -> MainWindow:
    """Return the window, on the screen and in its usual size."""
    window = stage.window
    if not window.isVisible():
        window.resize(WIDTH, HEIGHT)
        window.show()
        window.activateWindow()
        wait(window.isVisible, "the window")
    return window


def _page(key: str) -> Callable[[Stage], QWidget]:
    def opened(stage: Stage) -> QWidget:
        window = shown_window(stage)
        window.go_to(key)
        return window

    return opened


def _dialog(made: QDialog | None) -> QDialog:
    assert made is not None
    if not made.isVisible():
        made.show()
    wait(made.isVisible, repr(made))
    return made


# --- dialogs ---------------------------------------------------------------------------------------------------------


def _smtp(stage: Stage) -> QWidget:
    shown_window(stage).go_to("edit_smtp")
    return _dialog(stage.window.mail_server.dialog)


def _syslog(stage: Stage) -> QWidget:
    shown_window(stage).go_to("sources")
    stage.window.sources.syslog_dialog.open()
    return _dialog(stage.window.sources.syslog_dialog)


def _log_file(stage: Stage) -> QWidget:
    shown_window(stage).go_to("sources")
    stage.window.sources.add_file.click()
    return _dialog(stage.window.sources.file_dialog)


def _source(stage: Stage) -> QWidget:
    shown_window(stage).go_to("sources")
    sources = stage.window.sources
    sources._show_view("syslog", "Syslog", None)
    return _dialog(sources._views["syslog"])


def _vigilance(stage: Stage) -> QWidget:
    return _dialog(ServerDialog(stage.context, "vigilancex", shown_window(stage)))


def _clickhouse(stage: Stage) -> QWidget:
    return _dialog(ServerDialog(stage.context, "clickhouse", shown_window(stage)))


def _store(stage: Stage) -> QWidget:
    return _dialog(StoreDialog(stage.context, shown_window(stage)))


def _take_over(stage: Stage) -> QWidget:
    context, keys = stage.context, ("sources.vigilancex.url", "sources.vigilancex.username")
    with vigilancex_server() as server:
        server.said["/notifications/settings"] = SAID
        context.model.update(dict(zip(keys, (server.url, USER), strict=True)))
        context.credentials.set(Account("vigilancex-password", USER, server.url), Secret(PASSWORD))
        dialog = TakeOverDialog(context, shown_window(stage))
        _dialog(dialog)
        wait(dialog.apply.isEnabled, "what would be taken over")
    context.model.update(dict.fromkeys(keys, ""))
    return dialog


def _pause(stage: Stage) -> QWidget:
    stage.actions._choose_pause(everything=False)
    return _dialog(stage.actions._pausing)


def _silence(stage: Stage) -> QWidget:
    shown_window(stage).go_to("alerts")
    stage.window.alerts._silence(None, "203.0.113.77")
    return _dialog(stage.window.alerts.silence_dialog)


def _rehearsal(stage: Stage) -> QWidget:
    shown_window(stage).go_to("alerts")
    stage.window.alerts.rehearse()
    view = stage.window.alerts.rehearsal
    assert view is not None
    view.start.click()
    wait(lambda: view.rehearsal is not None, "rehearsed")
    return _dialog(view)


def _mail(stage: Stage) -> QWidget:
    shown_window(stage).go_to("history")
    doing = stage.window.history.doing
    doing.open(next(entry for entry in stage.service.outbox.entries() if entry.kind == "report"))
    wait(lambda: doing.mail_view is not None, "the mail")
    return _dialog(doing.mail_view)


def _fault(stage: Stage) -> QWidget:
    dialog = CrashDialog(stage.profile.logs, stage.window)
    try:
        raise ValueError("a value that nobody foresaw")
    except ValueError as error:
        dialog.add(error)
    return _dialog(dialog)


def _trust(stage: Stage) -> QWidget:
    certificate = Shown(
        subject="smtp.example.com",
        names=("smtp.example.com", "mail.example.com"),
        issuer="Example Networks",
        since="2026-01-10",
        until="2027-01-10",
        sha256=hashlib.sha256(b"only for pictures").hexdigest(),
        pem="",
    )
    boxes: list[QMessageBox] = []

    def only_show(box: QMessageBox) -> int:
        boxes.append(box)
        box.show()
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QMessageBox, "exec", only_show)
        asks_to_trust("smtp.example.com", certificate, shown_window(stage))
    return _dialog(boxes[0])


def _registration(stage: Stage) -> QWidget:
    guide = RegistrationGuide("microsoft", stage.model.current.smtp, shown_window(stage))
    return _dialog(guide)


def _guide(stage: Stage) -> QWidget:
    return _dialog(open_guide("alerts", shown_window(stage)))


def _licences(stage: Stage) -> QWidget:
    window = shown_window(stage)
    window.go_to("help")
    window.help.tabs.setCurrentWidget(window.help.licences)
    wait(window.help.licences.shown.toPlainText, "the licences")
    return window


def _leaving(stage: Stage) -> QWidget:
    note = LeavingNote(sending=True)
    for bar in note.findChildren(QProgressBar):
        bar.setRange(0, 3)  # else it moves, and never comes to rest
        bar.setValue(1)
    stage.kept = note
    return _dialog(note)


#: The steps of the assistant, by their keys.
_STEPS = ("account", "recipients", "origins", "choices", "proof", "ending")


def _assistant(step: str) -> Callable[[Stage], QWidget]:
    def opened(stage: Stage) -> QWidget:
        window = shown_window(stage)
        window.go_to("assistant")
        assert window.assistant is not None
        logs = stage.profile.config / "root" / "var" / "log"  # in place of this machine's
        logs.mkdir(parents=True, exist_ok=True)
        (logs / "fail2ban.log").touch()
        window.assistant.origins.logs._root = stage.profile.config / "root"
        window.assistant.show_step(step)
        return window

    return opened


# --- menus -----------------------------------------------------------------------------------------------------------


def _popped(menu: QMenu) -> QMenu:
    menu.popup(QPoint(0, 0))
    wait(menu.isVisible, "the menu")
    return menu


def _tray_menu(stage: Stage) -> QWidget:
    return _popped(stage.tray.menu)


def _report_menu(stage: Stage) -> QWidget:
    return _popped(stage.actions.report_menu(stage.window))


def _pause_menu(stage: Stage) -> QWidget:
    return _popped(stage.actions.pause_menu(stage.window))


def _event_menu(stage: Stage) -> QWidget:
    (event,) = stage.service.store().search(EventQuery(), limit=1)
    return _popped(stage.window.events.menu_for(event))


def _export_menu(stage: Stage) -> QWidget:
    return _popped(stage.window.events._export_menu())


def _history_menu(stage: Stage) -> QWidget:
    shown_window(stage).go_to("history")
    history = stage.window.history
    wait(lambda: history.model.rowCount() > 0, "mails")
    history.table.selectRow(0)
    return _popped(history.menu())


# --- the list --------------------------------------------------------------------------------------------------------

#: The pages, each as it stands in these moods.
_MOODS = {
    "overview": (Mood.NEW, Mood.WORKING, Mood.STORM, Mood.TROUBLE),
    "alerts": (Mood.NEW, Mood.WORKING, Mood.STORM),
    "reports": (Mood.NEW, Mood.WORKING),
    "events": (Mood.NEW, Mood.WORKING),
    "sources": (Mood.NEW, Mood.WORKING),
    "mail_server": (Mood.NEW, Mood.WORKING, Mood.TROUBLE),
    "history": (Mood.NEW, Mood.WORKING, Mood.TROUBLE),
}
_EVERYWHERE = (Mood.WORKING,)

#: Dialogs, the steps of the assistant, and menus. A dialog that ``exec`` shows is only shown here.
SCENES = (
    Scene("dialog-mail-server", Mood.WORKING, _smtp, SmtpDialog),
    Scene("dialog-mail-server-new", Mood.NEW, _smtp, SmtpDialog),
    Scene("dialog-registration", Mood.WORKING, _registration, RegistrationGuide),
    Scene("dialog-trust", Mood.WORKING, _trust, QMessageBox),
    Scene("dialog-syslog", Mood.WORKING, _syslog, SyslogDialog),
    Scene("dialog-log-file", Mood.WORKING, _log_file, LogFileDialog),
    Scene("dialog-source", Mood.WORKING, _source, SourceView),
    Scene("dialog-vigilance-x", Mood.WORKING, _vigilance, ServerDialog),
    Scene("dialog-clickhouse", Mood.WORKING, _clickhouse, ServerDialog),
    Scene("dialog-event-store", Mood.WORKING, _store, StoreDialog),
    Scene("dialog-take-over", Mood.WORKING, _take_over, TakeOverDialog),
    Scene("dialog-pause", Mood.WORKING, _pause, PauseDialog),
    Scene("dialog-silence", Mood.STORM, _silence, SilenceDialog),
    Scene("dialog-rehearsal", Mood.WORKING, _rehearsal, RehearsalView),
    Scene("dialog-mail", Mood.WORKING, _mail, MailView),
    Scene("dialog-fault", Mood.WORKING, _fault, CrashDialog),
    Scene("dialog-guide", Mood.WORKING, _guide, GuideWindow),
    Scene("help-guide", Mood.WORKING, _page("help:first-steps"), MainWindow),
    Scene("help-licences", Mood.WORKING, _licences, MainWindow),
    Scene("dialog-leaving", Mood.WORKING, _leaving, LeavingNote),
    *(Scene(f"assistant-{n}-{key}", Mood.NEW, _assistant(key), MainWindow) for n, key in enumerate(_STEPS, 1)),
    Scene("menu-tray", Mood.WORKING, _tray_menu, QMenu),
    Scene("menu-tray-storm", Mood.STORM, _tray_menu, QMenu),
    Scene("menu-report", Mood.WORKING, _report_menu, QMenu),
    Scene("menu-pause", Mood.WORKING, _pause_menu, QMenu),
    Scene("menu-event", Mood.WORKING, _event_menu, QMenu),
    Scene("menu-export", Mood.WORKING, _export_menu, QMenu),
    Scene("menu-history", Mood.WORKING, _history_menu, QMenu),
)


def page_scenes(keys: Iterable[str]) -> Iterator[Scene]:
    """Return the scenes of the window's pages; of one that is not known here, one."""
    for key in keys:
        for mood in _MOODS.get(key, _EVERYWHERE):
            name = key.replace("_", "-")
            yield Scene(name if mood is Mood.WORKING else f"{name}-{mood}", mood, _page(key), MainWindow)
