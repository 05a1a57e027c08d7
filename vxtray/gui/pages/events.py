"""What the logs said, newest first: filter, look closer, copy, export.

GUI thread only; the store is asked for rows on ``vx-read``, for everything else on ``vx-task``.
"""

from pathlib import Path

import msgspec
from PySide6.QtCore import QPoint, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from vxtray.core import texts
from vxtray.core.events import SecurityEvent
from vxtray.core.export import ExportFormat
from vxtray.core.notices import EventsStored, Notice
from vxtray.core.reports.period import machine_zone
from vxtray.core.store import EventQuery
from vxtray.core.texts import _, plural
from vxtray.gui.actions import Actions
from vxtray.gui.context import Context
from vxtray.gui.pages.events_details import EventDetails
from vxtray.gui.pages.events_export import EventsExport
from vxtray.gui.pages.events_filters import EventFilters
from vxtray.gui.pages.events_model import EventsModel
from vxtray.gui.pages.events_table import EventsTable
from vxtray.gui.pages.shortcuts import hint
from vxtray.gui.pages.split_list import SplitList
from vxtray.gui.trouble import words
from vxtray.gui.widgets import EmptyState, FlowRow, Kind, Page, button, primary_button

_NEWS_MS = 1000

#: What most events need, in px at scale 1.
_DETAILS_HEIGHT = 236


