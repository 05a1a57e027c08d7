"""The guide in a window of its own, for dialogs: they keep the Help page from being used while they are open.

GUI thread only.
"""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from vxtray.core import guide, texts
from vxtray.core.texts import _
from vxtray.gui.guide.view import GuideView
from vxtray.gui.theme import theme


class GuideWindow(QDialog):
    """The guide beside a dialog; Esc closes it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("guide-window")
        self.setWindowTitle(_("vxtray: guide"))
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.view = GuideView()
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 6, 16, 16)
        column.addWidget(self.view)
        px = theme().px
        self.setMinimumSize(px(420), px(360))
        self.resize(px(820), px(640))


def open_guide(topic: str, parent: QWidget) -> GuideWindow:
    """Show a topic in the guide's window of a dialog, which is opened where it is not yet."""
    window = parent.window()
    shown = window.findChild(GuideWindow) or GuideWindow(window)
    shown.view.show_topic(topic)
    shown.show()
    shown.raise_()
    shown.activateWindow()
    return shown


def help_key(dialog: QWidget, topic: str) -> None:
    """Let F1 show a topic in a dialog."""
    QShortcut(QKeySequence(Qt.Key.Key_F1), dialog).activated.connect(lambda: open_guide(topic, dialog))


def topic_for(words: str) -> str:
    """Return the topic that explains what is shown, empty where the guide was not shipped or does not know it."""
    try:
        return guide.topic_of(words, texts.current())
    except FileNotFoundError:
        return ""
