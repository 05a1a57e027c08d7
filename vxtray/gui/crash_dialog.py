"""The dialog for faults that nobody foresaw: one report to copy, however many there are. GUI thread only.

The report holds nothing that should not be given away: no secret, no mail address, not where the home is.
"""

import platform
import re
import sys
import time
import traceback
from pathlib import Path

import msgspec
from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices, QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from vxtray.core.credentials import redact
from vxtray.core.revision import version_line
from vxtray.core.texts import _, plural
from vxtray.gui.icons import app_icon
from vxtray.gui.widgets import button, plain_label, primary_button

#: Faults that differ; of more, the log tells.
_MOST = 5
_LONGEST = 8_000

#: A fault whose report was closed is not shown again for so long: it may come every few seconds.
QUIET_SECONDS = 60.0

_ADDRESS = re.compile(r"[^\s@<>()\[\]\"',;:=/]+@[^\s@<>()\[\]\"',;:=/]+")


class Fault(msgspec.Struct):
    """A fault and how often it was met."""

    text: str
    times: int = 1


class CrashDialog(QDialog):
    """Faults that nobody foresaw, ready to be copied. It stays on screen, and repeated faults are counted."""

    def __init__(self, logs: Path | None = None, parent: QWidget | None = None) -> None:
        """``logs`` is the folder that the dialog can open."""
        super().__init__(parent)
        self._logs = logs
        self._faults: dict[str, Fault] = {}
        self._closed: dict[str, float] = {}
        self.setObjectName("crash")
        self.setWindowTitle(_("vxtray met a fault"))
        self.setWindowIcon(app_icon())
        self.setModal(False)
        self.said = plain_label("", "strong")
        self.report = QPlainTextEdit()
        self.report.setReadOnly(True)
        self.report.setAccessibleName(_("Report"))
        self.report.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.report.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.report.setMinimumSize(560, 240)
        copy, folder = button(_("Copy the report")), button(_("Open the log folder"))
        close = primary_button(_("Close"))
        close.setDefault(True)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.report.toPlainText()))
        folder.clicked.connect(self._open_logs)
        folder.setVisible(logs is not None)
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(copy)
        row.addWidget(folder)
        row.addStretch(1)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.said)
        column.addWidget(
            plain_label(
                _(
                    "vxtray goes on. This report helps to mend it; passwords, mail addresses and your home folder are"
                    " taken out."
                ),
                "muted",
            )
        )
        column.addWidget(self.report, 1)
        column.addLayout(row)

    def add(self, error: BaseException) -> None:
        """Tell of a fault: show the dialog, or count it in the one that is shown."""
        key = _place(error)
        if time.monotonic() - self._closed.get(key, -QUIET_SECONDS) < QUIET_SECONDS:
            return
        if (known := self._faults.get(key)) is not None:
            known.times += 1
        elif len(self._faults) < _MOST:
            self._faults[key] = Fault(_traceback(error))
        else:
            return
        self._show()

    def done(self, result: int) -> None:
        """Forget what was read."""
        self._closed |= dict.fromkeys(self._faults, time.monotonic())
        self._faults = {}
        super().done(result)

    def _show(self) -> None:
        times = sum(fault.times for fault in self._faults.values())
        self.said.setText(
            plural(
                "Something happened that was not foreseen.",
                "Something happened that was not foreseen, {n} times.",
                times,
            )
        )
        parts = [_machine()]
        for fault in self._faults.values():
            parts.append(f"\n{fault.times} times:" if fault.times > 1 else "")
            parts.append(fault.text)
        text = private("\n".join(parts))
        if text != self.report.toPlainText():
            self.report.setPlainText(text)
        if not self.isVisible():
            self.show()

    @Slot()
    def _open_logs(self) -> None:
        if self._logs is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._logs)))


def private(text: str) -> str:
    """Return a text without secrets, mail addresses and the place of the home."""
    text = redact(text)
    for home in {str(Path.home()), Path.home().as_posix()} - {"/"}:
        text = text.replace(home, "~")
    return _ADDRESS.sub("…@…", text)


def _machine() -> str:
    import PySide6

    qt = f"Qt {PySide6.__version__} ({QGuiApplication.platformName()})"
    return f"{version_line()}\nPython {sys.version.split()[0]}, {qt}, {platform.platform()}"


def _place(error: BaseException) -> str:
    """Return what tells a fault from others: its kind, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__qualname__} {where}"


def _traceback(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error)).rstrip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}\n[…]\n{text[-_LONGEST // 2 :]}"
