"""What stands in the way of people who use no mouse or no eyes, found in a window that is shown.

Each check returns complaints, empty where all is well. ``told`` are widgets with their place in words, for a message.
"""

import itertools
from collections.abc import Iterator

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QRadioButton,
    QTableView,
    QWidget,
)

from vxtray.gui.widgets import Banner, Pill

_FIELDS = (QLineEdit, QComboBox, QAbstractSpinBox, QPlainTextEdit)


def stops(top: QWidget) -> list[QWidget]:
    """Return what the Tab key shall lead to."""
    return [widget for widget in top.findChildren(QWidget) if _stops(widget, top)]


def _stops(widget: QWidget, top: QWidget) -> bool:
    tabbed = bool(widget.focusPolicy().value & Qt.FocusPolicy.TabFocus.value)
    there = tabbed and widget.isVisible() and widget.isEnabled() and widget.window() is top
    if not there or widget.focusProxy() is not None or _is_inner(widget):
        return False
    # of a group of choices, Tab leads to the chosen one and the arrow keys to the others
    return not isinstance(widget, QRadioButton) or widget.isChecked()


def _is_inner(widget: QWidget) -> bool:
    """Tell whether a widget is a part of another one, which is what is spoken of."""
    parent = widget.parentWidget()
    return isinstance(parent, QAbstractSpinBox | QComboBox)


def told(widget: QWidget) -> str:
    """Return what a message calls a widget."""
    text = getattr(widget, "text", None)
    said = (spoken(widget) or (text() if callable(text) else ""))[:50]
    above = next((one.accessibleName() for one in _up(widget) if one.accessibleName()), "")
    return f"{type(widget).__name__} {said!r} in {above[:40]!r}"


def _up(widget: QWidget) -> Iterator[QWidget]:
    parent = widget.parentWidget()
    while parent is not None:
        yield parent
        parent = parent.parentWidget()


def spoken(widget: QWidget) -> str:
    """Return the name that assistive technology is given."""
    if widget.accessibleName():
        return widget.accessibleName()
    if isinstance(widget, QComboBox):  # Qt on Unix gives the chosen entry as the name, and the name as a relation
        return ""
    found = QAccessible.queryAccessibleInterface(widget)
    return found.text(QAccessible.Text.Name) if found is not None else ""


def nameless(top: QWidget) -> list[str]:
    """Return what can be reached and has no name."""
    return [told(widget) for widget in stops(top) if not spoken(widget).strip()]


def alike(top: QWidget) -> list[str]:
    """Return what cannot be told apart: the same kind, name and description twice (WCAG 2.4.4, 2.4.6)."""
    seen: dict[tuple[type, str, str], QWidget] = {}
    found = []
    for widget in stops(top):
        key = type(widget), spoken(widget), widget.accessibleDescription()
        if key in seen:
            found.append(f"{told(widget)} twice")
        seen[key] = widget
    return found


def unlabelled(top: QWidget) -> list[str]:
    """Return the fields that no label belongs to, where words stand beside them (WCAG 1.3.1, 3.3.2)."""
    labels = [label for label in top.findChildren(QLabel) if label.isVisible() and label.text().strip()]
    buddies = {label.buddy() for label in labels}
    found = []
    for widget in top.findChildren(QWidget):
        if isinstance(widget, _FIELDS) and widget.isVisible() and not _is_inner(widget) and widget not in buddies:
            if isinstance(widget, QLineEdit | QPlainTextEdit) and widget.isReadOnly():
                continue
            if beside := [label.text() for label in labels if _stands_before(label, widget) and label.buddy() is None]:
                found.append(f"{told(widget)}: {beside[0][:30]!r} is not its buddy")
    return found + [
        f"{label.text()!r} is nobody's buddy"
        for form in top.findChildren(QFormLayout)
        for label in _labels_of(form)
        if label.isVisible() and label.text() and label.buddy() is None
    ]


def _labels_of(form: QFormLayout) -> Iterator[QLabel]:
    for row in range(form.rowCount()):
        item = form.itemAt(row, QFormLayout.ItemRole.LabelRole)
        if item is not None and isinstance(label := item.widget(), QLabel):
            yield label


def _stands_before(label: QLabel, field: QWidget) -> bool:
    """Tell whether a short label stands in the same row, next to the field and to its left."""
    words, box = _place(label), _place(field)
    level = words.top() < box.bottom() and box.top() < words.bottom()
    return level and -4 <= box.left() - words.right() <= 40 and not label.wordWrap()


