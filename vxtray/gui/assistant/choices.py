"""Step 4: which reports and alerts are sent. GUI thread only."""

from PySide6.QtWidgets import QWidget

from vxtray.core import texts
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import VxtrayError
from vxtray.core.reports.period import Cadence
from vxtray.core.texts import N_, _
from vxtray.gui.assistant.step import Step
from vxtray.gui.bindings import bind_row, bind_time, follow
from vxtray.gui.context import Context
from vxtray.gui.rule_names import RULES
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, TimeField, ToggleRow, plain_label

_REPORTS = (
    (Cadence.DAILY, N_("Daily report"), N_("The last complete day."), N_("Time of the daily report")),
    (Cadence.WEEKLY, N_("Weekly report"), N_("The last week, Monday to Sunday."), N_("Time of the weekly report")),
    (Cadence.MONTHLY, N_("Monthly report"), N_("The last calendar month."), N_("Time of the monthly report")),
)
_ALERTS = (
    (Rule.CRITICAL, N_("Anything critical, day or night.")),
    (Rule.WAF_BLOCKED, N_("The firewall stopped an attack.")),
    (Rule.WAF_DETECTED, N_("Let through or only detected.")),
    (Rule.NEW_BAN, N_("By fail2ban, CrowdSec or the firewall.")),
)


class ChoicesStep(Step):
    """Seven switches; each saves at once."""

    def __init__(self, context: Context) -> None:
        super().__init__(
            context,
            "choices",
            _("Reports and alerts"),
            _("What should be sent, and when?"),
            _("A report sums up a day, a week or a month. An alert leaves at once."),
        )
        self.reports = {cadence: self._report(cadence, title, name) for cadence, title, _text, name in _REPORTS}
        self.alerts = {rule: self._alert(rule, text) for rule, text in _ALERTS}
        for title, rows in ((_("Reports"), self.reports.values()), (_("Alerts"), self.alerts.values())):
            card = Card(title)
            for row in rows:
                card.add_row(row)
            self.put(card)
        follow(self, context.model, lambda _change: self.enter())
        self.enter()

    def _report(self, cadence: Cadence, title: str, name: str) -> ToggleRow:
        time = TimeField()
        time.setAccessibleName(_(name))
        label = plain_label(_("at"), "muted", wrap=False)
        label.setBuddy(time)
        row = ToggleRow(_(title), "", (label, time))
        row.toggle.setObjectName(f"assistant.reports.{cadence}")
        bind_row(row, self.context.model, f"reports.{cadence}.enabled", self._saved)

        def told(error: VxtrayError | None) -> None:
            row.clear_trouble() if error is None else row.show_trouble(words(error))
            self._saved(error)

        bind_time(time, self.context.model, f"reports.{cadence}.time", told)
        return row

    def _alert(self, rule: Rule, text: str) -> ToggleRow:
        row = ToggleRow(_(RULES[rule]), _(text))
        row.toggle.setObjectName(f"assistant.alerts.{rule}")
        bind_row(row, self.context.model, f"alerts.{rule}", self._saved)
        return row

    def _saved(self, error: VxtrayError | None) -> None:
        if error is None:
            self.say(_("Saved"))

    def enter(self) -> None:
        """Say when each report leaves next."""
        language, coming = texts.current(), self.context.service.next_reports()
        for cadence, _title, text, _name in _REPORTS:
            said = _(text)
            if (moment := coming.get(cadence)) is not None:
                day = texts.format_date(moment.date(), language, "EEEE d MMMM")
                time = texts.format_time(moment, language, moment.tzinfo)
                said += " " + _("Next: {day}, {time}.", day=day, time=time)
            self.reports[cadence].set_text(said)

    def complete(self) -> bool:
        """Return whether anything is sent."""
        settings = self.context.model.current
        reports, alerts = settings.reports, settings.alerts
        cadences = (reports.daily, reports.weekly, reports.monthly)
        return any(one.enabled for one in cadences) or any(getattr(alerts, rule) for rule, _text in _ALERTS)

    def first_field(self) -> QWidget:
        """Return the first switch."""
        return self.reports[Cadence.DAILY].toggle
