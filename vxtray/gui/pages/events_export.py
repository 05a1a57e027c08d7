"""An export on its way: how far it is, and how to end it. GUI thread only; the file is written on ``vx-task``."""

import threading
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.export import ExportFormat, export_events
from vxtray.core.store import EventQuery
from vxtray.core.texts import _, plural
from vxtray.gui.context import Context
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, button, plain_label

_LEAST_PAUSE = 0.1


class ExportBar(Card):
    """Shown while an export runs.

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

    def start(self, query: EventQuery, path: Path, form: ExportFormat) -> None:
        """Write the events of a query to a file."""
        self._stop = stop = threading.Event()
        service, bridge = self._context.service, self._context.bridge
        self._show_progress(0, 0)
        self.show()
        last = 0.0

        def work() -> int | None:
            store = service.store()
            total = store.count(query)

            def progress(done: int) -> None:
                nonlocal last
                if time.monotonic() - last > _LEAST_PAUSE:
                    last = time.monotonic()
                    bridge.call(lambda: self._show_progress(done, total))

            return export_events(store, query, path, form, progress=progress, stop=stop)

        bridge.run(work, lambda done: self._end(done, path), self._fail, owner=self)

    def _stop_it(self) -> None:
        self._stop.set()

    def _show_progress(self, done: int, total: int) -> None:
        language = texts.current()
        self._bar.setRange(0, max(total, 1))
        self._bar.setValue(min(done, total))
        numbers = {"done": texts.format_number(done, language), "total": texts.format_number(total, language)}
        self._label.setText(_("{done} of {total} events written", **numbers) if total else _("Exporting…"))

    def _end(self, done: int | None, path: Path) -> None:
        self.hide()
        if done is None:
            self.ended.emit(_("The export was cancelled; no file was written."), True)
        else:
            self.ended.emit(
                plural("{n} event written to {name}.", "{n} events written to {name}.", done, name=path.name), True
            )

    def _fail(self, error: Exception) -> None:
        self.hide()
        self.ended.emit(words(error), False)
