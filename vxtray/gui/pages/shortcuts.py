"""Every key that works in the window, and the card of the Help page that shows them. GUI thread only."""

from typing import NamedTuple

from PySide6.QtWidgets import QWidget

from vxtray.core.texts import N_, _
from vxtray.gui.keyboard import native
from vxtray.gui.widgets import Card, Facts


class Shortcut(NamedTuple):
    """``keys`` as Qt writes them in settings (portable), any of which does what ``what`` (a message id) says."""

    keys: tuple[str, ...]
    what: str


_PAGES = tuple(f"Ctrl+{number}" for number in range(1, 10))

SHORTCUTS = (
    Shortcut(_PAGES, N_("Show the first page at the side, the second, and so on")),
    Shortcut(("Ctrl+F",), N_("Search, in Events, History and the guide")),
    Shortcut(("F5",), N_("Look again, and read the settings file again")),
    Shortcut(("Tab", "Shift+Tab"), N_("Go to the next control, or to the one before")),
    Shortcut(("Space",), N_("Press the button or the switch that has the frame")),
    Shortcut(("Return",), N_("Open the chosen mail; in a dialog, confirm")),
    Shortcut(("Del",), N_("Take the chosen mail of History out of the queue")),
    Shortcut(("Ctrl+C",), N_("Copy the chosen line of a table, or the chosen text")),
    Shortcut(("Esc",), N_("Close the details or the dialog")),
    Shortcut(("F1",), N_("Show the guide, where it speaks of what is shown")),
    Shortcut(("Alt+Left",), N_("In the guide, go back")),
    Shortcut(("Ctrl+W",), N_("Close the window; where there is a tray, vxtray goes on there")),
    Shortcut(("Ctrl+Q",), N_("Quit vxtray")),
)


def all_keys() -> frozenset[str]:
    """Return every key that is told, in Qt's portable writing."""
    return frozenset(key for shortcut in SHORTCUTS for key in shortcut.keys)


def hint(widget: QWidget, key: str) -> None:
    """Say in a control's tool tip which key leads to it, after its name."""
    widget.setToolTip(f"{widget.accessibleName()} ({native(key)})")


def keyboard_card() -> Card:
    """Return a card with the keys and what they do."""
    card = Card(_("Keyboard"))
    card.add(Facts((_keys(shortcut), _(shortcut.what)) for shortcut in SHORTCUTS))
    return card


def _keys(shortcut: Shortcut) -> str:
    """Return the keys; of a long row only the first and the last."""
    first, *more = map(native, shortcut.keys)
    if not more:
        return first
    return f"{first} … {more[-1]}" if len(more) > 1 else f"{first}, {more[0]}"
