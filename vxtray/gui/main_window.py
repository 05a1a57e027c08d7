"""The frame around the pages. Closing hides it where a tray is there to come back from, and quits where none is.

It can be shown before there is an engine, so it imports little: ``begin`` gives it its pages, each of which is imported
and made when it is first shown.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from PySide6.QtCore import QEvent, QLocale, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QWidget

from vxtray.core import texts
from vxtray.core.texts import _
from vxtray.gui.anew import scroll_when_laid_out
from vxtray.gui.icons import app_icon
from vxtray.gui.keyboard import native
from vxtray.gui.sidebar import NavItem, SideBar
from vxtray.gui.theme import theme

if TYPE_CHECKING:  # what only ``begin`` needs
    from vxtray.core.store import EventQuery
    from vxtray.gui.actions import Actions
    from vxtray.gui.assistant.frame import Assistant
    from vxtray.gui.at_login import AtLogin
    from vxtray.gui.context import Context
    from vxtray.gui.pages.alerts import AlertsPage
    from vxtray.gui.pages.all_pages import Pages
    from vxtray.gui.pages.events import EventsPage
    from vxtray.gui.pages.help import HelpPage
    from vxtray.gui.pages.history import HistoryPage
    from vxtray.gui.pages.mail_server import MailServerPage
    from vxtray.gui.pages.overview import OverviewPage
    from vxtray.gui.pages.reports import ReportsPage
    from vxtray.gui.pages.settings import SettingsPage
    from vxtray.gui.pages.sources import SourcesPage
    from vxtray.gui.widgets import Page

P = TypeVar("P", bound="Page")

#: How long after the first page the modules of the others are loaded, beside the event loop.
_LOAD_MS = 1500

#: What the guide says about each page.
_TOPICS = {
    "overview": "first-steps",
    "assistant": "first-steps",
    "alerts": "alerts",
    "reports": "reports",
    "events": "sources",
    "sources": "sources",
    "mail_server": "mail-server",
    "history": "trouble",
    "settings": "backup",
    "help": "index",
}
#: The pages of what ``go_to`` knows besides them.
_PAGE_OF = {"edit_smtp": "mail_server", "sign_in": "mail_server", "lost": "history", "event": "events"}


class _PageOf(Generic[P]):
    """A page as an attribute of the window, made when it is first asked for."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._key = name

    def __get__(self, window: "MainWindow", _owner: type) -> P:
        return cast("P", window.pages[self._key])


