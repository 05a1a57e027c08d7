"""How a fault reaches the person: known ones in words beside where they happened, unknown ones as a report to copy.

GUI thread only; the hooks that ``install`` sets bring faults of other threads here through the bridge.
"""

import logging
import platform
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.credentials import redact
from vxtray.core.errors import N_, VxtrayError
from vxtray.core.revision import version_line
from vxtray.core.texts import _
from vxtray.gui.bridge import Bridge
from vxtray.gui.widgets import button, plain_label, primary_button

log = logging.getLogger("vxtray.gui")


def words(error: Exception) -> str:
    """Return what happened and what to do, in one text."""
    known = error if isinstance(error, VxtrayError) else unknown(error)
    return " ".join(filter(None, (texts.title(known), texts.advice(known))))


def unknown(error: BaseException) -> VxtrayError:
    """Return a fault that nobody foresaw, as one that can be shown."""
    return VxtrayError(
        N_("An unknown fault: {reason}"),
        N_("The log holds the details; the page “Help & diagnostics” shows where it is."),
        reason=redact(f"{type(error).__name__}: {error}"),
    )


class ReportDialog(QDialog):
    """A fault that nobody foresaw, ready to be copied; secrets are taken out."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(_("vxtray met a fault"))
        self.setModal(False)
        text = QPlainTextEdit(redact(report))
        text.setReadOnly(True)
        text.setMinimumSize(560, 220)
        copy, close = button(_("Copy the report")), primary_button(_("Close"))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(text.toPlainText()))
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(copy)
        row.addStretch(1)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(
            plain_label(_("Something happened that was not foreseen. vxtray goes on. This report helps to mend it:"))
        )
        column.addWidget(text, 1)
        column.addLayout(row)


class Hooks(QObject):
    """Catches what nobody caught, on any thread, logs it, and shows one report at a time."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._bridge = bridge
        self._dialog: ReportDialog | None = None
        self._before = sys.excepthook, threading.excepthook, sys.unraisablehook

    def install(self) -> None:
        """Take the place of the interpreter's hooks; an exception in a slot ends here too."""
        sys.excepthook = self._caught
        threading.excepthook = lambda args: self._caught(args.exc_type, args.exc_value, args.exc_traceback)
        sys.unraisablehook = lambda args: self._caught(args.exc_type, args.exc_value, args.exc_traceback)
        self._bridge.broken.connect(self._shown)

    def remove(self) -> None:
        """Give back the hooks that were there."""
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._before

    def _caught(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit):
            return
        known = error or kind()
        log.error("an unforeseen fault", exc_info=(kind, known, trace))
        self._bridge.call(lambda: self._shown(known))

    def _shown(self, error: BaseException) -> None:
        if self._dialog is not None and self._dialog.isVisible():
            return
        lines = [version_line(), platform.platform(), ""]
        lines += traceback.format_exception(error)
        self._dialog = ReportDialog("\n".join(lines))
        self._dialog.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, on=False)
        self._dialog.show()
