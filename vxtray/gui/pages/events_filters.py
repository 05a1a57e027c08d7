"""The row of filters above the events. GUI thread only."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QDateTime, Qt, QTimer, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QDateTimeEdit, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.events import Action, Category, Severity
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import ACTIONS, CATEGORIES
from vxtray.core.store import EventQuery
from vxtray.core.texts import N_, _
from vxtray.gui.theme import theme
from vxtray.gui.widgets import ChoiceField, FlowRow, button, link_button, plain_label

_TYPING_MS = 300

#: Lengths of the time ranges; None is all time. The last entry, from and to, has none.
_RANGES = (
    (None, N_("Any time")),
    (timedelta(hours=1), N_("Last hour")),
    (timedelta(days=1), N_("Last 24 hours")),
    (timedelta(days=7), N_("Last 7 days")),
    (timedelta(days=30), N_("Last 30 days")),
)
_SEVERITIES = (
    (Severity.CRITICAL, N_("Critical only")),
    (Severity.HIGH, N_("High and above")),
    (Severity.MEDIUM, N_("Medium and above")),
    (Severity.LOW, N_("Low and above")),
)
_FROM_TO = "from-to"


class MomentField(QDateTimeEdit):
    """A day and a time on this machine's clock."""

    def __init__(self, name: str, moment: datetime) -> None:
        super().__init__(QDateTime.fromSecsSinceEpoch(int(moment.timestamp())))
        self.setAccessibleName(name)
        self.setDisplayFormat("dd/MM/yyyy HH:mm" if texts.current() == "fr" else "yyyy-MM-dd HH:mm")
        self.lineEdit().setTextMargins(theme().px(8), 0, 0, 0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def moment(self) -> datetime:
        """Return the time that is shown, aware."""
        return datetime.fromtimestamp(self.dateTime().toSecsSinceEpoch(), UTC)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Change by the wheel only with the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class EventFilters(QWidget):
    """What the person wants to see.

    Signals: ``changed`` when another search is due; typing is waited for.
    """

    changed = Signal()

    def __init__(self, clock: Callable[[], datetime], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._rule = ""
        self.text = _field(_("Search rules, messages, targets, users, addresses"), _("Search events"), 200)
        self.source = _field(_("Address or network"), _("Source address or network"), 150)
        ranges = [*_RANGES, (_FROM_TO, N_("From … to …"))]
        self.range = _choice(_("Time range"), ((value, _(words)) for value, words in ranges))
        self.category = _choice(
            _("Category"), [(None, _("All categories")), *((name, _(CATEGORIES[name])) for name in Category)]
        )
        self.action = _choice(
            _("Action"), [(None, _("All actions")), *((name, _capital(_(ACTIONS[name]))) for name in Action)]
        )
        self.severity = _choice(
            _("Severity"), [(None, _("All severities")), *((name, _(words)) for name, words in _SEVERITIES)]
        )
        now = clock()
        self.since = MomentField(_("From"), now - timedelta(days=1))
        self.until = MomentField(_("To"), now)
        self._moments = FlowRow(
            plain_label(_("From"), "muted", wrap=False),
            self.since,
            plain_label(_("to"), "muted", wrap=False),
            self.until,
            gap=8,
        )
        self._moments.hide()
        self.rule = button("")
        self.rule.hide()
        self.clear_button = link_button(_("Clear filters"))
        self.clear_button.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.text, 3)
        row.addWidget(self.source, 1)
        column.addLayout(row)
        choices = (self.range, self.category, self.action, self.severity)
        column.addWidget(FlowRow(*choices, self._moments, self.rule, self.clear_button, gap=8))
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typing.timeout.connect(self._settled)
        self._connect()

    def _connect(self) -> None:
        for field in (self.text, self.source):
            field.textChanged.connect(lambda _text: self._typing.start())
            field.returnPressed.connect(self._settled)
        for moment in (self.since, self.until):
            moment.dateTimeChanged.connect(lambda _moment: self._typing.start())
        for choice in (self.range, self.category, self.action, self.severity):
            choice.currentIndexChanged.connect(lambda _index: self._settled())
        self.rule.clicked.connect(lambda: self.only_rule(""))
        self.clear_button.clicked.connect(self.clear)

    @property
    def active(self) -> bool:
        """True where anything is left out."""
        return self.query() != EventQuery()

    def query(self) -> EventQuery:
        """Return what to search for, as of now."""
        # what a combo box keeps comes back as a plain text
        category, action, severity = (one.currentData() for one in (self.category, self.action, self.severity))
        span = self.range.currentData()
        since, until = None, None
        if span == _FROM_TO:
            since, until = self.since.moment(), self.until.moment()
        elif span is not None:
            since = self._clock() - span
        return EventQuery(
            since=since,
            until=until,
            categories=frozenset({Category(category)} if category else ()),
            actions=frozenset({Action(action)} if action else ()),
            severity=Severity(severity) if severity else None,
            source=self.source.text().strip(),
            rule=self._rule,
            text=self.text.text().strip(),
        )

    def clear(self) -> None:
        """Want everything again."""
        for choice in (self.range, self.category, self.action, self.severity):
            choice.blockSignals(True)  # one search, not four
            choice.setCurrentIndex(0)
            choice.blockSignals(False)
        self.text.clear()
        self.source.clear()
        self._rule = ""
        self._settled()

    def only_source(self, address: str) -> None:
        """Want the events of one address."""
        self.source.setText(address)
        self._settled()

    def only_rule(self, rule: str) -> None:
        """Want the events of one rule, "" for all."""
        self._rule = rule
        self._settled()

    def _settled(self) -> None:
        self._typing.stop()
        self._moments.setVisible(self.range.currentData() == _FROM_TO)
        self.clear_button.setVisible(self.active)
        shown = one_line(self._rule, 40)
        self.rule.setVisible(bool(self._rule))
        self.rule.setText(_("Rule: {rule}", rule=shown).replace("&", "&&") + "  ✕")
        self.rule.setAccessibleName(_("No longer only the rule {rule}", rule=shown))
        self.changed.emit()


def _field(placeholder: str, name: str, width: int) -> QLineEdit:
    field = QLineEdit()
    field.setPlaceholderText(placeholder)
    field.setAccessibleName(name)
    field.setClearButtonEnabled(True)
    field.setMinimumWidth(theme().px(width))
    field.setMaxLength(200)
    return field


def _choice(name: str, choices: Iterable[tuple[object, str]]) -> ChoiceField:
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


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
