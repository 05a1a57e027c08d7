"""The row of filters above the events. GUI thread only."""

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vxtray.core.events import Action, Category, Severity
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import ACTIONS, CATEGORIES
from vxtray.core.store import EventQuery
from vxtray.core.texts import N_, _
from vxtray.gui.pages.filtering import TYPING_MS, Period, filter_choice, search_field
from vxtray.gui.widgets import FlowRow, button, link_button

_SEVERITIES = (
    (Severity.CRITICAL, N_("Critical only")),
    (Severity.HIGH, N_("High and above")),
    (Severity.MEDIUM, N_("Medium and above")),
    (Severity.LOW, N_("Low and above")),
)


class EventFilters(QWidget):
    """What the person wants to see.

    Signals: ``changed`` when another search is due; typing is waited for.
    """

    changed = Signal()

    def __init__(self, clock: Callable[[], datetime], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rule, self._seq = "", 0
        self.text = search_field(_("Search rules, messages, targets, users, addresses"), _("Search events"), 200)
        self.source = search_field(_("Address or network"), _("Source address or network"), 150)
        self._period = Period(clock)
        self.range, self.since, self.until = self._period.choice, self._period.since, self._period.until
        self.category = filter_choice(
            _("Category"), [(None, _("All categories")), *((name, _(CATEGORIES[name])) for name in Category)]
        )
        self.action = filter_choice(
            _("Action"), [(None, _("All actions")), *((name, _capital(_(ACTIONS[name]))) for name in Action)]
        )
        self.severity = filter_choice(
            _("Severity"), [(None, _("All severities")), *((name, _(words)) for name, words in _SEVERITIES)]
        )
        self.rule = button("")
        self.rule.hide()
        self.event_chip = button(_("Only one event") + "  ✕")
        self.event_chip.setAccessibleName(_("No longer only one event"))
        self.event_chip.hide()
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
        column.addWidget(FlowRow(*choices, self._period.moments, self.rule, self.event_chip, self.clear_button, gap=8))
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MS)
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
        self.event_chip.clicked.connect(self.clear)
        self.clear_button.clicked.connect(self.clear)

    @property
    def active(self) -> bool:
        """True where anything is left out."""
        return self.query() != EventQuery()

    def query(self) -> EventQuery:
        """Return what to search for, as of now."""
        # what a combo box keeps comes back as a plain text
        category, action, severity = (one.currentData() for one in (self.category, self.action, self.severity))
        since, until = self._period.span()
        return EventQuery(
            since=since,
            until=until,
            categories=frozenset({Category(category)} if category else ()),
            actions=frozenset({Action(action)} if action else ()),
            severity=Severity(severity) if severity else None,
            source=self.source.text().strip(),
            rule=self._rule,
            text=self.text.text().strip(),
            after_seq=max(self._seq - 1, 0),
            up_to_seq=self._seq,
        )

    def clear(self) -> None:
        """Want everything again."""
        for choice in (self.range, self.category, self.action, self.severity):
            choice.blockSignals(True)  # one search, not four
            choice.setCurrentIndex(0)
            choice.blockSignals(False)
        self.text.clear()
        self.source.clear()
        self._rule, self._seq = "", 0
        self._settled()

    def only_event(self, seq: int) -> None:
        """Want one event by its number in the store."""
        self.blockSignals(True)  # one search, not two
        self.clear()
        self.blockSignals(False)
        self._seq = seq
        self._settled()

    def only(self, query: EventQuery) -> None:
        """Want what a query says; of its sets, the choices show one entry."""
        for choice, value in (
            (self.category, next(iter(query.categories), None)),
            (self.action, next(iter(query.actions), None)),
            (self.severity, query.severity),
        ):
            choice.blockSignals(True)  # one search, not four
            choice.setCurrentIndex(max(choice.findData(value), 0))
            choice.blockSignals(False)
        self._period.show_span(query.since, query.until)
        for field, text in ((self.source, query.source), (self.text, query.text)):
            field.setText(text)
        self._rule, self._seq = query.rule, 0
        self._settled()

    def only_source(self, address: str) -> None:
        """Want the events of one address."""
        self.source.setText(address)
        self._seq = 0
        self._settled()

    def only_rule(self, rule: str) -> None:
        """Want the events of one rule, "" for all."""
        self._rule, self._seq = rule, 0
        self._settled()

    def _settled(self) -> None:
        self._typing.stop()
        self._period.show_fields()
        self.clear_button.setVisible(self.active)
        self.event_chip.setVisible(bool(self._seq))
        shown = one_line(self._rule, 40)
        self.rule.setVisible(bool(self._rule))
        self.rule.setText(_("Rule: {rule}", rule=shown).replace("&", "&&") + "  ✕")
        self.rule.setAccessibleName(_("No longer only the rule {rule}", rule=shown))
        self.changed.emit()


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
