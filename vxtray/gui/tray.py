"""The icon in the tray: its shape says the state, its menu holds the shared actions. GUI thread only.

A panel may start late or restart: the tray is looked for again and again, and a new icon is made each time one
appears, since Qt does not register an old one there and still calls it visible.
"""

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon

from vxtray.gui.actions import Actions
from vxtray.gui.context import Context
from vxtray.gui.icons import TrayState, tray_icon
from vxtray.gui.notification_server import OPEN, Note, harmless
from vxtray.gui.notifying import Notifier
from vxtray.gui.theme import theme

_SOON_MS, _LATER_MS = 2_000, 30_000
_SOON_TRIES = 60


class Tray(QObject):
    """Keeps an icon wherever there is a tray."""

    def __init__(self, context: Context, actions: Actions) -> None:
        super().__init__()
        self._actions = actions
        self._glance = actions.glance
        self._icon: QSystemTrayIcon | None = None
        self._menu = actions.program_menu()
        self._told: Note | None = None
        self.notifier = Notifier(context, self.balloon)
        self.notifier.page_wanted.connect(actions.page_wanted)
        self.notifier.acknowledged.connect(actions.acknowledge_all)
        self._tries = 0
        self._looking = QTimer(self)
        self._looking.timeout.connect(self._look)
        self._glance.changed.connect(self.refresh)
        theme().changed.connect(self.refresh)
        actions.told.connect(self._tell)
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
        return self._glance.shape

    @property
    def menu(self) -> QMenu:
        """The icon's menu."""
        return self._menu

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
            self._icon.messageClicked.connect(self._message_clicked)
            self.refresh()
            self._icon.show()
        elif not available and self._icon is not None:
            self._icon.hide()
            self._icon.deleteLater()
            self._icon = None

    @Slot()
    def refresh(self) -> None:
        """Show the state as icon and tool tip."""
        if self._icon is None:
            return
        glance = self._glance
        self._icon.setIcon(tray_icon(glance.shape, "dark" if theme().dark else "light"))
        critical = glance.last_critical_words() if glance.alerts.unacknowledged else ""
        self._icon.setToolTip("\n".join(filter(None, (harmless(f"vxtray – {glance.words}"), harmless(critical)))))

    @Slot(QSystemTrayIcon.ActivationReason)
    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason in {QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick}:
            self._actions.show_wanted.emit()

    @Slot(str, bool)
    def _tell(self, text: str, _good: bool) -> None:
        """Answer what was asked for from the menu while the window is not seen."""
        if QApplication.activeWindow() is None:
            self.notifier.show(Note(key="told", title="vxtray", text=text))

    def balloon(self, note: Note) -> None:
        """Show a notification by the icon itself, where there is one: Windows and macOS, or no notification server."""
        if self._icon is not None:
            self._told = note
            kind = QSystemTrayIcon.MessageIcon.Warning if note.where else QSystemTrayIcon.MessageIcon.Information
            # nothing here says whether the text will be read as markup
            self._icon.showMessage(harmless(note.title), harmless(note.text) or " ", kind)

    @Slot()
    def _message_clicked(self) -> None:
        if self._told is not None:
            self.notifier.pressed(self._told, OPEN)

    def hide(self) -> None:
        """Take the icon away at the end."""
        self._looking.stop()
        self.notifier.stop()
        if self._icon is not None:
            self._icon.hide()
