"""Sending over SMTP: a session that signs in, and deliveries whose outcome is known as exactly as SMTP allows.

On the thread of the caller, which it blocks. A core of our own instead of ``smtplib``: that one has no limit on
replies and no overall deadline, sends up to three sign-ins for one wrong password, and raises the same exception
before and after the final dot. ``smtplib`` and ``aiosmtpd`` are what the tests compare with.
"""

import contextlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from types import TracebackType

import msgspec

from vxtray.core.credentials import Secret
from vxtray.core.errors import N_, NotConfigured
from vxtray.core.mail.connection import Connection, Limits
from vxtray.core.mail.diagnosis import SYSTEM_FAULTS
from vxtray.core.mail.faults import (
    Kind,
    MailError,
    MessageRefused,
    ProtocolError,
    RecipientResult,
    Stage,
)
from vxtray.core.mail.protocol import FINAL_DOT, Reply, dot_stuffed, require_wire_safe, sender_on_the_wire, wire_address
from vxtray.core.mail.refusals import nobody_accepted, refused_here
from vxtray.core.mail.replies import fault_of, result_of
from vxtray.core.mail.replies.causes import TOO_LARGE, TOO_MANY_RECIPIENTS
from vxtray.core.mail.signing_in import SigningIn
from vxtray.core.mail.transcript import Transcript
from vxtray.core.mail.transport import Cutoff, Deadline
from vxtray.core.settings.tree import Auth, Security, Smtp

_BLOCK = 65536


