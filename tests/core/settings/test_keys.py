"""Every key of the contract, its default, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vxtray.core import texts
from vxtray.core.errors import SettingsInvalid, UsageError
from vxtray.core.events import Severity
from vxtray.core.settings import keys
from vxtray.core.settings.tree import Auth, LogFile, Security, Settings, Weekday

#: The table of the contract, with the defaults that it states or that follow from "off" and "empty".
CONTRACT: dict[str, object] = {
    "smtp.host": "",
    "smtp.port": 587,
    "smtp.security": "starttls",
    "smtp.auth": "auto",
    "smtp.username": "",
    "smtp.from_address": "",
    "smtp.from_name": "",
    "smtp.recipients": (),
    "smtp.ca_file": "",
    "smtp.timeout_seconds": 30,
    "smtp.oauth.provider": "",
    "smtp.oauth.client_id": "",
    "smtp.oauth.tenant": "",
    "smtp.oauth.authorize_url": "",
    "smtp.oauth.token_url": "",
    "smtp.oauth.device_url": "",
    "smtp.oauth.scopes": (),
    "reports.daily.enabled": False,
    "reports.daily.time": "08:00",
    "reports.weekly.enabled": False,
    "reports.weekly.weekday": "monday",
    "reports.weekly.time": "08:00",
    "reports.monthly.enabled": False,
    "reports.monthly.day": 1,
    "reports.monthly.time": "08:00",
    "reports.recipients": (),
    "reports.zone": "",
    "reports.language": "auto",
    "reports.catch_up": "last",
    "reports.attach_pdf": True,
    "reports.attach_csv": False,
    "alerts.waf_detected": False,
    "alerts.waf_blocked": False,
    "alerts.new_ban": False,
    "alerts.critical": True,
    "alerts.minimum_severity": "critical",
    "alerts.rule_ids": (),
    "alerts.allow": (),
    "alerts.recipients": (),
    "alerts.language": "auto",
    "alerts.group_seconds": 300,
    "alerts.summary_minutes": 60,
    "alerts.max_mails_per_hour": 20,
    "alerts.quiet_hours.enabled": False,
    "alerts.quiet_hours.from": "22:00",
    "alerts.quiet_hours.to": "07:00",
    "desktop.notifications": True,
    "desktop.notify_from": "high",
    "desktop.sound": False,
    "sources.syslog.enabled": False,
    "sources.syslog.address": "127.0.0.1",
    "sources.syslog.port": 5514,
    "sources.syslog.tls_port": 0,
    "sources.syslog.cert_file": "",
    "sources.syslog.key_file": "",
    "sources.syslog.client_ca_file": "",
    "sources.syslog.allow": (),
    "sources.files": (),
    "sources.silent_minutes": 60,
    "sources.vigilancex.enabled": False,
    "sources.vigilancex.url": "",
    "sources.vigilancex.username": "",
    "sources.vigilancex.ca_file": "",
    "sources.vigilancex.poll_seconds": 30,
    "sources.vigilancex.notices": (),
    "sources.clickhouse.enabled": False,
    "sources.clickhouse.url": "",
    "sources.clickhouse.database": "vigilance_x",
    "sources.clickhouse.username": "",
    "sources.clickhouse.ca_file": "",
    "store.engine": "embedded",
    "store.retention_days": 400,
    "store.max_mebibytes": 2048,
    "store.send": True,
    "store.clickhouse.url": "",
    "store.clickhouse.username": "default",
    "store.clickhouse.database": "vxtray",
    "store.clickhouse.ca_file": "",
    "store.clickhouse.cluster": "",
    "store.clickhouse.max_waiting_mebibytes": 2048,
    "general.language": "auto",
    "general.theme": "auto",
    "general.autostart": False,
    "general.defang": False,
    "general.mask_internal": False,
}


def test_every_key_of_the_contract_exists_and_no_other() -> None:
    assert set(keys.LEAVES) == set(CONTRACT)


@pytest.mark.parametrize("key", CONTRACT)
def test_the_default(key: str) -> None:
    value = keys.typed_value(Settings(), key)
    assert value == CONTRACT[key]
    assert keys.convert(key, value) == value, "a default must be allowed"


@pytest.mark.parametrize(
    ("key", "typed", "value"),
    [
        ("smtp.port", "465", 465),
        ("smtp.port", " 25 ", 25),
        ("smtp.security", "TLS", Security.TLS),
        ("smtp.auth", "OAuth", Auth.OAUTH),
        ("smtp.host", "münchen.example.de", "münchen.example.de"),
        ("smtp.host", "2001:db8::25", "2001:db8::25"),
        ("smtp.from_name", " Sécurité ", " Sécurité "),
        ("smtp.recipients", "A@example.com; b@example.com,\n c@e.org,", ("A@example.com", "b@example.com", "c@e.org")),
        ("smtp.recipients", "", ()),
        ("smtp.oauth.authorize_url", "http://127.0.0.1:8080/authorize", "http://127.0.0.1:8080/authorize"),
        ("reports.daily.enabled", "on", True),
        ("reports.daily.enabled", "No", False),
        ("reports.weekly.weekday", "Friday", Weekday.FRIDAY),
        ("reports.monthly.day", "31", 31),
        ("reports.monthly.day", "Last", "last"),
        ("reports.zone", "Europe/Paris", "Europe/Paris"),
        ("reports.zone", "", ""),
        ("alerts.minimum_severity", "medium", Severity.MEDIUM),
        ("alerts.allow", "192.0.2.7/24, 2001:db8::/32", ("192.0.2.7/24", "2001:db8::/32")),
        ("sources.syslog.address", "::", "::"),
        ("sources.files", '[{"path": "/X.log", "format": "cef"}]', (LogFile(path="/X.log", format="cef"),)),
    ],
)
def test_a_typed_text_becomes_its_value(key: str, typed: str, value: object) -> None:
    assert keys.convert(key, typed) == value


WRONG: list[tuple[str, object, str]] = [
    ("smtp.host", "https://mail.example.com", "server name"),
    ("smtp.host", "mail.example.com:587", "server name"),
    ("smtp.host", "mail .example.com", "server name"),
    ("smtp.host", "mail\u200b.example.com", "server name"),
    ("smtp.host", 587, "text"),
    ("smtp.port", "0", "from 1 to 65535"),
    ("smtp.port", "65536", "from 1 to 65535"),
    ("smtp.port", "-1", "from 1 to 65535"),
    ("smtp.port", "smtp", "whole number"),
    ("smtp.port", "", "whole number"),
    ("smtp.port", "9" * 40, "whole number"),
    ("smtp.port", 587.5, "whole number"),
    ("smtp.port", True, "whole number"),
    ("smtp.security", "ssl", "one of starttls, tls, none"),
    ("smtp.security", 1, "one of starttls, tls, none"),
    ("smtp.auth", "kerberos", "one of auto, password, oauth, none"),
    ("smtp.username", "a\nb", "one line"),
    ("smtp.from_address", "reports", "e-mail address"),
    ("smtp.from_address", "Reports <a@example.com>", "e-mail address"),
    ("smtp.from_address", "a@example.com\r\nBcc: b@example.com", "e-mail address"),
    ("smtp.from_name", "a\r\nBcc: b@example.com", "one line"),
    ("smtp.recipients", "a@example.com, b", "e-mail address"),
    ("smtp.recipients", "a@example.com\u200b", "e-mail address"),
    ("smtp.recipients", [1], "list"),
    ("smtp.ca_file", "\udcff.pem", "one line"),
    ("smtp.ca_file", "a\0b", "one line"),
    ("smtp.timeout_seconds", "0", "from 1 to 600"),
    ("smtp.oauth.provider", "yahoo", "one of “”, microsoft, outlook, google, custom"),
    ("smtp.oauth.token_url", "http://login.example.com/token", "https://"),
    ("smtp.oauth.token_url", "http://localhost.example.com/token", "https://"),
    ("smtp.oauth.device_url", "javascript:alert(1)", "https://"),
    ("reports.daily.enabled", "maybe", "true or false"),
    ("reports.daily.enabled", 1, "true or false"),
    ("reports.daily.time", "8:00", "time such as 08:00"),
    ("reports.daily.time", "24:00", "time such as 08:00"),
    ("reports.daily.time", "08:60", "time such as 08:00"),
    ("reports.daily.time", "08:00\n", "time such as 08:00"),
    ("reports.daily.time", "", "time such as 08:00"),
    ("reports.weekly.weekday", "lundi", "one of monday, tuesday"),
    ("reports.monthly.day", "0", "day from 1 to 31"),
    ("reports.monthly.day", "32", "day from 1 to 31"),
    ("reports.monthly.day", "first", "day from 1 to 31"),
    ("reports.zone", "Paris", "time zone"),
    ("reports.zone", "../../etc/passwd", "time zone"),
    ("reports.language", "de", "one of auto, fr, en"),
    ("reports.catch_up", "none", "one of last, all"),
    ("alerts.minimum_severity", "urgent", "one of critical, high"),
    ("alerts.rule_ids", ["9421\n00"], "one line"),
    ("alerts.allow", "192.0.2.0/33", "network"),
    ("alerts.allow", "example.com", "network"),
    ("alerts.group_seconds", "86401", "from 0 to 86400"),
    ("alerts.quiet_hours.from", "22h", "time such as 08:00"),
    ("desktop.notifications", "loud", "true or false"),
    ("sources.syslog.port", "70000", "from 0 to 65535"),
    ("sources.files", "/var/log/x.log", "list"),
    ("sources.files", [{"path": "/var/log/x.log", "format": "xml"}], "list"),
    ("sources.files", [{"format": "cef"}], "list"),
    ("sources.files", "[" * 100_000, "list"),
    ("sources.files", '[{"path": "\udcff"}]', "list"),
    ("sources.vigilancex.poll_seconds", "1", "from 5 to 3600"),
    ("sources.vigilancex.notices", "disk, weather", "a list of update, leak"),
    ("store.engine", "sqlite", "one of embedded, clickhouse"),
    ("store.clickhouse.url", "http://clickhouse.example.com:8123", "https://"),
    ("store.clickhouse.database", "vxtray; DROP DATABASE x", "letters, digits and _"),
    ("store.clickhouse.database", "", "letters, digits and _"),
    ("store.clickhouse.cluster", "a'b", "letters, digits and _"),
    ("store.clickhouse.max_waiting_mebibytes", 1, "from 64"),
    ("store.retention_days", "0", "from 1 to 36500"),
    ("general.theme", "blue", "one of auto, light, dark"),
]


@pytest.mark.parametrize(("key", "value", "allowed"), WRONG)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(key: str, value: object, allowed: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        keys.convert(key, value)
    said = texts.title(caught.value, "en")
    assert said.startswith(f"{key} cannot be")
    assert allowed in said
    assert said.isprintable(), "what was refused may not steer a terminal"
    assert len(said) < 300


def test_every_kind_of_value_has_a_wrong_one() -> None:
    kinds = {str(keys.LEAVES[key].type) for key, _, _ in WRONG}
    assert kinds == {str(leaf.type) for leaf in keys.LEAVES.values()}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("smtp.hots", "There is no setting smtp.hots. Did you mean smtp.host?"),
        ("reports.daily.enable", "There is no setting reports.daily.enable. Did you mean reports.daily.enabled?"),
        ("weather", "There is no setting weather."),
        ("", "There is no setting ."),
        ("version", "There is no setting version."),
        ("smtp", "smtp is a section; name one of its settings."),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(key: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        keys.convert(key, "x")
    assert texts.title(caught.value, "en") == said
    assert "settings show" in texts.advice(caught.value, "en")


def test_a_section_is_read_as_a_whole() -> None:
    assert keys.value_of(Settings(), "alerts.quiet_hours") == {"enabled": False, "from": "22:00", "to": "07:00"}
    assert keys.typed_value(Settings(), "alerts.quiet_hours.from") == "22:00"


def test_a_value_in_place_of_a_section_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match=r"^reports\.daily cannot be “True”: it must be a section\.$"):
        keys.build({"reports": {"daily": True}})


def test_unknown_keys_are_told_and_left_out() -> None:
    settings, unknown = keys.build({"smtp": {"port": 25, "colour": {"of": "sky"}}, "weather": "fine", "version": 1})
    assert settings.smtp.port == 25
    assert unknown == ["smtp.colour.of", "weather"]


@given(st.text(), st.sampled_from(sorted(CONTRACT)))
def test_any_text_is_taken_or_refused_in_words(text: str, key: str) -> None:
    try:
        value = keys.convert(key, text)
    except SettingsInvalid as error:
        value, said = None, texts.title(error, "en")
    else:
        said = f"{key} cannot be"
    assert said.startswith(f"{key} cannot be")
    assert said.isprintable()
    assert value is None or keys.convert(key, value) == value
