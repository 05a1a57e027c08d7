"""What a TOML text of settings says, and what is wrong with one that cannot be read, in the reader's language.

Pure functions, any thread.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vxtray.core.errors import N_, SettingsBroken
from vxtray.core.settings.tree import shown

#: No setting lies deeper than four levels; what lies much deeper was made to break a reader.
_DEEPEST = 50

#: Where tomllib says that the fault is.
_PLACE = re.compile(r"\s*\(at line (?P<line>\d+), column (?P<column>\d+)\)$")


def parse(path: Path, content: bytes) -> dict[str, Any]:
    """Return a TOML text as nested dicts; ``path`` is for the words only. Raises ``SettingsBroken``."""
    try:
        raw = tomllib.loads(content.decode("utf-8-sig"))
        _require_shallow(raw)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsBroken(path=path, **_fault(error)) from error
    return raw


def _require_shallow(raw: Mapping[str, Any]) -> None:
    """Raise ``RecursionError`` for a text that tomllib takes but that no recursion could walk through."""
    level: list[Any] = [raw]
    for _depth in range(_DEEPEST):
        inner = (value for one in level for value in (one.values() if isinstance(one, Mapping) else one))
        level = [value for value in inner if isinstance(value, Mapping | list)]
        if not level:
            return
    raise RecursionError


def _fault(error: Exception) -> dict[str, object]:
    """Return ``reason`` (a marked text) and the values in it."""
    if isinstance(error, RecursionError):
        return {"reason": N_("it is nested too deeply")}
    if isinstance(error, UnicodeDecodeError):
        return {"reason": N_("it is not text in UTF-8")}
    said = str(error).removesuffix(".")
    place = _PLACE.search(said)
    if place is None:
        return {"reason": N_("it is not TOML ({detail})"), "detail": shown(said)}
    reason = N_("line {line}, column {column} is not TOML ({detail})")
    return {"reason": reason, "detail": shown(said[: place.start()]), "line": place["line"], "column": place["column"]}
