"""Takes over what a VIGILANCE X server was set to mail: shown first, applied as one change. GUI thread only."""

from PySide6.QtCore import Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from vxtray.core.alerts.rules import Rule
from vxtray.core.credentials import Secret
from vxtray.core.errors import N_, VxtrayError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import SEVERITIES
from vxtray.core.settings.tree import Security, Weekday
from vxtray.core.sources.vigilancex_takeover import TakeOver, ask
from vxtray.core.texts import _, plural
from vxtray.gui.context import Context
from vxtray.gui.rule_names import RULES
from vxtray.gui.sign_in_fields import Snug
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Facts, button, plain_label, primary_button, scrolled

#: What can be taken over, as its page calls it, in the order in which it is shown.
TITLES = {
    "smtp.host": N_("Mail server"),
    "smtp.port": N_("Port"),
    "smtp.security": N_("Encryption"),
    "smtp.from_address": N_("Sender"),
    "smtp.username": N_("User name"),
    "smtp.recipients": N_("Recipients"),
    "reports.daily.enabled": N_("Daily report"),
    "reports.daily.time": N_("Time of the daily report"),
    "reports.weekly.enabled": N_("Weekly report"),
    "reports.weekly.weekday": N_("Day of the weekly report"),
    "reports.weekly.time": N_("Time of the weekly report"),
    "reports.monthly.enabled": N_("Monthly report"),
    "reports.monthly.day": N_("Day of the monthly report"),
    "reports.monthly.time": N_("Time of the monthly report"),
    "reports.recipients": N_("Recipients of the reports"),
    "alerts.waf_detected": RULES[Rule.WAF_DETECTED],
    "alerts.waf_blocked": RULES[Rule.WAF_BLOCKED],
    "alerts.new_ban": RULES[Rule.NEW_BAN],
    "alerts.critical": RULES[Rule.CRITICAL],
    "alerts.minimum_severity": N_("Web attacks count from severity"),
    "alerts.rule_ids": N_("Only these rules"),
}
#: Of a value, in characters.
_LONGEST = 300

_VALUES: dict[tuple[str, str], str] = {
    ("reports.weekly.weekday", Weekday.MONDAY): N_("Monday"),
    ("reports.weekly.weekday", Weekday.TUESDAY): N_("Tuesday"),
    ("reports.weekly.weekday", Weekday.WEDNESDAY): N_("Wednesday"),
    ("reports.weekly.weekday", Weekday.THURSDAY): N_("Thursday"),
    ("reports.weekly.weekday", Weekday.FRIDAY): N_("Friday"),
    ("reports.weekly.weekday", Weekday.SATURDAY): N_("Saturday"),
    ("reports.weekly.weekday", Weekday.SUNDAY): N_("Sunday"),
    **{("alerts.minimum_severity", severity): text for severity, text in SEVERITIES.items()},
    ("reports.monthly.day", "last"): N_("Last day"),
    ("smtp.security", Security.STARTTLS): "STARTTLS",
    ("smtp.security", Security.TLS): "TLS",
    ("smtp.security", Security.NONE): N_("none"),
}


class TakeOverDialog(QDialog):
    """Asks the server when it is shown, lists what would change, and applies it."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._taken: TakeOver | None = None
        self.setWindowTitle(_("Take over from VIGILANCE X"))
        self.says = plain_label()
        self.trouble = plain_label(role="trouble")
        self.trouble.hide()
        self.facts = Facts()
        self.left_out = plain_label(role="muted")
        self.left_out.hide()
        self.cancel = button(_("Cancel"))
        self.cancel.clicked.connect(self.reject)
        self.apply = primary_button(_("Take over"))
        self.apply.setEnabled(False)
        self.apply.clicked.connect(self._apply)
        self._lay_out()

    def _lay_out(self) -> None:
        inner = QWidget()
        inner.setObjectName("column")
        column = QVBoxLayout(inner)
        column.setContentsMargins(20, 20, 20, 8)
        column.setSpacing(12)
        for part in (Snug(self.says), self.trouble, Snug(self.facts), self.left_out):
            column.addWidget(part)
        column.addStretch(1)
        foot = QHBoxLayout()
        foot.setContentsMargins(20, 8, 20, 16)
        foot.setSpacing(10)
        foot.addStretch(1)
        for one in (self.cancel, self.apply):
            foot.addWidget(one)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scrolled(inner, self.windowTitle()), 1)
        whole.addLayout(foot)
        self.resize(theme().px(580), theme().px(560))

    def showEvent(self, event: QShowEvent) -> None:
        """Ask the server."""
        if not event.spontaneous():
            self.says.setText(_("Asking the server…"))
            settings, store = self._context.model.current.sources.vigilancex, self._context.credentials

            def work() -> TakeOver:
                from vxtray.core.sources.vigilancex_api import Server, account_of

                server = Server(settings, lambda: store.get(account_of(settings)))
                try:
                    return ask(server)
                finally:
                    server.close()

            self._context.bridge.run(work, self._show, self._failed, owner=self, waits=True)
        super().showEvent(event)

    def _show(self, taken: TakeOver) -> None:
        """List what would change."""
        taken = self._taken = taken.against(self._context.model.current)
        rows = [(_(title), _shown(key, taken.changes[key])) for key, title in TITLES.items() if key in taken.changes]
        if taken.password is not None:
            rows.append((_("Password"), _("goes into the keyring")))
        self.facts.show_facts(rows)
        if rows:
            n = len(rows)
            self.says.setText(plural("{n} setting differs there, and would be as follows.",
                                     "{n} settings differ there, and would be as follows.", n))  # fmt: skip
        else:
            self.says.setText(_("Everything is set here as it is there."))
        self.apply.setEnabled(bool(rows))
        if taken.left_out:
            self.left_out.setText(
                _("Not taken over, as it is not allowed here: {names}", names=", ".join(taken.left_out))
            )
            self.left_out.show()

    @Slot()
    def _apply(self) -> None:
        """Put the password into the keyring, then save the settings: until then, nobody uses it."""
        if self._taken is None:
            return
        self.apply.setEnabled(False)
        taken, store = self._taken, self._context.credentials
        try:
            account = taken.account(self._context.model.current.smtp)
        except VxtrayError as error:
            self._failed(error)
            return
        password = taken.password

        def work() -> Secret | None:
            return store.set(account, password) if account is not None and password is not None else None

        self._context.bridge.run(work, self._keep, self._failed, owner=self, waits=True)

    def _keep(self, _former: object) -> None:
        assert self._taken is not None
        try:
            self._context.model.update(self._taken.changes)
        except VxtrayError as error:
            self._failed(error)
            return
        self.accept()

    def _failed(self, error: Exception) -> None:
        self.says.setText("")
        self.trouble.setText(words(error))
        self.trouble.show()
        self.apply.setEnabled(self._taken is not None)


def _shown(key: str, value: object) -> str:
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if (text := _VALUES.get((key, str(value)))) is not None:
        return _(text)
    if isinstance(value, tuple | list):
        return one_line(", ".join(map(str, value)), _LONGEST) or "–"
    return one_line(str(value), _LONGEST)
