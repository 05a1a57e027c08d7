"""Found events as rows, a page at a time, for as many as there are. GUI thread only; the store is asked on ``vx-read``.

A page that takes long to find comes in parts, each as soon as it is found, and says how far the search has come.
Kept are the ends of all pages and the events of a few: scrolling back asks for a page again. All pages show the store
as it was when the search began, so that nothing moves under the reader; what is stored later is only counted.
"""

import math
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
from vxtray.core.store import Cursor, EventQuery, EventStore, Found
from vxtray.core.texts import N_, _
from vxtray.gui.bridge import Bridge

_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_Page = list[SecurityEvent]

#: Events of a page, and pages that are kept: 12,000 events are about 20 MB.
PAGE = 240
_KEPT = 50

#: How long the store looks before it answers with what it has: at first, and while rows or words are there already.
_FIRST_SECONDS = 0.08
_NEXT_SECONDS = 0.15

#: Characters of a cell; the details show all of them.
_CELL = 300

#: Where the words of reports are too long for a column.
_SHORT_CATEGORIES = {Category.WAF: "WAF", Category.IPS: "IPS", Category.ATP: "ATP", Category.OTHER: N_("Other")}
SHORT_ACTIONS = {Action.DETECTED: N_("detected"), Action.INFO: "–"}


class Column(IntEnum):
    """The columns, in order."""

    TIME = 0
    SEVERITY = 1
    CATEGORY = 2
    ACTION = 3
    SOURCE = 4
    TARGET = 5
    WHAT = 6


_COLUMNS = tuple(Column)


class First(msgspec.Struct, frozen=True):
    """The answer to a new search: what was found first, the newest seq of the store, and whether anything is stored."""

    found: Found
    seq: int
    stored: bool


