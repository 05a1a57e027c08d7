"""An export on its way: how far it is, and how to end it. GUI thread only; the file is written on ``vx-task``."""

import threading
import time
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, button, plain_label

_LEAST_PAUSE = 0.1

#: Writes the file: is told how to say how many are written of how many, and what ends it; returns None when ended so.
Write = Callable[[Callable[[int, int], None], threading.Event], int | None]


class ExportBar(Card):
    """Shown while an export runs; a subclass has the words.

    Signals: ``ended(text, good)`` with the outcome in words.
    """

    ended = Signal(str, bool)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._context = context
        self._stop = threading.Event()
        self._label = plain_label()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(_("Progress of the export"))
        self.cancel_button = button(_("Cancel"))
        self.cancel_button.clicked.connect(self._stop_it)
        row = QHBoxLayout()
        column = QVBoxLayout()
        column.addWidget(self._label)
        column.addWidget(self._bar)
        row.addLayout(column, 1)
        row.addSpacing(12)
        row.addWidget(self.cancel_button)
        self.add(row)
        self.hide()
        stop = self._stop_it
        if (app := QCoreApplication.instance()) is not None:
            app.aboutToQuit.connect(stop)

    @property
    def running(self) -> bool:
        """True until the outcome was told."""
        return not self.isHidden()

    def begin(self, write: Write, name: str) -> None:
        """Let ``write`` write the file of that name."""
        self._stop = stop = threading.Event()
        bridge = self._context.bridge
        self._show_progress(0, 0)
        self.show()
        last = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last > _LEAST_PAUSE:
                last = time.monotonic()
                bridge.call(lambda: self._show_progress(done, total))

        bridge.run(lambda: write(progress, stop), lambda done: self._end(done, name), self._fail, owner=self)

    def _so_far(self, done: str, total: str) -> str:
        """Return how far it is, in words."""
        raise NotImplementedError

    def _written(self, done: int, name: str) -> str:
        """Return what was written, in words."""
        raise NotImplementedError

    def _stop_it(self) -> None:
        self._stop.set()

    def _show_progress(self, done: int, total: int) -> None:
        language = texts.current()
        self._bar.setRange(0, max(total, 1))
        self._bar.setValue(min(done, total))
        numbers = texts.format_number(done, language), texts.format_number(total, language)
        self._label.setText(self._so_far(*numbers) if total else _("Exporting…"))

    def _end(self, done: int | None, name: str) -> None:
        self.hide()
        text = _("The export was cancelled; no file was written.") if done is None else self._written(done, name)
        self.ended.emit(text, True)

    def _fail(self, error: Exception) -> None:
        self.hide()
        self.ended.emit(words(error), False)