class MainWindow(QMainWindow):
    """Sidebar and pages, which are there from ``begin`` on.

    Signals: ``put_away()`` when it was closed, and the program goes on in the tray.
    """

    put_away = Signal()

    overview: "_PageOf[OverviewPage]" = _PageOf()
    alerts: "_PageOf[AlertsPage]" = _PageOf()
    reports: "_PageOf[ReportsPage]" = _PageOf()
    events: "_PageOf[EventsPage]" = _PageOf()
    sources: "_PageOf[SourcesPage]" = _PageOf()
    mail_server: "_PageOf[MailServerPage]" = _PageOf()
    history: "_PageOf[HistoryPage]" = _PageOf()
    settings: "_PageOf[SettingsPage]" = _PageOf()
    help: "_PageOf[HelpPage]" = _PageOf()

    def __init__(self, stays_in_tray: Callable[[], bool], end: Callable[[], None]) -> None:
        """``end`` ends the program where it does not stay in the tray."""
        super().__init__()
        self._stays_in_tray, self._end = stays_in_tray, end
        self._pages: Pages | None = None
        self.setWindowTitle("vxtray")
        self.setWindowIcon(app_icon())
        self._make_frame()
        self._make_shortcuts()
        px = theme().px
        self.setMinimumSize(px(640), px(440))
        self.resize(px(1080), px(690))
        self.sidebar.choose("overview")

    def begin(self, context: "Context", actions: "Actions", at_login: "AtLogin | None" = None) -> None:
        """Show pages over the engine; ``at_login`` is who keeps the session's entry, where there is one already."""
        from vxtray.gui.at_login import AtLogin

        self._context = context
        self._at_login = at_login or AtLogin(context, self)
        self._fill(actions)
        self._show_page(self.sidebar.current())
        QTimer.singleShot(_LOAD_MS, self, self._load_pages)

    @property
    def begun(self) -> bool:
        """True once there are pages."""
        return self._pages is not None

    @property
    def pages(self) -> "Pages":
        """The pages by their keys; to ask for one makes it. There are none before ``begin``."""
        assert self._pages is not None
        return self._pages

    def _make_frame(self) -> None:
        """Make the sidebar and the room beside it, in the language of now."""
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
        for number, key in enumerate(self.sidebar.keys(), 1):
            self.sidebar.set_hint(key, native(f"Ctrl+{number}"))
        self.assistant: Assistant | None = None
        self._stack = QStackedWidget()
        ground = QWidget()
        row = QHBoxLayout(ground)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.sidebar)
        row.addWidget(self._stack, 1)
        self.setCentralWidget(ground)
        self.sidebar.chosen.connect(self._show_page)

    def _fill(self, actions: "Actions") -> None:
        """Get ready to make pages, in the language of now."""
        from vxtray.gui.badges import Badges
        from vxtray.gui.pages.all_pages import Pages

        self._actions = actions
        self._pages = Pages(self._context, actions, self._at_login, self._stays_in_tray, self._place)
        self._badges = Badges(self._context, self.sidebar)
        self._badges.lost_changed.connect(self._show_lost)
        self._badges.unacknowledged_changed.connect(self._show_unacknowledged)
        actions.told.connect(self._tell)
        actions.page_wanted.connect(self.open_page)
        self.addAction(actions.quit)

    def _place(self, key: str, page: "Page") -> None:
        """Connect a page that was just made, and give it its place."""
        page.offer_help(_("Help on this error"), _topic_for, lambda topic: self.go_to(f"help:{topic}"))
        match key:
            case "overview":
                self._actions.changed.connect(self.overview.refresh)
                self.overview.page_wanted.connect(self.go_to)
                self.overview.events_wanted.connect(self._show_events)
            case "alerts":
                self.alerts.page_wanted.connect(self.go_to)
                self.alerts.events_wanted.connect(self._show_events)
                self.alerts.unacknowledged_seen.connect(self._badges.take_unacknowledged)
            case "reports":
                self.reports.page_wanted.connect(self.go_to)
            case "events":
                self.events.page_wanted.connect(self.go_to)
            case "history":
                self.history.lost_seen.connect(self._badges.take_lost)
        stack = self._stack
        stack.setUpdatesEnabled(False)  # not to be seen before all of it is laid out
        stack.addWidget(page)
        QTimer.singleShot(0, stack, lambda: stack.setUpdatesEnabled(True))

    @Slot()
    def _load_pages(self) -> None:
        """Load what the other pages need while nobody waits, so that the first look at each takes little."""
        from vxtray.gui.pages.all_pages import load_all

        self._context.bridge.run(load_all, lambda _none: None, lambda _error: None, owner=self)

    def _make_shortcuts(self) -> None:
        for number, key in enumerate(self.sidebar.keys(), 1):
            shortcut = QShortcut(QKeySequence(f"Ctrl+{number}"), self)
            shortcut.activated.connect(lambda key=key: self.go_to(f"{key}:" if key == "help" else key))
        QShortcut(QKeySequence(Qt.Key.Key_F1), self).activated.connect(self._help_here)
        QShortcut(QKeySequence(Qt.Key.Key_F5), self).activated.connect(self.refresh)
        QShortcut(QKeySequence("Ctrl+W"), self).activated.connect(self.close)

    @Slot(str)
    def _show_page(self, key: str) -> None:
        if self._pages is not None:  # else it is shown as soon as there are any
            self.sidebar.show()
            self._stack.setCurrentWidget(self._pages[key])

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

        ``help:reports`` is a topic of the guide, ``help:`` the guide, ``help`` the diagnostics; ``settings:store`` is
        where the settings say where events are kept.

        ``history:12`` is mail 12 in the history, ``event:12`` the event of that number in the store, ``alerts:12`` the
        newest mail of incident 12.
        """
        if key == "assistant":
            self._assist()
            return
        self._leave_assistant()
        key, colon, mail = key.partition(":")
        self.sidebar.choose(_PAGE_OF.get(key, key))
        if self._pages is not None:
            self._go_within(key, mail, guide=bool(colon))

    def _go_within(self, key: str, mail: str, *, guide: bool) -> None:
        """Go to where on its page, or in what dialog of it, the key leads."""
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
        elif key == "settings" and mail == "store":
            self.settings.show_store()
        elif key == "help":
            self.help.show_topic(mail) if guide else self.help.show_diagnostics()

    @Slot()
    def _help_here(self) -> None:
        """Show the guide where it speaks of what is shown."""
        key = "assistant" if self._stack.currentWidget() is self.assistant else self.sidebar.current()
        self.go_to(f"help:{_TOPICS.get(key, '')}")

    @Slot(str)
    def open_page(self, key: str) -> None:
        """Bring the window to the front, on a page as ``go_to`` takes it."""
        self.raise_window()
        self.go_to(key)

    @Slot(int)
    def _show_lost(self, count: int) -> None:
        from vxtray.gui.pages.history_words import lost_words

        number = texts.format_number(count, texts.current()) if count else ""
        self.sidebar.set_badge("history", number, lost_words(count))

    @Slot(int)
    def _show_unacknowledged(self, count: int) -> None:
        from vxtray.gui.pages.alerts_words import unacknowledged_words

        number = texts.format_number(count, texts.current()) if count else ""
        self.sidebar.set_badge("alerts", number, unacknowledged_words(count))

    @Slot(object)
    def _show_events(self, query: "EventQuery") -> None:
        self.events.show_only(query)
        self.sidebar.choose("events")

    @Slot()
    def refresh(self) -> None:
        """Take over what changed on the disk and look again."""
        if self._pages is None:
            return
        self._context.model.reload()
        self._badges.look_again()
        for page in self._pages.made.values():
            page.refresh()

    @Slot(str, bool)
    def _tell(self, text: str, good: bool) -> None:
        from vxtray.gui.widgets import Kind, Page

        page = self._stack.currentWidget()
        if isinstance(page, Page):
            page.say(text, Kind.GOOD if good else Kind.WARNING)

    def raise_window(self) -> None:
        """Show the window in front of the others, also when it was minimised."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def speak_anew(self, actions: "Actions") -> None:
        """Make everything in the window anew, in the language of now, and stand where it stood.

        ``actions`` are made anew, too. Page, how far it was scrolled, the keyboard's place and what can be undone stay.
        """
        before, key = self.pages, self.sidebar.current()
        focus: QWidget | None = self.focusWidget()
        name = focus.objectName() if focus is not None else ""
        scrolled = before[key].verticalScrollBar().value()
        old = self.takeCentralWidget()
        assisting = self._leave_assistant()
        self.setLocale(QLocale())  # which its fields take over
        self._make_frame()
        self._fill(actions)
        self.sidebar.set_compact(self.width() < self.sidebar.wide() * 3.2)
        self.go_to(key)
        if "settings" in before.made:
            self.settings.take_over(cast("SettingsPage", before["settings"]))
        if old is not None:
            old.deleteLater()
        page = self.pages[key]
        same = page.findChild(QWidget, name) if name else None
        (same or self.sidebar).setFocus()
        scroll_when_laid_out(page.verticalScrollBar(), scrolled)
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
            self._end()


def _topic_for(words: str) -> str:
    from vxtray.gui.guide.window import topic_for

    return topic_for(words)
