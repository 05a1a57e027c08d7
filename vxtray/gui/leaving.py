"""How the program ends: the engine finishes what it has in hand on ``vx-end``, while the window is gone already.

GUI thread only. Where that takes longer than a moment, a small note says what is waited for, and may be hurried.
"""

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QProgressBar, QVBoxLayout

from vxtray.core.texts import _
from vxtray.gui.bridge import Bridge
from vxtray.gui.icons import app_icon

#: What is over before a person would read of it is not told.
_NOTE_MS = 600


class LeavingNote(QDialog):
    """Says what is waited for.

    Signals: ``hurried()`` when a person does not want to wait.
    """

    hurried = Signal()

    def __init__(self, *, sending: bool) -> None:
        from vxtray.gui.widgets import button, plain_label  # seldom wanted: most ends need no note

        super().__init__()
        self.setObjectName("leaving")
        self.setWindowTitle("vxtray")
        self.setWindowIcon(app_icon())
        self.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, on=False)
        self.setWindowFlag(Qt.WindowType.WindowContextHelpButtonHint, on=False)
        if sending:
            title = _("Finishing the mail in hand…")
            text = _(
                "The server’s answer is still missing. vxtray waits ten seconds for it, so that the mail is not sent"
                " twice."
            )
        else:
            title, text = _("Finishing what is under way…"), _("This takes a few seconds at most.")
        bar = QProgressBar()
        bar.setRange(0, 0)
        bar.setTextVisible(False)
        bar.setAccessibleName(title)
        self.now = button(_("Quit now"))
        self.now.clicked.connect(self._hurry)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.now)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(plain_label(title, "strong", wrap=False))
        column.addWidget(plain_label(text, "muted"))
        column.addWidget(bar)
        column.addLayout(row)

    @Slot()
    def _hurry(self) -> None:
        self.now.setEnabled(False)
        self.hurried.emit()

    def reject(self) -> None:
        """Esc and the window's cross hurry, too."""
        self._hurry()


class Leaving(QObject):
    """Ends the engine once.

    Signals: ``finished()`` when it has ended.
    """

    finished = Signal()

    def __init__(
        self, bridge: Bridge, stop: Callable[[], None], hurry: Callable[[], None], sending: Callable[[], bool]
    ) -> None:
        """``stop`` ends the engine, in at most some seconds; ``hurry`` gives up what it still waits for.

        ``sending`` says whether that is a mail. All three may be called from any thread.
        """
        super().__init__()
        self._bridge = bridge
        self._stop = stop
        self._hurry = hurry
        self._sending = sending
        self._worker: threading.Thread | None = None
        self._ended = False
        self.note: LeavingNote | None = None

    @property
    def begun(self) -> bool:
        """True once the program ends."""
        return self._worker is not None or self._ended

    def begin(self) -> None:
        """Begin to end, or hurry where that has begun."""
        if self.begun:
            self._hurry()
            return
        self._worker = threading.Thread(target=self._end, name="vx-end", daemon=True)
        self._worker.start()
        QTimer.singleShot(_NOTE_MS, self, self._tell)

    def wait(self) -> None:
        """End the engine here and now if nothing has, or wait until it has: the event loop is about to go."""
        if self._worker is not None:
            self._worker.join()
        elif not self._ended:
            self._end()
        if self.note is not None:
            self.note.hide()

    def _end(self) -> None:
        try:
            self._bridge.stop()
            self._stop()
        finally:
            self._ended = True
            self.finished.emit()

    @Slot()
    def _tell(self) -> None:
        if not self._ended:
            self.note = LeavingNote(sending=self._sending())
            self.note.hurried.connect(self._hurry)
            self.note.show()
