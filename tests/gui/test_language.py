"""The language is switched while everything is open: window, tray, menus and dialogs speak the new one at once."""

import re
import signal
from collections.abc import Callable, Iterator

import pytest
from babel.messages.pofile import read_po
from PySide6.QtCore import QEvent, QLocale, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QGroupBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QMenu,
    QPlainTextEdit,
    QTableView,
    QWidget,
)

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from vxtray.core import texts
from vxtray.core.paths import Profile, resource
from vxtray.gui.application import Desktop
from vxtray.gui.main_window import MainWindow
from vxtray.gui.theme import theme

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)"),
    pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: "),
]


@pytest.fixture
def desktop(qapp: QApplication) -> Iterator[Desktop]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    made = Desktop()
    yield made
    made.close()
    for number, before in handlers.items():
        signal.signal(number, before)
    qapp.setQuitOnLastWindowClosed(True)
    QLocale.setDefault(QLocale("en"))
    theme().set_preference("auto")


@pytest.fixture
def opened(desktop: Desktop, profile: Profile) -> Iterator[Callable[[str], World]]:
    """Return a function that opens the desktop program in a language, set up to send mail."""
    worlds = []

    def build(language: str) -> World:
        world = World(profile, bridge=desktop.bridge)
        worlds.append(world)
        world.model.update(SAVED | {"general.language": language, "reports.daily.enabled": True})
        world.shown_by(desktop)
        return world

    yield build
    for world in worlds:
        world.stop()


def window(desktop: Desktop) -> MainWindow:
    assert desktop.window is not None
    return desktop.window


def settle() -> None:
    for _ in range(6):
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def switch(desktop: Desktop, world: World, language: str, qtbot) -> None:
    """Change the setting as the page does, and wait until the window speaks the language."""
    world.model.update({"general.language": language})
    word = texts.translate("Overview", language)
    qtbot.waitUntil(lambda: word in sidebar_words(window(desktop)))
    settle()


def sidebar_words(window: MainWindow) -> list[str]:
    return [window.sidebar.item(row).text() for row in range(window.sidebar.count())]


# --- everything that can be read or heard ---------------------------------------------------------------------------


def said_by(widget: QWidget) -> Iterator[str]:
    """Yield the words of one widget: shown, spoken, and in tool tips."""
    yield from (widget.accessibleName(), widget.accessibleDescription(), widget.toolTip(), widget.windowTitle())
    if isinstance(widget, QLabel | QAbstractButton):
        yield widget.text()
    elif isinstance(widget, QGroupBox | QMenu):
        yield widget.title()
    elif isinstance(widget, QLineEdit | QPlainTextEdit):
        yield widget.placeholderText()
    elif isinstance(widget, QComboBox):
        yield from (widget.itemText(row) for row in range(widget.count()))
    elif isinstance(widget, QListWidget):
        yield from (widget.item(row).text() for row in range(widget.count()))
    elif isinstance(widget, QTableView) and (model := widget.model()) is not None:
        for column in range(model.columnCount()):
            yield str(model.headerData(column, Qt.Orientation.Horizontal) or "")
    for action in widget.actions():
        yield from said_by_action(action)


def said_by_action(action: QAction) -> Iterator[str]:
    yield from (action.text(), action.statusTip())
    if action.toolTip() != action.text().replace("&", "").removesuffix("…"):  # else Qt made it of the text
        yield action.toolTip()
    if isinstance(menu := action.menu(), QMenu):
        for inner in menu.actions():
            yield from said_by_action(inner)


def everything(desktop: Desktop) -> set[str]:
    """Return all words of window, dialogs, menus and tray."""
    assert desktop.tray is not None
    found = set()
    for top in QApplication.topLevelWidgets():
        for widget in (top, *top.findChildren(QWidget)):
            found.update(said_by(widget))
    for action in desktop.tray.menu.actions():
        found.update(said_by_action(action))
    found.update(desktop.tray.tool_tip().splitlines())
    return {text.replace("&&", "&") for text in found if text}


def foreign(spoken: set[str], language: str) -> list[str]:
    """Return what is said in the other language, by the catalogue: whole texts, and sentences inside of longer ones."""
    with resource("i18n/fr/LC_MESSAGES/vxtray.po").open("rb") as file:
        messages = [(one.id, one.string) for one in read_po(file) if isinstance(one.id, str)]
    pairs = [(en, str(fr)) for en, fr in messages if en and fr and en != fr]
    wrong, good = (0, 1) if language == "fr" else (1, 0)
    allowed = {pair[good] for pair in pairs}
    literals = [(max(_FIELD.split(re.escape(pair[wrong])), key=len), pair) for pair in pairs]
    sought = [(re.sub(r"\\(.)", r"\1", literal, flags=re.DOTALL), pair) for literal, pair in literals]
    found = []
    for text in sorted(spoken - allowed):
        for literal, pair in sought:
            if literal in text and _is(text, pair[wrong]) and not _is(text, pair[good]):
                found.append(f"{text!r} is {pair[wrong]!r}")
                break
    return found


_FIELD = re.compile(r"\\\{\w+\\\}")
_LONG = 24
_patterns: dict[str, re.Pattern[str]] = {}


def _is(text: str, wanted: str) -> bool:
    """True where a text is that of the catalogue, with its values in, or holds it as a sentence of its own."""
    if "{" not in wanted:
        return text == wanted or (len(wanted) >= _LONG and wanted in text)
    if len(_FIELD.sub("", re.escape(wanted))) < _LONG:  # "{a} – {b}" would be anything
        return False
    if wanted not in _patterns:
        _patterns[wanted] = re.compile(_FIELD.sub(".+", re.escape(wanted)), re.DOTALL)
    return _patterns[wanted].fullmatch(text) is not None


