"""Saving the mail server: secrets into the keyring and the settings into the file, all or nothing.

The secrets come first: until the settings are saved, nobody uses them, for each is bound to its account. The other way
round a crash would leave settings that nobody can sign in with. GUI thread only; keyring and outbox are asked on
``vx-task``.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, Signal, SignalInstance
from shiboken6 import isValid

from vxtray.core.credentials import CredentialStore, Secret, smtp_account
from vxtray.core.errors import N_, KeyringLocked, VxtrayError
from vxtray.core.mail.fingerprint import SIGNED_IN
from vxtray.core.settings.tree import Smtp
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.trouble import words

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.flow import Granted
    from vxtray.core.mail.oauth.tokens import TokenKeeper

log = logging.getLogger(__name__)

_PUT_BACK = N_("The keyring was put back as it was.")


def keyring_answer(
    context: Context,
    answer: "Future[Any]",
    done: Callable[[Any], None],
    failed: Callable[[Exception], None],
    owner: QObject,
) -> None:
    """Hear on the GUI thread what a keyring call behind its prompt came to, unless ``owner`` is gone by then."""

    def hear(ended: "Future[Any]") -> None:
        if not isValid(owner):
            return
        error = ended.exception()
        if isinstance(error, Exception):
            failed(error)
        else:
            done(ended.result())

    answer.add_done_callback(lambda ended: context.bridge.call(lambda: hear(ended)))


class Kept(Protocol):
    """One secret that is saved with the settings. Both calls may block for seconds, and raise ``CredentialError``."""

    name: str
    #: Whose it is, where the history is to tell.
    user: str
    #: What is said of it once it was put back.
    afterwards: str

    def keep(self) -> None:
        """Store it."""

    def unlocked(self, answer: object, /) -> bool:
        """Take what a call came to that went on behind the keyring's prompt; False: ``keep`` is to be called again."""

    def put_back(self) -> None:
        """Leave the keyring as it was before, unless somebody else changed it meanwhile."""


class KeptPassword:
    """The password of the mail server."""

    name = "smtp-password"
    user = ""
    afterwards = _PUT_BACK

    def __init__(self, store: CredentialStore, smtp: Smtp, secret: Secret) -> None:
        """Raises ``NotConfigured`` where nobody can say whose password it is."""
        self._store, self._account, self._secret = store, smtp_account(smtp), secret
        self._former: Secret | None = None

    def keep(self) -> None:
        """Store it, and remember the former one."""
        self._former = self._store.set(self._account, self._secret)

    def unlocked(self, answer: object) -> bool:
        """It is stored; the answer is the former one."""
        self._former = answer if isinstance(answer, Secret) else None
        return True

    def put_back(self) -> None:
        """Store the former one again, or none."""
        if self._store.get(self._account) != self._secret:
            return
        if self._former is None:
            self._store.forget(self._account)
        else:
            self._store.set(self._account, self._former)


class KeptClientSecret:
    """The client secret of the app registration."""

    name = "oauth-client-secret"
    user = ""
    afterwards = _PUT_BACK

    def __init__(self, store: CredentialStore, smtp: Smtp, secret: Secret) -> None:
        self._store, self._smtp, self._secret = store, smtp, secret
        self._former: Secret | None = None

    def keep(self) -> None:
        """Store it, and remember the former one."""
        from vxtray.core.mail.oauth.tokens import client_secret, set_client_secret

        if (former := client_secret(self._store, self._smtp)) != self._secret:  # else the second call of two
            self._former = former
        set_client_secret(self._store, self._smtp, self._secret)

    def unlocked(self, _answer: object) -> bool:
        """It was one step of several."""
        return False

    def put_back(self) -> None:
        """Store the former one again, or none."""
        from vxtray.core.mail.oauth.tokens import client_secret, set_client_secret

        if client_secret(self._store, self._smtp) == self._secret:
            set_client_secret(self._store, self._smtp, self._former)


