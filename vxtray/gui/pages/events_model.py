"""Found events as rows, a page at a time, for as many as there are. GUI thread only; the store is asked on ``vx-task``.

Kept are the ends of all pages and the events of a few: scrolling back asks for a page again. All pages show the store
as it was when the search began, so that nothing moves under the reader; what is stored later is only counted.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime
from enum import IntEnum

import msgspec
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from vxtray.core import texts
from vxtray.core.events import Action, Category, SecurityEvent
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import ACTIONS, CATEGORIES, SEVERITIES
from vxtray.core.reports.period import machine_zone
from vxtray.core.store import Cursor, EventQuery, EventStore
from vxtray.core.texts import N_, _
from vxtray.gui.bridge import Bridge

_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_Page = list[SecurityEvent]

#: Events of a page, and pages that are kept: 12,000 events are about 20 MB.
PAGE = 240
_KEPT = 50

#: Characters of a cell; the details show all of them.
_CELL = 300

#: Where the words of reports are too long for a column.
_SHORT_CATEGORIES = {Category.WAF: "WAF", Category.IPS: "IPS", Category.ATP: "ATP", Category.OTHER: N_("Other")}
_SHORT_ACTIONS = {Action.DETECTED: N_("detected"), Action.INFO: "–"}


class Column(IntEnum):
    """The columns, in order."""

    TIME = 0
    SEVERITY = 1
    CATEGORY = 2
    ACTION = 3
    SOURCE = 4
    TARGET = 5
    WHAT = 6


class First(msgspec.Struct, frozen=True):
    """The answer to a new search: its first page, the newest seq of the store, and whether anything is stored."""

    page: _Page
    seq: int
    stored: bool


class EventsModel(QAbstractTableModel):
    """A search as a table.

    Signals: ``loaded(stored)`` when the first page is there, with whether the store holds anything at all;
    ``arrived(row)`` when the events from that row on are there; ``failed(error)``.
    """

    loaded = Signal(bool)
    arrived = Signal(int)
    failed = Signal(object)

    def __init__(self, bridge: Bridge, store: Callable[[], EventStore], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store
        self._search = 0
        self.query = EventQuery()
        self._rows = 0
        self._complete = True
        self._ends: list[Cursor] = []
        self._pages: OrderedDict[int, _Page] = OrderedDict()
        self._wanted: deque[int] = deque(maxlen=3)
        self._loading = False
        self._zone = machine_zone()
        self._heads = (
            _("Time"),
            _("Severity"),
            _("Category"),
            _("Action"),
            _("Source"),
            _("Target"),
            _("Rule or message"),
        )
        self._severities = {severity: _(words) for severity, words in SEVERITIES.items()}
        self._categories = {name: _(_SHORT_CATEGORIES.get(name, CATEGORIES[name])) for name in Category}
        self._actions = {name: _(_SHORT_ACTIONS.get(name, ACTIONS[name])) for name in Action}

    # --- searching ---------------------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """True where every event found is a row."""
        return self._complete

    def show(self, query: EventQuery) -> None:
        """Search anew; the former rows stay until the answer is there."""
        self._search += 1
        self._loading = True
        self._wanted.clear()
        search, store = self._search, self._store

        def work() -> First:
            opened = store()
            seq = opened.last_seq()
            page = opened.search(msgspec.structs.replace(query, up_to_seq=seq), limit=PAGE) if seq else []
            return First(page, seq, bool(page) or opened.count() > 0)

        def done(first: First) -> None:
            if search == self._search:
                self._begin(msgspec.structs.replace(query, up_to_seq=first.seq), first)

        self._bridge.run(work, done, lambda error: self._fault(search, error), owner=self)

    def _begin(self, query: EventQuery, first: First) -> None:
        self.beginResetModel()
        self.query = query
        self._zone = machine_zone()
        self._ends = []
        self._pages.clear()
        self._loading = False
        self._rows = 0
        self._append(first.page)
        self.endResetModel()
        self.loaded.emit(first.stored)

    def _append(self, page: _Page) -> None:
        self._complete = len(page) < PAGE
        if page:
            self._keep(len(self._ends), page)
            self._ends.append(Cursor(page[-1].at, page[-1].seq))
            self._rows += len(page)

    def _keep(self, number: int, page: _Page) -> None:
        self._pages[number] = page
        self._pages.move_to_end(number)
        while len(self._pages) > _KEPT:
            self._pages.popitem(last=False)

    def _load(self, number: int) -> None:
        """Ask for a page: the next one, or one that was let go."""
        self._loading = True
        search, store, query = self._search, self._store, self.query
        after = self._ends[number - 1] if number else None

        def done(page: _Page) -> None:
            if search != self._search:
                return
            self._loading = False
            self._place(number, page)
            self._load_wanted()

        self._bridge.run(
            lambda: store().search(query, after=after, limit=PAGE),
            done,
            lambda error: self._fault(search, error),
            owner=self,
        )

    def _place(self, number: int, page: _Page) -> None:
        first = number * PAGE
        if number < len(self._ends):
            self._keep(number, page)
            last = min(first + PAGE, self._rows) - 1
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(Column) - 1))
        elif page:
            self.beginInsertRows(_ROOT, first, first + len(page) - 1)
            self._append(page)
            self.endInsertRows()
        else:
            self._complete = True
        self.arrived.emit(first)

    def _load_wanted(self) -> None:
        while self._wanted and not self._loading:
            number = self._wanted.pop()
            if number not in self._pages and number < len(self._ends):
                self._load(number)

    def _fault(self, search: int, error: Exception) -> None:
        if search == self._search:
            self._loading = False
            self._complete = True  # the view would ask again at once
            self.failed.emit(error)

    # --- rows --------------------------------------------------------------------------------------------------------

    def event_at(self, row: int) -> SecurityEvent | None:
        """Return the event of a row, None while it is on its way."""
        number, place = divmod(row, PAGE)
        page = self._pages.get(number)
        if page is None:
            if number not in self._wanted:
                self._wanted.append(number)
            self._load_wanted()
            return None
        return page[place] if place < len(page) else None  # pruned meanwhile

    def canFetchMore(self, parent: _Index) -> bool:
        """Say whether there may be further events."""
        return not parent.isValid() and not self._complete and not self._loading

    def fetchMore(self, parent: _Index) -> None:
        """Ask for the next page."""
        if self.canFetchMore(parent):
            self._load(len(self._ends))

    def rowCount(self, parent: _Index = _ROOT) -> int:
        """Return how many events are rows so far."""
        return 0 if parent.isValid() else self._rows

    def columnCount(self, parent: _Index = _ROOT) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the columns' names."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._heads[section]
        if role == Qt.ItemDataRole.ToolTipRole and section == Column.TIME:
            return _("Times are {zone}.", zone=self._zone.key)
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the words of a cell, on one line and without controls; the severity itself for ``UserRole``."""
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.UserRole) or not index.isValid():
            return None
        event = self.event_at(index.row())
        if event is None:
            return "…" if role == Qt.ItemDataRole.DisplayRole and index.column() == Column.TIME else None
        if role == Qt.ItemDataRole.UserRole:
            return event.severity.value
        return self._cell(event, Column(index.column()))

    def _cell(self, event: SecurityEvent, column: Column) -> str:
        match column:
            case Column.TIME:
                return shown_time(event.at.astimezone(self._zone), texts.current())
            case Column.SEVERITY:
                return self._severities[event.severity]
            case Column.CATEGORY:
                return self._categories[event.category]
            case Column.ACTION:
                return self._actions[event.action]
            case Column.SOURCE:
                return " · ".join(one_line(text, 60) for text in (event.src_ip, event.country) if text)
            case Column.TARGET:
                return one_line(event.target, _CELL)
            case Column.WHAT:
                return what_of(event)


def what_of(event: SecurityEvent) -> str:
    """Return what happened in the log's own words: the rule and the message, on one line."""
    rule = event.rule_name or (event.rule_id if not event.message else "")
    return one_line(" · ".join(dict.fromkeys(text for text in (rule, event.message) if text)), _CELL)


def shown_time(local: datetime, language: str) -> str:
    """Return 2026-11-21 13:04:05, or 21/11/2026 13:04:05 in French: digits stand below each other in a column."""
    return local.strftime("%d/%m/%Y %H:%M:%S" if language == "fr" else "%Y-%m-%d %H:%M:%S")
