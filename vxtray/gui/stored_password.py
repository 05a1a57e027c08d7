"""Whether the keyring holds a password for the server and user in the form. GUI thread; asked on ``vx-task``."""

from PySide6.QtCore import QObject, Signal, Slot

from vxtray.core.credentials import Account, Secret, smtp_account
from vxtray.core.errors import KeyringLocked, VxtrayError
from vxtray.core.settings.tree import Auth
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.smtp_form import SmtpForm
from vxtray.gui.smtp_saving import keyring_answer


class StoredPassword(QObject):
    """Says in the form's password field whether a password is stored.

    Signals: ``told`` once the keyring answered; ``failed(error)`` where it could not be read.
    """

    told = Signal()
    failed = Signal(object)

    def __init__(self, context: Context, form: SmtpForm) -> None:
        super().__init__(form)
        self._context = context
        self._form = form
        self._asked: Account | None = None  # whose password the placeholder speaks of
        form.account_changed.connect(self._account_named)

    @Slot()
    def _account_named(self) -> None:
        """Ask again for another account only: a button that went grey for a moment would swallow the click on it."""
        if not self._still(self._asked):
            self.ask()

    def ask(self) -> None:
        """Ask the keyring, and say so in the password field."""
        self._form.password.setPlaceholderText("")
        self._form.forget.setEnabled(False)
        self._asked = None
        try:
            account = self._asked = smtp_account(self._form.typed(checked=False))
        except VxtrayError:
            return
        store = self._context.credentials

        def known(secret: Secret | None) -> None:
            if not self._still(account):
                return
            self.told.emit()
            stored = secret is not None
            self._form.password.setPlaceholderText(
                _("Stored in the keyring. Leave empty to keep it") if stored else _("Not stored for this server yet")
            )
            self._form.forget.setEnabled(stored and self._form.auth_mode() is not Auth.NONE)

        def unknown(error: Exception) -> None:
            if isinstance(error, KeyringLocked) and error.answer is not None:
                keyring_answer(self._context, error.answer, known, unknown, self)
            if self._still(account):
                self.failed.emit(error)

        self._context.bridge.run(lambda: store.get(account), known, unknown, owner=self)

    def _still(self, account: object) -> bool:
        try:
            return smtp_account(self._form.typed(checked=False)) == account
        except VxtrayError:
            return False
