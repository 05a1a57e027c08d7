"""Which reports are sent, when and to whom, what became of the last ones, and what one looks like.

GUI thread only; the outbox is asked on ``vx-read``.
"""

from datetime import datetime
from typing import NamedTuple

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent

from vxtray.core import texts
from vxtray.core.errors import VxtrayError
from vxtray.core.notices import MailSettled, Notice, QueueChanged, TroubleChanged
from vxtray.core.postroom import Waiting
from vxtray.core.reports.period import Cadence, report_zone
from vxtray.core.reports.results import Result, last_results
from vxtray.core.settings.tree import Weekday
from vxtray.core.texts import N_, _
from vxtray.gui.bindings import Told, bind_choice, bind_row, bind_time, follow
from vxtray.gui.context import Context
from vxtray.gui.pages.reports_options import OptionsCard, RecipientsCard
from vxtray.gui.pages.reports_preview import ReportPreview
from vxtray.gui.pages.reports_results import ScheduleRow
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Banner, Card, ChoiceField, Kind, Page, TimeField, ToggleRow, label_for

_REFRESH_MS = 30_000
_NEWS_MS = 200

_WEEKDAYS = (
    (Weekday.MONDAY, N_("Monday")),
    (Weekday.TUESDAY, N_("Tuesday")),
    (Weekday.WEDNESDAY, N_("Wednesday")),
    (Weekday.THURSDAY, N_("Thursday")),
    (Weekday.FRIDAY, N_("Friday")),
    (Weekday.SATURDAY, N_("Saturday")),
    (Weekday.SUNDAY, N_("Sunday")),
)
_COVERS = {
    Cadence.DAILY: N_("The last complete day."),
    Cadence.WEEKLY: N_("The last week, Monday to Sunday."),
    Cadence.MONTHLY: N_("The last calendar month."),
}
_TIMES = {
    Cadence.DAILY: N_("Time of the daily report"),
    Cadence.WEEKLY: N_("Time of the weekly report"),
    Cadence.MONTHLY: N_("Time of the monthly report"),
}


class _Standing(NamedTuple):
    """What the outbox knows, as read on another thread."""

    results: dict[Cadence, Result | None]
    waiting: Waiting | None
    coming: dict[Cadence, datetime | None]


