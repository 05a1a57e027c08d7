"""What is said of signing in with a provider: how it is, until when it lasts, and what becomes of passwords.

Pure but for the language in force; any thread.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from vxtray.core import texts
from vxtray.core.settings.tree import Auth, Smtp
from vxtray.core.texts import _

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.tokens import Health

#: Microsoft, 27 January 2026: passwords for SMTP AUTH are off by default from the end of December 2026 on.
#: techcommunity.microsoft.com/blog/exchange/updated-exchange-online-smtp-auth-basic-authentication-deprecation-timeline
PASSWORDS_OFF = datetime(2027, 1, 1, tzinfo=UTC)

_MICROSOFT = (".office365.com", ".outlook.com")
_PERSONAL = ("smtp-mail.outlook.com", "smtp.live.com")

_DAY = "d MMM y"


class Said(NamedTuple):
    """A state in words, with the icon and the colour token that repeat it."""

    icon: str
    colour: str
    title: str
    detail: str = ""


def button_words(provider: str, *, again: bool = False) -> str:
    """Return what the button that opens the browser says."""
    if again:
        return _("Sign in again…")
    if provider in {"microsoft", "outlook"}:
        return _("Sign in with Microsoft…")
    return _("Sign in with Google…") if provider == "google" else _("Sign in with the browser…")


def state_words(health: "Health") -> Said:
    """Return how a sign-in is."""
    language = texts.current()
    fault, remedy = health.fault.in_language(language), health.remedy.in_language(language)
    who = health.signed_in_as
    if health.state == "signed-out":
        return Said("info", "secondary", _("Not signed in yet."), " ".join(filter(None, (fault, remedy))))
    if health.state == "needs-sign-in":
        return Said(
            "cross", "danger", fault or _("The sign-in has ended."), remedy or _("Sign in again; no mail is lost.")
        )
    signed_in = _("Signed in as {address}.", address=who) if who else _("Signed in.")
    if health.state == "unreachable":
        return Said("warning", "warning", signed_in, " ".join(filter(None, (fault, remedy))))
    return Said("check", "good", signed_in)


def moment_words(moment: datetime | None, now: datetime) -> str:
    """Return a moment as people say it: 2 h ago, or the day and the time; a dash where there is none."""
    if moment is None:
        return "–"
    language, local = texts.current(), moment.astimezone()
    if abs((now - moment).days) < 1 and moment <= now:
        return texts.format_ago(moment, now, language)
    return f"{texts.format_date(local.date(), language, _DAY)} {texts.format_time(local, language)}"


def day_words(moment: datetime) -> str:
    """Return the day on this machine's clock."""
    return texts.format_date(moment.astimezone().date(), texts.current(), _DAY)


def password_notice(smtp: Smtp, now: datetime) -> str:
    """Return what becomes of a password at this server, "" where nothing does."""
    host = smtp.host.lower().removesuffix(".")
    if not smtp.signs_in or smtp.auth is Auth.OAUTH:
        return ""
    if host in _PERSONAL:
        return _(
            "Since 16 September 2024 Outlook.com takes no passwords from programs. Sign in with Microsoft instead."
        )
    if not host.endswith(_MICROSOFT):
        return ""
    if now < PASSWORDS_OFF:
        return _(
            "At the end of December 2026 Microsoft switches passwords off for this server, unless an administrator"
            " switches them on again. Signing in with Microsoft keeps reports and alerts coming."
        )
    return _(
        "Since the end of December 2026 passwords are off at this server, unless your administrator switched them on"
        " again. Signing in with Microsoft works either way; in the second half of 2027 Microsoft says when passwords"
        " end for good."
    )


def provider_for(smtp: Smtp) -> str:
    """Return the provider, as in ``smtp.oauth.provider``, to sign in with at a server."""
    host = smtp.host.lower().removesuffix(".")
    if host in _PERSONAL:
        return "outlook"
    if host.endswith((".gmail.com", ".google.com", ".googlemail.com")):
        return "google"
    return "microsoft" if host.endswith(_MICROSOFT) else "custom"
