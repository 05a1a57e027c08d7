"""What the codes alone say, where no phrase decided: RFC 5321, RFC 3463, RFC 4954, RFC 5248, RFC 7372, RFC 7504.

Pure data, any thread.
"""

from vxtray.core.mail.faults import Stage
from vxtray.core.mail.replies import causes
from vxtray.core.mail.replies.row import Row

_MAIL = (Stage.SENDER, Stage.RECIPIENTS, Stage.DATA)

ROWS = (
    # sign-in: RFC 4954
    Row(enhanced=("4.7.12",), firm=True, means=causes.RENEW_PASSWORD),
    Row(enhanced=("5.7.11", "5.7.10"), means=causes.WANTS_ENCRYPTION),
    Row(codes=(538, 523), stages=(Stage.AUTH,), means=causes.WANTS_ENCRYPTION),
    Row(enhanced=("5.7.13",), means=causes.ACCOUNT_BLOCKED),
    Row(enhanced=("5.7.4",), means=causes.NO_COMMON_SIGN_IN),
    Row(codes=(504,), stages=(Stage.AUTH,), means=causes.NO_COMMON_SIGN_IN),
    Row(codes=(534,), stages=(Stage.AUTH,), means=causes.APP_PASSWORD),
    Row(codes=(535,), means=causes.WRONG_PASSWORD),
    Row(enhanced=("5.7.8",), means=causes.WRONG_PASSWORD),
    Row(codes=(454,), stages=(Stage.TLS,), means=causes.TLS_LATER),
    Row(codes=(454,), stages=(Stage.AUTH,), means=causes.SIGN_IN_LATER),
    Row(codes=(530,), means=causes.WANTS_SIGN_IN),
    # servers that take no mail: RFC 7504
    Row(codes=(521,), stages=(Stage.GREETING,), means=causes.TAKES_NO_MAIL),
    Row(codes=(556,), stages=(Stage.RECIPIENTS,), means=causes.RECIPIENT_DOMAIN),
    # our address and the sender's domain: RFC 7372; 27 is Google's
    Row(enhanced=("x.7.25",), means=causes.ADDRESS_HAS_NO_NAME),
    Row(enhanced=("x.7.20", "x.7.21", "x.7.23", "x.7.26", "x.7.27"), means=causes.SENDER_UNPROVEN),
    # the mail and the mailboxes: RFC 3463
    Row(enhanced=("x.3.4", "x.2.3"), means=causes.TOO_LARGE),
    Row(enhanced=("x.5.3",), means=causes.TOO_MANY_RECIPIENTS),
    Row(enhanced=("x.2.2",), stages=(Stage.RECIPIENTS,), means=causes.RECIPIENT_FULL),
    Row(enhanced=("x.2.2",), means=causes.OWN_MAILBOX_FULL),
    Row(enhanced=("x.2.1",), stages=(Stage.RECIPIENTS,), means=causes.RECIPIENT_OFF),
    Row(enhanced=("x.1.1", "5.1.10", "5.1.6"), stages=(Stage.RECIPIENTS,), means=causes.RECIPIENT_UNKNOWN),
    Row(enhanced=("x.1.3",), stages=(Stage.RECIPIENTS,), means=causes.RECIPIENT_UNKNOWN),
    Row(enhanced=("x.1.2", "x.4.4"), stages=(Stage.RECIPIENTS,), means=causes.RECIPIENT_DOMAIN),
    Row(enhanced=("x.1.7",), stages=_MAIL, means=causes.SENDER_MALFORMED),
    Row(enhanced=("x.1.8",), stages=_MAIL, means=causes.SENDER_DOMAIN),
    Row(enhanced=("x.4.6",), means=causes.LOOP),
    Row(enhanced=("x.6.0", "x.6.1", "x.6.2", "x.6.3"), stages=(Stage.DATA,), means=causes.BAD_FORM),
    Row(enhanced=("4.3.1",), means=causes.SERVER_FULL),
    Row(enhanced=("4.3.2", "4.4.5"), means=causes.BUSY),
    Row(enhanced=("4.4.2",), means=causes.TOOK_TOO_LONG),
    Row(enhanced=("4.3.0", "4.3.5"), means=causes.SERVER_TROUBLE),
    # the conversation itself: RFC 5321 4.2.3
    Row(
        enhanced=("5.5.1", "5.5.2", "5.5.4"),
        stages=(Stage.EHLO, *_MAIL),
        codes=(500, 501, 502, 503, 504, 555),
        means=causes.MISUNDERSTOOD,
    ),
    Row(codes=(500, 502, 503, 555), stages=_MAIL, means=causes.MISUNDERSTOOD),
)