class ReportsPage(Page):
    """Three switches with their times and last results, the preview, the recipients and the options.

    Signals: ``page_wanted(key)`` where a button leads elsewhere; ``history:12`` is mail 12 in the history.
    """

    page_wanted = Signal(str)

    def __init__(self, context: Context) -> None:
        super().__init__(_("Reports"), "")
        self._context = context
        self._rows = {
            Cadence.DAILY: self._daily(),
            Cadence.WEEKLY: self._weekly(),
            Cadence.MONTHLY: self._monthly(),
        }
        self.results = {cadence: ScheduleRow(row) for cadence, row in self._rows.items()}
        self._unready = Banner(Kind.WARNING, "")
        self._unready.activated.connect(lambda: self.page_wanted.emit("edit_smtp"))
        card = Card()
        for result in self.results.values():
            result.mail_wanted.connect(self._show_mail)
            card.add_row(result)
        self.preview = ReportPreview(context)
        self.preview.mail_wanted.connect(self._show_mail)
        self.preview.told.connect(self.say)
        self._people = RecipientsCard(context, self._say_saved)
        self.recipients = self._people.field
        self.options = OptionsCard(context, self._say_saved)
        # Beneath the switches: what appears when one is switched on must not move the others from under the mouse.
        for part in (card, self._unready, self.preview, self._people, self.options):
            self.add(part)
        self.add_stretch()
        self._soon = QTimer(self, singleShot=True, interval=_NEWS_MS)
        self._soon.timeout.connect(self._look)
        context.bridge.noticed.connect(self._noticed)
        self.keep_fresh(self._tick, _REFRESH_MS)
        follow(self, context.model, lambda _change: self.refresh())
        self._show_coming(dict.fromkeys(Cadence))  # when they leave is asked as soon as the page is seen
        self.refresh()

    def _daily(self) -> ToggleRow:
        time = self._time(Cadence.DAILY)
        return self._row("daily", _("Daily report"), (label_for(time, _("at")), time))

    def _weekly(self) -> ToggleRow:
        day, time = ChoiceField(), self._time(Cadence.WEEKLY)
        day.setAccessibleName(_("Day of the weekly report"))
        choices = [(value, _(text)) for value, text in _WEEKDAYS]
        bind_choice(day, self._context.model, "reports.weekly.weekday", choices, self._telling(Cadence.WEEKLY))
        return self._row("weekly", _("Weekly report"), (day, label_for(time, _("at")), time))

    def _monthly(self) -> ToggleRow:
        day, time = ChoiceField(), self._time(Cadence.MONTHLY)
        day.setAccessibleName(_("Day of the monthly report"))
        choices: list[tuple[object, str]] = [(n, _("Day {n}", n=n)) for n in range(1, 32)]
        choices.append(("last", _("Last day")))
        bind_choice(day, self._context.model, "reports.monthly.day", choices, self._telling(Cadence.MONTHLY))
        return self._row("monthly", _("Monthly report"), (day, label_for(time, _("at")), time))

    def _time(self, cadence: Cadence) -> TimeField:
        time = TimeField()
        time.setAccessibleName(_(_TIMES[cadence]))
        bind_time(time, self._context.model, f"reports.{cadence}.time", self._telling(cadence))
        return time

    def _row(self, cadence: str, title: str, fields: tuple[object, ...]) -> ToggleRow:
        row = ToggleRow(title, "", fields)  # type: ignore[arg-type]  # a tuple of widgets
        row.toggle.setObjectName(f"reports.{cadence}.enabled")
        bind_row(row, self._context.model, f"reports.{cadence}.enabled", self._say_saved)
        return row

    def _say_saved(self, error: VxtrayError | None) -> None:
        if error is None:  # why a switch went back stands in its row
            self.say(_("Saved"))

    def _telling(self, cadence: Cadence) -> Told:
        """Return where a row's time and day tell of a save."""

        def told(error: VxtrayError | None) -> None:
            row = self._rows[cadence]
            row.clear_trouble() if error is None else row.show_trouble(words(error))
            self._say_saved(error)

        return told

    def refresh(self) -> None:
        """Say when each report leaves next, and who gets it."""
        settings = self._context.model.current
        zone = report_zone(settings.reports)
        self.set_words(
            _("Reports"), _("Each covers the last complete day, week or month. Times are {zone}.", zone=zone)
        )
        missing = not settings.smtp.configured or not settings.report_recipients
        self._unready.setVisible(missing and any(row.toggle.isChecked() for row in self._rows.values()))
        if missing:
            self._unready.show_message(
                Kind.WARNING, _("No report leaves yet: the mail server is not set up."), _("Set up the mail server")
            )
        self._people.refresh()
        self.options.refresh()
        self.preview.refresh()
        self._look()

    # --- what became of the last ones --------------------------------------------------------------------------------

    @Slot(object)
    def _noticed(self, notice: Notice) -> None:
        if isinstance(notice, MailSettled | QueueChanged | TroubleChanged) and not self._soon.isActive():
            self._soon.start()

    @Slot()
    def _tick(self) -> None:
        if self.isVisible():
            self.refresh()

    @Slot()
    def _look(self) -> None:
        if not self.isVisible():
            return
        service = self._context.service

        def work() -> _Standing:
            return _Standing(
                last_results(service.outbox, report_zone(service.settings.reports)),
                service.mail_waiting(),
                service.next_reports(),
            )

        self._context.bridge.run(
            work, self._show_results, lambda error: self.say(words(error), Kind.WARNING), owner=self, quick=True
        )

    def _show_results(self, standing: _Standing) -> None:
        now, configured = self._context.service.clock(), self._context.model.current.smtp.configured
        for cadence, result in standing.results.items():
            self.results[cadence].show_result(result, standing.waiting, now, configured=configured)
        self._show_coming(standing.coming)

    def _show_coming(self, coming: dict[Cadence, datetime | None]) -> None:
        """Say in each row what the report covers, and when it leaves next."""
        language = texts.current()
        for cadence, moment in coming.items():
            text = _(_COVERS[cadence])
            if moment is not None:
                day = texts.format_date(moment.date(), language, "EEEE d MMMM")
                time = texts.format_time(moment, language, moment.tzinfo)
                text += " " + _("Next: {day}, {time}.", day=day, time=time)
            self._rows[cadence].set_text(text)

    def showEvent(self, event: QShowEvent) -> None:
        """Look how the last ones went."""
        super().showEvent(event)
        self._look()

    def _show_mail(self, mail: int) -> None:
        self.page_wanted.emit(f"history:{mail}")
