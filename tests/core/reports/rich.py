"""A report with something in every section, and the same with what attackers write instead of every name."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from vxtray.core.reports.build import Gap, MailHealth, Report, build_report
from vxtray.core.reports.period import Cadence, period_containing
from vxtray.core.store import (
    Ban,
    Bans,
    Bucket,
    Count,
    News,
    Offender,
    SignIns,
    Silence,
    SourceActivity,
    Summary,
    Threat,
    Top,
    Totals,
    Vpn,
)

PARIS = ZoneInfo("Europe/Paris")
IPV6 = "2001:db8:2566:2282:aaaa:bbbb:cccc:7e36"
INTERNAL = "10.198.47.71"
HOST = "gestion-documentaire-interne.prefecture.example.gouv.fr"
RULE = "SERVER-WEBAPP bad HTTP 1.1 request - potential worm attack"

_SOURCES = (
    ("18.160.13.241", 12365, 8655, "CN"),
    ("68.7.246.220", 6047, 4172, "US"),
    (IPV6, 3848, 2693, "FR"),
    ("203.0.113.78", 2797, 1929, "VC"),
    ("203.0.113.79", 1702, 700, "GS"),
    (INTERNAL, 1200, 0, ""),
)
_WEIGHTS = (31, 40, 39, 28, 34, 17, 11)


def rich(cadence: Cadence = Cadence.WEEKLY, day: date = date(2026, 1, 14), *, says: str = "") -> Report:
    """Return it; ``says`` stands for every name that a log gives, where it is not empty."""
    period = period_containing(cadence, day, PARIS)

    def at(hours: float) -> datetime:
        return period.start.astimezone(UTC) + timedelta(hours=hours)

    def name(text: str) -> str:
        return says or text

    def top(text: str, events: int, blocked: int, **more: object) -> Top:
        seen = {"first_seen": at(1), "last_seen": at(20)}
        return Top(name=name(text), events=events, blocked=blocked, share=events / 200_000, **seen, **more)  # type: ignore[arg-type]

    def count(text: str, events: int) -> Count:
        return Count(name=name(text), events=events)

    hourly = cadence is Cadence.DAILY
    step = timedelta(hours=1) if hourly else timedelta(days=1)
    long = period.end.astimezone(UTC) - period.start.astimezone(UTC) if hourly else period.end - period.start
    buckets = tuple(
        Bucket(
            start=(period.start.astimezone(UTC) + step * n).astimezone(PARIS) if hourly else period.start + step * n,
            events=_WEIGHTS[n % 7] * 1003,
            blocked=_WEIGHTS[n % 7] * 371,
            critical=5,
        )
        for n in range(round(long / step))
    )
    summary = Summary(
        start=period.start,
        end=period.end,
        totals=Totals(
            events=200_600,
            blocked=74_200,
            detected=412,
            allowed=120_007,
            critical=37,
            unique_sources=4211,
            new_bans=18,
            active_bans=42,
        ),
        by_severity={"critical": 37, "high": 2400, "medium": 20_013, "low": 60_002, "info": 118_148},
        by_category={"firewall": 120_001, "waf": 50_009, "vpn": 6111, "ban": 30, name("malware"): 5},
        top_sources=tuple(
            top(address, events, blocked, country=name(country), new=n == 2, tried=(name(RULE), "waf"))
            for n, (address, events, blocked, country) in enumerate(_SOURCES)
        ),
        top_targets=(top("shop.example.com", 9001, 4007), top(HOST, 8303, 1111, new=True)),
        top_rules=(
            top("SQL injection", 7007, 3003, label=name("942100"), severity="critical"),
            top(RULE, 6501, 3002, label=name("1881"), severity="high"),
        ),
        top_countries=(
            Top(name=name("CN"), events=20_005, blocked=9009, share=0.1),
            Top(name=name("GS"), events=17_503, blocked=8008, share=0.08),
        ),
        buckets=buckets,
        bans=Bans(
            new=(Ban(address=name(IPV6), at=at(11), rule=name("crowdsecurity/http-probing"), country="FR", before=1),),
            unbans=4,
            repeat_offenders=2,
            offenders=(
                Offender(address=name(IPV6), country=name("FR"), bans=13, in_period=3, first=at(-2000), last=at(11)),
            ),
        ),
        sign_ins=SignIns(
            failed=1841,
            by_kind={"vpn": 903, "ssh": 701, "admin": 41, "mail": 196},
            users=77,
            sources=210,
            top_users=(count("jean-baptiste.de-la-rochefoucauld@prefecture.example.gouv.fr", 607),),
            top_sources=(count(IPV6, 303),),
        ),
        vpn=Vpn(
            events=6111, connections=820, sign_ins=913, failures=904, users=39, top_users=(count("m.dupont", 121),)
        ),
        threats=(
            Threat(
                name=name("Mal/Generic-S"),
                category="malware",
                events=15,
                blocked=14,
                hosts=6,
                users=9,
                affected=(name(INTERNAL),),
            ),
        ),
        news=News(
            known_since=at(-4000),
            sources=312,
            targets=22,
            rules=11,
            top_sources=(count(IPV6, 3848),),
            top_targets=(count(HOST, 8303),),
            top_rules=(count(RULE, 6501),),
        ),
        sources=(
            SourceActivity(name=name("Sophos XGS2100"), events=198_600, last_event=at(23)),
            SourceActivity(
                name=name("fail2ban web-1"),
                events=2000,
                last_event=at(22),
                silent_stretches=1,
                silences=(Silence(start=at(3), end=at(7)),),
            ),
        ),
    )
    before = Totals(
        events=194_007,
        blocked=69_555,
        detected=500,
        allowed=118_003,
        critical=43,
        unique_sources=4100,
        new_bans=14,
        active_bans=40,
    )
    return build_report(
        period,
        summary,
        before,
        made_at=period.end + timedelta(hours=8),
        gaps=(Gap(start=at(5), end=at(6), source=name("Sophos XGS2100"), lines=321),),
        rejected={name("Sophos XGS2100"): 12},
        mail=MailHealth(sent=29, folded=419, failed=0),
    )
