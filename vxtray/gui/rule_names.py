"""What the alert rules are called in the window. Pure data."""

from collections.abc import Mapping
from types import MappingProxyType

from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import N_

RULES: Mapping[Rule, str] = MappingProxyType(
    {
        Rule.CRITICAL: N_("Critical events"),
        Rule.WAF_BLOCKED: N_("Web attacks blocked (WAF)"),
        Rule.WAF_DETECTED: N_("Web attacks seen (WAF)"),
        Rule.NEW_BAN: N_("New bans"),
        Rule.SOURCE_SILENT: N_("Sources that fall silent"),
        Rule.MAIL_DOWN: N_("Mail that does not work"),
        Rule.DISK_FULL: N_("A disk that is almost full"),
    }
)
