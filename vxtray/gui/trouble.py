"""How a fault reaches the person: known ones in words beside where they happened, unknown ones as a report to copy.

GUI thread only; the hooks that ``install`` sets bring faults of other threads here through the bridge.
"""

import logging
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt

from vxtray.core import texts
from vxtray.core.errors import N_, SettingsInvalid, VxtrayError
from vxtray.core.texts import _
from vxtray.gui.bridge import Bridge

if TYPE_CHECKING:  # the hooks are there before the engine is loaded
    from vxtray.gui.crash_dialog import CrashDialog

log = logging.getLogger("vxtray.gui")


def words(error: Exception) -> str:
    """Return what happened and what to do, in one text."""
    known = error if isinstance(error, VxtrayError) else unknown(error)
    return " ".join(filter(None, (texts.title(known), texts.advice(known))))


def field_words(error: Exception) -> str:
    """Return the words about a field that is seen, without its setting's own name, which nobody sees there."""
    if isinstance(error, SettingsInvalid) and "allowed" in error.values:
        allowed = _(str(error.values["allowed"]), **{k: v for k, v in error.values.items() if k != "allowed"})
        return _("“{value}” – {allowed}.", value=error.values["value"], allowed=allowed)
    return words(error)


def unknown(error: BaseException) -> VxtrayError:
    """Return a fault that nobody foresaw, as one that can be shown."""
    from vxtray.core.credentials import redact

    return VxtrayError(
        N_("An unknown fault: {reason}"),
        N_("The log holds the details; the page “Help & diagnostics” shows where it is."),
        reason=redact(f"{type(error).__name__}: {error}"),
    )


class Hooks(QObject):
    """Catches what nobody caught, on any thread, logs it, and shows one report.

    ``logs`` is the folder of the log, once that is known.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._bridge = bridge
        self._dialog: CrashDialog | None = None
        self.logs: Path | None = None
        self._before = sys.excepthook, threading.excepthook, sys.unraisablehook

    def install(self) -> None:
        """Take the place of the interpreter's hooks; an exception in a slot ends here too."""
        sys.excepthook = self._caught
        threading.excepthook = lambda args: self._caught(args.exc_type, args.exc_value, args.exc_traceback)
        sys.unraisablehook = lambda args: self._caught(args.exc_type, args.exc_value, args.exc_traceback)
        self._bridge.broken.connect(self._shown)

    def remove(self) -> None:
        """Give back the hooks that were there."""
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._before

    def _caught(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit):
            return
        known = error or kind()
        log.error("an unforeseen fault", exc_info=(kind, known, trace))
        self._bridge.call(lambda: self._shown(known))

    def _shown(self, error: BaseException) -> None:
        if self._dialog is None:
            from vxtray.gui.crash_dialog import CrashDialog

            self._dialog = CrashDialog(self.logs)
            self._dialog.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, on=False)
        self._dialog.add(error)
