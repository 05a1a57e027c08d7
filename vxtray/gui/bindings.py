"""Ties a control to one setting: what the person changes is saved at once, what others change is shown at once.

GUI thread only. An equal value is no change in the model, so no signal is ever blocked. Where saving fails, the
control returns to what the model holds and the reason is told.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from PySide6.QtCore import QEvent, QObject, QTime, QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QSpinBox, QTimeEdit, QWidget

from vxtray.core.errors import VxtrayError
from vxtray.core.settings.keys import split_list, typed_value
from vxtray.core.settings.model import Change, SettingsModel
from vxtray.gui.following import follow
from vxtray.gui.widgets import ToggleRow

__all__ = [
    "Told",
    "bind_choice",
    "bind_list",
    "bind_number",
    "bind_row",
    "bind_text",
    "bind_time",
    "bind_toggle",
    "follow",
]

T = TypeVar("T")

#: Where the reason of a failed save goes; None means that a save went well.
Told = Callable[[VxtrayError | None], None]

_TYPING_MS = 500


class _Binding(QObject):
    """One control and one key; lives and dies with the control."""

    def __init__(
        self, control: QObject, model: SettingsModel, key: str, show: Callable[[Any], None], told: Told
    ) -> None:
        super().__init__(control)
        self._model = model
        self._key = key
        self._show = show
        self._told = told
        follow(control, model, self._changed)
        self.refresh()

    def save(self, value: object) -> None:
        """Save what the person chose, or put the control back and say why not."""
        if value == typed_value(self._model.current, self._key):
            return
        try:
            self._model.update({self._key: value})
        except VxtrayError as error:
            self.refresh()
            self._told(error)
        else:
            self._told(None)

    def refresh(self) -> None:
        """Show what the model holds."""
        self._show(typed_value(self._model.current, self._key))

    def _changed(self, change: Change) -> None:
        if self._key in change.keys:
            self.refresh()


def bind_toggle(control: QAbstractButton | QAction, model: SettingsModel, key: str, told: Told) -> None:
    """Tie a switch or a checkable menu entry to a yes/no setting."""
    binding = _Binding(control, model, key, control.setChecked, told)
    control.toggled.connect(binding.save)


def bind_row(row: ToggleRow, model: SettingsModel, key: str, told: Told) -> None:
    """Tie a row's switch to a setting; why a save failed stands in the row itself."""

    def tell(error: VxtrayError | None) -> None:
        from vxtray.core import texts

        row.clear_trouble() if error is None else row.show_trouble(f"{texts.title(error)} {texts.advice(error)}")
        told(error)

    bind_toggle(row.toggle, model, key, tell)


def bind_choice(
    control: QComboBox, model: SettingsModel, key: str, choices: Sequence[tuple[object, str]], told: Told
) -> None:
    """Tie a list to a setting; ``choices`` are values and their words."""
    values = [value for value, _words in choices]
    for _value, words in choices:
        control.addItem(words)

    def show(value: object) -> None:
        control.setCurrentIndex(values.index(value) if value in values else -1)

    binding = _Binding(control, model, key, show, told)
    control.activated.connect(lambda index: binding.save(values[index]))


def bind_time(control: QTimeEdit, model: SettingsModel, key: str, told: Told) -> None:
    """Tie a time of day to a setting; saved when the person pauses or leaves, not at each digit."""
    binding = _Binding(control, model, key, lambda text: control.setTime(QTime.fromString(text, "HH:mm")), told)
    _when_settled(control, control.timeChanged, lambda: binding.save(control.time().toString("HH:mm")))
    control.editingFinished.connect(lambda: binding.save(control.time().toString("HH:mm")))


def bind_number(control: QSpinBox, model: SettingsModel, key: str, told: Told) -> None:
    """Tie a number to a setting; saved when the person pauses or leaves."""
    binding = _Binding(control, model, key, control.setValue, told)
    _when_settled(control, control.valueChanged, lambda: binding.save(control.value()))
    control.editingFinished.connect(lambda: binding.save(control.value()))


def bind_list(control: QLineEdit, model: SettingsModel, key: str, told: Told) -> None:
    """Tie a line of addresses to a setting; saved on leaving. A wrong address stays in the line, to be mended."""
    _bind_line(control, model, key, split_list, ", ".join, told)


def bind_text(control: QLineEdit, model: SettingsModel, key: str, told: Told) -> None:
    """Tie a line to a text setting; saved on leaving. A wrong text stays in the line, to be mended."""
    _bind_line(control, model, key, str.strip, str, told)


def _bind_line(
    control: QLineEdit,
    model: SettingsModel,
    key: str,
    read: Callable[[str], object],
    write: Callable[[Any], str],
    told: Told,
) -> None:
    binding = _Binding(control, model, key, lambda value: control.setText(write(value)), told)
    wrong = False

    def finished() -> None:
        nonlocal wrong
        typed = read(control.text())
        same = typed == typed_value(model.current, key)
        try:
            if not same:
                model.update({key: typed})
        except VxtrayError as error:
            wrong = True
            told(error)
            return
        if wrong or not same:  # leaving an untouched line saves nothing, and says nothing
            wrong = False
            binding.refresh()
            told(None)

    control.editingFinished.connect(finished)


class _LeaveFilter(QObject):
    """Calls back when a control loses the focus or is hidden, so that nothing typed waits for a timer."""

    def __init__(self, control: QWidget, call: Callable[[], None]) -> None:
        super().__init__(control)
        self._call = call
        control.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Watch without taking anything."""
        if event.type() in {QEvent.Type.FocusOut, QEvent.Type.Hide}:
            self._call()
        return False


def _when_settled(control: QWidget, changed: Any, save: Callable[[], None]) -> None:
    timer = QTimer(control)
    timer.setSingleShot(True)
    timer.setInterval(_TYPING_MS)
    timer.timeout.connect(save)
    changed.connect(lambda *_value: timer.start())

    def now() -> None:
        if timer.isActive():
            timer.stop()
            save()

    _LeaveFilter(control, now)
