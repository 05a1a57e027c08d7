"""The QApplication, its hooks, and when it ends. The main thread.

``Desktop`` is made first, since the engine needs its bridge. ``appear`` shows the icon with a first menu, which wants
nothing but Qt; ``open`` then builds the full menu and the window over the engine.
The program is never out of reach: where no tray leads back to the window, the window is shown.
"""

import logging
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QApplication, QMenu

from vxtray import __version__
from vxtray.core import texts
from vxtray.core.clockwatch import ClockWatch
from vxtray.core.settings.glimpse import Glimpse
from vxtray.core.texts import _
from vxtray.gui.icons import TrayState, app_icon, panel_scheme, tray_icon
from vxtray.gui.panel import FirstActions, PanelIcon, first_actions

if TYPE_CHECKING:  # loaded beside the event loop, for ``open``; of Qt, names whose many constants take long to make
    from PySide6.QtCore import QTranslator
    from PySide6.QtGui import QSessionManager

    from vxtray.core.settings.model import Change
    from vxtray.gui.actions import Actions
    from vxtray.gui.at_login import AtLogin
    from vxtray.gui.bridge import Bridge
    from vxtray.gui.context import Context
    from vxtray.gui.ending import EndingSignals
    from vxtray.gui.leaving import Leaving
    from vxtray.gui.main_window import MainWindow
    from vxtray.gui.theme import Preference
    from vxtray.gui.tray import Tray
    from vxtray.gui.trouble import Hooks

log = logging.getLogger(__name__)

#: How often it is looked whether an open dialog is closed, so that another language can be taken over.
_AGAIN_MS = 300


