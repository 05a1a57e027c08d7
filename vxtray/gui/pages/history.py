"""What was sent, what waits and why, and what else happened: search, look closer, send again, cancel, export.

GUI thread only; the outbox is asked for rows and details on ``vx-read``, all else runs on ``vx-task``.
"""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QGuiApplication, QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QFileDialog, QMenu

from vxtray.core import texts
from vxtray.core.mail.chronicle import Line, Standing
from vxtray.core.mail.outbox import Entry, State
from vxtray.core.notices import MailSettled, Notice, QueueChanged, TroubleChanged
from vxtray.core.texts import _, plural
from vxtray.gui.actions import Actions
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.pages.history_actions import HistoryActions
from vxtray.gui.pages.history_details import HistoryDetails, Shown
from vxtray.gui.pages.history_export import HistoryExport
from vxtray.gui.pages.history_filters import HistoryFilters
from vxtray.gui.pages.history_model import HistoryModel
from vxtray.gui.pages.history_table import HistoryTable
from vxtray.gui.pages.history_words import exactly, lost_words, mark_of, what_of
from vxtray.gui.pages.shortcuts import hint
from vxtray.gui.pages.split_list import SplitList
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Banner, EmptyState, Kind, Page, button

#: Mails may be settled a hundred times a second; of a long list only now and then is seen how it stands.
_NEWS_MS, _NEWS_OF_MANY_MS, _MANY = 200, 1500, 2000
_REFRESH_MS = 15_000

#: What most mails need, in px at scale 1.
_DETAILS_HEIGHT = 300


