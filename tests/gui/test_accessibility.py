"""Every page and dialog for people who use no mouse or no eyes: names, labels, the Tab key, shortcuts, contrast, size.

The windows are those of ``support/scenes.py``; what is wrong with one is told by ``support/reading.py``.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QColor, QFont, QKeySequence, QPalette, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QMenu, QWidget

import vxtray.gui
from tests.gui.support.reading import complaints, stops, way_complaints
from tests.gui.support.scenes import SCENES, Scene, page_scenes, put_away, rested, shown_window
from tests.gui.support.stage import Furnished, Mood, Stage
from tests.gui.test_pages import clipped, settle, sideways
from vxtray.core.settings.file import SettingsFile
from vxtray.gui.pages.shortcuts import all_keys, native
from vxtray.gui.theme import PAIRS, Tokens, contrast, theme
from vxtray.gui.widgets import Toggle

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise|grabbing the keyboard)"),
    pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: "),
]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """Return the files of a busy week, made once."""
    return Furnished(tmp_path_factory.mktemp("furnished"), "en", days=2)


@pytest.fixture
def stage(qapp, furnished: Furnished, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Return a function that opens the program in a mood and a language."""
    opened: list[Stage] = []

    def at(mood: Mood, language: str = "en") -> Stage:
        profile = furnished.copy_to(tmp_path / f"{mood}-{language}-{len(opened)}", mood)
        SettingsFile(profile.settings_file).merge({"general.language": language})
        opened.append(Stage(profile, mood))
        return opened[-1]

    yield at
    for one in opened:
        one.close()
    put_away()


def scenes(stage: Stage, mood: Mood) -> Iterator[tuple[Scene, QWidget]]:
    """Open the pages and dialogs of a mood, one after the other."""
    for scene in (*page_scenes(stage.window.pages), *SCENES):
        if scene.mood is mood:
            shown = scene.open(stage)
            if not isinstance(shown, QMenu):
                assert isinstance(shown, scene.kind)
                rested(shown, 0.02)
                yield scene, shown
            put_away(keep=stage.window)


@pytest.mark.parametrize("mood", Mood)
def test_all_is_named_labelled_and_reached_in_reading_order(stage, mood: Mood) -> None:
    wrong = {scene.name: wrong for scene, shown in scenes(stage(mood), mood) if (wrong := complaints_of(shown))}
    assert not wrong


@pytest.mark.parametrize("mood", [Mood.NEW, Mood.WORKING])
def test_in_french_with_a_font_of_twice_the_size_all_is_named_and_nothing_is_cut(
    stage, system_font, mood: Mood
) -> None:
    font = QFont()
    font.setPixelSize(26)
    system_font(font)
    assert theme().scale == 2
    here = stage(mood, "fr")
    shown_window(here).resize(1400, 900)
    wrong = {}
    for scene, shown in scenes(here, mood):
        settle()
        if found := [*clipped(shown), *sideways(shown), *complaints(shown)]:
            wrong[scene.name] = found
    assert not wrong


def complaints_of(shown: QWidget) -> list[str]:
    shown.activateWindow()
    settle()
    return [*complaints(shown), *way_complaints(shown)]


def shown_kinds(kind: type[QDialog]) -> set[type[QDialog]]:
    """Return a kind of dialog, or those that it is only the common part of."""
    return set().union(*map(shown_kinds, kind.__subclasses__())) or {kind}


def test_every_dialog_of_the_program_is_among_the_scenes() -> None:
    for module in pkgutil.walk_packages(vxtray.gui.__path__, "vxtray.gui."):
        importlib.import_module(module.name)
    known = {kind.__name__ for kind in shown_kinds(QDialog) if kind.__module__.startswith("vxtray.")}
    assert len(known) > 8
    assert known <= {scene.kind.__name__ for scene in SCENES}


def test_every_shortcut_is_told_on_the_help_page(stage) -> None:
    here = stage(Mood.WORKING)
    window = shown_window(here)
    assert len(list(window.pages.values())) > 8, "all of them are made"
    keys = {one.key() for one in window.findChildren(QShortcut)}
    keys |= {key for one in window.findChildren(QAction) for key in one.shortcuts()}
    keys |= {key for one in window.actions() for key in one.shortcuts()}
    told = all_keys()
    assert {key.toString(QKeySequence.SequenceFormat.PortableText) for key in keys} - {""} <= told
    assert {"Ctrl+1", "F1", "F5", "Ctrl+F", "Ctrl+Q"} <= told
    window.go_to("help")
    said = " ".join(getattr(label, "text", str)() for label in window.pages["help"].findChildren(QWidget))
    assert all(native(key) in said for key in told if not key.startswith("Ctrl+") or key[-1] in "19")


def test_a_shortcut_is_told_where_it_works(stage) -> None:
    here = stage(Mood.WORKING)
    window = shown_window(here)
    entries = [window.sidebar.item(at) for at in range(window.sidebar.count())]
    tips = [entry.toolTip() for entry in entries if entry.text()]
    assert tips == [f"{name.text()} (Ctrl+{n})" for n, name in enumerate([e for e in entries if e.text()], 1)]
    for page in (window.events, window.history):
        assert page.filters.text.toolTip().endswith("(Ctrl+F)")
    quit_line = next(one for one in here.tray.menu.actions() if one.shortcut() == QKeySequence("Ctrl+Q"))
    assert quit_line.text() == "Quit vxtray"


def test_each_switch_is_pressed_by_the_space_key(stage) -> None:
    window = shown_window(stage(Mood.WORKING))
    pressed = 0
    for page in window.pages:
        window.go_to(page)
        rested(window, 0.03)
        for switch in (one for one in stops(window) if isinstance(one, Toggle)):
            before = switch.isChecked()
            switch.setFocus()
            for after in (not before, before):
                QTest.keyClick(switch, Qt.Key.Key_Space)
                assert switch.isChecked() is after, (page, switch.accessibleName())
            pressed += 1
    assert pressed > 10


#: High contrast as Windows 11 ships it: text, base, highlight, text on that, window, text on that.
HIGH_CONTRAST = {
    "aquatic": ("#ffffff", "#202020", "#8ee3f0", "#263b50", "#202020", "#ffffff"),
    "desert": ("#3d3d3d", "#fffaef", "#903909", "#fff5e3", "#fffaef", "#3d3d3d"),
    "dusk": ("#ffffff", "#2d3236", "#a1bfde", "#212d3b", "#2d3236", "#ffffff"),
    "night sky": ("#ffffff", "#000000", "#d6b4fd", "#2b2b2b", "#000000", "#ffffff"),
}


@pytest.mark.parametrize("name", HIGH_CONTRAST)
def test_every_pair_can_be_read_in_high_contrast(qapp, name: str) -> None:
    role = QPalette.ColorRole
    palette = QPalette()
    roles = (role.Text, role.Base, role.Highlight, role.HighlightedText, role.Window, role.WindowText)
    for which, colour in zip(roles, HIGH_CONTRAST[name], strict=True):
        palette.setColor(which, QColor(colour))
    tokens = Tokens.from_palette(palette)
    weak = {
        (ink, ground): contrast(getattr(tokens, ink), getattr(tokens, ground))
        for ink, ground, least in PAIRS
        if contrast(getattr(tokens, ink), getattr(tokens, ground)) < least
    }
    assert not weak