class Phase(StrEnum):
    """Where a delivery stands: before the final dot it certainly did not happen, after it nobody knows."""

    BEFORE_DOT = "before"
    AFTER_DOT = "after"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The server took the mail for at least one recipient; ``recipients`` has an entry for each that was asked.

    Where the server takes no more recipients in one transaction, the others are missing: they were not asked yet.
    """

    reply: str
    recipients: dict[str, RecipientResult]
    phase: Phase = Phase.AFTER_DOT


#: The stages up to the sign-in, in the order in which they really happen.
_ORDER = {
    Security.TLS: (Stage.RESOLVE, Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.EHLO, Stage.AUTH),
    Security.STARTTLS: (Stage.RESOLVE, Stage.CONNECT, Stage.GREETING, Stage.TLS, Stage.EHLO, Stage.AUTH),
    Security.NONE: (Stage.RESOLVE, Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.AUTH),
}


def stages(security: Security) -> tuple[Stage, ...]:
    """Return the stages of ``Session.run`` in order; with STARTTLS, ``tls`` includes the EHLO in clear before it."""
    return _ORDER[security]


class Session:
    """A signed-in conversation with the mail server; a context manager. One thread at a time.

    ``with Session(settings, secret) as session: session.deliver(...)``, any number of times while ``usable``.
    """

    def __init__(
        self,
        settings: Smtp,
        secret: Secret | None,
        limits: Limits | None = None,
        cutoff: Cutoff | None = None,
        transcript: Transcript | None = None,
        proven: str = "",
    ) -> None:
        """Whoever holds ``cutoff`` can end the conversation from another thread; it then fails as one that broke.

        ``proven`` names the mechanism that worked the last time, to begin with.
        """
        if not settings.host:
            raise NotConfigured
        self._settings = settings
        self._secret = secret
        self._limits = limits or Limits.of(settings)
        self._cutoff = cutoff or Cutoff()
        self._transcript = transcript
        self._proven = proven
        self.connection = Connection(settings, self._limits, self._cutoff, transcript)
        self.phase = Phase.BEFORE_DOT
        #: The mechanism that signed us in, empty without a sign-in.
        self.mechanism = ""
        #: Mechanisms that the server announced and then did not take.
        self.refused: list[str] = []

    @property
    def usable(self) -> bool:
        """True while another mail may be delivered over this session."""
        return self.connection.usable

    def __enter__(self) -> "Session":
        try:
            for stage in stages(self._settings.security):
                self.run(stage)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say QUIT and close; never raises, since nothing depends on the answer."""
        self.connection.quit()

    def run(self, stage: Stage) -> None:
        """Do one stage of ``stages``. Raises ``MailError``."""
        if stage is Stage.AUTH:
            self._sign_in()
        else:
            _STAGES[stage](self.connection)

    # --- sign-in -----------------------------------------------------------------------------------------------------

    def _sign_in(self) -> None:
        """Sign in, over another connection where this one does not outlive a refusal that another try may mend."""
        signing_in = SigningIn(self.connection, self._settings, self._afresh, self._proven)
        try:
            signing_in.run(self._secret)
        finally:
            if signing_in.connection is not self.connection:
                self.connection.drop()
                self.connection = signing_in.connection
            self.mechanism, self.refused = signing_in.mechanism, signing_in.refused

    def _afresh(self) -> Connection:
        """Open another connection and take it as far as EHLO. Raises ``MailError``."""
        fresh = Connection(self._settings, self._limits, self._cutoff, self._transcript)
        try:
            for stage in stages(self._settings.security)[:-1]:
                _STAGES[stage](fresh)
        except BaseException:
            fresh.quit()
            raise
        return fresh

    # --- envelope ----------------------------------------------------------------------------------------------------

    def sender(self, address: str, size: int = 0) -> None:
        """Announce the sender, and the size in octets where the server wants to know. Raises ``SenderRefused``."""
        with self.connection.at(Stage.SENDER):
            offered = self.connection.capabilities
            if offered.size and size > offered.size:
                raise MessageRefused(
                    TOO_LARGE.title,
                    TOO_LARGE.advice,
                    step=Stage.SENDER,
                    kind=Kind.PERMANENT,
                )
            announced = f" SIZE={size}" if size and "SIZE" in offered.keywords else ""
            reply = self.connection.command(f"MAIL FROM:<{sender_on_the_wire(address)}>{announced}")
            if not reply.accepted:
                raise self._fault(reply, Stage.SENDER)

    def recipient(self, address: str) -> RecipientResult:
        """Ask for one recipient; a refusal is a result. Raises ``MailError`` when the conversation cannot go on."""
        try:
            wire = wire_address(address)
        except UnicodeEncodeError:
            return refused_here(
                N_("This address has special characters before the @, which mail servers cannot be relied on to take."),
                N_("Use an address that has only plain letters before the @."),
            )
        except ValueError:
            return refused_here(N_("This is not an e-mail address."), N_("Check how the address is written."))
        with self.connection.at(Stage.RECIPIENTS):
            reply = self.connection.command(f"RCPT TO:<{wire}>")
            if reply.code == 421 or not (reply.refused or reply.code in {250, 251, 252}):
                raise self._fault(reply, Stage.RECIPIENTS)
        return result_of(reply)

    def reset(self) -> None:
        """Forget sender and recipients, so that nothing is sent and the session can go on (RSET)."""
        if not self.usable:
            return
        with self.connection.at(self.connection.step):
            if not self.connection.command("RSET").accepted:
                self.connection.quit()

    def _fault(self, reply: Reply, step: Stage) -> MailError:
        return fault_of(reply, step, oauth=self._settings.auth is Auth.OAUTH)

    # --- the mail ----------------------------------------------------------------------------------------------------

    def deliver(
        self,
        envelope_from: str,
        recipients: Sequence[str],
        data: bytes,
        before_dot: Callable[[], None] | None = None,
    ) -> Delivery:
        """Hand one mail over and wait for the server's word.

        ``data`` is the mail as ``message.compose`` makes it. ``before_dot`` is called when all but the final dot is
        sent, to put on record that from here on the mail may arrive; if it raises, the mail does not leave.
        Raises ``SenderRefused``, ``RecipientsRefused`` (when nobody was accepted), ``MessageRefused``,
        ``ConnectError`` and the other ``MailError``; ``in_doubt`` tells whether the mail may have arrived all the same.
        """
        self.phase = Phase.BEFORE_DOT
        require_wire_safe(data)
        try:
            results = self._envelope(envelope_from, recipients, len(data))
            self._transfer(data)
        except ProtocolError:  # after an answer out of place, nobody knows what the next one is about
            self.connection.drop()
            raise
        except MailError:
            self._reset_quietly()
            raise
        return Delivery(reply=self._commit(before_dot), recipients=results)

    def _envelope(self, envelope_from: str, recipients: Sequence[str], size: int) -> dict[str, RecipientResult]:
        self.sender(envelope_from, size)
        results: dict[str, RecipientResult] = {}
        for address in recipients:
            result = self.recipient(address)
            if result.title == TOO_MANY_RECIPIENTS.title and any(earlier.ok for earlier in results.values()):
                break  # RFC 5321 4.5.3.1.10: those accepted get it now, the rest in another transaction
            results[address] = result
        if not any(result.ok for result in results.values()):
            raise nobody_accepted(results)
        return results

    def _transfer(self, data: bytes) -> None:
        """Send DATA and the mail, without the final dot."""
        connection = self.connection
        with connection.at(Stage.DATA):
            reply = connection.command("DATA")
            if reply.code != 354:
                raise self._fault(reply, Stage.DATA)
            stuffed, whole = dot_stuffed(data), connection.deadline(self._limits.body)
            for start in range(0, len(stuffed), _BLOCK):
                self._hear_refusal()
                block = connection.deadline(min(self._limits.block, whole.left()))
                self._send_block(stuffed[start : start + _BLOCK], block)
            self._hear_refusal()

    def _send_block(self, block: bytes, deadline: Deadline) -> None:
        """Send a piece of the mail, and hear the server out that refuses it, whether it stops reading or leaves."""
        try:
            self.connection.stream.send(block, deadline, self._hear_refusal)
        except ConnectionError:
            with contextlib.suppress(*SYSTEM_FAULTS):
                self._hear_refusal()
            raise

    def _hear_refusal(self) -> None:
        """Stop where the server speaks before the end of the mail: no answer of now may pass for the final one."""
        reply = self.connection.early_words()
        if reply is None:
            return
        self.connection.drop()
        if reply.refused:
            raise self._fault(reply, Stage.DATA)
        raise ProtocolError(
            N_("The mail server answered before the mail was complete, so it was not sent."),
            N_("vxtray tries again by itself; if it stays, ask the mail administrator."),
            step=Stage.DATA,
            kind=Kind.TEMPORARY,
            reply=reply.words,
        )

    def _commit(self, before_dot: Callable[[], None] | None) -> str:
        """Send the final dot and wait for the server's word; from here on a fault leaves the mail in doubt."""
        connection = self.connection
        if before_dot is not None:
            try:
                before_dot()
            except BaseException:
                connection.drop()
                raise
            with connection.at(Stage.DATA):  # the disk took its time: an answer of meanwhile is none to the dot
                self._hear_refusal()
        self.phase = Phase.AFTER_DOT
        with connection.at(Stage.DATA, in_doubt=True):
            deadline = connection.last_deadline()
            connection.stream.send(FINAL_DOT, deadline)
            reply = connection.read_reply(deadline)
        if reply.refused:
            raise self._fault(reply, Stage.DATA)
        if not reply.accepted:
            connection.drop()
            raise ProtocolError(
                N_("The mail server gave an answer that does not belong here; the mail may have arrived."),
                N_("vxtray sends it again later under the same identification; a second copy is possible."),
                step=Stage.DATA,
                kind=Kind.TEMPORARY,
                reply=reply.words,
                in_doubt=True,
            )
        return reply.words

    def _reset_quietly(self) -> None:
        """Make ready for the next mail; the fault that led here is the one to tell."""
        try:
            self.reset()
        except MailError:
            self.connection.drop()


_STAGES: dict[Stage, Callable[[Connection], None]] = {
    Stage.RESOLVE: Connection.resolve,
    Stage.CONNECT: Connection.connect,
    Stage.GREETING: Connection.greet,
    Stage.TLS: Connection.protect,
    Stage.EHLO: Connection.hello,
}


def send(
    settings: Smtp,
    secret: Secret | None,
    mail_from: str,
    recipients: Sequence[str],
    data: bytes,
    cutoff: Cutoff | None = None,
    limits: Limits | None = None,
) -> Delivery:
    """Deliver one mail over a session of its own, until ``cutoff`` ends it. Raises ``MailError``."""
    with Session(settings, secret, limits, cutoff) as session:
        done = session.deliver(mail_from, recipients, data)
        while rest := [address for address in recipients if address not in done.recipients]:
            more = session.deliver(mail_from, rest, data)
            done = Delivery(reply=more.reply, recipients={**done.recipients, **more.recipients})
    return done
