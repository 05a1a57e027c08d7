"""Between outbox and SMTP: hands mails over, one connection for as many as are due, at the pace that is allowed.

Runs on ``vx-outbox``, or on a command's own thread when no program runs; ``cut_off`` and ``mended`` on any thread.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.credentials import CredentialStore, Secret, smtp_account
from vxtray.core.errors import CredentialError, NotConfigured, VxtrayError
from vxtray.core.mail import auth, network, verdicts
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import MailError, Stage
from vxtray.core.mail.outcome import Outcome, Verdict
from vxtray.core.mail.pacing import Bucket, pace_of
from vxtray.core.mail.records import Parcel
from vxtray.core.mail.smtp import Delivery, Session
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Auth, Smtp

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.tokens import TokenKeeper  # only a sign-in by OAuth pays for it

log = logging.getLogger(__name__)

#: A connection that was not used for so long is closed: servers close it themselves, and rarely politely.
IDLE_SECONDS = 30.0

#: Within so many seconds a connection over which a mail was accepted is not asked whether it is still there.
_FRESH_SECONDS = 1.0

#: The wall clock went on so much further than the monotonic one: the computer slept meanwhile.
_SLEPT_SECONDS = 30.0


#: A server that was given a sign-in wants another one (RFC 4954, 6): it expired, or the server began anew.
_FORGOTTEN = ("530", "454")


def secret_for(
    smtp: Smtp, credentials: CredentialStore, tokens: "TokenKeeper | None" = None, cutoff: Cutoff | None = None
) -> Secret | None:
    """Return the password or the access token for a server, None where it needs neither.

    Without ``tokens`` nobody is signed in by OAuth. A token may be fetched from the provider first, until ``cutoff``
    ends that, and knows how it is renewed. Raises ``CredentialError``, ``NotConfigured``, and for a token ``AuthError``
    and other ``MailError``.
    """
    if smtp.auth is not Auth.OAUTH:
        return credentials.get(smtp_account(smtp)) if smtp.signs_in else None
    if tokens is None or not smtp.username:
        raise auth.not_signed_in(smtp)
    keeper = tokens
    return auth.Token(keeper.access_token(smtp, cutoff), lambda refused: keeper.renewed(smtp, refused, cutoff))


def _ended(session: Session, error: MailError) -> bool:
    return not session.usable and error.transient


def _forgotten(error: MailError) -> bool:
    return error.step is not Stage.AUTH and error.reply.startswith(_FORGOTTEN)


def _unrecorded(_mail: int, _now: datetime) -> None:
    """For couriers without an outbox."""


class Courier:
    """Delivers parcels with the settings in force."""

    def __init__(
        self,
        smtp: Smtp,
        credentials: CredentialStore,
        clock: Callable[[], datetime],
        *,
        keeper: "Callable[[], TokenKeeper] | None" = None,
        dot_follows: Callable[[int, datetime], None] = _unrecorded,
        fingerprint: Callable[[Smtp], str] = lambda _smtp: "",
        monotonic: Callable[[], float] = time.monotonic,
        default_route: Callable[[], bool] = network.default_route,
        limits: Callable[[Smtp], Limits] = Limits.of,
    ) -> None:
        """``dot_follows`` puts on record that a mail may arrive from now on; ``fingerprint`` names settings and secret.

        ``keeper`` gives what keeps the access tokens. ``clock`` tells the time, ``monotonic`` counts seconds that the
        computer was awake, ``limits`` says how long each phase may take.
        """
        self.smtp = smtp
        self._credentials = credentials
        self._keeper = keeper
        self._clock = clock
        self._dot_follows = dot_follows
        self._fingerprint = fingerprint
        self._monotonic = monotonic
        self._default_route = default_route
        self._limits = limits
        self._cutoff = Cutoff()
        self._changes = 0
        self._session: Session | None = None
        self._session_of = 0
        self._looked = -1  # as of which change it was looked whether somebody is signed in
        self._proven = "", 0  # the mechanism that signed us in, and as of which change
        self._refused = ""  # the mechanism of the last sign-in that was refused
        self._peer = ""
        self._used_at = 0.0
        self._clean = False  # the last mail over the open connection was accepted
        self._bucket = Bucket(pace_of(smtp.host), monotonic)

    # --- any thread --------------------------------------------------------------------------------------------------

    def mended(self, smtp: Smtp) -> None:
        """Use these settings from now on, over a new connection: they or the password changed."""
        if smtp.host != self.smtp.host:
            self._bucket = Bucket(pace_of(smtp.host), self._monotonic)
        self.smtp = smtp
        self._changes += 1

    def cut_off(self, *, in_doubt: bool = False) -> None:
        """End the delivery in hand, and begin no other; any thread.

        Past its final dot a mail may have arrived: that one is waited for, unless ``in_doubt``.
        """
        self._cutoff.cut(in_doubt=in_doubt)

    def seconds_to_next(self) -> float:
        """Return how long the pace makes the next mail wait, 0 when it may leave now."""
        return self._bucket.seconds()

    def idle_left(self) -> float | None:
        """Return the seconds until an unused connection is to be closed (``rest``), None where none is open."""
        return None if self._session is None else max(0.0, self._used_at + IDLE_SECONDS - self._monotonic())

    # --- the delivering thread ---------------------------------------------------------------------------------------

    def rest(self, *, now: bool = False) -> None:
        """Close a connection that was not used for a while, or any with ``now``."""
        left = self.idle_left()
        if self._session is not None and (now or left == 0 or self._session_of != self._changes):
            self._session.close()
            self._session = None

    def stay_signed_in(self) -> VxtrayError | None:
        """Renew a sign-in that nothing was sent with for long, and look once whether there is one with new settings.

        Returns the fault where only a person can mend it: it is told before a mail has to wait.
        """
        smtp, tokens = self.smtp, self._tokens(self.smtp)
        if tokens is None or not smtp.configured:
            return None
        if not tokens.due(smtp) and not self._unknown(tokens):
            return None
        try:
            tokens.access_token(smtp, self._cutoff)
        except (MailError, CredentialError, NotConfigured) as error:
            log.info("the sign-in could not be renewed: %s", error)
            return None if error.transient else error
        return None

    def _tokens(self, smtp: Smtp) -> "TokenKeeper | None":
        return self._keeper() if self._keeper is not None and smtp.auth is Auth.OAUTH else None

    def _unknown(self, tokens: "TokenKeeper") -> bool:
        """Return whether nothing is known of a sign-in, and nobody looked since the settings or secrets changed."""
        looked, self._looked = self._looked, self._changes
        return looked != self._changes and tokens.health(self.smtp).state == "signed-out"

    def deliver(self, parcel: Parcel) -> Outcome:
        """Try one mail once, and say what that means for it and for the others.

        Raises ``MailError`` only where it was cut off: nothing was sent, and nothing is known of the server.
        """
        smtp, change = self.smtp, self._changes  # once: the settings may change while we talk to the server
        began = self._clock(), self._monotonic()
        self._bucket.take()
        try:
            outcome = verdicts.accepted(self._hand_over(smtp, parcel))
        except (CredentialError, NotConfigured) as error:
            outcome = verdicts.without_secret(error)
        except MailError as error:
            outcome = self._failed(error, smtp, parcel, began)
        if outcome.verdict not in {Verdict.SENT, Verdict.DOUBT} and change != self._changes:
            return Outcome(verdict=Verdict.WAIT, wait=timedelta())  # the fault of settings that nobody uses any more
        about = self._fingerprint(smtp) if outcome.error is not None else ""
        return msgspec.structs.replace(outcome, fingerprint=about, **self._way())

    def _failed(self, error: MailError, smtp: Smtp, parcel: Parcel, began: tuple[datetime, float]) -> Outcome:
        if self._cutoff.is_cut() and not error.in_doubt:
            raise error
        log.info("delivery failed at %s: %s", error.step, error)
        seconds = self._monotonic() - began[1]
        if error.transient and not error.in_doubt:
            if error.of_provider and not self._default_route():
                return verdicts.without_network()
            if network.missing(error.__cause__, error.step, seconds, self._default_route):
                return verdicts.without_network()
            if not error.reply and (self._clock() - began[0]).total_seconds() - seconds > _SLEPT_SECONDS:
                return verdicts.cut_off_by_suspend()
        outcome = verdicts.failed(error, smtp)
        from vxtray.core.mail.lighter import lighter  # heavy: Python's email

        if verdicts.too_large(error) and (less := lighter(parcel.data)) is not None:
            data, name = less
            log.info("mail %d is too large; it goes without %s", parcel.id, name)
            return msgspec.structs.replace(outcome, verdict=Verdict.LIGHTER, data=data, refused={}, error=None)
        return outcome

    def _hand_over(self, smtp: Smtp, parcel: Parcel) -> Delivery:
        """Deliver over the open connection; where the server ends that one, once more over a new one.

        Servers limit the mails of a connection or close idle ones, with 421 or without a word, and some want a new
        sign-in after a while: that is no failure.
        """
        people = parcel.recipients[: self._bucket.pace.recipients]
        if self._reusable():
            assert self._session is not None
            try:
                return self._over(self._session, parcel, people)
            except MailError as error:
                if error.in_doubt or self._cutoff.is_cut() or not (_ended(self._session, error) or _forgotten(error)):
                    raise
        return self._over(self._open(smtp), parcel, people)

    def _over(self, session: Session, parcel: Parcel, people: tuple[str, ...]) -> Delivery:
        self._used_at, self._clean = self._monotonic(), False
        try:
            delivery = session.deliver(
                parcel.mail_from, people, parcel.data, lambda: self._dot_follows(parcel.id, self._clock())
            )
        finally:
            self._used_at = self._monotonic()
        self._clean = True
        return delivery

    def _reusable(self) -> bool:
        """Return whether the open connection still answers; RSET also forgets whatever was left of the mail before.

        Right after a mail that was accepted nothing is left of it (RFC 5321, 4.1.1.4), and MAIL asks as well as RSET.
        """
        self.rest()
        if self._session is None:
            return False
        if self._clean and self._monotonic() - self._used_at < _FRESH_SECONDS:
            return self._session.usable
        try:
            self._session.reset()
        except MailError:
            log.info("the mail server ended the connection; a new one is opened")
        return self._session.usable

    def _open(self, smtp: Smtp) -> Session:
        self.rest(now=True)
        self._refused = ""
        self._session_of = change = self._changes
        proven, proven_of = self._proven
        session = Session(
            smtp,
            secret_for(smtp, self._credentials, self._tokens(smtp), self._cutoff),
            self._limits(smtp),
            cutoff=self._cutoff,
            proven=proven if proven_of == change else "",
        )
        try:
            session.__enter__()
        except MailError:
            self._refused = (session.refused or [""])[-1]
            raise
        self._proven = session.mechanism, change
        self._session, self._peer, self._used_at = session, session.connection.peer_ip, self._monotonic()
        pace = pace_of(smtp.host, self._peer)
        if pace != self._bucket.pace:
            self._bucket = Bucket(pace, self._monotonic)
            self._bucket.take()
        return session

    def _way(self) -> dict[str, str]:
        """Return what is to be kept of the connection that was used."""
        session = self._session
        if session is None:
            return {"mechanism": self._refused}
        certificate = session.connection.certificate
        return {
            "peer": self._peer,
            "mechanism": session.mechanism,
            "tls": certificate.version if certificate is not None else "",
        }
