"""What Gmail and Google Workspace answer.

Pure data, any thread. Source: support.google.com/a/answer/3726730 "Gmail SMTP errors and codes".
"""

from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, Scope
from vxtray.core.mail.replies import causes
from vxtray.core.mail.replies.row import Explanation, Row

REFUSED = Explanation(
    N_("Google refused the sign-in."),
    N_("Google wants an app password here; your usual password will not work."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
)
_LIMIT = Explanation(
    N_("Google limits mail of this account for the moment."),
    N_("vxtray waits and tries again by itself; many mails to people who do not want them make it stricter."),
    Kind.TEMPORARY,
    Scope.ACCOUNT,
    wait=causes.TOO_FAST.wait,
)
_ENCRYPTED_ALL_THE_WAY = Explanation(
    N_("This recipient only takes mail that is encrypted all the way."),
    N_("Choose the security “STARTTLS” or “TLS”."),
    Kind.ACCOUNT,
    Scope.RECIPIENT,
)

ROWS = (
    # sign-in
    Row(says=("username and password not accepted", "badcredentials"), means=REFUSED),
    Row(says=("application-specific password", "invalidsecondfactor"), means=causes.APP_PASSWORD),
    Row(says=("log in via your web browser", "log in with your web browser"), means=causes.IN_THE_BROWSER),
    Row(
        says=("too many login", "too many failed login", "login attempts"),
        lasting=False,
        means=Explanation(
            N_("The mail server asks to wait before the next sign-in."),
            N_("vxtray waits and tries again by itself; check whether other devices use the same mailbox."),
            Kind.TEMPORARY,
            Scope.ACCOUNT,
            wait=causes.SIGN_IN_LATER.wait,
        ),
    ),
    Row(codes=(454,), enhanced=("4.7.0",), says=("cannot authenticate",), means=causes.SIGN_IN_LATER),
    Row(says=("invalid credentials for relay",), means=causes.ADDRESS_UNKNOWN),
    Row(says=("mail relay denied",), means=causes.ADDRESS_UNKNOWN),
    Row(says=("ip not in whitelist", "has a policy that prohibited"), means=causes.RECIPIENT_CLOSED),
    Row(says=("tls required for rcpt domain",), means=_ENCRYPTED_ALL_THE_WAY),
    # limits
    Row(
        says=("daily user sending", "daily sending quota", "daily smtp relay", "daily relay", "relay quota"),
        means=causes.QUOTA,
    ),
    Row(enhanced=("5.4.5", "4.4.5"), says=("limit exceeded", "quota exceeded", "sending limit"), means=causes.QUOTA),
    Row(says=("peak smtp relay limit", "relay sending limit"), means=causes.TOO_FAST),
    Row(
        says=("receiving mail too quickly", "receiving mail at a rate", "receives mail too quickly"),
        means=causes.RECIPIENT_BUSY,
    ),
    Row(says=("unusual rate of", "very high rate of", "temporarily rate limited"), lasting=False, means=_LIMIT),
    Row(
        says=("has been temporarily blocked", "likely unsolicited", "likely spam", "suspicious due to"),
        lasting=False,
        means=_LIMIT,
    ),
    Row(
        says=("separate transaction", "multiple destination domains"),
        means=causes.TOO_MANY_RECIPIENTS,
    ),
    # sender and our address
    Row(
        says=(
            "sender is unauthenticated",
            "spf did not pass",
            "this message does not have authentication information",
            "dkim",
            "dmarc",
        ),
        means=causes.SENDER_UNPROVEN,
    ),
    Row(
        says=("unusual rate of unsolicited", "ip you're using to send mail is not authorized"),
        means=causes.ADDRESS_LISTED,
    ),
    # recipient
    Row(says=("over quota", "inbox is out of storage"), means=causes.RECIPIENT_FULL),
    Row(enhanced=("x.2.1",), says=("is disabled", "is inactive"), means=causes.RECIPIENT_OFF),
    Row(says=("account that you tried to reach does not exist",), means=causes.RECIPIENT_UNKNOWN),
    # the mail
    Row(
        says=("potential security issue", "blockedmessage", "virus-infected", "illegal attachment"),
        means=causes.FORBIDDEN_CONTENT,
    ),
    Row(says=("likely unsolicited mail", "likely spam"), means=causes.SPAM),
    Row(
        says=("not rfc 5322", "not rfc 2822", "messages missing a valid", "multiple addresses in from"),
        means=causes.BAD_FORM,
    ),
    Row(
        says=("header size limit", "headers size limit", "number of headers", "mail message is malformed"),
        means=causes.BAD_FORM,
    ),
    Row(says=("too many unauthenticated commands", "no identity changes permitted"), means=causes.MISUNDERSTOOD),
)
