"""Windows: a value below the person's Run key. Any thread.

https://learn.microsoft.com/windows/win32/setupapi/run-and-runonce-registry-keys. What the person switches off in Task
Manager or in Settings stands beside it, in ``StartupApproved``: an odd first byte means off (observed, undocumented).
"""

import contextlib
import importlib
import subprocess
from typing import Any

from vxtray.core.autostart.entry import AutostartFailed, Entry
from vxtray.core.errors import N_

RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
APPROVED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"

#: Longer values are ignored at login.
_LONGEST = 260


class RunKey:
    """The entry as a value ``NAME``; ``registry`` is the module ``winreg``."""

    overrides = False  # Task Manager's word stands, whatever is written

    def __init__(self, name: str, registry: Any = None) -> None:
        self._registry = registry or importlib.import_module("winreg")
        self._name = name
        self.place = rf"HKEY_CURRENT_USER\{RUN}\{name}"

    def read(self) -> Entry | None:
        """Return the command line in its words."""
        found = self._value(RUN)
        if found is None:
            return None
        approved = self._value(APPROVED)
        disabled = isinstance(approved, bytes) and bool(approved[:1]) and approved[0] % 2 == 1
        return Entry(split_command_line(str(found)), disabled=disabled)

    def write(self, words: tuple[str, ...]) -> None:
        """Write the command line, quoted as the C runtime reads it."""
        line = subprocess.list2cmdline(words)
        if len(line) > _LONGEST:
            reason, advice = N_("its path is too long for Windows"), N_("Move vxtray to a folder with a short name.")
            raise AutostartFailed("", advice, place=self.place, reason=reason)
        registry = self._registry
        try:
            with registry.CreateKeyEx(registry.HKEY_CURRENT_USER, RUN, 0, registry.KEY_SET_VALUE) as key:
                registry.SetValueEx(key, self._name, 0, registry.REG_SZ, line)
        except OSError as error:
            raise self._failed(error) from error

    def remove(self) -> None:
        """Delete the value."""
        registry = self._registry
        try:
            with (
                contextlib.suppress(FileNotFoundError),
                registry.OpenKey(registry.HKEY_CURRENT_USER, RUN, 0, registry.KEY_SET_VALUE) as key,
            ):
                registry.DeleteValue(key, self._name)
        except OSError as error:
            raise self._failed(error) from error

    def _value(self, folder: str) -> object:
        registry = self._registry
        try:
            with registry.OpenKey(registry.HKEY_CURRENT_USER, folder) as key:
                value, kind = registry.QueryValueEx(key, self._name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(error) from error
        return registry.ExpandEnvironmentStrings(value) if kind == registry.REG_EXPAND_SZ else value

    def _failed(self, error: OSError) -> AutostartFailed:
        return AutostartFailed(place=self.place, reason=error.strerror or str(error))


def split_command_line(line: str) -> tuple[str, ...]:
    """Return the words of a Windows command line.

    https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments: backslashes count only before a quote.
    """
    found: list[str] = []
    word, quoted, begun, slashes = "", False, False, 0
    for sign in line:
        if sign == "\\":
            slashes, begun = slashes + 1, True
            continue
        if sign == '"':
            word, begun = word + "\\" * (slashes // 2), True
            if slashes % 2:
                word += sign
            else:
                quoted = not quoted
        else:
            word += "\\" * slashes
            if sign in " \t" and not quoted:
                if begun:
                    found.append(word)
                word, begun = "", False
            else:
                word, begun = word + sign, True
        slashes = 0
    return (*found, word + "\\" * slashes) if begun else tuple(found)