class Desktop(QObject):
    """The desktop program's Qt side."""

    #: How long a program without a window on the screen waits for a tray before it shows the window instead.
    panel_seconds = 20.0

    _second_step_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        QApplication.setApplicationName("vxtray")
        QApplication.setApplicationVersion(__version__)
        QApplication.setDesktopFileName("vxtray")
        existing = QApplication.instance()
        self.app = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
        self.app.setQuitOnLastWindowClosed(False)
        self._hooks: Hooks | None = None
        self._second_step: Callable[[], None] = lambda: None
        self._second_step_wanted.connect(self._take_second_step)
        self._translator: QTranslator | None = None
        #: Made when it is first shown, and without pages until there is an engine.
        self.window: MainWindow | None = None
        self.tray: Tray | None = None
        self._at_login: AtLogin | None = None
        self._context: Context | None = None
        self._actions: Actions | None = None
        self._watch = QTimer(self)
        self._clock = ClockWatch()
        self._out_of_reach = QTimer(self, singleShot=True)
        self._out_of_reach.timeout.connect(self._come_into_reach)
        self._signals: EndingSignals | None = None
        self._leaving: Leaving | None = None
        self._unwanted = False
        self._running = False
        self._seen = Glimpse(set_up=True)
        self._panel: PanelIcon | None = None
        self._first: FirstActions | None = None
        #: True where the window is to be seen, for one reason or another.
        self.window_wanted = False
        self._stop: Callable[[], None] = lambda: None
        self._hurry: Callable[[], None] = lambda: None

    def appear(self, seen: Glimpse, *, hidden: bool) -> None:
        """Show the icon with a first menu, and the window's frame unless ``hidden``; ``seen`` is of the settings."""
        self._seen = seen
        if not hidden:
            self.show_window()
        self._first = first_actions(self.show_window, self.quit, self)
        self._first.state.setText(_("Starting…"))
        menu = QMenu(_("Menu"))
        menu.addActions(self._first)
        dark = _looks_dark() if seen.theme == "auto" else seen.theme == "dark"
        self._panel = PanelIcon(menu)
        self._panel.show_picture(tray_icon(TrayState.OFFLINE, panel_scheme(dark=dark)))
        self._panel.show_tip(f"vxtray – {self._first.state.text()}")
        self._panel.clicked.connect(self.show_window)
        self._panel.begin()

    @cached_property
    def bridge(self) -> "Bridge":
        """The way between threads, and with it the hooks that catch what nobody else does."""
        from vxtray.gui.bridge import Bridge
        from vxtray.gui.trouble import Hooks

        made = Bridge()
        self._hooks = Hooks(made)
        self._hooks.install()
        return made

    def take_second_step(self, step: Callable[[], None]) -> None:
        """Run, on this thread and once its event loop runs, what builds the engine. Once, from any thread."""
        self._second_step = step
        self._second_step_wanted.emit()

    @Slot()
    def _take_second_step(self) -> None:
        self._second_step()

    def later(self, milliseconds: int, call: Callable[[], None]) -> None:
        """Run something after a while; 0: in the event loop's next turn."""
        QTimer.singleShot(milliseconds, call)

    def open(self, context: "Context", *, hidden: bool, watch_seconds: float) -> None:
        """Build window and tray; ``hidden`` keeps the window away where a tray can bring it back."""
        from vxtray.gui.at_login import AtLogin
        from vxtray.gui.leaving import Leaving
        from vxtray.gui.theme import theme

        self._context = context
        self._leaving = Leaving(self.bridge, self._end, self._cut_off, lambda: context.service.sending)
        self._leaving.finished.connect(self._ended)
        theme().set_preference(context.model.current.general.theme)
        if self._hooks is not None:
            self._hooks.logs = context.profile.logs
        self._build()
        self._at_login = AtLogin(context, self)
        self._begin_window()
        context.model.subscribe(self._settings_changed)
        self._watch.timeout.connect(self._look)
        self._watch.start(round(watch_seconds * 1000))
        self.heed_signals()
        for asked in (self.app.commitDataRequest, self.app.saveStateRequest):
            asked.connect(self._session_ends)
        if self.window_wanted or (not hidden and self.window is None):
            if not self.made_window().isVisible():  # else it was raised, and may stand behind others by now
                self.show_window()
            self.made_window().welcome()
        elif not self.tray_present:  # started with the session, the panel may still be on its way
            self._tray_changed()

    def heed_signals(self) -> None:
        """End in order when the system asks; before this, with nothing begun, its own way to end a process will do."""
        if self._signals is None:
            from vxtray.gui.ending import EndingSignals

            self._signals = EndingSignals(self.quit, lambda: bool(self._leaving and self._leaving.begun), self)

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

    def _session_ends(self, session: "QSessionManager") -> None:
        """Never hold a logout up: nothing is unsaved, and what is under way ends with the signal that follows.

        The session must not start the program again beside the entry that does so at login.
        """
        from PySide6.QtGui import QSessionManager

        session.setRestartHint(QSessionManager.RestartHint.RestartNever)

    def _build(self) -> None:
        """Make the actions and the tray, and the window or all that is in it, in the language of now."""
        from vxtray.gui.actions import Actions
        from vxtray.gui.tray import Tray

        assert self._context is not None
        self._translate_qt()
        panel, first, self._panel, self._first = self._panel, self._first, None, None
        if panel is not None:
            panel.clicked.disconnect(self.show_window)  # as the tray does now
        self._actions = Actions(self._context, self, first)
        self.tray = Tray(self._context, self._actions, panel)
        self.tray.changed.connect(self._tray_changed)
        if self.window is not None and self.window.begun:
            self.window.speak_anew(self._actions)
        self._actions.show_wanted.connect(self.show_window)
        self._actions.page_wanted.connect(self._show_page)

    def made_window(self) -> "MainWindow":
        """Return the window, made now where it was never shown."""
        if self.window is None:
            from vxtray.gui.main_window import MainWindow
            from vxtray.gui.theme import theme

            if self._context is None:
                theme().set_preference(cast("Preference", self._seen.theme))
            self.app.setWindowIcon(app_icon())
            self.window = MainWindow(lambda: self.tray_present, self.quit)
            self.window.sidebar.setVisible(self._seen.set_up)  # the assistant has no use for it
            self.window.put_away.connect(self._put_away)
            self._begin_window()
        return self.window

    def _begin_window(self) -> None:
        """Give the window its pages, as soon as there is both it and the engine."""
        if self.window is not None and self._context is not None and self._actions is not None:
            self.window.begin(self._context, self._actions, self._at_login)

    @Slot(str)
    def _show_page(self, key: str) -> None:
        """Make the window for a page that was asked for; one that is there heard of it itself."""
        if self.window is None:
            self.made_window().open_page(key)

    def _translate_qt(self) -> None:
        """Let Qt's own words (file dialogs, context menus) speak the same language."""
        from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator

        language = texts.current()
        QLocale.setDefault(QLocale(language))
        if self._translator is not None:
            self.app.removeTranslator(self._translator)
        self._translator = QTranslator(self)
        if self._translator.load(f"qtbase_{language}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
            self.app.installTranslator(self._translator)

    def _settings_changed(self, change: "Change") -> None:
        from vxtray.gui.theme import theme

        theme().set_preference(change.after.general.theme)
        if "general.language" in change.keys:
            QTimer.singleShot(0, self._rebuild)  # not from within a control that is about to go

    @Slot()
    def _rebuild(self) -> None:
        """Take over another language, once no dialog is open any more that holds what a person typed."""
        from vxtray.gui.anew import holds_input

        if self.window is not None and holds_input():
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
        """Raise the window; before there is an engine, only its frame."""
        self.window_wanted = True
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
            from vxtray.gui.tray import missing_words

            self.show_window()
            if self._actions is not None:
                self._actions.told.emit(missing_words(), True)

    @Slot()
    def _put_away(self) -> None:
        self.window_wanted = False
        if self.tray is not None:
            self.tray.hint()

    @property
    def tray_present(self) -> bool:
        """True where an icon in the tray leads back to the window."""
        if self.tray is not None:
            return self.tray.present
        return self._panel is not None and self._panel.present

    def quit(self) -> None:
        """End the program, as soon as what it has in hand is finished; a second time, without waiting for that."""
        self._unwanted = True
        if not self._running:
            return
        if self._leaving is None:  # nothing is in hand yet
            self._withdraw()
            self.app.exit()
            return
        if not self._leaving.begun:
            self._withdraw()
        self._leaving.begin()

    @property
    def ending(self) -> bool:
        """True once a person or the system wanted the program to end."""
        return self._unwanted

    def give_up(self) -> None:
        """End the program that could not be started."""
        self._withdraw()
        self.app.exit(1)

    def run(self, stop: Callable[[], None] = lambda: None, hurry: Callable[[], None] = lambda: None) -> int:
        """Run until ``quit`` and return the exit status; afterwards nothing of Qt is used any more.

        ``stop`` ends the engine, once, in at most some seconds; ``hurry`` gives up what it still waits for. Both may be
        called from any thread.
        """
        self._stop, self._hurry, self._running = stop, hurry, True
        self.app.aboutToQuit.connect(self._wait)  # Windows ends the process right after it at a logout
        if self._unwanted:
            self.later(0, self.quit)
        try:
            return self.app.exec()
        finally:
            self.app.aboutToQuit.disconnect(self._wait)
            self._withdraw()
            self._wait()
            self.close()

    def _end(self) -> None:
        self._stop()

    def _cut_off(self) -> None:
        self._hurry()

    @Slot()
    def _wait(self) -> None:
        """Wait until the engine has ended; the start of it ends in an instant."""
        if self._leaving is not None:
            self._leaving.wait()
        else:
            self._stop()

    @Slot()
    def _ended(self) -> None:
        self.app.exit()

    def _withdraw(self) -> None:
        """Take everything off the screen."""
        self._watch.stop()
        self._out_of_reach.stop()
        if self._panel is not None:
            self._panel.hide()
        if self.tray is not None:
            self.tray.hide()
        if self._actions is not None:
            self._actions.glance.stop()
        for window in QApplication.topLevelWidgets():
            window.hide()

    def close(self) -> None:
        """Take window and tray away and leave no thread behind."""
        self._withdraw()
        if self._hooks is not None:
            self.bridge.stop()
            self._hooks.remove()
        if self._translator is not None:
            self.app.removeTranslator(self._translator)
        if self._signals is not None:
            self._signals.remove()
            self._signals = None

    def picture(self, path: Path, then: Callable[[], None]) -> None:
        """Write a picture of the window once it is painted."""

        def grab() -> None:
            self.made_window().grab().save(str(path))
            then()

        QTimer.singleShot(600, grab)


def _looks_dark() -> bool:
    """Return whether windows are drawn light on dark; the scheme itself is asked for later, at a higher price."""
    palette = QApplication.palette()
    return palette.windowText().color().lightness() > palette.window().color().lightness()
