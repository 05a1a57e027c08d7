"""``alerts``: pause, silence, acknowledge, list and rehearse, on a program of its own and on one that runs."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Command, Server
from tests.peers.desktop import until
from tests.peers.mailbox import Mailbox
from vxtray.core.credentials import MemoryStore, Secret, smtp_account
from vxtray.core.settings.tree import Smtp

#: Ten attacks of one source on one site in three minutes, then one of another, all of one day in summer.
LINES = [
    f'2026-07-01T12:{10 + number // 4:02}:{number % 4 * 15:02} fw device="SFW" date=2026-07-01'
    f" time=12:{10 + number // 4:02}:{number % 4 * 15:02}"
    f' log_id="0{number:04}" log_type="WAF" log_component="Web Application Firewall" priority=Critical'
    f' src_ip={"203.0.113.9" if number < 10 else "198.51.100.7"} server="shop.example.com" reason="SQL injection"'
    ' status_code=403 action="blocked"\n'
    for number in range(11)
]
REHEARSED = {"at", "kind", "rule", "events", "title", "severity", "shape", "why", "to", "reason", "source", "target"}


@pytest.fixture
def rules(vxtray: Command) -> Command:
    vxtray("smtp", "set", "host=mail.invalid", "from_address=reports@example.com", "recipients=soc@example.org")
    vxtray("settings", "set", "alerts.waf_blocked=true", "alerts.minimum_severity=low", "alerts.language=en")
    return vxtray


@pytest.fixture
def with_server(rules: Command, memory: MemoryStore, smtp_catcher: Mailbox) -> Command:
    rules("smtp", "set", f"host={smtp_catcher.host}", f"port={smtp_catcher.port}", f"ca_file={smtp_catcher.ca_file}")
    rules("smtp", "set", f"username={smtp_catcher.user}", "timeout_seconds=5")
    smtp = Smtp(host=smtp_catcher.host, port=smtp_catcher.port, username=smtp_catcher.user)
    memory.set(smtp_account(smtp), Secret(smtp_catcher.password))
    return rules


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def in_hours(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def test_a_rehearsal_tells_each_mail_and_sends_none(rules: Command) -> None:
    assert rules("import", "-", "--json", stdin="".join(LINES).encode()).json["stored"] == 11
    said = rules("alerts", "rehearse", "--since", "2026-07-01", "--until", "2026-07-02", "--json")
    mails = said.json
    assert said.err == ""
    assert all(mail.keys() >= REHEARSED for mail in mails)
    assert sum(mail["events"] for mail in mails) >= 11
    assert mails[0]["kind"] == "first"
    assert {mail["to"] == ["soc@example.org"] for mail in mails} == {True}
    assert mails[0]["source"] == "203.0.113.9"
    assert moment(mails[0]["at"]) == datetime(2026, 7, 1, 12, 10, tzinfo=UTC)
    table = rules("alerts", "rehearse", "--since", "2026-07-01", "--until", "2026-07-02").out
    assert "203.0.113.9 -> shop.example.com" in table
    assert f"{len(mails)} mails in all, to soc@example.org." in table
    assert rules("alerts", "rehearse", "--json").json == [], "nothing happened in the last seven days"
    assert rules("outbox", "--json").json == []
    assert rules("alerts", "list", "--json").json["mails"] == []


def test_a_rehearsal_of_no_time_is_refused(rules: Command) -> None:
    said = rules("alerts", "rehearse", "--since", "2026-07-02", "--until", "2026-07-01")
    assert (said.code, said.out) == (2, "")
    assert "ends before it begins" in said.err


def test_a_pause_until_a_time(rules: Command) -> None:
    wanted = in_hours(30).replace(microsecond=0)
    said = rules("alerts", "pause", "--until", wanted.isoformat(), "--json")
    assert said.json == {"paused_until": wanted.isoformat(), "all": False}
    listed = rules("alerts", "list", "--json").json
    assert (moment(listed["paused_until"]), listed["all"]) == (wanted, False)
    assert "Alert mails are held until" in rules("alerts", "list").out
    assert rules("alerts", "resume", "--json").json == {"released": 0}
    assert rules("alerts", "list", "--json").json["paused_until"] is None


@pytest.mark.parametrize(
    "words",
    [
        ("pause",),
        ("pause", "1h", "--until", "2126-01-01"),
        ("pause", "--until", "2020-01-01"),
        ("pause", "--until", "8h"),
        ("silence", "new_ban", "1h"),
        ("silence", "nothing", "1h", "--reason", "x"),
        ("silence", "10.0.0.0/99", "1h", "--reason", "x"),
        ("silence", "new_ban", "soon", "--reason", "x"),
        ("unsilence", "7"),
        ("unsilence", "-1"),
        ("acknowledge", "7"),
        ("rehearse", "--since", "then"),
    ],
    ids=" ".join,
)
def test_wrong_usage(rules: Command, words: tuple[str, ...]) -> None:
    said = rules("alerts", *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.strip()
    assert "{" not in said.err


def test_what_is_silenced_is_listed_until_it_ends(rules: Command) -> None:
    rule = rules("alerts", "silence", "new_ban", "2h", "--reason", "maintenance", "--json").json
    network = rules("alerts", "silence", "2001:db8::/32", "1d", "--reason", "lab", "--json").json
    assert (rule["rule"], rule["network"], rule["reason"]) == ("new_ban", "", "maintenance")
    assert (network["rule"], network["network"]) == (None, "2001:db8::/32")
    assert abs(moment(network["until"]) - in_hours(24)) < timedelta(minutes=1)
    assert [one["id"] for one in rules("alerts", "silences", "--json").json] == [network["id"], rule["id"]]
    lines = rules("alerts", "silences").out.splitlines()
    assert ["lab" in line and "2001:db8::/32" in line for line in lines] == [True, False]
    assert rules("alerts", "unsilence", str(network["id"]), "--json").json == {"released": 0}
    assert [one["id"] for one in rules("alerts", "silences", "--json").json] == [rule["id"]]
    rules("alerts", "unsilence", str(rule["id"]))
    assert "Nothing is silenced." in rules("alerts", "silences").err


def test_what_was_held_is_told_and_listed(with_server: Command, smtp_catcher: Mailbox) -> None:
    with_server("alerts", "silence", "203.0.113.0/24", "2h", "--reason", "a test of penetration")
    with_server("import", "-", "--alerts", stdin="".join(LINES).encode())
    (mail,) = smtp_catcher.wait(1)
    assert "198.51.100.7" in mail.message["Subject"]
    listed = with_server("alerts", "list", "--json").json
    assert listed["held"] == 10
    assert [one["silence"] for one in listed["open"] if one["shape"] == "held"] == [1]
    assert "10 events wait for a later mail." in with_server("alerts", "list").out
    assert with_server("alerts", "unsilence", "1", "--json").json == {"released": 10}
    smtp_catcher.wait(2)
    listed = with_server("alerts", "list", "--json").json
    assert listed["held"] == 0
    assert [(one["kind"], one["state"], one["folded"]["events"]) for one in listed["mails"]] == [
        ("digest", "sent", 10),
        ("first", "sent", 1),
    ]
    assert listed["mails"][0]["folded"]["top_sources"][0]["name"] == "203.0.113.9"
    table = with_server("alerts", "list").out
    assert "10 events from 1 source" in table
    assert "203.0.113.9 (10)" in table
    known = [one["id"] for one in listed["incidents"]]
    assert len(known) == 2
    counted = with_server("alerts", "acknowledge", "--json").json["acknowledged"]
    assert counted in range(1, 3)
    assert with_server("alerts", "acknowledge", "--json").json == {"acknowledged": 0}


def test_through_the_running_program(rules: Command, serve: Server) -> None:
    rules("import", "-", stdin="".join(LINES).encode())
    assert len(rules("alerts", "rehearse", "--since", "2026-07-01", "--json").json) >= 2
    silence = rules("alerts", "silence", "new_ban", "2h", "--reason", "x", "--json").json
    assert [one["id"] for one in rules("alerts", "silences", "--json").json] == [silence["id"]]
    assert rules("alerts", "unsilence", str(silence["id"]), "--json").json == {"released": 0}
    assert rules("alerts", "pause", "--until", in_hours(1).isoformat(), "--json").code == 0
    until(lambda: rules("status").json["state"] == "paused", "the pause is in force")
    assert rules("alerts", "resume", "--json").json == {"released": 0}
    assert rules("alerts", "acknowledge", "--json").json == {"acknowledged": 0}
    assert rules("alerts", "list", "--json").json["mails"] == []
