"""Run the real program on a real screen and answer, line by line, where its widgets are.

Usage: python driven.py PROFILE-FOLDER [--hidden] [--soon]. With --soon, the program looks for a tray more often, and
shows at once a window that none leads back to, instead of after its usual wait. Each line on standard input is a JSON
list, each answer one JSON line: ["widget", NAME] (its object name, accessible name or text), ["menu", TEXT], ["tray"],
["window"], ["shows", OBJECT NAME].
"""

import gc
import json
import sys
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSocketNotifier
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from shiboken6 import isValid

from vxtray import desktop
from vxtray.cli import handler
from vxtray.core.paths import Profile
from vxtray.gui.application import Desktop
from vxtray.gui.main_window import MainWindow
from vxtray.gui.panel import PanelIcon
from vxtray.gui.tray import Tray


def place(rect: QRect) -> dict[str, object]:
    return {"x": rect.center().x(), "y": rect.center().y(), "width": rect.width(), "height": rect.height()}


def on_screen(widget: QWidget) -> QRect:
    return QRect(widget.mapToGlobal(QPoint(0, 0)), widget.size())


def names_of(widget: QWidget) -> list[str]:
    text = getattr(widget, "text", None)
    return [widget.objectName(), widget.accessibleName(), text() if callable(text) else ""]


def widget(name: str) -> dict[str, object] | None:
    """Return where a visible widget is, and what it holds.

    In an open dialog only that is looked at; a field of that name comes before a label that reads so.
    """
    ground = QApplication.activeModalWidget()
    within = [ground, *ground.findChildren(QWidget)] if ground else QApplication.allWidgets()
    fitting = [found for found in within if found.isVisible() and name in names_of(found)]
    if not fitting:
        return None
    found = min(fitting, key=lambda one: names_of(one).index(name))
    checked, text = getattr(found, "isChecked", None), getattr(found, "text", None)
    return place(on_screen(found)) | {
        "checked": checked() if callable(checked) else None,
        "text": text() if callable(text) else None,
    }


def menu(text: str) -> dict[str, object] | None:
    for found in QApplication.topLevelWidgets():
        if isinstance(found, QMenu) and found.isVisible():
            for action in found.actions():
                if action.text() == text:
                    area = found.actionGeometry(action)
                    return place(QRect(found.mapToGlobal(area.topLeft()), area.size()))
    return None


def tray() -> dict[str, object] | None:
    """Return where the icon is, and what its shape says."""
    gc.unfreeze()  # the start exempts from it what it made
    trays = [found for found in gc.get_objects() if isinstance(found, Tray) and isValid(found)]
    icon = trays[0].icon if trays else None
    return place(icon.geometry()) | {"shape": trays[0].shape.value} if icon is not None else None


def window() -> dict[str, object]:
    """Return where the window is; after a hidden start there is none yet, and none counts before it has pages."""
    for found in QApplication.topLevelWidgets():
        if isinstance(found, MainWindow) and found.begun:
            return place(on_screen(found)) | {"visible": found.isVisible(), "active": found.isActiveWindow()}
    return {"visible": False, "active": False}


class Watcher(QObject):
    """Counts how often the window system itself took a window away and brought it back."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, dict[str, int]] = {}

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kinds = {QEvent.Type.Show: "shown", QEvent.Type.Hide: "hidden"}
        if event.type() in kinds and event.spontaneous():
            counts = self.counts.setdefault(watched.objectName(), {"shown": 0, "hidden": 0})
            counts[kinds[event.type()]] += 1
        return False


def shows(name: str) -> dict[str, object]:
    return dict(watcher.counts.get(name, {"shown": 0, "hidden": 0}))


QUESTIONS = {"widget": widget, "menu": menu, "tray": tray, "window": window, "shows": shows}


def answer() -> None:
    line = sys.stdin.readline()
    if not line:
        notifier.setEnabled(False)
        return
    question, *words = json.loads(line)
    sys.stdout.write(json.dumps(QUESTIONS[question](*words)) + "\n")
    sys.stdout.flush()


qt = QApplication(sys.argv[:1])
watcher = Watcher()
qt.installEventFilter(watcher)
notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
notifier.activated.connect(answer)
if "--soon" in sys.argv:
    Desktop.panel_seconds = 0.1
    PanelIcon.soon_ms = PanelIcon.later_ms = PanelIcon.kept_ms = 100
sys.exit(desktop.run_window(Profile.under(Path(sys.argv[1])), handler, hidden="--hidden" in sys.argv))
