"""The support file: what helps is in it, and nothing that a person would not give away."""

import json
import logging
import os
import stat
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.core.engine import Engine, event, keyring_for, settings, smtp_of
from tests.peers.mailbox import Mailbox
from vxtray.core import support
from vxtray.core.credentials import Secret
from vxtray.core.errors import FileNotWritten, StoreError
from vxtray.core.journal import write_log
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.settings.tree import Alerts, LogFile, Reports, Settings, Sources
from vxtray.core.support import Bundle, Mask, gather, write

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
log = logging.getLogger("vxtray.tests")

#: What must not leave: a secret, what events and mails say, and who and where somebody is.
SECRET = "canary-secret-Zq9!x"
EVENTS = {
    "rule_name": "canary-rule",
    "message": "canary-message",
    "target_url": "/canary/url?x=1",
    "target_host": "canary-target.example.net",
    "src_ip": "198.51.100.77",
    "user": "canary-user",
}
PLACES = (
    "canary.sender@example.org",
    "canary-host.example.org",
    "203.0.113.201",
    "2001:db8::cafe",
    "/srv/canary/a.log",
)


@pytest.fixture
def engine(profile: Profile, smtp_catcher: Mailbox) -> Iterator[Engine]:
    smtp = msgspec.structs.replace(smtp_of(smtp_catcher), from_name="Canary Person", recipients=(PLACES[0],))
    chosen = settings(smtp, reports=Reports(zone="UTC"), alerts=Alerts(allow=(PLACES[2] + "/32",), language="en"))
    chosen = msgspec.structs.replace(chosen, sources=Sources(files=(LogFile(path=PLACES[4]),)))
    one = Engine(profile, chosen, keyring_for(smtp, smtp_catcher.password))
    yield one
    one.service.stop()


def lived(one: Engine) -> None:
    """Let it store, alert, mail and log, with canaries wherever there is place for one."""
    write_log(one.profile)
    one.clock.at(9)
    first, _last = one.service.store().append([event(one.clock(), **EVENTS)])
    one.service._committed(first, one.service.store().events(limit=1), alerts=True)
    one.service.send_report(Cadence.DAILY)
    one.service.send_waiting()
    Secret(SECRET).reveal()
    log.info("sign-in with %s at %s (%s, %s:587) for %s", SECRET, *PLACES[:4])
    log.info("the source %s: no such file", PLACES[4])
    log.info("see https://canary-host.example.org/canary/page?token=canary")
    try:
        raise ValueError(f"bad value {EVENTS['message']!r} in {EVENTS['rule_name']}")
    except ValueError:
        log.exception("a line “%s” could not be parsed", EVENTS["message"])


def taken(one: Engine, **options: bool) -> Bundle:
    return gather(one.profile, one.service, one.service.settings, NOW, running=True, **options)


@pytest.mark.expected_log("could not be parsed")
def test_it_helps_and_gives_nothing_away(engine: Engine, smtp_catcher: Mailbox, tmp_path: Path) -> None:
    lived(engine)
    path = tmp_path / "help.zip"
    write(taken(engine), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        members = {name: file.read(name).decode() for name in file.namelist()}
    whole = "\n".join(members.values())
    for canary in (SECRET, smtp_catcher.password, *EVENTS.values(), *PLACES, "Canary Person", "canary", str(tmp_path)):
        assert canary.lower() not in whole.lower(), canary
    assert "vxtray" in members["versions.txt"]
    assert "duckdb 2" in members["versions.txt"]
    chosen = json.loads(members["settings.json"])
    assert chosen["smtp.port"] == engine.service.settings.smtp.port
    assert (chosen["smtp.recipients"], chosen["smtp.security"], chosen["reports.daily.time"]) == (
        "<1 set>", "starttls", "08:00",
    )  # fmt: skip
    assert json.loads(members["counts.json"]) == {"mails": engine.service.outbox.counts(), "events": 1}
    assert json.loads(members["files.json"])["layouts"]["outbox of the file"] == 3
    assert json.loads(members["files.json"])["files"]["outbox.db"]["mode"] in {"600", "644"}
    assert json.loads(members["status.json"])["last_mail"]["state"] == "sent"
    assert "ValueError: …" in members["log.txt"]
    assert "test_support.py" in members["log.txt"]
    assert "could not be parsed" in members["log.txt"]
    assert "sign-in with" in members["log.txt"]


@pytest.mark.expected_log("could not be parsed")
def test_names_and_addresses_only_where_wished_secrets_and_events_never(engine: Engine, smtp_catcher: Mailbox) -> None:
    lived(engine)
    whole = taken(engine, addresses=True).text
    for place in PLACES:
        assert place in whole
    for canary in (SECRET, smtp_catcher.password, *EVENTS.values()):
        assert canary not in whole, canary


def test_without_an_engine_it_says_what_keeps_it(profile: Profile) -> None:
    """Nothing was ever kept there, and the outbox cannot be opened."""
    fault = StoreError(path=profile.outbox_file, reason="it is damaged")
    bundle = gather(profile, None, Settings(), NOW, running=False, fault=fault)
    assert "it is damaged" in bundle.members["status.json"]
    assert str(profile.outbox_file) not in bundle.text
    assert bundle.members["log.txt"] == "not readable: FileNotFoundError\n"


def test_of_a_long_log_the_end(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "LOG_BYTES", 1000)
    profile.logs.mkdir(parents=True)
    profile.log_file.write_text("".join(f"2026-11-23 line {number}\n" for number in range(1000)) + "x" * 500 + "\n")
    lines = gather(profile, None, Settings(), NOW, running=False).members["log.txt"].splitlines()
    assert lines[-2] == "2026-11-23 line 999"
    assert len(lines[-1]) == 400
    assert len(lines) < 40


def test_a_folder_that_is_not_there(profile: Profile, tmp_path: Path) -> None:
    with pytest.raises(FileNotWritten):
        write(gather(profile, None, Settings(), NOW, running=False), tmp_path / "none" / "a.zip")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("from 203.0.113.9:514 and ::1", "from <address 1>:514 and <address 2>"),
        ("at 16:34:30,123 and 2026-11-23 08:00", "at 16:34:30,123 and 2026-11-23 08:00"),
        ("at [2001:db8::1]:25", "at [<address 1>]:25"),
        ("mail.example.org, mail.example.org. x.y.example.org", "<host 1>, <host 1>. <host 2>"),
        ("vxtray.core.postroom: outbox.db, version 3.51.3", "vxtray.core.postroom: outbox.db, version 3.51.3"),
        ("/srv/anna/logs/fw.log and C:\\Users\\Anna\\a.log", "<path 1> and <path 2>"),
        ("a.b@example.org said https://u:p@h.example/x?y#z", "<mailbox 1> said <url 1>"),
        ("and/or 1/2 text/plain", "and/or 1/2 text/plain"),
    ],
)
def test_words_for_names(text: str, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", os.uname)
    assert Mask(Settings())(text) == left
