"""The SQL behind the further sections of a summary: bans, sign-ins, VPN, threats, and the sources of events.

Runs on the thread that asks, within the transaction of ``queries``. Times in SQL are naive and in UTC.
"""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from vxtray.core.events import BLOCKED
from vxtray.core.store import Ban, Bans, Count, Offender, SignIns, Silence, SourceActivity, Threat, Vpn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: ``start`` and ``end``, naive and in UTC.
Parameters = dict[str, datetime]

BLOCKED_SQL = "(" + ", ".join(f"'{action}'" for action in sorted(BLOCKED)) + ")"
IN_PERIOD = '"at" >= $start AND "at" < $end'
_RULE = "CASE WHEN rule_name <> '' THEN rule_name ELSE rule_id END"

#: What a source tried, hosts and users of a threat, silences of a source: at most so many of each.
_FEW = 3
_MOST_THREATS = 50

_DIFFERENT_SOURCES = f"SELECT count(DISTINCT src_ip) FROM events WHERE {IN_PERIOD} AND src_ip <> ''"  # noqa: S608 - constants

_LATEST = 'SELECT count(*) FROM (SELECT arg_max(action, row("at", seq)) AS latest FROM {} GROUP BY src_ip)'
_STILL = "WHERE latest = 'banned'"
_BANS_SQL = """
WITH verdicts AS MATERIALIZED (
    SELECT src_ip, "at", seq, action, rule_name, rule_id FROM events
    WHERE action IN ('banned', 'unbanned') AND "at" < $end AND src_ip <> ''
)
"""
_ACTIVE_BANS = f"{_BANS_SQL} {_LATEST.format('verdicts')} {_STILL}"

# Addresses banned in the period: all bans of theirs that the store has, numbered in order.
_BANS = f"""
{_BANS_SQL}, banned AS MATERIALIZED (
    SELECT src_ip, "at", seq, {_RULE} AS rule, "at" >= $start AS inside FROM verdicts WHERE action = 'banned'
), addresses AS MATERIALIZED (
    SELECT src_ip, count(*) AS bans, count(*) FILTER (inside) AS in_period, min("at") AS first, max("at") AS last
    FROM banned GROUP BY src_ip HAVING in_period > 0
), newest AS MATERIALIZED (SELECT * FROM banned WHERE inside ORDER BY "at" DESC, seq DESC LIMIT $top)
SELECT 0 AS part, src_ip, bans, in_period, first, last, '' AS rule FROM (
    SELECT * FROM addresses WHERE bans > 1 ORDER BY bans DESC, last DESC, src_ip LIMIT $top
) UNION ALL
SELECT 1, '', count(*), ({_LATEST.format("verdicts")} {_STILL}), NULL, NULL, '' FROM addresses WHERE bans > 1 UNION ALL
SELECT 2, newest.src_ip, newest.seq, count(banned.seq), newest."at", NULL, newest.rule
FROM newest LEFT JOIN banned ON banned.src_ip = newest.src_ip AND (banned."at", banned.seq) < (newest."at", newest.seq)
GROUP BY newest.src_ip, newest.seq, newest."at", newest.rule
"""  # noqa: S608 - only constants are put in

_ABOUT = f"""
SELECT src_ip, {_RULE} AS rule, category::VARCHAR AS category, count(*) AS events, country,
       min("at") AS first, max("at") AS last, max(epoch_us("at")::HUGEINT * 9223372036854775808 + seq) AS newest
FROM events WHERE {IN_PERIOD} AND src_ip IN (SELECT unnest($names)) GROUP BY src_ip, rule, category, country
"""  # noqa: S608 - only constants are put in

