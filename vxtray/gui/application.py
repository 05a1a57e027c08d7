"""The QApplication, its hooks, and when it ends. The main thread.

``Desktop`` is made first, since the engine needs its bridge; ``open`` then builds window and tray over the engine.
The program is never out of reach: where no tray leads back to the window, the window is shown.
"""

import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QLibraryInfo, QLocale, QObject, QSocketNotifier, QTimer, QTranslator, Slot
from PySide6.QtGui import QSessionManager
from PySide6.QtWidgets import QApplication

from vxtray import __version__
from vxtray.core import texts
from vxtray.core.clockwatch import ClockWatch
from vxtray.core.settings.model import Change
from vxtray.core.texts import _
from vxtray.gui.actions import Actions
from vxtray.gui.at_login import AtLogin
from vxtray.gui.bridge import Bridge
from vxtray.gui.context import Context
from vxtray.gui.icons import app_icon
from vxtray.gui.leaving import Leaving
from vxtray.gui.notification_server import Note
from vxtray.gui.theme import theme
from vxtray.gui.tray import Tray, missing_words
from vxtray.gui.trouble import Hooks

if TYPE_CHECKING:
    from vxtray.gui.main_window import MainWindow

log = logging.getLogger(__name__)

#: How often it is looked whether an open dialog is closed, so that another language can be taken over.
_AGAIN_MS = 300

#: What the system ends a program with; the last one when its terminal goes, where there are terminals.
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]

_HINTED = "hint-tray"  # once told that the window is not the program


