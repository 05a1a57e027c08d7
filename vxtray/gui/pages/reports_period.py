"""Which period a report is made of: a day, a week, a month, or any days in a row. GUI thread only."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from PySide6.QtCore import QDate, QLocale, Qt, QTimer, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QCalendarWidget, QDateEdit, QWidget

from vxtray.core import texts
from vxtray.core.mail.render import Reader
from vxtray.core.reports.document import period_in_words
from vxtray.core.reports.period import Cadence, Period, custom, last_complete, period_containing, previous
from vxtray.core.texts import N_, _
from vxtray.gui.theme import theme
from vxtray.gui.widgets import ChoiceField, FlowRow, button, plain_label

_KINDS = (
    (Cadence.DAILY, N_("Day")),
    (Cadence.WEEKLY, N_("Week")),
    (Cadence.MONTHLY, N_("Month")),
    (None, N_("From … to …")),
)
_SETTLE_MS = 350
_EARLIEST = date(1990, 1, 1)


class DayField(QDateEdit):
    """A day with its calendar, which the wheel changes only with the focus."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        french = texts.current() == "fr"
        locale = QLocale(QLocale.Language.French if french else QLocale.Language.English)
        self.setCalendarPopup(True)
        self.setLocale(locale)
        calendar = QCalendarWidget()
        calendar.setLocale(locale)
        calendar.setFirstDayOfWeek(Qt.DayOfWeek.Monday)  # as the weeks of the reports
        calendar.setVerticalHeaderFormat(QCalendarWidget.VerticalHeaderFormat.NoVerticalHeader)
        self.setCalendarWidget(calendar)
        self.setDisplayFormat("dd/MM/yyyy" if french else "yyyy-MM-dd")
        self.setAccessibleName(name)
        self.setKeyboardTracking(False)
        self.setMinimumDate(QDate(_EARLIEST.year, _EARLIEST.month, _EARLIEST.day))
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance("0000-00-00") + theme().px(52))

    def day(self) -> date:
        """Return the day that is shown."""
        shown = self.date()
        return date(shown.year(), shown.month(), shown.day())

    def show_day(self, day: date) -> None:
        """Show a day."""
        self.setDate(QDate(day.year, day.month, day.day))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Change by the wheel only with the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class PeriodChooser(FlowRow):
    """The kind of period, the period itself, and the ones before and after it.

    Signals: ``changed`` when another period was chosen; steps in a row make one.
    """

    changed = Signal()

    def __init__(self, clock: Callable[[], datetime], zone: Callable[[], ZoneInfo]) -> None:
        super().__init__(gap=8)
        self._clock, self._zone = clock, zone
        self.kind = ChoiceField()
        self.kind.setAccessibleName(_("Kind of period"))
        for _value, words in _KINDS:
            self.kind.addItem(_(words))
        self.before, self.after = button("‹"), button("›")
        self.day, self.first, self.last = (
            DayField(_("A day in the period")),
            DayField(_("First day")),
            DayField(_("Last day")),
        )
        self._word = plain_label(_("to"), "muted", wrap=False)
        for widget in (self.kind, self.before, self.day, self.after, self.first, self._word, self.last):
            self.add(widget)
        for press, words in ((self.before, _("The period before")), (self.after, _("The period after"))):
            press.setAccessibleName(words)
            press.setToolTip(words)
        today = self._today()
        self._shown = last_complete(Cadence.DAILY, clock(), zone())
        self.day.show_day(self._shown.first)
        self.first.show_day(today - timedelta(days=14))
        self.last.show_day(today - timedelta(days=1))
        self._soon = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._soon.timeout.connect(self.changed)
        self.kind.activated.connect(lambda _index: self._kind_chosen())
        self.before.clicked.connect(lambda: self._step(-1))
        self.after.clicked.connect(lambda: self._step(1))
        for field in (self.day, self.first, self.last):
            field.dateChanged.connect(lambda _day: self._moved())
        self._show_fields()

    def period(self) -> Period:
        """Return the chosen period in the zone of the reports. Raises ``UsageError`` for days that make none."""
        cadence = _KINDS[self.kind.currentIndex()][0]
        if cadence is None:
            return custom(self.first.day(), self.last.day(), self._zone())
        return period_containing(cadence, self.day.day(), self._zone())

    def words(self, period: Period) -> str:
        """Return a period in words, in the language of the window."""
        said = period_in_words(period, Reader(language=texts.current(), zone=period.zone))
        return said[:1].upper() + said[1:]

    def choose(self, cadence: Cadence | None, first: date, last: date | None = None) -> None:
        """Choose a period as a person does; without a cadence the days from ``first`` to ``last``."""
        self.kind.setCurrentIndex([value for value, _words in _KINDS].index(cadence))
        if cadence is None:
            self.first.show_day(first)
            self.last.show_day(last or first)
        else:
            self.day.show_day(first)
        self._show_fields()
        self._soon.start()

    def _kind_chosen(self) -> None:
        cadence = _KINDS[self.kind.currentIndex()][0]
        if cadence is not None and self.period().end.astimezone(self._zone()) > self._clock():
            self.day.show_day(last_complete(cadence, self._clock(), self._zone()).first)  # the report that leaves next
        self._moved()

    def _step(self, way: int) -> None:
        now = self.period()
        self.day.show_day(previous(now).first if way < 0 else now.end.date())

    def _moved(self) -> None:
        self._show_fields()
        self._soon.start()

    def _show_fields(self) -> None:
        free = _KINDS[self.kind.currentIndex()][0] is None
        for widget in (self.before, self.day, self.after):
            widget.setVisible(not free)
        for field in (self.first, self._word, self.last):
            field.setVisible(free)
        today = self._today()
        for field in (self.day, self.first, self.last):
            field.setMaximumDate(QDate(today.year, today.month, today.day))
        if not free:
            self.after.setEnabled(self.period().end.date() <= today)

    def _today(self) -> date:
        return self._clock().astimezone(self._zone()).date()
