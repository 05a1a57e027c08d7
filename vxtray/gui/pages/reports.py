"""Which reports are sent, when and to whom."""

from PySide6.QtWidgets import QLineEdit

from vxtray.core import texts
from vxtray.core.errors import VxtrayError
from vxtray.core.reports.period import Cadence, report_zone
from vxtray.core.settings.tree import Weekday
from vxtray.core.texts import N_, _
from vxtray.gui.actions import Actions
from vxtray.gui.bindings import Told, bind_choice, bind_list, bind_row, bind_time, follow
from vxtray.gui.context import Context
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, ChoiceField, Page, TimeField, ToggleRow, button, mark, plain_label

_WEEKDAYS = (
    (Weekday.MONDAY, N_("Monday")),
    (Weekday.TUESDAY, N_("Tuesday")),
    (Weekday.WEDNESDAY, N_("Wednesday")),
    (Weekday.THURSDAY, N_("Thursday")),
    (Weekday.FRIDAY, N_("Friday")),
    (Weekday.SATURDAY, N_("Saturday")),
    (Weekday.SUNDAY, N_("Sunday")),
)
_TIMES = {
    Cadence.DAILY: N_("Time of the daily report"),
    Cadence.WEEKLY: N_("Time of the weekly report"),
    Cadence.MONTHLY: N_("Time of the monthly report"),
}


class ReportsPage(Page):
    """Three switches with their times, and the recipients."""

    def __init__(self, context: Context, actions: Actions) -> None:
        send = button(_("Send a report now"))
        send.setMenu(actions.report_menu(send))
        super().__init__(_("Reports"), "", (send,))
        self._context = context
        self._rows = {
            Cadence.DAILY: self._daily(),
            Cadence.WEEKLY: self._weekly(),
            Cadence.MONTHLY: self._monthly(),
        }
        card = Card()
        for row in self._rows.values():
            card.add_row(row)
        self.add(card)
        self.add(self._recipients())
        self.add_stretch()
        follow(self, context.model, lambda _change: self.refresh())
        self.refresh()

    def _daily(self) -> ToggleRow:
        time = self._time(Cadence.DAILY)
        return self._row("daily", _("Daily report"), (plain_label(_("at"), "muted", wrap=False), time))

    def _weekly(self) -> ToggleRow:
        day, time = ChoiceField(), self._time(Cadence.WEEKLY)
        day.setAccessibleName(_("Day of the weekly report"))
        choices = [(value, _(text)) for value, text in _WEEKDAYS]
        bind_choice(day, self._context.model, "reports.weekly.weekday", choices, self._telling(Cadence.WEEKLY))
        return self._row("weekly", _("Weekly report"), (day, plain_label(_("at"), "muted", wrap=False), time))

    def _monthly(self) -> ToggleRow:
        day, time = ChoiceField(), self._time(Cadence.MONTHLY)
        day.setAccessibleName(_("Day of the monthly report"))
        choices: list[tuple[object, str]] = [(n, _("Day {n}", n=n)) for n in range(1, 32)]
        choices.append(("last", _("Last day")))
        bind_choice(day, self._context.model, "reports.monthly.day", choices, self._telling(Cadence.MONTHLY))
        return self._row("monthly", _("Monthly report"), (day, plain_label(_("at"), "muted", wrap=False), time))

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

    def _recipients(self) -> Card:
        card = Card(_("Recipients"))
        self.recipients = QLineEdit()
        self.recipients.setAccessibleName(_("Recipients of the reports"))
        self._trouble = plain_label(role="trouble")
        self._trouble.hide()
        bind_list(self.recipients, self._context.model, "reports.recipients", self._told_of_recipients)
        card.add(self.recipients)
        card.add(self._trouble)
        self._hint = plain_label(role="muted")
        card.add(self._hint)
        return card

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

    def _told_of_recipients(self, error: VxtrayError | None) -> None:
        self._trouble.setText("" if error is None else words(error))
        self._trouble.setVisible(error is not None)
        mark(self.recipients, wrong=error is not None)
        self._say_saved(error)

    def refresh(self) -> None:
        """Say when each report leaves next, and who gets it."""
        settings, language = self._context.model.current, texts.current()
        zone = report_zone(settings.reports)
        self.set_words(
            _("Reports"), _("Each covers the last complete day, week or month. Times are {zone}.", zone=zone)
        )
        says = {
            Cadence.DAILY: _("The last complete day."),
            Cadence.WEEKLY: _("The last week, Monday to Sunday."),
            Cadence.MONTHLY: _("The last calendar month."),
        }
        for cadence, moment in self._context.service.next_reports().items():
            text = says[cadence]
            if moment is not None:
                day = texts.format_date(moment.date(), language, "EEEE d MMMM")
                time = texts.format_time(moment, language, moment.tzinfo)
                text += " " + _("Next: {day}, {time}.", day=day, time=time)
            self._rows[cadence].set_text(text)
        people = ", ".join(settings.smtp.recipients)
        self.recipients.setPlaceholderText(people or _("security@example.com"))
        self._hint.setText(
            _("Separate several by commas. Empty: the recipients of the mail server.")
            if people
            else _("Separate several by commas.")
        )
