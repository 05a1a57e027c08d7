"""Every page in both languages at every width: nothing cut, nothing scrolled sideways, nothing read as markup."""

from datetime import timedelta

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QWidget,
)

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from vxtray.core import texts
from vxtray.core.errors import StoreError, VxtrayError
from vxtray.core.mail.doctor import Step
from vxtray.core.mail.outbox import Outcome, Outgoing, Verdict
from vxtray.core.phrases import Phrase
from vxtray.core.reports.period import Cadence
from vxtray.gui.main_window import MainWindow
from vxtray.gui.smtp_dialog import SmtpDialog
from vxtray.gui.widgets import Button, Card, ChoiceField, Pill, PlainLabel, Toggle

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)"),
    pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: "),
]

WIDTHS = (640, 700, 760, 840, 1000, 1200, 1400, 840, 640)
PAGES = ("overview", "alerts", "reports", "events", "sources", "mail_server", "settings", "help")
HOSTILE = "<b>bold</b><img src='file:///etc/passwd'> &amp; <a href='x'>y</a>"
LONG = (
    "The server closed the connection after 4.7.0 Temporary authentication failure and asks to look at "
    "https://support.example.com/answer/" + "0123456789" * 12
)


def settle() -> None:
    """Let the layouts come to rest; they answer each other in several rounds.

    What arrives from other threads in the last of them has still to be laid out, and nothing new may come with that.
    """
    for _ in range(6):
        QApplication.processEvents()
    for _ in range(6):
        QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)


def send(world: World, subject: str, verdict: Verdict, reply: str) -> None:
    """Put a mail through the outbox with the answer of a server."""
    now = world.engine.clock()
    mail = Outgoing(
        key=subject,
        kind="alert",
        subject=subject,
        message_id=f"<{abs(hash(subject))}@example.com>",
        mail_from="alerts@example.com",
        recipients=("boss@example.com",),
        data=b"Subject: x\r\n\r\n",
    )
    assert world.engine.outbox.add(mail, now)
    accepted = ("boss@example.com",) if verdict is Verdict.SENT else ()
    outcome = Outcome(verdict=verdict, stage="data", reply=reply, accepted=accepted)
    assert len(list(world.engine.outbox.deliver_due(lambda _parcel: outcome, world.engine.clock))) == 1


def new(world: World) -> None:
    pass


def working(world: World) -> None:
    reports = {f"reports.{cadence}.enabled": True for cadence in Cadence}
    world.model.update(SAVED | reports | {"alerts.waf_blocked": True})
    send(world, "[vxtray] Critical: SQL injection on shop.example.com from 18.160.13.241", Verdict.SENT, "250 ok")


def troubled(world: World) -> None:
    long_host = ".".join(["subdomain" * 5] * 5) + ".example.com"
    people = tuple(f"person.with.a.long.name.{n}@{'department.' * 4}example.com" for n in range(6))
    world.model.update(
        SAVED | {"smtp.host": long_host, "smtp.from_name": HOSTILE, "smtp.recipients": people, "alerts.critical": False}
    )
    send(world, f"[vxtray] {HOSTILE} {LONG}", Verdict.FAILED, HOSTILE)
    for what in ("mail", "store", "reports"):
        world.engine.set_trouble(what, StoreError(path="/very/long" * 20, reason=f"{HOSTILE} {LONG}"))


def paused(world: World) -> None:
    working(world)
    world.engine.pause_alerts(timedelta(hours=8))


def clipped(top: QWidget) -> list[str]:
    """Return what is cut off or stands outside of its ground."""
    found = []
    for label in top.findChildren(QLabel):
        if label.isVisible() and isinstance(label, PlainLabel):
            if label.wordWrap() and label.height() < label.heightForWidth(label.width()):
                found.append(f"height of {label.text()[:40]!r}: {label.height()}")
            elif not label.wordWrap() and label.width() < label.sizeHint().width():
                found.append(f"width of {label.text()[:40]!r}: {label.width()} of {label.sizeHint().width()}")
    for control in top.findChildren(QWidget):
        if not control.isVisible():
            continue
        if isinstance(control, QPushButton | QComboBox | QAbstractSpinBox):
            hint = control.minimumSizeHint()
            if control.width() < hint.width() or control.height() < hint.height():
                found.append(f"size of {control!r}")
        kinds = (PlainLabel, Button, Pill, Toggle, Card, ChoiceField)
        if isinstance(control, kinds) and not control.parentWidget().rect().contains(control.geometry()):
            found.append(f"{control!r} outside of {control.parentWidget()!r}")
    return found


def sideways(top: QWidget) -> list[str]:
    """Return the scroll areas that can be scrolled sideways; text that is shown line by line may."""
    return [
        repr(area)
        for area in top.findChildren(QScrollArea)
        if area.isVisible() and area.horizontalScrollBar().maximum() > 0
    ]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("state", [new, working, troubled, paused])
