"""The icon in the tray: its shape says the state, its menu holds the shared actions. GUI thread only.

A panel may start late or restart: the tray is looked for again and again, and a new icon is made each time one
appears, since Qt does not register an old one there and still calls it visible.
"""

import os
import sys

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon

from vxtray.core.texts import _
from vxtray.gui.actions import Actions
from vxtray.gui.context import Context
from vxtray.gui.icons import Scheme, TrayState, panel_scheme, tray_icon
from vxtray.gui.notification_server import OPEN, Note, harmless
from vxtray.gui.notifying import Notifier
from vxtray.gui.theme import theme

_SOON_TRIES = 150  # a desktop may offer its tray minutes after the session began

#: What Windows shows of a tool tip (NOTIFYICONDATAW.szTip, 128 with the final zero), in UTF-16 code units.
TOOL_TIP = 127
_LEAST = 16  # of a line that is shortened


def missing_words() -> str:
    """Return why there may be no tray, and what still leads back to the window."""
    if "GNOME" in os.environ.get("XDG_CURRENT_DESKTOP", "").split(":"):
        why = _(
            "GNOME shows no tray icons by itself; its extension “AppIndicator and KStatusNotifierItem Support” does."
        )
    elif QGuiApplication.platformName().startswith("wayland"):
        why = _("This desktop offers no tray for icons (StatusNotifier); many panels can be told to.")
    else:
        why = _("No panel on this screen shows tray icons.")
    shown = _("So the window is shown. Whenever you start vxtray again, it comes to the front.")
    return f"{why} {shown}"


class Tray(QObject):
    """Keeps an icon wherever there is a tray.

    Signals: ``changed()`` when a tray came or went.
    """

    changed = Signal()

    #: How often a tray is looked for at first and after one went, and later or while there is one.
    soon_ms, later_ms = 2_000, 10_000

    def __init__(self, context: Context, actions: Actions) -> None:
        super().__init__()
        self._actions = actions
        self._glance = actions.glance
        self._icon: QSystemTrayIcon | None = None
        self._menu = actions.program_menu()
        self._told: Note | None = None
        self._drawn: tuple[TrayState, Scheme] | None = None
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
        self._looking.start()

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
        available = QSystemTrayIcon.isSystemTrayAvailable()
        if available and self._icon is None:
            self._icon, self._drawn = QSystemTrayIcon(self), None
            self._icon.setContextMenu(self._menu)
            self._icon.activated.connect(self._activated)
            self._icon.messageClicked.connect(self._message_clicked)
            self.refresh()
            self._icon.show()
            self.changed.emit()
        elif not available and self._icon is not None:
            self._icon.hide()
            self._icon.deleteLater()
            self._icon, self._tries = None, 0
            self.changed.emit()
        soon = self._icon is None and self._tries < _SOON_TRIES
        self._looking.setInterval(self.soon_ms if soon else self.later_ms)

    @Slot()
    def refresh(self) -> None:
        """Show the state as icon and tool tip; what did not change is not sent to the panel again."""
        if self._icon is None:
            return
        look = self.shape, panel_scheme(dark=theme().dark)
        if look != self._drawn:
            self._drawn = look
            self._icon.setIcon(tray_icon(*look))
        if (tip := self.tool_tip()) != self._icon.toolTip():
            self._icon.setToolTip(tip)

    def tool_tip(self) -> str:
        """Return the state, the next report, and what was critical last."""
        glance = self._glance
        return _bounded(
            f"vxtray – {glance.words}", glance.beneath, glance.next_report_words(), glance.last_critical_words()
        )

    @Slot(QSystemTrayIcon.ActivationReason)
    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        clicks = {QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick}
        if reason in clicks and sys.platform != "darwin":  # where a click opens the menu
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


def _bounded(*lines: str) -> str:
    """Return the lines that say something, the longest shortened until all fit into a tool tip."""
    kept = [harmless(line) for line in lines if line]
    while (over := _length("\n".join(kept)) - TOOL_TIP) > 0:
        longest = max(range(len(kept)), key=lambda n: len(kept[n]))
        kept[longest] = f"{kept[longest][: max(_LEAST, len(kept[longest]) - over - 1)].rstrip(' …')}…"
        if len(kept[longest]) <= _LEAST + 1:
            kept.pop()
    return "\n".join(kept)


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