def _place(widget: QWidget) -> QRect:
    return QRect(widget.mapToGlobal(QPoint(0, 0)), widget.size())


# --- by the keyboard -------------------------------------------------------------------------------------------------


def tabbed(top: QWidget) -> list[QWidget]:
    """Press Tab from the first control at the top until it comes around, and return where it led."""
    there = stops(top)
    first = next(one for one in there if not any(_is_before(other, one) for other in there))
    first.setFocus(Qt.FocusReason.TabFocusReason)
    way = [first]
    for _step in range(400):
        at = QApplication.focusWidget()
        QTest.keyClick(at if at is not None else top, Qt.Key.Key_Tab)
        QApplication.processEvents()
        now = QApplication.focusWidget()
        while now is not None and _is_inner(now):
            now = now.parentWidget()
        if now is way[-1]:  # to the next part of a date or a time
            continue
        if now is None or now in way:
            return way
        way.append(now)
    return way


def _is_before(one: QWidget, other: QWidget) -> bool:
    """Tell whether a widget is read before another: above it, or to its left in the same row."""
    first, second = _place(one), _place(other)
    level = first.top() < second.bottom() and second.top() < first.bottom()
    return first.right() <= second.left() if level else first.bottom() <= second.top()


def unreached(top: QWidget, way: list[QWidget]) -> list[str]:
    """Return what the Tab key never led to."""
    reached = {id(widget) for widget in way}
    return [told(widget) for widget in stops(top) if id(widget) not in reached]


def out_of_order(way: list[QWidget]) -> list[str]:
    """Return where Tab goes back: up, or to the left in the same row (WCAG 2.4.3); the way around does not count."""
    found = []
    for before, after in itertools.pairwise(way):
        was, now = _place(before), _place(after)
        level = was.top() < now.bottom() and now.top() < was.bottom()
        up = now.bottom() <= was.top() and now.left() < was.right()  # up to another column is reading on
        if up or (level and now.right() <= was.left()):
            found.append(f"from {told(before)} back to {told(after)}")
    return found


def clashing(top: QWidget) -> list[str]:
    """Return mnemonics (Alt and a letter) that two controls of a window share."""
    seen: dict[str, str] = {}
    found = []
    for widget in top.findChildren(QWidget):
        if isinstance(widget, QAbstractButton | QLabel) and widget.isVisible() and widget.window() is top:
            if isinstance(widget, QLabel) and widget.buddy() is None:
                continue  # its "&" is only a character
            text = widget.text().replace("&&", "")
            letter = text.partition("&")[2][:1].lower()
            if letter and letter in seen:
                found.append(f"Alt+{letter}: {seen[letter]!r} and {text!r}")
            seen[letter] = text
    return found


def headless(top: QWidget) -> list[str]:
    """Return tables whose columns have no words to be spoken of."""
    found = []
    for table in top.findChildren(QTableView):
        if table.isVisible():
            model = table.model()
            heads = [model.headerData(at, Qt.Orientation.Horizontal) for at in range(model.columnCount())]
            if not all(str(head or "").strip() for head in heads):
                found.append(f"{told(table)}: {heads}")
    return found


def wordless(top: QWidget) -> list[str]:
    """Return states that only a colour would tell (WCAG 1.4.1)."""
    shown = [one for one in (*top.findChildren(Pill), *top.findChildren(Banner)) if one.isVisible()]
    return [told(one) for one in shown if not one.text().strip()]


def complaints(top: QWidget) -> list[str]:
    """Return everything that the checks above find in a window, but for the way of the Tab key."""
    return [
        *(f"no name: {one}" for one in nameless(top)),
        *(f"alike: {one}" for one in alike(top)),
        *(f"no label: {one}" for one in unlabelled(top)),
        *(f"mnemonic: {one}" for one in clashing(top)),
        *(f"no column heads: {one}" for one in headless(top)),
        *(f"no word: {one}" for one in wordless(top)),
    ]


def way_complaints(top: QWidget) -> list[str]:
    """Return what is wrong with the way of the Tab key through a window."""
    if not stops(top):
        return []
    way = tabbed(top)
    return [
        *(f"not reached: {one}" for one in unreached(top, way)),
        *(f"order: {one}" for one in out_of_order(way)),
    ]