class KeptSignIn:
    """What a person's sign-in brought."""

    name = SIGNED_IN
    afterwards = N_("The sign-in is kept in the keyring, for when you save again.")

    def __init__(self, tokens: "TokenKeeper", smtp: Smtp, granted: "Granted") -> None:
        self._tokens, self._smtp, self._granted = tokens, smtp, granted
        self.user = granted.signed_in_as or smtp.username

    def keep(self) -> None:
        """Store it."""
        self._tokens.store(self._smtp, self._granted)

    def unlocked(self, _answer: object) -> bool:
        """It was one step of several."""
        return False

    def put_back(self) -> None:
        """Leave it: it is good for its own account only, and newer than what was there."""


def kept_sign_in(context: Context, smtp: Smtp, client_secret: str, granted: "Granted | None") -> list[Kept]:
    """Return what is to be kept with these settings: the client secret before the sign-in that needs it."""
    found: list[Kept] = []
    if client_secret:
        found.append(KeptClientSecret(context.credentials, smtp, Secret(client_secret)))
    if granted is not None:
        found.append(KeptSignIn(context.service.tokens, smtp, granted))
    return found


class Saving(QObject):
    """One save with new secrets. Lives until it has ended, whatever becomes of the dialog.

    Signals: ``waiting()`` while the keyring waits for its person; ``saved()``; ``failed(error, beside)``: neither was
    changed, and ``beside`` says in words what became of the keyring, where that needs saying.
    """

    waiting = Signal()
    saved = Signal()
    failed = Signal(object, str)

    def __init__(self, context: Context, secrets: Sequence[Kept], values: Mapping[str, object]) -> None:
        """``values`` are settings by dotted key, saved after all ``secrets``."""
        super().__init__(context.bridge)
        self._context = context
        self._left, self._kept = list(secrets), list[Kept]()
        self._values = values
        self._cancelled = False

    def start(self) -> None:
        """Begin with the keyring."""
        self._next()

    def cancel(self) -> None:
        """Save nothing; what the keyring took or still takes is put back."""
        self._cancelled = True

    def _next(self) -> None:
        if self._cancelled:
            self._put_back(None)
        elif not self._left:
            self._save_settings()
        else:
            self._context.bridge.run(self._left[0].keep, lambda _none: self._took(), self._refused, owner=self)

    def _took(self) -> None:
        self._kept.append(self._left.pop(0))
        self._next()

    def _refused(self, error: Exception) -> None:
        if isinstance(error, KeyringLocked) and error.answer is not None:
            keyring_answer(self._context, error.answer, self._unlocked, self._refused, self)
            self._tell(self.waiting)
        elif self._kept:
            self._put_back(error)
        else:
            self._tell(self.failed, error, "")
            self.deleteLater()

    def _unlocked(self, answer: object) -> None:
        """Go on after the prompt; where nobody wants it any more, what was stored behind it is taken back."""
        if self._left[0].unlocked(answer) or self._cancelled:
            self._took()
        else:
            self._next()

    def _save_settings(self) -> None:
        try:
            self._context.model.update(self._values)
        except Exception as error:
            self._put_back(error)
            if not isinstance(error, VxtrayError):
                raise
            return
        service, last = self._context.service, self._kept[-1]
        self._context.bridge.run(
            lambda: service.mail_mended(last.name, last.user),
            lambda _none: None,
            self._not_mended,
            owner=self._context.bridge,
        )
        self._tell(self.saved)
        self.deleteLater()

    def _not_mended(self, error: Exception) -> None:
        """Tell of an outbox that could not be woken; both are saved, and it looks again by itself."""
        if isinstance(error, VxtrayError):
            self._context.service.set_trouble("outbox", error)

    def _put_back(self, why: Exception | None) -> None:
        """Put the keyring back as it was, unless another save was faster; ``why`` is None where nobody asks."""
        kept = self._kept[::-1]

        def work() -> None:
            for one in kept:
                one.put_back()

        def told(beside: str) -> None:
            if why is not None:
                self._tell(self.failed, why, beside)
            self.deleteLater()

        def failed(error: Exception) -> None:
            log.warning("the keyring could not be put back: %s", error)
            told(
                _("The keyring already holds the new password and could not be put back: {reason}", reason=words(error))
            )

        afterwards = " ".join(dict.fromkeys(_(one.afterwards) for one in kept))
        self._context.bridge.run(work, lambda _none: told(afterwards), failed, owner=self)

    def _tell(self, signal: SignalInstance, *values: object) -> None:
        if not self._cancelled:
            signal.emit(*values)
