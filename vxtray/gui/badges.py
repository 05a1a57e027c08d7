"""The two numbers that stand in the sidebar, whatever pages there are: alerts that wait for a person, lost mails.

GUI thread only; they are asked for on ``vx-read`` once, and follow what the engine tells.
"""

import logging

from PySide6.QtCore import QObject, Signal, Slot

from vxtray.core.notices import IncidentsChanged, QueueChanged
from vxtray.gui.context import Context

log = logging.getLogger(__name__)


class Badges(QObject):
    """The numbers.

    Signals: ``unacknowledged_changed(count)`` and ``lost_changed(count)`` when they are others than before, at first 0.
    """

    unacknowledged_changed = Signal(int)
    lost_changed = Signal(int)

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._unacknowledged = self._lost = 0
        context.bridge.noticed.connect(self._noticed)
        self.look_again()

    def look_again(self) -> None:
        """Ask for both."""
        alerts, outbox, run = self._context.service.alerts, self._context.service.outbox, self._context.bridge.run
        run(alerts.unacknowledged, self.take_unacknowledged, _failed, owner=self, quick=True)
        run(lambda: outbox.counts()["failed"], self.take_lost, _failed, owner=self, quick=True)

    @Slot(object)
    def _noticed(self, notice: object) -> None:
        if isinstance(notice, IncidentsChanged):
            self.take_unacknowledged(notice.unacknowledged)
        elif isinstance(notice, QueueChanged):
            self.take_lost(notice.failed)

    @Slot(int)
    def take_unacknowledged(self, count: int) -> None:
        """Take over how many alerts wait for a person."""
        if count != self._unacknowledged:
            self._unacknowledged = count
            self.unacknowledged_changed.emit(count)

    @Slot(int)
    def take_lost(self, count: int) -> None:
        """Take over how many mails were not delivered."""
        if count != self._lost:
            self._lost = count
            self.lost_changed.emit(count)


def _failed(error: Exception) -> None:
    """Leave the number as it is: what is wrong with the store stands on the overview."""
    log.info("a number of the sidebar is not known: %s", error)
