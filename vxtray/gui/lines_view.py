"""Log lines and what they are read as, as a table with the chosen line in full beneath. GUI thread only.

Everything shown is text of others: the table and the field below it show it as it is.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from PySide6.QtCore import QAbstractTableModel, QItemSelection, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QPlainTextEdit, QTableView, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.settings.tree import LogFile
from vxtray.core.sources.preview import Preview, Reading, preview_file
from vxtray.core.texts import _, plural
from vxtray.gui.context import Context
from vxtray.gui.source_words import what_of, zone_of
from vxtray.gui.theme import theme
from vxtray.gui.widgets import plain_label

_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class LinesModel(QAbstractTableModel):
    """Readings as rows: whether it was understood, what it is, when, from where, and the line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.readings: Sequence[Reading] = ()
        self._heads = (_("Read as"), _("Time"), _("Source address"), _("Line"))

    def show_readings(self, readings: Sequence[Reading]) -> None:
        """Show these instead."""
        self.beginResetModel()
        self.readings = readings
        self.endResetModel()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        """Return the number of lines."""
        return 0 if parent.isValid() else len(self.readings)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the columns' names."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._heads[section]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the words of a cell, and for assistive technology the whole row with its first cell."""
        if not index.isValid():
            return None
        reading = self.readings[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(reading, index.column())
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == 0:
            return theme().colour("danger" if reading.reason else "text" if reading.events else "secondary")
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == 0:
            return ", ".join(self._cell(reading, column) for column in range(len(self._heads)))
        return None

    def _cell(self, reading: Reading, column: int) -> str:
        event = reading.events[0] if reading.events else None
        if column == 0:
            shape = "▲" if reading.reason else "✓" if event else "–"
            return f"{shape} {what_of(reading)}"
        if column == 1:
            return _short(event.at.astimezone()) if event else ""
        if column == 2:
            return event.src_ip if event else ""
        return reading.text


class LinesView(QWidget):
    """The table, a line that says how many were understood, and the chosen line in full."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme().px
        self.model = LinesModel(self)
        self.summary = plain_label(role="muted")
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setAccessibleName(_("Lines and what they are read as"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setWordWrap(False)
        self.table.setShowGrid(False)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(px(28))
        head = self.table.horizontalHeader()
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        head.setHighlightSections(False)
        head.setStretchLastSection(True)
        for at, wide in enumerate((300, 148, 118)):
            head.resizeSection(at, px(wide))
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.table.setMinimumHeight(px(150))
        self.line = QPlainTextEdit()
        self.line.setReadOnly(True)
        self.line.setTabChangesFocus(True)
        self.line.setAccessibleName(_("The chosen line"))
        self.line.setPlaceholderText(_("Choose a line to see it in full."))
        self.line.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.line.setFixedHeight(px(84))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.summary)
        column.addWidget(self.table, 1)
        column.addWidget(self.line)
        self.table.selectionModel().selectionChanged.connect(self._chosen)

    def show_readings(self, readings: Sequence[Reading], summary: str) -> None:
        """Show lines; what is the same as before keeps the selection."""
        self.summary.setText(summary)
        self.summary.setVisible(bool(summary))
        if list(readings) != list(self.model.readings):
            self.model.show_readings(readings)
            self.line.clear()

    def _chosen(self, selected: QItemSelection, _before: QItemSelection) -> None:
        rows = selected.indexes()
        if rows:
            reading = self.model.readings[rows[0].row()]
            self.line.setPlainText(f"{reading.text}\n\n{what_of(reading)}" if reading.reason else _in_full(reading))


def _short(moment: datetime) -> str:
    return f"{texts.format_date(moment.date(), texts.current(), 'd MMM')} {moment:%H:%M:%S}"


def _in_full(reading: Reading) -> str:
    """Return the line and what its event holds."""
    lines = [reading.text, ""]
    for event in reading.events:
        held = (event.src_ip, event.target, event.target_url, event.rule_id, event.rule_name, event.message, event.user)
        lines.append(" · ".join([what_of(Reading(text="", events=(event,))), *filter(None, held)]))
    return "\n".join(lines if reading.events else [*lines, what_of(reading)])


def read_file(
    context: Context,
    file: LogFile,
    done: Callable[[Preview], None],
    failed: Callable[[Exception], None],
    owner: QWidget,
) -> None:
    """Read the last lines of a file on ``vx-task``, and hand them, or why not, to the owner while it lives."""
    context.bridge.run(
        lambda: preview_file(file.path, format=file.format, zone=zone_of(file.zone)), done, failed, owner=owner
    )


def summary_of(preview: Preview) -> str:
    """Return how much of the last lines was understood."""
    if not preview.readings:
        return _("{path} is empty so far.", path=preview.path)
    return plural(
        "{understood} of the last {n} line of {path} understood.",
        "{understood} of the last {n} lines of {path} understood.",
        len(preview.readings),
        understood=preview.understood,
        path=preview.path,
    )