class EventsModel(QAbstractTableModel):
    """A search as a table.

    Signals: ``loaded(stored)`` when the first answer is there, with whether the store holds anything at all;
    ``arrived(row)`` when the events from that row on are there; ``looked()`` when the search has come further or has
    ended; ``failed(error)``.
    """

    loaded = Signal(bool)
    arrived = Signal(int)
    looked = Signal()
    failed = Signal(object)

    def __init__(self, bridge: Bridge, store: Callable[[], EventStore], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store
        self._search = 0
        self.query = EventQuery()
        self._rows = 0
        self._rest: Cursor | None = None
        self._looking = False
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
        self._actions = {name: _(SHORT_ACTIONS.get(name, ACTIONS[name])) for name in Action}

    # --- searching ---------------------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """True where every event found is a row."""
        return self._rest is None

    @property
    def looking(self) -> datetime | None:
        """How far back all has been looked through, where a page is still being looked for."""
        return self._rest.at if self._looking and self._rest is not None else None

    def show(self, query: EventQuery) -> None:
        """Search anew; the former rows stay until the answer is there."""
        self._search += 1
        self._loading = True
        self._looking = False
        self._wanted.clear()
        search, store = self._search, self._store

        def work() -> First:
            opened = store()
            if not (seq := opened.last_seq()) or search != self._search:  # another search was begun meanwhile
                return First(Found([], None), 0, stored=False)
            bounded = msgspec.structs.replace(query, up_to_seq=min(seq, query.up_to_seq or seq))
            found = opened.look(bounded, limit=PAGE, seconds=_FIRST_SECONDS)
            return First(found, seq, stored=bool(found.events) or opened.count() > 0)

        def done(first: First) -> None:
            if search == self._search:
                up_to = min(first.seq, query.up_to_seq or first.seq)
                self._begin(msgspec.structs.replace(query, up_to_seq=up_to), first)

        self._bridge.run(work, done, lambda error: self._fault(search, error), owner=self, quick=True)

    def _begin(self, query: EventQuery, first: First) -> None:
        self.beginResetModel()
        self.query = query
        self._zone = machine_zone()
        self._ends = []
        self._pages.clear()
        self._loading = False
        self._rows = 0
        self._add(first.found.events)
        self.endResetModel()
        self._came(first.found)
        self.loaded.emit(first.stored)
        self._go_on()

    def _add(self, events: _Page) -> None:
        """Fill the last page, or begin one."""
        if not events:
            return
        number, filled = divmod(self._rows, PAGE)
        if filled:
            self._ends.pop()
        if not filled or number in self._pages:  # else it was let go, and is asked for as a whole
            self._keep(number, self._pages.get(number, []) + events)
        self._ends.append(Cursor(events[-1].at, events[-1].seq))
        self._rows += len(events)

    def _came(self, found: Found) -> None:
        """Take over how far the search has come; it goes on until a page is full."""
        self._rest = found.rest
        self._looking = found.rest is not None and (self._rows % PAGE > 0 or not self._rows)

    def _keep(self, number: int, page: _Page) -> None:
        self._pages[number] = page
        self._pages.move_to_end(number)
        while len(self._pages) > _KEPT:
            self._pages.popitem(last=False)

    def _go_on(self) -> None:
        """Ask for what is seen and not there, then for what is still to be found; one question at a time."""
        while self._wanted and not self._loading:
            number = self._wanted.pop()
            if number not in self._pages and number < len(self._ends):
                self._load_again(number)
        if self._looking and not self._loading:
            self._look_on()

    def _ask(self, ask: Callable[[EventStore], Found], answered: Callable[[Found], None]) -> None:
        self._loading = True
        search, store = self._search, self._store

        def done(found: Found) -> None:
            if search == self._search:
                self._loading = False
                answered(found)
                self._go_on()

        self._bridge.run(lambda: ask(store()), done, lambda error: self._fault(search, error), owner=self, quick=True)

    def _load_again(self, number: int) -> None:
        """Ask for a page that was let go."""
        query, first = self.query, number * PAGE
        after = self._ends[number - 1] if number else None
        size = min(PAGE, self._rows - first)

        def answered(found: Found) -> None:
            self._keep(number, found.events)
            self.dataChanged.emit(self.index(first, 0), self.index(first + size - 1, len(Column) - 1))
            self.arrived.emit(first)

        self._ask(lambda store: store.look(query, after=after, limit=size, seconds=math.inf), answered)

    def _look_on(self) -> None:
        query, rest = self.query, self._rest
        missing = PAGE - self._rows % PAGE

        def answered(found: Found) -> None:
            first = self._rows
            if found.events:
                self.beginInsertRows(_ROOT, first, first + len(found.events) - 1)
                self._add(found.events)
                self.endInsertRows()
            self._came(found)
            if found.events or found.rest is None:
                self.arrived.emit(first)
            self.looked.emit()

        self._ask(lambda store: store.look(query, after=rest, limit=missing, seconds=_NEXT_SECONDS), answered)

    def _fault(self, search: int, error: Exception) -> None:
        if search == self._search:
            self._loading = self._looking = False
            self._rest = None  # the view would ask again at once
            self.failed.emit(error)

    # --- rows --------------------------------------------------------------------------------------------------------

    def event_at(self, row: int) -> SecurityEvent | None:
        """Return the event of a row, None while it is on its way."""
        number, place = divmod(row, PAGE)
        page = self._pages.get(number)
        if page is None:
            if number not in self._wanted:
                self._wanted.append(number)
            self._go_on()
            return None
        return page[place] if place < len(page) else None  # pruned meanwhile

    def canFetchMore(self, parent: _Index) -> bool:
        """Say whether there may be further events."""
        return not parent.isValid() and not self.complete and not self._looking

    def fetchMore(self, parent: _Index) -> None:
        """Ask for the next page, once what is asked for now is there."""
        if self.canFetchMore(parent):
            self._looking = True
            self._go_on()

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
        if role == Qt.ItemDataRole.DisplayRole:
            return self.words(index.row(), index.column()) or None
        event = self.event_at(index.row())
        return event.severity.value if event is not None else None

    def words(self, row: int, column: int) -> str:
        """Return the words of a cell; the time of an event that is on its way is an ellipsis."""
        event = self.event_at(row)
        if event is None:
            return "…" if column == Column.TIME else ""
        return self._cell(event, _COLUMNS[column])

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
    # strftime imports a module at each call, and PySide watches imports: that took a tenth of a row's painting
    day = f"{local.day:02}/{local.month:02}/{local.year}" if language == "fr" else local.date().isoformat()
    return f"{day} {local.hour:02}:{local.minute:02}:{local.second:02}"
