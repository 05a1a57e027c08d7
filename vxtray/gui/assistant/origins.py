"""Step 3: where events come from. GUI thread only."""

from pathlib import Path

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QWidget

from vxtray.core.texts import _
from vxtray.gui.assistant.logs import LogsCard
from vxtray.gui.assistant.receiver import ReceiverCard
from vxtray.gui.assistant.step import Step
from vxtray.gui.context import Context


class OriginsStep(Step):
    """The logs of this machine, and a firewall's. Each switch saves at once."""

    def __init__(self, context: Context, root: Path) -> None:
        super().__init__(
            context,
            "origins",
            _("Events"),
            _("Where do your events come from?"),
            _("Reports and alerts are made from them. There are two ways, and both may be used."),
        )
        self.logs = LogsCard(context, root)
        self.receiver = ReceiverCard(context)
        for card in (self.logs, self.receiver):
            card.told.connect(self.say)
            self.put(card)
        self.receiver.first_heard.connect(self._show_line)

    @Slot()
    def _show_line(self) -> None:
        """Scroll to the first line, once the layout has made room for it."""
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self.receiver.line, 0, 24))

    def complete(self) -> bool:
        """Return whether there is a source."""
        sources = self.context.model.current.sources
        return bool(sources.files) or sources.syslog.enabled

    def enter(self) -> None:
        """Look for logs anew: a right may have been given meanwhile."""
        self.logs.look()
        self.receiver.refresh()

    def first_field(self) -> QWidget | None:
        """Return the first switch, else the firewall's address."""
        return self.logs.first_switch() or (self.receiver.sender_field if self.receiver.off.isVisible() else None)

    def forward(self) -> None:
        """Go on; a sender that is typed is received first."""
        if self.receiver.wants_switching_on():
            self.receiver.begin()
        else:
            self.passed.emit()