@pytest.mark.parametrize(("first", "then"), [("en", "fr"), ("fr", "en")])
def test_every_page_menu_and_dialog_takes_the_new_language(
    desktop: Desktop, opened, qtbot, first: str, then: str
) -> None:
    world = opened(first)
    for key in window(desktop).pages:
        window(desktop).go_to(key)
        settle()
    before = everything(desktop)
    assert foreign(before, first) == []
    switch(desktop, world, then, qtbot)
    for key in window(desktop).pages:
        window(desktop).go_to(key)
        settle()
    window(desktop).go_to("edit_smtp")
    settle()
    after = everything(desktop)
    assert foreign(after, then) == []
    assert foreign(before, then) != [], "the check itself finds the other language"
    assert texts.translate("Send test e-mail", then) in after
    assert texts.translate("Quit vxtray", then) in after


def test_numbers_and_days_follow(desktop: Desktop, opened, qtbot) -> None:
    world = opened("en")
    window(desktop).go_to("settings")
    assert window(desktop).settings.storage.room.text() == "2,048\N{NO-BREAK SPACE}MiB"
    switch(desktop, world, "fr", qtbot)
    unit = texts.translate("MiB", "fr")
    expected = f"2\N{NARROW NO-BREAK SPACE}048\N{NO-BREAK SPACE}{unit}"
    assert window(desktop).settings.storage.room.text() == expected
    assert QLocale().language() is QLocale.Language.French


# --- the person stays where they are ---------------------------------------------------------------------------------


def test_whoever_switches_stays_where_they_are(desktop: Desktop, opened, qtbot) -> None:
    opened("en")
    one = window(desktop)
    one.resize(840, 500)
    one.go_to("settings")
    one.activateWindow()
    qtbot.waitUntil(one.isActiveWindow)
    field = one.settings.look.language
    field.setFocus()
    settle()
    one.settings.verticalScrollBar().setValue(40)
    assert one.settings.verticalScrollBar().value() == 40
    qtbot.keyClick(field, Qt.Key.Key_End)  # the last one, French
    qtbot.waitUntil(lambda: "Vue d’ensemble" in sidebar_words(window(desktop)))
    settle()
    assert window(desktop) is one, "the same window: no desktop places it elsewhere"
    assert (one.width(), one.height()) == (840, 500)
    assert one.sidebar.current() == "settings"
    assert one.settings.look.language is not field
    assert QApplication.focusWidget() is one.settings.look.language
    assert one.settings.look.language.currentText() == "Français"
    qtbot.waitUntil(lambda: one.settings.verticalScrollBar().value() == 40)
    assert one.settings._note.text() == "Enregistré"  # which fades away by and by


def test_what_could_be_undone_still_can_be_in_the_new_language(desktop: Desktop, opened, qtbot) -> None:
    world = opened("fr")
    window(desktop).go_to("settings")
    before = world.model.current
    window(desktop).settings.defaults.start_over("general")
    qtbot.waitUntil(lambda: "Overview" in sidebar_words(window(desktop)))
    settle()
    bar = window(desktop).settings.defaults.undo
    assert bar.isVisible()
    assert bar.text() == "Language, look, start and privacy: back to the defaults."
    bar.activated.emit()
    qtbot.waitUntil(lambda: "Vue d’ensemble" in sidebar_words(window(desktop)))
    assert world.model.current == before


def test_a_hidden_window_stays_hidden(desktop: Desktop, opened, qtbot) -> None:
    world = opened("en")
    window(desktop).hide()
    switch(desktop, world, "fr", qtbot)
    assert not window(desktop).isVisible()


def test_a_dialog_with_something_typed_is_waited_for(desktop: Desktop, opened, qtbot) -> None:
    world = opened("en")
    one = window(desktop)
    one.go_to("edit_smtp")
    dialog = one.mail_server.dialog
    dialog.form.host.setText("half.typed")
    world.model.update({"general.language": "fr"})
    qtbot.wait(700)  # two looks later, nothing was taken from under the person's hands
    assert dialog.isVisible()
    assert dialog.form.host.text() == "half.typed"
    assert "Overview" in sidebar_words(one)
    dialog.reject()
    qtbot.waitUntil(lambda: "Vue d’ensemble" in sidebar_words(one))


def test_a_dialog_without_fields_is_not_waited_for(desktop: Desktop, opened, qtbot) -> None:
    world = opened("en")
    note = QDialog()
    QLineEdit("only to be read", note).setReadOnly(True)
    note.show()
    switch(desktop, world, "fr", qtbot)
    assert note.isVisible()
    chooser = QFileDialog()
    chooser.setOption(QFileDialog.Option.DontUseNativeDialog)
    chooser.setModal(True)
    chooser.show()
    world.model.update({"general.language": "en"})
    qtbot.wait(700)
    assert "Vue d’ensemble" in sidebar_words(window(desktop))
    chooser.close()
    qtbot.waitUntil(lambda: "Overview" in sidebar_words(window(desktop)))


def test_switching_again_and_again_leaves_nothing_behind(desktop: Desktop, opened, qtbot) -> None:
    world = opened("en")
    lists = len(window(desktop).findChildren(QListWidget))
    for language in ("fr", "en"):
        switch(desktop, world, language, qtbot)
    qtbot.waitUntil(lambda: len(window(desktop).findChildren(QListWidget)) == lists)
    pages = {type(page) for page in window(desktop).pages.values()}
    left = [one for one in QApplication.allWidgets() if type(one) in pages]
    assert len(left) == len(pages)
    assert len([one for one in QApplication.allWidgets() if isinstance(one, MainWindow)]) == 1
    world.model.update({"reports.weekly.enabled": True})
    assert world.saved("reports.weekly.enabled") is True
