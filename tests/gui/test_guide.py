"""The guide in the window: on the Help page, from F1, and from a fault that is shown."""

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog

from tests.gui.support.world import World
from vxtray.core import guide, texts
from vxtray.core.errors import PortTaken, StoreFull
from vxtray.core.mail.faults import ConnectError, Kind, Stage
from vxtray.gui.doctor_view import DoctorView
from vxtray.gui.guide.text import GuideText
from vxtray.gui.guide.view import GuideView
from vxtray.gui.guide.window import GuideWindow, help_key, open_guide
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Banner, Button
from vxtray.gui.widgets import Kind as Look

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)")

F1 = Qt.Key.Key_F1


@pytest.fixture
def view(qtbot) -> GuideView:
    made = GuideView()
    qtbot.addWidget(made)
    made.resize(900, 600)
    with qtbot.waitExposed(made):
        made.show()
    return made


def entries(view: GuideView) -> list[str]:
    return [view.list.item(row).text() for row in range(view.list.count())]


# --- the view --------------------------------------------------------------------------------------------------------


def test_it_begins_with_the_index_and_lists_every_page(view: GuideView) -> None:
    assert view.where() == "index"
    assert entries(view) == [page.title for page in guide.pages("en")]
    assert view.list.currentRow() == 0
    assert view.reader.accessibleName() == guide.pages("en")[0].title


def test_every_page_is_drawn_with_all_its_headings_and_pictures(view: GuideView) -> None:
    for page in guide.pages("en"):
        view.open(page.name)
        assert view.reader.anchors() == tuple(section.anchor for section in page.sections)
        drawn = view.reader.document().toPlainText()
        assert page.sections[-1].title in drawn
        assert drawn.count("\N{OBJECT REPLACEMENT CHARACTER}") == page.markdown.count("![")
        assert "](" not in drawn
        assert "**" not in drawn


def test_links_lead_on_and_back_leads_back(view: GuideView) -> None:
    assert not view.back.isEnabled()
    view.reader.anchorClicked.emit(QUrl("alerts.md#quiet-hours"))
    assert view.where() == "alerts"
    assert view.reader.verticalScrollBar().value() > 0
    at = view.reader.verticalScrollBar().value()
    view.reader.anchorClicked.emit(QUrl("#rehearsal"))
    assert view.where() == "alerts"
    assert view.reader.verticalScrollBar().value() > at
    view.go_back()
    assert view.reader.verticalScrollBar().value() == at
    view.go_back()
    assert (view.where(), view.back.isEnabled()) == ("index", False)


