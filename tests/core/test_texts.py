"""Two languages: which one is meant, and how numbers, times and errors are written in it."""

import contextvars
import threading
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from vxtray.core import texts
from vxtray.core.errors import SettingsInvalid, UsageError, VxtrayError, fill

NOON = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr_CA"}, "fr"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "POSIX"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "fr_FR.UTF-8"}, "fr"),
        ({"LC_ALL": "en_US", "LC_MESSAGES": "fr_FR.UTF-8"}, "en"),
        ({"LANG": "en_US", "LANGUAGE": "de:fr:en"}, "fr"),
        ({"LANG": ""}, "en"),
    ],
)
def test_the_sessions_language(environment, language, monkeypatch) -> None:
    monkeypatch.delenv("LANG")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert texts.system_language() == language
    assert texts.resolve("auto") == language
    assert (texts.resolve("fr"), texts.resolve("en")) == ("fr", "en")


def test_a_language_within_a_command_is_of_that_command_only() -> None:
    texts.use("fr")
    seen: list[str] = []
    with texts.speaking("en"):
        assert texts.current() == "en"
        thread = threading.Thread(target=lambda: seen.append(texts.current()))
        thread.start()
        thread.join()
        with texts.speaking("fr"):
            assert texts.current() == "fr"
        assert contextvars.copy_context().run(texts.current) == "en"
    assert (texts.current(), seen) == ("fr", ["fr"])


def test_a_text_without_translation_stays_english_and_empty_stays_empty() -> None:
    assert texts.translate("Nobody translates this: {what}.", "fr", what="x") == "Nobody translates this: x."
    assert texts.translate("", "fr") == ""
    assert texts.translate("{braces} without values", "en") == "{braces} without values"


def test_missing_or_odd_values_never_raise() -> None:
    assert fill("{a} and {b}", {"a": 1}) == "1 and {b}"
    assert fill("{a", {"a": 1}) == "{a"
    assert fill("{a:>99999999} {a.real} {0} {}", {"a": 1}) == "{a:>99999999} {a.real} {0} {}"
    assert fill("{a}", {"a": "{b}"}) == "{b}"


def test_plurals() -> None:
    for n, said in ((0, "0 mails"), (1, "1 mail"), (1204, "1,204 mails")):
        assert texts.translate_plural("{n} mail", "{n} mails", n, "en") == said


def test_an_error_says_what_happened_and_what_to_do() -> None:
    error = SettingsInvalid(key="smtp.port", value=0, allowed="it must be a number from {low} to {high}", low=1, high=9)
    assert texts.title(error, "en") == "smtp.port cannot be “0”: it must be a number from 1 to 9."
    assert texts.advice(error, "en") == "Choose an allowed value; nothing was changed."
    assert texts.title(error, "fr") != texts.title(error, "en")
    assert "smtp.port" in texts.title(error, "fr")
    assert "1" in texts.title(error, "fr")
    with texts.speaking("fr"):
        assert texts.title(error) == texts.title(error, "fr")
    assert str(UsageError("“{word}” is odd.", word="x")) == "“x” is odd."
    assert texts.advice(VxtrayError(), "en") == ""


def test_braces_in_what_others_said_do_no_harm() -> None:
    error = VxtrayError("{path} cannot be read: {reason}.", path="{reason}", reason="{path:>99999999} {path.parent}")
    assert texts.title(error, "en") == "{reason} cannot be read: {path:>99999999} {path.parent}."


@pytest.mark.parametrize(("language", "expected"), [("en", "1,204,567"), ("fr", "1\u202f204\u202f567")])
def test_numbers(language, expected) -> None:
    assert texts.format_number(1_204_567, language) == expected


def test_shares_dates_and_times() -> None:
    assert (texts.format_percent(0.125, "en", 1), texts.format_percent(0.125, "fr", 1)) == ("12.5%", "12,5\u00a0%")
    assert texts.format_date(date(2026, 11, 21), "en") == "Saturday 21 November 2026"
    assert texts.format_date(date(2026, 11, 21), "fr") == "samedi 21 novembre 2026"
    paris = ZoneInfo("Europe/Paris")
    assert texts.format_datetime(NOON, "en", paris) == "21 Nov 2026, 13:05 (Europe/Paris)"
    assert "13:05 (Europe/Paris)" in texts.format_datetime(NOON, "fr", paris)
    assert texts.format_time(NOON, "fr", paris) == "13:05"
    assert texts.format_ago(NOON, NOON + timedelta(seconds=2), "en") == "2 seconds ago"
    assert texts.format_ago(NOON, NOON - timedelta(hours=3), "en") == "in 3 hours"
