"""The causes of a refusal that several servers share, in words.

Pure data, any thread. What happened, then what to do; no code numbers and no blame, since the person who reads it can
mostly do nothing about the server.
"""

from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, Scope
from vxtray.core.mail.replies.row import (
    A_MINUTE,
    A_MOMENT,
    A_QUARTER,
    A_WHILE,
    AN_HOUR,
    HALF_AN_HOUR,
    Explanation,
)

# --- sign-in ---------------------------------------------------------------------------------------------------------

SIGN_IN_REFUSED = Explanation(
    N_("The mail server refused the sign-in."),
    N_("Check user name and password; otherwise ask the mail administrator, with the server's words."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
NO_PASSWORDS = Explanation(
    N_("This provider no longer accepts a password from programs."),
    N_("Ask the provider for an app password, or have the administrator allow authenticated SMTP for this mailbox."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
)
WANTS_SIGN_IN = Explanation(
    N_("The mail server wants a sign-in before it takes mail."),
    N_("Set the user name and the password, and choose the security “STARTTLS” or “TLS”."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
WRONG_PASSWORD = Explanation(
    N_("The mail server refused the user name or the password."),
    N_("Enter the password again; some providers want an app password instead of the usual one."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
APP_PASSWORD = Explanation(
    N_("This account needs an app password."),
    N_("Create an app password in the security settings of the account and enter it instead of the usual password."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    sign_in=True,
)
TOO_MANY_PASSWORDS = Explanation(
    N_("The mail server has locked the sign-in after too many failed tries."),
    N_("Wait half an hour, then enter the password again; some providers want an app password instead."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
    wait=HALF_AN_HOUR,
)
SIGN_IN_LATER = Explanation(
    N_("The mail server cannot check sign-ins right now."),
    N_("vxtray tries again by itself; the password was not refused."),
    Kind.TEMPORARY,
    Scope.SERVER,
    wait=A_QUARTER,
)
NO_SIGN_IN_HERE = Explanation(
    N_("The mail server takes no sign-in on this port."),
    N_("Choose port 587 with “STARTTLS” or 465 with “TLS”; a relay without sign-in needs the sign-in “none”."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
NO_COMMON_SIGN_IN = Explanation(
    N_("The mail server does not know the form of sign-in that vxtray uses."),
    N_("Ask the mail administrator to allow LOGIN or PLAIN over TLS for this account."),
    Kind.ADMIN,
    Scope.ACCOUNT,
)
RENEW_PASSWORD = Explanation(
    N_("The mail server wants you to change or renew the password first."),
    N_("Sign in to the mailbox once in a web browser, then enter the new password here."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
IN_THE_BROWSER = Explanation(
    N_("The provider finds this sign-in suspicious."),
    N_("Open the mailbox once in a web browser on this network and confirm that it was you."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
ACCOUNT_BLOCKED = Explanation(
    N_("The provider has blocked this account."),
    N_(
        "Sign in to it in a web browser or ask the provider to release it; if you do not know why, change the password."
    ),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
NOT_ACTIVATED = Explanation(
    N_("The provider has not opened this account for sending yet."),
    N_("Finish the registration with the provider or ask its support; the mails wait here meanwhile."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)

# --- encryption, our name, our address -------------------------------------------------------------------------------

WANTS_ENCRYPTION = Explanation(
    N_("The mail server wants an encrypted connection for the sign-in."),
    N_("Choose the security “STARTTLS” or “TLS”."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
STARTTLS_FIRST = Explanation(
    N_("The mail server wants STARTTLS first."),
    N_("Choose the security “STARTTLS”."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
TLS_LATER = Explanation(
    N_("The mail server cannot start the encryption right now."),
    N_("vxtray tries again by itself; nothing was sent without protection."),
    Kind.TEMPORARY,
    Scope.SERVER,
)
OLD_ENCRYPTION = Explanation(
    N_("The mail server wants a newer encryption than the one that was agreed on."),
    N_("Something between here and the server may hold it back; show the server's words to the mail administrator."),
    Kind.ADMIN,
    Scope.SERVER,
)
NAME_REFUSED = Explanation(
    N_("The mail server refuses the name by which this computer greets it."),
    N_("Ask the mail administrator to accept this computer, or use the provider's submission port (587)."),
    Kind.ADMIN,
    Scope.SERVER,
)
ADDRESS_HAS_NO_NAME = Explanation(
    N_("The mail server refuses this computer because its network address has no name."),
    N_("Use the provider's submission port (587 or 465) with a sign-in; only the network's owner can give it a name."),
    Kind.ADMIN,
    Scope.SERVER,
)
ADDRESS_LISTED = Explanation(
    N_("The mail server refuses this computer's network address because it is on a block list."),
    N_("Use the provider's submission port (587 or 465) with a sign-in, or ask for the address to be removed."),
    Kind.ADMIN,
    Scope.SERVER,
)
ADDRESS_UNKNOWN = Explanation(
    N_("The mail server does not know this computer's public address."),
    N_("Ask the administrator to add the address to the connector, or sign in with a user name."),
    Kind.ADMIN,
    Scope.SERVER,
)
ADDRESS_REFUSED = Explanation(
    N_("The mail server does not let this computer in."),
    N_("Use the provider's submission port (587 or 465) with a sign-in, or ask the administrator to allow it."),
    Kind.ADMIN,
    Scope.SERVER,
)
TAKES_NO_MAIL = Explanation(
    N_("This server does not take mail."),
    N_("Check server and port: 587 or 465 of the server that your provider names for sending."),
    Kind.ACCOUNT,
    Scope.SERVER,
)

# --- load and limits -------------------------------------------------------------------------------------------------

TOO_MANY_CONNECTIONS = Explanation(
    N_("Too many programs or devices use the mail server at once."),
    N_("vxtray waits a moment and tries again by itself; check whether other devices use the same mailbox."),
    Kind.TEMPORARY,
    Scope.ACCOUNT,
    wait=A_MINUTE,
)
TOO_FAST = Explanation(
    N_("The mail server asks to send more slowly."),
    N_("vxtray waits and tries again by itself; check whether other devices use the same mailbox."),
    Kind.TEMPORARY,
    Scope.ACCOUNT,
    wait=A_QUARTER,
)
QUOTA = Explanation(
    N_("The daily limit of this account is used up."),
    N_("vxtray goes on when the provider allows it; if you did not send this much, change the account's password."),
    Kind.TEMPORARY,
    Scope.ACCOUNT,
    wait=AN_HOUR,
)
SESSION_USED_UP = Explanation(
    N_("The mail server takes no more mails over this connection."),
    N_("vxtray goes on over a new one by itself."),
    Kind.TEMPORARY,
    Scope.SERVER,
    wait=A_MOMENT,
)
BUSY = Explanation(
    N_("The mail server is too busy at the moment."),
    N_("vxtray tries again by itself."),
    Kind.TEMPORARY,
    Scope.SERVER,
)
SERVER_TROUBLE = Explanation(
    N_("The mail server has a problem of its own."),
    N_("vxtray tries again by itself; if it stays, show the server's words to the mail administrator."),
    Kind.TEMPORARY,
    Scope.SERVER,
)
SERVER_FULL = Explanation(
    N_("The mail server has no room left for mail."),
    N_("vxtray tries again by itself; if it stays, tell the mail administrator."),
    Kind.TEMPORARY,
    Scope.SERVER,
)
TOOK_TOO_LONG = Explanation(
    N_("The mail server ended the connection because it took too long."),
    N_("vxtray tries again by itself; if it stays, the network between here and the server may be too slow."),
    Kind.TEMPORARY,
    Scope.SERVER,
)
MISUNDERSTOOD = Explanation(
    N_("The mail server and vxtray do not understand each other."),
    N_("Show the server's words to the mail administrator; something in between may also interfere."),
    Kind.ADMIN,
    Scope.SERVER,
)

# --- sender ----------------------------------------------------------------------------------------------------------

MAY_NOT_SEND_AS = Explanation(
    N_("This account may not send with the given sender address."),
    N_("Set “From” to the account's own address, or ask the administrator for the right to send as that address."),
    Kind.ADMIN,
    Scope.ACCOUNT,
)
NOT_ITS_OWN_ADDRESS = Explanation(MAY_NOT_SEND_AS.title, MAY_NOT_SEND_AS.advice, Kind.ACCOUNT, Scope.ACCOUNT)
SENDER_UNCONFIRMED = Explanation(
    N_("The provider has not confirmed the sender address yet."),
    N_(
        "Confirm “From” or its domain in the provider's account; a trial account may only write to confirmed addresses."
    ),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
TRIAL_ACCOUNT = Explanation(
    N_("This account is on trial and may only write to addresses that were confirmed."),
    N_("Confirm the recipient in the provider's account, or have it opened for sending."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
SENDER_DOMAIN = Explanation(
    N_("The mail server cannot find the domain of the sender address."),
    N_("Check how “From” is written."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
SENDER_MALFORMED = Explanation(
    N_("The mail server cannot read the sender address."),
    N_("Check how “From” is written."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
SENDER_BLOCKED = Explanation(
    N_("The provider has blocked this sender for suspected spam."),
    N_("An administrator must release the account; change its password too."),
    Kind.ADMIN,
    Scope.ACCOUNT,
)
SENDER_UNPROVEN = Explanation(
    N_("The domain of the sender address does not vouch for the server that sends."),
    N_("Set “From” to the account's own address, or have the domain's administrator complete SPF, DKIM and DMARC."),
    Kind.ADMIN,
    Scope.ACCOUNT,
    asks=(
        N_("SPF of the sender's domain must name the servers that send for it (RFC 7208)."),
        N_("DKIM must be switched on for the sender's domain (RFC 6376)."),
        N_("DMARC of the sender's domain must fit the two (RFC 7489)."),
    ),
)

# --- recipient -------------------------------------------------------------------------------------------------------

GREYLISTED = Explanation(
    N_("The mail server wants the mail again a little later (greylisting)."),
    N_("vxtray tries again by itself."),
    Kind.TEMPORARY,
    Scope.RECIPIENT,
    wait=A_WHILE,
)
TOO_MANY_RECIPIENTS = Explanation(
    N_("There are too many recipients for one mail."),
    N_("Use fewer recipients, or one address that distributes the mail."),
    Kind.TEMPORARY,
    Scope.RECIPIENT,
)
RELAY_DENIED = Explanation(
    N_("The mail server does not pass mail on to this recipient."),
    N_("Sign in with a user name, or use the recipient's own mail server."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
RECIPIENT_UNKNOWN = Explanation(
    N_("The mail server does not know this recipient."),
    N_("Check how the address is written."),
    Kind.PERMANENT,
    Scope.RECIPIENT,
)
RECIPIENT_DOMAIN = Explanation(
    N_("The mail server cannot find the domain of this recipient."),
    N_("Check how the address is written."),
    Kind.PERMANENT,
    Scope.RECIPIENT,
)
RECIPIENT_OFF = Explanation(
    N_("This recipient's mailbox is switched off."),
    N_("Use another address for this person."),
    Kind.PERMANENT,
    Scope.RECIPIENT,
)
RECIPIENT_FULL = Explanation(
    N_("This recipient's mailbox is full."),
    N_("Tell the person to make room, or use another address."),
    Kind.PERMANENT,
    Scope.RECIPIENT,
)
RECIPIENT_BUSY = Explanation(
    N_("This recipient gets too much mail at the moment."),
    N_("vxtray tries again by itself."),
    Kind.TEMPORARY,
    Scope.RECIPIENT,
    wait=A_QUARTER,
)
RECIPIENT_CLOSED = Explanation(
    N_("This recipient does not take mail from this sender."),
    N_("Ask the recipient's administrator to allow the sender address, or use another address."),
    Kind.PERMANENT,
    Scope.RECIPIENT,
)
NOBODY = Explanation(
    N_("The mail server accepted none of the recipients."),
    N_("Check how the addresses are written."),
    Kind.PERMANENT,
    Scope.MAIL,
)

# --- the mail --------------------------------------------------------------------------------------------------------

TOO_LARGE = Explanation(
    N_("The mail is too large for the mail server."),
    N_("Switch off the attachments (PDF, CSV) or ask the mail administrator for a higher limit."),
    Kind.PERMANENT,
    Scope.MAIL,
)
OWN_MAILBOX_FULL = Explanation(
    N_("A mailbox is full."),
    N_("Make room in it; sent mails may fill the sender's own mailbox."),
    Kind.ACCOUNT,
    Scope.ACCOUNT,
)
SPAM = Explanation(
    N_("The mail server takes this mail for spam."),
    N_("Ask the mail administrator to let mails of this sender pass; the mail is kept and can be sent again."),
    Kind.PERMANENT,
    Scope.MAIL,
)
FORBIDDEN_CONTENT = Explanation(
    N_("The mail server does not let the content of this mail pass."),
    N_("Switch off the attachments (PDF, CSV), or ask the mail administrator to allow them."),
    Kind.PERMANENT,
    Scope.MAIL,
)
BAD_FORM = Explanation(
    N_("The mail server finds fault with the form of this mail."),
    N_("This may be a fault of vxtray; please report it with the server's words."),
    Kind.PERMANENT,
    Scope.MAIL,
)
LOOP = Explanation(
    N_("This mail goes round in circles between mail servers."),
    N_("The recipient's forwarding leads back to itself; ask the mail administrator."),
    Kind.PERMANENT,
    Scope.RECIPIENT,
)
