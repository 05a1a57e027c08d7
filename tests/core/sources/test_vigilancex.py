"""A VIGILANCE X server as a source: each event, ban and attack once, over restarts, faults and its own oddities."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.core.sources.polling import Polling, now
from tests.peers.vigilancex import PASSWORD, USER, VigilanceX, moment, vigilancex_server
from vxtray.core.credentials import Secret, redact
from vxtray.core.errors import SourceError, VxtrayError
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import Rejected, parse
from vxtray.core.settings import tree
from vxtray.core.sources import Batch
from vxtray.core.sources.vigilancex import VigilanceXSource
from vxtray.core.sources.vigilancex_api import PathFailed, Server, ServerAway, base_of
from vxtray.core.store import EventStore
from vxtray.core.store.embedded import EmbeddedStore

WAF_LINE = (
    'device="SFW" date=2026-11-20 time=10:00:00 timezone="UTC" device_name="XG" log_id=075000617071 log_type="WAF" '
    'log_component="Web Application Firewall" priority=Information server=shop.example.com sourceip=198.51.100.4 '
    'localip=192.0.2.1 method=GET httpstatus=403 url=/x reason="WAF Anomaly" extra="Inbound Anomaly Score Exceeded '
    '(Total Score: 20): Last Matched Message: SQL Injection Attack"'
)
IDP_LINE = (
    'device="SFW" date=2026-11-20 time=10:00:00 timezone="UTC" log_id=020804407002 log_type="IDP" '
    'log_component="Signatures" log_subtype="Drop" priority=Warning signature_id=1234 signature_msg="SERVER-APACHE '
    'traversal" src_ip=198.51.100.5 dst_ip=192.0.2.1'
)


class Desk(Polling):
    """A server, and a source that is polled by hand."""

    def __init__(self, server: VigilanceX, store: EventStore) -> None:
        self.server = server
        super().__init__(store)

    def restart(self, *, password: str = PASSWORD, notices: tuple[str, ...] = ()) -> None:
        self.end()
        settings = tree.VigilanceX(enabled=True, url=self.server.url, username=USER)
        asked = Server(settings, lambda: Secret(password))
        self.source = VigilanceXSource(
            "vigilancex", asked, base_of(settings), self.store.positions, notices=notices, clock=self.clock
        )


@pytest.fixture
def server() -> Iterator[VigilanceX]:
    with vigilancex_server() as held:
        yield held


@pytest.fixture
def desk(server: VigilanceX, tmp_path: Path) -> Iterator[Desk]:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    made = Desk(server, store)
    yield made
    made.end()
    store.close()


# --- each thing once --------------------------------------------------------------------------------------------------


def test_the_past_comes_without_alerts_and_the_present_with_them(desk: Desk) -> None:
    for days in (1, 3, 6):
        desk.server.event(now() - timedelta(days=days), src_ip=f"198.51.100.{days}")
    desk.server.event(now() - timedelta(days=9), src_ip="198.51.100.9")
    desk.server.ban(now() - timedelta(days=2), "198.51.100.20", expires_at=moment(now() + timedelta(days=9)))
    desk.server.ban(now() - timedelta(days=2), "198.51.100.21")  # over since, though it stands there
    desk.poll()
    assert {event.src_ip for event in desk.stored()} == {*(f"198.51.100.{day}" for day in (1, 3, 6)), "198.51.100.20"}
    assert desk.loud == []
    desk.server.event(now() + timedelta(seconds=1), src_ip="198.51.100.30")
    desk.server.ban(now() + timedelta(seconds=1), "198.51.100.31")
    desk.poll(3)
    assert [event.src_ip for event in desk.loud] == ["198.51.100.30", "198.51.100.31"]
    assert len(desk.stored()) == 6


def test_every_event_comes_once_over_polls_late_arrivals_and_restarts(desk: Desk) -> None:
    desk.poll()
    expected: Counter[str] = Counter()
    for turn in range(6):
        for late in (0, 4, 60, 300):
            address = f"10.{turn}.{late // 256}.{late % 256}"
            at = now() - timedelta(seconds=late)
            desk.server.event(at, src_ip=address, ingested_at=moment(now()))
            expected[address] += 1
        desk.poll(2)
        if turn % 2:
            desk.restart()
    assert Counter(event.src_ip for event in desk.stored()) == expected


def test_events_that_arrive_an_hour_late_are_met_once_that_is_known(desk: Desk) -> None:
    desk.poll()
    desk.server.event(now() - timedelta(minutes=1), src_ip="10.0.0.1", ingested_at=moment(now() + timedelta(hours=1)))
    desk.poll()
    desk.server.event(now() - timedelta(minutes=55), src_ip="10.0.0.2")
    desk.poll(2)
    assert sorted(event.src_ip for event in desk.stored()) == ["10.0.0.1", "10.0.0.2"]


def test_many_pages_in_many_windows_are_all_read(desk: Desk) -> None:
    for at in range(3500):
        desk.server.event(now() - timedelta(seconds=at * 100), src_ip=f"10.1.{at // 250}.{at % 250}")
    for at in range(2500):  # within one second
        desk.server.event(now() - timedelta(hours=5), src_ip=f"10.2.{at // 250}.{at % 250}")
    desk.poll()
    addresses = [event.src_ip for event in desk.stored()]
    assert len(addresses) == len(set(addresses)) == 6000
    desk.restart()
    desk.poll()
    assert desk.store.count() == 6000


def test_after_a_day_away_nothing_is_missing_and_nothing_twice(desk: Desk) -> None:
    desk.server.event(now() - timedelta(minutes=1), src_ip="10.0.0.1")
    desk.poll()
    desk.restart()
    desk.ahead = desk.server.clock_ahead = timedelta(hours=24)
    for hours in range(1, 25):
        desk.server.event(now() + timedelta(hours=hours, minutes=-1), src_ip=f"10.0.1.{hours}")
    desk.poll(2)
    assert len(desk.stored()) == 25
    assert len(desk.loud) == 24


def test_marks_are_forgotten_once_nobody_asks_for_them(desk: Desk) -> None:
    def remembered() -> int:
        return len(desk.store.positions(""))

    for at in range(500):
        desk.server.event(now() - timedelta(seconds=at))
    desk.server.request(now())
    desk.poll()
    assert remembered() > 500
    desk.ahead = desk.server.clock_ahead = timedelta(days=4)
    desk.restart()
    desk.poll(2)
    desk.server.event(now() + timedelta(days=4))
    desk.ahead += timedelta(hours=2)
    desk.poll()
    assert remembered() < 10


def test_a_clock_that_is_wrong_at_the_server_changes_nothing(desk: Desk) -> None:
    desk.server.clock_ahead = -timedelta(hours=3)
    desk.poll()
    for at in range(5):
        desk.server.event(now() - timedelta(hours=3) + timedelta(seconds=at), src_ip=f"10.0.0.{at}")
        desk.poll()
    assert sorted(event.src_ip for event in desk.stored()) == [f"10.0.0.{at}" for at in range(5)]


# --- WAF requests, alerts, bans ---------------------------------------------------------------------------------------


def test_a_request_that_matched_rules_is_one_attack_and_not_also_an_event(desk: Desk) -> None:
    desk.poll()
    at = now()
    desk.server.event(at, log_type="WAF", src_ip="203.0.113.9", hostname="shop.example.com", message=WAF_LINE)
    desk.server.request(at + timedelta(seconds=2))
    desk.server.request(at, src_ip="203.0.113.10", is_blocked=False, total_score=0)
    desk.poll(3)
    desk.restart()
    desk.poll()
    found = {event.src_ip: event for event in desk.stored()}
    assert len(desk.stored()) == 2
    assert found["198.51.100.4"].action is Action.BLOCKED
    detected = found["203.0.113.10"]
    assert (detected.category, detected.action, detected.rule_id) == (Category.WAF, Action.DETECTED, "942100")
    assert (detected.country, detected.rule_name, detected.target_host) == ("CN", "sqli", "shop.example.com")


def test_a_request_among_the_events_stays_told_once_after_a_late_restart(desk: Desk) -> None:
    desk.poll()
    at = now()
    desk.server.event(at, log_type="WAF", src_ip="203.0.113.9", hostname="shop.example.com", message=WAF_LINE)
    desk.server.request(at)
    desk.poll()
    desk.restart()
    desk.ahead = desk.server.clock_ahead = timedelta(hours=5)  # no question reaches the event any more
    desk.poll(2)
    assert len(desk.stored()) == 1


def test_a_fault_of_the_requests_lets_no_attack_come_twice(desk: Desk) -> None:
    desk.poll()
    attack(desk, timedelta(seconds=1), "203.0.113.1")
    desk.poll()
    desk.server.faults["/modsec/logs/grouped"] = [(500, b"missing column")]
    desk.poll(3)
    desk.ahead = timedelta(minutes=31)
    desk.poll(2)
    assert told(desk) == {"203.0.113.1": 1}


def test_without_a_licence_attacks_come_from_the_critical_alerts(desk: Desk) -> None:
    desk.server.licensed = False
    desk.server.ban(now(), "198.51.100.20")
    desk.poll()
    at = now() + timedelta(seconds=1)
    desk.server.alert_row(at)
    desk.server.alert_row(at, rule_id="941100", message="XSS")
    desk.server.event(at, severity="critical", src_ip="10.0.0.1", sophos_id="030102206001")
    desk.poll(3)
    desk.restart()
    desk.poll(3)
    assert sorted((event.src_ip, event.rule_id) for event in desk.stored()) == [
        ("10.0.0.1", "5"),
        ("203.0.113.9", "941100"),
        ("203.0.113.9", "942100"),
    ]
    assert {event.severity for event in desk.stored()} == {Severity.CRITICAL}
    assert len(desk.loud) == 3


def test_a_licence_that_comes_later_opens_the_rest(desk: Desk) -> None:
    desk.server.licensed = False
    desk.poll()
    desk.server.licensed = True
    desk.server.ban(now() + timedelta(seconds=1), "198.51.100.20")
    desk.poll()
    assert desk.stored() == []
    desk.ahead = timedelta(minutes=31)
    desk.poll()
    assert [event.action for event in desk.stored()] == [Action.BANNED]


def attack(desk: Desk, after: timedelta, address: str) -> None:
    """Let the server record one that matched two rules: as a request, and as two rows among the critical alerts."""
    at = now() + after
    desk.server.request(at, src_ip=address)
    for rule in ("942100", "941100"):
        desk.server.alert_row(at, src_ip=address, rule_id=rule)


def told(desk: Desk) -> Counter[str]:
    return Counter(event.src_ip for event in desk.loud if event.category is Category.WAF)


def test_a_licence_that_ends_and_comes_back_tells_no_attack_twice(desk: Desk) -> None:
    desk.poll()
    attack(desk, timedelta(seconds=1), "203.0.113.1")
    desk.poll()
    desk.server.licensed = False
    attack(desk, timedelta(seconds=2), "203.0.113.2")
    desk.poll(2)
    desk.restart()  # which remembers by what was told what it was told by
    desk.poll(2)
    assert told(desk) == {"203.0.113.1": 1, "203.0.113.2": 2}  # a row for each rule is all that is to be had
    desk.server.licensed = True
    attack(desk, timedelta(seconds=3), "203.0.113.3")
    desk.restart()
    desk.poll(2)
    assert told(desk) == {"203.0.113.1": 1, "203.0.113.2": 2, "203.0.113.3": 1}
    assert desk.source is not None
    assert not desk.source.health().fault


def test_bans_begin_end_and_begin_again(desk: Desk) -> None:
    desk.poll()
    at = now() + timedelta(seconds=1)
    desk.server.ban(at, "198.51.100.20", status="permanent", expires_at="1970-01-01T00:00:00Z")
    desk.server.ban(at, "198.51.100.21")
    desk.poll(2)
    again = desk.server.bans.pop(1)
    desk.poll()
    assert Counter(event.action for event in desk.stored()) == {Action.BANNED: 2}  # one answer may be wrong
    desk.poll()
    assert Counter(event.action for event in desk.stored()) == {Action.BANNED: 2, Action.UNBANNED: 1}
    desk.server.bans.append(again | {"last_ban": moment(at + timedelta(seconds=30))})
    desk.poll(2)
    desk.restart()
    desk.poll(2)
    assert Counter(event.action for event in desk.stored()) == {Action.BANNED: 3, Action.UNBANNED: 1}
    desk.restart()
    desk.server.bans.clear()  # while nobody looked
    desk.poll(3)
    assert Counter(event.action for event in desk.stored()) == {Action.BANNED: 3, Action.UNBANNED: 3}
    assert {event.src_ip for event in desk.stored()} == {"198.51.100.20", "198.51.100.21"}
    assert not [key for key in desk.store.positions("vigilancex:") if ":ban:" in key]


# --- what the server says of itself -----------------------------------------------------------------------------------


def notices(desk: Desk) -> list[str]:
    return [event.message for event in desk.loud if event.category is Category.SYSTEM]


def test_notices_come_only_where_they_are_wanted(desk: Desk) -> None:
    desk.server.said["/system/stats"] = {"disk": {"usage_percent": 99.5}}
    desk.poll()
    desk.restart(notices=("update",))
    desk.poll()
    assert notices(desk) == []


def test_a_disk_is_told_by_steps_and_again_only_after_it_was_over(desk: Desk) -> None:
    def at(share: float) -> None:
        desk.server.said["/system/stats"] = {"disk": {"usage_percent": share}}
        desk.ahead += timedelta(minutes=6)
        desk.poll()

    desk.restart(notices=("disk",))
    for share in (50, 91, 92, 89, 91):
        at(share)
    assert len(notices(desk)) == 1
    desk.restart(notices=("disk",))
    at(92)
    assert len(notices(desk)) == 1
    at(96)
    at(80)
    at(91.4)
    assert notices(desk)[1:] == [
        "The disk of the VIGILANCE X server is 96 % full.",
        "The disk of the VIGILANCE X server is 91 % full.",
    ]


def test_every_notice_is_told_once_and_survives_nonsense(desk: Desk) -> None:
    every = ("update", "leak", "load", "disk", "license", "syslog", "bans")
    desk.restart(notices=every)
    desk.server.said |= {
        "/system/version": {"update_available": True, "latest": "4.0.0"},
        "/vigimail/stats": {"total_leaks": 3, "domains": 9},
        "/system/stats": {"cpu": {"usage_percent": 97}, "memory": {"usage_percent": 20}},
        "/license/status": {"licensed": True, "days_remaining": 6, "expires_at": "2026-12-01T00:00:00Z"},
        "/status/syslog": {"is_receiving": False, "seconds_since_last": 3600},
        "/pending-bans/stats": {"total_pending": 2},
    }
    for _ in range(5):
        desk.ahead += timedelta(minutes=6)
        desk.poll()
    told = notices(desk)
    assert len(told) == len(set(told)) == 6  # no disk is named
    assert any("4.0.0" in text for text in told)
    assert any("cpu 97 %" in text for text in told)
    for path in desk.server.said:
        desk.server.said[path] = {"disk": [], "cpu": "x", "days_remaining": "soon", "total_pending": -1, "latest": {}}
    desk.ahead += timedelta(minutes=6)
    desk.poll()
    assert len(notices(desk)) == 6
    assert desk.source is not None
    assert not desk.source.health().trouble


# --- faults of the server ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [(500, b"boom"), (200, b"{half"), (200, b"[" * 100_000), (0, b'{"data": ['), (429, b"slow down"), (302, b"")],
)
def test_a_fault_in_the_middle_of_the_pages_loses_and_doubles_nothing(desk: Desk, fault: tuple[int, bytes]) -> None:
    desk.poll()
    for at in range(1500):
        desk.server.event(now(), src_ip=f"10.3.{at // 250}.{at % 250}")
    desk.server.faults["/status/syslog"] = [fault]
    with pytest.raises(VxtrayError):
        desk.poll()
    desk.server.faults["/events"] = [fault]
    with pytest.raises(VxtrayError) as raised:
        desk.poll()
    assert raised.value.transient
    desk.poll(2)
    assert desk.store.count() == 1500
    assert len({event.src_ip for event in desk.stored()}) == 1500


def test_what_the_licensed_part_fails_at_leaves_the_events_alone(desk: Desk) -> None:
    desk.server.faults["/bans"] = [(500, b"missing column")]
    desk.server.event(now())
    desk.poll()
    assert len(desk.stored()) == 1
    assert "fault of its own" in desk.source.health().fault


def test_a_session_that_ends_is_begun_anew(desk: Desk) -> None:
    desk.poll()
    desk.server.sessions.clear()
    desk.source._server._signed_in_at -= 60
    desk.server.event(now(), src_ip="10.0.0.1")
    desk.poll()
    assert desk.server.logins == 2
    assert [event.src_ip for event in desk.stored()] == ["10.0.0.1"]
    desk.server.sessions.clear()  # and again at once: no hail of sign-ins
    with pytest.raises(ServerAway):
        desk.poll()
    assert desk.server.logins == 2


def test_a_session_is_begun_anew_before_it_ends_by_the_servers_clock(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.server.clock_ahead = -timedelta(hours=3)
    desk.poll()
    began = time.time()
    for hours, logins in ((1, 1), (23.9, 1), (23.95, 2), (47.8, 2), (48, 3)):
        later = began + hours * 3600
        monkeypatch.setattr("vxtray.core.sources.vigilancex_api.time.time", lambda later=later: later)
        desk.server.clock_ahead = timedelta(seconds=later - began) - timedelta(hours=3)
        desk.source._server._signed_in_at -= 60
        desk.poll()
        assert desk.server.logins == logins, hours


def test_a_wrong_password_is_told_and_never_shown(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.restart(password="hunter2-hunter2")
    with pytest.raises(SourceError, match="does not accept the account vxtray") as raised:
        desk.poll()
    assert "hunter2" not in f"{raised.value!r}{caplog.text}"
    assert redact("hunter2-hunter2") == "***"


def test_the_password_goes_nowhere_in_the_clear() -> None:
    for url in (
        "http://vigilance.example.com",
        "http://93.184.216.34",
        "ftp://10.0.0.1",
        "https://",
        "https://u:p@host",
    ):
        with pytest.raises(SourceError):
            base_of(tree.VigilanceX(url=url))
    for url, base in (
        ("https://vigilance.example.com/", "https://vigilance.example.com/api/v1"),
        ("vigilance.example.com", "https://vigilance.example.com/api/v1"),
        ("http://127.0.0.1:8080/api/v1", "http://127.0.0.1:8080/api/v1"),
    ):
        assert base_of(tree.VigilanceX(url=url)) == base


def test_an_answer_without_end_is_cut(server: VigilanceX, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vxtray.core.sources.vigilancex_api._LARGEST", 10_000)
    asking = Server(tree.VigilanceX(url=server.url, username=USER), lambda: Secret(PASSWORD))
    for _ in range(100):
        server.event(now())
    with pytest.raises(PathFailed, match="too large"):
        asking.get("/events", limit=1000)
    asking.close()


# --- what the records become ------------------------------------------------------------------------------------------


def test_a_whole_line_in_the_message_is_read_again(desk: Desk) -> None:
    desk.server.event(now(), log_type="Unknown", category="Other", action="unknown", message=IDP_LINE, severity="info")
    desk.poll()
    (event,) = desk.stored()
    assert (event.category, event.action, event.severity) == (Category.IPS, Action.BLOCKED, Severity.MEDIUM)
    assert (event.rule_id, event.src_ip, event.source) == ("1234", "198.51.100.5", "vigilancex")
    assert abs(event.at - now()) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ("firewall", "blocked", "info")),
        ({"action": "unknown", "sophos_id": "010101600001"}, ("firewall", "allowed", "info")),
        ({"action": "unknown", "sophos_id": "010102400002"}, ("firewall", "blocked", "medium")),
        ({"log_type": "ATP", "action": "unknown", "sophos_id": "080320218009"}, ("atp", "detected", "critical")),
        ({"log_type": "VPN", "category": "Auth Failure", "action": "unknown"}, ("vpn", "failed", "info")),
        ({"log_type": "Nonsense", "action": ["x"], "severity": 7, "sophos_id": None}, ("other", "info", "info")),
    ],
)
def test_what_the_server_lost_is_read_from_the_log_id(said: dict[str, object], expected: tuple[str, ...]) -> None:
    row = VigilanceX().event(now(), **said)
    outcome = parse(msgspec.json.encode({"event": row}).decode(), format="vigilancex", zone=UTC)
    assert isinstance(outcome, SecurityEvent)
    assert (outcome.category, outcome.action, outcome.severity) == expected
    assert outcome.target_host == ""  # for the firewall it is the name of a rule


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"event": 1}', '{"event": {}}', '{"ban": {"ip": "x"}}', "{" * 9999])
def test_nonsense_is_refused(text: str) -> None:
    outcome = parse(text or "null", format="vigilancex", zone=UTC)
    assert isinstance(outcome, Rejected)


def test_no_line_is_taken_for_such_a_record_by_its_content() -> None:
    text = msgspec.json.encode({"event": VigilanceX().event(now())}).decode()
    assert isinstance(parse(text, zone=UTC), Rejected)


# --- with the real queue ----------------------------------------------------------------------------------------------


def test_it_runs_as_a_source_of_the_program(server: VigilanceX, tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "events.duckdb")
    server.event(now(), src_ip="10.0.0.1")
    settings = tree.VigilanceX(enabled=True, url=server.url, username=USER, poll_seconds=5)
    asked = Server(settings, lambda: Secret(PASSWORD))
    source = VigilanceXSource("vigilancex", asked, base_of(settings), store.positions, poll_seconds=5)
    emitted: list[Batch] = []
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(lambda batch: emitted.append(batch) is None, stop), daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not any(batch.lines for batch in emitted) and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert any(b"10.0.0.1" in line for batch in emitted for line in batch.lines)
    store.close()
