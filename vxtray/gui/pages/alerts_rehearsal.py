"""A rehearsal: what past events would have sent by the rules as they stand now. Nothing is sent.

GUI thread only; the store is read on ``vx-task``.
"""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from functools import partial

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QProgressBar, QStackedWidget, QVBoxLayout, QWidget
from shiboken6 import isValid

from vxtray.core import texts
from vxtray.core.alertroom import Rehearsal, Rehearsed
from vxtray.core.alerts.incidents import Kind
from vxtray.core.errors import N_, UsageError, VxtrayError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.texts import _, plural
from vxtray.gui.context import Context
from vxtray.gui.guide.window import help_key
from vxtray.gui.pages.alerts_words import number, why_words
from vxtray.gui.pages.paged_table import PagedTable
from vxtray.gui.rule_names import RULES
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import (
    ChoiceField,
    EmptyState,
    FlowRow,
    MomentField,
    button,
    plain_label,
    primary_button,
)

_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

_LENGTHS = (
    (timedelta(days=1), N_("Last 24 hours")),
    (timedelta(days=7), N_("Last 7 days")),
    (timedelta(days=30), N_("Last 30 days")),
    (None, N_("From … to …")),
)
_CELL = 300


class Column(IntEnum):
    """The columns, in order."""

    TIME = 0
    WHAT = 1
    WHY = 2
    EVENTS = 3


class RehearsedModel(QAbstractTableModel):
    """The mails that would have been sent, in the order of time."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mails: Sequence[Rehearsed] = ()
        self._heads = (_("Time"), _("What"), _("Why"), _("Events"))

    def show(self, mails: Sequence[Rehearsed]) -> None:
        """Show these instead of those before."""
        self.beginResetModel()
        self.mails = mails
        self.endResetModel()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        """Return how many mails there are."""
        return 0 if parent.isValid() else len(self.mails)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the name of a column."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._heads[section]
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return _along(section)
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return what a cell says."""
        if not 0 <= index.row() < len(self.mails):
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _along(index.column())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            text = _text(self.mails[index.row()], Column(index.column()))
            # a tool tip would read markup
            return text if role != Qt.ItemDataRole.ToolTipRole or "<" not in text else None
        return None