def test_nothing_is_cut_at_any_width(world: World, open_window, language: str, state) -> None:
    texts.use(language)
    world.model.update({"general.language": language})
    state(world)
    window: MainWindow = open_window()
    for page in PAGES:
        window.go_to(page)
        for width in WIDTHS:
            window.resize(width, 620)
            settle()
            assert window.width() == width
            assert not clipped(window), (page, width)
            assert not sideways(window), (page, width)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_faults_on_a_page_are_not_cut_either(world: World, open_window, language: str) -> None:
    texts.use(language)
    troubled(world)
    window: MainWindow = open_window()
    error = VxtrayError("{reason}", reason=f"{HOSTILE} {LONG}")
    for page in PAGES:
        window.go_to(page)
        window._tell(f"{HOSTILE} {LONG}", False)
        for width in (640, 1000):
            window.resize(width, 620)
            settle()
            assert not clipped(window), (page, width)
            assert not sideways(window), (page, width)
        window._tell("x", True)
    window.go_to("mail_server")
    window.mail_server.doctor.begin(LONG)
    settle()
    assert not clipped(window)
    window.mail_server.doctor.say_error(error)
    settle()
    assert not clipped(window)
    assert not sideways(window)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_dialog_is_not_cut_either(world: World, qtbot, language: str) -> None:
    texts.use(language)
    troubled(world)
    dialog = SmtpDialog(world.context)
    qtbot.addWidget(dialog)
    dialog.open()
    settle()
    assert not clipped(dialog)
    assert not sideways(dialog)
    dialog.form.recipients.setPlainText(f"{HOSTILE} {'x' * 300}")
    dialog.save.click()
    phrase = Phrase("{text}", {"text": f"{HOSTILE} {LONG}"})
    dialog.doctor.begin("x")
    dialog.doctor.add_step(Step(name="auth", title=Phrase("Sign-in"), ok=False, ms=12345, detail=phrase, reply=HOSTILE))
    for width in (620, 900, dialog.minimumWidth()):
        dialog.resize(width, 560)
        settle()
        assert not clipped(dialog), width
        assert not sideways(dialog), width


@pytest.mark.parametrize("page", PAGES)
def test_foreign_text_is_shown_as_it_is(world: World, open_window, page: str) -> None:
    troubled(world)
    window: MainWindow = open_window(page)
    window._tell(HOSTILE, False)
    settle()
    labels = [label for label in window.findChildren(QLabel) if label.text()]
    assert {label.textFormat() for label in labels} == {Qt.TextFormat.PlainText}
    assert any(HOSTILE in label.text() for label in labels if label.isVisible())
    assert not [w for w in window.findChildren(QWidget) if "<" in w.toolTip()]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("state", [new, working])
def test_everything_that_can_be_reached_has_a_name(world: World, open_window, page: str, state) -> None:
    state(world)
    window: MainWindow = open_window(page)
    settle()
    kinds = (QPushButton, QLineEdit, QComboBox, QAbstractSpinBox, QPlainTextEdit, Toggle)
    names = []
    for widget in window.pages[page].findChildren(QWidget):
        inside = isinstance(widget.parentWidget(), QAbstractSpinBox | QComboBox)
        if isinstance(widget, kinds) and widget.isVisible() and not inside:
            spoken = QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)
            # of a list, Qt on Unix gives the chosen entry as its name, and the name as a relation
            names.append(widget.accessibleName() if isinstance(widget, QComboBox) else spoken)
    assert all(names), names
    assert len(set(names)) == len(names), names


def test_the_page_of_reports_says_what_comes_next(world: World, open_window, qtbot) -> None:
    working(world)
    window: MainWindow = open_window("reports")

    def said() -> str:
        return " ".join(label.text() for label in window.reports.findChildren(PlainLabel))

    qtbot.waitUntil(lambda: "Next: " in said())
    for moment in world.engine.next_reports().values():
        assert texts.format_date(moment.date(), "en", "EEEE d MMMM") in said()


def test_the_log_and_the_paths_are_on_the_help_page(world: World, open_window, qtbot) -> None:
    world.profile.log_file.parent.mkdir(parents=True)
    world.profile.log_file.write_text("first line\n" + "x" * 99 + "\n" + f"last {HOSTILE}\n")
    window: MainWindow = open_window("help")
    qtbot.waitUntil(lambda: any("memory" in label.text() for label in window.help.findChildren(PlainLabel)))
    log = window.help.findChild(QPlainTextEdit).toPlainText()
    assert f"last {HOSTILE}" in log
    copy = next(one for one in window.help.findChildren(Button) if one.text() == "Copy diagnostics")
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
    copied = QApplication.clipboard().text()
    assert str(world.profile.settings_file) in copied
    assert "memory" in copied
    assert "last <b>" in copied


def test_the_figures_of_the_overview(world: World, open_window, qtbot) -> None:
    working(world)
    window: MainWindow = open_window()
    qtbot.waitUntil(lambda: window.overview.heading.title() == "Everything is working")
    said = {card.accessibleName(): card.accessibleDescription() for card in window.overview.findChildren(Card)}
    assert "ago\nCritical: SQL injection on" in said["Last mail: Sent"]
    assert said["Mail queue: 0"] == "Nothing waits."
    assert said["Alerts today: None"] == "2 of 4 switched on"
    assert any(name.startswith("Next report: ") for name in said)
    world.engine.pause_alerts(timedelta(hours=1))
    window.overview.refresh()
    assert window.overview.heading.title().startswith("Alert mails are held until")


def test_a_store_set_aside_is_dismissed_on_the_overview(world: World, open_window, qtbot) -> None:
    world.profile.events_file.parent.mkdir(parents=True, exist_ok=True)
    world.profile.events_file.write_bytes(b"this was an event store once " * 1000)
    world.model.update(SAVED)
    world.engine.store()
    window: MainWindow = open_window()
    assert any("was set aside as" in label.text() for label in window.overview.findChildren(PlainLabel))
    assert window.overview.mend_button.text() == "Dismiss"
    qtbot.mouseClick(window.overview.mend_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not world.engine.troubles())