# Sophos names the way in the message, fail2ban and CrowdSec the service in the jail or scenario.
_WAY = "CASE WHEN contains(message, ' using ') THEN lower(regexp_extract(message, ' using ([A-Za-z]+)', 1)) ELSE '' END"
_KIND = """
CASE WHEN category = 'vpn' THEN 'vpn'
     WHEN way = '' AND rule_name = '' THEN 'other'
     WHEN way IN ('ssh', 'cli') OR regexp_matches(rule_name, 'ssh', 'i') THEN 'ssh'
     WHEN regexp_matches(rule_name, 'sasl|postfix|dovecot|exim|mail|imap|pop3|smtp|sieve', 'i') THEN 'mail'
     WHEN regexp_matches(rule_name, 'http|apache|nginx|caddy|traefik|web|wordpress|wp|php|drupal|joomla', 'i')
     THEN 'web'
     WHEN way IN ('gui', 'console', 'webadmin') OR regexp_matches(rule_name, 'admin', 'i') THEN 'admin'
     ELSE 'other' END
"""
_SIGN_INS = f"""
WITH failed AS (
    SELECT {_KIND} AS kind, "user", src_ip FROM (
        SELECT category, rule_name, "user", src_ip, CASE category WHEN 'auth' THEN {_WAY} ELSE '' END AS way FROM events
        WHERE {IN_PERIOD} AND category IN ('auth', 'vpn') AND action IN ('failed', 'blocked', 'detected')
          AND (category = 'auth' OR action = 'failed' AND "user" <> '')
    )
), counted AS MATERIALIZED (
    SELECT grouping(kind, "user", src_ip) AS part, kind, "user" AS user_name, src_ip, count(*) AS events FROM failed
    GROUP BY GROUPING SETS ((kind), ("user"), (src_ip))
), users AS MATERIALIZED (SELECT user_name AS name, events FROM counted WHERE part = 5 AND user_name <> ''),
sources AS MATERIALIZED (SELECT src_ip AS name, events FROM counted WHERE part = 6 AND src_ip <> '')
SELECT 'kind', kind, events FROM counted WHERE part = 3 UNION ALL
SELECT 'user', * FROM (SELECT * FROM users ORDER BY events DESC, name LIMIT $top) UNION ALL
SELECT 'source', * FROM (SELECT * FROM sources ORDER BY events DESC, name LIMIT $top) UNION ALL
SELECT 'users', '', count(*) FROM users UNION ALL SELECT 'sources', '', count(*) FROM sources
"""  # noqa: S608 - only constants are put in

# A session that begins is no verdict, so its action is info; only its message says what it is.
_VPN = f"""
WITH vpn AS MATERIALIZED (
    SELECT "user" AS name, action::VARCHAR AS action, count(*) AS events, count(*) FILTER (
        action = 'info' AND regexp_matches(message, '\\b(connected|established)\\b', 'i')) AS connections
    FROM events WHERE {IN_PERIOD} AND category = 'vpn' GROUP BY ALL
), users AS MATERIALIZED (
    SELECT name, sum(connections + CASE action WHEN 'allowed' THEN events ELSE 0 END) AS events FROM vpn
    WHERE name <> '' GROUP BY name HAVING sum(connections + CASE action WHEN 'allowed' THEN events ELSE 0 END) > 0
)
SELECT 'user' AS part, name, events::BIGINT AS n
FROM (SELECT * FROM users ORDER BY events DESC, name LIMIT $top) UNION ALL
SELECT 'users', '', count(*) FROM users UNION ALL
SELECT 'events', '', coalesce(sum(events), 0)::BIGINT FROM vpn UNION ALL
SELECT 'connections', '', coalesce(sum(connections), 0)::BIGINT FROM vpn UNION ALL
SELECT 'sign_ins', '', coalesce(sum(events), 0)::BIGINT FROM vpn WHERE action = 'allowed' UNION ALL
SELECT 'failures', '', coalesce(sum(events), 0)::BIGINT FROM vpn WHERE action IN ('failed', 'blocked')
"""  # noqa: S608 - only constants are put in

_THREATS = f"""
WITH hits AS MATERIALIZED (
    SELECT CASE WHEN {_RULE} <> '' THEN {_RULE} ELSE message[:100] END AS name, category::VARCHAR AS category, src_ip,
           "user", count(*) AS n, count(*) FILTER (action IN {BLOCKED_SQL}) AS stopped
    FROM events WHERE {IN_PERIOD} AND category IN ('atp', 'malware') GROUP BY ALL
), threats AS MATERIALIZED (
    SELECT name, category, sum(n)::BIGINT AS events, sum(stopped)::BIGINT AS blocked,
           count(DISTINCT src_ip) FILTER (src_ip <> '') AS hosts, count(DISTINCT "user") FILTER ("user" <> '') AS users
    FROM hits GROUP BY name, category ORDER BY events DESC, name, category LIMIT $top
), affected AS (
    SELECT name, category, 0 AS kind, src_ip AS who, sum(n) AS hit FROM hits WHERE src_ip <> '' GROUP BY ALL UNION ALL
    SELECT name, category, 1 AS kind, "user" AS who, sum(n) AS hit FROM hits WHERE "user" <> '' GROUP BY ALL
), first_few AS (
    SELECT * FROM affected SEMI JOIN threats USING (name, category)
    QUALIFY row_number() OVER (PARTITION BY name, category, kind ORDER BY hit DESC, who) <= $few
), listed AS (
    SELECT name, category, list(who ORDER BY kind, hit DESC, who) AS few FROM first_few GROUP BY name, category
)
SELECT threats.*, listed.few FROM threats LEFT JOIN listed USING (name, category)
"""  # noqa: S608 - only constants are put in

