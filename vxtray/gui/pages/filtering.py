"""What the rows of filters are made of: search fields, choices and a period of time. GUI thread only."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from PySide6.QtWidgets import QComboBox, QLineEdit

from vxtray.core.texts import N_, _
from vxtray.gui.theme import theme
from vxtray.gui.widgets import ChoiceField, FlowRow, MomentField, plain_label

#: How long typing is waited for, in ms.
TYPING_MS = 300

#: Lengths of the time ranges; None is all time. The last entry, from and to, has none.
_RANGES = (
    (None, N_("Any time")),
    (timedelta(hours=1), N_("Last hour")),
    (timedelta(days=1), N_("Last 24 hours")),
    (timedelta(days=7), N_("Last 7 days")),
    (timedelta(days=30), N_("Last 30 days")),
)
_FROM_TO = "from-to"


class Period:
    """A list of time ranges, and two fields for its last entry: ``choice`` and ``moments`` are to be placed."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        ranges = [*_RANGES, (_FROM_TO, N_("From … to …"))]
        self.choice = filter_choice(_("Time range"), ((value, _(words)) for value, words in ranges))
        now = clock()
        self.since = MomentField(_("Beginning of the period"), now - timedelta(days=1))
        self.until = MomentField(_("End of the period"), now)
        self.moments = FlowRow(
            plain_label(_("Between"), "muted", wrap=False),
            self.since,
            plain_label(_("and"), "muted", wrap=False),
            self.until,
            gap=8,
        )
        self.moments.hide()

    def span(self) -> tuple[datetime | None, datetime | None]:
        """Return from when and until when, as of now; None where there is no such bound."""
        length = self.choice.currentData()
        if length == _FROM_TO:
            return self.since.moment(), self.until.moment()
        return (None if length is None else self._clock() - length), None

    def show_span(self, since: datetime | None, until: datetime | None) -> None:
        """Choose from when until when, or any time where there is no beginning; tells nobody."""
        self.choice.blockSignals(True)
        self.choice.setCurrentIndex(self.choice.count() - 1 if since is not None else 0)
        self.choice.blockSignals(False)
        for field, moment in ((self.since, since), (self.until, until or self._clock())):
            if moment is not None:
                field.blockSignals(True)
                field.show_moment(moment)
                field.blockSignals(False)

    def show_fields(self) -> None:
        """Show the two fields where the choice asks for them."""
        self.moments.setVisible(self.choice.currentData() == _FROM_TO)


def search_field(placeholder: str, name: str, width: int) -> QLineEdit:
    """Return a field for a text to search for, at least ``width`` px wide at scale 1."""
    field = QLineEdit()
    field.setPlaceholderText(placeholder)
    field.setAccessibleName(name)
    field.setClearButtonEnabled(True)
    field.setMinimumWidth(theme().px(width))
    field.setMaxLength(200)
    return field


def filter_choice(name: str, choices: Iterable[tuple[object, str]]) -> ChoiceField:
    """Return a list of values with their words; the first takes nothing away."""
    field = ChoiceField()
    field.setAccessibleName(name)
    field.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    field.setMinimumContentsLength(8)
    for value, words in choices:
        field.addItem(words, value)
    wide = max(field.fontMetrics().horizontalAdvance(field.itemText(at)) for at in range(field.count()))
    field.view().setMinimumWidth(wide + theme().px(28))
    # as wide as what it says of itself; longer choices have their room in the list
    field.setMinimumWidth(field.fontMetrics().horizontalAdvance(field.itemText(0)) + theme().px(56))
    return field
