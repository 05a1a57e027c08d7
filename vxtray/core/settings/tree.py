"""The one definition of what can be set: names, types, defaults and what is allowed.

Pure data, any thread. The nesting is that of the TOML file; a dotted key such as ``reports.daily.time`` names a leaf.
Every struct is frozen, so a snapshot may go to any thread.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import field

from vxtray.core.errors import N_, SettingsInvalid
from vxtray.core.events import Severity
from vxtray.core.settings.wellformed import is_address, is_host, is_identifier, is_network, is_safe_url, is_zone

#: Of the file's layout; raised with a migration in ``migrations.py``.
VERSION = 1


class Struct(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen table of settings."""


class Security(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


#: The port that belongs to each security mode (RFC 6409, RFC 8314; 25 for an open relay).
USUAL_PORT = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


class Auth(StrEnum):
    """How to sign in to the mail server."""

    AUTO = "auto"
    PASSWORD = "password"  # noqa: S105 - the name of a way to sign in
    OAUTH = "oauth"
    NONE = "none"


class Weekday(StrEnum):
    """Days in ISO order; ``list(Weekday)[date.weekday()]`` is the day's name."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class OAuth(Struct, frozen=True, kw_only=True):
    """The organisation's own app registration."""

    provider: Literal["", "microsoft", "outlook", "google", "custom"] = ""
    client_id: str = ""
    tenant: str = ""
    authorize_url: str = ""
    token_url: str = ""
    device_url: str = ""
    scopes: tuple[str, ...] = ()


class Smtp(Struct, frozen=True, kw_only=True):
    """The mail server. ``timeout_seconds`` is for connecting and for each command."""

    host: str = ""
    port: int = 587
    security: Security = Security.STARTTLS
    auth: Auth = Auth.AUTO
    username: str = ""
    from_address: str = ""
    from_name: str = ""
    recipients: tuple[str, ...] = ()
    ca_file: str = ""
    timeout_seconds: int = 30
    oauth: OAuth = OAuth()

    @property
    def configured(self) -> bool:
        """True when the server and the sender are known; whom to write to is said where a mail is made."""
        return bool(self.host and self.from_address)

    @property
    def signs_in(self) -> bool:
        """True when a user name and a secret are used."""
        return self.auth is not Auth.NONE and bool(self.username)


class Daily(Struct, frozen=True, kw_only=True):
    """When the daily report is sent."""

    enabled: bool = False
    time: str = "08:00"


class Weekly(Struct, frozen=True, kw_only=True):
    """When the weekly report is sent."""

    enabled: bool = False
    weekday: Weekday = Weekday.MONDAY
    time: str = "08:00"


class Monthly(Struct, frozen=True, kw_only=True):
    """When the monthly report is sent; days 29 to 31 fall back to the month's last day."""

    enabled: bool = False
    day: int | Literal["last"] = 1
    time: str = "08:00"


class Reports(Struct, frozen=True, kw_only=True):
    """Reports. An empty ``zone`` is the machine's, empty ``recipients`` those of ``smtp``."""

    daily: Daily = Daily()
    weekly: Weekly = Weekly()
    monthly: Monthly = Monthly()
    recipients: tuple[str, ...] = ()
    zone: str = ""
    language: Literal["auto", "fr", "en"] = "auto"
    catch_up: Literal["last", "all"] = "last"
    attach_pdf: bool = True
    attach_csv: bool = False


class QuietHours(Struct, frozen=True, kw_only=True):
    """Hours in which only critical alerts leave."""

    enabled: bool = False
    start: str = field(name="from", default="22:00")
    end: str = field(name="to", default="07:00")


class Alerts(Struct, frozen=True, kw_only=True):
    """Which events are told at once. Empty ``recipients`` means those of ``smtp``."""

    waf_detected: bool = False
    waf_blocked: bool = False
    new_ban: bool = False
    critical: bool = True
    minimum_severity: Severity = Severity.CRITICAL
    rule_ids: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    language: Literal["auto", "fr", "en"] = "auto"
    group_seconds: int = 300
    summary_minutes: int = 60
    max_mails_per_hour: int = 20
    quiet_hours: QuietHours = QuietHours()


class Desktop(Struct, frozen=True, kw_only=True):
    """Notifications on the desktop."""

    notifications: bool = True
    notify_from: Severity = Severity.HIGH
    sound: bool = False


class Syslog(Struct, frozen=True, kw_only=True):
    """The syslog receiver; ``tls_port`` 0 means no TLS listener."""

    enabled: bool = False
    address: str = "127.0.0.1"
    port: int = 5514
    tls_port: int = 0
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    allow: tuple[str, ...] = ()


class LogFile(Struct, frozen=True, kw_only=True):
    """One followed log file (a path or a pattern)."""

    path: str
    format: Literal["auto", "sophos", "fail2ban", "modsecurity", "suricata", "crowdsec", "cef"] = "auto"
    zone: str = ""
    start: Literal["now", "beginning"] = "now"


class VigilanceX(Struct, frozen=True, kw_only=True):
    """A VIGILANCE X server to read from; ``notices`` are what it says of itself and shall be alerted."""

    enabled: bool = False
    url: str = ""
    username: str = ""
    ca_file: str = ""
    poll_seconds: int = 30
    notices: tuple[Literal["update", "leak", "load", "disk", "license", "syslog", "bans"], ...] = ()


class ClickHouse(Struct, frozen=True, kw_only=True):
    """A ClickHouse server to read from."""

    enabled: bool = False
    url: str = ""
    database: str = "vigilance_x"
    username: str = ""
    ca_file: str = ""


class Sources(Struct, frozen=True, kw_only=True):
    """Where events come from; ``silent_minutes`` 0 means that silence is not told."""

    syslog: Syslog = Syslog()
    files: tuple[LogFile, ...] = ()
    silent_minutes: int = 60
    vigilancex: VigilanceX = VigilanceX()
    clickhouse: ClickHouse = ClickHouse()


class StoreClickHouse(Struct, frozen=True, kw_only=True):
    """The ClickHouse server that keeps the events.

    A ``cluster`` makes replicated and distributed tables; ``max_waiting_mebibytes`` is for events on their way to it.
    """

    url: str = ""
    username: str = "default"
    database: str = "vxtray"
    ca_file: str = ""
    cluster: str = ""
    max_waiting_mebibytes: int = 2048


class Store(Struct, frozen=True, kw_only=True):
    """Where events are kept, and for how long; of several programs on one store exactly one has ``send``."""

    engine: Literal["embedded", "clickhouse"] = "embedded"
    retention_days: int = 400
    max_mebibytes: int = 2048
    send: bool = True
    clickhouse: StoreClickHouse = StoreClickHouse()


class General(Struct, frozen=True, kw_only=True):
    """The program itself."""

    language: Literal["auto", "fr", "en"] = "auto"
    theme: Literal["auto", "light", "dark"] = "auto"
    autostart: bool = False
    defang: bool = False
    mask_internal: bool = False


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be set."""

    version: int = VERSION
    smtp: Smtp = Smtp()
    reports: Reports = Reports()
    alerts: Alerts = Alerts()
    desktop: Desktop = Desktop()
    sources: Sources = Sources()
    store: Store = Store()
    general: General = General()

    @property
    def ready(self) -> bool:
        """True when there is a way to send, and somebody to send to."""
        return self.smtp.configured and bool(self.report_recipients or self.alert_recipients)

    @property
    def report_recipients(self) -> tuple[str, ...]:
        """Who gets the reports."""
        return self.reports.recipients or self.smtp.recipients

    @property
    def alert_recipients(self) -> tuple[str, ...]:
        """Who gets the alerts."""
        return self.alerts.recipients or self.smtp.recipients


# --- what a type alone cannot say ------------------------------------------------------------------------------------

_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


class Check(NamedTuple):
    """What a type alone cannot say of a value; ``values`` fill the text ``allowed``."""

    test: Callable[[Any], bool]
    allowed: str
    values: dict[str, int] = {}  # noqa: RUF012 - a tuple's default, never changed


def _range(low: int, high: int) -> Check:
    return Check(lambda n: low <= n <= high, N_("it must be a number from {low} to {high}"), {"low": low, "high": high})


_IS_TIME = Check(lambda t: bool(_TIME.fullmatch(t)), N_("it must be a time such as 08:00"))
_IS_ADDRESS = Check(is_address, N_("it must be an e-mail address such as name@example.com"))
_IS_HOST = Check(is_host, N_("it must be a server name such as smtp.example.com, without port and without http://"))
_IS_URL = Check(is_safe_url, N_("it must begin with https:// (http:// only for this machine)"))
_IS_NAME = Check(is_identifier, N_("it must be a name of letters, digits and _, such as vxtray"))
_IS_NETWORK = Check(is_network, N_("it must be an address or a network such as 192.0.2.0/24"))
_ONE_LINE = Check(lambda v: not isinstance(v, str) or v.isprintable(), N_("it must be one line of plain text"))

#: By dotted key, ``_ONE_LINE`` for the others; empty texts pass unless the key is in ``_REQUIRED``.
CHECKS: dict[str, Check] = {
    "smtp.host": _IS_HOST,
    "smtp.port": _range(1, 65535),
    "smtp.from_address": _IS_ADDRESS,
    "smtp.recipients": _IS_ADDRESS,
    "smtp.timeout_seconds": _range(1, 600),
    "smtp.oauth.authorize_url": _IS_URL,
    "smtp.oauth.token_url": _IS_URL,
    "smtp.oauth.device_url": _IS_URL,
    "reports.daily.time": _IS_TIME,
    "reports.weekly.time": _IS_TIME,
    "reports.monthly.time": _IS_TIME,
    "reports.monthly.day": Check(
        lambda day: day == "last" or 1 <= day <= 31, N_("it must be a day from 1 to 31, or “last”")
    ),
    "reports.recipients": _IS_ADDRESS,
    "reports.zone": Check(is_zone, N_("it must be a time zone name such as Europe/Paris")),
    "alerts.recipients": _IS_ADDRESS,
    "alerts.allow": _IS_NETWORK,
    "alerts.group_seconds": _range(0, 86400),
    "alerts.summary_minutes": _range(1, 1440),
    "alerts.max_mails_per_hour": _range(1, 1000),
    "alerts.quiet_hours.from": _IS_TIME,
    "alerts.quiet_hours.to": _IS_TIME,
    "sources.syslog.address": _IS_HOST,
    "sources.syslog.port": _range(0, 65535),
    "sources.syslog.tls_port": _range(0, 65535),
    "sources.syslog.allow": _IS_NETWORK,
    "sources.silent_minutes": _range(0, 10080),
    "sources.vigilancex.url": _IS_URL,
    "sources.vigilancex.poll_seconds": _range(5, 3600),
    "sources.clickhouse.url": _IS_URL,
    "store.retention_days": _range(1, 36500),
    "store.max_mebibytes": _range(64, 1048576),
    "store.clickhouse.url": _IS_URL,
    "store.clickhouse.database": _IS_NAME,
    "store.clickhouse.cluster": _IS_NAME,
    "store.clickhouse.max_waiting_mebibytes": _range(64, 1048576),
}

#: Texts that may not be empty: "" is not a time.
_REQUIRED = frozenset(key for key, check in CHECKS.items() if check is _IS_TIME) | {"store.clickhouse.database"}


def shown(value: object) -> str:
    """Return a refused value for a message: bounded, and without what would steer a terminal."""
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(value)[:81])
    return text if len(text) <= 80 else text[:79] + "…"


def check_value(key: str, value: object) -> None:
    """Raise ``SettingsInvalid`` where a leaf's value is of the right type but not allowed."""
    check = CHECKS.get(key, _ONE_LINE)
    if value == "" and key not in _REQUIRED:
        return
    for item in value if isinstance(value, tuple) else (value,):
        if not check.test(item):
            raise SettingsInvalid(key=key, value=shown(item), allowed=check.allowed, **check.values)
