"""Sophos lines made here, and how many of what they hold, counted from the text and not by our parser."""

import re
from collections import Counter
from datetime import datetime

HEAD = 'device_name="SFW" timestamp="{stamp}" device_model="XGS2100" device_serial_id="X2100" log_id="{log_id}"'


def _head(at: datetime, log_id: str, words: str) -> str:
    return f"{HEAD.format(stamp=at.strftime('%Y-%m-%dT%H:%M:%S%z'), log_id=log_id)} {words} log_version=1"


def waf(at: datetime, address: str, score: int, host: str = "shop.example.com") -> str:
    """Return a web attack that was blocked; critical from a score of 20 on."""
    scores = f"Total Score: {score}, SQLi={score}, XSS="
    extra = f"Inbound Anomaly Score Exceeded ({scores}): Last Matched Message: SQL Injection"
    return (
        _head(at, "075000617071", 'log_type="WAF" log_component="Web Application Firewall"')
        + f' severity="Information" user_name="-" server="{host}" src_ip="{address}" src_country="CHN"'
        + ' dst_ip="172.16.16.20" protocol="HTTP/1.1" url="/" query_string="" method="GET" http_status="403"'
        + f' reason="WAF Anomaly" extra="{extra}" user_agent="curl/8.5.0" fw_rule_id="79"'
    )


def firewall(at: datetime, address: str, *, denied: bool) -> str:
    """Return a connection."""
    log_id, subtype = ("010102600002", "Denied") if denied else ("010101600001", "Allowed")
    return (
        _head(at, log_id, f'log_type="Firewall" log_component="Firewall Rule" log_subtype="{subtype}"')
        + f' severity="Information" fw_rule_id="5" fw_rule_name="LAN to WAN" src_ip="{address}" src_country="FRA"'
        + ' dst_ip="172.16.16.30" protocol="TCP" src_port=40000 dst_port=443'
    )


def counted(text: str, day: str) -> dict[str, int]:
    """Return the totals of the lines whose time stamp begins with a day, by patterns of our own."""
    lines = [line for line in text.splitlines() if f'timestamp="{day}T' in line]
    scores = [int(found[1]) for line in lines if (found := re.search(r"Total Score: (\d+)", line))]
    return {
        "events": len(lines),
        "blocked": sum(bool(re.search(r'log_subtype="(Denied|Drop)"|reason="WAF Anomaly"', line)) for line in lines),
        "detected": sum('log_subtype="Detect"' in line for line in lines),
        "critical": sum(score >= 20 for score in scores),
        "unique_sources": len(sources(text, day)),
    }


def sources(text: str, day: str) -> Counter[str]:
    """Return how many lines of a day each source address has."""
    return Counter(
        found[1]
        for line in text.splitlines()
        if f'timestamp="{day}T' in line and (found := re.search(r'src_ip="([^"]+)"', line))
    )
