"""The style sheet of the whole application, filled with the colours and lengths in force. GUI thread only."""

from string import Template
from typing import Protocol

from vxtray.core.paths import resource
from vxtray.gui.tokens import Tokens


class Look(Protocol):
    """What the sheet needs to know; ``theme.Theme`` is one."""

    tokens: Tokens
    dark: bool
    high_contrast: bool

    def px(self, size: float) -> int:
        """Return a length of the design at the scale of the system font."""


def style_sheet(look: Look) -> str:
    """Return the sheet for the colours, the scale and the contrast of a look."""
    values = {name: getattr(look.tokens, name) for name in Tokens._fields}
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
QListWidget[role="contents"] { background: $card; border: 1px solid $line; border-radius: 6px; outline: none;
  padding: $px4; color: $text; }
QListWidget[role="contents"]:focus { border-color: $accent; }
QListWidget[role="contents"]::item { padding: $px5 $px8; border-radius: 4px; color: $text; }
QListWidget[role="contents"]::item:selected { color: $text; background: $accent_soft; }
QListWidget[role="contents"]::item:disabled { color: $secondary; }
QTextBrowser { padding: 0; }
QTabWidget::pane { border: none; }
QTabBar { qproperty-drawBase: 0; background: transparent; }
QTabBar::tab { padding: $px6 $px4; margin-right: $px14; color: $secondary; background: transparent; border: none;
  border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:hover { color: $text; }
QTabBar:focus { outline: none; }
QTabBar::tab:focus { color: $accent; }
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
