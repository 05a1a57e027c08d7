"""Every section of a summary against a recount in Python, over random small stores."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import strategies as st

from tests.core.store.engines import ENGINES, examples
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.store import (
    Ban,
    Bans,
    Count,
    EventQuery,
    News,
    Offender,
    SignIns,
    Silence,
    SourceActivity,
    Summary,
    Threat,
    Totals,
    Vpn,
)
from vxtray.core.store.localtime import start_of_day, utc

PARIS = ZoneInfo("Europe/Paris")
START, END = start_of_day(date(2026, 3, 29), PARIS), start_of_day(date(2026, 3, 30), PARIS)  # 23 hours
BEFORE = START.astimezone(UTC) - timedelta(days=1)
HOUR = timedelta(hours=1)
TOP = 3
_ALL = EventQuery()

MESSAGES = [
    "",
    "User 'admin' failed to login using GUI",
    "User 'admin' failed to login using ssh because of wrong credentials",
    "User a failed to login to Firewall through AD authentication mechanism because of wrong credentials",
    "SSL VPN User 'a' connected",
    "SSL VPN User 'a' disconnected",
    "IPSec Connection HQ between 198.51.100.1 and 192.0.2.1 for Child HQ established.",
]
events = st.builds(
    SecurityEvent,
    # few moments, so that many are equal
    at=st.integers(0, 36).map(lambda n: BEFORE + n * 2 * HOUR),
    source=st.sampled_from(["sophos", "fail2ban", "crowdsec"]),
    category=st.sampled_from([*Category, Category.AUTH, Category.VPN, Category.MALWARE, Category.ATP]),
    action=st.sampled_from([*Action, Action.FAILED, Action.BANNED]),
    severity=st.sampled_from(list(Severity)),
    src_ip=st.sampled_from(["", "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"]),
    country=st.sampled_from(["", "FR", "CN"]),
    dst_ip=st.sampled_from(["", "10.0.0.1", "a.example"]),
    target_host=st.sampled_from(["", "a.example", "b.example"]),
    user=st.sampled_from(["", "a", "B"]),
    rule_id=st.sampled_from(["", "1", "2", "3"]),
    rule_name=st.sampled_from(["", "1", "sshd", "postfix-sasl", "nginx-http-auth", "C2/Generic-A"]),
    message=st.sampled_from(MESSAGES),
)


def rule(event: SecurityEvent) -> str:
    return event.rule_name or event.rule_id


def ranked(names: Iterable[str], top: int = TOP) -> tuple[Count, ...]:
    found = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))[:top]
    return tuple(Count(name=name, events=n) for name, n in found)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
@examples(25, 5, batch=st.lists(events, max_size=60), silent=st.sampled_from([0, 3, 5]))
def test_sections_equal_a_recount(engine, tmp_path_factory, batch, silent):
    store = engine(tmp_path_factory.mktemp("store"))
    try:
        store.append(batch)
        stored = sorted(store.search(_ALL, limit=1000), key=lambda event: (event.at, event.seq))
        found = store.summarize(START, END, by_day=False, top=TOP, silent=silent * HOUR)
        assert store.totals(START, END) == found.totals
    finally:
        store.close()
    earlier = [event for event in stored if event.at < utc(START)]
    inside = [event for event in stored if utc(START) <= event.at < utc(END)]
    assert len(stored) == len(batch)
    _check_tops(found, inside, earlier)
    assert found.bans == expected_bans(inside, earlier)
    assert found.sign_ins == expected_sign_ins(inside)
    assert found.vpn == expected_vpn(inside)
    assert found.threats == expected_threats(inside)
    assert found.news == expected_news(inside, earlier, stored)
    assert found.sources == expected_sources(inside, earlier, silent * HOUR)


def _check_tops(found: Summary, inside: list[SecurityEvent], earlier: list[SecurityEvent]) -> None:
    names = {
        "top_sources": lambda e: e.src_ip,
        "top_targets": lambda e: e.target,
        "top_rules": rule,
        "top_countries": lambda e: e.country,
    }
    for section, name in names.items():
        tops = getattr(found, section)
        assert [(top.name, top.events) for top in tops] == [
            (count.name, count.events) for count in ranked(filter(None, map(name, inside)))
        ]
        known = {name(event) for event in earlier}
        for top in tops:
            mine = [event for event in inside if name(event) == top.name]
            assert (top.first_seen, top.last_seen) == (mine[0].at, mine[-1].at)
            assert top.blocked == sum(event.blocked for event in mine)
            assert top.share == len(mine) / len(inside)
            assert top.new == (bool(earlier) and section != "top_countries" and top.name not in known)
            if section == "top_sources":
                assert top.country == newest_country(mine)
                assert top.tried == tuple(count.name for count in ranked(rule(e) or e.category for e in mine))
            if section == "top_rules":
                assert top.label == next((event.rule_id for event in reversed(mine) if event.rule_id), "")
                assert top.severity == max((event.severity for event in mine), key=lambda severity: severity.rank)


def newest_country(mine: list[SecurityEvent]) -> str:
    return next((event.country for event in reversed(mine) if event.country), "")


def expected_bans(inside: list[SecurityEvent], earlier: list[SecurityEvent]) -> Bans:
    new = [event for event in inside if event.action is Action.BANNED and event.src_ip]
    every = [event for event in [*earlier, *inside] if event.action is Action.BANNED and event.src_ip]
    country = {name: newest_country([e for e in inside if e.src_ip == name]) for name in {e.src_ip for e in new}}
    told = [
        Ban(
            address=event.src_ip,
            at=event.at,
            rule=rule(event),
            country=country[event.src_ip],
            before=sum(
                other.src_ip == event.src_ip and (other.at, other.seq) < (event.at, event.seq) for other in every
            ),
        )
        for event in reversed(new)
    ]
    offenders = []
    for name, land in country.items():
        mine = [event for event in every if event.src_ip == name]
        if len(mine) > 1:
            offenders.append(
                Offender(
                    address=name,
                    country=land,
                    bans=len(mine),
                    in_period=sum(event.src_ip == name for event in new),
                    first=mine[0].at,
                    last=mine[-1].at,
                )
            )
    offenders.sort(key=lambda one: (-one.bans, -one.last.timestamp(), one.address))
    return Bans(
        new=tuple(told[:TOP]),
        unbans=sum(event.action is Action.UNBANNED for event in inside),
        repeat_offenders=len(offenders),
        offenders=tuple(offenders[:TOP]),
    )


def expected_sign_ins(inside: list[SecurityEvent]) -> SignIns:
    failed = [
        event
        for event in inside
        if (event.category is Category.AUTH and event.action in {"failed", "blocked", "detected"})
        or (event.category is Category.VPN and event.action is Action.FAILED and event.user)
    ]
    users, sources = ({getattr(event, field) for event in failed} - {""} for field in ("user", "src_ip"))
    return SignIns(
        failed=len(failed),
        by_kind=dict(Counter(map(kind, failed))),
        users=len(users),
        sources=len(sources),
        top_users=ranked(filter(None, (event.user for event in failed))),
        top_sources=ranked(filter(None, (event.src_ip for event in failed))),
    )


def kind(event: SecurityEvent) -> str:
    if event.category is Category.VPN:
        return "vpn"
    if "ssh" in event.rule_name or "using ssh" in event.message:
        return "ssh"
    named = {"postfix-sasl": "mail", "nginx-http-auth": "web"}.get(event.rule_name)
    return named or ("admin" if "using GUI" in event.message else "other")


def expected_vpn(inside: list[SecurityEvent]) -> Vpn:
    vpn = [event for event in inside if event.category is Category.VPN]
    began = [event for event in vpn if event.action is Action.INFO and re.search(r"\b(conn|est)\w+ed\b", event.message)]
    accepted = [event for event in vpn if event.action is Action.ALLOWED]
    users = [event.user for event in (*began, *accepted) if event.user]
    return Vpn(
        events=len(vpn),
        connections=len(began),
        sign_ins=len(accepted),
        failures=sum(event.action in {Action.FAILED, Action.BLOCKED} for event in vpn),
        users=len(set(users)),
        top_users=ranked(users),
    )


def expected_threats(inside: list[SecurityEvent]) -> tuple[Threat, ...]:
    hits: dict[tuple[str, str], list[SecurityEvent]] = {}
    for event in inside:
        if event.category in {Category.ATP, Category.MALWARE}:
            hits.setdefault((rule(event) or event.message[:100], event.category.value), []).append(event)
    threats = [
        Threat(
            name=name,
            category=category,
            events=len(mine),
            blocked=sum(event.blocked for event in mine),
            hosts=len({event.src_ip for event in mine} - {""}),
            users=len({event.user for event in mine} - {""}),
            affected=tuple(
                count.name
                for field in ("src_ip", "user")
                for count in ranked(filter(None, (getattr(event, field) for event in mine)))
            ),
        )
        for (name, category), mine in hits.items()
    ]
    return tuple(sorted(threats, key=lambda one: (-one.events, one.name, one.category))[:TOP])


def expected_news(inside: list[SecurityEvent], earlier: list[SecurityEvent], stored: list[SecurityEvent]) -> News:
    since = stored[0].at if stored else None
    if not earlier:
        return News(known_since=since)
    lists = []
    for name in (lambda e: e.src_ip, lambda e: e.target, rule):
        known = {name(event) for event in earlier}
        lists.append([text for event in inside if (text := name(event)) and text not in known])
    sources, targets, rules = lists
    return News(
        known_since=since,
        sources=len(set(sources)),
        targets=len(set(targets)),
        rules=len(set(rules)),
        top_sources=ranked(sources),
        top_targets=ranked(targets),
        top_rules=ranked(rules),
    )


def expected_sources(
    inside: list[SecurityEvent], earlier: list[SecurityEvent], limit: timedelta
) -> tuple[SourceActivity, ...]:
    found = []
    for name in {event.source for event in (*inside, *earlier)}:
        mine = [event.at for event in inside if event.source == name]
        old = [event.at for event in earlier if event.source == name]
        marks = [*([utc(START)] if old else []), *mine, utc(END)]
        silences = [Silence(start=one, end=other) for one, other in pairwise(marks) if limit and other - one > limit]
        silences.sort(key=lambda silence: (silence.start - silence.end, silence.start))
        found.append(
            SourceActivity(
                name=name,
                events=len(mine),
                last_event=max([*mine, *old]),
                silent_stretches=len(silences),
                silences=tuple(silences[:3]),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.events, one.name)))


def made(at: datetime, **fields: object) -> SecurityEvent:
    event = SecurityEvent(at=at, source="fw", category=Category.WAF, action=Action.BLOCKED, severity=Severity.LOW)
    return msgspec.structs.replace(event, **fields)


def test_a_quiet_period_of_a_store_that_knows_something(store):
    store.append([made(utc(START) - HOUR)])
    summary = store.summarize(START, END, by_day=False, silent=HOUR)
    whole = Silence(start=utc(START), end=utc(END))
    assert summary.totals == Totals()
    assert summary.news == News(known_since=utc(START) - HOUR)
    assert summary.sources == (
        SourceActivity(name="fw", events=0, last_event=utc(START) - HOUR, silent_stretches=1, silences=(whole,)),
    )
    assert (summary.bans, summary.sign_ins, summary.vpn, summary.threats) == (Bans(), SignIns(), Vpn(), ())


def test_silence_ends_now_where_the_period_is_not_over(store):
    store.append([made(utc(START) - HOUR), made(utc(START) + HOUR)])
    now = utc(START) + 4 * HOUR
    [source] = store.summarize(START, END, by_day=False, silent=2 * HOUR, now=now).sources
    assert source.silences == (Silence(start=utc(START) + HOUR, end=now),)
    [source] = store.summarize(START, END, by_day=False, silent=2 * HOUR, now=utc(START) + 2 * HOUR).sources
    assert source.silences == ()


def test_what_retention_deleted_is_new_again_and_the_summary_says_since_when(store):
    store.append([made(utc(START) - n * HOUR, src_ip=f"192.0.2.{n}") for n in (1, 5)])
    store.append([made(utc(START), src_ip=f"192.0.2.{n}") for n in (1, 5, 9)])
    assert store.summarize(START, END, by_day=False).news.sources == 1
    store.prune(utc(START) - 3 * HOUR)
    news = store.summarize(START, END, by_day=False).news
    assert (news.known_since, news.sources) == (utc(START) - HOUR, 2)
    assert news.top_sources == (Count(name="192.0.2.5", events=1), Count(name="192.0.2.9", events=1))
    store.prune(utc(START))
    assert store.summarize(START, END, by_day=False).news == News(known_since=utc(START))
