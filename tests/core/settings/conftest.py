"""A settings file of the test's own, and a look at what stands beside it."""

from pathlib import Path

import pytest

from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile


@pytest.fixture
def file(profile: Profile) -> SettingsFile:
    return SettingsFile(profile.settings_file)


@pytest.fixture
def beside(profile: Profile):
    """Return the names of the files in the folder, by what they have after ``settings.toml``."""

    def names() -> list[str]:
        folder: Path = profile.config
        return sorted(path.name.removeprefix("settings.toml") for path in folder.iterdir())

    return names
