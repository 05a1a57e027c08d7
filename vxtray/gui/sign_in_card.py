"""How the sign-in with a provider is, on the mail server's page: until when it lasts, to renew it and to end it.

GUI thread only; provider and keyring are asked on other threads.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QWidget

from vxtray.core.errors import VxtrayError
from vxtray.core.mail.oauth.endpoints import PROVIDERS, provider_of
from vxtray.core.settings.tree import Auth, Smtp
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.sign_in import SignInPanel, Step
from vxtray.gui.sign_in_fields import Snug
from vxtray.gui.sign_in_words import day_words, moment_words
from vxtray.gui.smtp_saving import KeptSignIn, Saving
from vxtray.gui.widgets import Banner, Button, Card, Facts, FlowRow, Kind, button, link_button, plain_label

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.flow import Granted
    from vxtray.core.mail.oauth.tokens import Health

#: From here on the end of a sign-in is a warning.
_SOON = timedelta(days=7)


class SignInCard(Card):
    """The saved account's sign-in.

    Signals: ``told(text)`` with what was done, ``failed(error)`` where signing out was not possible.
    """

    told = Signal(str)
    failed = Signal(object)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(_("Sign-in"), parent)
        self._context = context
        self._saving: Saving | None = None
        self.panel = SignInPanel(context, self._settings, afterwards=_("Keeping it…"))
        self.panel.granted.connect(self._granted)
        self.panel.moved.connect(self._arrange)
        self.sign_out = button(_("Sign out…"))
        self.sign_out.clicked.connect(self._ask)
        self.panel.also(self.sign_out)
        self._facts = Facts()
        self.note = Banner(Kind.INFO, "")
        self.details = plain_label(role="secondary", selectable=True)
        self.more = link_button(_("Technical details"))
        self.more.clicked.connect(self._toggle_details)
        self.panel.also(self.more)
        self._make_question()
        for part in (self.note, Snug(self.panel), self.details, self._question, self._facts):
            self.add(part)
        self.details.hide()

    def _make_question(self) -> None:
        self._words = plain_label(role="strong")
        self.yes, self.no = button(_("Sign out")), button(_("Stay signed in"))
        self.yes.clicked.connect(self._sign_out)
        self.no.clicked.connect(self._keep)
        self._question = Card()
        self._question.add(self._words)
        self._question.add(
            plain_label(_("Mails wait from then on until somebody signs in again. This cannot be undone."), "muted")
        )
        self._question.add(FlowRow(self.yes, self.no, gap=8))
        self._question.hide()

    def _settings(self) -> Smtp:
        smtp = self._context.model.current.smtp
        provider_of(smtp.oauth)
        return smtp

    @Slot()
    def refresh(self) -> None:
        """Show how it is now."""
        smtp = self._context.model.current.smtp
        self.setVisible(smtp.auth is Auth.OAUTH)
        if smtp.auth is not Auth.OAUTH:
            self.panel.stop()
            self._question.hide()
            return
        self.panel.refresh()
        health = self._context.service.tokens.health(smtp)
        self._show_facts(smtp, health)
        self._show_note(health)
        self.details.setText("\n".join(health.details))
        if not health.details:
            self.details.hide()
        self._arrange()

    def start(self) -> None:
        """Sign in again, as the panel's button does."""
        self.panel.start()

    def _show_facts(self, smtp: Smtp, health: "Health") -> None:
        now = self._context.service.clock()
        provider = PROVIDERS.get(smtp.oauth.provider)
        facts = [(_("Provider"), _(provider.title) if provider is not None else "–")]
        if health.state != "signed-out":
            facts += [
                (_("Signed in as"), health.signed_in_as or _("not told by the provider")),
                (_("Since"), moment_words(health.signed_in_at, now)),
                (_("Last renewed"), moment_words(health.last_refresh, now)),
            ]
        if health.state not in {"signed-out", "needs-sign-in"}:
            facts.append((_("Expected end"), self._end(smtp, health)))
        self._facts.show_facts(facts)

    def _end(self, smtp: Smtp, health: "Health") -> str:
        if health.expected_end is None:
            return _("none known")
        end = day_words(health.expected_end)
        known = PROVIDERS.get(smtp.oauth.provider)
        lasts = _(known.lasts) if known is not None and known.lasts else ""
        return "\n".join(filter(None, (end, lasts)))

    def _show_note(self, health: "Health") -> None:
        now = self._context.service.clock()
        soon = health.expected_end is not None and health.expected_end - now < _SOON
        self.note.show_message(Kind.WARNING if soon else Kind.INFO, _(health.note) if health.note else "")
        self.note.setVisible(bool(health.note))

    @Slot()
    def _arrange(self) -> None:
        smtp = self._context.model.current.smtp
        signed_in = smtp.auth is Auth.OAUTH and self._context.service.tokens.health(smtp).state != "signed-out"
        idle = self.panel.step is Step.IDLE
        self.sign_out.setVisible(idle and signed_in and self._question.isHidden())
        self.more.setVisible(idle and bool(self.details.text()))

    @Slot()
    def _toggle_details(self) -> None:
        self.details.setVisible(self.details.isHidden())
        self.more.setText(_("Technical details") if self.details.isHidden() else _("Fewer details"))

    # --- signing in --------------------------------------------------------------------------------------------------

    @Slot(object, object)
    def _granted(self, smtp: Smtp, granted: "Granted") -> None:
        """Store it, and the account with it where another one signed in."""
        kept = KeptSignIn(self._context.service.tokens, smtp, granted)
        self._saving = Saving(self._context, [kept], {"smtp.username": smtp.username})
        self._saving.waiting.connect(self._keyring_waits)
        self._saving.saved.connect(self._saved)
        self._saving.failed.connect(self._not_saved)
        self._saving.start()

    @Slot()
    def _keyring_waits(self) -> None:
        self.panel.wait_for(_("Waiting for the keyring. Unlock it, and vxtray goes on."))

    @Slot()
    def _saved(self) -> None:
        self._saving = None
        self.panel.stop()
        self.refresh()
        self.told.emit(_("Signed in. Waiting mails leave now."))

    @Slot(object, str)
    def _not_saved(self, error: Exception, _beside: str) -> None:
        self._saving = None
        self.panel.fail(error)

    # --- signing out -------------------------------------------------------------------------------------------------

    @Slot()
    def _ask(self) -> None:
        who = self._context.service.tokens.health(self._context.model.current.smtp).signed_in_as
        self._words.setText(_("Sign {address} out?", address=who) if who else _("Sign out?"))
        self._question.show()
        self._arrange()
        self.no.setFocus()

    @Slot()
    def _keep(self) -> None:
        self._question.hide()
        self._arrange()
        self.sign_out.setFocus()

    @Slot()
    def _sign_out(self) -> None:
        smtp, service = self._context.model.current.smtp, self._context.service
        self._answer(enabled=False)
        self._context.bridge.run(lambda: service.sign_out(smtp), self._signed_out, self._not_signed_out, owner=self)

    def _signed_out(self, revoked: bool) -> None:
        self._answer(enabled=True)
        self._question.hide()
        self.panel.stop()
        self.refresh()
        self.told.emit(
            _("Signed out, and the provider has revoked the sign-in.")
            if revoked
            else _("Signed out. The permission itself is taken back on the provider's account page.")
        )
        self.panel.sign_in.setFocus()

    def _not_signed_out(self, error: Exception) -> None:
        self._answer(enabled=True)
        self._keep()
        if isinstance(error, VxtrayError):
            self.failed.emit(error)

    def _answer(self, *, enabled: bool) -> None:
        for one in self._both():
            one.setEnabled(enabled)

    def _both(self) -> tuple[Button, Button]:
        return self.yes, self.no
