"""JSON records whose shape cannot be trusted: decoded within bounds, and read as texts, numbers and objects.

Pure functions, any thread. A value of an unexpected kind is read as an empty one.
"""

import json
import re
from typing import Any

import msgspec

from vxtray.core.errors import N_
from vxtray.core.parsers import syslog
from vxtray.core.parsers.fields import printable
from vxtray.core.parsers.outcome import Rejected

#: JSON of which a part is missing, mostly because a line was cut off.
BROKEN = Rejected(N_("The record is broken JSON."))

_COOKIE = re.compile(r"(?:@cee|@json): {0,8}", re.ASCII)
#: The name that Docker Compose puts in front.
_SERVICE = re.compile(r"[\w.-]{1,64} {1,40}\| {1,4}(?=\{)", re.ASCII)
_WIDEST = 2**63
_TOLERANT = json.JSONDecoder(strict=False)


def payload(text: str) -> str:
    """Return where the JSON of a line begins, behind a syslog header and a CEE cookie; "" where there is none."""
    if not text.startswith(("{", "[")):
        text = syslog.body(text)
        front = _COOKIE.match(text) or _SERVICE.match(text)
        text = (text[front.end() :] if front else text).lstrip(" ")
    return text if text.startswith(("{", "[")) else ""


def load(text: str) -> Any:
    """Return the value that a JSON text stands for, None for broken or too deep JSON (and for ``null``).

    Half of a surrogate pair, raw control characters and numbers out of range are let through: one odd value that an
    attacker had written into a record must not hide the record.
    """
    for decode in (msgspec.json.decode, _TOLERANT.decode):
        try:
            return decode(text)
        except (ValueError, RecursionError):  # msgspec.DecodeError is a ValueError, as are texts that are no Unicode
            continue
    return None


def words(value: Any, limit: int) -> str:
    """Return a text or number as printable text of at most ``limit`` characters, "" for any other kind."""
    if isinstance(value, str):
        return printable(value[:limit]).strip()
    if isinstance(value, int) and not isinstance(value, bool) and -_WIDEST <= value < _WIDEST:
        return str(value)
    return ""


def members(value: Any) -> dict[str, Any]:
    """Return a JSON object's members, none for any other kind."""
    return value if isinstance(value, dict) else {}


def elements(value: Any) -> list[Any]:
    """Return a JSON array's elements, none for any other kind."""
    return value if isinstance(value, list) else []
