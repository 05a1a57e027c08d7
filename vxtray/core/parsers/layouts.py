"""Lines of ``key=value`` pairs that come again and again with the same keys, read by one pattern for each layout.

A device writes the lines of one kind with the same keys in the same order, so what ``keyvalue.scan`` found a few times
becomes a pattern that reads the next such line at once, in a quarter of the time. What it reads is exactly what
``scan`` would: it matches only lines in which no value holds a quote and no bare value a blank. Any thread or process;
each process learns for itself, and only so much.
"""

import re

from vxtray.core.parsers.keyvalue import pairs_of

#: As often must a layout have been seen.
_LEARNT_AT = 4
#: Longer lines and more keys teach nothing: making a pattern takes 50 µs a key.
_MOST_TEXT = 4096
_MOST_KEYS = 100
#: What is remembered: layouts in all and of one kind, and layouts that were seen less often.
_MOST = 256
_MOST_OF_KIND = 6
_MOST_SEEN = 1024

#: The keys that are wanted of a layout, in the order of the pattern's groups.
_Layout = tuple[tuple[str, ...], "re.Pattern[str]"]


class Layouts:
    """The layouts of one log family's lines, learnt as they come."""

    def __init__(self, wanted: frozenset[str]) -> None:
        """``wanted`` are the keys that ``read`` returns where a line has them."""
        self._wanted = wanted
        self._known: dict[str, tuple[_Layout, ...]] = {}
        self._seen: dict[tuple[str, int], int] = {}
        self._count = 0

    def read(self, text: str, kind: str, start: int = 0) -> dict[str, str] | None:
        """Return the wanted ones of what ``keyvalue.scan`` would find from ``start`` on; None for no known layout.

        ``kind`` tells lines apart that have different keys; it is short.
        """
        layouts = self._known.get(kind)
        if layouts is None:
            return None
        for layout in layouts:
            match = layout[1].fullmatch(text, start)
            if match is not None:
                if layout is not layouts[0]:
                    self._known[kind] = (layout, *(other for other in layouts if other is not layout))
                return dict(zip(layout[0], match.groups()))  # noqa: B905 - a group for each key: see _learn
        return None

    def saw(self, text: str, kind: str, keys: dict[str, str], *, escaped: bool) -> None:
        """Learn from a line that ``read`` could not read; ``keys`` and ``escaped`` are those of ``keyvalue.scan``."""
        if len(text) > _MOST_TEXT or len(keys) > _MOST_KEYS or self._count >= _MOST:
            return
        if len(self._known.get(kind, ())) >= _MOST_OF_KIND:
            return
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        layout = kind, hash(tuple(keys))
        seen = self._seen.get(layout, 0) + 1
        self._seen[layout] = seen
        if seen == _LEARNT_AT:
            self._learn(text, kind, escaped=escaped)

    def _learn(self, text: str, kind: str, *, escaped: bool) -> None:
        pairs = pairs_of(text, escaped=escaped)
        keys = [key for key, _value in pairs]
        parts = []
        for key, value in pairs:
            form = '"[^"]*+"' if value.startswith('"') else '[^ "]*+'
            parts.append(f"{key}=({form})" if key in self._wanted else f"{key}={form}")
        pattern = re.compile(" ".join(parts))
        if len(set(keys)) == len(keys) and pattern.fullmatch(text):
            layout = tuple(key for key in keys if key in self._wanted), pattern
            self._known[kind] = (layout, *self._known.get(kind, ()))
            self._count += 1
