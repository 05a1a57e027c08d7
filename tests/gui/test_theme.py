"""Colours that can be read, and a theme that follows the setting, the system and the font."""

import sys

import pytest
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

from tests.peers.desktop import XServer
from vxtray.gui import theme as module
from vxtray.gui.theme import DARK, LIGHT, PAIRS, Theme, Tokens, contrast, theme


@pytest.fixture
def look(qapp: QApplication):
    look = theme()
    yield look
    look.set_preference("auto")


def test_contrast_matches_published_ratios():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#ffffff") == pytest.approx(1)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WebAIM's well-known near miss
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_every_pair_meets_wcag_aa(tokens: Tokens, ink: str, ground: str, least: float):
    assert contrast(getattr(tokens, ink), getattr(tokens, ground)) >= least


def test_the_designs_own_colours_are_kept():
    assert (LIGHT.accent, LIGHT.accent_soft, LIGHT.good, LIGHT.warning) == ("#0b5fa5", "#cfe0ef", "#146c43", "#8a5a00")
    assert (DARK.accent, DARK.accent_soft, DARK.good, DARK.warning) == ("#6cb2f0", "#24405a", "#7bd3a4", "#f0c26a")
    assert (LIGHT.danger, LIGHT.text, LIGHT.secondary) == ("#b3261e", "#1b2430", "#5d6a79")
    assert (DARK.danger, DARK.text, DARK.secondary) == ("#ff9a92", "#e7ecf1", "#a3afbc")


def test_there_is_one_theme(look: Theme):
    assert theme() is look


def test_setting_switches_palette_and_style_sheet_at_once(look: Theme, qapp: QApplication):
    look.set_preference("light")
    heard: list[str] = []

    def hear() -> None:
        heard.append(look.tokens.window)

    look.changed.connect(hear)
    look.set_preference("dark")
    assert look.dark
    assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(DARK.window)
    assert DARK.card in qapp.styleSheet()
    look.set_preference("light")
    assert not look.dark
    assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(LIGHT.window)
    assert DARK.card not in qapp.styleSheet()
    look.set_preference("light")
    look.refresh()
    assert heard == [DARK.window, LIGHT.window]
    look.changed.disconnect(hear)


@pytest.mark.xserver
def test_auto_follows_the_system_live(xserver: XServer):
    """Qt's offscreen plug-in has no colour scheme; its KDE theme has."""
    script = """
import os
os.environ.update(XDG_CURRENT_DESKTOP="KDE", KDE_FULL_SESSION="1", KDE_SESSION_VERSION="6")
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication
from vxtray.gui.theme import theme
app = QApplication([])
look = theme()
look.changed.connect(lambda: print("changed"))
for scheme in (Qt.ColorScheme.Dark, Qt.ColorScheme.Light):
    app.styleHints().setColorScheme(scheme)  # as the system would
    app.processEvents()
    print(look.dark, app.palette().color(QPalette.ColorRole.Window).name())
"""
    heard = xserver.run(sys.executable, "-c", script).split()
    assert heard == ["changed", "True", DARK.window, "changed", "False", LIGHT.window]


def test_sizes_follow_the_font_but_never_shrink(look: Theme, qapp: QApplication, system_font):
    font = QFont(qapp.font())
    font.setPixelSize(26)
    system_font(font)
    assert look.scale == 2
    assert look.px(30) == 60
    assert qapp.font().pixelSize() == 26
    assert 'QLabel[role="heading"] { font-size: 40px' in qapp.styleSheet()
    font.setPixelSize(9)
    system_font(font)
    assert look.scale == 1
    assert qapp.font().pixelSize() == 13


def test_high_contrast_takes_only_the_systems_colours(look: Theme, qapp: QApplication, monkeypatch):
    look.set_preference("dark")
    # stands for the platform's answer, which cannot be given from here
    monkeypatch.setattr(module, "_wants_high_contrast", lambda _app: True)
    look.refresh()
    system = {qapp.palette().color(role).name() for role in QPalette.ColorRole if role.name != "NColorRoles"}
    assert set(look.tokens._asdict().values()) <= system
    assert DARK.window not in qapp.styleSheet()
    monkeypatch.undo()
    look.refresh()
    assert look.tokens is DARK
