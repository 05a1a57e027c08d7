"""Step 5: a test mail that arrives, in stages that can be watched. GUI thread only; it is sent on ``vx-task``."""

import time

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from vxtray.core import texts
from vxtray.core.credentials import Secret
from vxtray.core.errors import N_, VxtrayError
from vxtray.core.mail.delivery import secret_for
from vxtray.core.mail.doctor import Step as Stage
from vxtray.core.mail.faults import MailError
from vxtray.core.mail.trial import Trial
from vxtray.core.phrases import Phrase
from vxtray.core.settings.tree import Smtp
from vxtray.core.texts import _
from vxtray.gui.assistant.checking import Checking
from vxtray.gui.assistant.step import Step
from vxtray.gui.context import Context
from vxtray.gui.trouble import words
from vxtray.gui.trying import send_and_record
from vxtray.gui.widgets import Banner, Card, Facts, FlowRow, Kind, button, link_button, plain_label
from vxtray.gui.widgets.status import announce

_NAME = N_("Test e-mail")


class ProofStep(Step):
    """The check, then the mail itself; what the server said of it stands below.

    Signals: ``sent`` when the server took it for everybody.
    """

    sent = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__(
            context,
            "proof",
            _("Test e-mail"),
            _("Does it arrive?"),
            _("One test e-mail takes the way that every report and alert will take."),
        )
        self._smtp = Smtp()
        self._sending = False
        self._began = 0.0
        self._cutoff = context.bridge.cutoff()
        self._taken = False
        self.outcome = Banner(Kind.GOOD, "")
        self.what_next = plain_label(role="muted")
        self._facts = Facts()
        card = Card()
        card.add(self._facts)
        self.checking = Checking(context)
        self.checking.stepped.connect(self._show_newest)
        self.checking.ended.connect(self._checked)
        self.checking.changes_wanted.connect(self._try)
        self.again = button(_("Send it &again"))
        self.again.clicked.connect(self._begin)
        self.to_account = link_button(_("Back to the mail account"))
        self.to_account.clicked.connect(lambda: self.wanted.emit("account"))
        self.to_recipients = link_button(_("Back to the recipients"))
        self.to_recipients.clicked.connect(lambda: self.wanted.emit("recipients"))
        self._ways = FlowRow(self.again, self.to_account, self.to_recipients, gap=10)
        for part in (card, self.outcome, self.what_next, self._ways, self.checking):
            self.put(part)

    # --- what a step answers -----------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while it is sent."""
        return self.checking.running or self._sending

    @property
    def next_words(self) -> str:
        """Say that something is sent first."""
        return super().next_words if self._taken or not self._possible() else _("&Send test e-mail")

    def _possible(self) -> bool:
        smtp = self.context.model.current.smtp
        return smtp.configured and bool(smtp.recipients)

    def complete(self) -> bool:
        """Return whether a mail was taken with the settings in force."""
        return self.context.service.proven_at() is not None

    def enter(self) -> None:
        """Begin anew."""
        smtp = self._smtp = self.context.model.current.smtp
        self._taken = False
        self._facts.show_facts(
            (
                (_("From"), smtp.from_address or "–"),
                (_("Recipients"), "\n".join(smtp.recipients) or "–"),
                (_("Server"), _("{server}, port {port}", server=smtp.host, port=smtp.port) if smtp.host else "–"),
            )
        )
        self.checking.clear()
        self._tell(None)
        if not self._possible():
            missing = _("the recipients") if smtp.configured else _("the mail account")
            text = _("Nothing can be sent yet: {missing} must be set first.", missing=missing)
            self._tell(Kind.WARNING, text, account=not smtp.configured, recipients=smtp.configured)
        self.busy_changed.emit()

    def halt(self) -> None:
        """Stop waiting; what the server has taken already arrives all the same."""
        self.checking.halt()
        if self._sending:
            self._sending = False
            self._cutoff.cut()
        self.busy_changed.emit()

    def forward(self) -> None:
        """Send the mail; once it was taken, or where nothing can be sent, go on."""
        if self._taken or not self._possible():
            self.passed.emit()
        elif not self.busy:
            self._begin()

    # --- sending -----------------------------------------------------------------------------------------------------

    @Slot()
    def _begin(self) -> None:
        self._tell(None)
        self._taken = False
        self.checking.start(self._smtp, self._secret)
        self.busy_changed.emit()

    @Slot(bool)
    def _checked(self, good: bool) -> None:
        if good:
            self._send()
            return
        self._tell(
            Kind.WARNING,
            _("It did not leave. Below stands which step failed, and what to do about it."),
            account=True,
            recipients=True,
        )
        self.busy_changed.emit()

    def _send(self) -> None:
        smtp, service = self._smtp, self.context.service
        language, cutoff = texts.current(), self.context.bridge.cutoff()
        self._sending, self._began, self._cutoff = True, time.monotonic(), cutoff
        self.context.bridge.run(
            lambda: send_and_record(service, smtp, self._secret(), language, cutoff),
            lambda trial: self._sent(trial) if not cutoff.is_cut() else None,
            lambda error: self._failed(error) if not cutoff.is_cut() else None,
            owner=self,
        )
        self.busy_changed.emit()

    def _secret(self) -> Secret | None:
        """Return the password or token of the settings in hand; on ``vx-task``."""
        return secret_for(self._smtp, self.context.credentials, self.context.service.tokens)

    def _sent(self, trial: Trial) -> None:
        self._sending = False
        refused = [address for address, word in trial.recipients.items() if not word.ok]
        taken = [address for address, word in trial.recipients.items() if word.ok]
        self._add_stage(trial.ok, Phrase(N_("The server took it: {reply}"), {"reply": trial.reply}))
        self._taken = trial.ok
        if trial.ok:
            people = ", ".join(taken)
            self._tell(Kind.GOOD, _("It is on its way: look into the inbox of {people}.", people=people), again=True)
            self.what_next.setText(
                _("Nothing there after a minute? Look into the junk folder, and mark the mail as wanted there.")
            )
            self.what_next.show()
            self.sent.emit()
        else:
            text = _("The server took the mail, but not for {recipients}.", recipients=", ".join(refused))
            self._tell(Kind.WARNING, text, recipients=True)
        self.busy_changed.emit()

    def _failed(self, error: Exception) -> None:
        self._sending = False
        fault = error if isinstance(error, VxtrayError) else None
        detail = Phrase(fault.title_id, fault.values) if fault else Phrase(words(error))
        advice = Phrase(fault.advice_id, fault.values) if fault else Phrase()
        self._add_stage(False, detail, advice, fault)
        self._tell(Kind.WARNING, _("The server did not take it. Its reason stands below."), account=True)
        self.busy_changed.emit()

    def _add_stage(
        self, ok: bool, detail: Phrase, advice: Phrase | None = None, fault: VxtrayError | None = None
    ) -> None:
        took = round((time.monotonic() - self._began) * 1000)
        reply = fault.reply if isinstance(fault, MailError) else ""
        self.checking.view.add_step(
            Stage(
                name="message",
                title=Phrase(_NAME),
                ok=ok,
                ms=took,
                detail=detail,
                advice=advice or Phrase(),
                reply=reply,
                fault=fault,
            )
        )

    @Slot(dict)
    def _try(self, changes: dict[str, object]) -> None:
        """Save what the check proposes, and try again."""
        try:
            self.context.model.update({f"smtp.{name}": value for name, value in changes.items()})
        except VxtrayError as error:
            self._tell(Kind.WARNING, words(error), account=True)
            return
        self.enter()
        self._begin()

    # --- telling -----------------------------------------------------------------------------------------------------

    def _tell(
        self, kind: Kind | None, text: str = "", *, again: bool = False, account: bool = False, recipients: bool = False
    ) -> None:
        """Say how it went, and offer the ways from there."""
        self.what_next.hide()
        self.outcome.setVisible(kind is not None)
        if kind is not None:
            self.outcome.show_message(kind, text)
            announce(self.outcome, text)
        for part, shown in ((self.again, again), (self.to_account, account), (self.to_recipients, recipients)):
            part.setVisible(shown)
        self._ways.setVisible(again or account or recipients)
        self.verticalScrollBar().setValue(0)

    @Slot()
    def _show_newest(self) -> None:
        """Keep the newest stage in sight while it goes on."""
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self.checking, 0, 16) if self.busy else None)

    def first_field(self) -> QWidget | None:
        """Return nothing: the primary button is what this step is for."""
        return None
