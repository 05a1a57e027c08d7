"""What an event is: the one value that parsers make, the store keeps, and alerts and reports read.

Pure data, any thread. Field names are those of the samples' expected values; a report's *target* is the host, else the
destination address.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

#: Longer lines of a log are refused unread: no product writes them, and every later step may rely on the bound.
MAX_LINE = 64 * 1024


class Category(StrEnum):
    """What kind of thing happened."""

    WAF = "waf"
    IPS = "ips"
    FIREWALL = "firewall"
    ATP = "atp"
    MALWARE = "malware"
    WEB = "web"
    EMAIL = "email"
    VPN = "vpn"
    AUTH = "auth"
    BAN = "ban"
    SYSTEM = "system"
    OTHER = "other"


class Action(StrEnum):
    """What was done about it."""

    DETECTED = "detected"
    BLOCKED = "blocked"
    ALLOWED = "allowed"
    BANNED = "banned"
    UNBANNED = "unbanned"
    FAILED = "failed"
    INFO = "info"


class Severity(StrEnum):
    """How bad it is."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """4 for critical down to 0 for info, to compare."""
        return _RANK[self]


_RANK = {Severity.CRITICAL: 4, Severity.HIGH: 3, Severity.MEDIUM: 2, Severity.LOW: 1, Severity.INFO: 0}

#: The one definition of "blocked", used by alerts, reports and the window alike.
BLOCKED = frozenset({Action.BLOCKED, Action.BANNED})


class SecurityEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One security event, normalised.

    ``at`` is aware and in UTC. Texts are "" when the log does not say, ports 0, ``country`` ISO 3166 alpha-2 or "",
    ``score`` the WAF anomaly or CrowdSec score or None. ``seq`` is given by the store (0 before).
    """

    at: datetime
    source: str
    category: Category
    action: Action
    severity: Severity
    src_ip: str = ""
    src_port: int = 0
    country: str = ""
    dst_ip: str = ""
    dst_port: int = 0
    target_host: str = ""
    target_url: str = ""
    user: str = ""
    rule_id: str = ""
    rule_name: str = ""
    message: str = ""
    score: int | None = None
    seq: int = 0

    @property
    def target(self) -> str:
        """What was aimed at: the host name where known, else the destination address."""
        return self.target_host or self.dst_ip

    @property
    def blocked(self) -> bool:
        """True where the attack was stopped."""
        return self.action in BLOCKED
