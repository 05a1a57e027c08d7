"""Saving the mail server: the password into the keyring and the settings into the file, both or neither.

GUI thread only; the keyring and the outbox are asked on ``vx-task``.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from PySide6.QtCore import QObject, Signal, SignalInstance
from shiboken6 import isValid

from vxtray.core.credentials import Account, Secret
from vxtray.core.errors import KeyringLocked, VxtrayError
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.trouble import words

log = logging.getLogger(__name__)


def keyring_answer(
    context: Context,
    answer: "Future[Secret | None]",
    done: Callable[[Secret | None], None],
    failed: Callable[[Exception], None],
    owner: QObject,
) -> None:
    """Hear on the GUI thread what a keyring call behind its prompt came to, unless ``owner`` is gone by then."""

    def hear(ended: "Future[Secret | None]") -> None:
        if not isValid(owner):
            return
        error = ended.exception()
        if isinstance(error, Exception):
            failed(error)
        else:
            done(ended.result())

    answer.add_done_callback(lambda ended: context.bridge.call(lambda: hear(ended)))


class Saving(QObject):
    """One save with a new password. Lives until it has ended, whatever becomes of the dialog.

    Signals: ``waiting()`` while the keyring waits for its person; ``saved()``; ``failed(error, beside)``: neither was
    changed, and ``beside`` says in words what became of the keyring, where that needs saying.
    """

    waiting = Signal()
    saved = Signal()
    failed = Signal(object, str)

    def __init__(self, context: Context, account: Account, secret: Secret, values: Mapping[str, object]) -> None:
        super().__init__(context.bridge)
        self._context = context
        self._account, self._secret, self._values = account, secret, values
        self._cancelled = False

    def start(self) -> None:
        """Begin with the keyring."""
        store, account, secret = self._context.credentials, self._account, self._secret
        self._context.bridge.run(lambda: store.set(account, secret), self._kept, self._not_kept, owner=self)

    def cancel(self) -> None:
        """Save nothing; what the keyring took or still takes is put back."""
        self._cancelled = True

    def _not_kept(self, error: Exception) -> None:
        if isinstance(error, KeyringLocked) and error.answer is not None:
            keyring_answer(self._context, error.answer, self._kept, self._not_kept, self)
            self._tell(self.waiting)
            return
        self._tell(self.failed, error, "")
        self.deleteLater()

    def _kept(self, former: Secret | None) -> None:
        if self._cancelled:
            self._put_back(former, None)
            return
        try:
            self._context.model.update(self._values)
        except Exception as error:
            self._put_back(former, error)
            if not isinstance(error, VxtrayError):
                raise
            return
        service = self._context.service
        name = self._account.name
        self._context.bridge.run(
            lambda: service.mail_mended(name), lambda _none: None, self._not_mended, owner=self._context.bridge
        )
        self._tell(self.saved)
        self.deleteLater()

    def _not_mended(self, error: Exception) -> None:
        """Tell of an outbox that could not be woken; both are saved, and it looks again by itself."""
        if isinstance(error, VxtrayError):
            self._context.service.set_trouble("outbox", error)

    def _put_back(self, former: Secret | None, why: Exception | None) -> None:
        """Put the keyring back as it was, unless another save was faster; ``why`` is None where nobody asks."""
        store, account, secret = self._context.credentials, self._account, self._secret

        def work() -> None:
            if store.get(account) != secret:
                return
            if former is None:
                store.forget(account)
            else:
                store.set(account, former)

        def told(beside: str) -> None:
            if why is not None:
                self._tell(self.failed, why, beside)
            self.deleteLater()

        def failed(error: Exception) -> None:
            log.warning("the keyring could not be put back: %s", error)
            told(
                _("The keyring already holds the new password and could not be put back: {reason}", reason=words(error))
            )

        self._context.bridge.run(work, lambda _none: told(_("The keyring was put back as it was.")), failed, owner=self)

    def _tell(self, signal: SignalInstance, *values: object) -> None:
        if not self._cancelled:
            signal.emit(*values)
