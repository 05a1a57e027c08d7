"""Linux and the BSDs: a desktop file in the session's autostart folder. Any thread.

Desktop Application Autostart Specification 0.5 and Desktop Entry Specification (specifications.freedesktop.org).
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from vxtray.core.autostart.entry import AutostartFailed, Entry
from vxtray.core.errors import N_
from vxtray.core.settings.file import write_durably
from vxtray.core.texts import LANGUAGES, translate

_GROUP = "[Desktop Entry]"
_COMMENT = N_("Security reports and alerts by e-mail.")

#: Reserved by the specification, and what a plain argument may not hold.
_RESERVED = re.compile(r"[\s\"'\\><~|&;$*?#()`]")
_ESCAPED = re.compile(r'(["`$\\])')
_STRING_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


class DesktopFile:
    """The entry as ``autostart/NAME.desktop`` in the person's configuration folder."""

    overrides = True  # the file is ours: whoever switches vxtray on here wants it without Hidden=true

    def __init__(self, name: str, environ: Mapping[str, str] = os.environ) -> None:
        path = _config_home(environ) / "autostart" / f"{name}.desktop"
        self.path = path.resolve() if path.is_symlink() else path
        self.place = str(path)
        self._sandbox = environ.get("FLATPAK_ID", "")

    def read(self) -> Entry | None:
        """Return what the file says, for whichever desktop switched it off."""
        try:
            values = _values(self.path.read_text("utf-8", errors="replace"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._failed(error) from error
        hidden = values.get("Hidden", "").lower() == "true"
        enabled = values.get("X-GNOME-Autostart-enabled", "true").lower() == "true"
        return Entry(split_exec(values.get("Exec", "")), disabled=hidden or not enabled)

    def write(self, words: tuple[str, ...]) -> None:
        """Write the file, whole or not at all."""
        try:
            write_durably(self.path, desktop_file(words, self._sandbox).encode())
        except OSError as error:
            raise self._failed(error) from error

    def remove(self) -> None:
        """Delete the file."""
        try:
            self.path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> AutostartFailed:
        return AutostartFailed(place=self.place, reason=error.strerror or str(error))


def _config_home(environ: Mapping[str, str]) -> Path:
    """Return $XDG_CONFIG_HOME, of the host where this is a sandbox; a relative one is invalid (Base Directory 0.8)."""
    home = environ.get("HOST_XDG_CONFIG_HOME" if environ.get("FLATPAK_ID") else "XDG_CONFIG_HOME", "")
    return Path(home) if home and Path(home).is_absolute() else Path.home() / ".config"


def desktop_file(words: tuple[str, ...], sandbox: str = "") -> str:
    """Return the text of the desktop file; ``sandbox`` is the Flatpak's name. Raises ``AutostartFailed``."""
    comments = [
        f"Comment{'' if language == 'en' else f'[{language}]'}={translate(_COMMENT, language)}"
        for language in LANGUAGES
    ]
    lines = [
        _GROUP,
        "Type=Application",
        "Version=1.0",
        "Name=vxtray",
        *comments,
        f"Exec={join_exec(words)}",
        "Icon=vxtray",
        "Terminal=false",
        "StartupNotify=false",
        "X-GNOME-Autostart-enabled=true",
        "X-KDE-autostart-after=panel",
        *([f"X-Flatpak={sandbox}"] if sandbox else []),
    ]
    return "\n".join(lines) + "\n"


def join_exec(words: tuple[str, ...]) -> str:
    """Return the value of ``Exec``: arguments quoted, then the string's own escapes. Raises ``AutostartFailed``."""
    # "=" is forbidden in the program's name; with "%" GLib 2.74 looks for the program by its escaped name, in vain
    if any(sign in words[0] for sign in "=%") or any(not word.isprintable() for word in words):
        reason = N_("its path has signs that no desktop file can hold: {program}")
        raise AutostartFailed("", N_("Move vxtray to a folder with a plain name."), reason=reason, program=words[0])
    return " ".join(_quoted(word) for word in words).replace("\\", "\\\\").replace("%", "%%")


def _quoted(word: str) -> str:
    return '"' + _ESCAPED.sub(r"\\\1", word) + '"' if not word or _RESERVED.search(word) else word


def split_exec(value: str) -> tuple[str, ...]:
    """Return the arguments of a value of ``Exec``; field codes (%u and the like) stand for nothing here."""
    found: list[str] = []
    word, quoted, begun = "", False, False
    signs = iter(_FIELD_CODE.sub(lambda code: "%" if code[0] == "%%" else "", value))
    for sign in signs:
        if sign == "\\":
            word, begun = word + next(signs, ""), True
        elif sign == '"':
            quoted, begun = not quoted, True
        elif sign.isspace() and not quoted:
            if begun:
                found.append(word)
            word, begun = "", False
        else:
            word, begun = word + sign, True
    return (*found, word) if begun else tuple(found)


_FIELD_CODE = re.compile(r"%.")
_ESCAPE = re.compile(r"\\(.)")


def _values(text: str) -> dict[str, str]:
    """Return the keys of the one group that counts, their values without the string's own escapes."""
    values: dict[str, str] = {}
    group = ""
    for line in text.splitlines():
        if line.startswith("["):
            group = line.strip()
        elif group == _GROUP and not line.startswith("#") and "=" in line:
            key, _equals, value = line.partition("=")
            values[key.strip()] = _ESCAPE.sub(lambda sign: _STRING_ESCAPES.get(sign[1], sign[0]), value.strip())
    return values
