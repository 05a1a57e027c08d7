"""The icon in the panel and its menu, whatever they say: found a place wherever there is a tray. GUI thread only.

A panel may start late or restart: the tray is looked for again and again, and a new icon is made each time one
appears, since Qt does not register an old one there and still calls it visible.

A start shows this before the engine is loaded, so it imports next to nothing; ``tray`` gives it its content.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QIcon
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from vxtray.core.texts import _

_SOON_TRIES = 150  # a desktop may offer its tray minutes after the session began


class FirstActions(NamedTuple):
    """What the menu offers while the program starts; the full menu goes on with the same lines."""

    state: QAction
    open: QAction
    quit: QAction


def first_actions(open_window: Callable[[], None], end: Callable[[], None], parent: QObject) -> FirstActions:
    """Return a line that says how everything stands, and what can be done at any time."""
    state, opening, ending = QAction(parent), QAction(_("Open vxtray"), parent), QAction(_("Quit vxtray"), parent)
    state.setEnabled(False)
    opening.triggered.connect(lambda _checked=False: open_window())
    ending.triggered.connect(lambda _checked=False: end())
    return FirstActions(state, opening, ending)


class PanelIcon(QObject):
    """Keeps an icon with ``menu`` wherever there is a tray, from ``begin`` to ``hide``.

    Signals: ``changed()`` when a tray came or went; ``clicked()`` when the icon was, where that does not open the
    menu; ``message_clicked()`` when its balloon was.
    """

    changed = Signal()
    clicked = Signal()
    message_clicked = Signal()

    #: How often a tray is looked for at first and after one went, later, and while there is one: Qt itself tells a
    #: panel that starts again of the icon, and each look costs a new connection to the session's bus.
    soon_ms, later_ms, kept_ms = 2_000, 10_000, 30_000

    def __init__(self, menu: QMenu) -> None:
        super().__init__()
        self.menu = menu
        self._icon: QSystemTrayIcon | None = None
        self._picture = QIcon()
        self._tip = ""
        self._tries = 0
        self._looking = QTimer(self)
        self._looking.timeout.connect(self._look)

    def begin(self) -> None:
        """Look for a tray, now and from now on; there must be a picture."""
        self._look()
        self._looking.start()

    @property
    def present(self) -> bool:
        """True where the person can reach the program through the icon."""
        return self._icon is not None and QSystemTrayIcon.isSystemTrayAvailable()

    @property
    def icon(self) -> QSystemTrayIcon | None:
        """The icon that is shown, None where there is no tray."""
        return self._icon

    def show_picture(self, picture: QIcon) -> None:
        """Show another picture."""
        self._picture = picture
        if self._icon is not None:
            self._icon.setIcon(picture)

    def show_tip(self, tip: str) -> None:
        """Say something else under the pointer; what did not change is not sent to the panel again."""
        if tip != self._tip:
            self._tip = tip
            if self._icon is not None:
                self._icon.setToolTip(tip)

    @Slot()
    def _look(self) -> None:
        self._tries += 1
        available = QSystemTrayIcon.isSystemTrayAvailable()
        if available and self._icon is None:
            self._icon = QSystemTrayIcon(self._picture, self)
            self._icon.setToolTip(self._tip)
            self._icon.setContextMenu(self.menu)
            self._icon.activated.connect(self._activated)
            self._icon.messageClicked.connect(self.message_clicked)
            self._icon.show()
            self.changed.emit()
        elif not available and self._icon is not None:
            self._icon.hide()
            self._icon.deleteLater()
            self._icon, self._tries = None, 0
            self.changed.emit()
        if self._icon is not None:
            self._looking.setInterval(self.kept_ms)
        else:
            self._looking.setInterval(self.soon_ms if self._tries < _SOON_TRIES else self.later_ms)

    @Slot(QSystemTrayIcon.ActivationReason)
    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        clicks = {QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick}
        if reason in clicks and sys.platform != "darwin":  # where a click opens the menu
            self.clicked.emit()

    def stop(self) -> None:
        """Look for no tray any more."""
        self._looking.stop()

    def hide(self) -> None:
        """Take the icon away at the end."""
        self.stop()
        if self._icon is not None:
            self._icon.hide()
