"""What a server's answer means: words for a person, who can mend it, what it is about and how long to wait.

Pure, any thread. The one table against which every reply is matched, wherever it appears; providers first, then the
server programs, then the codes alone. The text decides where one code has several causes, and the enhanced code over
the basic one (RFC 3463): 432 is "change the password" with 4.7.12 and "too many connections" with 4.3.2.
"""

import re

import msgspec

from vxtray.core.errors import N_
from vxtray.core.mail.faults import (
    AuthError,
    ConnectError,
    Kind,
    MailError,
    MessageRefused,
    ProtocolError,
    RecipientResult,
    RecipientsRefused,
    Scope,
    SenderRefused,
    Stage,
    TlsError,
)
from vxtray.core.mail.protocol import Reply
from vxtray.core.mail.replies import causes, conversation, envelope, google, microsoft, providers, signed_in, standard
from vxtray.core.mail.replies.row import Explanation, Row, Said
from vxtray.core.mail.replies.waits import named_wait

__all__ = ["TABLE", "Explanation", "Row", "deciding_row", "explain", "fault_of", "result_of", "words_of"]

#: The first row that fits decides.
TABLE: tuple[Row, ...] = (
    *microsoft.ROWS,
    *google.ROWS,
    *providers.ROWS,
    *conversation.ROWS,
    *envelope.ROWS,
    *standard.ROWS,
)

#: So much of a text is looked at, in characters; a reply as shown has 500.
_LOOKED_AT = 4096

_ADDRESS = re.compile(r"<[^<>@]{0,64}@[^<>]{0,255}>")
#: qmail and its heirs give the enhanced code at the end: "sorry, no mailbox here by that name. (#5.1.1)".
_ENHANCED_AT_THE_END = re.compile(r"\(#([45]\.\d{1,3}\.\d{1,3})\)")
_KEPT_LINE = re.compile(r"([45]\d\d)(?:[ -]+|$)(?:([45]\.\d{1,3}\.\d{1,3})(?=\s|$))?")

_CLASSES: dict[Stage, type[MailError]] = {
    Stage.RESOLVE: ConnectError,
    Stage.CONNECT: ConnectError,
    Stage.GREETING: ConnectError,
    Stage.TLS: TlsError,
    Stage.EHLO: ProtocolError,
    Stage.AUTH: AuthError,
    Stage.SENDER: SenderRefused,
    Stage.RECIPIENTS: RecipientsRefused,
    Stage.DATA: MessageRefused,
}

#: For replies that no row knows.
_OTHERWISE: dict[Stage, Explanation] = {
    Stage.GREETING: Explanation(
        N_("The mail server turns connections away."),
        N_("Check server and port; otherwise ask the mail administrator, with the server's words."),
        Kind.ADMIN,
        Scope.SERVER,
    ),
    Stage.TLS: Explanation(
        N_("The mail server refuses STARTTLS."),
        N_("Choose the security “TLS” (usually port 465) if the server has it; nothing was sent without protection."),
        Kind.ACCOUNT,
        Scope.SERVER,
    ),
    Stage.EHLO: Explanation(
        N_("The mail server refuses the name by which this computer greets it."),
        N_("Ask the mail administrator, with the server's words."),
        Kind.ADMIN,
        Scope.SERVER,
    ),
    Stage.AUTH: causes.SIGN_IN_REFUSED,
    Stage.SENDER: Explanation(
        N_("The mail server refused the sender address."),
        N_("Set “From” to an address that this account may use."),
        Kind.ACCOUNT,
        Scope.ACCOUNT,
    ),
    Stage.RECIPIENTS: Explanation(
        N_("The mail server refused the recipient."),
        N_("Check the address; otherwise ask the mail administrator, with the server's words."),
        Kind.PERMANENT,
        Scope.RECIPIENT,
    ),
    Stage.DATA: Explanation(
        N_("The mail server refused the mail."),
        N_("Read the server's words; the mail is kept and can be sent again."),
        Kind.PERMANENT,
        Scope.MAIL,
    ),
}

#: Where mails that are kept were refused, most often first.
_LIKELIEST = (Stage.RECIPIENTS, Stage.DATA, Stage.SENDER, Stage.AUTH, Stage.GREETING, Stage.TLS, Stage.EHLO)

_LATER_TEXTS = (N_("The mail server cannot take this right now."), N_("vxtray tries again by itself."))


