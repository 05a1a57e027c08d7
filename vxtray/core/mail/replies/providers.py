"""What other providers answer, from Amazon SES to Zoho, and Proton Mail Bridge.

Pure data, any thread. Sources: docs.aws.amazon.com/ses "SMTP response codes" and "Sending quota errors";
twilio.com/docs/sendgrid "SMTP errors and troubleshooting"; help.mailgun.com (sandbox); help.brevo.com
"Troubleshooting Brevo SMTP"; github.com/nodemailer/nodemailer issue 1112 (Yahoo); ionos.com "Mass mailing limits" and
"Error messages caused by undeliverable e-mail"; postmastery.com "Orange postmaster" and github.com/sisimai/p5-sisimai
issues 241 and 243 (Orange, La Poste); postmaster.gandi.net; github.com/ProtonMail/proton-bridge issues 280 and 503,
github.com/frappe/frappe issue 41429.
"""

from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, Scope, Stage
from vxtray.core.mail.replies import causes
from vxtray.core.mail.replies.row import AN_HOUR, Explanation, Row

_CREDITS = Explanation(
    N_("The sending credit of this account is used up."),
    N_("vxtray goes on when the provider allows it; the provider's account shows the credit and the plan."),
    Kind.TEMPORARY,
    Scope.ACCOUNT,
    wait=AN_HOUR,
)
_BRIDGE = Explanation(
    N_("Proton Mail Bridge does not serve this account."),
    N_("Open the Bridge, sign in there, and enter the user name and the password that it shows for sending."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)

ROWS = (
    # Proton Mail Bridge: an address of somebody else is a 451, which would be tried for three days
    Row(says=("invalid return path", "return path does not belong"), firm=True, means=causes.NOT_ITS_OWN_ADDRESS),
    Row(says=("account is not available in bridge",), means=_BRIDGE),
    Row(stages=(Stage.SENDER, Stage.DATA, Stage.AUTH), says=("no such user",), means=_BRIDGE),
    # Amazon SES
    Row(says=("maximum sending rate exceeded", "sending rate exceeded"), means=causes.TOO_FAST),
    Row(says=("daily message quota exceeded", "sending quota exceeded"), means=causes.QUOTA),
    Row(says=("address is not verified", "identities failed the check"), means=causes.SENDER_UNCONFIRMED),
    Row(
        says=("sending paused for this account", "sending suspended", "account is paused"), means=causes.ACCOUNT_BLOCKED
    ),
    # SendGrid
    Row(says=("maximum credits exceeded", "credits exceeded"), means=_CREDITS),
    Row(
        says=(
            "does not match a verified sender",
            "not authorized to send from that",
            "unauthenticated senders not allowed",
        ),
        firm=True,
        means=causes.SENDER_UNCONFIRMED,
    ),
    # Mailgun
    Row(
        says=("sandbox subdomains", "free accounts are for test purposes", "authorized recipients"),
        firm=True,
        means=causes.TRIAL_ACCOUNT,
    ),
    Row(says=("domain not found or not verified", "domain is not verified"), means=causes.SENDER_UNCONFIRMED),
    # Mailjet, Brevo
    Row(
        says=(
            "sender is not validated",
            "sender not validated",
            "sender not valid",
            "sender is not valid",
            "sender you used",
        ),
        means=causes.SENDER_UNCONFIRMED,
    ),
    Row(
        says=("not yet activated", "account is not activated", "not activated for this account"),
        firm=True,
        means=causes.NOT_ACTIVATED,
    ),
    Row(says=("unauthorized ip", "ip not authorized", "ip address is not authorized"), means=causes.ADDRESS_UNKNOWN),
    # Yahoo, Zoho, Apple and others: accounts
    Row(
        says=("auth005", "too many bad auth attempts", "too many failed auth", "too many auth failures"),
        means=causes.TOO_MANY_PASSWORDS,
    ),
    Row(says=("app-specific password", "app password", "application password"), means=causes.APP_PASSWORD),
    Row(says=("unusual sending activity", "access restricted"), means=causes.ACCOUNT_BLOCKED),
    Row(
        says=("suspended", "account locked", "account is locked", "account has been locked", "account blocked"),
        and_says=("account", "user", "sender", "mailbox"),
        stages=(Stage.AUTH, Stage.SENDER, Stage.DATA),
        means=causes.ACCOUNT_BLOCKED,
    ),
    Row(
        stages=(Stage.AUTH,),
        says=("account disabled", "account is disabled", "user disabled", "mailbox is disabled"),
        means=causes.ACCOUNT_BLOCKED,
    ),
    # IONOS, OVH, hosting with cPanel: hourly limits
    Row(says=("mail send limit exceeded", "rate limit reached", "sending limit reached"), means=causes.TOO_FAST),
    Row(
        says=("emails per hour", "messages per hour", "mails per hour", "defers and failures per hour", "hourly limit"),
        means=causes.TOO_FAST,
    ),
    Row(
        says=("daily limit", "per day", "daily quota", "24 hours"),
        and_says=("limit", "quota", "exceed", "reached"),
        means=causes.QUOTA,
    ),
    # Orange, La Poste
    Row(says=("ofr004_104", "ofr_104", "trop de connexions"), means=causes.TOO_MANY_CONNECTIONS),
    Row(says=("ofr004_105", "ofr_105", "ofr005_108", "ofr_108"), lasting=False, means=causes.TOO_FAST),
    Row(says=("ofr_506", "ofr_999", "lpn007_5", "lpn004_5", "lpn105_5"), means=causes.SPAM),
    # Gandi
    Row(says=("rule1_",), means=causes.FORBIDDEN_CONTENT),
    Row(says=("rule2_", "rule3_"), means=causes.SPAM),
    Row(says=("sasl_rate_limit",), means=causes.TOO_FAST),
)
