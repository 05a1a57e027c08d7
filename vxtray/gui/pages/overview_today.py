"""The events of today, hour by hour: a chart whose bars lead to the events. GUI thread only.

They are counted on ``vx-read``, in one question, at most every few seconds and only while the card is seen.
"""

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec
from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.notices import EventsStored, Notice
from vxtray.core.reports.period import machine_zone
from vxtray.core.service import Service
from vxtray.core.store import Bucket, EventQuery
from vxtray.core.store.localtime import start_of_day, utc
from vxtray.core.texts import _, plural
from vxtray.gui.context import Context
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Bar, Bars, Beside, Card, FlowRow, Sample, plain_label

#: Least time between two counts, while events come in.
_AGAIN_SECONDS = 2.0

#: Every so many hours one is named under the chart.
_NAMED = 3

_DAY = timedelta(days=1)


class Day(msgspec.Struct, frozen=True):
    """The events of a local day that ends at ``end``; ``before`` counts those of the day before up to the same time.

    ``stored`` is False where there has never been an event; then there are no hours.
    """

    hours: tuple[Bucket, ...] = ()
    end: datetime | None = None
    before: int = 0
    stored: bool = False

    @property
    def events(self) -> int:
        """All of them."""
        return sum(hour.events for hour in self.hours)

    @property
    def blocked(self) -> int:
        """Those that were stopped."""
        return sum(hour.blocked for hour in self.hours)

    @property
    def critical(self) -> int:
        """Those that are critical, stopped or not."""
        return sum(hour.critical for hour in self.hours)

    def span(self, index: int) -> tuple[datetime, datetime]:
        """Return when an hour begins and ends; it is shorter where the clocks are changed amid it."""
        assert self.end is not None
        ends = [*(hour.start for hour in self.hours[1:]), self.end]
        return self.hours[index].start, ends[index]


def may_hold_events(service: Service) -> bool:
    """Tell, without opening it, whether there is a store; what is kept on a server may be there at any time."""
    return service.settings.store.engine != "embedded" or service.profile.events_file.exists()


def count_day(service: Service, now: datetime) -> Day:
    """Count the day that ``now`` is in, on this machine's clock. Opens no store that is not there yet.

    Raises ``StoreError``.
    """
    if not may_hold_events(service):
        return Day()
    store = service.store()
    if not store.last_seq():
        return Day()
    zone = machine_zone()
    today: date = now.astimezone(zone).date()
    start, end = (start_of_day(day, zone) for day in (today, today + _DAY))
    yesterday = start_of_day(today - _DAY, zone)
    before = store.count(EventQuery(since=yesterday, until=utc(yesterday) + (now - utc(start))))
    return Day(store.hours(start, end), end, before, stored=True)


def summary_of(day: Day) -> str:
    """Return the figures of a day in one line."""
    language, events = texts.current(), day.events
    if not events:
        return _("No event yet.")
    share = texts.format_percent(day.blocked / events, language)
    return " · ".join(
        filter(
            None,
            (
                plural("{n} event", "{n} events", events),
                plural("{n} blocked ({share})", "{n} blocked ({share})", day.blocked, share=share),
                plural("{n} critical", "{n} critical", day.critical),
                compared(events, day.before),
            ),
        )
    )


def compared(events: int, before: int) -> str:
    """Return how many more or fewer there are than the day before, "" where that says nothing."""
    if not before:
        return ""
    change = (events - before) / before
    share = texts.format_percent(abs(change), texts.current())
    if abs(change) < 0.005:
        return _("as many as yesterday by now")
    if change > 9.995:  # a share of so many hundreds is not read
        return _("many more than yesterday by now")
    return (
        _("{share} more than yesterday by now", share=share)
        if change > 0
        else _("{share} fewer than yesterday by now", share=share)
    )


def bar_of(day: Day, index: int) -> Bar:
    """Return an hour as it is drawn."""
    language, hour = texts.current(), day.hours[index]
    begin, end = (texts.format_time(at, language, hour.start.tzinfo) for at in day.span(index))
    figures = [plural("{n} event", "{n} events", hour.events)]
    if hour.blocked:
        figures.append(plural("{n} blocked", "{n} blocked", hour.blocked))
    if hour.critical:
        figures.append(plural("{n} critical", "{n} critical", hour.critical))
    said = _("{begin} to {end}: {figures}", begin=begin, end=end, figures=", ".join(figures))
    axis = f"{hour.start:%H}" if hour.start.hour % _NAMED == 0 else ""
    return Bar(axis, said, hour.events, hour.blocked, hour.critical)


