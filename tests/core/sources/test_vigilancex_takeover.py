"""What a VIGILANCE X server was set to mail becomes settings of our own."""

from pathlib import Path

import pytest

from tests.peers.vigilancex import PASSWORD, USER, vigilancex_server
from vxtray.core.credentials import Secret, redact
from vxtray.core.errors import SourceError
from vxtray.core.settings import tree
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.model import SettingsModel
from vxtray.core.sources.vigilancex_api import Server
from vxtray.core.sources.vigilancex_takeover import TakeOver, ask, read

SAID = {
    "smtp_configured": True,
    "report_recipients": ["boss@example.com", "soc@example.com"],
    "daily_report_enabled": True,
    "daily_report_time": "07:30",
    "weekly_report_enabled": True,
    "weekly_report_day": 0,
    "weekly_report_time": "06:00",
    "monthly_report_enabled": False,
    "monthly_report_day": 28,
    "monthly_report_time": "05:00",
    "waf_detection_enabled": True,
    "waf_blocked_enabled": False,
    "new_ban_enabled": True,
    "critical_alert_enabled": True,
    "min_severity_level": "medium",
    "specific_event_ids": ["942100"],
    "smtp_config": {
        "host": "smtp.office365.com",
        "port": 587,
        "security": "tls",
        "from_email": "alerts@example.com",
        "username": "alerts@example.com",
        "password": "s3cr3t-of-smtp",
        "recipients": ["it@example.com"],
    },
}


def test_everything_that_means_the_same_is_taken_over_in_one_change(tmp_path: Path) -> None:
    with vigilancex_server() as server:
        server.said["/notifications/settings"] = SAID
        asking = Server(tree.VigilanceX(url=server.url, username=USER), lambda: Secret(PASSWORD))
        taken = ask(asking)
        asking.close()
    assert taken.left_out == ()
    assert taken.password == Secret("s3cr3t-of-smtp")
    assert "s3cr3t" not in repr(taken)
    assert redact("s3cr3t-of-smtp") == "***"
    file = SettingsFile(tmp_path / "settings.toml")
    model = SettingsModel(file)
    model.update(taken.changes)
    smtp, reports, alerts = model.current.smtp, model.current.reports, model.current.alerts
    assert (smtp.host, smtp.port, smtp.security) == ("smtp.office365.com", 587, tree.Security.STARTTLS)
    assert (smtp.from_address, smtp.username, smtp.recipients) == (
        "alerts@example.com",
        "alerts@example.com",
        ("it@example.com",),
    )
    assert reports.recipients == ("boss@example.com", "soc@example.com")
    assert reports.daily == tree.Daily(enabled=True, time="07:30")
    assert reports.weekly == tree.Weekly(enabled=True, weekday=tree.Weekday.SUNDAY, time="06:00")
    assert reports.monthly == tree.Monthly(enabled=False, day=28, time="05:00")
    assert (alerts.waf_detected, alerts.waf_blocked, alerts.new_ban, alerts.critical) == (True, False, True, True)
    assert (alerts.minimum_severity, alerts.rule_ids) == (tree.Severity.MEDIUM, ("942100",))


@pytest.mark.parametrize("day", range(7))
def test_its_week_begins_on_sunday(day: int) -> None:
    names = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
    assert read({"weekly_report_day": day}).changes == {"reports.weekly.weekday": names[day]}


def test_what_is_not_allowed_here_is_left_out_and_named() -> None:
    said = {
        "daily_report_enabled": True,
        "daily_report_time": "8 o'clock",
        "weekly_report_day": 9,
        "min_severity_level": "huge",
        "report_recipients": ["nobody", 7],
        "smtp_config": {
            "host": "http://x",
            "port": 99999,
            "security": "auto",
            "password": "abcd****",
            "username": "u\nv",
        },
    }
    taken = read(said)
    assert taken.changes == {"reports.daily.enabled": True, "smtp.username": "u v"}
    assert taken.password is None
    assert set(taken.left_out) == {
        "daily_report_time",
        "weekly_report_day",
        "min_severity_level",
        "report_recipients",
        "smtp_config.host",
        "smtp_config.port",
        "smtp_config.security",
    }


@pytest.mark.parametrize("said", [{}, {"smtp_config": None}, {"smtp_config": []}, {"daily_report_enabled": None}])
def test_nothing_said_is_nothing_taken_over(said: dict[str, object]) -> None:
    assert read(said) == TakeOver(changes={})


def test_without_a_licence_it_says_what_to_do() -> None:
    with vigilancex_server() as server:
        server.licensed = False
        server.paths_with_licence.add("/notifications/settings")
        asking = Server(tree.VigilanceX(url=server.url, username=USER), lambda: Secret(PASSWORD))
        with pytest.raises(SourceError, match="no licence") as raised:
            ask(asking)
        assert "import-env" in raised.value.advice_id
        asking.close()
