"""What Microsoft 365, Outlook.com and Exchange answer.

Pure data, any thread. Sources: learn.microsoft.com "SMTP submission improvements", "Non-delivery reports in Exchange
Online", "Fix issues with printers, scanners and LOB applications", "Authenticated client SMTP submission"; the
Exchange team's blog on basic authentication; github.com/simonrob/email-oauth2-proxy issues 193 and 271,
github.com/prometheus/alertmanager issue 4342, github.com/nodemailer/nodemailer issue 1484.
"""

from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, Scope, Stage
from vxtray.core.mail.replies import causes
from vxtray.core.mail.replies.row import AN_HOUR, Explanation, Row

#: What an administrator of Microsoft 365 looks at (peers.md C3; learn.microsoft.com "Enable or disable SMTP AUTH").
CHECKLIST = (
    N_(
        "Authenticated SMTP is allowed for the mailbox: admin center, Users, the user, Mail, Manage email apps; or"
        " Set-CASMailbox -SmtpClientAuthenticationDisabled $false. It also applies to sign-ins by OAuth."
    ),
    N_("Security defaults and policies that block legacy authentication switch authenticated SMTP off."),
    N_("The user may consent to SMTP.Send, or an administrator has consented for the organisation."),
    N_("Conditional Access lets the computer and the network that run vxtray pass."),
    N_("Where the sender is not the account's own address: Send As is granted (it takes up to an hour)."),
    N_("TLS 1.2 or newer is used on the way to smtp.office365.com."),
    N_("Where SMTP is forbidden altogether: High Volume Email (internal recipients only), or a connector."),
)

SWITCHED_OFF = Explanation(
    N_("Authenticated SMTP is switched off in your organisation; your password may be right."),
    N_("Ask the administrator to enable “Authenticated SMTP” for this mailbox."),
    Kind.ADMIN,
    Scope.ACCOUNT,
    asks=CHECKLIST,
)
_POLICY = Explanation(
    N_("A security policy of your organisation stopped the sign-in."),
    N_("Show the server's words to the administrator; a policy must allow this account to use SMTP."),
    Kind.ADMIN,
    Scope.ACCOUNT,
    asks=CHECKLIST,
)
REFUSED = Explanation(
    N_("Microsoft refused the user name or the password."),
    N_("Enter both again; where they are right, the administrator must allow authenticated SMTP for this mailbox."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
    asks=CHECKLIST,
)
NO_PASSWORDS = Explanation(
    causes.NO_PASSWORDS.title,
    causes.NO_PASSWORDS.advice,
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
    asks=CHECKLIST,
)
SEND_AS = Explanation(
    causes.MAY_NOT_SEND_AS.title, causes.MAY_NOT_SEND_AS.advice, Kind.ADMIN, Scope.ACCOUNT, asks=CHECKLIST[4:5]
)
_NOT_INTO_THE_MAILBOX = Explanation(
    N_("The mail server does not let this sign-in into the mailbox."),
    N_("Ask the administrator to give it the right to use the mailbox."),
    Kind.ADMIN,
    Scope.ACCOUNT,
    asks=(N_("The application may use the mailbox: Add-MailboxPermission or the role Application SMTP.SendAsApp."),),
)
_ORGANISATION_QUOTA = Explanation(
    N_("Your organisation's limit for mail to the outside is used up for today."),
    N_("vxtray goes on when the provider allows it; ask the administrator who sends this much."),
    Kind.TEMPORARY,
    Scope.ACCOUNT,
    wait=AN_HOUR,
)

ROWS = (
    # sign-in
    Row(says=("smtpclientauthentication is disabled", "smtp_auth_disabled"), means=SWITCHED_OFF),
    Row(says=("basic authentication is disabled", "basic authentication is not supported"), means=NO_PASSWORDS),
    Row(
        says=("did not meet the criteria", "security defaults", "conditional access", "blocked by policy"),
        means=_POLICY,
    ),
    Row(enhanced=("5.7.139",), says=("locked", "disabled"), means=causes.ACCOUNT_BLOCKED),
    Row(enhanced=("5.7.139",), means=REFUSED),
    Row(enhanced=("5.7.3",), says=("authentication unsuccessful",), means=REFUSED),
    Row(enhanced=("5.7.57",), means=causes.WANTS_SIGN_IN),
    Row(says=("does not have permissions to submit to this server",), means=causes.WANTS_SIGN_IN),
    Row(enhanced=("x.7.66",), says=("tls 1.0",), means=causes.OLD_ENCRYPTION),
    # sender
    Row(
        says=("sendasdenied", "not allowed to send as", "permissions to send as this sender"),
        means=SEND_AS,
    ),
    Row(enhanced=("5.2.252", "5.7.60"), means=SEND_AS),
    Row(says=("mailbox logon failure", "mapiexceptionlogonfailed"), firm=True, means=_NOT_INTO_THE_MAILBOX),
    Row(says=("outboundspamexception", "verdict is suspend"), means=causes.ACCOUNT_BLOCKED),
    Row(enhanced=("5.1.8",), says=("bad outbound sender",), means=causes.SENDER_BLOCKED),
    Row(enhanced=("5.7.501", "5.7.502", "5.7.503", "5.7.705", "5.7.750"), means=causes.SENDER_BLOCKED),
    Row(enhanced=("5.7.509", "5.7.515"), means=causes.SENDER_UNPROVEN),
    # limits
    Row(
        says=("recipient thread limit", "exceeded their limit for the number of messages they can receive"),
        means=causes.RECIPIENT_BUSY,
    ),
    Row(says=("concurrent connections", "sender thread limit"), means=causes.TOO_MANY_CONNECTIONS),
    Row(says=("message submission rate for this client",), means=causes.TOO_FAST),
    Row(says=("submissionquotaexceeded",), means=causes.QUOTA),
    Row(enhanced=("5.1.90",), means=causes.QUOTA),
    Row(enhanced=("5.7.232", "5.7.233"), means=_ORGANISATION_QUOTA),
    # our address
    Row(enhanced=("5.7.64",), means=causes.ADDRESS_UNKNOWN),
    Row(says=("ip reputation",), lasting=False, means=causes.TOO_FAST),
    Row(
        says=("banned sending ip", "part of their network is on our block list", "traffic not accepted from this ip"),
        means=causes.ADDRESS_LISTED,
    ),
    # recipient
    Row(says=("recipientnotfound", "resolver.adr"), means=causes.RECIPIENT_UNKNOWN),
    Row(enhanced=("5.4.1",), says=("recipient address rejected: access denied",), means=causes.RECIPIENT_UNKNOWN),
    Row(
        enhanced=("5.7.124", "5.7.133", "5.7.134", "5.7.135", "5.7.136"),
        stages=(Stage.RECIPIENTS, Stage.DATA),
        means=causes.RECIPIENT_CLOSED,
    ),
    Row(says=("resolver.rst",), means=causes.RECIPIENT_CLOSED),
    Row(says=("non-accepted domain",), means=causes.RELAY_DENIED),
    # the mail
    Row(says=("barelinefeedsareillegal", "bare linefeeds"), means=causes.BAD_FORM),
)
