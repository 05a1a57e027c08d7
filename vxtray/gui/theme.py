"""The look: the object that applies colours, type sizes and the style sheet to the application.

GUI thread only. ``Theme`` follows the system's colour scheme while it runs, and steps back to the system's own palette
when the platform asks for high contrast. Widgets read ``theme()`` when they paint, so they need no signal of their own.
"""

from typing import ClassVar, Literal, cast

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

from vxtray.gui.style_sheet import style_sheet
from vxtray.gui.tokens import DARK, LIGHT, PAIRS, Tokens, contrast

__all__ = ["BODY", "DARK", "LIGHT", "PAIRS", "Preference", "Theme", "Tokens", "contrast", "theme"]

Preference = Literal["auto", "light", "dark"]

#: Body text in px at scale 1; the other sizes keep their distance to it.
BODY = 13


class Theme(QObject):
    """Colours and sizes in force, applied to the whole application.

    Signals: ``changed`` after the palette and the style sheet were applied anew.
    """

    changed = Signal()

    _current: ClassVar["Theme | None"] = None

    def __init__(self, app: QApplication, preference: Preference = "auto") -> None:
        super().__init__(app)
        Theme._current = self
        self._app = app
        self._preference: Preference = preference
        self.tokens = LIGHT
        self.dark = False
        self.high_contrast = False
        self.scale = 1.0
        app.setStyle("Fusion")  # the same drawing on every platform
        hints = app.styleHints()
        hints.colorSchemeChanged.connect(self.refresh)
        if hasattr(hints, "accessibility"):  # Qt 6.10 and later
            hints.accessibility().contrastPreferenceChanged.connect(self.refresh)
        self._ask_platform()
        self.refresh()

    @property
    def preference(self) -> Preference:
        """What the setting ``general.theme`` says."""
        return self._preference

    def set_preference(self, preference: Preference) -> None:
        """Follow the setting ``general.theme``; an equal value is no change."""
        if preference != self._preference:
            self._preference = preference
            self._ask_platform()
            self.refresh()

    def px(self, size: float) -> int:
        """Return a length of the design in device-independent pixels at the scale of the system font."""
        return round(size * self.scale)

    def colour(self, token: str) -> QColor:
        """Return the colour of a token of ``Tokens``."""
        return QColor(cast("str", getattr(self.tokens, token)))

    def refresh(self) -> None:
        """Read the system's scheme, contrast and font again and apply them; cheap when nothing differs."""
        before = (self.tokens, self.scale, self._app.font().family())
        self.high_contrast = _wants_high_contrast(self._app)
        self.dark = self._wants_dark()
        font = _system_font()
        # never below the design's size: Windows says 12 px, macOS 13, GNOME 14.7
        self.scale = max(1.0, QFontInfo(font).pixelSize() / BODY)
        if self.high_contrast:
            self._app.setPalette(QPalette())  # back to the platform's own, which is then read
            self.tokens = Tokens.from_palette(self._app.palette())
        else:
            self.tokens = DARK if self.dark else LIGHT
        if before == (self.tokens, self.scale, font.family()) and self._app.styleSheet():
            return
        if not self.high_contrast:
            self._app.setPalette(_palette(self.tokens))
        font.setPixelSize(self.px(BODY))
        self._app.setFont(font)
        self._app.setStyleSheet(style_sheet(self))
        self.changed.emit()

    def _ask_platform(self) -> None:
        """Let title bars and native dialogs follow the setting as well."""
        hints = self._app.styleHints()
        if self._preference == "auto":
            hints.unsetColorScheme()
        else:
            hints.setColorScheme(Qt.ColorScheme.Dark if self._preference == "dark" else Qt.ColorScheme.Light)

    def _wants_dark(self) -> bool:
        if self._preference == "auto":
            return self._app.styleHints().colorScheme() is Qt.ColorScheme.Dark
        return self._preference == "dark"


def theme() -> Theme:
    """Return the application's one theme, made on first use; needs a ``QApplication``."""
    current = Theme._current  # noqa: SLF001 - the module's own class
    if current is None or not isValid(current):
        current = Theme(cast("QApplication", QCoreApplication.instance()))
    return current


def _system_font() -> QFont:
    return QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)


def _wants_high_contrast(app: QApplication) -> bool:
    hints = app.styleHints()
    if not hasattr(hints, "accessibility"):
        return False
    return hints.accessibility().contrastPreference() is Qt.ContrastPreference.HighContrast


def _palette(tokens: Tokens) -> QPalette:
    role = QPalette.ColorRole
    colours = {
        role.Window: tokens.window,
        role.WindowText: tokens.text,
        role.Base: tokens.card,
        role.AlternateBase: tokens.window,
        role.Text: tokens.text,
        role.Button: tokens.card,
        role.ButtonText: tokens.text,
        role.BrightText: tokens.danger,
        role.ToolTipBase: tokens.card,
        role.ToolTipText: tokens.text,
        role.PlaceholderText: tokens.secondary,
        role.Highlight: tokens.accent,
        role.HighlightedText: tokens.on_accent,
        role.Accent: tokens.accent,
        role.Link: tokens.accent,
        role.LinkVisited: tokens.accent,
    }
    palette = QPalette(QColor(tokens.card), QColor(tokens.window))
    for which, colour in colours.items():
        palette.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(tokens.control))
    return palette
