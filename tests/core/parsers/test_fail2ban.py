"""fail2ban's log in the layouts of its versions, and what may be done to it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.parsers.expected import (
    MISSING,
    Expectation,
    assert_clean,
    assert_quick,
    differences,
    expectations,
    sample_files,
    title,
    told,
)
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import MAX_LINE, Ignored, Rejected, parse, timestamps

FILES = sample_files("fail2ban")
PARIS = ZoneInfo("Europe/Paris")

with_samples = pytest.mark.skipif(not FILES, reason=MISSING)

#: sample file -> events, ignored, rejected
COUNTS = {
    "fail2ban-logwatch-0.8/fail2ban-0.8.log": (1, 0, 0),
    # Rejected: what iptables said, on lines of its own.
    "fail2ban-logwatch-0.9/fail2ban-0.9.log": (3, 10, 3),
    "fail2ban-tests/recidive.log": (3, 0, 0),
    "geolocation-mini/fail2ban_mini.log": (21, 1, 0),
    "github-issues/excerpts.log": (10, 6, 0),
    "home-assistant/sensor.log": (2, 0, 0),
    "intruder-alert/log-lines.log": (1, 0, 0),
    "intruder-alert/no-bans.log": (1, 0, 0),
    "mailcow/mailcow-f2b-bans.log": (1, 0, 0),
}


def event_of(line: str) -> SecurityEvent:
    outcome = parse(line, zone=PARIS)
    assert isinstance(outcome, SecurityEvent), outcome
    return outcome


@with_samples
@pytest.mark.parametrize("case", expectations("fail2ban"), ids=lambda case: case.name)
def test_sample_gives_what_its_origin_says(case: Expectation) -> None:
    assert differences(told(parse(case.line, zone=PARIS)), case.expect, PARIS) == []


@with_samples
@pytest.mark.parametrize("path", FILES, ids=title)
def test_every_line_of_a_sample_file_has_its_outcome(path: Path) -> None:
    kinds = [type(parse(line, zone=UTC)) for line in path.read_text(encoding="utf-8").splitlines()]
    counts = kinds.count(SecurityEvent), kinds.count(Ignored), kinds.count(Rejected)
    assert sum(counts) == len(kinds)
    assert counts == COUNTS.get(title(path), counts)


@with_samples
def test_addresses_that_an_origin_found_in_its_log_are_found() -> None:
    """Its words: the finds and bans of the small log name these addresses."""
    (path,) = (path for path in FILES if path.name == "fail2ban_mini.log")
    outcomes = [parse(line, zone=UTC) for line in path.read_text(encoding="utf-8").splitlines()]
    events = [one for one in outcomes if isinstance(one, SecurityEvent)]
    banned = {one.src_ip for one in events if one.action is Action.BANNED}
    found = {one.src_ip for one in events if one.action is Action.DETECTED}
    assert banned == found - {"68.168.142.91"}
    (theirs,) = map(json.loads, path.with_name(path.name + ".expected.jsonl").read_text(encoding="utf-8").splitlines())
    assert found == set(theirs["origin"]["_expected_result"])


AT = "2023-02-05 00:28:13,052"


@pytest.mark.parametrize(
    ("said", "category", "action", "severity"),
    [
        ("[sshd] Ban 192.0.2.1", Category.BAN, Action.BANNED, Severity.HIGH),
        ("[sshd] Unban 192.0.2.1", Category.BAN, Action.UNBANNED, Severity.LOW),
        # No new bans: they must neither raise an alert nor count.
        ("[sshd] Restore Ban 192.0.2.1", Category.BAN, Action.INFO, Severity.LOW),
        ("[sshd] Reban 192.0.2.1, action 'iptables'", Category.BAN, Action.INFO, Severity.LOW),
        ("[sshd] Increase Ban 192.0.2.1 (2 # 0:20:00 -> 2023-02-05 00:48:13)", Category.BAN, Action.INFO, Severity.LOW),
        ("[sshd] 192.0.2.1 already banned", Category.BAN, Action.INFO, Severity.LOW),
        ("[sshd] Found 192.0.2.1 - 2023-02-05 00:28:13", Category.AUTH, Action.DETECTED, Severity.MEDIUM),
    ],
)
def test_what_was_done_decides(said: str, category: Category, action: Action, severity: Severity) -> None:
    event = event_of(f"{AT} fail2ban.actions        [1]: NOTICE  {said}")
    assert (event.category, event.action, event.severity) == (category, action, severity)
    assert (event.src_ip, event.rule_name, event.source) == ("192.0.2.1", "sshd", "fail2ban")
    assert event.message == said.removeprefix("[sshd] ")
    assert event.at == datetime(2023, 2, 4, 23, 28, 13, 52000, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "2013-02-05 00:28:13,052 fail2ban.actions: WARNING [sshd] Ban 2001:db8::1",
        "2013-02-05 00:28:13,052 fail2ban.actions : WARNING [sshd] Ban 2001:db8::1",
        "2013-02-05 00:28:13 fail2ban.actions [111]: NOTICE [sshd] Ban 2001:0db8:0000:0000:0000:0000:0000:0001",
        "2013-02-05 00:28:13,052 fail2ban.server.actions[1]: NOTICE  [sshd] Ban 2001:DB8::1",
        "Feb  5 2013 00:28:13 fw fail2ban.actions: NOTICE [sshd] Ban 2001:db8::1",
        "<29>Feb  5 00:28:13 2013 fw fail2ban.actions[6605]: NOTICE [sshd] Ban 2001:db8::1",
        "Mar  9 08:00:00 fw fail2ban[7]: 2013-02-05 00:28:13,052 fail2ban.actions [7]: NOTICE  [sshd] Ban 2001:db8::1",
        "2013-02-05T00:28:13.052+01:00 fw fail2ban-server[9]: fail2ban.actions    [9]: NOTICE  [sshd] Ban 2001:db8::1",
        "<29>1 2013-02-05T00:28:13.052+01:00 fw fail2ban.actions 6605 - - NOTICE [sshd] Ban 2001:db8::1",
        '<29>1 2013-02-04T23:28:13Z fw fail2ban 9 - [a@1 b="c"] fail2ban.actions [9]: NOTICE [sshd] Ban 2001:db8::1',
        "2013-02-04T23:28:13.052123456Z 2013-02-05 00:28:13,052 fail2ban.actions [1]: NOTICE [sshd] Ban 2001:db8::1",
    ],
)
def test_layouts_of_the_versions_and_of_syslog(line: str) -> None:
    event = event_of(line)
    assert (event.action, event.src_ip, event.rule_name) == (Action.BANNED, "2001:db8::1", "sshd")
    assert event.at.replace(microsecond=0) == datetime(2013, 2, 4, 23, 28, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("jail", "category"),
    [
        ("sshd", Category.AUTH),
        ("nginx-http-auth", Category.AUTH),
        ("postfix-sasl", Category.AUTH),
        ("my-own-jail", Category.AUTH),
        ("apache-badbots", Category.WEB),
        ("npm-4xx", Category.WEB),
        ("postfix-rbl", Category.EMAIL),
        ("recidive", Category.BAN),
    ],
)
def test_a_find_is_about_what_the_jail_watches(jail: str, category: Category) -> None:
    event = event_of(f"{AT} fail2ban.filter [1]: INFO [{jail}] Found 192.0.2.1 - 2023-02-05 00:28:13")
    assert (event.category, event.action) == (category, Action.DETECTED)


def test_the_observer_repeats_a_find() -> None:
    outcome = parse(
        f"{AT} fail2ban.observer [1]: INFO [sshd] Found 192.0.2.1, bad - 2023-02-05 00:28:13, 1 # -> 2.0, Ban", zone=UTC
    )
    assert isinstance(outcome, Ignored)
    assert told(outcome) is not None


def test_a_network_is_known_by_its_first_address_and_a_masked_one_by_none() -> None:
    assert event_of(f"{AT} fail2ban.actions [1]: NOTICE [sshd] Ban 192.0.2.0/24").src_ip == "192.0.2.0"
    masked = event_of(f"{AT} fail2ban.actions [1]: NOTICE [sshd] Ban xx.43.229.72")
    assert (masked.src_ip, masked.message) == ("", "Ban xx.43.229.72")


@pytest.mark.parametrize(
    "said",
    [
        "INFO    Jail 'sshd' started",
        "INFO    [sshd] Ignore 192.0.2.1 by ip",
        "NOTICE  [sshd] Flush ticket(s) with iptables-multiport",
        "WARNING [sshd] Simulate NOW in operation since found time has too large deviation",
        "INFO    [sshd] IP 192.0.2.1 is bad: 1 # last 2023-02-05 00:28:13 - incr 0:10:00 to 0:20:00",
        "DEBUG   Total # of detected failures: 5. Current failures from 1 IPs (IP:count): 192.0.2.1:5",
    ],
)
def test_other_messages_hold_no_event(said: str) -> None:
    assert parse(f"{AT} fail2ban.filter         [1]: {said}", zone=UTC) == Ignored()


def test_faults_of_fail2ban_itself_are_told() -> None:
    event = event_of(f"{AT} fail2ban.actions [1]: ERROR   Failed to execute ban jail 'sshd' action 'iptables' info 'x'")
    assert (event.category, event.action, event.severity) == (Category.SYSTEM, Action.FAILED, Severity.HIGH)
    assert event_of(f"{AT} fail2ban [1]: CRITICAL Unhandled exception").severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("said", "action", "address"),
    [
        ("CRIT: Banning 192.0.2.1/32 for 60 minutes", Action.BANNED, "192.0.2.1"),
        ("CRIT: Added host/network 2001:db8::/64 to blacklist", Action.BANNED, "2001:db8::"),
        ("INFO: Unbanning 192.0.2.1/32", Action.UNBANNED, "192.0.2.1"),
        ("CRIT: Removed host/network 192.0.2.1 from denylist", Action.UNBANNED, "192.0.2.1"),
        ("WARN: 192.0.2.1 matched rule id 3 (warning: unknown[192.0.2.1]: SASL LOGIN)", Action.DETECTED, "192.0.2.1"),
    ],
)
@pytest.mark.parametrize("start", ["", "netfilter-mailcow-1  | "])
def test_mailcow(start: str, said: str, action: Action, address: str) -> None:
    event = event_of(f"{start}2026-05-09 13:55:12 {said}")
    assert (event.action, event.src_ip) == (action, address)
    assert event.at == datetime(2026, 5, 9, 11, 55, 12, tzinfo=UTC)


def test_mailcows_countdown_holds_no_event() -> None:
    line = "2026-05-09 13:55:12 WARN: 9 more attempts in the next 600 seconds until 192.0.2.1/32 is banned"
    assert parse(line, zone=UTC) == Ignored()


@pytest.mark.parametrize(
    "line",
    [
        "fail2ban.actions [1]: NOTICE [sshd] Ban 192.0.2.1",
        "2023-02-31 00:28:13,052 fail2ban.actions [1]: NOTICE [sshd] Ban 192.0.2.1",
        "Abc 31 00:28:13 fw fail2ban.actions: NOTICE [sshd] Ban 192.0.2.1",
    ],
)
def test_a_ban_without_a_time_is_rejected(line: str) -> None:
    assert parse(line, zone=UTC) == Rejected("The line has no time that can be read.")


@pytest.mark.parametrize(
    "line",
    [
        'device="SFW" user_agent="2023-02-05 00:28:13 fail2ban.actions [1]: NOTICE [sshd] Ban 192.0.2.1"',
        '192.0.2.7 - - [05/Feb/2023:00:28:13 +0000] "GET /fail2ban.actions: NOTICE [sshd] Ban 192.0.2.1 HTTP/1.1" 404',
        "Feb  5 00:28:13 fw sshd[7]: Invalid user fail2ban.actions: NOTICE [sshd] Ban 192.0.2.1 from 192.0.2.7",
    ],
)
def test_what_a_visitor_sends_is_no_ban(line: str) -> None:
    assert not isinstance(parse(line, zone=UTC), SecurityEvent)


def test_a_time_without_a_year_is_the_last_such_time() -> None:
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert timestamps.bsd("Jan  2 11:00:00", UTC, now) == datetime(2026, 1, 2, 11, tzinfo=UTC)
    assert timestamps.bsd("Jan  3 11:00:00", UTC, now) == datetime(2026, 1, 3, 11, tzinfo=UTC)  # a clock that is ahead
    assert timestamps.bsd("Jan 20 11:00:00", UTC, now) == datetime(2025, 1, 20, 11, tzinfo=UTC)
    assert timestamps.bsd("Feb 29 11:00:00", UTC, now) == datetime(2024, 2, 29, 11, tzinfo=UTC)
    eve = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert timestamps.bsd("Jan  1 00:10:00", PARIS, eve) == datetime(2025, 12, 31, 23, 10, tzinfo=UTC)
    assert timestamps.bsd("Feb 30 11:00:00", UTC, now) is None
    assert timestamps.bsd("Foo  1 11:00:00", UTC, now) is None
    assert timestamps.iso("0001-01-01T00:00:00", PARIS) is None


GOOD = (
    f"{AT} fail2ban.actions        [40619]: NOTICE  [sshd] Ban 81.2.69.144",
    f"{AT} fail2ban.filter         [40619]: INFO    [sshd] Found 81.2.69.144 - 2023-02-05 00:28:13",
    "Mar 05 08:41:28 test.org fail2ban-server[11524]: fail2ban.actions   [11524]: NOTICE [sshd] 1.2.3.4 already banned",
    "2026-05-09 13:55:12 WARN: 192.0.2.1 matched rule id 3 (warning: unknown)",
)
PIECES = st.sampled_from([*"[]: ,-.\0\ufeff\ud800", "Ban ", "fail2ban", "already banned", "²", "٣", "\u202e", "9" * 30])


@given(
    st.sampled_from(GOOD), st.lists(st.tuples(st.integers(0, 130), st.integers(0, 20), PIECES | st.text(max_size=8)))
)
@settings(max_examples=300)
def test_a_damaged_line_gets_an_answer(line: str, damages: list[tuple[int, int, str]]) -> None:
    for at, length, piece in damages:
        line = line[:at] + piece + line[at + length :]
    assert_clean(parse(line, zone=PARIS))
    assert_clean(parse(line, format="fail2ban", zone=PARIS))


@pytest.mark.parametrize("piece", [" ", "[", "]", "a", "fail2ban ", "fail2ban.a[1]: ", "1", ".", "- ", "] Ban ", ": "])
@pytest.mark.parametrize("start", ["", AT + " ", GOOD[0], GOOD[0][:60], "<29>1 2013-02-04T23:28:13Z ", GOOD[3][:60]])
def test_time_is_in_proportion_to_the_length(start: str, piece: str) -> None:
    line = (start + piece * MAX_LINE)[:MAX_LINE]
    assert_quick(line, PARIS, "fail2ban")
    assert_quick(line)