def explain(code: int, enhanced: str, text: str, step: str, *, oauth: bool = False) -> Explanation:
    """Return what a refusal (4xx, 5xx) at a step means; ``enhanced`` may be empty.

    A reply that nobody knows is explained by its step and the first digit. A wait that the server names in its words
    replaces that of the table. ``oauth``: no password was used, so that none is spoken of.
    """
    said = _made_ready(code, enhanced, text, Stage(step))
    row = _row_for(said)
    found = row.means if row else _unknown(said)
    if oauth:
        found = signed_in.INSTEAD.get(found, found)
    if not said.lasting and not (row and row.firm):
        found = msgspec.structs.replace(found, kind=Kind.TEMPORARY)
    if found.scope is Scope.RECIPIENT and said.stage is not Stage.RECIPIENTS:
        found = msgspec.structs.replace(found, scope=Scope.MAIL)  # about which recipient, nobody can tell
    if found.kind is Kind.TEMPORARY and (named := named_wait(said.text)) is not None:
        found = msgspec.structs.replace(found, wait=named)
    return found


def deciding_row(code: int, enhanced: str, text: str, step: str) -> Row | None:
    """Return the row of ``TABLE`` by which a reply is explained, None where it is explained by its step alone."""
    return _row_for(_made_ready(code, enhanced, text, Stage(step)))


def words_of(stage: str, reply: str, mechanism: str = "") -> Explanation | None:
    """Return what a reply kept as text means (``Reply.words`` or raw lines), None where it is no refusal of a server.

    ``stage`` is the ``Stage`` at which it came, ``mechanism`` the way to sign in. Both may be empty where they were not
    kept.
    """
    lines = reply[:_LOOKED_AT].splitlines()
    codes = [_KEPT_LINE.match(line) for line in lines]
    if not codes or (first := codes[0]) is None:
        return None
    text = " ".join(line[code.end() :] if code else line for line, code in zip(lines, codes, strict=True))
    code, enhanced = int(first[1]), first[2] or ""
    oauth = mechanism in signed_in.MECHANISMS
    return explain(code, enhanced, text, stage or _likely_stage(code, enhanced, text), oauth=oauth)


def _likely_stage(code: int, enhanced: str, text: str) -> Stage:
    """Return the likeliest step where a row knows the words, or else the enhanced code; the basic one is too vague."""
    rows = [(stage, row) for stage in _LIKELIEST if (row := deciding_row(code, enhanced, text, stage)) is not None]
    by_words = (stage for stage, row in rows if row.says)
    by_code = (stage for stage, row in rows if row.enhanced)
    return next(by_words, None) or next(by_code, Stage.DATA)


def fault_of(reply: Reply, step: Stage, *, oauth: bool = False) -> MailError:
    """Return the fault for a reply that is not the hoped-for one; ``oauth`` as in ``explain``."""
    if not reply.refused:
        return ProtocolError(
            N_("The mail server gave an answer that does not belong here."),
            N_("Try again; if it stays, ask the mail administrator, with the server's words."),
            step=step,
            kind=Kind.TEMPORARY,
            reply=reply.words,
        )
    found = explain(reply.code, reply.enhanced, reply.words, step, oauth=oauth)
    about_the_mail = step is Stage.SENDER and found.scope is Scope.MAIL  # MAIL FROM carries the size of the mail
    fault = (MessageRefused if about_the_mail else _CLASSES[step])(
        found.title, found.advice, step=step, kind=found.kind, reply=reply.words, scope=found.scope, wait=found.wait
    )
    fault.sign_in, fault.asks = found.sign_in, found.asks
    return fault


def result_of(reply: Reply) -> RecipientResult:
    """Return what an answer to RCPT TO means for that recipient."""
    if reply.accepted:
        return RecipientResult(ok=True, reply=reply.words)
    found = explain(reply.code, reply.enhanced, reply.words, Stage.RECIPIENTS)
    return RecipientResult(
        ok=False,
        reply=reply.words,
        title=found.title,
        advice=found.advice,
        kind=found.kind,
        scope=found.scope,
        wait=found.wait,
    )


def _made_ready(code: int, enhanced: str, text: str, stage: Stage) -> Said:
    """Bring a reply on one line without addresses, and without the enhanced code that each of its lines repeats."""
    text = _ADDRESS.sub(" ", text[:_LOOKED_AT].casefold())
    if not enhanced and (late := _ENHANCED_AT_THE_END.search(text)):
        enhanced = late[1]
    if enhanced:
        text = text.replace(f"{enhanced} ", " ")
    return Said(code, enhanced, " ".join(text.split()), stage)


def _row_for(said: Said) -> Row | None:
    return next((row for row in TABLE if row.fits(said)), None)


def _unknown(said: Said) -> Explanation:
    found = _OTHERWISE.get(said.stage, _OTHERWISE[Stage.GREETING])
    if said.lasting:
        return found
    # 421 is the server going away (RFC 5321 3.8), whatever it was asked.
    scope = Scope.SERVER if said.code == 421 or said.stage in {Stage.AUTH, Stage.SENDER} else found.scope
    return Explanation(*_LATER_TEXTS, Kind.TEMPORARY, scope)
