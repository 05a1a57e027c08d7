"""Which events are told at once."""

from vxtray.core.errors import VxtrayError
from vxtray.core.events import Severity
from vxtray.core.texts import N_, _
from vxtray.gui.actions import Actions
from vxtray.gui.bindings import bind_choice, bind_row
from vxtray.gui.context import Context
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Beside, Card, ChoiceField, Kind, Page, ToggleRow, button, plain_label

_ROWS = (
    ("critical", N_("Critical events"), N_("Anything critical, day or night: attacks, malware, failures.")),
    ("waf_blocked", N_("Web attacks blocked (WAF)"), N_("The firewall stopped an attack on one of your web sites.")),
    ("waf_detected", N_("Web attacks seen (WAF)"), N_("Detected only: the request was let through.")),
    ("new_ban", N_("New bans"), N_("An address was shut out, by fail2ban, CrowdSec or the firewall.")),
)
_SEVERITIES = (
    (Severity.CRITICAL, N_("critical only")),
    (Severity.HIGH, N_("high and above")),
    (Severity.MEDIUM, N_("medium and above")),
    (Severity.LOW, N_("low and above")),
    (Severity.INFO, N_("all of them")),
)


class AlertsPage(Page):
    """Four switches, and from which severity web attacks count."""

    def __init__(self, context: Context, actions: Actions) -> None:
        pause = button(_("Pause"))
        pause.setMenu(actions.pause_menu(pause))
        super().__init__(_("Alerts"), _("Sent at once, one mail for each event."), (pause,))
        card = Card()
        for key, title, text in _ROWS:
            row = ToggleRow(_(title), _(text))
            row.toggle.setObjectName(f"alerts.{key}")
            bind_row(row, context.model, f"alerts.{key}", self._say_saved)
            card.add_row(row)
        severity = ChoiceField()
        severity.setAccessibleName(_("Web attacks count from severity"))
        choices = [(value, _(text)) for value, text in _SEVERITIES]
        bind_choice(severity, context.model, "alerts.minimum_severity", choices, self._told)
        card.add_row(Beside(plain_label(_("Web attacks count from severity"), "muted"), severity))
        self.add(card)
        self.add_stretch()

    def _say_saved(self, error: VxtrayError | None) -> None:
        if error is None:  # why a switch went back stands in its row
            self.say(_("Saved"))

    def _told(self, error: VxtrayError | None) -> None:
        self._say_saved(error)
        if error is not None:
            self.say(words(error), Kind.WARNING)