def _along(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column == Column.EVENTS else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _text(mail: Rehearsed, column: Column) -> str:
    if column is Column.TIME:
        pattern = "%d/%m/%Y %H:%M" if texts.current() == "fr" else "%Y-%m-%d %H:%M"
        return mail.at.astimezone().strftime(pattern)
    if column is Column.WHAT:
        title = one_line(mail.title, _CELL)
        if mail.kind is Kind.FIRST or mail.rule is None:
            return title
        return title or _(RULES[mail.rule])
    if column is Column.WHY:
        return why_words(mail)
    return number(mail.events)


class RehearsedTable(PagedTable):
    """A row a mail."""

    def __init__(self, model: RehearsedModel) -> None:
        super().__init__(model, _("Mails that would have been sent"), 40)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.measure()

    def _share_out(self) -> None:
        """Give what and why the room that times and numbers leave."""
        px, metrics = theme().px, self.fontMetrics()
        time = metrics.horizontalAdvance("2026-08-08 08:08") + px(20)
        events = max(metrics.horizontalAdvance(said) for said in ("8,888,888", _("Events"))) + px(20)
        rest = max(self.viewport().width() - time - events, px(240))
        for column, width in (
            (Column.TIME, time),
            (Column.WHAT, rest * 11 // 20),
            (Column.WHY, rest - rest * 11 // 20),
            (Column.EVENTS, events),
        ):
            self.setColumnWidth(column, width)


class RehearsalView(QDialog):
    """A period, a button that rehearses, and what came of it."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._stop = threading.Event()
        self.rehearsal: Rehearsal | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(False)
        self.setWindowTitle(_("Rehearse on past events"))
        help_key(self, "alerts#rehearsal")
        self._make_fields()
        self.sent, self.counted = plain_label("", "strong", selectable=True), plain_label("", "muted", selectable=True)
        self.trouble = plain_label(role="trouble")
        self.model = RehearsedModel(self)
        self.table = RehearsedTable(self.model)
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(_("Rehearsing…"))
        self._before = EmptyState(
            "alerts",
            _("See what would be sent before it is"),
            _("Choose how far back. Each mail that would have been sent stands here, with why and what it folded."),
        )
        self._none = EmptyState(
            "check",
            _("No mail would have been sent"),
            _("No stored event of this time meets a rule that is switched on."),
        )
        self._stack = QStackedWidget()
        for content in (self._before, self._none, self.table):
            self._stack.addWidget(content)
        self._lay_out()
        self._set_busy(busy=False)
        for part in (self.trouble, self.sent, self.counted):
            part.hide()

    def _make_fields(self) -> None:
        now = self._context.service.clock()
        self.length = ChoiceField()
        self.length.setAccessibleName(_("Time range"))
        for value, text in _LENGTHS:
            self.length.addItem(_(text), value)
        self.length.setCurrentIndex(1)
        self.since, self.until = (
            MomentField(_("Beginning of the period"), now - timedelta(days=1)),
            MomentField(_("End of the period"), now),
        )
        self._moments = FlowRow(self.since, plain_label(_("and"), "muted", wrap=False), self.until, gap=8)
        self._moments.hide()
        self.length.currentIndexChanged.connect(lambda index: self._moments.setVisible(_LENGTHS[index][0] is None))
        self.start, self.cancel = primary_button(_("Rehearse")), button(_("Stop"))
        self.start.setDefault(True)
        self.start.clicked.connect(self.rehearse)
        self.cancel.clicked.connect(self.stop)
        self.close_button = button(_("Close"))
        self.close_button.clicked.connect(self.accept)

    def _lay_out(self) -> None:
        said = _("By the switches and settings as they stand now. Nothing is sent.")
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        column.addWidget(plain_label(said, "muted"))
        column.addWidget(FlowRow(self.length, self._moments, self.start, self.cancel, gap=8))
        for part in (self.progress, self.trouble, self.sent, self.counted):
            column.addWidget(part)
        column.addWidget(self._stack, 1)
        column.addLayout(foot)
        px = theme().px
        self.setMinimumSize(px(520), px(380))
        self.resize(px(800), px(560))

    def span(self) -> tuple[datetime, datetime]:
        """Return from when until when. Raises ``UsageError`` where that is no time."""
        length, now = _LENGTHS[self.length.currentIndex()][0], self._context.service.clock()
        if length is not None:
            return now - length, now
        since, until = self.since.moment(), self.until.moment()
        if since >= until:
            raise UsageError(N_("This time ends before it begins."), N_("Choose a later end."))
        return since, until

    @Slot()
    def rehearse(self) -> None:
        """Ask what the rules would have made of the chosen time."""
        try:
            since, until = self.span()
        except VxtrayError as error:
            self._failed(error)
            return
        self.stop()
        stop = self._stop = threading.Event()
        room, bridge = self._context.service.alerts, self._context.bridge
        self.progress.setRange(0, 0)
        self._set_busy(busy=True)
        bridge.run(
            lambda: room.rehearse(
                since,
                until,
                progress=lambda done, total: bridge.call(partial(self._advance, stop, done, total)),
                stop=stop,
            ),
            lambda rehearsal: None if stop.is_set() else self._done(rehearsal),
            lambda error: None if stop.is_set() else self._failed(error),
            owner=self,
        )

    def _advance(self, stop: threading.Event, done: int, total: int) -> None:
        if isValid(self) and not stop.is_set():
            self.progress.setRange(0, total)
            self.progress.setValue(done)

    @Slot()
    def stop(self) -> None:
        """End the rehearsal that goes on; what was found before stays."""
        self._stop.set()
        self._set_busy(busy=False)

    def _done(self, rehearsal: Rehearsal) -> None:
        self._set_busy(busy=False)
        self.rehearsal = rehearsal
        self.trouble.hide()
        self.model.show(rehearsal.mails)
        self.sent.setText(sent_words(rehearsal))
        self.counted.setText(counted_words(rehearsal))
        self.sent.setVisible(bool(rehearsal.mails))
        self.counted.show()
        self._stack.setCurrentWidget(self.table if rehearsal.mails else self._none)

    def _failed(self, error: Exception) -> None:
        self._set_busy(busy=False)
        self.trouble.setText(words(error))
        self.trouble.show()

    def _set_busy(self, *, busy: bool) -> None:
        self.start.setEnabled(not busy)
        self.cancel.setVisible(busy)
        self.progress.setVisible(busy)

    def done(self, result: int) -> None:
        """Close; an answer that comes later is nobody's."""
        self.stop()
        super().done(result)

    def minimumSizeHint(self) -> QSize:
        """Return a size that a small screen has."""
        return QSize(theme().px(520), theme().px(380))


def sent_words(rehearsal: Rehearsal) -> str:
    """Return how many mails would have been sent, and to whom."""
    n, people = len(rehearsal.mails), one_line(", ".join(rehearsal.recipients), 200)
    if not people:
        return plural("{n} mail would have been sent.", "{n} mails would have been sent.", n)
    return plural(
        "{n} mail would have been sent, to {people}.", "{n} mails would have been sent, to {people}.", n, people=people
    )


def counted_words(rehearsal: Rehearsal) -> str:
    """Return what became of the events, in figures."""
    events = plural("{n} event looked at", "{n} events looked at", rehearsal.events)
    met = plural("{n} met a rule", "{n} met a rule", rehearsal.matched)
    parts = [
        plural("{n} told at once", "{n} told at once", rehearsal.at_once),
        plural("{n} folded", "{n} folded", rehearsal.folded),
        plural("{n} held and told afterwards", "{n} held and told afterwards", rehearsal.held),
    ]
    if rehearsal.untold:
        parts.append(plural("{n} not told yet at the end", "{n} not told yet at the end", rehearsal.untold))
    if not rehearsal.matched:
        return _("{events}; none met a rule.", events=events)
    return _("{events}; {met}: {parts}.", events=events, met=met, parts=", ".join(parts))
