"""Alerts for the tests of the window: log lines of a firewall, read by the real program."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.gui.support.world import World

#: Scores of the firewall's WAF that are critical, and that are not.
CRITICAL, WARNING = 20, 4

MAIL = {
    "smtp.host": "127.0.0.1",
    "smtp.port": 1,
    "smtp.auth": "none",
    "smtp.security": "none",
    "smtp.from_address": "alerts@example.com",
    "smtp.recipients": ("boss@example.com",),
    "alerts.waf_blocked": True,
    "alerts.minimum_severity": "low",
}


def blocked(at: datetime, source: str, said: str = "SQL Injection Attack", score: int = CRITICAL) -> str:
    """Return the line of a web attack that the firewall stopped."""
    return (
        f'<30>device="SFW" date={at:%Y-%m-%d} time={at:%H:%M:%S} timezone="UTC" device_name="XG230" '
        'device_id=1234567890123457 log_id=075000617071 log_type="WAF" log_component="Web Application Firewall" '
        f'priority=Information user_name="-" server=shop.example.com sourceip={source} localip=192.0.2.1 '
        'ws_protocol="HTTP/1.1" url=/ querystring="" cookie="-" referer="-" method=GET httpstatus=403 '
        f'reason="WAF Anomaly" extra="Inbound Anomaly Score Exceeded (Total Score: {score}, SQLi=5, XSS=): '
        f'Last Matched Message: {said}" contenttype="text/html" useragent="-" host={source} responsetime=608 '
        "bytessent=5353 bytesrcv=295 fw_rule_id=3\n"
    )


def attack(world: World, n: int, source: str, *, score: int = CRITICAL, days_ago: float = 0) -> None:
    """Let the program read the lines of ``n`` attacks of one source, the last one just now."""
    now = datetime.now(UTC) - timedelta(days=days_ago)
    lines = [blocked(now - timedelta(seconds=n - at), source, score=score) for at in range(n)]
    log = Path(world.profile.config) / f"{source}-{n}-{score}-{days_ago}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(lines))
    assert world.engine.import_files([log], alerts=not days_ago).stored == n
