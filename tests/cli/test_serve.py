"""A program that runs: commands reach it, it notices what changes beside it, and it ends cleanly."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from multiprocessing.connection import Client
from pathlib import Path

import pytest

from tests.cli.conftest import Server, answers
from tests.peers.desktop import until
from vxtray.core.control import Call, call_running
from vxtray.core.settings.file import SettingsFile

LINE = (
    '<30>device_name="SFW" timestamp="2026-11-20T10:{n:02}:00+0000" device_model="XGS2100" log_id="010101600001"'
    ' log_type="Firewall" log_component="Firewall Rule" log_subtype="Denied" severity="Information" fw_rule_id="9"'
    ' src_ip="198.51.100.{n}" dst_ip="203.0.113.9" protocol="TCP" src_port=4000 dst_port=443\n'
)
LINES = "".join(LINE.format(n=n) for n in range(30)).encode()


def running_settings(profile) -> dict[str, object]:
    """What the running program has in force, as its own status tells it."""
    found = call_running(profile, Call(argv=["status"], cwd="/", language="en"))
    assert found is not None
    return json.loads("".join(answer.out for answer in found))


def test_commands_reach_the_running_program(serve, vxtray, vxtray_process, profile, tmp_path) -> None:
    said = vxtray("status")
    assert (said.code, said.json["state"], said.json["running"]) == (3, "not_configured", True)
    vxtray("smtp", "set", "host=mail.example.com", "from_address=a@example.com", "recipients=b@example.com")
    said = vxtray_process("status")
    assert (said.code, said.json["state"], said.json["ok"]) == (0, "working", True)

    vxtray("settings", "set", "reports.daily.enabled=true", "reports.daily.time=23:59")
    assert "T23:59:00" in running_settings(profile)["next_reports"]["daily"], "there at once"
    vxtray("settings", "reset", "reports.daily")
    assert running_settings(profile)["next_reports"]["daily"] is None
    assert "settings changed: reports.daily.enabled, reports.daily.time" in serve.log

    (tmp_path / "a.log").write_bytes(LINES[: len(LINES) // 2])
    said = vxtray_process("import", "a.log", "--json", cwd=tmp_path)
    assert (said.code, said.json["stored"]) == (0, 15)
    said = vxtray_process("import", "-", "--json", stdin=LINES[len(LINES) // 2 :])
    assert (said.code, said.json["stored"]) == (0, 15)
    assert len(vxtray("events", "--json").json) == 30
    said = vxtray_process("--lang", "fr", "import", "missing.log", cwd=tmp_path)
    assert said.code == 1
    assert str(tmp_path / "missing.log") in said.err
    assert "There is" not in said.err, "answered in the caller's language"
    assert vxtray("import", os.fsdecode(b"\xff.log")).code == 1
    assert vxtray("report", "daily", "--for", "2026-11-20", "--json").json["totals"]["events"] == 30
    assert vxtray("report", "daily", "--for", "2026-11-20", "--out", str(tmp_path / "out")).code == 0
    assert (tmp_path / "out" / "message.eml").stat().st_size > 0
    assert vxtray("alerts", "pause", "1h", "--json").code == 0
    assert vxtray("status").json["state"] == "paused"
    assert vxtray("alerts", "resume", "--json").json == {"released": 0}
    assert vxtray("outbox", "--json").json == []
    assert vxtray("outbox", "show", "1").code == 2
    said = vxtray("show")
    assert said.code == 1
    assert "without a window" in said.err
    for file in (profile.log_file, profile.settings_file, profile.outbox_file, profile.control_key):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    said = vxtray_process("serve")
    assert (said.code, said.out) == (1, "")
    assert "Another vxtray command is working with this profile." in said.err

    assert vxtray("quit").code == 0
    assert serve.wait() == 0
    assert vxtray("status").json["running"] is False
    assert not Path(profile.control_address).exists()


@pytest.mark.expected_log("settings file cannot be read")
def test_a_change_by_hand_is_noticed_and_a_broken_one_told(serve, vxtray, profile) -> None:
    SettingsFile(profile.settings_file).merge({"smtp.host": "mail.example.com"})
    profile.settings_file.write_text("[smtp]\nhost = 'h'\nfrom_address = 'a@b.c'\nrecipients = ['a@b.c']\n")
    until(lambda: running_settings(profile)["state"] == "working", "the edit is in force", 10)
    profile.settings_file.write_text("[smtp\n")
    until(lambda: running_settings(profile)["state"] == "trouble", "the fault is told", 10)
    (trouble,) = vxtray("--lang", "en", "status").json["trouble"]
    assert trouble["what"].startswith("The settings file cannot be read")
    assert str(profile.settings_file) in trouble["advice"]
    assert vxtray("settings", "set", "smtp.host=mail.example.com").code == 0
    assert vxtray("settings", "get", "smtp.from_address").out == "a@b.c\n"
    assert vxtray("status").json["state"] == "working"


def test_a_caller_that_vanishes_is_no_fault(serve, vxtray, profile, tmp_path) -> None:
    """Ctrl-C on a command, in the middle of its answers; the fixture finds errors in the log."""
    from multiprocessing.connection import answer_challenge, deliver_challenge

    for words in (["events", "--json"], ["import", str(tmp_path / "missing.log")]):
        connection, key = Client(profile.control_address), profile.control_key.read_bytes()
        answer_challenge(connection, key)
        deliver_challenge(connection, key)
        connection.send_bytes(json.dumps({"argv": words, "cwd": "/", "language": "en"}).encode())
        connection.close()
    until(lambda: serve.log.count("a caller left") == 2, "both are noticed")
    assert vxtray("status").code == 3


def test_sigterm_ends_it_cleanly(serve, vxtray, profile) -> None:
    silent = Client(profile.control_address)
    serve.process.send_signal(signal.SIGTERM)
    assert serve.wait() == 0
    silent.close()
    assert serve.log.splitlines()[-1].endswith("ended")
    assert not Path(profile.control_address).exists()


def test_what_a_killed_one_left_is_taken_over(serve, vxtray, profile, tmp_path) -> None:
    vxtray("import", "-", stdin=LINES)
    serve.process.kill()
    serve.wait()
    assert Path(profile.control_address).exists()
    assert len(vxtray("events", "--json").json) == 30, "commands work on their own again"
    again = Server(profile, tmp_path)
    try:
        assert answers(profile)
        assert len(vxtray("events", "--json").json) == 30
    finally:
        with contextlib.suppress(ProcessLookupError):
            again.process.send_signal(signal.SIGINT)
        assert again.wait() == 0


def test_settings_from_three_commands_reach_it(serve, profile) -> None:
    base = [sys.executable, "-m", "vxtray", "--profile-dir", str(profile.config), "settings", "set"]
    started = [subprocess.Popen([*base, f"reports.{name}.enabled=on"]) for name in ("daily", "weekly", "monthly")]
    assert [process.wait(30) for process in started] == [0, 0, 0]
    found = running_settings(profile)["next_reports"]
    assert all(found.values()), found
