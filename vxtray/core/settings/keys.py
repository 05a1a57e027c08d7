"""Dotted keys: every leaf of the settings tree by name, and how a text or a TOML value becomes its value.

Pure functions, any thread.
"""

import re
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from vxtray.core.errors import N_, SettingsInvalid, UsageError
from vxtray.core.settings.tree import Settings, check_value, shown

_TRUE = frozenset({"true", "on", "yes", "1"})
_FALSE = frozenset({"false", "off", "no", "0"})
_LIST_SEPARATORS = re.compile(r"[,;\n]")


class Leaf(NamedTuple):
    """One setting: its type and default."""

    type: Any
    default: object


def _leaves(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    for item in msgspec.structs.fields(struct):
        key = prefix + item.encode_name
        if isinstance(item.type, type) and issubclass(item.type, msgspec.Struct):
            yield from _leaves(item.type, key + ".")
        else:
            yield key, Leaf(item.type, item.default)


#: Every setting by its dotted key, in the order of the tree; ``version`` belongs to the file, not to the person.
LEAVES: dict[str, Leaf] = {key: leaf for key, leaf in _leaves(Settings) if key != "version"}


def split_list(text: str) -> tuple[str, ...]:
    """Split a list written by a person: commas, semicolons or new lines, blanks trimmed, empty items dropped."""
    return tuple(item for part in _LIST_SEPARATORS.split(text) if (item := part.strip()))


def require(key: str) -> None:
    """Raise ``UsageError`` where a key is neither a setting nor a section, with the nearest names."""
    if key in LEAVES or any(leaf.startswith(key + ".") for leaf in LEAVES):
        return
    import difflib

    close = difflib.get_close_matches(key, LEAVES, n=1, cutoff=0.6)
    if close:
        raise UsageError(
            N_("There is no setting {key}. Did you mean {close}?"),
            N_("“vxtray settings show” lists them all."),
            key=key,
            close=close[0],
        )
    raise UsageError(N_("There is no setting {key}."), N_("“vxtray settings show” lists them all."), key=key)


def below(section: str) -> tuple[str, ...]:
    """Return the leaves of a section, or the leaf itself. Raises ``UsageError``."""
    require(section)
    return tuple(key for key in LEAVES if key == section or key.startswith(section + "."))


def value_of(settings: Settings, key: str) -> object:
    """Return a leaf's value, or a section as a plain dict. Raises ``UsageError`` for an unknown key."""
    require(key)
    found: Any = msgspec.to_builtins(settings)
    for part in key.split("."):
        found = found[part]
    return found


def typed_value(settings: Settings, key: str) -> object:
    """Return a leaf's value with its own type (enum, tuple)."""
    found: Any = settings
    for part in key.split("."):
        found = getattr(found, _attribute(type(found), part))
    return found


def _attribute(struct: type[msgspec.Struct], encoded: str) -> str:
    return next(item.name for item in msgspec.structs.fields(struct) if item.encode_name == encoded)


def convert(key: str, value: object) -> object:
    """Return a leaf's value from a text, a TOML value or a Python value. Raises ``SettingsInvalid``, ``UsageError``."""
    if key not in LEAVES:
        require(key)
        raise UsageError(
            N_("{key} is a section; name one of its settings."), N_("“vxtray settings show” lists them all."), key=key
        )
    kind = LEAVES[key].type
    try:
        result = msgspec.convert(_prepare(kind, value), kind)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise SettingsInvalid(key=key, value=shown(value), allowed=_allowed(kind), **_choices(kind)) from error
    check_value(key, result)
    return result


def _prepare(kind: Any, value: object) -> object:
    """Bring a text nearer to its type; what does not fit is left for msgspec to refuse."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_prepare(str, item) for item in value]
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    if not isinstance(value, str):
        return value
    text = value.strip()
    if kind is bool:
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else value
    if get_origin(kind) is tuple:
        of_words = get_args(kind)[0] is str or get_origin(get_args(kind)[0]) is Literal
        return split_list(value) if of_words else msgspec.json.decode(value)
    if kind is str:
        return value
    if _takes_int(kind) and re.fullmatch(r"-?\d{1,9}", text):
        return int(text)
    return text.lower()


def _takes_int(kind: Any) -> bool:
    return kind is int or (get_origin(kind) in (Union, types.UnionType) and int in get_args(kind))


def is_choice(key: str) -> bool:
    """Return whether a setting is one of a few words that the program knows, or several of them."""
    return bool(_choices(LEAVES[key].type))


def _choices(kind: Any) -> dict[str, str]:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"choices": ", ".join(str(member.value) for member in kind)}
    if get_origin(kind) is tuple:
        return _choices(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return {"choices": ", ".join(str(choice) or "“”" for choice in get_args(kind))}
    return {}


def _allowed(kind: Any) -> str:
    if get_origin(kind) is tuple and _choices(kind):
        return N_("it must be a list of {choices}")
    if _choices(kind):
        return N_("it must be one of {choices}")
    if kind is bool:
        return N_("it must be true or false")
    if kind is int:
        return N_("it must be a whole number")
    if get_origin(kind) is tuple:
        return N_("it must be a list")
    if kind is str:
        return N_("it must be text")
    return N_("it must be a day from 1 to 31, or “last”")


def build(raw: Mapping[str, object]) -> tuple[Settings, list[str]]:
    """Return the settings that a parsed file means, and the keys in it that nobody knows.

    Raises ``SettingsInvalid`` naming the first wrong key.
    """
    known: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in flatten(raw):
        if key in LEAVES:
            put(known, key, msgspec.to_builtins(convert(key, value)))
        elif key != "version":
            if any(leaf.startswith(key + ".") for leaf in LEAVES):
                raise SettingsInvalid(key=key, value=shown(value), allowed=N_("it must be a section"))
            unknown.append(key)
    return msgspec.convert(known, Settings), unknown


def flatten(raw: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted keys of a nested mapping with their values."""
    for name, value in raw.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def put(nested: dict[str, Any], key: str, value: object) -> None:
    """Set a dotted key in a nested dict."""
    *folders, name = key.split(".")
    for folder in folders:
        nested = nested.setdefault(folder, {})
    nested[name] = value


def differences(before: Settings, after: Settings) -> dict[str, tuple[object, object]]:
    """Return the keys that differ, with the value before and after."""
    old, new = dict(flatten(msgspec.to_builtins(before))), dict(flatten(msgspec.to_builtins(after)))
    return {key: (old[key], new[key]) for key in LEAVES if old[key] != new[key]}