# Within a slot as long as the limit nothing is silent for longer, so only the ends of slots need to be compared.
_ACTIVITY = f"""
WITH slots AS MATERIALIZED (
    SELECT source, (epoch_us("at") - epoch_us($start)) // $limit AS slot, count(*) AS events, min("at") AS first,
           max("at") AS last
    FROM events WHERE {IN_PERIOD} GROUP BY source, slot
), before AS MATERIALIZED (SELECT source, max("at") AS last FROM events WHERE "at" < $start GROUP BY source),
heard AS (SELECT source, slot, first, last FROM slots UNION ALL SELECT source, -1, $start, $start FROM before),
pauses AS (
    SELECT source, last AS begin,
           lead(first, 1, greatest($until, last)) OVER (PARTITION BY source ORDER BY slot) AS till
    FROM heard
), silences AS (
    SELECT source, begin, till, count(*) OVER (PARTITION BY source) AS stretches FROM pauses
    WHERE $told AND epoch_us(till) - epoch_us(begin) > $limit
    QUALIFY row_number() OVER (PARTITION BY source ORDER BY epoch_us(till) - epoch_us(begin) DESC, begin) <= $few
), sources AS (
    SELECT source, sum(events)::BIGINT AS events, max(last) AS last
    FROM (SELECT source, events, last FROM slots UNION ALL SELECT source, 0, last FROM before) GROUP BY source
)
SELECT source, events, last, coalesce(stretches, 0), begin, till FROM sources LEFT JOIN silences USING (source)
ORDER BY events DESC, source, epoch_us(till) - epoch_us(begin) DESC, begin
"""  # noqa: S608 - only constants are put in
_KNOWN_SINCE = 'SELECT min("at") FROM events'
_MICROSECOND = timedelta(microseconds=1)
_AGES = timedelta(days=400_000)


class Known(msgspec.Struct, frozen=True):
    """Since when the store knows of events (naive UTC), and the sources of all of them."""

    since: datetime | None
    sources: tuple[SourceActivity, ...]


class About(msgspec.Struct, frozen=True):
    """The newest country of each of some addresses, what they did most often, and when they were first and last seen.

    The times (aware) are those of the period; an address that has no event there is in none of the three.
    """

    countries: dict[str, str]
    deeds: dict[str, Counter[str]]
    seen: dict[str, tuple[datetime, datetime]]

    def country(self, address: str) -> str:
        """Return it, "" where no event of the period names one."""
        return self.countries.get(address, "")

    def tried(self, address: str) -> tuple[str, ...]:
        """Return at most three rules or categories."""
        ranked = sorted(self.deeds.get(address, Counter()).items(), key=lambda item: (-item[1], item[0]))
        return tuple(name for name, _ in ranked[:_FEW])


class Banned(msgspec.Struct, frozen=True):
    """What ``_BANS`` found: repeat offenders, how many there are, addresses still banned, and the newest bans."""

    offenders: list[tuple[Any, ...]]
    repeat: int
    active: int
    newest: list[tuple[Any, ...]]

    @property
    def addresses(self) -> set[str]:
        """All that are named."""
        return {row[0] for row in (*self.offenders, *self.newest)}

    def told(self, about: About, unbans: int) -> Bans:
        """Return the section."""
        return Bans(
            new=tuple(
                Ban(address=address, at=aware(at), rule=rule, country=about.country(address), before=before)
                for address, _seq, before, at, _, rule in sorted(self.newest, key=lambda row: (row[3], row[1]))[::-1]
            ),
            unbans=unbans,
            repeat_offenders=self.repeat,
            offenders=tuple(
                Offender(
                    address=address,
                    country=about.country(address),
                    bans=bans,
                    in_period=inside,
                    first=aware(first),
                    last=aware(last),
                )
                for address, bans, inside, first, last, _ in sorted(
                    self.offenders, key=lambda row: (-row[1], -aware(row[4]).timestamp(), row[0])
                )
            ),
        )


def aware(moment: datetime) -> datetime:
    """Return a time of the columns as one that says its zone."""
    return moment.replace(tzinfo=UTC)


def active_bans(cursor: "DuckDBPyConnection", period: Parameters) -> int:
    """Return how many addresses are banned at the end."""
    return _number(cursor, _ACTIVE_BANS, {"end": period["end"]})


