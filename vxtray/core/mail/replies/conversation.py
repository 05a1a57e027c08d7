"""What mail servers answer before there is a mail: greeting, encryption, sign-in, load, limits.

Postfix (with postscreen and Postgrey), Dovecot, Exim, OpenSMTPD, Exchange, and whoever uses their words. Pure data, any
thread. The texts stand in the programs themselves (Debian 12: Postfix 3.7, Exim 4.96, OpenSMTPD 6.8, Postgrey 1.37).
"""

from vxtray.core.mail.faults import Stage
from vxtray.core.mail.replies import causes
from vxtray.core.mail.replies.row import Row

_BEFORE_THE_MAIL = (Stage.GREETING, Stage.EHLO, Stage.AUTH, Stage.SENDER, Stage.RECIPIENTS)

ROWS = (
    # --- encryption and sign-in
    Row(
        says=(
            "must issue a starttls",
            "starttls first",
            "starttls command first",
            "starttls required",
            "require starttls",
        ),
        means=causes.STARTTLS_FIRST,
    ),
    Row(
        stages=(Stage.TLS,),
        says=("tls not available", "tls currently unavailable", "too many new tls"),
        lasting=False,
        means=causes.TLS_LATER,
    ),
    Row(
        stages=(Stage.AUTH,),
        says=("encryption required", "needs encryption", "without tls", "plaintext authentication disallowed"),
        means=causes.WANTS_ENCRYPTION,
    ),
    Row(
        stages=(Stage.AUTH,),
        says=(
            "authentication not enabled",
            "auth command used when not advertised",
            "command not supported",
            "auth not available",
        ),
        means=causes.NO_SIGN_IN_HERE,
    ),
    Row(
        stages=(Stage.AUTH,),
        codes=(500, 502, 503),
        means=causes.NO_SIGN_IN_HERE,
    ),
    Row(
        says=("mechanism not supported", "unrecognized authentication type", "invalid authentication mechanism"),
        means=causes.NO_COMMON_SIGN_IN,
    ),
    Row(stages=(Stage.AUTH,), says=("auth method",), and_says=("not supported",), means=causes.NO_COMMON_SIGN_IN),
    # go-smtp (Proton Mail Bridge, maddy) says 454 to a wrong password, which more tries would only lock
    Row(
        stages=(Stage.AUTH,),
        says=(
            "incorrect password",
            "invalid password",
            "wrong password",
            "bad password",
            "invalid username",
            "authentification invalide",
        ),
        firm=True,
        means=causes.WRONG_PASSWORD,
    ),
    Row(
        says=("temporary authentication failure", "unable to authenticate at present"),
        means=causes.SIGN_IN_LATER,
    ),
    Row(says=("too many auth commands",), means=causes.TOO_MANY_PASSWORDS),
    Row(
        says=(
            "authentication required",
            "authentification requise",
            "not authenticated",
            "must authenticate",
            "smtp auth is required",
            "login required",
            "log in first",
            "issue an auth command",
            "authenticate first",
            "sasl login name required",
            "not logged in",
        ),
        lasting=True,
        means=causes.WANTS_SIGN_IN,
    ),
    # --- who we are
    Row(
        says=("helo", "ehlo"),
        and_says=("reject", "invalid", "required", "denied", "fully-qualified", "refus", "syntactically"),
        means=causes.NAME_REFUSED,
    ),
    Row(stages=(Stage.EHLO,), codes=(501, 504, 550, 553, 554), means=causes.NAME_REFUSED),
    Row(
        stages=_BEFORE_THE_MAIL,
        says=(
            "cannot find your hostname",
            "cannot find your reverse",
            "reverse dns",
            "no ptr",
            "ptr record",
            "dns ptr",
            "rdns",
        ),
        means=causes.ADDRESS_HAS_NO_NAME,
    ),
    Row(
        stages=_BEFORE_THE_MAIL,
        says=(
            "spamhaus",
            "blocked for spam",
            "adresse ip source bloquee",
            "blocked using",
            "blocklist",
            "blacklist",
            "block list",
            "black list",
            "dnsbl",
            "listed in",
            "listed at",
            "listed by",
            "is listed",
            "reputation",
        ),
        means=causes.ADDRESS_LISTED,
    ),
    Row(
        says=("client host rejected", "connection rejected", "connection refused", "insufficient authorization"),
        means=causes.ADDRESS_REFUSED,
    ),
    # --- load and limits
    Row(says=("greylist", "graylist", "grey-list", "gray-list", "grey listed"), lasting=False, means=causes.GREYLISTED),
    Row(
        says=("too many messages in this connection", "too many messages sent", "messages per connection"),
        means=causes.SESSION_USED_UP,
    ),
    Row(
        says=(
            "too many concurrent",
            "too many connections",
            "too many simultaneous",
            "too frequent connects",
            "connection limit",
        ),
        means=causes.TOO_MANY_CONNECTIONS,
    ),
    Row(
        says=(
            "too much mail",
            "too many recipients from",
            "rate limit",
            "too fast",
            "throttl",
            "slow down",
            "sending rate",
            "too many emails",
            "too many mails",
            "ratelimit",
            "recipients per hour",
        ),
        means=causes.TOO_FAST,
    ),
    Row(
        says=(
            "too much load",
            "server busy",
            "server is busy",
            "service currently unavailable",
            "all server ports are busy",
            "no system resources",
            "system load",
            "service not available",
            "service unavailable - try",
        ),
        lasting=False,
        means=causes.BUSY,
    ),
    Row(
        says=(
            "insufficient system storage",
            "insufficient system resources",
            "space shortage",
            "no space left",
            "disk full",
            "out of disk",
        ),
        means=causes.SERVER_FULL,
    ),
    Row(
        says=(
            "timeout exceeded",
            "command timeout",
            "data timeout",
            "timeout - closing",
            "timeout – closing",
            "idle timeout",
            "timed out",
        ),
        lasting=False,
        means=causes.TOOK_TOO_LONG,
    ),
    Row(
        says=(
            "server configuration",
            "local configuration error",
            "temporary lookup error",
            "temporary local problem",
            "queue file write",
            "error in writing spool",
            "error while writing spool",
            "internal error",
            "internal server error",
            "local problem",
            "temporary server error",
            "temporary system problem",
            "temporary error",
            "temporary failure",
            "mail system error",
            "local error in processing",
            "server local error",
        ),
        lasting=False,
        means=causes.SERVER_TROUBLE,
    ),
    Row(
        says=(
            "too many errors",
            "too many consecutive errors",
            "too many syntax",
            "synchronization",
            "improper command pipelining",
            "pipelining not supported",
            "protocol error",
            "protocol violation",
        ),
        means=causes.MISUNDERSTOOD,
    ),
    Row(
        stages=(Stage.GREETING, Stage.EHLO),
        says=("not accepting", "does not accept mail", "smtp service not available", "no smtp service"),
        means=causes.TAKES_NO_MAIL,
    ),
)
