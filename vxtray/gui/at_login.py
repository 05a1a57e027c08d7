"""Keeps the session's entry in line with the setting ``general.autostart``. GUI thread only; the files are small."""

import logging

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from vxtray.core.autostart import Autostart, AutostartFailed
from vxtray.core.errors import VxtrayError
from vxtray.core.settings.model import Change
from vxtray.gui.context import Context
from vxtray.gui.following import follow

log = logging.getLogger(__name__)

_KEY = "general.autostart"


class AtLogin(QObject):
    """The one who tells the system, whoever changed the setting.

    Signals: ``changed`` when the system's entry may have changed; ``refused(error)`` when the system did not take it:
    the setting then goes back to what it was.
    """

    changed = Signal()
    refused = Signal(object)

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = context.model
        self._going_back = False
        self.autostart = Autostart(context.profile)
        follow(self, context.model, self._follow)
        try:
            action = self.autostart.settle(wish=context.model.current.general.autostart)
            log.debug("the session's entry: %s", action)
        except AutostartFailed as error:
            log.warning("the session's entry cannot be settled: %s", error)

    def again(self) -> None:
        """Make the entry agree with the setting, as a person wants who saw that it does not."""
        try:
            if self._model.current.general.autostart:
                self.autostart.renew()
            else:
                self.autostart.switch(on=False)
        except AutostartFailed as error:
            self.refused.emit(error)
        self.changed.emit()

    def _follow(self, change: Change) -> None:
        if _KEY not in change.keys:
            return
        if not self._going_back and not self._switch(on=change.after.general.autostart):
            # after the others were told of this change, or they would hear of the second one first
            QTimer.singleShot(0, self, self._go_back)
        self.changed.emit()

    def _switch(self, *, on: bool) -> bool:
        try:
            self.autostart.switch(on=on)
        except AutostartFailed as error:
            self.refused.emit(error)
            return False
        return True

    @Slot()
    def _go_back(self) -> None:
        self._going_back = True
        try:
            self._model.update({_KEY: not self._model.current.general.autostart})
        except VxtrayError as error:
            self.refused.emit(error)
        finally:
            self._going_back = False
