"""One connection to the mail server, stage by stage: look-up, connect, greeting, TLS, EHLO, sign-in, one command.

On the thread of the caller (``vx-outbox`` or ``vx-task``), which it may block up to the limits of each phase. Every
fault leaves here as a ``MailError`` that knows its step. Nothing of a sign-in is logged or kept in an exception.
"""

import base64
import binascii
import contextlib
import ipaddress
import logging
import time
from collections.abc import Iterator

import msgspec

from vxtray.core.credentials import conceal
from vxtray.core.errors import N_
from vxtray.core.mail import certificates, transport
from vxtray.core.mail.auth import MAX_CHALLENGES, Mechanism, too_many_challenges
from vxtray.core.mail.diagnosis import SYSTEM_FAULTS, diagnose
from vxtray.core.mail.faults import AuthError, Kind, MailError, ProtocolError, Stage, TlsError
from vxtray.core.mail.protocol import (
    MAX_AUTH_LINE,
    MAX_COMMAND,
    Capabilities,
    Malformed,
    Reply,
    ReplyParser,
    address_literal,
    ascii_host,
    capabilities,
    command,
)
from vxtray.core.mail.replies import fault_of
from vxtray.core.mail.transcript import Transcript
from vxtray.core.settings.tree import Security, Smtp

_log = logging.getLogger(__name__)

