"""What a CrowdSec scenario is about, by its name. Pure, any thread.

Source: the names in the hub (hub.crowdsec.net): ``author/what``, where *what* says the service and the deed.
"""

import re
from functools import lru_cache

from vxtray.core.events import Category

#: The first that is found decides.
_KINDS = (
    (re.compile(r"^(?:vpatch|appsec|crs|modsecurity|crowdsec-appsec|crowdsec\.)|waf"), Category.WAF),
    (re.compile(r"(?:^|[-_:. ])(?:bf|brute|bruteforce|login|auth|user-enum|credential|password)"), Category.AUTH),
    (re.compile(r"impossible-travel|(?:^|[-_])(?:ssh|rdp|ftp)(?:[-_]|$)"), Category.AUTH),
    (re.compile(r"^(?:postfix|exim|dovecot|sendmail|mail)|spam"), Category.EMAIL),
    (re.compile(r"^(?:suricata|snort|iptables|nftables|ufw|pf|opnsense|.*(?:port-?scan|scan-multi))"), Category.IPS),
    (
        re.compile(r"^(?:http|nginx|apache|caddy|traefik|haproxy|iis|wordpress|nextcloud|litespeed)|cve[-_ ]"),
        Category.WEB,
    ),
)


@lru_cache(maxsize=1024)
def category_of(scenario: str) -> Category:
    """Return the category of a scenario (at most 256 characters); ips where its name tells nothing more."""
    name = scenario.lower().rpartition("/")[2]
    return next((category for pattern, category in _KINDS if pattern.search(name)), Category.IPS)
