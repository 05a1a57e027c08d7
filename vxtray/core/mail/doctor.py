"""The staged check of the mail server: each step with its time, what was found, and what to do where it fails.

On the thread of the caller (``vx-task`` or a command), which it may block up to the limits of each step. Sends no
mail: after the recipients come RSET and QUIT.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from vxtray.core import texts
from vxtray.core.credentials import Secret
from vxtray.core.errors import N_, CredentialError, NotConfigured, VxtrayError
from vxtray.core.mail.connection import Limits
from vxtray.core.mail.faults import MailError, RecipientResult, Stage
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.smtp import Session, nobody_accepted, stages
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Smtp


class Phrase(msgspec.Struct, frozen=True):
    """A text that waits for its reader's language: a message id and its values."""

    text: str = ""
    values: dict[str, object] = {}

    def in_language(self, language: str) -> str:
        """Return the words; empty for an empty phrase."""
        return texts.translate(self.text, language, **self.values)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the check. ``name`` is a ``Stage``; ``ms`` is what it took; ``reply`` the server's words, if any."""

    name: str
    title: Phrase
    ok: bool
    ms: int
    detail: Phrase
    advice: Phrase = Phrase()
    reply: str = ""


_TITLES = {
    Stage.RESOLVE: N_("Find the server"),
    Stage.CONNECT: N_("Connect"),
    Stage.GREETING: N_("Greeting"),
    Stage.TLS: N_("Encryption"),
    Stage.EHLO: N_("What the server offers"),
    Stage.AUTH: N_("Sign-in"),
    Stage.SENDER: N_("Sender"),
    Stage.RECIPIENTS: N_("Recipients"),
}

_Found = tuple[Phrase, str]


def check(
    settings: Smtp,
    secret: Secret | CredentialError | None,
    recipients: Sequence[str] | None = None,
    cutoff: Cutoff | None = None,
) -> Iterator[Step]:
    """Do what a delivery does, up to the recipients, and tell of each step as it ends; stop at the first that fails.

    A fault of the keyring in place of the secret is what the sign-in fails with; the steps before it need none.
    ``recipients`` replace those of the settings. Raises ``NotConfigured`` where no server is set; every other fault
    is a step that is not ok. Closing the iterator early closes the connection; ``cutoff`` ends a step that hangs.
    """
    keyring = secret if isinstance(secret, CredentialError) else None
    session = Session(settings, None if isinstance(secret, CredentialError) else secret, Limits.of(settings), cutoff)
    try:
        for stage in (*stages(settings.security), Stage.SENDER, Stage.RECIPIENTS):
            fault = keyring if stage is Stage.AUTH else None
            step = _take(session, settings, stage, settings.recipients if recipients is None else recipients, fault)
            yield step
            if not step.ok:
                return
    finally:
        session.close()


def _take(session: Session, settings: Smtp, stage: Stage, recipients: Sequence[str], known: VxtrayError | None) -> Step:
    started = time.monotonic()
    try:
        if known is not None:
            raise known
        if stage is Stage.SENDER:
            detail, reply = _sender(session, settings)
        elif stage is Stage.RECIPIENTS:
            detail, reply = _recipients(session, recipients)
        else:
            session.run(stage)
            detail, reply = _FOUND[stage](session, settings)
    except VxtrayError as fault:
        # With STARTTLS, "tls" begins with an EHLO in clear, whose faults are not those of TLS.
        name = fault.step if isinstance(fault, MailError) and stage is Stage.TLS else stage
        return Step(
            name=name,
            title=Phrase(_TITLES[name]),
            ok=False,
            ms=_ms(started),
            detail=Phrase(fault.title_id, fault.values),
            advice=Phrase(fault.advice_id, fault.values),
            reply=getattr(fault, "reply", ""),
        )
    return Step(name=stage, title=Phrase(_TITLES[stage]), ok=True, ms=_ms(started), detail=detail, reply=reply)


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _sender(session: Session, settings: Smtp) -> _Found:
    if not settings.from_address:
        raise NotConfigured
    session.sender(settings.from_address)
    return Phrase(N_("{address} may send."), {"address": settings.from_address}), ""


def _recipients(session: Session, recipients: Sequence[str]) -> _Found:
    if not recipients:
        raise NotConfigured
    results = {address: session.recipient(address) for address in recipients}
    session.reset()
    refused = {address: result for address, result in results.items() if not result.ok}
    if refused:
        raise _refusal(refused)
    return Phrase(N_("Accepted: {addresses}."), {"addresses": ", ".join(results)}), ""


def _refusal(refused: dict[str, RecipientResult]) -> MailError:
    """Name those who would not get the mail; the first one's reason is the one shown."""
    fault = nobody_accepted(refused)
    fault.title_id = N_("Refused: {addresses}.")
    fault.values = {"addresses": ", ".join(refused)}
    return fault


def _resolved(session: Session, _settings: Smtp) -> _Found:
    return Phrase(N_("Addresses: {addresses}."), {"addresses": ", ".join(session.connection.addresses)}), ""


def _connected(session: Session, settings: Smtp) -> _Found:
    values: dict[str, object] = {"address": session.connection.peer_ip, "port": settings.port}
    return Phrase(N_("Connected to {address}, port {port}."), values), ""


def _greeted(session: Session, _settings: Smtp) -> _Found:
    return Phrase(N_("The server answers as a mail server.")), session.connection.greeting


def _protected(session: Session, _settings: Smtp) -> _Found:
    found = session.connection.certificate
    assert found is not None
    values: dict[str, object] = {
        "version": found.version,
        "cipher": found.cipher,
        "names": ", ".join(found.names) or found.subject,
        "issuer": found.issuer,
        "until": found.until,
        "sha256": found.sha256,
    }
    if not found.until:  # the platform checked the certificate itself and shows no more of it
        return Phrase(N_("{version}, {cipher}; certificate with SHA-256 {sha256}."), values), ""
    return Phrase(N_("{version}, {cipher}; certificate for {names} by {issuer}, valid until {until}."), values), ""


def _offered(session: Session, _settings: Smtp) -> _Found:
    offered = session.connection.capabilities
    words = sorted(offered.keywords - {"AUTH"})
    if offered.auth:
        words.insert(0, "AUTH " + " ".join(offered.auth))
    return Phrase(N_("It offers: {offers}."), {"offers": one_line(", ".join(words)) or "–"}), ""


def _signed_in(session: Session, settings: Smtp) -> _Found:
    if not session.mechanism:
        return Phrase(N_("No sign-in is set up.")), ""
    values: dict[str, object] = {"username": settings.username, "mechanism": session.mechanism}
    return Phrase(N_("Signed in as {username} with {mechanism}."), values), ""


_FOUND: dict[Stage, Callable[[Session, Smtp], _Found]] = {
    Stage.RESOLVE: _resolved,
    Stage.CONNECT: _connected,
    Stage.GREETING: _greeted,
    Stage.TLS: _protected,
    Stage.EHLO: _offered,
    Stage.AUTH: _signed_in,
}
