"""How a sign-in is, for the Mail server page and ``vxtray status``. Pure, any thread."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, MailError
from vxtray.core.mail.oauth.endpoints import Provider
from vxtray.core.mail.oauth.record import Record, with_fault
from vxtray.core.phrases import Phrase

State = Literal["signed-out", "ok", "renewing", "needs-sign-in", "unreachable"]

#: Google ends the sign-ins of apps in testing after 7 days; a refusal about then is no accident.
_TRAP = (timedelta(days=6, hours=12), timedelta(days=8, hours=12))

_IN_TESTING = N_(
    "Google ends a sign-in after 7 days while the app is in testing. In the Google Cloud console publish the app, or"
    " make it internal; then sign in again."
)
READ_ONLY = N_(
    "The sign-in comes from a systemd credential, where it cannot be renewed: replace the credential before it ends."
)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a sign-in is. Times are UTC; ``note`` is a message id, empty where there is nothing to say.

    ``fault`` is what went wrong last and ``remedy`` what to do, both empty while all is well; ``details`` are technical
    words for an administrator (error value, AADSTS number, correlation id, link). ``expected_end`` moves with each
    renewal where the provider prolongs the sign-in.
    """

    state: State = "signed-out"
    signed_in_as: str = ""
    signed_in_at: datetime | None = None
    last_refresh: datetime | None = None
    expected_end: datetime | None = None
    note: str = ""
    fault: Phrase = Phrase()
    remedy: Phrase = Phrase()
    details: tuple[str, ...] = ()


def health_of(provider: Provider, record: Record, *, renewing: bool) -> Health:
    """Return how the sign-in is that a record tells of."""
    return Health(
        state="renewing" if renewing else record.state,
        signed_in_as=record.signed_in_as,
        signed_in_at=record.signed_in_at,
        last_refresh=record.last_refresh,
        expected_end=_expected_end(provider, record),
        note=record.note,
        fault=record.fault,
        remedy=record.remedy,
        details=record.details,
    )


def _expected_end(provider: Provider, record: Record) -> datetime | None:
    if record.refresh_ends is not None:
        return record.refresh_ends
    used = record.last_refresh or record.signed_in_at
    return used + timedelta(days=provider.lasts_days) if used is not None and provider.lasts_days else None


def testing_note(record: Record) -> str:
    """Google itself says when the sign-in of an app in testing ends (``refresh_token_expires_in``)."""
    if record.refresh_ends is None or record.signed_in_at is None:
        return ""
    return _IN_TESTING if record.refresh_ends - record.signed_in_at <= timedelta(days=8) else ""


def troubled(known: Record, provider: Provider, fault: MailError, now: datetime) -> Record:
    """Return the record of a sign-in after a renewal failed."""
    if fault.kind is not Kind.ACCOUNT:
        return with_fault(known, fault, "unreachable")
    record = with_fault(known, fault, "needs-sign-in")
    if provider.key == "google" and known.signed_in_at is not None:
        shortest, longest = _TRAP
        if shortest <= now - known.signed_in_at <= longest:
            return msgspec.structs.replace(record, note=_IN_TESTING)
    return record
