"""The frame around the pages. Closing hides it where a tray is there to come back from, and quits where none is."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt, Slot
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QWidget

from vxtray.core import texts
from vxtray.core.store import EventQuery
from vxtray.core.texts import _
from vxtray.gui.actions import Actions
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
from vxtray.gui.pages.sources import SourcesPage
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Kind, NavItem, Page, SideBar


class MainWindow(QMainWindow):
    """Sidebar and pages."""

    def __init__(self, context: Context, actions: Actions, stays_in_tray: Callable[[], bool]) -> None:
        super().__init__()
        self._context = context
        self._stays_in_tray = stays_in_tray
        self.setWindowTitle("vxtray")
        self.setWindowIcon(app_icon())
        self.overview = OverviewPage(context, actions, stays_in_tray)
        self.alerts = AlertsPage(context, actions)
        self.reports = ReportsPage(context)
        self.events = EventsPage(context, actions)
        self.sources = SourcesPage(context, actions)
        self.mail_server = MailServerPage(context, actions)
        self.history = HistoryPage(context, actions)
        self.help = HelpPage(context, actions)
        self.pages: dict[str, Page] = {
            "overview": self.overview,
            "alerts": self.alerts,
            "reports": self.reports,
            "events": self.events,
            "sources": self.sources,
            "mail_server": self.mail_server,
            "history": self.history,
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
            (NavItem("help", _("Help & diagnostics"), "help"),),
        )
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
        actions.told.connect(self._tell)
        actions.changed.connect(self.overview.refresh)
        actions.page_wanted.connect(self.open_page)
        self.addAction(actions.quit)
        self._make_shortcuts()
        px = theme().px
        self.setMinimumSize(px(640), px(440))
        self.resize(px(1080), px(690))
        self.sidebar.choose("overview")

    def _make_shortcuts(self) -> None:
        for number, key in enumerate(self.sidebar.keys(), 1):
            shortcut = QShortcut(QKeySequence(f"Ctrl+{number}"), self)
            shortcut.activated.connect(lambda key=key: self.sidebar.choose(key))
        QShortcut(QKeySequence(Qt.Key.Key_F1), self).activated.connect(lambda: self.sidebar.choose("help"))
        QShortcut(QKeySequence(Qt.Key.Key_F5), self).activated.connect(self.refresh)
        QShortcut(QKeySequence("Ctrl+W"), self).activated.connect(self.close)

    @Slot(str)
    def _show_page(self, key: str) -> None:
        self._stack.setCurrentWidget(self.pages[key])

    @Slot(str)
    def go_to(self, key: str) -> None:
        """Show a page; ``edit_smtp`` opens the mail server's dialog on its page, ``lost`` the mails not delivered.

        ``history:12`` is mail 12 in the history, ``event:12`` the event of that number in the store, ``alerts:12`` the
        newest mail of incident 12.
        """
        key, _colon, mail = key.partition(":")
        self.sidebar.choose({"edit_smtp": "mail_server", "lost": "history", "event": "events"}.get(key, key))
        if key == "edit_smtp":
            self.mail_server.dialog.edit()
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
        if not self._stays_in_tray():
            self._context.quit()
