"""Settings on their way to a file of their own and back, and sections that begin anew. Any thread.

Secrets are no settings, so no file holds any; what a person wrote into an address (``https://user:password@host``) is
left out, too. What a file brings is first a plan, to be looked at; it is one change when it is applied.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vxtray.core.errors import N_, FileError, FileNotWritten, SettingsBroken, UsageError
from vxtray.core.settings import keys
from vxtray.core.settings.file import RESET, write_durably
from vxtray.core.settings.migrations import migrate
from vxtray.core.settings.syntax import parse
from vxtray.core.settings.tree import Settings

#: Far more than all settings need: a log that was chosen by mistake is not read into memory.
_MOST_BYTES = 1024 * 1024

_HEADER = "Settings of vxtray, without passwords. To take them over: vxtray settings import FILE, or the page Settings."
_USER_INFO = re.compile(r"(?<=://)[^/?#]*@")


class Plan(msgspec.Struct, frozen=True):
    """What an import would do: keys with their values now and then, in the order of the tree; and keys left out."""

    changes: dict[str, tuple[object, object]]
    unknown: tuple[str, ...] = ()

    @property
    def forth(self) -> dict[str, object]:
        """Return the one change that applies it."""
        return {key: _or_reset(key, after) for key, (_before, after) in self.changes.items()}

    @property
    def back(self) -> dict[str, object]:
        """Return the one change that undoes it."""
        return {key: _or_reset(key, before) for key, (before, _after) in self.changes.items()}


def export_text(settings: Settings) -> str:
    """Return every setting with its value as TOML."""
    import tomlkit

    tree = msgspec.to_builtins(settings)
    for key, value in keys.flatten(tree):
        if isinstance(value, str) and _USER_INFO.search(value):
            keys.put(tree, key, _USER_INFO.sub("", value))
    return f"# {_HEADER}\n\n{tomlkit.dumps(tree)}"


def export_file(settings: Settings, path: Path) -> None:
    """Write ``export_text`` to a file that only its owner may read. Raises ``FileNotWritten``."""
    content = export_text(settings).encode()
    try:
        if path.exists() and not path.is_file():  # a pipe or a device is written to, never replaced
            path.write_bytes(content)
        else:
            write_durably(path.parent.resolve(strict=True) / path.name, content)
    except OSError as error:
        raise FileNotWritten(path=path, reason=error.strerror or str(error)) from error


def read_file(path: Path) -> bytes:
    """Return a file that may hold settings. Raises ``FileError``."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise FileError(path=path, reason=error.strerror or str(error)) from error
    if len(content) > _MOST_BYTES:
        raise FileError(path=path, reason=N_("it is too large for a file of settings"))
    return content


def read_settings(path: Path, content: bytes) -> dict[str, object]:
    """Return what an exported file says; ``path`` is for the words only. Raises ``UsageError``, ``SettingsBroken``."""
    try:
        return parse(path, content)
    except SettingsBroken as error:
        error.title_id = N_("{path} is not a settings file: {reason}.")
        error.advice_id = N_("Give a file that “vxtray settings export” wrote.")
        raise


def plan(now: Settings, raw: Mapping[str, object]) -> Plan:
    """Return what taking over a file's settings would change; what it does not name becomes the default.

    Raises ``SettingsInvalid`` naming the first wrong key, ``UsageError`` for a file without any setting.
    """
    wanted, unknown = keys.build(migrate(dict(raw)))
    if not any(key in keys.LEAVES for key, _value in keys.flatten(raw)):
        raise UsageError(N_("The file holds no settings of vxtray."), N_("Choose a file that vxtray exported."))
    return Plan(keys.differences(now, wanted), tuple(unknown))


def start_over(now: Settings, section: str) -> Plan:
    """Return what setting a section (``alerts``) back to its defaults would change."""
    below = keys.below(section)
    return Plan({key: both for key, both in keys.differences(now, Settings()).items() if key in below})


def _or_reset(key: str, value: object) -> object:
    """Return the value, or ``RESET`` for a default: the file then says only what a person chose."""
    default = msgspec.to_builtins(keys.LEAVES[key].default)
    return RESET if value == default else value