#: Stands for what is said in a sign-in.
_NOT_RECORDED = "(not recorded)"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a phase may take as a whole, however often bytes trickle in."""

    #: The look-up has a limit of its own: a dead resolver must not use up everything.
    resolve: float = 10
    #: Connecting, each handshake, and each command with its answer.
    command: float = 30
    #: Connecting alone, where that is to be shorter.
    connect: float = 30
    #: 64 KiB of the mail (RFC 5321 4.5.3.2.5), and the mail as a whole.
    block: float = 180
    body: float = 1200
    #: After the final dot: giving up too early makes duplicates (RFC 1047, RFC 5321 4.5.3.2.6).
    final: float = 600
    #: The farewell, on which nothing depends.
    quit: float = 3
    #: Everything together up to the final dot; None where only the phases are limited.
    overall: float | None = None

    @classmethod
    def of(cls, settings: Smtp) -> "Limits":
        """Return the limits that the settings ask for."""
        seconds = float(settings.timeout_seconds)
        return cls(resolve=min(10.0, seconds), command=seconds, connect=seconds)


class Connection:
    """A connection from look-up to QUIT. Stages must be called in the order of ``Session``."""

    def __init__(
        self, settings: Smtp, limits: Limits, cutoff: transport.Cutoff, transcript: Transcript | None = None
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._cutoff = cutoff
        self._transcript = transcript or Transcript(0)
        self._end = time.monotonic() + limits.overall if limits.overall is not None else None
        self._parser = ReplyParser()
        self._addresses: list[transport.Address] = []
        self._stream: transport.Stream | None = None
        self.step = Stage.RESOLVE
        self.capabilities = Capabilities()
        #: What was offered before STARTTLS, which counts for nothing afterwards (RFC 3207, 4.2).
        self.capabilities_in_clear = Capabilities()
        self.greeting = ""
        self.certificate: certificates.Certificate | None = None
        #: False once a fault left the conversation in an unknown state, or after ``close``.
        self.usable = False

    # --- faults ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def at(self, step: Stage, *, in_doubt: bool = False) -> Iterator[None]:
        """Turn faults of the system into the error tree; a connection that broke is closed at once."""
        self.step = step
        try:
            yield
        except SYSTEM_FAULTS as fault:
            found = diagnose(fault, step, self._settings, in_doubt=in_doubt)
            self.drop()
            _log.info("%s: %s", step, found)
            raise found from fault

    @property
    def stream(self) -> transport.Stream:
        """The byte stream. Raises ``ConnectionAbortedError`` when there is none (any more)."""
        if self._stream is None:
            raise ConnectionAbortedError("not connected")
        return self._stream

    def deadline(self, seconds: float = 0) -> transport.Deadline:
        """Return the deadline of one command, or of a phase of so many seconds; a cut ends it."""
        seconds = seconds or self._limits.command
        if self._end is not None:
            seconds = min(seconds, self._end - time.monotonic())
        return transport.Deadline(seconds, self._cutoff.is_cut)

    def last_deadline(self) -> transport.Deadline:
        """Return the deadline of the final dot and its answer, which an ordinary cut leaves alone."""
        return transport.Deadline(self._limits.final, self._cutoff.is_cut_in_doubt)

    # --- stages ------------------------------------------------------------------------------------------------------

    @property
    def addresses(self) -> tuple[str, ...]:
        """The IP addresses that the look-up found."""
        return tuple(str(address[0]) for _, address in self._addresses)

    @property
    def other_addresses(self) -> list[transport.Address]:
        """Those found, without the one that answered."""
        return [one for one in self._addresses if str(one[1][0]) != self.peer_ip]

    def chain(self) -> tuple[certificates.Shown, ...]:
        """Return the certificates that the server showed, its own first; empty without TLS."""
        tls = self.stream.tls
        return certificates.shown(tls) if tls is not None else ()

    @property
    def peer_ip(self) -> str:
        """The address that answered."""
        return self.stream.peer_ip

    @property
    def peer_is_loopback(self) -> bool:
        """True when nothing leaves this machine."""
        return ipaddress.ip_address(self.peer_ip.partition("%")[0]).is_loopback

    def resolve(self) -> None:
        """Look the host up."""
        with self.at(Stage.RESOLVE):
            deadline = self.deadline(self._limits.resolve)
            self._addresses = transport.resolve(ascii_host(self._settings.host), self._settings.port, deadline)

    def connect(self) -> None:
        """Open the connection to the first address that answers."""
        with self.at(Stage.CONNECT):
            self._stream = transport.Stream(transport.connect(self._addresses, self.deadline(self._limits.connect)))
            self._transcript.note(f"connected to {self.peer_ip}, port {self._settings.port}")
            self.usable = True

    def greet(self) -> None:
        """Wait for the server's first word; only 220 is a welcome."""
        with self.at(Stage.GREETING):
            reply = self.read_reply(self.deadline())
            if reply.code != 220:
                raise fault_of(reply, Stage.GREETING)
            self.greeting = reply.words

    def hello(self) -> None:
        """Say EHLO with an address literal: a look-up of our own name could block, and would tell it."""
        with self.at(Stage.EHLO):
            name = address_literal(self.stream.local_ip)
            reply = self.command(f"EHLO {name}")
            open_relay = self._settings.security is Security.NONE and not self._settings.signs_in
            if reply.code in {500, 502} and open_relay:
                reply = self.command(f"HELO {name}")
            elif reply.code in {500, 502}:
                raise self._without_ehlo(reply.words)
            if reply.code != 250:
                raise fault_of(reply, Stage.EHLO)
            self.capabilities = capabilities(reply)

    def _without_ehlo(self, words: str) -> ProtocolError:
        return ProtocolError(
            N_("{host} does not know EHLO, so there is neither encryption nor a sign-in; nothing was sent."),
            N_("Check server and port (587 or 465); if it used to work, something in between may interfere."),
            step=Stage.EHLO,
            kind=Kind.ADMIN,
            reply=words,
            host=self._settings.host,
        )

    def protect(self) -> None:
        """Bring up TLS: at once, or by STARTTLS, which is never skipped when it was chosen (RFC 3207)."""
        with self.at(Stage.TLS):
            context = certificates.kept_context(self._settings.ca_file)
        if self._settings.security is Security.STARTTLS:
            self.hello()
            self.capabilities_in_clear = self.capabilities
            with self.at(Stage.TLS):
                self._ask_for_tls()
        with self.at(Stage.TLS):
            self.stream.start_tls(context, ascii_host(self._settings.host), self.deadline())
            assert self.stream.tls is not None
            self.certificate = certificates.describe(self.stream.tls)
            self._transcript.note(f"{self.certificate.version}, {self.certificate.cipher}")

    def show_certificates(self) -> tuple[certificates.Shown, ...]:
        """Fetch what the server shows, trusted or not, to tell a person about it; the connection ends with that.

        Nothing is ever sent over the protection that this brings up. Stages up to ``greet`` come before it (with
        implicit TLS, up to ``connect``). Raises ``MailError``.
        """
        if self._settings.security is Security.STARTTLS:
            self.hello()
            with self.at(Stage.TLS):
                self._ask_for_tls()
        with self.at(Stage.TLS):
            try:
                self.stream.start_tls(certificates.blind_context(), ascii_host(self._settings.host), self.deadline())
                assert self.stream.tls is not None
                return certificates.shown(self.stream.tls)
            finally:
                self.drop()

    def _ask_for_tls(self) -> None:
        if not self.capabilities.starttls:
            raise TlsError(
                N_("{host} does not offer STARTTLS on port {port}, so nothing was sent."),
                N_("Choose the security “TLS” with port 465; if it used to work, something may strip the protection."),
                step=Stage.TLS,
                kind=Kind.ACCOUNT,
                host=self._settings.host,
                port=self._settings.port,
            )
        reply = self._answer_to_starttls()
        if reply.code != 220:
            fault = fault_of(reply, Stage.TLS)
            raise fault if isinstance(fault, TlsError) else self._interference(reply.words)
        # What came in the same breath was not protected and must never be read as if it were (nostarttls.secvuln.info).
        if self._parser.pending or self.stream.waiting():
            raise self._interference("")

    def _answer_to_starttls(self) -> Reply:
        """Ask, and take half a line with TLS behind it, or no reply at all, for what it is."""
        try:
            return self.command("STARTTLS")
        except Malformed as fault:
            raise self._interference(fault.shown) from fault
        except TimeoutError as fault:
            if self._parser.holds(b"\x16\x03"):  # the beginning of a TLS record (RFC 8446, 5.1)
                raise self._interference("") from fault
            raise

    def _interference(self, words: str) -> TlsError:
        return TlsError(
            N_("Something interferes with STARTTLS at {host}, so nothing was sent."),
            N_("Try another network; if it stays, ask the mail administrator."),
            step=Stage.TLS,
            kind=Kind.ACCOUNT,
            reply=words,
            host=self._settings.host,
        )

    # --- conversation ------------------------------------------------------------------------------------------------

    def command(self, text: str) -> Reply:
        """Say one command and return the answer."""
        return self._exchange(command(text), text)

    def _exchange(self, line: bytes, shown: str) -> Reply:
        """Send a line and return the answer; ``shown`` stands for the line in the transcript."""
        deadline = self.deadline()
        self.expect_silence()
        self._transcript.said(shown)
        self.stream.send(line, deadline)
        return self.read_reply(deadline)

    def expect_silence(self) -> None:
        """Make sure that it is our turn; otherwise every later answer would belong to the question before it."""
        self._parser.feed(self.stream.waiting())
        if not self._parser.pending:
            return
        reply = self._parser.next_reply()
        if reply is not None and reply.code == 421:
            self.drop()
            raise fault_of(reply, self.step)
        raise Malformed(N_("it spoke out of turn"), reply.words if reply else "")

    def early_words(self) -> Reply | None:
        """Return what the server says while we are speaking, None when it is silent, as it should be."""
        self._parser.feed(self.stream.waiting())
        return self.read_reply(self.deadline()) if self._parser.pending else None

    def read_reply(self, deadline: transport.Deadline) -> Reply:
        """Wait for one whole reply."""
        while (reply := self._parser.next_reply()) is None:
            self._parser.feed(self.stream.receive(deadline))
        self._transcript.heard(reply)
        if reply.code == 421:  # the server is leaving (RFC 5321 3.8)
            self.drop()
        return reply

    def authenticate(self, mechanism: Mechanism) -> Reply:
        """Run one exchange; return its last reply: 235, or a refusal. Raises ``AuthError`` where we break off."""
        with self.at(Stage.AUTH):
            reply = self._begin(mechanism)
            challenges = 0
            while reply.code == 334:
                challenges += 1
                try:
                    if challenges > MAX_CHALLENGES:
                        raise too_many_challenges()
                    answer = mechanism.respond(_decoded(" ".join(reply.lines)))
                except AuthError:
                    self._break_off()
                    raise
                reply = self._exchange(_auth_line(answer), _NOT_RECORDED)
            if reply.code != 235 and not reply.refused:
                raise ProtocolError(
                    N_("The mail server gave an answer to the sign-in that does not belong there."),
                    N_("Try again; if it stays, ask the mail administrator, with the server's words."),
                    step=Stage.AUTH,
                    kind=Kind.TEMPORARY,
                    reply=reply.words,
                )
            return reply

    def _begin(self, mechanism: Mechanism) -> Reply:
        shown = f"AUTH {mechanism.name}"
        start = shown.encode("ascii")
        if mechanism.initial is not None:
            response = base64.b64encode(mechanism.initial) or b"="
            conceal(response.decode("ascii"))
            line = start + b" " + response + b"\r\n"
            if len(line) <= MAX_COMMAND:
                return self._exchange(line, f"{shown} {_NOT_RECORDED}")
            reply = self._exchange(start + b"\r\n", shown)
            if reply.code not in {500, 501} or len(line) > MAX_AUTH_LINE:
                return reply
            return self._exchange(line, f"{shown} {_NOT_RECORDED}")  # this server wants it in one, however long
        return self._exchange(start + b"\r\n", shown)

    def _break_off(self) -> None:
        """Cancel the exchange (RFC 4954 section 4); what the server says to it does not matter."""
        with contextlib.suppress(*SYSTEM_FAULTS, MailError):
            self._exchange(b"*\r\n", "*")

    # --- the end -----------------------------------------------------------------------------------------------------

    def quit(self) -> None:
        """Say goodbye and close; never raises, for nothing depends on it."""
        if self.usable:
            with contextlib.suppress(*SYSTEM_FAULTS, MailError):
                deadline = self.deadline(self._limits.quit)
                self.expect_silence()
                self._transcript.said("QUIT")
                self.stream.send(command("QUIT"), deadline)
                self.read_reply(deadline)
        self.drop()

    def drop(self) -> None:
        """Close without a word."""
        self.usable = False
        if self._stream is not None:
            if self._parser.bare_line_ends:
                self._transcript.note(f"{self._parser.bare_line_ends} lines ended in LF alone")
            self._stream.close()
            self._stream = None


def _decoded(challenge: str) -> bytes:
    """Return a challenge; servers also send clear text or nothing, which is as good as a prompt."""
    try:
        return base64.b64decode(challenge, validate=True)
    except (binascii.Error, ValueError):
        return challenge.encode()


def _auth_line(answer: bytes) -> bytes:
    response = base64.b64encode(answer)
    conceal(response.decode("ascii"))
    line = response + b"\r\n"
    if len(line) > MAX_AUTH_LINE:
        raise AuthError(
            N_("The user name or the password is too long to be sent."),
            N_("Enter both again; copying from another program may have added something."),
            step=Stage.AUTH,
            kind=Kind.ACCOUNT,
        )
    return line