class HistoryPage(Page):
    """Filters, the table, and the chosen line beneath it.

    Signals: ``lost_seen(count)`` with how many mails were not delivered, as read just now.
    """

    lost_seen = Signal(int)

    def __init__(self, context: Context, actions: Actions) -> None:
        self.export_button = button(_("Export as CSV…"))
        super().__init__(_("History"), " ", (self.export_button,))
        self._context = context
        self._asked = self._stale = False
        self._sought = 0
        self.filters = HistoryFilters(context.service.clock)
        self.export = HistoryExport(context)
        self.lost_banner = Banner(Kind.WARNING, "")
        self.lost_banner.hide()
        self.doing = HistoryActions(context, self)
        self.model = HistoryModel(context.bridge, context.service.outbox, context.service.clock, self)
        self.table = HistoryTable(self.model)
        self.details = HistoryDetails()
        self._no_match = EmptyState(
            "history", _("Nothing matches"), _("Choose a longer time, or take a filter away."), _("Clear filters")
        )
        self._no_match.activated.connect(self.filters.clear)
        self._nothing_yet = EmptyState(
            "history",
            _("Nothing has happened yet"),
            _(
                "Every mail that vxtray sends stands here, with what the mail server said to it; changed settings,"
                " starts and stops as well."
            ),
            _("Send test e-mail"),
        )
        self._nothing_yet.activated.connect(actions.send_test.trigger)
        self.split = SplitList(self.table, self.details, (self._no_match, self._nothing_yet), _DETAILS_HEIGHT)
        for part in (self.lost_banner, self.doing.undo, self.export, self.filters):
            self.add(part)
        self.add(self.split, 1)
        self.details.help_wanted.connect(lambda topic: actions.page_wanted.emit(f"help:{topic}"))
        self._connect()

    def _connect(self) -> None:
        self.split.chosen.connect(self._ask_details)
        self.split.closed.connect(self._forget_shown)
        self._news = QTimer(self, singleShot=True)
        self._news.timeout.connect(self._renew)
        self.filters.changed.connect(self.search)
        self.export.ended.connect(self._export_ended)
        self.export_button.clicked.connect(self._choose_file)
        self.lost_banner.activated.connect(self._lost_pressed)
        self.doing.told.connect(lambda text, good: self.say(text, Kind.GOOD if good else Kind.WARNING))
        self.model.loaded.connect(self._loaded)
        self.model.renewed.connect(self._renewed)
        self.model.failed.connect(self._failed)
        details = self.details
        details.closed.connect(self.split.close_details)
        doing = self.doing
        for wanted, do in (
            (details.open_wanted, doing.open),
            (details.retry_wanted, doing.retry),
            (details.resend_wanted, doing.resend),
            (details.cancel_wanted, doing.cancel),
            (self.table.opened, doing.open),
            (self.table.cancelled, doing.cancel),
        ):
            wanted.connect(lambda do=do: self._with_mail(do))
        details.note_wanted.connect(lambda: doing.copy_note(details.shown) if details.shown else None)
        self.table.customContextMenuRequested.connect(self._menu)
        copy = QAction(_("Copy"), self.table)
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self._copy)
        self.table.addAction(copy)
        QShortcut(QKeySequence.StandardKey.Find, self).activated.connect(self._find)
        hint(self.filters.text, "Ctrl+F")
        self._context.bridge.noticed.connect(self._noticed)
        follow(self, self._context.model, lambda _change: self._something_new())
        self.keep_fresh(self._tick, _REFRESH_MS)

    # --- searching ---------------------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Look again, at once where the page is seen."""
        self._stale = True
        if self.isVisible():
            self._renew()

    @Slot()
    def search(self) -> None:
        """Search for what the filters say."""
        self._asked, self._stale = True, False
        self._news.stop()
        self.model.show(self.filters.sought())

    def show_lost(self) -> None:
        """Show the mails that could not be delivered."""
        self.filters.only(Standing.LOST)

    def show_mail(self, number: int) -> None:
        """Show a mail among the others, with its details."""
        self._sought = number
        self.filters.clear()

    @Slot()
    def _loaded(self) -> None:
        self.split.close_details()
        self._show_found()
        if (row := self.model.row_of((True, self._sought))) >= 0:
            self.table.selectRow(row)
        self._sought = 0

    @Slot()
    def _renewed(self) -> None:
        self._show_found()
        shown = self.details.shown
        if shown is None or self.details.isHidden():
            return
        row, current = self.model.row_of(shown.line.key), self.table.currentIndex()
        if current.isValid() and current.row() != row:
            return  # another one was chosen, and its details are on their way
        if row < 0:
            self.split.close_details()
        elif not current.isValid():
            self.table.selectRow(row)  # the table was built anew
        elif (mail := shown.mail) is not None and (
            self.model.lines[row] != shown.line or mail.state in (State.QUEUED, State.SENDING, State.HELD)
        ):
            self._ask_details()

    def _show_found(self) -> None:
        """Show the rows, or why there are none, and how many there are."""
        found, active = self.model.rowCount(), self.filters.active
        self.split.stand(self.table if found else self._no_match if active else self._nothing_yet)
        self.filters.setVisible(bool(found) or active)
        self.export_button.setVisible(bool(found))
        n = self.model.count
        if active:
            said = plural("{n} entry matches.", "{n} entries match.", n)
        else:
            said = plural("{n} entry, newest first.", "{n} entries, newest first.", n) if n else ""
        self.set_words(_("History"), said)
        self._tell_lost(self.model.lost)

    def _tell_lost(self, count: int) -> None:
        among = self.filters.sought().standing is Standing.LOST
        self.lost_banner.setVisible(bool(count))
        if count:
            self.lost_banner.show_message(Kind.WARNING, lost_words(count), _("Dismiss all") if among else _("Show me"))
        self.lost_seen.emit(count)

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        self.say(words(error), Kind.WARNING)

    # --- what is new -------------------------------------------------------------------------------------------------

    @Slot(object)
    def _noticed(self, notice: Notice) -> None:
        if isinstance(notice, QueueChanged) and not self.isVisible():
            self._tell_lost(notice.failed)
        if isinstance(notice, MailSettled | QueueChanged | TroubleChanged):
            self._something_new()

    def _something_new(self) -> None:
        self._stale = True
        if self.isVisible() and not self._news.isActive():
            self._news.start(_NEWS_MS if self.model.rowCount() < _MANY else _NEWS_OF_MANY_MS)

    def _tick(self) -> None:
        self.model.times_passed()
        if self._asked:
            self._something_new()

    @Slot()
    def _renew(self) -> None:
        self._news.stop()
        if self.isVisible():
            self._stale = False
            mail = self._mail()
            self.model.renew(mail.id if mail is not None else 0)

    def showEvent(self, event: QShowEvent) -> None:
        """Search on the first visit; later take over what is new."""
        super().showEvent(event)
        if not self._asked:
            self.search()
        elif self._stale:
            self._renew()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop looking."""
        self._news.stop()
        super().hideEvent(event)

    # --- one line ----------------------------------------------------------------------------------------------------

    def _mail(self) -> Entry | None:
        """Return the mail that is chosen, None where there is none."""
        line = self.model.line_at(self.table.currentIndex().row())
        return line.entry if line is not None else None

    def _with_mail(self, do: Callable[[Entry], None]) -> None:
        if (mail := self._mail()) is not None:
            do(mail)

    @Slot()
    def _ask_details(self) -> None:
        """Read what belongs to the chosen line."""
        line = self.model.line_at(self.table.currentIndex().row())
        if line is None:
            return
        service = self._context.service

        def work() -> Shown:
            if (mail := line.entry) is None:
                return Shown(line=line)
            entry, people, attempts, data = service.outbox.entry(mail.id)
            refused = sum(state == "failed" for state, _reply in people.values())
            return Shown(
                line=Line(
                    at=entry.added_at, number=entry.id, entry=entry, to=line.to, people=len(people), refused=refused
                ),
                people=people,
                attempts=attempts,
                kept=bool(data),
                waiting=service.mail_waiting(),
                paused=service.paused_until(),
                configured=service.settings.smtp.configured,
            )

        self._context.bridge.run(work, self._show_details, self._failed, owner=self, quick=True)

    def _show_details(self, shown: Shown) -> None:
        row = self.table.currentIndex().row()
        line = self.model.line_at(row)
        if line is None or line.key != shown.line.key or (shown == self.details.shown and self.details.isVisible()):
            return
        self.details.show_line(shown, self._context.service.clock())
        self.split.open_details()

    @Slot()
    def _forget_shown(self) -> None:
        self.details.shown = None

    @Slot(QPoint)
    def _menu(self, at: QPoint) -> None:
        if self.table.indexAt(at).isValid():
            self.menu().popup(self.table.viewport().mapToGlobal(at))

    def menu(self) -> QMenu:
        """Return what can be done with the chosen line."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(self.table.actions())
        return self.doing.menu(self._mail(), menu)

    @Slot()
    def _copy(self) -> None:
        if (line := self.model.line_at(self.table.currentIndex().row())) is not None:
            mark = mark_of(line)
            parts = (exactly(line.at), mark.word if mark is not None else "", what_of(line), ", ".join(line.to))
            QGuiApplication.clipboard().setText("\t".join(filter(None, parts)))
            self.say(_("Copied"))

    @Slot()
    def _find(self) -> None:
        self.filters.text.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filters.text.selectAll()

    # --- further -----------------------------------------------------------------------------------------------------

    @Slot()
    def _lost_pressed(self) -> None:
        if self.filters.sought().standing is Standing.LOST:
            self.doing.dismiss_all()
        else:
            self.show_lost()

    @Slot()
    def _choose_file(self) -> None:
        day = texts.format_date(self._context.service.clock().date(), "en", "yyyy-MM-dd")
        kind = _("CSV files")
        name, _kind = QFileDialog.getSaveFileName(
            self, _("Export the history"), f"vxtray-history-{day}.csv", f"{kind} (*.csv)"
        )
        if name:
            path = Path(name)
            self.export_to(path if path.suffix else path.with_suffix(".csv"))

    def export_to(self, path: Path) -> None:
        """Write all lines that match to a file."""
        self.export_button.setEnabled(False)
        self.export.start(self.model.sought, path)

    @Slot(str, bool)
    def _export_ended(self, text: str, good: bool) -> None:
        self.export_button.setEnabled(True)
        self.say(text, Kind.GOOD if good else Kind.WARNING)