def _legend(parts: Sequence[tuple[str, str]]) -> FlowRow:
    shown = []
    for token, word in parts:
        one = QWidget()
        line = QHBoxLayout(one)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(5)
        line.addWidget(Sample(token))
        line.addWidget(plain_label(word, "secondary", wrap=False))
        shown.append(one)
    return FlowRow(*shown, gap=12)


class TodayCard(Card):
    """The chart with its figures.

    Signals: ``events_wanted(query)`` to show the events of an hour; ``counted`` when ``day`` is known anew.
    """

    events_wanted = Signal(object)
    counted = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.day: Day | None = None
        self._looking, self._stale, self._looked = False, True, 0.0
        self.setAccessibleName(_("Events today"))
        self.summary = plain_label(role="muted")
        said = QWidget()
        column = QVBoxLayout(said)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(plain_label(_("Events today"), "strong"))
        column.addWidget(self.summary)
        legend = _legend((("accent_soft", _("not blocked")), ("accent", _("blocked")), ("danger", _("critical"))))
        self.add(Beside(said, legend, least=300))
        self.chart = Bars(_("Events today by hour"))
        self.chart.activated.connect(self._open)
        self.add(self.chart, 1)
        self._soon = QTimer(self, singleShot=True)
        self._soon.timeout.connect(self.look)
        context.bridge.noticed.connect(self._noticed)

    # --- counting ----------------------------------------------------------------------------------------------------

    @Slot(object)
    def _noticed(self, notice: Notice) -> None:
        if isinstance(notice, EventsStored):
            self._stale = True
            self.look_soon()

    def _seen(self) -> bool:
        """Tell whether the page is: the card itself is hidden until there has been an event."""
        ground = self.parentWidget()
        return ground is not None and ground.isVisible()

    def look_soon(self) -> None:
        """Count again, at once where the last count is old enough; never while the page is hidden."""
        if self._seen() and not self._soon.isActive():
            waited = time.monotonic() - self._looked
            self._soon.start(max(0, round((_AGAIN_SECONDS - waited) * 1000)))

    @Slot()
    def look(self) -> None:
        """Count, off this thread."""
        if self._looking or not self._seen():
            return
        self._looking, self._stale, self._looked = True, False, time.monotonic()
        service = self._context.service

        def done(day: Day) -> None:
            self._looking = False
            self.show_day(day)
            if self._stale:
                self.look_soon()

        def failed(error: Exception) -> None:
            self._looking, self.day = False, None  # so that the next count is shown, be it the same
            self.summary.setText(words(error))

        self._context.bridge.run(lambda: count_day(service, service.clock()), done, failed, owner=self, quick=True)

    def showEvent(self, event: QShowEvent) -> None:
        """Count what came while nobody looked."""
        super().showEvent(event)
        if self._stale:
            self.look()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop counting; what is shown may be old when the card comes back."""
        self._soon.stop()
        self._stale = True
        super().hideEvent(event)

    # --- showing -----------------------------------------------------------------------------------------------------

    def show_day(self, day: Day) -> None:
        """Show the figures of a day."""
        if day != self.day:
            self.day = day
            bars = [bar_of(day, index) for index in range(len(day.hours))]
            self.summary.setText(summary_of(day))
            end = Bars.scale_end(bars)
            numbers = tuple(texts.format_number(n, texts.current()) for n in (end, end // 2))
            self.chart.show_bars(bars, self._described(day, bars), (numbers[0], numbers[1]))
        self.counted.emit()

    @staticmethod
    def _described(day: Day, bars: Sequence[Bar]) -> str:
        said = [summary_of(day)]
        busiest = max(bars, key=lambda bar: bar.whole, default=None)
        if busiest is not None and busiest.whole:
            said.append(_("Busiest hour: {hour}.", hour=busiest.words))
        said.append(_("Arrow keys go from hour to hour, Enter shows its events."))
        return " ".join(said)

    @Slot(int)
    def _open(self, index: int) -> None:
        if self.day is not None:
            begin, end = self.day.span(index)
            self.events_wanted.emit(EventQuery(since=begin, until=end))
