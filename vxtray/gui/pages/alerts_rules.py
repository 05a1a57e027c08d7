"""Which events are told at once: four switches with what they did lately, severity, quiet hours. GUI thread only."""

from collections.abc import Callable, Mapping

from PySide6.QtWidgets import QWidget

from vxtray.core.alertroom import Matched
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import VxtrayError
from vxtray.core.events import Severity
from vxtray.core.reports.period import machine_zone, report_zone
from vxtray.core.texts import N_, _, plural
from vxtray.gui.bindings import bind_choice, bind_row, bind_time
from vxtray.gui.context import Context
from vxtray.gui.pages.alerts_more import MoreSettings
from vxtray.gui.pages.alerts_words import longest_words, matched_words
from vxtray.gui.rule_names import RULES
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Beside, Card, ChoiceField, TimeField, ToggleRow, link_button, plain_label

_ROWS = (
    (Rule.CRITICAL, N_("Anything critical, day or night.")),
    (Rule.WAF_BLOCKED, N_("The firewall stopped an attack.")),
    (Rule.WAF_DETECTED, N_("Let through or only detected.")),
    (Rule.NEW_BAN, N_("By fail2ban, CrowdSec or the firewall.")),
)
_SEVERITIES = (
    (Severity.CRITICAL, N_("critical only")),
    (Severity.HIGH, N_("high and above")),
    (Severity.MEDIUM, N_("medium and above")),
    (Severity.LOW, N_("low and above")),
    (Severity.INFO, N_("all of them")),
)


class RulesCard(Card):
    """Four switches, from which severity web attacks count, quiet hours, and further settings beneath."""

    def __init__(self, context: Context, saved: Callable[[VxtrayError | None], None]) -> None:
        super().__init__()
        self._context = context
        self._saved = saved
        self._matched: Mapping[Rule, Matched] = {}
        self.rows = {rule: self._switch(rule, text) for rule, text in _ROWS}
        for row in self.rows.values():
            self.add_row(row)
        self.severity = ChoiceField()
        self.severity.setAccessibleName(_("Web attacks count from severity"))
        choices = [(value, _(text)) for value, text in _SEVERITIES]
        bind_choice(self.severity, context.model, "alerts.minimum_severity", choices, saved)
        label = plain_label(_("Web attacks count from severity"), "muted")
        label.setBuddy(self.severity)
        self.add_row(Beside(label, self.severity))
        self.quiet = self._quiet_hours()
        self.add_row(self.quiet)
        self.more = MoreSettings(context, saved)
        self.more_button = link_button(_("More…"))
        self.more_button.setAccessibleName(_("More alert settings"))
        self.more_button.clicked.connect(self._show_more)
        self._always = plain_label(role="muted")
        self.add_row(Beside(self._always, self.more_button))
        self.add(self.more)
        self.more.hide()
        self.refresh()

    def _switch(self, rule: Rule, text: str) -> ToggleRow:
        row = ToggleRow(_(RULES[rule]), "")
        row.toggle.setObjectName(f"alerts.{rule}")
        row.keep_room(max((f"{_(text)} {said}" for said in longest_words(rule)), key=len))
        bind_row(row, self._context.model, f"alerts.{rule}", self._saved)
        return row

    def _quiet_hours(self) -> ToggleRow:
        fields: list[QWidget] = []
        self.quiet_from, self.quiet_to = TimeField(), TimeField()
        for word, name, field, key in (
            (_("from"), _("Quiet hours begin at"), self.quiet_from, "from"),
            (_("until"), _("Quiet hours end at"), self.quiet_to, "to"),
        ):
            field.setAccessibleName(name)
            bind_time(field, self._context.model, f"alerts.quiet_hours.{key}", self._quiet_told)
            label = plain_label(word, "muted", wrap=False)
            label.setBuddy(field)
            fields += [label, field]
        row = ToggleRow(_("Quiet hours"), "", fields)
        row.toggle.setObjectName("alerts.quiet_hours.enabled")
        bind_row(row, self._context.model, "alerts.quiet_hours.enabled", self._saved)
        return row

    def _quiet_told(self, error: VxtrayError | None) -> None:
        self.quiet.clear_trouble() if error is None else self.quiet.show_trouble(words(error))
        self._saved(error)

    # --- how things stand --------------------------------------------------------------------------------------------

    def show_matched(self, matched: Mapping[Rule, Matched]) -> None:
        """Show what each rule matched lately."""
        self._matched = matched
        self.refresh()

    def refresh(self) -> None:
        """Say how each rule stands."""
        alerts = self._context.model.current.alerts
        for rule, text in _ROWS:
            row = self.rows[rule]
            said = matched_words(rule, self._matched.get(rule), on=row.toggle.isChecked())
            row.set_text(f"{_(text)} {said}")
        zone = report_zone(self._context.model.current.reports)
        end = alerts.quiet_hours.end + (f" ({zone})" if zone != machine_zone() else "")
        off = _("Off. Alerts leave at any hour.")
        on = _("Critical ones still leave, the others in one mail at {time}.", time=end)
        self.quiet.keep_room(max(on, off, key=len))
        self.quiet.set_text(on if alerts.quiet_hours.enabled else off)
        others = [
            _("Always on: a source that falls silent, mail that fails for an hour, a disk that is almost full."),
            plural("{n} source never alerts.", "{n} sources never alert.", len(alerts.allow)) if alerts.allow else "",
            plural("Only {n} rule counts.", "Only {n} rules count.", len(alerts.rule_ids)) if alerts.rule_ids else "",
        ]
        self._always.setText(" ".join(filter(None, others)))
        self.more.refresh()

    def _show_more(self) -> None:
        shown = self.more.isHidden()
        self.more.setVisible(shown)
        self.more_button.setText(_("Less") if shown else _("More…"))
        self.more_button.setAccessibleName(_("Fewer alert settings") if shown else _("More alert settings"))
