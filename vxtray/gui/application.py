"""The QApplication, its hooks, and when it ends. The main thread.

``Desktop`` is made first, since the engine needs its bridge; ``open`` then builds window and tray over the engine.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, QObject, QTimer, QTranslator, Slot
from PySide6.QtWidgets import QApplication

from vxtray import __version__
from vxtray.core import texts
from vxtray.core.settings.model import Change
from vxtray.gui.actions import Actions
from vxtray.gui.bridge import Bridge
from vxtray.gui.context import Context
from vxtray.gui.icons import app_icon
from vxtray.gui.main_window import MainWindow
from vxtray.gui.theme import theme
from vxtray.gui.tray import Tray
from vxtray.gui.trouble import Hooks


class Desktop(QObject):
    """The desktop program's Qt side."""

    #: How long a program that is started hidden waits for a tray before it shows its window instead.
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
        self.window: MainWindow | None = None
        self.tray: Tray | None = None
        self._context: Context | None = None
        self._actions: Actions | None = None
        self._watch = QTimer(self)

    def open(self, context: Context, *, hidden: bool, watch_seconds: float) -> None:
        """Build window and tray; ``hidden`` keeps the window away where a tray can bring it back."""
        self._context = context
        theme().set_preference(context.model.current.general.theme)
        self._build()
        context.model.subscribe(self._settings_changed)
        self._watch.timeout.connect(context.model.reload_if_changed)
        self._watch.start(round(watch_seconds * 1000))
        # Python's signal handlers run between byte codes only; the watch timer gives them the chance.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.quit())
        if not hidden:
            self.show_window()
        elif not self.tray_present:
            # Started with the session, the panel may still be on its way.
            QTimer.singleShot(round(self.panel_seconds * 1000), self, self._show_unless_in_tray)

    def _build(self) -> MainWindow:
        assert self._context is not None
        self._translate_qt()
        self._actions = Actions(self._context, self)
        self.tray = Tray(self._context, self._actions)
        tray = self.tray
        self.window = MainWindow(self._context, self._actions, lambda: tray.present)
        self._actions.show_wanted.connect(self.show_window)
        return self.window

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
        """Make window and tray anew in another language."""
        old, tray, actions = self.window, self.tray, self._actions
        if old is None or tray is None or actions is None:
            return
        visible, page, place = old.isVisible(), old.sidebar.current(), old.saveGeometry()
        tray.hide()
        old.hide()
        for gone in (tray, old, actions):
            gone.deleteLater()
        new = self._build()
        new.restoreGeometry(place)
        new.go_to(page)
        if visible:
            self.show_window()

    @Slot()
    def show_window(self) -> None:
        """Raise the window."""
        if self.window is not None:
            self.window.raise_window()

    @Slot()
    def _show_unless_in_tray(self) -> None:
        if not self.tray_present:
            self.show_window()

    @property
    def tray_present(self) -> bool:
        """True where an icon in the tray leads back to the window."""
        return self.tray is not None and self.tray.present

    def quit(self) -> None:
        """End the program."""
        self.app.quit()

    def quit_soon(self) -> None:
        """End the program as soon as it runs."""
        QTimer.singleShot(0, self.quit)

    def run(self) -> int:
        """Run until ``quit`` and return the exit status; afterwards nothing of Qt is used any more."""
        status = self.app.exec()
        self.close()
        return status

    def close(self) -> None:
        """Take window and tray away and leave no thread behind."""
        self._watch.stop()
        if self.tray is not None:
            self.tray.hide()
        if self.window is not None:
            self.window.hide()
        self.bridge.stop()
        self._hooks.remove()

    def picture(self, path: Path, then: Callable[[], None]) -> None:
        """Write a picture of the window once it is painted."""

        def grab() -> None:
            if self.window is not None:
                self.window.grab().save(str(path))
            then()

        QTimer.singleShot(600, grab)