def different_sources(cursor: "DuckDBPyConnection", period: Parameters) -> int:
    """Return how many source addresses there are in the period."""
    return _number(cursor, _DIFFERENT_SOURCES, period)


def bans(cursor: "DuckDBPyConnection", period: Parameters, top: int) -> Banned:
    """Return the newest bans of the period and the repeat offenders."""
    rows = cursor.execute(_BANS, {**period, "top": top}).fetchall()
    repeat, active = next(row[2:4] for row in rows if row[0] == 1)
    return Banned([row[1:] for row in rows if row[0] == 0], repeat, active, [row[1:] for row in rows if row[0] == 2])


def about(cursor: "DuckDBPyConnection", period: Parameters, addresses: Collection[str]) -> About:
    """Return what is known of some addresses by the events of the period."""
    newest: dict[str, tuple[int, str]] = {}
    deeds: dict[str, Counter[str]] = {}
    seen: dict[str, tuple[datetime, datetime]] = {}
    rows = cursor.execute(_ABOUT, {**period, "names": list(addresses)}).fetchall() if addresses else []
    for address, rule, category, events, country, first, last, moment in rows:
        former = seen.get(address, (aware(first), aware(last)))
        seen[address] = min(former[0], aware(first)), max(former[1], aware(last))
        deeds.setdefault(address, Counter())[rule or category] += events
        if country and moment > newest.get(address, (-1 << 127, ""))[0]:
            newest[address] = moment, country
    return About({address: country for address, (_, country) in newest.items()}, deeds, seen)


def sign_ins(cursor: "DuckDBPyConnection", period: Parameters, top: int) -> SignIns:
    """Return the failed sign-ins."""
    parts = _parts(cursor, _SIGN_INS, period, top)
    kinds = _ranked(parts, "kind")
    return SignIns(
        failed=sum(kind.events for kind in kinds),
        by_kind={kind.name: kind.events for kind in kinds},
        users=parts["users"][""],
        sources=parts["sources"][""],
        top_users=_ranked(parts, "user"),
        top_sources=_ranked(parts, "source"),
    )


def vpn(cursor: "DuckDBPyConnection", period: Parameters, top: int) -> Vpn:
    """Return the VPN's section."""
    parts = _parts(cursor, _VPN, period, top)
    figures = {name: parts[name][""] for name in ("events", "connections", "sign_ins", "failures", "users")}
    return Vpn(**figures, top_users=_ranked(parts, "user"))


def threats(cursor: "DuckDBPyConnection", period: Parameters, top: int) -> tuple[Threat, ...]:
    """Return malware and ATP by name."""
    rows = cursor.execute(_THREATS, {**period, "top": min(top, _MOST_THREATS), "few": _FEW}).fetchall()
    found = [
        Threat(**dict(zip(Threat.__struct_fields__, (*row[:-1], tuple(row[-1] or ())), strict=True))) for row in rows
    ]
    return tuple(sorted(found, key=lambda threat: (-threat.events, threat.name, threat.category)))


def known(cursor: "DuckDBPyConnection", period: Parameters, silent: timedelta, until: datetime) -> Known:
    """Return the sources with what they brought, and their silence up to ``until`` (naive UTC)."""
    since = cursor.execute(_KNOWN_SINCE).fetchall()[0][0]
    limit = (silent or _AGES) // _MICROSECOND
    values = {**period, "until": until, "limit": limit, "told": bool(silent), "few": _FEW}
    found: dict[str, SourceActivity] = {}
    for name, events, last, stretches, begin, till in cursor.execute(_ACTIVITY, values).fetchall():
        earlier = found[name].silences if name in found else ()
        silences = () if begin is None else (*earlier, Silence(start=aware(begin), end=aware(till)))
        found[name] = SourceActivity(
            name=name, events=events, last_event=aware(last), silent_stretches=stretches, silences=silences
        )
    return Known(since, tuple(found.values()))


def _number(cursor: "DuckDBPyConnection", sql: str, values: Parameters) -> int:
    return int(cursor.execute(sql, values).fetchall()[0][0])


def _parts(cursor: "DuckDBPyConnection", sql: str, period: Parameters, top: int) -> dict[str, Counter[str]]:
    parts: dict[str, Counter[str]] = {}
    for part, name, events in cursor.execute(sql, {**period, "top": top}).fetchall():
        parts.setdefault(part, Counter())[name] = events
    return parts


def _ranked(parts: dict[str, Counter[str]], part: str) -> tuple[Count, ...]:
    ranked = sorted(parts.get(part, Counter()).items(), key=lambda item: (-item[1], item[0]))
    return tuple(Count(name=name, events=events) for name, events in ranked)
