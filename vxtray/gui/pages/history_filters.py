"""The row of filters above the history. GUI thread only."""

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vxtray.core.mail.chronicle import Sought, Standing, Topic
from vxtray.core.texts import N_, _
from vxtray.gui.pages.filtering import TYPING_MS, Period, filter_choice, search_field
from vxtray.gui.widgets import FlowRow, link_button

_TOPICS = (
    (None, N_("Everything")),
    (Topic.ALERTS, N_("Alerts")),
    (Topic.REPORTS, N_("Reports")),
    (Topic.TESTS, N_("Test e-mails")),
    (Topic.SETTINGS, N_("Changed settings")),
    (Topic.PAUSES, N_("Pauses")),
    (Topic.RUNS, N_("Starts and stops")),
)
_STANDINGS = (
    (None, N_("Any state")),
    (Standing.WAITING, N_("Waiting")),
    (Standing.HELD, N_("Held")),
    (Standing.SENT, N_("Sent")),
    (Standing.PARTLY, N_("Sent, not to all")),
    (Standing.LOST, N_("Not delivered")),
    (Standing.CANCELLED, N_("Cancelled")),
)


class HistoryFilters(QWidget):
    """What the person wants to see.

    Signals: ``changed`` when another search is due; typing is waited for.
    """

    changed = Signal()

    def __init__(self, clock: Callable[[], datetime], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = search_field(
            _("Search subjects, recipients, the server's words, settings"), _("Search the history"), 200
        )
        self.topic = filter_choice(_("Kind"), [(value, _(words)) for value, words in _TOPICS])
        self.standing = filter_choice(_("State"), [(value, _(words)) for value, words in _STANDINGS])
        self._period = Period(clock)
        self.range = self._period.choice
        self.clear_button = link_button(_("Clear filters"))
        self.clear_button.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.text)
        self._choices = (self.topic, self.standing, self.range)
        column.addWidget(FlowRow(*self._choices, self._period.moments, self.clear_button, gap=8))
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MS)
        self._typing.timeout.connect(self._settled)
        self.text.textChanged.connect(lambda _text: self._typing.start())
        self.text.returnPressed.connect(self._settled)
        for moment in (self._period.since, self._period.until):
            moment.dateTimeChanged.connect(lambda _moment: self._typing.start())
        for choice in self._choices:
            choice.currentIndexChanged.connect(lambda _index: self._settled())
        self.clear_button.clicked.connect(self.clear)

    @property
    def active(self) -> bool:
        """True where anything is left out."""
        return self.sought() != Sought()

    def sought(self) -> Sought:
        """Return what to look for, as of now."""
        # what a combo box keeps comes back as a plain text
        topic, standing = self.topic.currentData(), self.standing.currentData()
        since, until = self._period.span()
        return Sought(
            text=self.text.text().strip(),
            topic=Topic(topic) if topic else None,
            standing=Standing(standing) if standing else None,
            since=since,
            until=until,
        )

    def clear(self) -> None:
        """Want everything again."""
        self._reset()
        self._settled()

    def only(self, standing: Standing) -> None:
        """Want all mails that stand so, and nothing else."""
        self._reset()
        self.standing.blockSignals(True)  # one search, not two
        self.standing.setCurrentIndex([value for value, _words in _STANDINGS].index(standing))
        self.standing.blockSignals(False)
        self._settled()

    def _reset(self) -> None:
        for choice in self._choices:
            choice.blockSignals(True)
            choice.setCurrentIndex(0)
            choice.blockSignals(False)
        self.text.clear()

    def _settled(self) -> None:
        self._typing.stop()
        self._period.show_fields()
        self.clear_button.setVisible(self.active)
        self.changed.emit()
