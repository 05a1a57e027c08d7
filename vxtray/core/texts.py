"""French and English for the window, the mails and the command line.

Message ids are the English texts, with ``{names}`` for values; the French stand in
``resources/i18n/fr/LC_MESSAGES/vxtray.po``. Any thread: the language is a context variable over a default of the
process, so a command that another program forwards is answered in that caller's language.
"""

import contextvars
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from vxtray.core.catalogue import Catalogue
from vxtray.core.errors import MARKED_VALUES, N_, VxtrayError, fill
from vxtray.core.paths import resource

if TYPE_CHECKING:  # loaded with the first number or time
    from datetime import date, datetime, tzinfo

    from babel.core import Locale

__all__ = ["N_", "LANGUAGES", "_", "advice", "title", "translate", "translate_plural"]  # noqa: RUF022 - by weight

LANGUAGES = ("en", "fr")

#: What the operating system gives as a reason (strerror), marked here so that French has words for it.
SYSTEM_REASONS = (
    N_("No such file or directory"),
    N_("Permission denied"),
    N_("Operation not permitted"),
    N_("Is a directory"),
    N_("Not a directory"),
    N_("File exists"),
    N_("File name too long"),
    N_("No space left on device"),
    N_("Disk quota exceeded"),
    N_("Read-only file system"),
    N_("Input/output error"),
    N_("Too many open files"),
    N_("Address already in use"),
    N_("Connection refused"),
    N_("Connection reset by peer"),
    N_("Broken pipe"),
)

_default = "en"
_speaking: contextvars.ContextVar[str | None] = contextvars.ContextVar("language", default=None)


def system_language() -> str:
    """Return "fr" or "en" as the session's environment asks for (LANGUAGE, LC_ALL, LC_MESSAGES, LANG)."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        for wanted in os.environ.get(name, "").split(":"):
            if wanted[:2] in LANGUAGES:
                return wanted[:2]
            if wanted.startswith(("C", "POSIX")):
                return "en"
    return _locale_language()


def _locale_language() -> str:
    import locale

    name = locale.getlocale()[0] or ""
    return "fr" if name.lower().startswith(("fr_", "french")) else "en"


def resolve(setting: str) -> str:
    """Turn a setting (auto, fr, en) into a language."""
    return setting if setting in LANGUAGES else system_language()


def use(language: str) -> None:
    """Set the language of the process."""
    global _default  # noqa: PLW0603 - one language per process is a process-wide fact
    _default = language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Answer in a language within this context only."""
    token = _speaking.set(language)
    try:
        yield
    finally:
        _speaking.reset(token)


def current() -> str:
    """Return the language in force here."""
    return _speaking.get() or _default


@cache
def _catalogue(language: str) -> Catalogue:
    try:
        source = resource(f"i18n/{language}/LC_MESSAGES")
    except FileNotFoundError:
        return Catalogue()
    compiled, text = source / "vxtray.mo", source / "vxtray.po"
    if compiled.exists() and (not text.exists() or compiled.stat().st_mtime >= text.stat().st_mtime):
        return Catalogue(compiled.read_bytes())
    if not text.exists() or language == "en":  # the message ids are English already
        return Catalogue()
    return _compile(text.read_bytes())  # a checkout, where nothing is compiled


def _compile(text: bytes) -> Catalogue:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(text)))
    return Catalogue(compiled.getvalue())


def translate(text: str, language: str, /, **values: object) -> str:
    """Return a text in a language, with its ``{names}`` filled."""
    found = _catalogue(language).gettext(text) if text else ""
    return fill(found, values) if values else found


def translate_plural(one: str, many: str, n: int, language: str, /, **values: object) -> str:
    """Return the text for a number; ``{n}`` stands for the number, written as the language writes it."""
    found = _catalogue(language).ngettext(one, many, n)
    return fill(found, {"n": format_number(n, language), **values})


def _(text: str, /, **values: object) -> str:
    """Return a text in the language in force here."""
    return translate(text, current(), **values)


def plural(one: str, many: str, n: int, /, **values: object) -> str:
    """Return the text for a number in the language in force here."""
    return translate_plural(one, many, n, current(), **values)


def title(error: VxtrayError, language: str | None = None) -> str:
    """Return what happened."""
    return _say(error.title_id, error.values, language or current())


def advice(error: VxtrayError, language: str | None = None) -> str:
    """Return what to do, "" where there is nothing to add."""
    return _say(error.advice_id, error.values, language or current())


def _say(text: str, values: dict[str, object], language: str) -> str:
    said = {
        name: translate(value, language, **{k: v for k, v in values.items() if k != name})
        if name in MARKED_VALUES and isinstance(value, str)
        else value
        for name, value in values.items()
    }
    return translate(text, language, **said) if said else translate(text, language)


# --- numbers and times, by babel --------------------------------------------------------------------------------------


@cache
def _locale(language: str) -> "Locale":
    """Return what babel knows of a language, which it would look for each time by its name."""
    from babel.core import Locale

    return Locale.parse(language)


def format_number(n: float, language: str) -> str:
    """Return 1,204 or 1 204 (with a narrow no-break space)."""
    from babel.numbers import format_decimal

    return str(format_decimal(n, locale=_locale(language)))


def format_percent(share: float, language: str, digits: int = 0) -> str:
    """Return a share from 0 to 1 as a percentage."""
    from babel.numbers import format_percent

    pattern = "0" + ("." + "0" * digits if digits else "")
    pattern += "\N{NO-BREAK SPACE}%" if language == "fr" else "%"
    return str(format_percent(share, format=pattern, locale=_locale(language)))


def format_time(moment: "datetime", language: str, zone: "tzinfo | None" = None) -> str:
    """Return the hour and minute."""
    from babel.dates import format_time

    return str(format_time(moment.astimezone(zone), "HH:mm", locale=_locale(language)))


def format_date(day: "date", language: str, pattern: str = "") -> str:
    """Return Saturday 21 November 2026, or what a CLDR pattern asks for."""
    from babel.dates import format_date

    return str(format_date(day, pattern or "EEEE d MMMM yyyy", locale=_locale(language)))


def format_datetime(moment: "datetime", language: str, zone: "tzinfo | None" = None) -> str:
    """Return 21 Nov 2026, 08:00 (Europe/Paris): absolute, with its zone."""
    from babel.dates import format_datetime

    local = moment.astimezone(zone)
    name = getattr(zone, "key", "") or local.strftime("%z")
    return f"{format_datetime(local, 'd MMM yyyy, HH:mm', locale=_locale(language))} ({name})"


def format_ago(moment: "datetime", now: "datetime", language: str) -> str:
    """Return 2 seconds ago, in 3 hours: relative while it is fresh."""
    from babel.dates import format_timedelta

    return str(format_timedelta(moment - now, add_direction=True, locale=_locale(language)))
