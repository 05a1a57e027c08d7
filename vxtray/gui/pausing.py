"""The small dialog that asks until when alert mails are held. GUI thread only."""

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from vxtray.core.texts import _
from vxtray.gui.icons import app_icon
from vxtray.gui.widgets import MomentField, button, label_for, mark, plain_label, primary_button


class PauseDialog(QDialog):
    """A moment, and whether critical alerts are held as well.

    Signals: ``chosen(until, everything)`` with an aware moment to come.
    """

    chosen = Signal(object, bool)

    def __init__(
        self, until: datetime, clock: Callable[[], datetime], *, everything: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._clock = clock
        self.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, on=False)
        self.setWindowTitle(_("Pause alert mails"))
        self.setWindowIcon(app_icon())  # the window, from which it would be taken, may never have been shown
        self.until = MomentField(_("Until"), until)
        self.everything = QCheckBox(_("Critical ones too"))
        self.everything.setChecked(everything)
        self.fault = plain_label(_("This moment is over. Choose a later one."), "trouble")
        self.fault.hide()
        self.pause, cancel = primary_button(_("Pause")), button(_("Cancel"))
        self.pause.setDefault(True)
        self.pause.clicked.connect(self._pause)
        cancel.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addWidget(label_for(self.until, _("Until")))
        row.addWidget(self.until, 1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.pause)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(plain_label(_("What happens meanwhile is counted and told in one mail afterwards.")))
        column.addLayout(row)
        column.addWidget(self.fault)
        column.addWidget(self.everything)
        column.addLayout(buttons)

    @Slot()
    def _pause(self) -> None:
        until = self.until.moment()
        past = until <= self._clock()
        self.fault.setVisible(past)
        mark(self.until, wrong=past)
        if not past:
            self.chosen.emit(until, self.everything.isChecked())
            self.accept()
