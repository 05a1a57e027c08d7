"""What a person sees where the program cannot start: from a menu or at login, no terminal says why. GUI thread only."""

import sys

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox

from vxtray.core import texts
from vxtray.core.credentials import redact
from vxtray.core.errors import VxtrayError
from vxtray.core.texts import _
from vxtray.gui.icons import app_icon

#: Where Qt draws on no screen, nobody could close it.
_UNSEEN = {"offscreen", "minimal"}


def tell(error: VxtrayError) -> None:
    """Say what kept the program from starting and what helps, until it is read; there must be a screen."""
    running = QApplication.instance() or QApplication(sys.argv[:1])
    if QGuiApplication.platformName() in _UNSEEN:
        return
    box = QMessageBox()
    box.setObjectName("no-start")
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    box.setIcon(QMessageBox.Icon.Critical)
    box.setWindowIcon(app_icon())
    box.setWindowTitle(_("vxtray cannot start"))
    box.setText(redact(texts.title(error)))
    box.setInformativeText(redact(texts.advice(error)))
    box.addButton(_("Close"), QMessageBox.ButtonRole.AcceptRole)
    box.exec()
    del box, running  # in this order: no widget outlives its application
