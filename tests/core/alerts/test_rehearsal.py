"""A rehearsal says what the live desk would have mailed, wherever it runs, and its totals are exact."""

import multiprocessing
import random
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.core.parsers.sophos_truth import expected_severity, generated
from vxtray.core.alerts import rehearsal
from vxtray.core.alerts.accounts import Rehearsal
from vxtray.core.alerts.grouping import Grouping
from vxtray.core.alerts.incidents import Kind, Letter, Shape, Why
from vxtray.core.alerts.matching import SWITCHED, matched_counts, matching, with_rules
from vxtray.core.alerts.rehearsal import reason, rehearse, rehearse_stored
from vxtray.core.alerts.rules import Rule, alerts_for
from vxtray.core.alerts.state import State
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import parse
from vxtray.core.settings.tree import Alerts, QuietHours
from vxtray.core.store import EventStore
from vxtray.core.store.embedded import EmbeddedStore

PARIS = ZoneInfo("Europe/Paris")
NIGHT = datetime(2026, 11, 21, 20, tzinfo=PARIS).astimezone(UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ON = Alerts(waf_detected=True, waf_blocked=True, new_ban=True, minimum_severity=Severity.HIGH)
QUIET = QuietHours(enabled=True, start="21:00", end="21:40")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    yield store
    store.close()


def event(seconds: float = 0, **fields: object) -> SecurityEvent:
    base = SecurityEvent(
        at=NIGHT + seconds * SECOND,
        source="fw",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.HIGH,
        src_ip="192.0.2.1",
        target_host="shop.example.com",
        rule_name="SQL injection",
    )
    return msgspec.structs.replace(base, **fields)


def stream(seed: int, hours: int = 3) -> list[SecurityEvent]:
    """Make quiet times, a few of the same, storms of one source and storms of many, in order of time."""
    dice = random.Random(seed)
    events, second = [], 0
    while second < hours * 3600:
        second += round(dice.expovariate(1 / 400))
        several = dice.choice((1, 1, 2, 6, 15, 60))
        spread = dice.choice((1, 1, 1, several))
        kind = dice.choice(
            ((Category.WAF, Action.BLOCKED), (Category.WAF, Action.DETECTED), (Category.BAN, Action.BANNED))
        )
        severity = dice.choice((Severity.CRITICAL, Severity.HIGH, Severity.HIGH, Severity.LOW))
        for number in range(several):
            address = f"192.0.2.{number % spread}"
            events.append(event(second, category=kind[0], action=kind[1], severity=severity, src_ip=address))
            second += dice.choice((0, 0, 1, 5, 40))
    return [msgspec.structs.replace(one, seq=seq) for seq, one in enumerate(events, 1)]


def lived(events: Sequence[SecurityEvent], settings: Alerts, until: datetime) -> tuple[list[Letter], int]:
    """Have a clock tick each second: what is due is done, then what came in that second is looked at."""
    grouping = Grouping(State())
    coming = {at: list(those) for at, those in groupby(events, key=lambda one: one.at)}
    letters = []
    now = events[0].at
    while now <= until:
        entries = list(grouping.due(now, settings, PARIS))
        entries += grouping.look_at(alerts_for(coming.get(now, ()), settings), now, settings, PARIS)
        letters += [entry for entry in entries if isinstance(entry, Letter)]
        now += SECOND
    return letters, grouping.untold()


def check_sums(found: Rehearsal) -> None:
    assert found.at_once + found.folded + found.held + found.untold == found.matched == sum(found.by_rule.values())
    if found.made == len(found.mails):
        assert sum(mail.events for mail in found.mails) + found.untold == found.matched


@pytest.mark.parametrize(
    "settings",
    [
        ON,
        msgspec.structs.replace(ON, quiet_hours=QUIET, max_mails_per_hour=4, summary_minutes=10),
        msgspec.structs.replace(ON, group_seconds=0, max_mails_per_hour=3),
        msgspec.structs.replace(ON, group_seconds=60, quiet_hours=QUIET),
    ],
    ids=["default", "quiet and capped", "each alone", "short"],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_what_the_live_desk_would_have_mailed(settings, seed):
    events = stream(seed)
    until = NIGHT + 4 * HOUR
    letters, untold = lived(events, settings, until)
    found = rehearse(events, settings, PARIS, until, recipients=("a@example.org",))
    assert [(mail.at, mail.kind, mail.incident, mail.shape, mail.events, mail.title) for mail in found.mails] == [
        (one.at, one.kind, one.incident.id, one.incident.shape, one.events, one.incident.title) for one in letters
    ]
    assert (found.made, found.untold, found.recipients) == (len(letters), untold, ("a@example.org",))
    assert (found.events, found.matched) == (len(events), len(alerts_for(events, settings)))
    check_sums(found)


def rehearsed(store: EventStore, *variants: Alerts, **options: object) -> list[Rehearsal]:
    found = rehearse_stored(store, variants, PARIS, NIGHT - HOUR, NIGHT + 4 * HOUR, **options)
    assert found is not None
    return found


def test_stored_events_make_what_the_events_make_here_and_beside(store, monkeypatch):
    events = stream(3)
    store.append(events)
    settings = msgspec.structs.replace(ON, quiet_hours=QUIET)
    told: list[tuple[int, int]] = []
    here = rehearsed(store, settings, with_rules(settings, [Rule.NEW_BAN]), progress=lambda *done: told.append(done))
    plain = rehearse(events, settings, PARIS, NIGHT + 4 * HOUR, since=NIGHT - HOUR)
    assert here[0] == msgspec.structs.replace(plain, events=len(events))
    assert here[1].by_rule.keys() == {Rule.NEW_BAN}
    assert told[-1][0] == told[-1][1] > 0
    monkeypatch.setattr(rehearsal, "_MANY", 0)
    beside_told: list[tuple[int, int]] = []
    beside = rehearsed(
        store, settings, with_rules(settings, [Rule.NEW_BAN]), progress=lambda *done: beside_told.append(done)
    )
    assert beside == here
    assert beside_told[-1] == told[-1]
    assert not multiprocessing.active_children()


@pytest.mark.expected_log("rehearsing without it")
def test_where_the_process_dies_it_is_done_here(store, monkeypatch):
    store.append(stream(4))
    monkeypatch.setattr(rehearsal, "_MANY", 0)
    killed = []

    def kill(_done: int, _all: int) -> None:
        for child in multiprocessing.active_children() if not killed else ():
            child.kill()
            child.join()
            killed.append(child.name)

    found = rehearsed(store, ON, progress=kill)
    assert killed == ["vxtray-rehearsal"]
    monkeypatch.undo()
    assert found == rehearsed(store, ON)


@pytest.mark.parametrize("many", [0, 10**9])
def test_it_can_be_stopped(store, monkeypatch, many):
    store.append(stream(5))
    monkeypatch.setattr(rehearsal, "_MANY", many)
    stop = threading.Event()
    options = {"progress": lambda *_: stop.set(), "stop": stop}
    assert rehearse_stored(store, [ON, ON], PARIS, NIGHT - HOUR, NIGHT + 4 * HOUR, **options) is None
    assert not multiprocessing.active_children()


def test_nothing_stored_makes_nothing(store):
    assert rehearsed(store, ON) == [Rehearsal(since=NIGHT - HOUR, until=NIGHT + 4 * HOUR)]


def test_mails_beyond_the_list_are_counted(monkeypatch):
    monkeypatch.setattr(rehearsal, "MOST_MAILS", 3)
    found = rehearse(stream(6), ON, PARIS, NIGHT + 4 * HOUR)
    assert len(found.mails) == 3 < found.made
    check_sums(found)


def test_a_mail_says_whose_it_is_and_why_it_is():
    """A first one, what was folded, a storm of one and of many, and the night's digest."""
    quiet = msgspec.structs.replace(ON, critical=False, quiet_hours=QUIET)
    found = rehearse([event(0), event(10), event(3700)], quiet, PARIS, NIGHT + 3 * HOUR)
    assert [(mail.kind, mail.rule, mail.source, mail.target, mail.why) for mail in found.mails] == [
        (Kind.FIRST, Rule.WAF_BLOCKED, "192.0.2.1", "shop.example.com", None),
        (Kind.MORE, Rule.WAF_BLOCKED, "192.0.2.1", "shop.example.com", None),
        (Kind.DIGEST, Rule.WAF_BLOCKED, "", "", Why.QUIET_HOURS),
    ]
    words = [reason(mail, quiet).in_language("en") for mail in found.mails]
    assert words == [
        "The first of its kind, told at once.",
        "Folded: the same rule, source and target within 5 min.",
        "Held by the quiet hours, told once they were over.",
    ]
    storm = rehearse([event(number) for number in range(40)], ON, PARIS, NIGHT + HOUR)
    assert [mail.kind for mail in storm.mails] == [Kind.FIRST, Kind.STARTED, Kind.OVER]
    assert "A storm of one rule" in reason(storm.mails[1], ON).in_language("en")
    wide = rehearse([event(number, src_ip=f"192.0.2.{number}") for number in range(40)], ON, PARIS, NIGHT + HOUR)
    assert (wide.mails[-1].shape, wide.mails[-1].source) == (Shape.WIDE, "")
    assert {reason(mail, ON).in_language("en") for mail in wide.mails} == {
        "The first of its kind, told at once.",
        "A storm of many sources or targets, counted from here on.",
        "The storm is over: the count of all.",
    }


# --- exact totals -----------------------------------------------------------------------------------------------------


def test_generated_lines_match_as_their_maker_says(shared, tmp_path, store):
    (tmp_path / "made").mkdir()
    lines, truth = generated(shared / "tools" / "make_events.py", tmp_path / "made", "--days", "4", "--tz", "+0000")
    events = [one for line in lines if isinstance(one := parse(line, zone=UTC), SecurityEvent)]
    store.append(events)
    since, until = events[0].at, events[-1].at + SECOND
    every = msgspec.structs.replace(ON, minimum_severity=Severity.INFO)
    critical = expected_severity(truth, lines)["critical"]
    blocked = sum(day["waf"].get("blocked", 0) for day in truth["by_day_utc_category_action"].values())
    counts = matched_counts(store, every, since, until)
    assert counts == {Rule.CRITICAL: critical, Rule.WAF_BLOCKED: blocked, Rule.NEW_BAN: 0, Rule.WAF_DETECTED: 0}
    alone = [with_rules(every, [rule]) for rule in SWITCHED]
    found = rehearse_stored(store, [every, *alone], PARIS, since, until)
    assert found is not None
    for one in found:
        check_sums(one)
        assert one.events == truth["good"]
    assert [one.matched for one in found[1:]] == list(counts.values())
    assert found[0].matched == sum(1 for _ in matching(store, every, since, until))
    assert 0 < found[0].made <= 4 * 24 * 20
