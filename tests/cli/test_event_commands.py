"""``import``, ``parse``, ``events``, ``report``, ``outbox``, ``alerts`` and ``status`` on made lines."""

import email
import email.policy
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vxtray.core.events import SecurityEvent

CONTRACT_IMPORT = {"read", "stored", "duplicates", "ignored", "rejected", "by_format", "seconds"}
CONTRACT_TOTALS = {
    "events",
    "blocked",
    "detected",
    "allowed",
    "critical",
    "unique_sources",
    "new_bans",
    "active_bans",
}
CONTRACT_STATUS = {
    "ok",
    "state",
    "trouble",
    "next_reports",
    "last_mail",
    "sign_in",
    "queue",
    "sources",
    "store",
    "version",
    "revision",
}


class Made(NamedTuple):
    path: Path
    truth: dict[str, Any]


@pytest.fixture(scope="session")
def made(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """2,000 lines of one day in Paris, some of them beyond use, with their exact totals."""
    folder = tmp_path_factory.mktemp("made")
    log, truth = folder / "events.log", folder / "truth.json"
    tool = shared / "tools" / "make_events.py"
    words = ["-n", "2000", "--days", "1", "--bad", "0.01", "--odd", "0.02", "-o", str(log), "--truth", str(truth)]
    subprocess.run([sys.executable, str(tool), *words], check=True, timeout=60)
    return Made(log, json.loads(truth.read_text("utf-8")))


@pytest.fixture
def paris(vxtray):
    vxtray("settings", "set", "reports.zone=Europe/Paris")
    return vxtray


def test_a_report_of_imported_lines_has_the_numbers_of_the_truth(paris, made, tmp_path) -> None:
    said = paris("import", str(made.path), "--json")
    truth = made.truth
    assert said.code == 0
    assert set(said.json) >= CONTRACT_IMPORT
    counted = {name: said.json[name] for name in ("read", "stored", "duplicates", "ignored", "rejected")}
    assert counted == {"read": 2000, "stored": truth["good"], "duplicates": 0, "ignored": 0, "rejected": truth["bad"]}
    assert said.json["by_format"] == {"sophos": truth["good"]}
    assert said.err.count(f"{made.path}:") == truth["bad"]

    (day,) = truth["by_day_local"]
    report = paris("report", "daily", "--for", day, "--json").json
    assert report["period"] == {
        "cadence": "daily",
        "complete": True,
        "start": f"{day}T00:00:00+01:00",
        "end": "2026-01-06T00:00:00+01:00",
        "zone": "Europe/Paris",
    }
    assert set(report["totals"]) == set(report["previous"]) == CONTRACT_TOTALS
    actions = truth["by_action"]
    totals = report["totals"]
    assert totals["events"] == sum(report["by_severity"].values()) == truth["good"]
    assert (totals["blocked"], totals["detected"]) == (actions["blocked"], actions["detected"])
    assert totals["allowed"] == actions["allowed"] + actions["auth_ok"]
    ours = {"admin": "auth", "av": "malware"}
    by_category: dict[str, int] = {}
    for word, n in truth["by_category"].items():
        by_category[ours.get(word, word)] = by_category.get(ours.get(word, word), 0) + n
    assert report["by_category"] == by_category
    sources, blocked = dict(truth["src_top20"]), dict(truth["src_blocked_top20"])
    best = report["top_sources"][:3]
    assert {row["name"]: row["events"] for row in best} == dict(truth["src_top20"][:3])
    assert {row["name"]: row["blocked"] for row in best if row["name"] in blocked} == dict(
        truth["src_blocked_top20"][:3]
    )
    assert all(set(row) >= {"name", "events", "blocked", "share", "country"} for row in report["top_sources"])
    assert set(report["top_targets"][0]) >= {"name", "events", "blocked", "share"}
    assert best[0]["share"] == pytest.approx(sources[best[0]["name"]] / truth["good"])

    again = paris("import", str(made.path), "--json").json
    assert (again["stored"], again["duplicates"] + again["rejected"]) == (0, 2000)
    (tmp_path / "again.log.gz").write_bytes(gzip.compress(made.path.read_bytes()))
    assert paris("import", str(tmp_path / "again.log.gz"), "--json").json["stored"] == 0
    assert paris("report", "daily", "--for", day, "--json").json["totals"] == totals


def test_parse_numbers_each_line(vxtray, made) -> None:
    said = vxtray("parse", str(made.path))
    events = [json.loads(line) for line in said.out.splitlines()]
    rejected = [int(line.partition(":")[0]) for line in said.err.splitlines()]
    assert (len(events), len(rejected)) == (made.truth["good"], made.truth["bad"])
    assert sorted([event["line"] for event in events] + rejected) == list(range(1, 2001))
    assert all(set(event) == {"line", *SecurityEvent.__struct_fields__} for event in events)
    piped = vxtray("parse", "-", stdin=made.path.read_bytes())
    assert piped.out == said.out


def test_standard_input_and_compressed_files(paris, made, tmp_path) -> None:
    lines = made.path.read_bytes().splitlines(keepends=True)
    (tmp_path / "first.log.gz").write_bytes(gzip.compress(b"".join(lines[:1000])))
    said = paris("import", str(tmp_path / "first.log.gz"), "-", "--json", stdin=b"".join(lines[1000:]))
    assert (said.json["read"], said.json["stored"]) == (2000, made.truth["good"])
    events = paris("events", "--json", "--limit", "3").json
    assert len(events) == 3
    assert events[0]["at"] >= events[1]["at"] >= events[2]["at"]
    waf = paris("events", "--category", "waf", "--limit", "5000", "--json").json
    assert len(waf) == made.truth["by_category"]["waf"]
    assert {event["category"] for event in waf} == {"waf"}
    none = paris("events", "--since", "2026-01-06", "--json")
    assert (none.code, none.json) == (0, [])
    some = paris("events", "--since", "2026-01-05T12:00", "--until", "2026-01-05T13:00", "--limit", "5000", "--json")
    assert all("2026-01-05T12" <= event["at"] < "2026-01-05T13" for event in some.json)
    assert len(some.json) == made.truth["by_hour_local"]["13"]
    critical = paris("events", "--severity", "critical", "--limit", "5000", "--json").json
    assert {event["severity"] for event in critical} == {"critical"}
    one = waf[0]["src_ip"]
    assert {
        e["src_ip"] for e in paris("events", "--source", one, "--text", waf[0]["message"].upper(), "--json").json
    } == {one}
    assert paris("events", "--severity", "bad").code == 2
    text = paris("events", "--category", "waf", "--limit", "2").out.splitlines()
    assert len(text) == 2


def test_one_wrong_file_among_several_stores_nothing(paris, made, tmp_path) -> None:
    said = paris("import", str(made.path), str(tmp_path / "missing.log"))
    assert (said.code, said.out) == (1, "")
    assert paris("events", "--json").json == []


def test_report_files(paris, made, tmp_path) -> None:
    paris("smtp", "set", "host=mail.example.com", "from_address=reports@example.com", "recipients=boss@example.com")
    paris("import", str(made.path))
    said = paris("report", "daily", "--for", "2026-01-05", "--out", str(tmp_path / "new" / "out"), "--json")
    out = tmp_path / "new" / "out"
    names = {f"report.{kind}" for kind in ("html", "txt", "pdf", "csv", "json")}
    assert {path.name for path in out.iterdir()} == {*names, "message.eml"}
    assert json.loads((out / "report.json").read_bytes()) == said.json
    page = (out / "report.html").read_text("utf-8")
    assert "cid:" not in page
    assert 'src="http' not in page
    message = email.message_from_bytes((out / "message.eml").read_bytes(), policy=email.policy.default)
    assert message["To"] == "boss@example.com"
    assert message["From"].addresses[0].addr_spec == "reports@example.com"
    parts = {part.get_content_type() for part in message.walk()}
    assert {"text/plain", "text/html"} <= parts
    text = (out / "report.txt").read_text("utf-8")
    assert f"{made.truth['good']:,}" in text
    assert paris("report", "daily", "--for", "2026-01-05").out.rstrip("\n") == text.rstrip("\n")


def test_status_says_what_is_missing(vxtray) -> None:
    said = vxtray("status")
    assert said.code == 3
    assert set(said.json) - {"running", "waiting", "alerts", "workers"} == CONTRACT_STATUS
    assert (said.json["ok"], said.json["state"], said.json["last_mail"]) == (False, "not_configured", None)
    assert [set(item) for item in said.json["trouble"]] == [{"what", "since", "advice"}]
    assert said.json["next_reports"] == {"daily": None, "weekly": None, "monthly": None}
    assert said.json["queue"] == {"queued": 0, "held": 0, "failed": 0}
    vxtray("smtp", "set", "host=mail.example.com", "from_address=a@example.com", "recipients=b@example.com")
    vxtray("settings", "set", "reports.daily.enabled=on", "general.language=fr")
    said = vxtray("status")
    assert (said.code, said.json["state"]) == (1, "stopped")
    assert said.json["next_reports"]["daily"].endswith("+00:00")
    assert "vxtray serve" in said.json["trouble"][0]["advice"]
    assert vxtray("--lang", "en", "status").json["trouble"][0]["what"].startswith("vxtray is not running")


@pytest.fixture
def with_server(paris, smtp_catcher, memory):
    """A profile whose mail server is the catcher, with its password."""
    server = (f"host={smtp_catcher.host}", f"port={smtp_catcher.port}", f"ca_file={smtp_catcher.ca_file}")
    paris("smtp", "set", *server, f"username={smtp_catcher.user}", "from_address=reports@example.com")
    paris("smtp", "set", "recipients=boss@example.com")
    paris("secret", "set", "smtp-password", stdin=smtp_catcher.password.encode())
    return paris


def test_check_and_test_mail(with_server, smtp_catcher) -> None:
    said = with_server("smtp", "test", "--json")
    assert (said.code, said.json["ok"]) == (0, True)
    names = ["resolve", "connect", "greeting", "tls", "ehlo", "auth", "sender", "recipients"]
    assert [step["name"] for step in said.json["steps"] if step["name"] in names] == names
    assert {"name", "ok", "ms", "detail", "advice"} <= set(said.json["steps"][0])
    assert smtp_catcher.mails == []
    said = with_server("smtp", "send-test", "--json", "--to", "a@example.com", "b@example.com")
    assert (said.code, said.json["ok"]) == (0, True)
    assert set(said.json) >= {"ok", "reply", "message_id", "recipients"}
    assert set(said.json["recipients"]) == {"a@example.com", "b@example.com"}
    (mail,) = smtp_catcher.wait(1)
    assert mail.message["Message-ID"] == said.json["message_id"]
    with_server("smtp", "set", "username=other@example.com")
    said = with_server("smtp", "test", "--json")
    assert (said.code, said.json["ok"]) == (1, False)


def test_a_report_is_sent_once_and_stands_in_the_outbox(with_server, smtp_catcher) -> None:
    said = with_server("report", "daily", "--for", "2026-01-05", "--send", "--to", "cfo@example.com")
    assert said.code == 0
    (mail,) = smtp_catcher.wait(1)
    assert mail.recipients == ("cfo@example.com",)
    (entry,) = with_server("outbox", "--json").json
    assert entry["state"] == "sent"
    shown = with_server("outbox", "show", str(entry["id"]), "--json").json
    assert shown["recipients"]["cfo@example.com"]["state"] == "sent"
    assert len(shown["attempts"]) == 1
    assert "cfo@example.com" in with_server("outbox", "show", str(entry["id"])).out
    assert with_server("outbox", "cancel", str(entry["id"])).code == 2
    status = with_server("status").json
    assert status["last_mail"]["state"] == "sent"
    assert len(smtp_catcher.mails) == 1


@pytest.mark.expected_log("refuses connections")
def test_the_queue_while_the_server_is_away(with_server, smtp_catcher, free_port) -> None:
    with_server("smtp", "set", f"port={free_port}")
    said = with_server("report", "weekly", "--for", "2026-01-05", "--send")
    assert said.code == 0
    assert "waits in the queue" in said.err
    with_server("report", "daily", "--for", "2026-01-05", "--send")
    second, first = with_server("outbox", "list", "--json").json
    assert {first["state"], second["state"]} == {"queued"}
    assert "weekly" in first["subject"].lower()
    assert with_server("status").json["queue"] == {"queued": 2, "held": 0, "failed": 0}
    assert with_server("outbox", "cancel", str(second["id"]), "--json").json["state"] == "cancelled"
    with_server("smtp", "set", f"port={smtp_catcher.port}")
    assert with_server("outbox", "retry", str(first["id"]), "--json").json["state"] == "sent"
    (mail,) = smtp_catcher.wait(1)
    assert mail.message["Subject"] == first["subject"]


def test_alerts_of_old_lines_and_the_pause(with_server, made, smtp_catcher) -> None:
    said = with_server("alerts", "pause", "2h", "--all", "--json")
    assert said.json["all"] is True
    assert said.json["paused_until"].endswith("+00:00")
    lines = made.path.read_bytes().splitlines(keepends=True)
    with_server("import", "-", "--alerts", stdin=b"".join(lines[:300]))
    held = with_server("status").json["queue"]["held"]
    assert held > 0
    assert smtp_catcher.mails == []
    assert with_server("alerts", "resume", "--json").json == {"released": held}
    (mail,) = smtp_catcher.wait(1)
    assert str(held) in mail.message["Subject"], "all of them in one mail"
    assert with_server("status").json["queue"] == {"queued": 0, "held": 0, "failed": 0}
    assert with_server("alerts", "resume", "--json").json == {"released": 0}


def test_old_lines_raise_no_alert_by_themselves(with_server, made, smtp_catcher) -> None:
    with_server("import", str(made.path))
    assert with_server("outbox", "--json").json == []
