"""What SMTP said, in the outbox's words: whom a fault concerns, and what the queue does about it.

Pure, any thread. The reply table (``replies``) has decided what an answer means; here it only becomes a verdict.
"""

from collections.abc import Mapping
from datetime import timedelta

from vxtray.core.errors import N_, CredentialError, NotConfigured
from vxtray.core.mail import backoff
from vxtray.core.mail.faults import (
    AuthError,
    ConnectError,
    Kind,
    MailError,
    MessageRefused,
    RecipientResult,
    RecipientsRefused,
    Scope,
    Stage,
)
from vxtray.core.mail.outcome import Outcome, Verdict
from vxtray.core.mail.replies.causes import TOO_LARGE
from vxtray.core.mail.smtp import Delivery
from vxtray.core.mail.suspicion import suspected
from vxtray.core.settings.tree import Smtp

#: A refusal about these says nothing about a recipient or a mail: every mail would be lost one by one.
_ALL_MAIL = frozenset({Scope.ACCOUNT, Scope.SERVER})

NO_NETWORK = ConnectError(
    N_("There is no network, so no mail can leave."),
    N_("vxtray sends what waits as soon as the network is back."),
    step=Stage.CONNECT,
    kind=Kind.TEMPORARY,
)


def accepted(delivery: Delivery) -> Outcome:
    """Return the outcome of a mail that the server took."""
    refused, postponed = _not_accepted(delivery.recipients)
    return Outcome(
        verdict=Verdict.SENT,
        stage=Stage.DATA,
        reply=delivery.reply,
        accepted=tuple(address for address, result in delivery.recipients.items() if result.ok),
        refused=refused,
        postponed=postponed,
        wait=_longest_wait(delivery.recipients) if postponed else None,
    )


def without_secret(error: CredentialError | NotConfigured) -> Outcome:
    """Return the outcome where the password could not be had, so that nothing was tried."""
    verdict = Verdict.WAIT if error.transient else Verdict.ACCOUNT
    wait = backoff.BLOCKED[-1] if error.transient else None
    return Outcome(verdict=verdict, stage=Stage.AUTH, reply=str(error), error=error, heals=True, wait=wait)


def without_network() -> Outcome:
    """Return the outcome where there was no network."""
    return Outcome(verdict=Verdict.WAIT, stage=Stage.CONNECT, reply=str(NO_NETWORK), error=NO_NETWORK, network=True)


def cut_off_by_suspend() -> Outcome:
    """Return the outcome of an attempt during which the computer slept: it says nothing about the server."""
    return Outcome(verdict=Verdict.WAIT, wait=backoff.BLOCKED[0])


def too_large(error: MailError) -> bool:
    """Return whether the server does not take a mail of this size."""
    return error.title_id == TOO_LARGE.title


def failed(error: MailError, smtp: Smtp) -> Outcome:
    """Return the outcome of a fault."""
    if isinstance(error, RecipientsRefused) and any(r.scope not in _ALL_MAIL for r in error.recipients.values()):
        return _refused_by_recipients(error)
    reply = error.reply or str(error)
    suspicion = suspected(error, smtp)
    verdict = Verdict.SERVER if suspicion else _verdict(error)
    return Outcome(
        verdict=verdict,
        stage=error.step,
        reply=reply,
        wait=_wait(error),
        error=error,
        suspicion=suspicion,
        heals=not isinstance(error, AuthError),
    )


def _verdict(error: MailError) -> Verdict:
    if error.in_doubt:
        return Verdict.DOUBT
    if error.transient:
        if error.scope is Scope.ACCOUNT and error.wait is not None:
            return Verdict.RATE
        return Verdict.SERVER if error.scope in _ALL_MAIL else Verdict.LATER
    if isinstance(error, MessageRefused) and error.scope not in _ALL_MAIL:
        return Verdict.FAILED
    return Verdict.ACCOUNT


def _wait(error: MailError) -> timedelta | None:
    if error.scope is Scope.RECIPIENT and error.transient:
        return max(error.wait or backoff.GREYLISTED, backoff.GREYLISTED)
    return error.wait


def _refused_by_recipients(error: RecipientsRefused) -> Outcome:
    refused, postponed = _not_accepted(error.recipients)
    return Outcome(
        verdict=Verdict.LATER if postponed or error.transient else Verdict.FAILED,
        stage=error.step,
        reply=error.reply or str(error),
        refused=refused,
        postponed=postponed,
        wait=_longest_wait(error.recipients),
    )


def _longest_wait(results: Mapping[str, RecipientResult]) -> timedelta:
    return max([backoff.GREYLISTED, *(result.wait for result in results.values() if result.wait is not None)])


def _not_accepted(results: Mapping[str, RecipientResult]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the replies for those refused for good, and for those who may have the mail later."""
    refused = {a: r.reply for a, r in results.items() if not r.ok and r.kind is not Kind.TEMPORARY}
    return refused, {a: r.reply for a, r in results.items() if not r.ok and r.kind is Kind.TEMPORARY}
