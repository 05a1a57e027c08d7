"""The look: colour tokens, type sizes, the style sheet, and the object that applies them to the application.

GUI thread only. ``Theme`` follows the system's colour scheme while it runs, and steps back to the system's own palette
when the platform asks for high contrast. Widgets read ``theme()`` when they paint, so they need no signal of their own.
"""

from dataclasses import dataclass
from string import Template
from typing import ClassVar, Literal, cast

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

from vxtray.core.paths import resource

Preference = Literal["auto", "light", "dark"]

#: Body text in px at scale 1; the other sizes keep their distance to it.
BODY = 13


@dataclass(frozen=True, slots=True)
class Tokens:
    """Colours by purpose, each ``#rrggbb``. ``x_soft`` is the ground on which ``x`` is written."""

    accent: str
    accent_soft: str
    accent_hover: str
    on_accent: str
    good: str
    good_soft: str
    warning: str
    warning_soft: str
    danger: str
    danger_soft: str
    on_danger: str
    text: str
    secondary: str
    window: str
    sidebar: str
    card: str
    line: str
    hover: str
    button_line: str  # only an ornament: a button is known by its words
    control: str  # outlines of fields, and toggles that are off

    @classmethod
    def from_palette(cls, palette: QPalette) -> "Tokens":
        """Return the system's own colours, for high contrast: no soft tones, every line at full strength."""
        role = QPalette.ColorRole
        wanted = (role.Text, role.Base, role.Highlight, role.HighlightedText, role.Window, role.WindowText)
        text, base, accent, on_accent, window, window_text = (palette.color(which).name() for which in wanted)
        return cls(
            accent=accent,
            accent_soft=base,
            accent_hover=accent,
            on_accent=on_accent,
            good=text,
            good_soft=base,
            warning=text,
            warning_soft=base,
            danger=text,
            danger_soft=base,
            on_danger=base,
            text=window_text,
            secondary=window_text,
            window=window,
            sidebar=window,
            card=base,
            line=window_text,
            hover=base,
            button_line=window_text,
            control=window_text,
        )


LIGHT = Tokens(
    accent="#0b5fa5",
    accent_soft="#cfe0ef",
    accent_hover="#094f8a",
    on_accent="#ffffff",
    good="#146c43",
    good_soft="#e3f4ea",
    warning="#8a5a00",
    warning_soft="#fff1d6",
    danger="#b3261e",
    danger_soft="#fde7e5",
    on_danger="#ffffff",
    text="#1b2430",
    secondary="#5d6a79",
    window="#f5f7f9",
    sidebar="#ecf0f3",
    card="#ffffff",
    line="#e1e6eb",
    hover="#f0f4f8",
    button_line="#c3ccd5",
    control="#87929e",
)

DARK = Tokens(
    accent="#6cb2f0",
    accent_soft="#24405a",
    accent_hover="#8ec5f5",
    on_accent="#0f1a24",
    good="#7bd3a4",
    good_soft="#143626",
    warning="#f0c26a",
    warning_soft="#3d2e0c",
    danger="#ff9a92",
    danger_soft="#45191a",
    on_danger="#2a0d0c",
    text="#e7ecf1",
    secondary="#a3afbc",
    window="#171c22",
    sidebar="#12171c",
    card="#1f262e",
    line="#303a45",
    hover="#28313b",
    button_line="#47535f",
    control="#717e8c",
)

#: (foreground, background, least contrast): WCAG 2.2 AA, 4.5 for text (1.4.3) and 3 for parts of controls (1.4.11).
PAIRS: tuple[tuple[str, str, float], ...] = (
    *((ink, ground, 4.5) for ink in ("text", "secondary", "accent") for ground in ("window", "card", "hover")),
    *((ink, "sidebar", 4.5) for ink in ("text", "secondary")),
    *((ink, ground, 4.5) for ink in ("good", "warning", "danger") for ground in ("window", "card")),
    *((ink, f"{ink}_soft", 4.5) for ink in ("accent", "good", "warning", "danger")),
    *(("text", f"{kind}_soft", 4.5) for kind in ("accent", "good", "warning", "danger")),
    ("on_accent", "accent", 4.5),
    ("on_accent", "accent_hover", 4.5),
    ("on_danger", "danger", 4.5),
    ("control", "card", 3.0),
)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two ``#rrggbb`` colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


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
        self._app.setStyleSheet(_style_sheet(self))
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


