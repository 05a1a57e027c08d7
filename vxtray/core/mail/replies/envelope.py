"""What mail servers answer about a sender, a recipient or a mail.

Postfix, Dovecot, Exim (with Debian's access rules), OpenSMTPD, qmail, Exchange, and whoever uses their words. Pure
data, any thread. The texts stand in the programs themselves (Debian 12: Postfix 3.7, Exim 4.96, OpenSMTPD 6.8).
"""

from vxtray.core.mail.faults import Stage
from vxtray.core.mail.replies import causes
from vxtray.core.mail.replies.row import Row

_WITH_THE_MAIL = (Stage.SENDER, Stage.RECIPIENTS, Stage.DATA)

ROWS = (
    # --- sender
    Row(
        says=(
            "not owned by user",
            "sender login mismatch",
            "does not own",
            "not owned by",
            "sender address is not allowed",
            "not allowed to send from",
            "sender not allowed",
            "sender address not allowed",
            "not authorized to use this sender",
            "from address not authorized",
        ),
        means=causes.NOT_ITS_OWN_ADDRESS,
    ),
    Row(
        says=(
            "sender address rejected: domain not found",
            "sender address rejected: unverified",
            "sender verify failed",
            "sender verification failed",
            "domain of sender address",
            "sender domain must exist",
            "sender address rejected: undeliverable",
        ),
        means=causes.SENDER_DOMAIN,
    ),
    Row(
        says=(
            "bad sender address",
            "sender address syntax",
            "sender address must contain a domain",
            "sender address rejected: need fully",
            "invalid sender",
            "invalid mail from",
        ),
        means=causes.SENDER_MALFORMED,
    ),
    Row(
        stages=_WITH_THE_MAIL,
        says=("[spf]", "spf check", "spf policy", "spf fail", "spf record", "spf validation"),
        means=causes.SENDER_UNPROVEN,
    ),
    # --- recipient
    Row(
        stages=_WITH_THE_MAIL,
        says=(
            "relay access denied",
            "relay not permitted",
            "relaying denied",
            "unable to relay",
            "relaying not allowed",
            "not permitted to relay",
            "relay denied",
            "relais",
            "rcpthosts",
            "relaying",
            "not a relay",
        ),
        means=causes.RELAY_DENIED,
    ),
    Row(says=("too many recipients",), means=causes.TOO_MANY_RECIPIENTS),
    Row(says=("no valid recipients", "valid rcpt command must precede", "no recipient specified"), means=causes.NOBODY),
    Row(
        stages=(Stage.RECIPIENTS,),
        says=(
            "domain not found",
            "unrouteable address",
            "unroutable address",
            "lowest numbered mx",
            "null mx",
            "nullmx",
            "host unknown",
            "no such domain",
            "find the recipient domain",
        ),
        means=causes.RECIPIENT_DOMAIN,
    ),
    Row(
        stages=(Stage.RECIPIENTS,),
        says=(
            "mailbox is full",
            "mailbox full",
            "quota exceeded",
            "quota is exceeded",
            "exceeded storage",
            "out of storage",
        ),
        means=causes.RECIPIENT_FULL,
    ),
    Row(
        stages=(Stage.RECIPIENTS,),
        says=(
            "mailbox disabled",
            "archived recipient",
            "mailbox is disabled",
            "account disabled",
            "account is disabled",
            "inactive",
            "no longer accepts mail",
        ),
        means=causes.RECIPIENT_OFF,
    ),
    Row(
        stages=(Stage.RECIPIENTS,),
        says=(
            "user unknown",
            "unknown user",
            "no such user",
            "no such recipient",
            "no mailbox here",
            "mailbox unavailable",
            "unknown recipient",
            "invalid recipient",
            "recipient unknown",
            "does not exist",
            "no such address",
            "undeliverable address",
            "not deliverable",
            "recipient not found",
            "unknown local",
            "bad recipient address",
            "recipient address syntax",
            "restricted characters",
            "recipient address must contain a domain",
            "recipient address rejected: need fully",
            "user doesn't exist",
            "no such mailbox",
        ),
        means=causes.RECIPIENT_UNKNOWN,
    ),
    # --- the mail
    Row(
        says=(
            'received" headers',
            "received headers",
            "too many hops",
            "mail loop",
            "loop detected",
            "exceeded 50 hops",
        ),
        means=causes.LOOP,
    ),
    Row(
        stages=_WITH_THE_MAIL,
        says=(
            "message size exceeds",
            "too big",
            "too large",
            "message file too big",
            "exceeds message size",
            "exceeds fixed",
            "exceeds size",
            "size limit",
            "message size",
            "exceeded size",
            "maximum message",
        ),
        means=causes.TOO_LARGE,
    ),
    Row(
        stages=(Stage.DATA,),
        says=("virus", "malware", "infected", "attachment", "banned file", "blocked content", "content rejected"),
        means=causes.FORBIDDEN_CONTENT,
    ),
    Row(stages=(Stage.DATA,), says=("spam", "unsolicited", "junk", "phish", "bulk mail"), means=causes.SPAM),
    Row(
        stages=(Stage.DATA,),
        says=(
            "rfc 2822",
            "rfc 5322",
            "rfc5322",
            "bare <lf>",
            "bare lf",
            "header syntax",
            "header line is too long",
            "header is ridiculously",
            "malformed",
            "not crlf",
            "no verifiable sender",
            "line too long",
        ),
        means=causes.BAD_FORM,
    ),
)
