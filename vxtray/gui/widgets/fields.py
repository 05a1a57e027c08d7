"""Fields for numbers, times and choices that leave the wheel to the page until they have the focus. GUI thread only."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QDateTime, QEvent, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QDateTimeEdit, QSpinBox, QTimeEdit, QWidget

from vxtray.core import texts
from vxtray.gui.theme import theme


def mark(field: QWidget, *, wrong: bool) -> None:
    """Show a field's outline in the colour of a fault, or as usual; the reason stands beside it in words."""
    field.setProperty("invalid", wrong)
    field.style().unpolish(field)
    field.style().polish(field)


def _indent(field: QAbstractSpinBox) -> None:
    # the style sheet's padding widens a spin box but does not move its text
    field.lineEdit().setTextMargins(theme().px(8), 0, 0, 0)


if TYPE_CHECKING:
    _Box = QAbstractSpinBox
else:
    _Box = object  # two bases of Qt in one class would be two widgets


class _SpinField(_Box):
    """What both spin boxes do; to be named before the box of Qt."""

    def _prepare(self) -> None:
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        _indent(self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Change by the wheel only with the focus: scrolling the page must not alter a setting."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def changeEvent(self, event: QEvent) -> None:
        """Keep the indent in step with the font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            _indent(self)


class NumberField(_SpinField, QSpinBox):
    """A whole number between two limits."""

    def __init__(self, low: int, high: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(low, high)
        self._prepare()


class TimeField(_SpinField, QTimeEdit):
    """A time of day, hours and minutes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDisplayFormat("HH:mm")
        self._prepare()


class MomentField(_SpinField, QDateTimeEdit):
    """A day and a time on this machine's clock."""

    def __init__(self, name: str, moment: datetime, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.show_moment(moment)
        self.setAccessibleName(name)
        self.setDisplayFormat("dd/MM/yyyy HH:mm" if texts.current() == "fr" else "yyyy-MM-dd HH:mm")
        self._prepare()

    def moment(self) -> datetime:
        """Return the time that is shown, aware."""
        return datetime.fromtimestamp(self.dateTime().toSecsSinceEpoch(), UTC)

    def show_moment(self, moment: datetime) -> None:
        """Show another time."""
        self.setDateTime(QDateTime.fromSecsSinceEpoch(int(moment.timestamp())))


class ChoiceField(QComboBox):
    """One of a few; add them with ``addItem(text, value)``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def setAccessibleName(self, name: str) -> None:
        """Give it a name, which is its description as well: on Unix, Qt tells the chosen entry as the name.

        WORKAROUND: QAccessibleComboBox::text, https://doc.qt.io/qt-6/accessible.html
        """
        super().setAccessibleName(name)
        self.setAccessibleDescription(name)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Change by the wheel only with the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()
