"""The staged check of the mail server: each step with its time, what was found, and what to do where it fails.

On the thread of the caller (``vx-task`` or a command), which it may block for some twenty seconds. Sends no mail: after
the recipients come RSET and QUIT.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from vxtray.core.credentials import Secret
from vxtray.core.errors import N_, NotConfigured, VxtrayError
from vxtray.core.mail import certificates, reaching
from vxtray.core.mail.certificates import Shown
from vxtray.core.mail.connection import Connection, Limits
from vxtray.core.mail.faults import MailError, RecipientResult, Stage, TlsError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.protocol import Capabilities, ascii_host, mixes_scripts
from vxtray.core.mail.refusals import nobody_accepted
from vxtray.core.mail.smtp import Session, stages
from vxtray.core.mail.transcript import Transcript
from vxtray.core.mail.transport import Cutoff
from vxtray.core.phrases import Phrase
from vxtray.core.settings.tree import Security, Smtp

#: Seconds for the whole check, and for connecting alone, so that time is left to look for another way in.
_OVERALL = 20.0
_CONNECT = 8.0


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """A change that may mend a failed step: settings below ``smtp.`` with their new values, and its words."""

    words: Phrase
    changes: dict[str, object]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the check. ``name`` is a ``Stage``; ``ms`` is what it took; ``reply`` the server's words, if any.

    ``facts`` are further findings, one a line; ``chain`` what the server showed as its certificates.
    """

    name: str
    title: Phrase
    ok: bool
    ms: int
    detail: Phrase
    advice: Phrase = Phrase()
    reply: str = ""
    facts: tuple[Phrase, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    chain: tuple[Shown, ...] = ()
    fault: VxtrayError | None = None


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


class _Found(msgspec.Struct, frozen=True):
    """What a step that went well has to tell."""

    detail: Phrase
    reply: str = ""
    facts: tuple[Phrase, ...] = ()
    chain: tuple[Shown, ...] = ()


def check(
    settings: Smtp,
    secret: Secret | VxtrayError | None,
    recipients: Sequence[str] | None = None,
    cutoff: Cutoff | None = None,
    transcript: Transcript | None = None,
) -> Iterator[Step]:
    """Do what a delivery does, up to the recipients, and tell of each step as it ends; stop at the first that fails.

    A fault of the keyring or the provider in place of the secret is what the sign-in fails with; the steps before it
    need none.
    ``recipients`` replace those of the settings. Raises ``NotConfigured`` where no server is set; every other fault
    is a step that is not ok. Closing the iterator early closes the connection; ``cutoff`` ends a step that hangs;
    ``transcript`` is filled with what was said.
    """
    missing = secret if isinstance(secret, VxtrayError) else None
    people = settings.recipients if recipients is None else recipients
    cutoff = cutoff or Cutoff()
    given = None if isinstance(secret, VxtrayError) else secret
    session = Session(settings, given, _limits(settings), cutoff, transcript)
    examiner = _Examiner(session, settings, people, cutoff)
    try:
        for stage in (*stages(settings.security), Stage.SENDER, Stage.RECIPIENTS):
            fault = missing if stage is Stage.AUTH else None
            step = examiner.take(stage, fault)
            yield step
            if not step.ok:
                return
    finally:
        session.close()


def _limits(settings: Smtp) -> Limits:
    usual = Limits.of(settings)
    return msgspec.structs.replace(usual, connect=min(_CONNECT, usual.connect), overall=_OVERALL)


class _Examiner:
    """Takes the steps of one check."""

    def __init__(self, session: Session, settings: Smtp, people: Sequence[str], cutoff: Cutoff) -> None:
        self._session = session
        self._settings = settings
        self._people = people
        self._cutoff = cutoff
        self._look: dict[Stage, Callable[[], _Found]] = {
            Stage.RESOLVE: self._resolved,
            Stage.CONNECT: self._connected,
            Stage.GREETING: self._greeted,
            Stage.TLS: self._protected,
            Stage.EHLO: self._offered,
            Stage.AUTH: self._signed_in,
            Stage.SENDER: self._sender,
            Stage.RECIPIENTS: self._recipients,
        }

    @property
    def _connection(self) -> Connection:
        """The conversation's connection; a second try to sign in has one of its own."""
        return self._session.connection

    def take(self, stage: Stage, known: VxtrayError | None) -> Step:
        """Take one step; ``known``: what it fails with before anything is asked."""
        started = time.monotonic()
        try:
            if known is not None:
                raise known
            if stage not in {Stage.SENDER, Stage.RECIPIENTS}:
                self._session.run(stage)
            took, found = _ms(started), self._look[stage]()
        except VxtrayError as fault:
            return self._failed(stage, fault, _ms(started))
        return Step(
            name=stage,
            title=Phrase(_TITLES[stage]),
            ok=True,
            ms=took if stage is Stage.CONNECT else _ms(started),
            detail=found.detail,
            reply=found.reply,
            facts=found.facts,
            chain=found.chain,
        )

    # --- what went well ----------------------------------------------------------------------------------------------

    def _resolved(self) -> _Found:
        addresses = Phrase(N_("Addresses: {addresses}."), {"addresses": ", ".join(self._connection.addresses)})
        return _Found(addresses, facts=_about_the_name(self._settings.host))

    def _connected(self) -> _Found:
        silent = reaching.silent_addresses(self._connection.other_addresses, self._cutoff)
        values: dict[str, object] = {"address": self._connection.peer_ip, "port": self._settings.port}
        facts = [Phrase(N_("No answer from {address}; the others are used."), {"address": one}) for one in silent]
        return _Found(Phrase(N_("Connected to {address}, port {port}."), values), facts=tuple(facts))

    def _greeted(self) -> _Found:
        return _Found(Phrase(N_("The server answers as a mail server.")), self._connection.greeting)

    def _protected(self) -> _Found:
        found, chain = self._connection.certificate, self._connection.chain()
        assert found is not None
        own = chain[0] if chain else None
        values: dict[str, object] = {
            "version": found.version,
            "cipher": found.cipher,
            "names": ", ".join(found.names or (own.names if own else ())) or found.subject,
            "issuer": found.issuer or (own.issuer if own else ""),
            "until": found.until or (own.until if own else ""),
            "sha256": found.sha256,
        }
        if not values["until"]:
            detail = Phrase(N_("{version}, {cipher}; certificate with SHA-256 {sha256}."), values)
        else:
            detail = Phrase(
                N_("{version}, {cipher}; certificate for {names} by {issuer}, valid until {until}."), values
            )
        return _Found(detail, facts=(*_described(chain), *_about_the_trust()), chain=chain)

    def _offered(self) -> _Found:
        before, after = self._connection.capabilities_in_clear, self._connection.capabilities
        facts: tuple[Phrase, ...] = ()
        if self._settings.security is Security.STARTTLS:
            facts = (Phrase(N_("Before the encryption it offered: {offers}."), {"offers": _words(before)}),)
        return _Found(Phrase(N_("It offers: {offers}."), {"offers": _words(after)}), facts=facts)

    def _signed_in(self) -> _Found:
        mechanism = self._session.mechanism
        if not mechanism:
            return _Found(Phrase(N_("No sign-in is set up.")))
        values: dict[str, object] = {
            "username": self._settings.username,
            "mechanism": mechanism,
            "offered": ", ".join(self._connection.capabilities.auth),
        }
        if self._session.refused:
            values["refused"] = ", ".join(self._session.refused)
            why = N_("{mechanism} was taken because the server refused {refused}; it offers {offered}.")
        elif mechanism == "LOGIN":
            why = N_("LOGIN is tried first, then PLAIN; the server offers {offered}.")
        else:
            why = N_("{mechanism} was taken; the server offers {offered}.")
        detail = Phrase(N_("Signed in as {username} with {mechanism}."), values)
        return _Found(detail, facts=(Phrase(why, values),))

    def _sender(self) -> _Found:
        if not self._settings.from_address:
            raise NotConfigured
        self._session.sender(self._settings.from_address)
        return _Found(Phrase(N_("{address} may send."), {"address": self._settings.from_address}))

    def _recipients(self) -> _Found:
        if not self._people:
            raise NotConfigured
        results = {address: self._session.recipient(address) for address in self._people}
        self._session.reset()
        if any(not result.ok for result in results.values()):
            raise _refusal(results)
        return _Found(Phrase(N_("Accepted: {addresses}."), {"addresses": ", ".join(results)}))

    # --- what failed -------------------------------------------------------------------------------------------------

    def _failed(self, stage: Stage, fault: VxtrayError, ms: int) -> Step:
        # With STARTTLS, "tls" begins with an EHLO in clear, whose faults are not those of TLS.
        name = fault.step if isinstance(fault, MailError) and stage is Stage.TLS else stage
        chain: tuple[Shown, ...] = ()
        trust: tuple[Phrase, ...] = ()
        remedies: list[Remedy] = []
        if not self._cutoff.is_cut() and isinstance(fault, MailError):
            if isinstance(fault, TlsError) and fault.about_certificate:
                chain = reaching.certificates_of(self._settings, self._cutoff)
                trust = (*_about_the_chain(fault, chain), *_about_the_trust())
                remedies += _right_names(self._settings, chain, self._cutoff)
            elif reaching.is_about_the_way(name):
                remedies += [_other_way(way) for way in reaching.other_ways(self._settings, self._cutoff)]
        return Step(
            name=name,
            title=Phrase(_TITLES[Stage(name)]),
            ok=False,
            ms=ms,
            detail=Phrase(fault.title_id, fault.values),
            advice=Phrase(fault.advice_id, fault.values),
            reply=getattr(fault, "reply", ""),
            facts=(*_described(chain), *trust, *_each_recipient(fault)),
            remedies=tuple(remedies),
            chain=chain,
            fault=fault,
        )


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _words(offered: Capabilities) -> str:
    words = sorted(offered.keywords - {"AUTH"})
    if offered.auth:
        words.insert(0, "AUTH " + " ".join(offered.auth))
    return one_line(", ".join(words)) or "–"


def _described(chain: Sequence[Shown]) -> tuple[Phrase, ...]:
    """Return a line for each certificate of a chain."""
    return tuple(
        Phrase(
            N_("Certificate {n}: {names}, issued by {issuer}, valid from {since} to {until}, SHA-256 {sha256}."),
            {
                "n": position,
                "names": ", ".join(one.names) or one.subject,
                "issuer": one.issuer,
                "since": one.since,
                "until": one.until,
                "sha256": one.sha256,
            },
        )
        for position, one in enumerate(chain, 1)
    )


def _about_the_name(host: str) -> tuple[Phrase, ...]:
    """Return what is worth knowing about a name that is not plain ASCII: how it is asked for, and what it may feign."""
    facts = []
    if (asked := ascii_host(host)) != host.strip().removesuffix(".").lower():
        facts.append(Phrase(N_("In the network this name is {asked}."), {"asked": asked}))
    if mixes_scripts(host):
        facts.append(Phrase(N_("This name mixes letters of several scripts: check that it is not an imitation.")))
    return tuple(facts)


def _about_the_chain(fault: TlsError, chain: Sequence[Shown]) -> tuple[Phrase, ...]:
    """Return a hint where the server may have left out the certificate between its own and the authority's."""
    if not fault.without_issuer or len(chain) != 1:
        return ()
    text = N_(
        "The server shows only its own certificate. If {issuer} is known, the certificate in between is missing, and"
        " the server's administrator must add it."
    )
    return (Phrase(text, {"issuer": chain[0].issuer}),)


def _about_the_trust() -> tuple[Phrase, ...]:
    """Return where the known authorities come from, if not from the system."""
    override = certificates.trust_override()
    text = N_("Which authorities are known was set from outside: {override}.")
    return (Phrase(text, {"override": override}),) if override else ()


def _right_names(settings: Smtp, chain: Sequence[Shown], cutoff: Cutoff) -> list[Remedy]:
    """Return the names in the certificate under which the server is reached with a good certificate."""
    names = [name for name in (chain[0].names[:4] if chain else ()) if "*" not in name and name != settings.host]
    choices = [msgspec.structs.replace(settings, host=name) for name in names]
    return [
        Remedy(words=Phrase(N_("Use the server name {host}"), {"host": one.smtp.host}), changes={"host": one.smtp.host})
        for one in reaching.reach_all(choices, cutoff)
        if one.offers is not None
    ]


_WAYS = {
    Security.STARTTLS: N_("Use port {port} with STARTTLS"),
    Security.TLS: N_("Use port {port} with TLS"),
}


def _other_way(way: Smtp) -> Remedy:
    return Remedy(
        words=Phrase(_WAYS[way.security], {"port": way.port}), changes={"port": way.port, "security": way.security}
    )


def _refusal(results: dict[str, RecipientResult]) -> MailError:
    """Name those who would not get the mail; the first one's reason is the one shown."""
    refused = {address: result for address, result in results.items() if not result.ok}
    fault = nobody_accepted(refused)
    fault.recipients = results
    fault.title_id = N_("Refused: {addresses}.")
    fault.values = {"addresses": ", ".join(refused)}
    return fault


def _each_recipient(fault: VxtrayError) -> tuple[Phrase, ...]:
    """Return a line for each recipient, where some were refused and some were not."""
    results = getattr(fault, "recipients", {})
    if len(results) < 2:
        return ()
    return tuple(
        Phrase(N_("{address}: accepted."), {"address": address})
        if result.ok
        else Phrase(
            N_("{address}: {why} ({reply})"),
            {"address": address, "why": Phrase(result.title), "reply": result.reply or "–"},
        )
        for address, result in results.items()
    )
