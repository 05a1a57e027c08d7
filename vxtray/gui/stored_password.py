"""Whether the keyring holds the secret that a field of the form is for. GUI thread; asked on ``vx-task``."""

from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QLineEdit, QPushButton

from vxtray.core.credentials import Secret
from vxtray.core.errors import KeyringLocked, VxtrayError
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.smtp_saving import keyring_answer

T = TypeVar("T")


class StoredSecret(QObject, Generic[T]):
    """Says in a password field whether its secret is stored, and forgets it.

    Signals: ``told`` once the keyring answered; ``failed(error)`` where it could not be asked, ``refused(error)`` where
    it did not forget.
    """

    told = Signal()
    failed = Signal(object)
    refused = Signal(object)

    def __init__(
        self,
        context: Context,
        owner: Callable[[], T],
        get: Callable[[T], Secret | None],
        forget: Callable[[T], object],
        *,
        field: QLineEdit,
        button: QPushButton,
        unstored: str,
        unnamed: str = "",
    ) -> None:
        """``owner`` names whose secret it is by what is typed now, or raises; ``get`` and ``forget`` ask the keyring.

        ``unstored`` says that there is none, ``unnamed`` stands for as long as nobody can say whose secret it is.
        """
        super().__init__(field)
        self._context = context
        self._owner, self._get, self._forget = owner, get, forget
        self._field, self._button = field, button
        self._unstored, self._unnamed = unstored, unnamed
        self._asked: T | None = None  # whose secret the placeholder speaks of
        button.clicked.connect(self.forget)

    @Slot()
    def look_again(self) -> None:
        """Ask again for another account only: a button that went grey for a moment would swallow the click on it."""
        if not self._still(self._asked):
            self.ask()

    def ask(self) -> None:
        """Ask the keyring, and say so in the field."""
        self._field.setPlaceholderText(self._unnamed)
        self._button.setEnabled(False)
        self._asked = None
        try:
            owner = self._asked = self._owner()
        except VxtrayError:
            return

        def known(secret: Secret | None) -> None:
            if not self._still(owner):
                return
            self.told.emit()
            stored = secret is not None
            self._field.setPlaceholderText(
                _("Stored in the keyring. Leave empty to keep it") if stored else self._unstored
            )
            self._button.setEnabled(stored and self._field.isEnabled())

        def unknown(error: Exception) -> None:
            if isinstance(error, KeyringLocked) and error.answer is not None:
                keyring_answer(self._context, error.answer, known, unknown, self)
            if self._still(owner):
                self.failed.emit(error)

        self._context.bridge.run(lambda: self._get(owner), known, unknown, owner=self)

    @Slot()
    def forget(self) -> None:
        """Delete the secret of whom the fields name; what is typed as a new one goes too."""
        self._field.clear()
        try:
            owner = self._owner()
        except VxtrayError as error:
            self.refused.emit(error)
            return
        self._context.bridge.run(lambda: self._forget(owner), lambda _found: self.ask(), self.refused.emit, owner=self)

    def _still(self, owner: object) -> bool:
        try:
            return self._owner() == owner
        except VxtrayError:
            return False
