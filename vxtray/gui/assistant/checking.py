"""The staged check within a step, and what a person can change after it failed. GUI thread; it runs on ``vx-task``."""

from collections.abc import Callable

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from vxtray.core.credentials import Secret
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.certificates import Shown, keep
from vxtray.core.settings.tree import Smtp
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.doctor_view import DoctorView, Examination
from vxtray.gui.trusting import asks_to_trust


class Checking(QWidget):
    """The doctor's view with a check of its own.

    Signals: ``stepped`` for each row; ``ended(good)``; ``changes_wanted(dict)`` with the settings below ``smtp.`` that
    the person wants to try next.
    """

    stepped = Signal()
    ended = Signal(bool)
    changes_wanted = Signal(dict)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._smtp = Smtp()
        self._examination: Examination | None = None
        self.running = False
        self.view = DoctorView()
        self.view.remedy_wanted.connect(self.changes_wanted)
        self.view.trust_wanted.connect(self._trust)
        self.view.ca_file_wanted.connect(self._choose_ca_file)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view)
        self.hide()  # an empty widget would take a gap

    def clear(self) -> None:
        """Show nothing."""
        self.view.hide()
        self.hide()

    def start(self, smtp: Smtp, secret: Callable[[], Secret | None]) -> None:
        """Check these settings; ``secret`` is asked for on the other thread."""
        self.halt()
        self._smtp, self.running = smtp, True
        examination = self._examination = Examination(self._context.bridge, self)
        self.view.follow(examination, smtp)
        self.show()
        examination.stepped.connect(self.stepped)
        examination.finished.connect(self._end)
        examination.failed.connect(self._fail)
        examination.start(smtp, secret)
        self.stepped.emit()

    def halt(self) -> None:
        """Let go of the server; nothing is told any more."""
        if self._examination is not None:
            self._examination.cancel()
            self._examination = None
        self.running = False

    def hear_no_warnings(self) -> None:
        """Leave what makes mail look like junk for another time."""
        if self._examination is not None:
            self._examination.warned.disconnect(self.view.add_warnings)

    @Slot(bool)
    def _end(self, good: bool) -> None:
        self.running = False
        self.ended.emit(good)

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        self.running = False
        self.view.say_error(error)
        self.ended.emit(False)

    @Slot(object)
    def _trust(self, certificate: Shown) -> None:
        if not asks_to_trust(self._smtp.host, certificate, self):
            return
        try:
            path = keep(self._context.profile.config / "certificates", self._smtp.host, certificate)
        except VxtrayError as error:
            self.view.say_error(error)
            return
        self.changes_wanted.emit({"ca_file": path})

    @Slot()
    def _choose_ca_file(self) -> None:
        name, _kind = QFileDialog.getOpenFileName(
            self, _("Own CA certificate"), "", _("Certificates (*.pem *.crt *.cer)")
        )
        if name:
            self.changes_wanted.emit({"ca_file": name})
