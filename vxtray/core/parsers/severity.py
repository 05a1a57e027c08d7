"""How bad an event is, from the words and numbers that products use. Pure data, any thread.

An event takes the highest that applies.
"""

from vxtray.core.events import Severity

#: Syslog and Sophos words, in lower case.
WORDS = {
    "emergency": Severity.CRITICAL,
    "alert": Severity.CRITICAL,
    "critical": Severity.CRITICAL,
    "error": Severity.HIGH,
    "major": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "moderate": Severity.MEDIUM,
    "notice": Severity.LOW,
    "notification": Severity.LOW,
    "minor": Severity.LOW,
    "information": Severity.INFO,
    "debug": Severity.INFO,
}

#: Syslog numbers (RFC 5424, 6.2.1), as digits; ModSecurity's rule severities are the same.
DIGITS = dict(
    zip(
        "01234567",
        (
            *[Severity.CRITICAL] * 3,
            Severity.HIGH,
            Severity.MEDIUM,
            Severity.LOW,
            Severity.INFO,
            Severity.INFO,
        ),
        strict=True,
    )
)


def of_score(score: int) -> Severity:
    """Return what a WAF anomaly score means; the usual threshold for blocking is 5 (OWASP Core Rule Set)."""
    for least, severity in (
        (20, Severity.CRITICAL),
        (10, Severity.HIGH),
        (5, Severity.MEDIUM),
        (1, Severity.LOW),
    ):
        if score >= least:
            return severity
    return Severity.INFO


def highest(*severities: Severity) -> Severity:
    """Return the worst of the given ones."""
    return max(severities, key=lambda severity: severity.rank)
