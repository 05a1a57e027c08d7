"""Signing in by a code that is typed on another device (RFC 8628), for machines without a browser.

On the caller's thread, for as long as the code is valid.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from vxtray.core.credentials import Secret, conceal
from vxtray.core.errors import N_, NotConfigured
from vxtray.core.mail.oauth import exchange, faults
from vxtray.core.mail.oauth.endpoints import is_safe, provider_of
from vxtray.core.mail.oauth.errand import Errand
from vxtray.core.mail.oauth.exchange import Registration
from vxtray.core.mail.oauth.flow import await_answer
from vxtray.core.mail.oauth.granted import Granted
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.transport import Cutoff, Deadline
from vxtray.core.settings.tree import Smtp

#: Seconds between two questions where the provider does not say, and what ``slow_down`` adds (RFC 8628, section 3.5).
_USUAL_INTERVAL = 5.0
_SLOWER = 5.0
_LONGEST_INTERVAL = 60.0
_LONGEST_SECONDS = 1800


class Code(msgspec.Struct, frozen=True):
    """What the person types, and where; ``expires_at`` is UTC."""

    user_code: str
    url: str
    expires_at: datetime


class _Started(msgspec.Struct, frozen=True):
    """The answer to the request for a code (RFC 8628, section 3.2); some providers send numbers as text."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    interval: float = _USUAL_INTERVAL


def sign_in_with_code(
    smtp: Smtp,
    client_secret: Secret | None,
    *,
    on_code: Callable[[Code], None],
    cutoff: Cutoff,
    slower: float = _SLOWER,
) -> Granted:
    """Show a code by ``on_code`` and wait until it was entered; nothing is stored.

    ``slower`` are the seconds that each ``slow_down`` adds, and the least pause after a fault. Raises ``MailError``
    (``SignInRefused`` where the person said no or the code was not entered in time), ``NotConfigured``; after
    ``cutoff.cut()`` ``SignInCancelled``.
    """
    provider = provider_of(smtp.oauth)
    if not provider.device_url:
        raise NotConfigured(
            N_("{provider} has no sign-in by code."),
            N_("Sign in with a browser on this computer."),
            provider=provider.title,
        )
    who = Registration(provider, smtp, client_secret)
    asking = Errand(lambda line: exchange.begin_device(who, line), smtp.timeout_seconds)
    started = _started(await_answer(asking, who, cutoff), who)
    seconds = min(started.expires_in, _LONGEST_SECONDS)
    on_code(
        Code(one_line(started.user_code, 40), started.verification_uri, datetime.now(UTC) + timedelta(seconds=seconds))
    )
    try:
        return _Polling(who, started, cutoff, slower).run(Deadline(seconds, cutoff.is_cut))
    except TimeoutError as fault:
        raise faults.from_answer({"error": "expired_token"}, provider.host, smtp.username, refresh=False) from fault
    except ConnectionAbortedError as fault:
        raise faults.cancelled() from fault


def _started(answer: dict[str, Any], who: Registration) -> _Started:
    try:
        started = msgspec.convert(answer, _Started, strict=False)
    except msgspec.ValidationError:
        started = None
    if started is None or not (started.expires_in > 0 and started.interval >= 0):
        raise faults.unreachable(who.provider.host, title=faults.NOT_OAUTH)
    if not is_safe(started.verification_uri) or len(started.verification_uri) > 200:
        raise faults.unreachable(who.provider.host, title=faults.NOT_OAUTH)  # it will be shown, and opened
    conceal(started.device_code)
    return started


class _Polling:
    """Asks again and again whether the code was entered."""

    def __init__(self, who: Registration, started: _Started, cutoff: Cutoff, slower: float) -> None:
        self._who = who
        self._code = started.device_code
        self._interval = min(started.interval, _LONGEST_INTERVAL)
        self._cutoff = cutoff
        self._slower = slower

    def run(self, deadline: Deadline) -> Granted:
        """Raises ``TimeoutError`` once the code is too old, ``ConnectionAbortedError`` once cut off, ``MailError``."""
        while True:
            self._pause(deadline)
            errand = Errand(
                lambda line: exchange.redeem_device(self._who, line, self._code), self._who.smtp.timeout_seconds
            )
            try:
                return await_answer(errand, self._who, self._cutoff)
            except faults.SignInUnreachable as fault:
                if fault.error == "slow_down":
                    self._interval += self._slower
                else:  # no answer: ask half as often (section 3.5)
                    self._interval = min(max(self._slower, self._interval * 2), _LONGEST_INTERVAL)
            except faults.SignInRefused as fault:
                if fault.error != "authorization_pending":
                    raise

    def _pause(self, deadline: Deadline) -> None:
        end = time.monotonic() + self._interval
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, deadline.slice()))
        deadline.left()
