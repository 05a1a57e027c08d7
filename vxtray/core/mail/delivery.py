"""Between outbox and SMTP: what a fault means for the queue, and when the account must be left alone.

Runs on ``vx-outbox``, or on a command's own thread when no program runs.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from vxtray.core.credentials import CredentialStore, Secret, smtp_account
from vxtray.core.errors import CredentialError, NotConfigured, VxtrayError
from vxtray.core.mail.faults import (
    AuthError,
    Kind,
    MailError,
    MessageRefused,
    RecipientResult,
    RecipientsRefused,
    Stage,
)
from vxtray.core.mail.outbox import Outcome, Parcel, Verdict
from vxtray.core.mail.smtp import Delivery, send
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Smtp

log = logging.getLogger(__name__)

#: A refusal of these kinds says something about the account, not about the recipient.
_NOT_THE_ADDRESS = frozenset({Kind.ACCOUNT, Kind.ADMIN})

#: While the keyring is locked, the whole queue waits this long, not each mail on its own.
_LOCKED_PAUSE = timedelta(minutes=1)

#: A fault that may heal by itself (a certificate renewed) is looked at again this seldom; a refused password never is.
_SLOW_PROBE = timedelta(minutes=30)


def secret_for(smtp: Smtp, credentials: CredentialStore) -> Secret | None:
    """Return the password for a server, None where it needs none. Raises ``CredentialError``, ``NotConfigured``."""
    return credentials.get(smtp_account(smtp)) if smtp.signs_in else None


class Courier:
    """Delivers parcels with the settings in force, and remembers the fault that stops every mail."""

    def __init__(self, smtp: Smtp, credentials: CredentialStore, clock: Callable[[], datetime]) -> None:
        self.smtp = smtp
        self.fault: VxtrayError | None = None
        self._credentials = credentials
        self._clock = clock
        self._cutoff = Cutoff()
        self._paused_until: datetime | None = None
        self._paused = False
        self._mended = 0

    @property
    def ready(self) -> bool:
        """False while nothing can leave: not set up, or the account waits for a person."""
        if not self.smtp.configured:
            return False
        return not self._paused or (self._paused_until is not None and self._clock() >= self._paused_until)

    def mended(self, smtp: Smtp) -> None:
        """Try again with these settings: they, the password or a person's wish changed."""
        self.smtp = smtp
        self.fault = None
        self._mended += 1
        self._paused = False

    def cut_off(self, *, in_doubt: bool = False) -> None:
        """End the delivery in hand, and begin no other; any thread.

        Past its final dot a mail may have arrived: that one is waited for, unless ``in_doubt``.
        """
        self._cutoff.cut(in_doubt=in_doubt)

    def deliver(self, parcel: Parcel) -> Outcome:
        """Try one mail once, and say what that means for it and for the others.

        Raises ``MailError`` only where it was cut off: nothing was sent, and nothing is known of the server.
        """
        smtp, mended = self.smtp, self._mended  # once: the settings may change while we talk to the server
        try:
            secret = secret_for(smtp, self._credentials)
            delivery = send(smtp, secret, parcel.mail_from, parcel.recipients, parcel.data, self._cutoff)
        except (CredentialError, NotConfigured) as error:
            return self._stopped(error, Verdict.WAIT if error.transient else Verdict.ACCOUNT, mended)
        except RecipientsRefused as error:
            if all(result.kind in _NOT_THE_ADDRESS for result in error.recipients.values()):
                return self._failed(error, mended)  # "relay access denied": every mail would be lost one by one
            self.fault = None
            return _refused_by_recipient(error)
        except MailError as error:
            return self._failed(error, mended)
        self.fault = None
        self._paused = False
        return _accepted(delivery)

    def _failed(self, error: MailError, mended: int) -> Outcome:
        if self._cutoff.is_cut() and not error.in_doubt:
            raise error
        log.info("delivery failed at %s: %s", error.step, error)
        if error.transient or error.in_doubt:
            self.fault = error
            return Outcome(verdict=Verdict.LATER, stage=error.step, reply=error.reply or str(error))
        if isinstance(error, MessageRefused):
            return Outcome(verdict=Verdict.FAILED, stage=error.step, reply=error.reply or str(error))
        return self._stopped(error, Verdict.ACCOUNT, mended, stage=error.step, reply=error.reply)

    def _stopped(
        self, error: VxtrayError, verdict: Verdict, mended: int, stage: str = Stage.AUTH, reply: str = ""
    ) -> Outcome:
        if mended == self._mended:  # else this was the fault of settings that nobody uses any more
            self.fault = error
            probe = self._clock() + (_LOCKED_PAUSE if verdict is Verdict.WAIT else _SLOW_PROBE)
            self._paused_until = None if isinstance(error, AuthError) else probe
            self._paused = True
        return Outcome(verdict=verdict, stage=stage, reply=reply or str(error))


def _accepted(delivery: Delivery) -> Outcome:
    accepted = tuple(address for address, result in delivery.recipients.items() if result.ok)
    refused, postponed = _not_accepted(delivery.recipients)
    return Outcome(
        verdict=Verdict.SENT,
        stage=Stage.DATA,
        reply=delivery.reply,
        accepted=accepted,
        refused=refused,
        postponed=postponed,
    )


def _not_accepted(results: Mapping[str, RecipientResult]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the replies for those refused for good, and for those who may have the mail later."""
    refused = {a: r.reply for a, r in results.items() if not r.ok and r.kind is not Kind.TEMPORARY}
    return refused, {a: r.reply for a, r in results.items() if not r.ok and r.kind is Kind.TEMPORARY}


def _refused_by_recipient(error: RecipientsRefused) -> Outcome:
    refused, postponed = _not_accepted(error.recipients)
    return Outcome(
        verdict=Verdict.LATER if postponed or error.transient else Verdict.FAILED,
        stage=error.step,
        reply=error.reply or str(error),
        refused=refused,
        postponed=postponed,
    )
