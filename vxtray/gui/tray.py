"""The icon in the tray: its shape says the state, its menu holds the shared actions. GUI thread only.

A panel may start late or restart: the tray is looked for again and again, and a new icon is made each time one
appears, since Qt does not register an old one there and still calls it visible.
"""

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from vxtray.core import texts
from vxtray.core.mail.replies import words_of
from vxtray.core.notices import MailSettled
from vxtray.core.status import State, state_of
from vxtray.core.texts import N_, _
from vxtray.gui.actions import Actions
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.icons import TrayState, tray_icon
from vxtray.gui.theme import theme

_SOON_MS, _LATER_MS = 2_000, 30_000
_SOON_TRIES = 60
#: Events may be stored fifty times a second; what is told meanwhile is shown at once.
_NEWS_MS = 150
_REFRESH_MS = 30_000

_LOOK = {
    State.WORKING: (TrayState.OK, N_("Everything is working")),
    State.SENDING: (TrayState.SENDING, N_("Sending mail")),
    State.PAUSED: (TrayState.PAUSED, N_("Alert mails are held")),
    State.TROUBLE: (TrayState.ERROR, N_("Something needs a look")),
    State.NOT_CONFIGURED: (TrayState.ATTENTION, N_("The mail server is not set up yet")),
    State.STOPPED: (TrayState.OFFLINE, N_("Stopped")),
}


class Tray(QObject):
    """Keeps an icon wherever there is a tray."""

    def __init__(self, context: Context, actions: Actions) -> None:
        super().__init__()
        self._context = context
        self._actions = actions
        self._icon: QSystemTrayIcon | None = None
        self._shape = TrayState.OFFLINE
        self._state_line = QAction(self)
        self._state_line.setEnabled(False)
        self._menu = self._make_menu()
        self._tries = 0
        self._looking = QTimer(self)
        self._looking.timeout.connect(self._look)
        self._refreshing = QTimer(self)
        self._refreshing.timeout.connect(self.refresh)
        self._refreshing.start(_REFRESH_MS)
        self._soon = QTimer(self, singleShot=True, interval=_NEWS_MS)
        self._soon.timeout.connect(self.refresh)
        context.bridge.noticed.connect(self._noticed)
        follow(self, context.model, lambda _change: self.refresh())
        theme().changed.connect(self.refresh)
        actions.told.connect(self._tell)
        actions.changed.connect(self.refresh)
        self.refresh()
        self._look()
        self._looking.start(_SOON_MS)

    @property
    def present(self) -> bool:
        """True where the person can reach the program through an icon."""
        return self._icon is not None and QSystemTrayIcon.isSystemTrayAvailable()

    @property
    def icon(self) -> QSystemTrayIcon | None:
        """The icon that is shown, None where there is no tray."""
        return self._icon

    @property
    def shape(self) -> TrayState:
        """What the icon says, or would say."""
        return self._shape

    @property
    def menu(self) -> QMenu:
        """The icon's menu."""
        return self._menu

    def _make_menu(self) -> QMenu:
        menu, actions = QMenu(), self._actions
        menu.addAction(self._state_line)
        menu.addSeparator()
        menu.addAction(actions.open)
        menu.addAction(actions.send_test)
        menu.addMenu(actions.report_menu(menu))
        menu.addMenu(actions.pause_menu(menu))
        menu.addSeparator()
        menu.addAction(actions.quit)
        menu.aboutToShow.connect(self.refresh)
        return menu

    @Slot()
    def _look(self) -> None:
        self._tries += 1
        if self._tries == _SOON_TRIES:
            self._looking.setInterval(_LATER_MS)
        available = QSystemTrayIcon.isSystemTrayAvailable()
        if available and self._icon is None:
            self._icon = QSystemTrayIcon(self)
            self._icon.setContextMenu(self._menu)
            self._icon.activated.connect(self._activated)
            self.refresh()
            self._icon.show()
        elif not available and self._icon is not None:
            self._icon.hide()
            self._icon.deleteLater()
            self._icon = None

    @Slot(object)
    def _noticed(self, notice: object) -> None:
        if not self._soon.isActive():
            self._soon.start()
        if isinstance(notice, MailSettled) and notice.state in {"failed", "expired"}:
            found = words_of("", notice.reply)
            why = found.in_language(texts.current()) if found else _(notice.reply)
            self._notify(_("A mail could not be delivered: {subject}", subject=notice.subject), why, good=False)

    @Slot()
    def refresh(self) -> None:
        """Show the state as icon, tool tip and first line of the menu."""
        service = self._context.service
        shape, text = _LOOK[state_of(service)]
        self._shape, words = shape, _(text)
        if shape is TrayState.OK and service.proven_at() is None:
            words = _("Set up, but not tried yet")
        if troubles := service.troubles():
            words = texts.title(troubles[0].error)
        self._state_line.setText(words.replace("&", "&&"))
        if self._icon is not None:
            self._icon.setIcon(tray_icon(shape, "dark" if theme().dark else "light"))
            self._icon.setToolTip(f"vxtray – {words}".replace("<", "‹").replace(">", "›"))

    @Slot(QSystemTrayIcon.ActivationReason)
    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason in {QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick}:
            self._actions.show_wanted.emit()

    @Slot(str, bool)
    def _tell(self, text: str, good: bool) -> None:
        """Answer what was asked for from the menu while the window is not seen."""
        from PySide6.QtWidgets import QApplication

        if QApplication.activeWindow() is None:
            self._notify("vxtray", text, good=good)

    def _notify(self, title: str, text: str, *, good: bool) -> None:
        if self._icon is None or not self._context.model.current.desktop.notifications:
            return
        kind = QSystemTrayIcon.MessageIcon.Information if good else QSystemTrayIcon.MessageIcon.Warning
        # Notification servers read the body as markup: https://specifications.freedesktop.org/notification/latest/
        plain = text.replace("&", "&amp;").replace("<", "&lt;")
        self._icon.showMessage(title, plain, kind)

    def hide(self) -> None:
        """Take the icon away at the end."""
        self._looking.stop()
        self._refreshing.stop()
        self._soon.stop()
        if self._icon is not None:
            self._icon.hide()
