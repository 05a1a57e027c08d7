"""Which things of a VIGILANCE X server were handed on: marks, kept with the events. On the source's own thread.

A mark is a key of the store's positions; its offset is when the thing happened (seconds since 1970), which tells from
when on no question meets it any more.
"""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from vxtray.core.store import Position

#: How often outdated marks are forgotten.
_TIDIED = timedelta(hours=1)
_EVER = 2**62


class Marks:
    """The marks of one server. ``read`` is up to when its events were read, ``began`` when that was first done."""

    def __init__(self, server: str) -> None:
        self._prefix = f"vigilancex:{digest(server)[:12]}:"
        self._known: dict[str, int] = {}
        self._over: list[str] = []
        self._tidied = datetime.min.replace(tzinfo=UTC)
        self.read = self.began = 0

    def take_up(self, remembered: Callable[[str], dict[str, int]], now: datetime) -> None:
        """Take up what earlier runs left; ``remembered`` gives offsets by the beginning of their keys."""
        self._known = remembered(self._prefix)
        self.read = self._known.pop(f"{self._prefix}read", 0)
        self.began = self._known.pop(f"{self._prefix}began", 0) or int(now.timestamp())

    def __contains__(self, mark: str) -> bool:
        return mark in self._known

    def of(self, kind: str, *parts: str) -> str:
        """Return the mark of a thing, by what never changes of it."""
        return self.plain(kind, digest("\0".join(parts)))

    def plain(self, kind: str, name: str) -> str:
        """Return a mark that can be read back (``names``)."""
        return f"{self._prefix}{kind}:{name}"

    def names(self, kind: str) -> Iterator[str]:
        """Yield the names of the plain marks of a kind."""
        start = f"{self._prefix}{kind}:"
        return (mark[len(start) :] for mark in list(self._known) if mark.startswith(start))

    def drop(self, kind: str, name: str) -> None:
        """Forget a plain mark, with the next position."""
        self._over.append(self.plain(kind, name))

    def position(self, marks: dict[str, int], now: datetime, limits: dict[str, int], *, read: bool) -> Position:
        """Return what is to be committed with the things of these marks, which count as known from now on.

        ``read``: all up to ``self.read`` is handed on with them. ``limits``: by kind, before when no mark is needed;
        the others are kept until they are dropped.
        """
        self._known |= marks
        outdated: list[tuple[str, int]] = []
        for mark in self._over:
            self._known.pop(mark, None)
            outdated.append((mark, _EVER))
        self._over = []
        if now - self._tidied >= _TIDIED:
            self._tidied = now
            for kind, limit in limits.items():
                start = f"{self._prefix}{kind}:"
                outdated.append((start, limit))
                for mark in [one for one, at in self._known.items() if one.startswith(start) and at < limit]:
                    del self._known[mark]
        began = (f"{self._prefix}began", self.began)
        main = (f"{self._prefix}read", self.read) if read else began
        made = Position(key=main[0], offset=main[1], marks=(*marks.items(), began))
        return msgspec.structs.replace(made, outdated=tuple(outdated))


def digest(text: str) -> str:
    """Return a short, steady name for a text of any length."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
