"""What the mail server's dialog knows of signing in with a provider: panel, stored secrets, notice, guide.

GUI thread only; keyring and provider are asked on other threads.
"""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from vxtray.core.credentials import Account, smtp_account
from vxtray.core.errors import N_, SettingsInvalid
from vxtray.core.mail.oauth.endpoints import provider_of
from vxtray.core.mail.oauth.tokens import client_secret, set_client_secret
from vxtray.core.settings.tree import OAuth, Smtp
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.registration_guide import RegistrationGuide
from vxtray.gui.sign_in import SignInPanel
from vxtray.gui.sign_in_fields import Snug
from vxtray.gui.sign_in_words import button_words, password_notice, provider_for
from vxtray.gui.smtp_form import SmtpForm
from vxtray.gui.smtp_saving import Kept, kept_sign_in
from vxtray.gui.stored_password import StoredSecret
from vxtray.gui.widgets import Banner, Card, Kind

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.flow import Granted

_REQUIRED = {
    "microsoft": ("client_id",),
    "outlook": ("client_id",),
    "google": ("client_id",),
    "custom": ("client_id", "token_url"),
}


class SmtpSignIn(QObject):
    """Puts the sign-in into a form.

    Signals: ``faulty(error)`` where something must be entered before signing in.
    """

    faulty = Signal(Exception)

    def __init__(self, context: Context, form: SmtpForm, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self._form = form
        self._window = parent
        self._guide: RegistrationGuide | None = None
        self.panel = SignInPanel(
            context,
            self._settings,
            typed_secret=form.oauth.client_secret.text,
            afterwards=_("Save, and vxtray sends with this sign-in."),
        )
        self.panel.granted.connect(self._granted)
        self.panel.failed.connect(self._failed)
        self._card = Card()
        self._card.add(self.panel)
        self.notice = Banner(Kind.WARNING, "")
        self.notice.activated.connect(self.switch)
        self._row = Snug(self._card)
        form.insert_sign_in(self.notice, self._row)
        form.account_changed.connect(self.look_again)
        form.auth.currentIndexChanged.connect(self._show)
        form.oauth.guide_wanted.connect(self.open_guide)
        self._make_stored()

    def _make_stored(self) -> None:
        store, form = self._context.credentials, self._form
        self._password: StoredSecret[Account] = StoredSecret(
            self._context,
            lambda: smtp_account(form.typed(checked=False)),
            store.get,
            store.forget,
            field=form.password,
            button=form.forget,
            unstored=_("Not stored for this server yet"),
        )
        self._client_secret: StoredSecret[OAuth] = StoredSecret(
            self._context,
            self._registration,
            lambda oauth: client_secret(store, Smtp(oauth=oauth)),
            lambda oauth: set_client_secret(store, Smtp(oauth=oauth), None),
            field=form.oauth.client_secret,
            button=form.oauth.forget_secret,
            unstored=_("Only where the provider gave one"),
            unnamed=_("Only where the provider gave one"),
        )
        self.stored = (self._password, self._client_secret)

    # --- what the dialog does ----------------------------------------------------------------------------------------

    def load(self) -> None:
        """Begin with saved values."""
        self.panel.stop()
        self._show()
        (self._client_secret if self._form.provider() else self._password).ask()

    def stop(self) -> None:
        """Forget what was granted and typed."""
        self.panel.stop()
        self._form.oauth.client_secret.clear()
        if self._guide is not None:
            self._guide.close()

    def secrets(self, smtp: Smtp) -> list[Kept]:
        """Return what is to be kept with these settings: the client secret before the sign-in that needs it."""
        typed = self._form.oauth.client_secret.text()
        return kept_sign_in(self._context, smtp, typed, self.panel.grant_for(smtp))

    @Slot()
    def switch(self) -> None:
        """Choose the sign-in with the provider of a server that takes passwords no more."""
        self._form.switch_to(provider_for(self._form.typed(checked=False)))
        self._form.oauth.client_id.setFocus()

    @Slot()
    def begin(self) -> None:
        """Sign in with the provider that is chosen, or choose the one that belongs to the server."""
        if self._form.provider():
            self.panel.start()
        else:
            self.switch()

    @Slot()
    def look_again(self) -> None:
        """Follow what is typed."""
        self._show()
        self.panel.refresh()
        (self._client_secret if self._form.provider() else self._password).look_again()

    @Slot()
    def open_guide(self) -> None:
        """Show how to register the app; beside the dialog, whose fields it speaks of."""
        self._guide = RegistrationGuide(self._form.provider(), self._form.typed(checked=False), self._window)
        self._guide.show()

    # --- the panel's -------------------------------------------------------------------------------------------------

    @Slot()
    def _show(self) -> None:
        smtp = self._form.typed(checked=False)
        notice = password_notice(smtp, self._context.service.clock())
        self.notice.show_message(Kind.WARNING, notice, button_words(provider_for(smtp)))
        self._form.show_row(self.notice, shown=bool(notice))
        self._form.show_row(self._row, shown=bool(self._form.provider()))

    def _registration(self) -> OAuth:
        oauth = self._form.typed(checked=False).oauth
        provider_of(oauth)
        return oauth

    def _settings(self) -> Smtp:
        smtp = self._form.typed(checked=False)
        for name in _REQUIRED.get(smtp.oauth.provider, ()):
            if not getattr(smtp.oauth, name):
                key = f"smtp.oauth.{name}"
                raise SettingsInvalid(
                    N_("{field}: {allowed}."),
                    "",
                    key=key,
                    field=key,
                    value="",
                    allowed=N_("enter what the provider gave"),
                )
        provider_of(smtp.oauth)
        return smtp

    @Slot(object, object)
    def _granted(self, smtp: Smtp, _granted: "Granted") -> None:
        self._form.username.setText(smtp.username)
        if not self._form.from_address.text().strip():
            self._form.from_address.setText(smtp.username)
        self.look_again()

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        if isinstance(error, SettingsInvalid):
            self.faulty.emit(error)
