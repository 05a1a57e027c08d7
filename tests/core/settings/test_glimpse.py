"""What a start sees of the settings file before it reads it: the same as the settings, or nothing."""

from pathlib import Path

import pytest

from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.glimpse import Glimpse, glimpse


def test_without_a_file_the_defaults(tmp_path: Path) -> None:
    assert glimpse(tmp_path / "settings.toml") == Glimpse("auto", "auto")


@pytest.mark.parametrize("language", ["auto", "fr", "en"])
@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_what_was_saved(tmp_path: Path, language: str, theme: str) -> None:
    file = SettingsFile(tmp_path / "settings.toml")
    file.merge({"general.language": language, "general.theme": theme})
    settings = file.read().settings.general
    assert glimpse(file.path) == Glimpse(settings.language, settings.theme) == Glimpse(language, theme)


def test_whether_a_mail_server_is_named(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "settings.toml")
    file.merge({"alerts.new_ban": True})
    assert glimpse(file.path) == Glimpse(set_up=False)
    file.merge({"smtp.host": "mail.example.com"})
    assert glimpse(file.path) == Glimpse(set_up=True)


@pytest.mark.parametrize(
    "content",
    [
        "",
        " \n",
        "[general",
        "general = 1",
        "smtp = 1",
        '[general]\nlanguage = "de"',
        "[general]\ntheme = []",
        "\0",
        "\xff",
    ],
)
def test_what_only_the_settings_can_make_sense_of(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content.encode("latin-1"))
    assert glimpse(path) is None