def test_links_to_the_web_open_in_the_browser_and_nothing_else_does(
    view: GuideView, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    view.reader.anchorClicked.emit(QUrl("https://example.com/x"))
    view.reader.anchorClicked.emit(QUrl("file:///etc/passwd"))
    assert opened == ["https://example.com/x"]
    assert view.where() == "index"


def test_nothing_is_loaded_from_elsewhere(view: GuideView) -> None:
    text: GuideText = view.reader
    kind = QTextDocument.ResourceType
    assert text.loadResource(kind.ImageResource.value, QUrl("file:///../../icons/vxtray.svg")).isNull()
    assert bytes(text.loadResource(kind.HtmlResource.value, QUrl("file:///etc/passwd"))) == b""


def test_the_search_finds_sections_and_marks_the_words(view: GuideView, qtbot) -> None:
    qtbot.keyClicks(view.field, "quiet hours")
    assert entries(view)[0] == "Quiet hours\nAlerts"
    qtbot.keyClick(view.field, Qt.Key.Key_Return)
    assert view.where() == "alerts"
    marked = {one.cursor.selectedText().lower() for one in view.reader.extraSelections()}
    assert marked == {"quiet", "hours"}
    view.field.setText("no-such-word-anywhere")
    assert entries(view) == ["Nothing was found."]
    view.field.clear()
    assert len(entries(view)) == len(guide.pages("en"))
    assert view.list.currentItem().text() == "Alerts"
    assert view.reader.extraSelections() == []


def test_it_is_gone_through_by_keyboard(view: GuideView) -> None:
    view.activateWindow()
    QTest.keyClick(view, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert view.field.hasFocus()
    view.open("tray")
    view.list.setFocus()
    QTest.keyClick(view.list, Qt.Key.Key_Down)
    assert view.where() == "server"
    QTest.keyClick(view, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert view.where() == "tray"


def test_a_narrow_one_has_no_contents_but_what_was_found(view: GuideView, qtbot) -> None:
    view.resize(420, 500)
    assert not view.list.isVisible()
    view.field.setText("keyring")
    assert view.list.isVisible()
    view.open("first-steps")
    document = view.reader.document()
    assert document.idealWidth() <= view.reader.viewport().width() + 1, "pictures fit"


def test_it_speaks_the_language_of_now(qtbot) -> None:
    texts.use("fr")
    view = GuideView()
    qtbot.addWidget(view)
    view.show_topic("alerts#quiet-hours")
    view.show()
    assert "Les heures calmes" in view.reader.document().toPlainText()
    assert entries(view)[1] == "Premiers pas"


# --- where it opens --------------------------------------------------------------------------------------------------


def test_f1_opens_it_where_one_is(world: World, open_window, qtbot) -> None:
    window = open_window("reports")
    qtbot.keyClick(window, F1)
    assert window.help.tabs.currentWidget() is window.help.guide
    assert window.help.guide.where() == "reports"
    window.go_to("alerts")
    qtbot.keyClick(window, F1)
    assert window.help.guide.where() == "alerts"


def test_every_page_of_the_window_has_its_topic(world: World, open_window) -> None:
    from vxtray.gui.main_window import _TOPICS

    window = open_window()
    assert set(window.pages) <= set(_TOPICS)
    names = {page.name for page in guide.pages("en")}
    assert set(_TOPICS.values()) <= names


def test_help_without_a_topic_shows_the_diagnostics(world: World, open_window) -> None:
    window = open_window()
    window.go_to("help")
    assert window.help.tabs.currentWidget() is not window.help.guide
    window.go_to("help:trouble")
    assert window.help.guide.where() == "trouble"


def test_a_fault_on_a_page_leads_to_its_explanation(world: World, open_window, qtbot) -> None:
    window = open_window("sources")
    fault = PortTaken(source="syslog udp", address="0.0.0.0", port=5514)
    window.sources.say(words(fault), Look.WARNING)
    banner = next(one for one in window.sources.findChildren(Banner) if one.text() == words(fault))
    press = next(one for one in banner.findChildren(Button) if one.text() == "Help on this error")
    qtbot.mouseClick(press, Qt.MouseButton.LeftButton)
    assert window.help.isVisible()
    assert window.help.guide.where() == "errors"
    window.sources.say("something that no page knows", Look.WARNING)
    assert press.isHidden()


def test_a_step_that_failed_leads_to_its_explanation(qtbot) -> None:
    doctor = DoctorView()
    qtbot.addWidget(doctor)
    doctor.show()
    doctor.say_error(ConnectError("", "", step=Stage.CONNECT, kind=Kind.TEMPORARY))
    press = next(one for one in doctor.findChildren(Button) if one.text() == "Help on this error")
    qtbot.mouseClick(press, Qt.MouseButton.LeftButton)
    shown = doctor.findChild(GuideWindow)
    assert shown is not None
    assert shown.view.where() == "errors"
    doctor.say("The server took it.", good=True)
    assert not [one for one in doctor.findChildren(Button) if one.text() == "Help on this error"]


def test_f1_in_a_dialog_opens_a_window_beside_it_once(qtbot) -> None:
    dialog = QDialog()
    qtbot.addWidget(dialog)
    help_key(dialog, "mail-server")
    with qtbot.waitExposed(dialog):
        dialog.show()
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    qtbot.keyClick(dialog, F1)
    first = dialog.findChild(GuideWindow)
    assert first is not None
    assert first.view.where() == "mail-server"
    assert open_guide("sophos", dialog) is first
    assert first.view.where() == "sophos"


def test_the_licences_are_read_when_they_are_looked_at(world: World, open_window, qtbot) -> None:
    window = open_window("help")
    licences = window.help.licences
    assert licences.list.count() == 0
    window.help.tabs.setCurrentWidget(licences)
    qtbot.waitUntil(lambda: licences.list.count() > 20)
    assert licences.list.item(0).text().startswith("vxtray ")
    row = next(n for n in range(licences.list.count()) if licences.list.item(n).text().startswith("shiboken6"))
    licences.list.setCurrentRow(row)
    assert "LGPL-3.0-only" in licences.shown.toPlainText()
    assert "you may replace" in licences.shown.toPlainText()


def test_a_fault_that_fills_the_disk_is_known(world: World, open_window) -> None:
    window = open_window()
    window.overview.say(words(StoreFull(path="/x/events.duckdb")), Look.WARNING)
    assert [one for one in window.overview.findChildren(Button) if one.text() == "Help on this error"]
