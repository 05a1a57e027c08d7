"""Takes over what a VIGILANCE X server was set to mail: its SMTP connection, report times, recipients and alerts.

The server gives them all, the password in clear, to everybody who is signed in (``GET /notifications/settings``, with a
licence). Pure but for ``ask``; on the thread of the caller.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from vxtray.core.credentials import Account, Secret, conceal, smtp_account
from vxtray.core.errors import N_, SettingsError, SourceError
from vxtray.core.parsers.jsonvalues import elements, members, words
from vxtray.core.settings import keys
from vxtray.core.settings.tree import Security, Settings, Smtp, Weekday
from vxtray.core.sources.vigilancex_api import NAME, Server, Unlicensed

#: Its words. "tls" went on unprotected where the server offered no STARTTLS; here STARTTLS is a must.
_SECURITY = {
    "tls": Security.STARTTLS,
    "starttls": Security.STARTTLS,
    "ssl": Security.TLS,
    "implicit": Security.TLS,
    "none": Security.NONE,
    "plain": Security.NONE,
}
#: Weeks begin on Sunday there.
_WEEKDAYS = (Weekday.SUNDAY, *list(Weekday)[:-1])

#: Its key -> our key, for values that mean the same.
_SAME = {
    "daily_report_enabled": "reports.daily.enabled",
    "daily_report_time": "reports.daily.time",
    "weekly_report_enabled": "reports.weekly.enabled",
    "weekly_report_time": "reports.weekly.time",
    "monthly_report_enabled": "reports.monthly.enabled",
    "monthly_report_day": "reports.monthly.day",
    "monthly_report_time": "reports.monthly.time",
    "waf_detection_enabled": "alerts.waf_detected",
    "waf_blocked_enabled": "alerts.waf_blocked",
    "new_ban_enabled": "alerts.new_ban",
    "critical_alert_enabled": "alerts.critical",
    "min_severity_level": "alerts.minimum_severity",
    "specific_event_ids": "alerts.rule_ids",
    "report_recipients": "reports.recipients",
}
_SMTP = {
    "host": "smtp.host",
    "port": "smtp.port",
    "from_email": "smtp.from_address",
    "username": "smtp.username",
    "recipients": "smtp.recipients",
}
_LONGEST_PASSWORD = 1024


class TakeOver(msgspec.Struct, frozen=True, kw_only=True):
    """Settings by key, as ``SettingsModel.update`` takes them, the password, and what could not be taken over.

    ``left_out`` are names of the server's own settings, whose values are allowed there and not here.
    """

    changes: dict[str, object]
    password: Secret | None = None
    left_out: tuple[str, ...] = ()

    def against(self, settings: Settings) -> "TakeOver":
        """Return it without the settings that are the same already."""
        known = {key: keys.typed_value(settings, key) for key in self.changes}
        changes = {key: value for key, value in self.changes.items() if keys.convert(key, value) != known[key]}
        return msgspec.structs.replace(self, changes=changes)

    def account(self, smtp: Smtp) -> Account | None:
        """Return whose the password is once all is taken over, None without one. Raises ``NotConfigured``."""
        if self.password is None:
            return None
        bound = {
            key.removeprefix("smtp."): keys.convert(key, self.changes[key])
            for key in ("smtp.host", "smtp.username")
            if key in self.changes
        }
        return smtp_account(msgspec.structs.replace(smtp, **bound))


def ask(server: Server) -> TakeOver:
    """Ask the server. Raises as ``Server.get``, and ``SourceError`` where it has no licence for this."""
    try:
        return read(members(server.get("/notifications/settings")))
    except Unlicensed as error:
        raise SourceError(
            N_("The server has no licence, and so does not tell its notification settings."),
            N_("Enter them by hand, or with: vxtray smtp import-env FILE, from the env file of the server."),
            source=NAME,
        ) from error


def read(said: Mapping[str, Any]) -> TakeOver:
    """Return what the server's document stands for; whatever has no use here is left out and named."""
    smtp = members(said.get("smtp_config"))
    wanted: dict[str, tuple[str, object]] = {}
    for theirs, ours in _SAME.items():
        if said.get(theirs) is not None:
            wanted[theirs] = (ours, said[theirs])
    for theirs, ours in _SMTP.items():
        if smtp.get(theirs):
            wanted[f"smtp_config.{theirs}"] = (ours, smtp[theirs])
    if word := words(smtp.get("security"), 16).lower():
        wanted["smtp_config.security"] = ("smtp.security", _SECURITY.get(word, word))
    day = said.get("weekly_report_day")
    if isinstance(day, int) and not isinstance(day, bool):
        wanted["weekly_report_day"] = ("reports.weekly.weekday", _WEEKDAYS[day] if 0 <= day < 7 else day)
    changes: dict[str, object] = {}
    left_out: list[str] = []
    for theirs, (ours, value) in wanted.items():
        try:
            changes[ours] = keys.convert(ours, _clean(value))
        except SettingsError:
            left_out.append(theirs)
    return TakeOver(changes=changes, password=_password(smtp), left_out=tuple(left_out))


def _clean(value: object) -> object:
    """Return a value in which texts are of one line, and lists hold texts only."""
    if isinstance(value, str):
        return words(value, 1024)
    if isinstance(value, list):
        return tuple(text for one in elements(value)[:100] if (text := words(one, 320)))
    return value


def _password(smtp: Mapping[str, Any]) -> Secret | None:
    """Return the password; stars stand for one that the server did not tell."""
    text = smtp.get("password")
    if not isinstance(text, str) or not text or "****" in text or len(text) > _LONGEST_PASSWORD or "\n" in text:
        return None
    conceal(text)
    return Secret(text)