class EventsPage(Page):
    """Filters, the table, and the chosen event beneath it.

    Signals: ``page_wanted(key)`` where a button leads elsewhere.
    """

    page_wanted = Signal(str)

    def __init__(self, context: Context, actions: Actions) -> None:
        self.export_button = button(_("Export"))
        super().__init__(_("Events"), " ", (self.export_button,))
        self._context = context
        self._asked = False
        self._stored = False
        self._counted = False
        self._stale = True
        self._counting = False
        self._count_wanted = False
        self._one_wanted = False
        self.filters = EventFilters(context.service.clock)
        self.filters.changed.connect(self.search)
        self.export = EventsExport(context)
        self.export.ended.connect(self._export_ended)
        self.export_button.setMenu(self._export_menu())
        self.news = primary_button("")
        self.news.clicked.connect(self.search)
        self._news_row = FlowRow(self.news)
        self._news_row.hide()
        self.model = EventsModel(context.bridge, context.service.store, self)
        self.table = EventsTable(self.model)
        self.details = EventDetails()
        self._nothing_yet = self._empty_states(actions)
        others = (self._nothing_yet, self._seeking, self._no_match)
        self.split = SplitList(self.table, self.details, others, _DETAILS_HEIGHT)
        for part in (self.export, self.filters, self._news_row):
            self.add(part)
        self.add(self.split, 1)
        self._connect()

    def _empty_states(self, actions: Actions) -> EmptyState:
        empty = EmptyState(
            "events",
            _("No events yet"),
            _(
                "What your firewall, web server or mail server logs appears here. Import log files,"
                " or set up a source that vxtray listens to or follows."
            ),
            _("Import log files…"),
        )
        empty.activated.connect(actions.import_files.trigger)
        empty.also(_("Set up a source")).clicked.connect(lambda: self.page_wanted.emit("sources"))
        self._seeking = EmptyState(
            "events", _("Searching…"), _("Nothing was found in the newest events. Older ones are being looked through.")
        )
        self._no_match = EmptyState(
            "events", _("No event matches"), _("Choose a longer time, or take a filter away."), _("Clear filters")
        )
        self._no_match.activated.connect(self.filters.clear)
        return empty

    def _connect(self) -> None:
        self.split.chosen.connect(self._show_details)
        self.model.loaded.connect(self._loaded)
        self.model.arrived.connect(self._arrived)
        self.model.looked.connect(self._show_found)
        self.model.failed.connect(self._failed)
        self.details.closed.connect(self.split.close_details)
        self.table.customContextMenuRequested.connect(self._menu)
        self._looking = QTimer(self, singleShot=True, interval=_NEWS_MS)
        self._looking.timeout.connect(self._look_for_news)
        copy = QAction(_("Copy"), self.table)
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(lambda: self._copied(self.details.copy_text))
        copy_json = QAction(_("Copy as JSON"), self.table)
        copy_json.triggered.connect(lambda: self._copied(self.details.copy_json))
        self.table.addActions([copy, copy_json])
        QShortcut(QKeySequence.StandardKey.Find, self).activated.connect(self._find)
        hint(self.filters.text, "Ctrl+F")
        self._context.bridge.noticed.connect(self._noticed)

    # --- searching ---------------------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Search again, at once where the page is seen."""
        self._stale = True
        if self.isVisible():
            self.search()

    def show_only(self, query: EventQuery) -> None:
        """Show what a query finds, with the filters set to it."""
        self._asked = True  # else the first visit would search for everything first
        self.filters.only(query)

    @Slot()
    def search(self) -> None:
        """Search for what the filters say."""
        self._stale = False
        self._asked = True
        self._looking.stop()
        self.model.show(self.filters.query())

    def show_event(self, seq: int) -> None:
        """Show one event with its details, by its number in the store."""
        self._one_wanted = True
        self.filters.only_event(seq)

    @Slot(bool)
    def _loaded(self, stored: bool) -> None:
        self._news_row.hide()
        self.split.close_details()
        self._stored, self._counted = stored, False
        self.filters.setVisible(stored or self.filters.active)
        self._show_found()
        if self._one_wanted and self.model.rowCount() == 1:
            self.table.setCurrentIndex(self.model.index(0, 0))
        self._one_wanted = False

    @Slot()
    def _show_found(self) -> None:
        """Show the rows, or why there are none, and how many there are or how far the search has come."""
        found, back = self.model.rowCount(), self.model.looking
        nothing = self._seeking if back else self._no_match if self._stored else self._nothing_yet
        shown: QWidget = self.table if found else nothing
        self.split.stand(shown)
        self.export_button.setVisible(bool(found))
        if self.model.complete:
            self._show_count(found)
        elif self._counted:
            return
        elif back is not None:
            day = texts.format_date(back.astimezone(machine_zone()).date(), texts.current())
            so_far = plural(
                "{n} event found so far, back to {day}.", "{n} events found so far, back to {day}.", found, day=day
            )
            self.set_words(_("Events"), so_far)
        else:
            self._counted = True
            self._count()

    def _count(self) -> None:
        """Ask how many there are; one question at a time, and then only the last one."""
        if self._counting:
            self._count_wanted = True
            return
        self._counting, self._count_wanted = True, False
        store, query = self._context.service.store, self.model.query

        def done(found: int) -> None:
            self._counting = False
            if self._count_wanted:
                self._count()
            elif query == self.model.query:
                self._show_count(found)

        def failed(error: Exception) -> None:
            self._counting = False
            self._failed(error)

        self._context.bridge.run(lambda: store().count(query), done, failed, owner=self)

    def _show_count(self, found: int) -> None:
        if self.filters.active:
            said = plural("{n} event matches.", "{n} events match.", found)
        elif found:
            said = plural("{n} event, newest first.", "{n} events, newest first.", found)
        else:
            said = _("Nothing is stored yet.")
        self.set_words(_("Events"), said)

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        self.say(words(error), Kind.WARNING)

    # --- what is new -------------------------------------------------------------------------------------------------

    @Slot(object)
    def _noticed(self, notice: Notice) -> None:
        if isinstance(notice, EventsStored):
            self._stale = True
            if self.isVisible() and not self._looking.isActive():
                self._looking.start()

    @Slot()
    def _look_for_news(self) -> None:
        """Say how many events came since, or show them where there was nothing to read."""
        self._stale = False
        shown = self.model.query
        if self.filters.query().up_to_seq:  # one event, to which nothing is added
            return
        if not shown.up_to_seq:
            self.search()
            return
        query = msgspec.structs.replace(shown, after_seq=shown.up_to_seq, up_to_seq=0)
        store = self._context.service.store

        def done(new: int) -> None:
            if not new or shown != self.model.query:
                return
            if self.model.complete and not self.model.rowCount():
                self.search()
            else:
                self.news.setText(plural("Show {n} new event", "Show {n} new events", new))
                self._news_row.show()

        self._context.bridge.run(lambda: store().count(query), done, self._failed, owner=self)

    def showEvent(self, event: QShowEvent) -> None:
        """Search on the first visit; later say what is new."""
        super().showEvent(event)
        if not self._asked:
            self.search()
        elif self._stale:
            self._look_for_news()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop looking."""
        self._looking.stop()
        super().hideEvent(event)

    # --- one event ---------------------------------------------------------------------------------------------------

    @Slot()
    def _show_details(self) -> None:
        index = self.table.currentIndex()
        event = self.model.event_at(index.row()) if index.isValid() else None
        if event is not None:
            self.details.show_event(event)
            self.split.open_details()

    @Slot(int)
    def _arrived(self, _row: int) -> None:
        self.split.choose()  # the chosen row may have been on its way

    def _copied(self, copy: object) -> None:
        self._show_details()  # a row chosen a moment ago
        if self.details.event_shown is not None and callable(copy):
            copy()
            self.say(_("Copied"))

    @Slot(QPoint)
    def _menu(self, at: QPoint) -> None:
        index = self.table.indexAt(at)
        event = self.model.event_at(index.row()) if index.isValid() else None
        if event is not None:
            self._show_details()
            self.menu_for(event).popup(self.table.viewport().mapToGlobal(at))

    def menu_for(self, event: SecurityEvent) -> QMenu:
        """Return what can be done with an event."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(self.table.actions())
        menu.addSeparator()
        source = menu.addAction(_("Only this source"))
        source.setEnabled(bool(event.src_ip))
        source.triggered.connect(lambda: self.filters.only_source(event.src_ip))
        rule = menu.addAction(_("Only this rule"))
        name = event.rule_name or event.rule_id
        rule.setEnabled(bool(name))
        rule.triggered.connect(lambda: self.filters.only_rule(name))
        return menu

    @Slot()
    def _find(self) -> None:
        self.filters.text.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filters.text.selectAll()

    # --- export ------------------------------------------------------------------------------------------------------

    def _export_menu(self) -> QMenu:
        menu = QMenu(_("Export"), self.export_button)
        for form, text in (
            (ExportFormat.CSV, _("As CSV, for spreadsheets…")),
            (ExportFormat.JSON_LINES, _("As JSON lines, for programs…")),
        ):
            menu.addAction(text).triggered.connect(lambda _checked=False, form=form: self._choose_file(form))
        return menu

    def _choose_file(self, form: ExportFormat) -> None:
        kinds = {ExportFormat.CSV: _("CSV files"), ExportFormat.JSON_LINES: _("JSON lines")}
        day = texts.format_date(self._context.service.clock().date(), "en", "yyyy-MM-dd")
        name, _kind = QFileDialog.getSaveFileName(
            self, _("Export events"), f"vxtray-events-{day}.{form}", f"{kinds[form]} (*.{form})"
        )
        if name:
            path = Path(name)
            self.export_to(path if path.suffix else path.with_suffix(f".{form}"), form)

    def export_to(self, path: Path, form: ExportFormat) -> None:
        """Write all events that match to a file."""
        self.export_button.setEnabled(False)
        self.export.start(self.model.query, path, form)

    @Slot(str, bool)
    def _export_ended(self, text: str, good: bool) -> None:
        self.export_button.setEnabled(True)
        self.say(text, Kind.GOOD if good else Kind.WARNING)
