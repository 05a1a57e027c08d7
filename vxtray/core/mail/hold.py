"""Why the whole queue waits, until when, and what an attempt changes about that.

Pure, any thread; the outbox keeps the hold on the disk, so that it outlives the program.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from vxtray.core.errors import N_, KeyringLocked, KeyringMissing, KeyringRefused, NotConfigured, VxtrayError
from vxtray.core.mail import backoff
from vxtray.core.mail.faults import (
    AuthError,
    ConnectError,
    Kind,
    MailError,
    MessageRefused,
    ProtocolError,
    RecipientsRefused,
    Scope,
    SenderRefused,
    Stage,
    TlsError,
)
from vxtray.core.mail.outcome import Outcome, Verdict

#: So often in a row, and what looked temporary needs a person (reliability catalogue: N01, A09, G10, S11).
_SUSPECTED = 3

#: What a server asks for where it names no time.
_USUAL_RATE = timedelta(minutes=15)


_MAIL_ERRORS: dict[str, type[MailError]] = {
    kind.__name__: kind
    for kind in (
        *(AuthError, ConnectError, MailError, MessageRefused, ProtocolError, RecipientsRefused, SenderRefused),
        TlsError,
    )
}
_OTHERS: dict[str, type[VxtrayError]] = {
    kind.__name__: kind for kind in (KeyringLocked, KeyringMissing, KeyringRefused, NotConfigured)
}


class Cause(StrEnum):
    """What the queue waits for."""

    SERVER = "server"
    RATE = "rate"
    ACCOUNT = "account"
    NETWORK = "network"
    BLOCKED = "blocked"  # the keyring, or an attempt that a suspend cut off


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it can be kept: message ids, the values that fill them, and what else a ``MailError`` knows."""

    title: str
    advice: str
    values: dict[str, str] = {}
    of: str = ""
    step: Stage = Stage.RESOLVE
    kind: Kind = Kind.TEMPORARY
    scope: Scope = Scope.SERVER
    reply: str = ""
    sign_in: bool = False
    asks: tuple[str, ...] = ()

    def error(self, resumes: str = "") -> VxtrayError:
        """Return the error again; ``resumes`` adds when sending goes on."""
        title, values = self.title, dict(self.values)
        if resumes:
            title, values = N_("{what} Sending resumes at {time}."), {**values, "what": title, "time": resumes}
        if self.of not in _MAIL_ERRORS:
            return _OTHERS.get(self.of, VxtrayError)(title, self.advice, **values)
        error = _MAIL_ERRORS[self.of](
            title, self.advice, step=self.step, kind=self.kind, reply=self.reply, scope=self.scope
        )
        error.values, error.sign_in, error.asks = dict(values), self.sign_in, self.asks
        return error


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """The queue waits. ``until`` None means: for a person. ``tries`` counts failed probes, ``blocked`` impossible ones.

    ``since`` is when the present wait began; ``fingerprint`` names the settings and secrets that it is about.
    """

    cause: Cause
    since: datetime
    until: datetime | None
    tries: int = 0
    blocked: int = 0
    suspect: str = ""
    repeats: int = 0
    fingerprint: str = ""
    reply: str = ""
    words: Words | None = None

    def in_force(self, now: datetime) -> bool:
        """Return whether nothing may be tried now. A clock that was put back behind the beginning ends the wait."""
        return self.until is None or self.since <= now < self.until

    def error(self) -> VxtrayError | None:
        """Return what is told of it."""
        if self.words is None:
            return None
        if self.cause is Cause.RATE and self.until is not None:
            return self.words.error(resumes=clock_time(self.until, self.since))
        return self.words.error()


def after(
    hold: Hold | None, outcome: Outcome, now: datetime, jitter: Callable[[timedelta], timedelta] = backoff.jittered
) -> Hold | None:
    """Return the hold that is in force after an attempt, None where the queue may go on."""
    match outcome.verdict:
        case Verdict.SERVER | Verdict.DOUBT:
            return _server(hold, outcome, now, jitter)
        case Verdict.RATE:
            wait = min(outcome.wait or _USUAL_RATE, backoff.LONGEST)
            return _new(Cause.RATE, outcome, now, now + wait, tries=_tries(hold) + 1)
        case Verdict.ACCOUNT:
            until = now + backoff.SLOW_PROBE if outcome.heals else None
            return _new(Cause.ACCOUNT, outcome, now, until)
        case Verdict.WAIT:
            return _blocked(hold, outcome, now)
        case _:
            return None


def _server(hold: Hold | None, outcome: Outcome, now: datetime, jitter: Callable[[timedelta], timedelta]) -> Hold:
    suspicion, repeats = outcome.suspicion, 0
    if suspicion is not None:
        repeats = 1 + (hold.repeats if hold is not None and hold.suspect == suspicion.what else 0)
        if repeats >= _SUSPECTED:
            parked = msgspec.structs.replace(outcome, error=suspicion.error)
            until = now + backoff.SLOW_PROBE if suspicion.heals else None
            return _new(Cause.ACCOUNT, parked, now, until, suspect=suspicion.what, repeats=repeats)
    tries = _tries(hold) + 1
    wait = max(jitter(backoff.pause(tries)), outcome.wait or timedelta())
    until = now + min(wait, backoff.LONGEST)
    return _new(
        Cause.SERVER, outcome, now, until, tries=tries, suspect=suspicion.what if suspicion else "", repeats=repeats
    )


def _blocked(hold: Hold | None, outcome: Outcome, now: datetime) -> Hold | None:
    """A try that was not possible: what was counted before stays counted."""
    if outcome.wait == timedelta():
        return hold
    tries = 1 + (hold.blocked if hold is not None else 0)
    wait = outcome.wait or backoff.blocked(tries)
    cause = Cause.NETWORK if outcome.network else Cause.BLOCKED
    return _new(cause, outcome, now, now + wait, tries=_tries(hold), blocked=tries)


def _tries(hold: Hold | None) -> int:
    return hold.tries if hold is not None and hold.cause is not Cause.ACCOUNT else 0


def _new(cause: Cause, outcome: Outcome, now: datetime, until: datetime | None, **more: Any) -> Hold:
    return Hold(
        cause=cause,
        since=now,
        until=until,
        fingerprint=outcome.fingerprint,
        reply=outcome.reply,
        words=words_of(outcome.error) if outcome.error is not None else None,
        **more,
    )


def words_of(error: VxtrayError) -> Words:
    """Return an error in a form that can be kept."""
    kept = Words(
        title=error.title_id,
        advice=error.advice_id,
        values={name: str(value) for name, value in error.values.items()},
        of=next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in {**_MAIL_ERRORS, **_OTHERS}), ""),
    )
    if not isinstance(error, MailError):
        return kept
    return msgspec.structs.replace(
        kept,
        step=error.step,
        kind=error.kind,
        scope=error.scope,
        reply=error.reply,
        sign_in=error.sign_in,
        asks=tuple(error.asks),
    )


def clock_time(moment: datetime, now: datetime) -> str:
    """Return 14:05 in this machine's zone, with the day where it is another one."""
    local, today = moment.astimezone(), now.astimezone().date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


def encoded(hold: Hold | None) -> str:
    """Return a hold as text, "" for none."""
    return "" if hold is None else msgspec.json.encode(hold).decode()


def decoded(text: str) -> Hold | None:
    """Return a hold that was kept; what cannot be read holds nothing back."""
    if not text:
        return None
    try:
        found = msgspec.json.decode(text, type=Hold)
    except msgspec.MsgspecError:
        return None
    return msgspec.structs.replace(found, since=found.since.astimezone(UTC))