class Desktop(QObject):
    """The desktop program's Qt side."""

    #: How long a program without a window on the screen waits for a tray before it shows the window instead.
    panel_seconds = 20.0

    def __init__(self) -> None:
        super().__init__()
        QApplication.setApplicationName("vxtray")
        QApplication.setApplicationVersion(__version__)
        QApplication.setDesktopFileName("vxtray")
        existing = QApplication.instance()
        self.app = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
        self.app.setWindowIcon(app_icon())
        self.app.setQuitOnLastWindowClosed(False)
        self.bridge = Bridge()
        self._hooks = Hooks(self.bridge)
        self._hooks.install()
        self._translator: QTranslator | None = None
        #: Made when it is first shown: it costs ten times as much as everything else of a hidden start.
        self.window: MainWindow | None = None
        self.tray: Tray | None = None
        self._at_login: AtLogin | None = None
        self._context: Context | None = None
        self._actions: Actions | None = None
        self._watch = QTimer(self)
        self._clock = ClockWatch()
        self._out_of_reach = QTimer(self, singleShot=True)
        self._out_of_reach.timeout.connect(self._come_into_reach)
        self._signals: tuple[socket.socket, socket.socket] | None = None
        self._wakes: QSocketNotifier | None = None
        self._handlers: dict[int, Any] = {}
        self._heard: set[int] = set()
        self._leaving: Leaving | None = None
        self._unwanted = False

    def open(self, context: Context, *, hidden: bool, watch_seconds: float) -> None:
        """Build window and tray; ``hidden`` keeps the window away where a tray can bring it back."""
        self._context = context
        theme().set_preference(context.model.current.general.theme)
        self._hooks.logs = context.profile.logs
        self._build()
        self._at_login = AtLogin(context, self)
        context.model.subscribe(self._settings_changed)
        self._watch.timeout.connect(self._look)
        self._watch.start(round(watch_seconds * 1000))
        self._heed_signals()
        for asked in (self.app.commitDataRequest, self.app.saveStateRequest):
            asked.connect(self._session_ends)
        if not hidden:
            self.show_window()
            self.made_window().welcome()
        elif not self.tray_present:  # started with the session, the panel may still be on its way
            self._tray_changed()

    def _heed_signals(self) -> None:
        """End when the system asks; Python's handlers run between byte codes only, so a byte wakes the event loop."""
        reading, writing = self._signals = socket.socketpair()
        for end in self._signals:
            end.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        self._wakes = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read, self)
        self._wakes.activated.connect(self._woken)
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                self._handlers[number] = signal.signal(number, self._signalled)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        """End; only the same signal again hurries, since a session may send different ones at once."""
        if number in self._heard or self._leaving is None or not self._leaving.begun:
            self.quit()
        self._heard.add(number)

    @Slot()
    def _woken(self) -> None:
        if self._signals is not None:
            with contextlib.suppress(BlockingIOError):
                self._signals[0].recv(4096)  # the handler itself runs now, or did already

    @Slot()
    def _look(self) -> None:
        """Take over a settings file that was edited by hand, and catch up after a sleep."""
        context = self._context
        if context is not None:
            context.model.reload_if_changed()
            if self._clock.leapt():
                log.info("the computer slept, or its clock was set")
                context.bridge.run(context.service.time_leapt, lambda _none: None, lambda _error: None, owner=self)
                if self._actions is not None:
                    self._actions.glance.look_again()

    @Slot(QSessionManager)
    def _session_ends(self, session: QSessionManager) -> None:
        """Never hold a logout up: nothing is unsaved, and what is under way ends with the signal that follows.

        The session must not start the program again beside the entry that does so at login.
        """
        session.setRestartHint(QSessionManager.RestartHint.RestartNever)

    def _build(self) -> None:
        """Make the actions and the tray, and the window or all that is in it, in the language of now."""
        assert self._context is not None
        self._translate_qt()
        self._actions = Actions(self._context, self)
        self.tray = Tray(self._context, self._actions)
        self.tray.changed.connect(self._tray_changed)
        if self.window is not None:
            self.window.speak_anew(self._actions)
        self._actions.show_wanted.connect(self.show_window)
        self._actions.page_wanted.connect(self._show_page)

    def made_window(self) -> "MainWindow":
        """Return the window, made now where it was never shown."""
        if self.window is None:
            from vxtray.gui.main_window import MainWindow

            assert self._context is not None
            assert self._actions is not None
            self.window = MainWindow(self._context, self._actions, lambda: self.tray_present, self._at_login)
            self.window.put_away.connect(self._hint)
        return self.window

    @Slot(str)
    def _show_page(self, key: str) -> None:
        """Make the window for a page that was asked for; one that is there heard of it itself."""
        if self.window is None:
            self.made_window().open_page(key)

    def _translate_qt(self) -> None:
        """Let Qt's own words (file dialogs, context menus) speak the same language."""
        language = texts.current()
        QLocale.setDefault(QLocale(language))
        if self._translator is not None:
            self.app.removeTranslator(self._translator)
        self._translator = QTranslator(self)
        if self._translator.load(f"qtbase_{language}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
            self.app.installTranslator(self._translator)

    def _settings_changed(self, change: Change) -> None:
        theme().set_preference(change.after.general.theme)
        if "general.language" in change.keys:
            QTimer.singleShot(0, self._rebuild)  # not from within a control that is about to go

    @Slot()
    def _rebuild(self) -> None:
        """Take over another language, once no dialog is open any more that holds what a person typed."""
        if self.window is not None and _holds_input():
            QTimer.singleShot(_AGAIN_MS, self, self._rebuild)
            return
        if self.tray is not None:
            self.tray.hide()
            self.tray.menu.deleteLater()
        for gone in (self.tray, self._actions):
            if gone is not None:
                gone.deleteLater()
        self._build()

    @Slot()
    def show_window(self) -> None:
        """Raise the window."""
        self.made_window().raise_window()

    @Slot()
    def _tray_changed(self) -> None:
        if self.tray_present:
            self._out_of_reach.stop()
        elif not self._out_of_reach.isActive():
            self._out_of_reach.start(round(self.panel_seconds * 1000))

    @Slot()
    def _come_into_reach(self) -> None:
        """Show the window where nothing else leads back to it, and say why."""
        if not self.tray_present and (self.window is None or not self.window.isVisible()):
            self.show_window()
            if self._actions is not None:
                self._actions.told.emit(missing_words(), True)

    @Slot()
    def _hint(self) -> None:
        """Tell once that the program goes on without its window."""
        context = self._context
        if context is None or not context.model.current.desktop.notifications:
            return
        outbox = context.service.outbox

        def told_before() -> bool:
            before = bool(outbox.fact(_HINTED))
            outbox.set_fact(_HINTED, "told")
            return before

        def done(before: bool) -> None:
            if not before and self.tray is not None:
                text = _(
                    "Reports and alerts are sent as before. To end vxtray, choose “Quit vxtray” in its icon’s menu."
                )
                self.tray.notifier.show(Note(key="hint", title=_("vxtray goes on in the tray"), text=text))

        context.bridge.run(told_before, done, lambda _error: None, owner=self)

    @property
    def tray_present(self) -> bool:
        """True where an icon in the tray leads back to the window."""
        return self.tray is not None and self.tray.present

    def quit(self) -> None:
        """End the program, as soon as what it has in hand is finished; a second time, without waiting for that."""
        if self._leaving is None:  # not running yet
            self._unwanted = True
            return
        if not self._leaving.begun:
            self._withdraw()
        self._leaving.begin()

    def quit_soon(self) -> None:
        """End the program as soon as it runs."""
        QTimer.singleShot(0, self.quit)

    def run(self, stop: Callable[[], None] = lambda: None, hurry: Callable[[], None] = lambda: None) -> int:
        """Run until ``quit`` and return the exit status; afterwards nothing of Qt is used any more.

        ``stop`` ends the engine, once, in at most some seconds; ``hurry`` gives up what it still waits for. Both may be
        called from any thread.
        """
        self._leaving = Leaving(self.bridge, stop, hurry, lambda: bool(self._context and self._context.service.sending))
        self._leaving.finished.connect(self._ended)
        self.app.aboutToQuit.connect(self._leaving.wait)  # Windows ends the process right after it at a logout
        if self._unwanted:
            self.quit_soon()
        try:
            return self.app.exec()
        finally:
            self.app.aboutToQuit.disconnect(self._leaving.wait)
            self._withdraw()
            self._leaving.wait()
            self.close()

    @Slot()
    def _ended(self) -> None:
        self.app.exit()

    def _withdraw(self) -> None:
        """Take everything off the screen."""
        self._watch.stop()
        self._out_of_reach.stop()
        if self.tray is not None:
            self.tray.hide()
        if self._actions is not None:
            self._actions.glance.stop()
        for window in QApplication.topLevelWidgets():
            window.hide()

    def close(self) -> None:
        """Take window and tray away and leave no thread behind."""
        self._withdraw()
        self.bridge.stop()
        self._hooks.remove()
        if self._translator is not None:
            self.app.removeTranslator(self._translator)
        if self._signals is not None:
            if self._wakes is not None:
                self._wakes.setEnabled(False)
            signal.set_wakeup_fd(-1)
            for number, before in self._handlers.items():
                signal.signal(number, before)
            for end in self._signals:
                end.close()
            self._signals = None

    def picture(self, path: Path, then: Callable[[], None]) -> None:
        """Write a picture of the window once it is painted."""

        def grab() -> None:
            self.made_window().grab().save(str(path))
            then()

        QTimer.singleShot(600, grab)


def _holds_input() -> bool:
    from vxtray.gui.main_window import holds_input

    return holds_input()
