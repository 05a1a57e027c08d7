"""What the same answers mean where the sign-in was by OAuth: nobody entered a password that could be wrong.

Pure data, any thread. Sources as in ``microsoft`` and ``google``, and github.com/simonrob/email-oauth2-proxy issues 193
and 426, github.com/nextcloud/mail pull request 13668 (shared mailboxes), github.com/jstedfast/MailKit issue 1770.
"""

from collections.abc import Mapping
from types import MappingProxyType

from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, Scope
from vxtray.core.mail.replies import causes, google, microsoft
from vxtray.core.mail.replies.row import Explanation

#: The mechanisms that carry a token (RFC 7628, and its forerunner).
MECHANISMS = frozenset({"OAUTHBEARER", "XOAUTH2"})

_AGAIN = Explanation(
    N_("The mail server refused the account that is signed in."),
    N_("Sign in again. If it stays: the user name must be the account that signs in, and it must be allowed to send."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
)
_MICROSOFT = Explanation(
    N_("Microsoft refused the account that is signed in."),
    N_(
        "Sign in again with the account that is set as user name. For a shared mailbox sign in as yourself, and enter"
        " its address only as the sender."
    ),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
    asks=microsoft.CHECKLIST,
)
_GOOGLE = Explanation(
    N_("Google refused the account that is signed in."),
    N_("Sign in again with the account that is set as user name, and allow vxtray to send mail with it."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
)
_SWITCHED_OFF = Explanation(
    N_("Authenticated SMTP is switched off in your organisation; your sign-in is right."),
    N_("Ask the administrator to enable “Authenticated SMTP” for this mailbox: the switch also stops OAuth."),
    Kind.ADMIN,
    Scope.ACCOUNT,
    asks=microsoft.CHECKLIST,
)
_SEND_AS = Explanation(
    N_("The account that is signed in may not send with the given sender address."),
    N_("Set “From” to the account's own address, or have the administrator grant “Send As” (it takes up to an hour)."),
    Kind.ADMIN,
    Scope.ACCOUNT,
    asks=microsoft.CHECKLIST[4:5],
)
_WANTED = Explanation(
    causes.WANTS_SIGN_IN.title,
    N_("vxtray signs in again by itself; if it stays, sign in again on the page “Mail server”."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
)
_LOCKED = Explanation(
    causes.TOO_MANY_PASSWORDS.title,
    N_("Wait half an hour, then sign in again."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    wait=causes.TOO_MANY_PASSWORDS.wait,
    sign_in=True,
)
_LATER = Explanation(
    causes.SIGN_IN_LATER.title,
    N_("vxtray tries again by itself; the account was not refused."),
    Kind.TEMPORARY,
    Scope.SERVER,
    wait=causes.SIGN_IN_LATER.wait,
)
_NO_COMMON = Explanation(
    causes.NO_COMMON_SIGN_IN.title,
    N_("Ask the mail administrator to allow XOAUTH2 or OAUTHBEARER for this account."),
    Kind.ADMIN,
    Scope.ACCOUNT,
)
_IN_THE_BROWSER = Explanation(
    N_("The mail server wants you to open the account once in a web browser."),
    N_("Do that, then sign in again here."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
)

#: What is told in the place of an explanation that speaks of passwords.
INSTEAD: Mapping[Explanation, Explanation] = MappingProxyType(
    {
        causes.SIGN_IN_REFUSED: _AGAIN,
        causes.WRONG_PASSWORD: _AGAIN,
        causes.APP_PASSWORD: _AGAIN,
        causes.NO_PASSWORDS: _AGAIN,
        causes.WANTS_SIGN_IN: _WANTED,
        causes.TOO_MANY_PASSWORDS: _LOCKED,
        causes.SIGN_IN_LATER: _LATER,
        causes.NO_COMMON_SIGN_IN: _NO_COMMON,
        causes.RENEW_PASSWORD: _IN_THE_BROWSER,
        causes.MAY_NOT_SEND_AS: _SEND_AS,
        microsoft.SWITCHED_OFF: _SWITCHED_OFF,
        microsoft.REFUSED: _MICROSOFT,
        microsoft.NO_PASSWORDS: _MICROSOFT,
        microsoft.SEND_AS: _SEND_AS,
        google.REFUSED: _GOOGLE,
    }
)
