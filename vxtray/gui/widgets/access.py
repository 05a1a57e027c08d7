"""For keyboards and screen readers: labels that belong to their fields, and a Tab key that follows reading.

GUI thread only.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QWidget

from vxtray.gui.widgets.labels import PlainLabel, plain_label


def label_for(field: QWidget, text: str) -> PlainLabel:
    """Return a label on one line that belongs to a field, or to the first field within ``field``."""
    label = plain_label(text, "muted", wrap=False)
    label.setBuddy(next(iter(_stops((field,))), field))
    return label


def read_in_order(parts: Iterable[QWidget]) -> None:
    """Let the Tab key go through these parts one after the other, whenever each of them was made.

    Qt goes by the order in which widgets were made; within a part the order that it has stays.
    """
    for before, after in pairwise(_stops(parts)):
        QWidget.setTabOrder(before, after)


def _stops(parts: Iterable[QWidget]) -> list[QWidget]:
    """Return what takes the focus by the Tab key; the line within a number or a list is a part of it."""
    return [
        widget
        for part in parts
        for widget in _chain(part)
        if widget.focusPolicy().value & Qt.FocusPolicy.TabFocus.value
        and not isinstance(widget.parentWidget(), QAbstractSpinBox | QComboBox)
    ]


def _chain(part: QWidget) -> Iterator[QWidget]:
    """Yield a widget and all within it, in the order of the Tab key."""
    yield part
    left = set(part.findChildren(QWidget))  # the chain goes around the whole window
    widget = part.nextInFocusChain()
    while left and widget is not None and widget is not part:
        if widget in left:
            left.remove(widget)
            yield widget
        widget = widget.nextInFocusChain()
