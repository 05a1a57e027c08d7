"""What parts of the window know of the keyboard: when a focus ring is due, and how keys are called. GUI thread only."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence

_KEYS = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason, Qt.FocusReason.ShortcutFocusReason)


def came_by_keyboard(reason: Qt.FocusReason, before: bool) -> bool:
    """Return whether a focus ring is due; a window that comes back keeps what it had."""
    if reason in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason):
        return before
    return reason in _KEYS


def native(key: str) -> str:
    """Return how a keyboard of this system and language names a key."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