def _style_sheet(look: Theme) -> str:
    values = {name: getattr(look.tokens, name) for name in Tokens.__slots__}
    values |= {f"px{n}": f"{look.px(n)}px" for n in (4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 18, 20, 22, 24, 28)}
    # the thicker border of a field that has the focus takes its room from inside
    values |= {"focus_height": f"{look.px(28) - 2}px", "focus_padding": f"{look.px(8) - 1}px"}
    # the style adds 3 px to what a spin box asks for
    values |= {"spin_height": f"{look.px(28) - 3}px", "spin_focus_height": f"{look.px(28) - 5}px"}
    values |= {"radio": f"{(look.px(14) + 2) // 2}px"}
    values |= {name: resource(f"icons/chevron-{name}.svg").as_posix() for name in ("up", "down")}
    values |= {"tick": resource(f"icons/tick-{'dark' if look.dark else 'light'}.svg").as_posix()}
    values |= {"frame": look.tokens.line if look.high_contrast else "transparent"}
    # in high contrast the system's colours fit the style's own boxes, not our tick
    return Template(_SHEET if look.high_contrast else _SHEET + _BOXES).substitute(values)


# Lengths that are part of the drawing (borders, radii) do not grow with the font.
_SHEET = """
QToolTip { color: $text; background: $card; border: 1px solid $line; padding: $px4; }

QLabel[role="heading"] { font-size: $px20; font-weight: 600; }
QLabel[role="figure"] { font-size: $px22; font-weight: 600; }
QLabel[role="strong"] { font-size: $px13; font-weight: 600; }
QLabel[role="muted"] { font-size: $px13; color: $secondary; }
QLabel[role="secondary"] { font-size: $px12; color: $secondary; }
QLabel[role="trouble"] { font-size: $px12; color: $danger; }
QLabel[role="pill"] { font-size: $px12; font-weight: 600; }

Page { background: $window; border: none; }
Page > QWidget > QWidget#column { background: $window; }
Card { background: $card; border: 1px solid $line; border-radius: 8px; }
QFrame[role="separator"] { background: $line; border: none; max-height: 1px; min-height: 1px; }
SideBar { padding: $px14 0; background: $sidebar; border: none; border-right: 1px solid $line; }

Banner { border: 1px solid $frame; border-radius: 8px; }
Banner[kind="info"] { background: $accent_soft; }
Banner[kind="good"] { background: $good_soft; }
Banner[kind="warning"] { background: $warning_soft; }
Banner[kind="danger"] { background: $danger_soft; }

QPushButton { min-height: $px28; padding: 0 $px14; color: $text; background: $card;
  border: 1px solid $button_line; border-radius: 6px; font-weight: 500; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $accent_soft; }
QPushButton:disabled { color: $control; border-color: $line; }
QPushButton[look="primary"] { color: $on_accent; background: $accent; border-color: $accent; }
QPushButton[look="primary"]:hover, QPushButton[look="primary"]:pressed { background: $accent_hover;
  border-color: $accent_hover; }
QPushButton[look="primary"]:disabled { color: $secondary; background: $line; border-color: $line; }
QPushButton[look="link"] { color: $accent; background: transparent; border-color: transparent; padding: 0 $px4; }
QPushButton[look="link"]:hover { text-decoration: underline; }
QPushButton[look="link"]:disabled { color: $control; }
QPushButton[opensMenu="true"] { padding-right: $px22; }
QPushButton::menu-indicator { image: url("$down"); width: $px10; height: $px10;
  subcontrol-origin: padding; subcontrol-position: center right; right: $px12; }

QLineEdit, QComboBox, QAbstractSpinBox { min-height: $px28; padding: 0 $px8; color: $text; background: $card;
  border: 1px solid $control; border-radius: 6px; selection-color: $on_accent; selection-background-color: $accent;
  placeholder-text-color: $secondary; }
QPlainTextEdit, QTextEdit { padding: $px4; color: $text; background: $card; border: 1px solid $control;
  border-radius: 6px; selection-color: $on_accent; selection-background-color: $accent; }
QLineEdit:focus, QComboBox:focus, QAbstractSpinBox:focus { border: 2px solid $accent;
  padding: 0 $focus_padding; min-height: $focus_height; }
QComboBox { padding-left: $px10; }
QAbstractSpinBox { min-height: $spin_height; }
QAbstractSpinBox:focus { min-height: $spin_focus_height; }
QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus, QComboBox QLineEdit, QComboBox QLineEdit:focus {
  min-height: 0; padding: 0; border: none; background: transparent; }
QPlainTextEdit:focus, QTextEdit:focus { border: 2px solid $accent; }
QLineEdit[invalid="true"], QPlainTextEdit[invalid="true"] { border-color: $danger; }
QLineEdit:disabled, QComboBox:disabled, QAbstractSpinBox:disabled { color: $control; background: $window;
  border-color: $line; }
QComboBox:focus { padding-left: $px9; }
QComboBox::drop-down { border: none; width: $px28; }
QComboBox::down-arrow { image: url("$down"); width: $px10; height: $px10; }
QComboBox QAbstractItemView { color: $text; background: $card; border: 1px solid $line; outline: none;
  selection-color: $on_accent; selection-background-color: $accent; }
QDateEdit::drop-down { border: none; background: transparent; width: $px24; }
QDateEdit::down-arrow { image: url("$down"); width: $px10; height: $px10; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { border: none; background: transparent; width: $px20; }
QAbstractSpinBox::up-arrow { image: url("$up"); width: $px8; height: $px8; }
QAbstractSpinBox::down-arrow { image: url("$down"); width: $px8; height: $px8; }

QMenu { color: $text; background: $card; border: 1px solid $line; padding: $px4; }
QMenu::item { padding: $px5 $px28 $px5 $px14; border-radius: 4px; }
QMenu::item:selected { color: $on_accent; background: $accent; }
QMenu::item:disabled { color: $control; background: transparent; }
QMenu::separator { height: 1px; background: $line; margin: $px4 $px8; }

QTableView, QTreeView { background: $card; border: none; gridline-color: $line; outline: none; color: $text;
  selection-color: $text; selection-background-color: $accent_soft; }
QTableView::item, QTreeView::item { border-bottom: 1px solid $line; padding: 0 $px5; }
QTableView::item:selected, QTreeView::item:selected { color: $text; background: $accent_soft; }
QHeaderView { background: $card; border: none; }
QHeaderView::section { color: $secondary; background: $card; border: none; border-bottom: 1px solid $line;
  padding: $px4 $px8; font-size: $px12; font-weight: 400; }

QProgressBar { min-height: $px6; max-height: $px6; border: none; border-radius: 3px; background: $line; }
QProgressBar::chunk { border-radius: 3px; background: $accent; }

QScrollBar, QAbstractScrollArea::corner { background: transparent; border: none; }
QScrollBar:vertical { width: 12px; }
QScrollBar:horizontal { height: 12px; }
QScrollBar::handle { background: $control; margin: 3px; border-radius: 3px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
"""

_BOXES = """
QCheckBox, QRadioButton { spacing: $px8; }
QCheckBox::indicator, QRadioButton::indicator { width: $px14; height: $px14; background: $card;
  border: 1px solid $control; }
QCheckBox::indicator { border-radius: 4px; }
QRadioButton::indicator { border-radius: $radio; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url("$tick"); }
QRadioButton::indicator:checked { border: $px5 solid $accent; width: $px6; height: $px6; }
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border-color: $accent; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { background: $window; border-color: $line; }
"""
