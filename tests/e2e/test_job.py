"""The job from end to end: log lines in, reports and alerts out by SMTP, read back as their readers see them."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.core.engine import DAY, HOUR, MONDAY, PARIS, PEOPLE, Engine, keyring_for, settings, smtp_of, text_of
from tests.e2e.loglines import counted, firewall, sources, waf
from tests.peers.mailbox import Mailbox, ReceivedMail
from vxtray.core.parsers import FORMATS
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.settings.tree import Alerts, Daily, Monthly, Reports, Settings, Severity, Weekly

SUNDAY = MONDAY - DAY
OFF = Reports(zone="Europe/Paris")


def made_log() -> str:
    """Return lines of Saturday, Sunday and Monday; those at the very edges of Sunday count the most."""
    lines = [
        waf(SUNDAY, "203.0.113.1", 55),
        waf(SUNDAY + DAY - timedelta(seconds=1), "203.0.113.1", 20),
        waf(SUNDAY - timedelta(seconds=1), "198.51.100.1", 55),
        waf(MONDAY, "198.51.100.2", 55),
    ]
    lines += [waf(SUNDAY + number * HOUR, f"203.0.113.{number % 3}", 5 * (number % 4 + 1)) for number in range(24)]
    lines += [firewall(SUNDAY + HOUR, "2001:db8::1", denied=number % 3 == 0) for number in range(60)]
    lines += [firewall(SUNDAY - HOUR, "198.51.100.9", denied=True) for _ in range(30)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def engine(profile: Profile, smtp_catcher: Mailbox) -> Iterator[Engine]:
    chosen = settings(smtp_of(smtp_catcher))
    one = Engine(profile, chosen, keyring_for(chosen.smtp, smtp_catcher.password))
    yield one
    one.service.stop()


def apply(one: Engine, **parts: Any) -> None:
    one.service.apply(msgspec.structs.replace(one.service.settings, **parts))


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def check_wire(mail: ReceivedMail) -> None:
    """What every mail of ours owes its readers and the servers on its way."""
    message = mail.message
    assert message.defects == []
    assert (mail.sender, mail.recipients) == ("reports@example.com", PEOPLE)
    assert len(message["From"].addresses) == 1
    assert [address.addr_spec for address in message["To"].addresses] == list(PEOPLE)
    assert re.fullmatch(r"<[^@<>\s]+@example\.com>", message["Message-ID"])
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["MIME-Version"] == "1.0"
    whole = "multipart/mixed" if list(message.iter_attachments()) else "multipart/alternative"
    assert message.get_content_type() == whole
    assert part(message, "plain")
    assert part(message, "html").lstrip().lower().startswith("<!doctype html")
    lines = mail.content.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not [line for line in lines if b"\r" in line or b"\n" in line]
    assert mail.content.isascii()
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        assert len(message.get_all(name)) == 1


def test_eight_in_the_morning(engine: Engine, smtp_catcher: Mailbox, tmp_path: Path) -> None:
    log = tmp_path / "sfw.log"
    log.write_text(made_log())
    engine.clock.at(7, 59)
    result = engine.service.import_files([log])
    assert (result.stored, result.rejected) == (len(made_log().splitlines()), 0)
    engine.service.start()
    apply(engine)
    assert engine.service.next_reports()["daily"] == MONDAY + 8 * HOUR  # type: ignore[index]  # a StrEnum's text
    assert smtp_catcher.mails == []

    engine.clock.at(8)
    apply(engine)
    (mail,) = smtp_catcher.wait(1)
    check_wire(mail)
    message = mail.message
    assert parsedate_to_datetime(message["Date"]) == engine.clock()

    truth = counted(made_log(), "2026-11-22")
    assert truth["events"] == 86
    assert message["Subject"].startswith("[vxtray] Daily security report, Sunday 22 November 2026")
    assert f"{truth['events']} events, {truth['blocked']} blocked" in message["Subject"]
    text, html = part(message, "plain"), part(message, "html")
    for name, number in (("Events", truth["events"]), ("Blocked", truth["blocked"])):
        assert re.search(rf"^{name} +{number}\b", text, re.MULTILINE), name
        assert re.search(rf">\s*{number}\s*<", html), name
    assert re.search(rf"^Critical events +{truth['critical']}\b", text, re.MULTILINE)
    assert re.search(rf"^Different sources +{truth['unique_sources']}\b", text, re.MULTILINE)
    for address, number in sources(made_log(), "2026-11-22").items():
        assert re.search(rf"^{re.escape(address)} .* {number} +\d+%$", text, re.MULTILINE), address
    assert "198.51.100." not in text, "the days around it do not count"

    for days in (1, 2):
        engine.clock.at(8, days=days)
        apply(engine)
        smtp_catcher.wait(1 + days)
    engine.restart().start()
    apply(engine)
    subjects = [mail.message["Subject"] for mail in smtp_catcher.wait(3)]
    assert len(set(subjects)) == 3
    assert len({mail.message["Message-ID"] for mail in smtp_catcher.mails}) == 3


def test_a_week_and_a_month(engine: Engine, smtp_catcher: Mailbox, tmp_path: Path) -> None:
    log = tmp_path / "sfw.log"
    october = [waf(datetime(2026, 10, day, 12, tzinfo=PARIS), "192.0.2.1", 5) for day in range(1, 32)]
    week = [waf(MONDAY - timedelta(days=day) + HOUR, "192.0.2.2", 5) for day in range(1, 9)]
    log.write_text("\n".join(october + week) + "\n")
    engine.service.import_files([log])
    reports = Reports(
        zone="Europe/Paris", language="en", weekly=Weekly(enabled=True), monthly=Monthly(enabled=True, day=23)
    )
    engine.clock.at(7)
    engine.service.settings = msgspec.structs.replace(engine.service.settings, reports=reports)
    engine.tick()
    engine.clock.at(8)
    engine.service.start()
    subjects = sorted(mail.message["Subject"] for mail in smtp_catcher.wait(2))
    assert "31 events, 31 blocked" in subjects[0]
    assert "Monthly" in subjects[0]
    assert "7 events, 7 blocked" in subjects[1]
    assert "Weekly" in subjects[1]


def test_alerts_one_for_each_event(engine: Engine, smtp_catcher: Mailbox, tmp_path: Path) -> None:
    alerts = Alerts(language="en", waf_blocked=True, new_ban=True, minimum_severity=Severity.HIGH)
    apply(engine, alerts=alerts, reports=OFF)
    at = MONDAY + HOUR
    told = [waf(at, f"203.0.113.{number}", score) for number, score in enumerate((10, 19, 20, 55))]
    untold = [waf(at, "198.51.100.1", 5), firewall(at, "198.51.100.2", denied=True)]
    addresses = [f"203.0.113.{number}" for number in range(4)]
    if "fail2ban" in FORMATS:
        told.append("2026-11-23 01:00:00,123 fail2ban.actions        [812]: NOTICE  [sshd] Ban 203.0.113.99")
        addresses.append("203.0.113.99")
    log = tmp_path / "now.log"
    log.write_text("\n".join([*told[:2], *untold, *told[2:]]) + "\n")
    engine.service.start()
    result = engine.service.import_files([log], alerts=True)
    assert result.stored == len(told) + len(untold)
    mails = smtp_catcher.wait(len(told))
    for mail in mails:
        check_wire(mail)
        assert "198.51.100" not in text_of(mail.message)
    found = [[address for address in addresses if f" {address}" in text_of(mail.message)] for mail in mails]
    assert sorted(found) == [[address] for address in sorted(addresses)], "each once, and one event a mail"
    critical = [mail for mail in mails if "Critical" in mail.message["Subject"]]
    assert len(critical) == 2

    again = engine.service.import_files([log], alerts=True)
    assert (again.stored, again.duplicates) == (0, result.stored)
    engine.restart().start()
    engine.service.send_report(Cadence.DAILY)
    mails = smtp_catcher.wait(len(told) + 1)
    assert "Daily" in mails[-1].message["Subject"]


def test_settings_without_any_report_send_none(engine: Engine, smtp_catcher: Mailbox) -> None:
    apply(engine, reports=Reports(zone="Europe/Paris", daily=Daily(enabled=False)))
    engine.clock.at(9, days=40)
    engine.tick()
    assert engine.service.send_waiting() == 0
    assert isinstance(engine.service.settings, Settings)
    assert smtp_catcher.mails == []
