"""What a start must know of the settings before it reads them in full: the first words, the colours, and what stands in
the window. Pure.

The settings proper need the validation of the whole tree, which takes longer to load than all that a start shows.
"""

from pathlib import Path
from typing import NamedTuple

_LANGUAGES = frozenset({"auto", "en", "fr"})
_THEMES = frozenset({"auto", "light", "dark"})


class Glimpse(NamedTuple):
    """``general.language`` and ``general.theme``, as they stand in the file or by default.

    ``set_up`` where it names a mail server: else the assistant is to come.
    """

    language: str = "auto"
    theme: str = "auto"
    set_up: bool = False


def glimpse(path: Path) -> Glimpse | None:
    """Return what a settings file says of these, None where only ``SettingsFile`` can make sense of it."""
    import tomllib

    try:
        text = path.read_text("utf-8-sig")
        settings = tomllib.loads(text)
    except FileNotFoundError:
        return Glimpse()
    except (OSError, ValueError, RecursionError):
        return None
    general, smtp = settings.get("general", {}), settings.get("smtp", {})
    if not text.strip() or not isinstance(general, dict) or not isinstance(smtp, dict):
        return None
    language, theme = str(general.get("language", "auto")), str(general.get("theme", "auto"))
    if language not in _LANGUAGES or theme not in _THEMES:
        return None
    return Glimpse(language, theme, bool(smtp.get("host")))
