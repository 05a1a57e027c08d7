"""The frame around the pages. Closing hides it where a tray is there to come back from, and quits where none is."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QLocale, Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QMainWindow,
    QPlainTextEdit,
    QScrollBar,
    QStackedWidget,
    QWidget,
)

from vxtray.core import texts
from vxtray.core.store import EventQuery
from vxtray.core.texts import _
from vxtray.gui.actions import Actions
from vxtray.gui.at_login import AtLogin
from vxtray.gui.context import Context
from vxtray.gui.icons import app_icon
from vxtray.gui.pages.alerts import AlertsPage
from vxtray.gui.pages.alerts_words import unacknowledged_words
from vxtray.gui.pages.events import EventsPage
from vxtray.gui.pages.help import HelpPage
from vxtray.gui.pages.history import HistoryPage
from vxtray.gui.pages.history_words import lost_words
from vxtray.gui.pages.mail_server import MailServerPage
from vxtray.gui.pages.overview import OverviewPage
from vxtray.gui.pages.reports import ReportsPage
from vxtray.gui.pages.settings import SettingsPage
from vxtray.gui.pages.shortcuts import native
from vxtray.gui.pages.sources import SourcesPage
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Kind, NavItem, Page, SideBar

if TYPE_CHECKING:
    from vxtray.gui.assistant.frame import Assistant

#: The pages of what ``go_to`` knows besides them.
_PAGE_OF = {"edit_smtp": "mail_server", "sign_in": "mail_server", "lost": "history", "event": "events"}


class MainWindow(QMainWindow):
    """Sidebar and pages.

    Signals: ``put_away()`` when it was closed, and the program goes on in the tray.
    """

    put_away = Signal()

    def __init__(
        self,
        context: Context,
        actions: Actions,
        stays_in_tray: Callable[[], bool],
        at_login: AtLogin | None = None,
    ) -> None:
        """``at_login`` is who keeps the session's entry, where there is one already."""
        super().__init__()
        self._context = context
        self._stays_in_tray = stays_in_tray
        self.setWindowTitle("vxtray")
        self.setWindowIcon(app_icon())
        self._at_login = at_login or AtLogin(context, self)
        self._fill(actions)
        self._make_shortcuts()
        px = theme().px
        self.setMinimumSize(px(640), px(440))
        self.resize(px(1080), px(690))
        self.sidebar.choose("overview")

    def _fill(self, actions: Actions) -> None:
        """Make the pages and the sidebar, in the language of now."""
        context, stays_in_tray = self._context, self._stays_in_tray
        self.overview = OverviewPage(context, actions, stays_in_tray)
        self.alerts = AlertsPage(context, actions)
        self.reports = ReportsPage(context)
        self.events = EventsPage(context, actions)
        self.sources = SourcesPage(context, actions)
        self.mail_server = MailServerPage(context, actions)
        self.history = HistoryPage(context, actions)
        self.settings = SettingsPage(context, self._at_login)
        self.help = HelpPage(context, actions)
        self.pages: dict[str, Page] = {
            "overview": self.overview,
            "alerts": self.alerts,
            "reports": self.reports,
            "events": self.events,
            "sources": self.sources,
            "mail_server": self.mail_server,
            "history": self.history,
            "settings": self.settings,
            "help": self.help,
        }
        self.sidebar = SideBar(
            _("Pages"),
            (
                NavItem("overview", _("Overview"), "overview"),
                NavItem("alerts", _("Alerts"), "alerts"),
                NavItem("reports", _("Reports"), "reports"),
                NavItem("events", _("Events"), "events"),
                NavItem("sources", _("Sources"), "sources"),
                NavItem("mail_server", _("Mail server"), "mail"),
                NavItem("history", _("History"), "history"),
            ),
            (
                NavItem("settings", _("Settings"), "settings"),
                NavItem("help", _("Help & diagnostics"), "help"),
            ),
        )
        self.assistant: Assistant | None = None
        self._stack = QStackedWidget()
        for page in self.pages.values():
            self._stack.addWidget(page)
        ground = QWidget()
        row = QHBoxLayout(ground)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.sidebar)
        row.addWidget(self._stack, 1)
        self.setCentralWidget(ground)
        self.sidebar.chosen.connect(self._show_page)
        for page in (self.overview, self.alerts, self.events, self.reports):
            page.page_wanted.connect(self.go_to)
        self.history.lost_changed.connect(self._show_lost)
        self.alerts.unacknowledged_changed.connect(self._show_unacknowledged)
        self.alerts.events_wanted.connect(self._show_events)
        self.overview.events_wanted.connect(self._show_events)
        actions.told.connect(self._tell)
        actions.changed.connect(self.overview.refresh)
        actions.page_wanted.connect(self.open_page)
        self.addAction(actions.quit)

    def _make_shortcuts(self) -> None:
        for number, key in enumerate(self.sidebar.keys(), 1):
            shortcut = QShortcut(QKeySequence(f"Ctrl+{number}"), self)
            shortcut.activated.connect(lambda key=key: self.go_to(key))
            self.sidebar.set_hint(key, native(f"Ctrl+{number}"))
        QShortcut(QKeySequence(Qt.Key.Key_F1), self).activated.connect(lambda: self.go_to("help"))
        QShortcut(QKeySequence(Qt.Key.Key_F5), self).activated.connect(self.refresh)
        QShortcut(QKeySequence("Ctrl+W"), self).activated.connect(self.close)

    @Slot(str)
    def _show_page(self, key: str) -> None:
        self.sidebar.show()
        self._stack.setCurrentWidget(self.pages[key])

    def welcome(self) -> None:
        """Show the assistant where nothing is set up yet, unless it was sent away."""
        from vxtray.gui.assistant.memory import Memory

        if Memory(self._context.service).due:
            self._assist()

    def _assist(self) -> None:
        """Show the assistant in place of sidebar and page."""
        if self.assistant is None:
            from vxtray.gui.assistant.frame import Assistant

            self.assistant = Assistant(self._context, self._stays_in_tray)
            self.assistant.left.connect(lambda: self._show_page(self.sidebar.current()))
            self.assistant.finished.connect(self._finish_assistant)
            self._at_login.refused.connect(self.assistant.ending.tell_refused)
            self._stack.addWidget(self.assistant)
        self.sidebar.hide()
        self._stack.setCurrentWidget(self.assistant)
        self.assistant.begin()

    def _leave_assistant(self) -> bool:
        """Send the assistant away where it is shown, and return whether it was."""
        if self.assistant is None or self._stack.currentWidget() is not self.assistant:
            return False
        self.assistant.leave()
        return True

    @Slot()
    def _finish_assistant(self) -> None:
        """Go to the overview, and from there to the tray."""
        self.sidebar.choose("overview")
        self._show_page("overview")
        if self._stays_in_tray():
            self.close()

    @Slot(str)
    def go_to(self, key: str) -> None:
        """Show a page; ``edit_smtp`` opens the mail server's dialog on its page, ``lost`` the mails not delivered.

        ``assistant`` is no page: it takes the place of all of them until it is left.

        ``sign_in`` begins the sign-in with the mail account's provider.

        ``history:12`` is mail 12 in the history, ``event:12`` the event of that number in the store, ``alerts:12`` the
        newest mail of incident 12.
        """
        if key == "assistant":
            self._assist()
            return
        self._leave_assistant()
        key, _colon, mail = key.partition(":")
        self.sidebar.choose(_PAGE_OF.get(key, key))
        if key == "edit_smtp":
            self.mail_server.dialog.edit()
        elif key == "sign_in":
            self.mail_server.begin_sign_in()
        elif key == "lost":
            self.history.show_lost()
        elif key == "event":
            self.events.show_event(int(mail))
        elif key == "history" and mail:
            self.history.show_mail(int(mail))
        elif key == "alerts" and mail:
            self.alerts.show_incident(int(mail))

    @Slot(str)
    def open_page(self, key: str) -> None:
        """Bring the window to the front, on a page as ``go_to`` takes it."""
        self.raise_window()
        self.go_to(key)

    @Slot(int)
    def _show_lost(self, count: int) -> None:
        number = texts.format_number(count, texts.current()) if count else ""
        self.sidebar.set_badge("history", number, lost_words(count))

    @Slot(int)
    def _show_unacknowledged(self, count: int) -> None:
        number = texts.format_number(count, texts.current()) if count else ""
        self.sidebar.set_badge("alerts", number, unacknowledged_words(count))

    @Slot(object)
    def _show_events(self, query: EventQuery) -> None:
        self.events.show_only(query)
        self.sidebar.choose("events")

    @Slot()
    def refresh(self) -> None:
        """Take over what changed on the disk and look again."""
        self._context.model.reload()
        self.overview.refresh()
        self.alerts.refresh()
        self.reports.refresh()
        self.events.refresh()
        self.sources.refresh()
        self.mail_server.refresh()
        self.history.refresh()
        self.settings.refresh()
        self.help.refresh()

    @Slot(str, bool)
    def _tell(self, text: str, good: bool) -> None:
        page = self._stack.currentWidget()
        if isinstance(page, Page):
            page.say(text, Kind.GOOD if good else Kind.WARNING)

    def raise_window(self) -> None:
        """Show the window in front of the others, also when it was minimised."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def speak_anew(self, actions: Actions) -> None:
        """Make everything in the window anew, in the language of now, and stand where it stood.

        ``actions`` are made anew, too. Page, how far it was scrolled, the keyboard's place and what can be undone stay.
        """
        settings, key = self.settings, self.sidebar.current()
        focus: QWidget | None = self.focusWidget()
        name = focus.objectName() if focus is not None else ""
        scrolled = self.pages[key].verticalScrollBar().value()
        before = self.takeCentralWidget()
        assisting = self._leave_assistant()
        self.setLocale(QLocale())  # which its fields take over
        self._fill(actions)
        self.sidebar.set_compact(self.width() < self.sidebar.wide() * 3.2)
        self.go_to(key)
        self.settings.take_over(settings)
        if before is not None:
            before.deleteLater()
        page = self.pages[key]
        same = page.findChild(QWidget, name) if name else None
        (same or self.sidebar).setFocus()
        _scroll(page.verticalScrollBar(), scrolled)
        if assisting:
            self._assist()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the sidebar as icons only where the window gets narrow."""
        self.sidebar.set_compact(self.width() < self.sidebar.wide() * 3.2)
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Pick up a new system font or scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ThemeChange:
            theme().refresh()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Hide where the tray can bring the window back, else end the program."""
        event.accept()
        self._leave_assistant()
        if self._stays_in_tray():
            self.put_away.emit()
        else:
            self._context.quit()


def holds_input() -> bool:
    """True while a menu or a dialog is open whose content would be lost with the window that it belongs to."""
    if QApplication.activeModalWidget() is not None or QApplication.activePopupWidget() is not None:
        return True
    dialogs = [one for one in QApplication.topLevelWidgets() if isinstance(one, QDialog) and one.isVisible()]
    fields: list[QLineEdit | QPlainTextEdit] = []
    for one in dialogs:
        fields += [*one.findChildren(QLineEdit), *one.findChildren(QPlainTextEdit)]
    return any(field.isVisible() and not field.isReadOnly() for field in fields)


def _scroll(bar: QScrollBar, value: int) -> None:
    """Bring a page to where it was, as soon as it is laid out that far."""

    def reach(_least: int, most: int) -> None:
        if most >= value:
            bar.rangeChanged.disconnect(reach)
            bar.setValue(value)

    bar.rangeChanged.connect(reach)
    reach(0, bar.maximum())
