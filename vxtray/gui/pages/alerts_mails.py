"""The alert mails with what they folded: a table, and the chosen mail beneath it. GUI thread only."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QModelIndex, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QGridLayout, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.alertroom import Folded, Told
from vxtray.core.mail.render import SEVERITIES, SHAPES
from vxtray.core.texts import _
from vxtray.gui.pages.alerts_model import Column, LettersModel, subject_of
from vxtray.gui.pages.alerts_words import KINDS, MEANINGS, folded_words, moments_words, top_rows
from vxtray.gui.pages.events_table import pill_font
from vxtray.gui.pages.history_table import StateDelegate
from vxtray.gui.pages.history_words import all_words
from vxtray.gui.pages.paged_table import PagedTable
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Card, EmptyState, FlowRow, Tiles, button, plain_label, separator

#: A row that is only passed by with the arrow keys is not looked at.
_CHOSEN_MS = 40

#: Rows that are seen without scrolling.
_ROWS = 8

#: What is left to the details where the subject would have less than this, in px at scale 1; the first first.
_DISPENSABLE = ((Column.KIND, 340), (Column.STATE, 230))


class LettersTable(PagedTable):
    """A row a mail.

    Signals: ``opened()`` for Enter and a double click.
    """

    opened = Signal()

    def __init__(self, model: LettersModel, parent: QWidget | None = None) -> None:
        super().__init__(model, _("Alert mails"), 40, parent)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setItemDelegateForColumn(Column.STATE, StateDelegate(self))
        self.doubleClicked.connect(lambda _index: self.opened.emit())
        for changed in (model.rowsInserted, model.rowsRemoved, model.modelReset):
            changed.connect(self.updateGeometry)
        self.measure()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open by Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        else:
            super().keyPressEvent(event)

    def measure(self) -> None:
        """Give rows and columns the size that the font asks for."""
        px, metrics, pill = theme().px, self.fontMetrics(), QFontMetrics(pill_font(self.font()))
        now = datetime.now(UTC)
        fresh = texts.format_ago(now - timedelta(minutes=49), now, texts.current())
        self._time = max(metrics.horizontalAdvance(text) for text in ("2026-08-08 08:08", fresh)) + px(20)
        self._kind = max(metrics.horizontalAdvance(_(word)) for word in KINDS.values()) + px(24)
        self._events = max(metrics.horizontalAdvance(text) for text in ("888,888", _("Events"))) + px(20)
        self._state = max(pill.horizontalAdvance(word) for word in all_words()) + px(44)
        super().measure()
        self.updateGeometry()

    def _share_out(self) -> None:
        """Give the subject what the others leave, and hide what there is no room for."""
        px, room = theme().px, self.viewport().width()
        wants = {
            Column.TIME: self._time,
            Column.KIND: self._kind,
            Column.EVENTS: self._events,
            Column.STATE: self._state,
        }
        for column, least in _DISPENSABLE:
            hidden = sum(wants.values()) + px(least) > room
            self.setColumnHidden(column, hidden)
            if hidden:
                del wants[column]
        wants[Column.SUBJECT] = max(room - sum(wants.values()), px(120))
        for column, width in wants.items():
            self.setColumnWidth(column, width)

    def sizeHint(self) -> QSize:
        """Return the height of its rows, of at most a few."""
        rows = max(min(self.model().rowCount(), _ROWS), 1)
        tall = self.horizontalHeader().sizeHint().height() + rows * self.verticalHeader().defaultSectionSize()
        return QSize(theme().px(240), tall + 2)

    def minimumSizeHint(self) -> QSize:
        """Return the same: the page scrolls where there is no room."""
        return self.sizeHint()


class LetterDetails(QWidget):
    """One mail, and exactly what it folded.

    Signals: ``open_wanted``, ``events_wanted``, ``silence_wanted``, ``acknowledge_wanted``, ``closed``.
    """

    open_wanted = Signal()
    events_wanted = Signal()
    silence_wanted = Signal()
    acknowledge_wanted = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.letter: Told | None = None
        self.folded: Folded | None = None
        self._subject = plain_label("", "strong", selectable=True)
        self._said = plain_label("", "muted")
        self._figures = plain_label("", selectable=True)
        self._moments = plain_label("", "muted", selectable=True)
        self.tops = [_Top(title) for title in (_("Sources"), _("What"), _("Targets"))]
        self._tiles = Tiles(self.tops, least=190, gap=24)
        self.buttons = {}
        for key, words, wanted in (
            ("open", _("Open the mail"), self.open_wanted),
            ("events", _("Show the events"), self.events_wanted),
            ("acknowledge", _("Acknowledge"), self.acknowledge_wanted),
            ("silence", _("Silence…"), self.silence_wanted),
            ("close", _("Close the details"), self.closed),
        ):
            press = self.buttons[key] = button(words)
            press.clicked.connect(wanted)
        self.buttons["silence"].setAccessibleName(_("Silence what this mail is about"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 4)
        column.setSpacing(6)
        column.addWidget(separator())
        for part in (self._subject, self._said, self._figures, self._moments):
            column.addWidget(part)
        column.addSpacing(4)
        column.addWidget(self._tiles)
        column.addSpacing(4)
        column.addWidget(FlowRow(*self.buttons.values(), gap=8))

    def show_letter(self, letter: Told, folded: Folded | None, *, acknowledged: bool) -> None:
        """Show a mail; None where what it folded is not known any more."""
        self.letter, self.folded = letter, folded
        self._subject.setText(subject_of(letter))
        severity = f"{SHAPES[letter.severity]} {_(SEVERITIES[letter.severity])}"
        kind = _(MEANINGS[letter.kind])
        self._said.setText(f"{severity} · {kind}")
        self._figures.setText(folded_words(folded) if folded is not None else "")
        self._moments.setText(moments_words(folded) if folded is not None else _("Its figures are not kept any more."))
        rows = (folded.top_sources, folded.top_rules, folded.top_targets) if folded is not None else ((), (), ())
        for top, ranking in zip(self.tops, rows, strict=True):
            top.show_rows(top_rows(ranking))
        self.buttons["events"].setEnabled(folded is not None)
        self.buttons["acknowledge"].setEnabled(not acknowledged)
        self.buttons["acknowledge"].setText(_("Acknowledged") if acknowledged else _("Acknowledge"))


class _Top(QWidget):
    """A short ranking: names, and how many events."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setAccessibleName(title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(plain_label(title, "secondary"))
        self._list = QWidget()
        self._grid = QGridLayout(self._list)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(0, 1)
        column.addWidget(self._list)
        column.addStretch(1)
        self._shown: list[tuple[str, str]] | None = None

    def show_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show these instead of those before."""
        if self._shown == list(rows):
            return
        self._shown = list(rows)
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for at, (name, events) in enumerate(rows):
            self._grid.addWidget(plain_label(name, selectable=True), at, 0)
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
            self._grid.addWidget(plain_label(events, "muted", wrap=False), at, 1, side)
        self.setVisible(bool(rows))


class MailsCard(Card):
    """The table with its details, or what will stand there.

    Signals: ``chosen(letter)`` a moment after a mail was; ``open_wanted(letter)`` to read it; ``rehearse_wanted``.
    """

    chosen = Signal(object)
    open_wanted = Signal(object)
    rehearse_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(_("Alert mails"))
        self.model = LettersModel(self)
        self.table = LettersTable(self.model)
        self.details = LetterDetails()
        self.empty = EmptyState(
            "mail",
            _("No alert mail yet"),
            _("Each one stands here, with what it folded. A rehearsal shows what past events would have sent."),
            _("Open the rehearsal"),
        )
        self.empty.activated.connect(self.rehearse_wanted)
        for part in (self.table, self.details, self.empty):
            self.add(part)
        self.table.hide()
        self.details.hide()
        self._choosing = QTimer(self, singleShot=True, interval=_CHOSEN_MS)
        self._choosing.timeout.connect(self._tell_chosen)
        self.table.selectionModel().currentRowChanged.connect(self._row_changed)
        self.table.opened.connect(self._open)
        self.details.open_wanted.connect(self._open)
        self.details.closed.connect(self.close_details)
        for widget in (self.table, self.details):
            away = QShortcut(QKeySequence(Qt.Key.Key_Escape), widget)
            away.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            away.activated.connect(self.close_details)

    def show_letters(self, letters: Sequence[Told], now: datetime) -> None:
        """Show the mails as they stand; the chosen one stays chosen."""
        before = self.current()
        self.model.show(letters, now)
        self.table.setVisible(bool(letters))
        self.empty.setVisible(not letters)
        if before is not None and self.current() is None:
            self.table.selectRow(self.model.row_of(before.mail))
            if self.current() is None:
                self.close_details()

    def choose(self, incident: int) -> bool:
        """Choose the newest mail of an incident; False where it has none yet."""
        row = next((row for row, one in enumerate(self.model.letters) if one.incident == incident), -1)
        if row < 0:
            return False
        self.table.selectRow(row)
        self.table.setFocus()
        return True

    def current(self) -> Told | None:
        """Return the mail that is chosen."""
        return self.model.letter_at(self.table.currentIndex().row())

    def _row_changed(self, _now: QModelIndex, _before: QModelIndex) -> None:
        self._choosing.start()

    def _tell_chosen(self) -> None:
        if (letter := self.current()) is not None:
            self.chosen.emit(letter)

    def _open(self) -> None:
        if (letter := self.current()) is not None:
            self.open_wanted.emit(letter)

    def show_details(self, letter: Told, folded: Folded | None, *, acknowledged: bool) -> None:
        """Show what a mail folded, if it is still the chosen one."""
        current = self.current()
        if current is None or current.mail != letter.mail:
            return
        self.details.show_letter(letter, folded, acknowledged=acknowledged)
        self.details.show()

    def close_details(self) -> None:
        """Take the details away and choose nothing."""
        focused = QApplication.focusWidget()
        if focused is not None and self.details.isAncestorOf(focused):
            self.table.setFocus()
        self.details.hide()
        self.table.clearSelection()
        self.table.setCurrentIndex(QModelIndex())
        self._choosing.stop()
