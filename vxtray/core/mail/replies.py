"""What a server's answer means: words for a person, and who can mend it.

Pure, any thread. Sources: the providers' own pages (Microsoft "SMTP submission improvements", Google "SMTP error
messages", support.google.com/a/answer/3726730), RFC 3463, RFC 4954, and threads where users met these replies.
The enhanced code decides over the basic one; the text decides where one code has several causes.
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
    RecipientsRefused,
    SenderRefused,
    Stage,
    TlsError,
)
from vxtray.core.mail.protocol import Reply


class Explanation(msgspec.Struct, frozen=True):
    """A server's answer in words. ``title`` and ``advice`` are message ids without values."""

    title: str
    advice: str
    kind: Kind


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One known reply: everything that is given must fit; ``words`` is a pattern searched in lower case."""

    codes: tuple[int, ...] = ()
    enhanced: tuple[str, ...] = ()
    words: str = ""
    stages: tuple[Stage, ...] = ()
    means: Explanation

    def fits(self, code: int, enhanced: str, text: str, stage: Stage) -> bool:
        return (
            (not self.codes or code in self.codes)
            and (not self.enhanced or enhanced in self.enhanced)
            and (not self.stages or stage in self.stages)
            and (not self.words or re.search(self.words, text) is not None)
        )


_NO_PASSWORDS = Explanation(
    N_("This provider no longer accepts a password from programs."),
    N_("Ask the provider for an app password, or have the administrator allow authenticated SMTP for this mailbox."),
    Kind.ACCOUNT,
)
_WANTS_SIGN_IN = Explanation(
    N_("The mail server wants a sign-in before it takes mail."),
    N_("Set the user name and the password, and choose the security “STARTTLS” or “TLS”."),
    Kind.ACCOUNT,
)
_WRONG_PASSWORD = Explanation(
    N_("The mail server refused the user name or the password."),
    N_("Enter the password again; some providers want an app password instead of the usual one."),
    Kind.ACCOUNT,
)
_TOO_FAST = Explanation(
    N_("The mail server asks to send more slowly."),
    N_("vxtray waits and tries again by itself; check whether other devices use the same mailbox."),
    Kind.TEMPORARY,
)
_QUOTA = Explanation(
    N_("The daily limit of this account is used up."),
    N_("vxtray goes on when the provider allows it; if you did not send this much, change the account's password."),
    Kind.TEMPORARY,
)
_TOO_LARGE = Explanation(
    N_("The mail is too large for the mail server."),
    N_("Switch off the attachments (PDF, CSV) or ask the mail administrator for a higher limit."),
    Kind.PERMANENT,
)
_MAY_NOT_SEND_AS = Explanation(
    N_("This account may not send with the given sender address."),
    N_("Set “From” to the account's own address, or ask the administrator for the right to send as that address."),
    Kind.ADMIN,
)
_APP_PASSWORD = Explanation(
    N_("This account needs an app password."),
    N_("Create an app password in the security settings of the account and enter it instead of the usual password."),
    Kind.ACCOUNT,
)

#: The first row that fits decides.
_TABLE: tuple[_Row, ...] = (
    # --- Microsoft ---------------------------------------------------------------------------------------------------
    _Row(
        words=r"smtpclientauthentication is disabled",
        means=Explanation(
            N_("Authenticated SMTP is switched off in your organisation; your password may be right."),
            N_("Ask the administrator to enable “Authenticated SMTP” for this mailbox."),
            Kind.ADMIN,
        ),
    ),
    _Row(words=r"basic authentication is (disabled|not supported)", means=_NO_PASSWORDS),
    _Row(enhanced=("5.7.30",), means=_NO_PASSWORDS),
    _Row(
        words=r"did not meet the criteria|security defaults|conditional access",
        means=Explanation(
            N_("A security policy of your organisation stopped the sign-in."),
            N_("Show the server's words to the administrator; a policy must allow this account to use SMTP."),
            Kind.ADMIN,
        ),
    ),
    _Row(enhanced=("5.7.57",), means=_WANTS_SIGN_IN),
    _Row(words=r"sendasdenied|not allowed to send as", means=_MAY_NOT_SEND_AS),
    _Row(enhanced=("5.2.252", "5.7.60"), means=_MAY_NOT_SEND_AS),
    _Row(
        words=r"mailbox logon failure",
        means=Explanation(
            N_("The mail server does not let this sign-in into the mailbox."),
            N_("Ask the administrator to give it the right to use the mailbox."),
            Kind.ADMIN,
        ),
    ),
    _Row(codes=(421, 432), enhanced=("4.3.2",), words=r"concurrent|thread limit|too many", means=_TOO_FAST),
    _Row(words=r"submissionquotaexceeded|daily (user )?sending (quota|limit)", means=_QUOTA),
    _Row(enhanced=("5.7.232", "5.7.233"), means=_QUOTA),
    _Row(
        enhanced=("5.1.8",),
        words=r"bad outbound sender",
        means=Explanation(
            N_("The provider has blocked this sender for suspected spam."),
            N_("An administrator must release the account; change its password too."),
            Kind.ADMIN,
        ),
    ),
    _Row(
        enhanced=("5.7.64",),
        means=Explanation(
            N_("The mail server does not know this computer's public address."),
            N_("Ask the administrator to add the address to the connector, or sign in with a user name."),
            Kind.ADMIN,
        ),
    ),
    # --- Google ------------------------------------------------------------------------------------------------------
    _Row(codes=(534,), enhanced=("5.7.9",), words=r"application-specific|app password", means=_APP_PASSWORD),
    _Row(
        codes=(535,),
        enhanced=("5.7.8",),
        words=r"username and password not accepted",
        means=Explanation(
            N_("Google refused the sign-in."),
            N_("Google wants an app password here; your usual password will not work."),
            Kind.ACCOUNT,
        ),
    ),
    _Row(
        codes=(534,),
        words=r"web browser",
        means=Explanation(
            N_("The provider finds this sign-in suspicious."),
            N_("Open the mailbox once in a web browser on this network and confirm that it was you."),
            Kind.ACCOUNT,
        ),
    ),
    _Row(codes=(454, 421, 450), words=r"too many login|too many failed|login attempts", means=_TOO_FAST),
    _Row(codes=(550,), enhanced=("5.4.5",), means=_QUOTA),
    # --- sign-in -----------------------------------------------------------------------------------------------------
    _Row(
        enhanced=("4.7.12",),
        means=Explanation(
            N_("The mail server wants you to change or renew the password first."),
            N_("Sign in to the mailbox once in a web browser, then enter the new password here."),
            Kind.ACCOUNT,
        ),
    ),
    _Row(
        codes=(538, 523),
        stages=(Stage.AUTH,),
        means=Explanation(
            N_("The mail server wants an encrypted connection for the sign-in."),
            N_("Choose the security “STARTTLS” or “TLS”."),
            Kind.ACCOUNT,
        ),
    ),
    _Row(codes=(534,), stages=(Stage.AUTH,), means=_APP_PASSWORD),
    _Row(codes=(535,), means=_WRONG_PASSWORD),
    _Row(
        words=r"must issue a starttls|starttls (command )?(first|required)|requires? starttls",
        means=Explanation(
            N_("The mail server wants STARTTLS first."),
            N_("Choose the security “STARTTLS”."),
            Kind.ACCOUNT,
        ),
    ),
    _Row(codes=(530,), means=_WANTS_SIGN_IN),
    _Row(
        codes=(550, 553, 554, 501),
        words=r"authentication required|not authenticated|must authenticate|log ?in (first|required)",
        means=_WANTS_SIGN_IN,
    ),
    # --- our name, address lists -------------------------------------------------------------------------------------
    _Row(
        words=r"helo command rejected|invalid (helo|ehlo)|(helo|ehlo).{0,40}(reject|invalid|required|denied)",
        means=Explanation(
            N_("The mail server refuses the name by which this computer greets it."),
            N_("Ask the mail administrator to accept this computer, or use the provider's submission port (587)."),
            Kind.ADMIN,
        ),
    ),
    _Row(
        stages=(Stage.GREETING, Stage.EHLO, Stage.SENDER, Stage.RECIPIENTS),
        words=r"spamhaus|blocklist|blacklist|block list|listed (in|at|by)|reputation",
        means=Explanation(
            N_("The mail server refuses this computer's network address because it is on a block list."),
            N_("Use the provider's submission port (587 or 465) with a sign-in, or ask for the address to be removed."),
            Kind.ADMIN,
        ),
    ),
    # --- envelope ----------------------------------------------------------------------------------------------------
    _Row(
        stages=(Stage.RECIPIENTS,),
        words=r"grey-?list|gray-?list|try again later",
        codes=(421, 450, 451),
        means=Explanation(
            N_("The mail server wants the mail again a little later (greylisting)."),
            N_("vxtray tries again by itself."),
            Kind.TEMPORARY,
        ),
    ),
    _Row(
        enhanced=("4.5.3", "5.5.3"),
        means=Explanation(
            N_("There are too many recipients for one mail."),
            N_("Use fewer recipients, or one address that distributes the mail."),
            Kind.TEMPORARY,
        ),
    ),
    _Row(
        codes=(550, 551, 553, 554),
        stages=(Stage.RECIPIENTS,),
        words=r"relay",
        means=Explanation(
            N_("The mail server does not pass mail on to this recipient."),
            N_("Sign in with a user name, or use the recipient's own mail server."),
            Kind.ACCOUNT,
        ),
    ),
    _Row(codes=(552,), enhanced=("5.3.4", "5.2.3"), means=_TOO_LARGE),
    _Row(enhanced=("5.3.4", "5.2.3"), means=_TOO_LARGE),
    _Row(codes=(523, 552), words=r"size|large|big", means=_TOO_LARGE),
    _Row(
        enhanced=("5.2.2", "4.2.2"),
        means=Explanation(
            N_("A mailbox is full."),
            N_("Make room in it; sent mails may fill the sender's own mailbox."),
            Kind.ACCOUNT,
        ),
    ),
    _Row(
        codes=(550, 551, 553, 554),
        enhanced=("5.1.1", "5.1.10", "5.1.2", "5.1.3", "5.4.1"),
        stages=(Stage.RECIPIENTS,),
        means=Explanation(
            N_("The mail server does not know this recipient."),
            N_("Check how the address is written."),
            Kind.PERMANENT,
        ),
    ),
)

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

#: For replies that no row knows: stage -> (title, advice, who can mend a permanent refusal).
_OTHERWISE: dict[Stage, tuple[str, str, Kind]] = {
    Stage.GREETING: (
        N_("The mail server turns connections away."),
        N_("Check server and port; otherwise ask the mail administrator, with the server's words."),
        Kind.ADMIN,
    ),
    Stage.TLS: (
        N_("The mail server refuses STARTTLS."),
        N_("Choose the security “TLS” (usually port 465) if the server has it; nothing was sent without protection."),
        Kind.ACCOUNT,
    ),
    Stage.EHLO: (
        N_("The mail server refuses the name by which this computer greets it."),
        N_("Ask the mail administrator, with the server's words."),
        Kind.ADMIN,
    ),
    Stage.AUTH: (
        N_("The mail server refused the sign-in."),
        N_("Check user name and password; otherwise ask the mail administrator, with the server's words."),
        Kind.ACCOUNT,
    ),
    Stage.SENDER: (
        N_("The mail server refused the sender address."),
        N_("Set “From” to an address that this account may use."),
        Kind.ACCOUNT,
    ),
    Stage.RECIPIENTS: (
        N_("The mail server refused the recipient."),
        N_("Check the address; otherwise ask the mail administrator, with the server's words."),
        Kind.PERMANENT,
    ),
    Stage.DATA: (
        N_("The mail server refused the mail."),
        N_("Read the server's words; the mail is kept and can be sent again."),
        Kind.PERMANENT,
    ),
}

_LATER = Explanation(
    N_("The mail server cannot take this right now."),
    N_("vxtray tries again by itself."),
    Kind.TEMPORARY,
)


def explain(code: int, enhanced: str, text: str, step: str) -> Explanation:
    """Return what a refusal (4xx, 5xx) at a step means; ``enhanced`` may be empty."""
    stage = Stage(step)
    lowered = text.casefold()
    for row in _TABLE:
        if row.fits(code, enhanced, lowered, stage):
            return row.means
    if enhanced.startswith("4.") or (not enhanced and code // 100 == 4):
        return _LATER
    return Explanation(*_OTHERWISE.get(stage, _OTHERWISE[Stage.GREETING]))


def fault_of(reply: Reply, step: Stage) -> MailError:
    """Return the fault for a reply that is not the hoped-for one."""
    if not reply.refused:
        return ProtocolError(
            N_("The mail server gave an answer that does not belong here."),
            N_("Try again; if it stays, ask the mail administrator, with the server's words."),
            step=step,
            kind=Kind.TEMPORARY,
            reply=reply.words,
        )
    found = explain(reply.code, reply.enhanced, reply.words, step)
    return _CLASSES[step](found.title, found.advice, step=step, kind=found.kind, reply=reply.words)
