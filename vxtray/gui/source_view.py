"""One source in detail: what was counted, and its last lines with what they were read as. GUI thread only.

The lines of the receiver are those that just came, looked at again every second while the dialog is seen; those of a
file are read on ``vx-task``.
"""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from vxtray.core.health import SourceHealth
from vxtray.core.reports.period import machine_zone
from vxtray.core.settings.tree import LogFile
from vxtray.core.sources.preview import Preview, Reading, read_line
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.lines_view import LinesView, read_file, summary_of
from vxtray.gui.source_words import counts_of, sophos_facts, sophos_hint
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import ChoiceField, Facts, button, plain_label, primary_button

_REFRESH_MS = 1000


class SourceView(QDialog):
    """Counts and lines of the receiver (``file`` None) or of a followed file; changes nothing."""

    def __init__(
        self,
        context: Context,
        title: str,
        parts: Callable[[], Sequence[SourceHealth]],
        file: LogFile | None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._parts = parts
        self._file = file
        self._preview: Preview | None = None
        self._shown_counts: list[tuple[str, str]] = []
        self.setWindowTitle(title)
        self._facts = Facts()
        self.which = ChoiceField()
        self.which.setAccessibleName(_("Lines to show"))
        for text in (_("The last lines"), _("Lines that were not understood")):
            self.which.addItem(text)
        self.which.currentIndexChanged.connect(self._show_lines)
        self.again = button(_("Read again"))
        self.again.setVisible(file is not None)
        self.again.clicked.connect(self.test)
        self.lines = LinesView()
        self._waiting = self._make_waiting()
        close = primary_button(_("Close"))
        close.setDefault(True)
        close.clicked.connect(self.accept)
        self._lay_out(title, close)
        self._timer = QTimer(self)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self.refresh)

    def _make_waiting(self) -> QWidget:
        """Return what stands in place of the lines until the first one comes: how to make it come."""
        ground = QWidget()
        column = QVBoxLayout(ground)
        column.setContentsMargins(0, 8, 0, 8)
        column.setSpacing(10)
        column.addWidget(plain_label(_("Waiting for the first line…"), "strong"))
        syslog = self._context.model.current.sources.syslog
        column.addWidget(plain_label(sophos_hint(syslog), "muted"))
        column.addWidget(Facts(sophos_facts(syslog)))
        column.addStretch(1)
        return ground

    def _lay_out(self, title: str, close: QWidget) -> None:
        px = theme().px
        row = QHBoxLayout()
        row.addWidget(self.which)
        row.addWidget(self.again)
        row.addStretch(1)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(12)
        column.addWidget(plain_label(title, "heading"))
        column.addWidget(self._facts)
        column.addLayout(row)
        column.addWidget(self._waiting, 1)
        column.addWidget(self.lines, 1)
        column.addLayout(foot)
        self.resize(px(900), px(620))
        self.setMinimumSize(px(520), px(420))

    def showEvent(self, event: QShowEvent) -> None:
        """Look now, and go on while it is seen."""
        if not event.spontaneous() and self._file is not None:
            self.test()
        self.refresh()
        self._timer.start()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop looking."""
        self._timer.stop()
        super().hideEvent(event)

    @Slot()
    def test(self) -> None:
        """Read the last lines of the file."""
        file = self._file
        if file is None:
            return
        self.again.setEnabled(False)
        read_file(self._context, file, self._tested, self._failed, self)

    def _tested(self, preview: Preview) -> None:
        self.again.setEnabled(True)
        self._preview = preview
        self._show_lines()

    def _failed(self, error: Exception) -> None:
        self.again.setEnabled(True)
        self._preview = None
        self.lines.show_readings((), words(error))

    @Slot()
    def refresh(self) -> None:
        """Show what is known now."""
        counts = counts_of(self._parts())
        if counts != self._shown_counts:
            self._shown_counts = counts
            self._facts.show_facts(counts)
        if self._file is None or self.which.currentIndex() == 1:
            self._show_lines()

    @Slot()
    def _show_lines(self) -> None:
        parts = self._parts()
        waiting = self._file is None and not any(part.lines for part in parts)
        self._waiting.setVisible(waiting)
        self.lines.setVisible(not waiting)
        if self.which.currentIndex() == 1:
            samples = [Reading(text=text, reason=reason) for part in parts for reason, text in part.samples]
            self.lines.show_readings(samples, "" if samples else _("Every line was understood so far."))
        elif self._file is None:
            latest = sorted((line for part in parts for line in part.latest), key=lambda one: one[0])
            zone = machine_zone()
            readings = [read_line(line.decode("utf-8", "replace"), zone=zone) for _at, line in reversed(latest)]
            self.lines.show_readings(readings, _("The newest line is at the top."))
        elif self._preview is not None:
            self.lines.show_readings(self._preview.readings, summary_of(self._preview))
