"""What the icon in the tray says: its shape the state, its menu the shared actions. GUI thread only.

``panel`` finds a place for it. What happens is told by notifications, too.
"""

import os

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon

from vxtray.core.texts import _
from vxtray.gui.actions import Actions
from vxtray.gui.context import Context
from vxtray.gui.icons import Scheme, TrayState, panel_scheme, tray_icon
from vxtray.gui.notification_server import OPEN, Note, harmless
from vxtray.gui.notifying import Notifier
from vxtray.gui.panel import PanelIcon
from vxtray.gui.theme import theme

_HINTED = "hint-tray"  # once told that the window is not the program

#: How often it is looked whether a person has closed the first menu.
_AGAIN_MS = 100

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
    """Gives the panel's icon its picture, tool tip, menu and notifications.

    Signals: ``changed()`` when a tray came or went.
    """

    changed = Signal()

    def __init__(self, context: Context, actions: Actions, panel: PanelIcon | None = None) -> None:
        """``panel`` is there already where the program has just started."""
        super().__init__()
        self._context = context
        self._actions = actions
        self._glance = actions.glance
        self.panel = panel or PanelIcon(QMenu(_("Menu")))
        self.panel.setParent(self)
        self._told: Note | None = None
        self._drawn: tuple[TrayState, Scheme] | None = None
        self.notifier = Notifier(context, self.balloon)
        self.notifier.page_wanted.connect(actions.page_wanted)
        self.notifier.acknowledged.connect(actions.acknowledge_all)
        self.panel.changed.connect(self.changed)
        self.panel.clicked.connect(actions.show_wanted)
        self.panel.message_clicked.connect(self._message_clicked)
        self._glance.changed.connect(self.refresh)
        theme().changed.connect(self.refresh)
        actions.told.connect(self._tell)
        self._furnish()
        self.refresh()
        if panel is None:
            self.panel.begin()

    @property
    def present(self) -> bool:
        """True where the person can reach the program through an icon."""
        return self.panel.present

    @property
    def icon(self) -> QSystemTrayIcon | None:
        """The icon that is shown, None where there is no tray."""
        return self.panel.icon

    @property
    def shape(self) -> TrayState:
        """What the icon says, or would say."""
        return self._glance.shape

    @property
    def menu(self) -> QMenu:
        """The icon's menu."""
        return self.panel.menu

    @Slot()
    def _furnish(self) -> None:
        """Fill the menu; not under the pointer of a person who has opened the first one."""
        if self.menu.isVisible():
            QTimer.singleShot(_AGAIN_MS, self, self._furnish)
        else:
            self._actions.fill(self.menu)

    @Slot()
    def refresh(self) -> None:
        """Show the state as icon and tool tip; what did not change is not sent to the panel again."""
        look = self.shape, panel_scheme(dark=theme().dark)
        if look != self._drawn:
            self._drawn = look
            self.panel.show_picture(tray_icon(*look))
        self.panel.show_tip(self.tool_tip())

    def tool_tip(self) -> str:
        """Return the state, the next report, and what was critical last."""
        glance = self._glance
        return _bounded(
            f"vxtray – {glance.words}", glance.beneath, glance.next_report_words(), glance.last_critical_words()
        )

    @Slot(str, bool)
    def _tell(self, text: str, _good: bool) -> None:
        """Answer what was asked for from the menu while the window is not seen."""
        if QApplication.activeWindow() is None:
            self.notifier.show(Note(key="told", title="vxtray", text=text))

    @Slot()
    def hint(self) -> None:
        """Tell once that the program goes on without its window."""
        context = self._context
        if not context.model.current.desktop.notifications:
            return
        outbox = context.service.outbox

        def told_before() -> bool:
            before = bool(outbox.fact(_HINTED))
            outbox.set_fact(_HINTED, "told")
            return before

        def done(before: bool) -> None:
            if not before:
                text = _(
                    "Reports and alerts are sent as before. To end vxtray, choose “Quit vxtray” in its icon’s menu."
                )
                self.notifier.show(Note(key="hint", title=_("vxtray goes on in the tray"), text=text))

        context.bridge.run(told_before, done, lambda _error: None, owner=self)

    def balloon(self, note: Note) -> None:
        """Show a notification by the icon itself, where there is one: Windows and macOS, or no notification server."""
        if self.icon is not None:
            self._told = note
            kind = QSystemTrayIcon.MessageIcon.Warning if note.where else QSystemTrayIcon.MessageIcon.Information
            # nothing here says whether the text will be read as markup
            self.icon.showMessage(harmless(note.title), harmless(note.text) or " ", kind)

    @Slot()
    def _message_clicked(self) -> None:
        if self._told is not None:
            self.notifier.pressed(self._told, OPEN)

    def hide(self) -> None:
        """Take the icon away at the end."""
        self.notifier.stop()
        self.panel.hide()


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
