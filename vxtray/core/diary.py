"""What the program itself does, written into the history: starts, stops, changed settings, pauses. Any thread.

A history that cannot be written (the disk is full) keeps nothing from being done.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from vxtray import __version__
from vxtray.core.errors import StoreError
from vxtray.core.mail.outbox import Outbox
from vxtray.core.settings.keys import flatten
from vxtray.core.settings.tree import Settings

log = logging.getLogger(__name__)

_KNOWN = "settings-known"


class Diary:
    """Writes the history of one profile."""

    def __init__(self, outbox: Outbox, clock: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._clock = clock

    def note(self, what: str, /, **detail: Any) -> None:
        """Write a line; never a secret."""
        with _unless_full():
            self._outbox.note(self._clock(), what, detail)

    def started(self, settings: Settings) -> None:
        """Write that the program began, and what was changed in the settings meanwhile."""
        self.note("started", version=__version__)
        self.settings(settings)

    def stopped(self) -> None:
        """Write that the program ends."""
        self.note("stopped")

    def settings(self, settings: Settings) -> None:
        """Write what differs from the settings that were last seen here, whoever changed them and how."""
        # as what was kept is read again: tuples become lists
        now = msgspec.json.decode(msgspec.json.encode(dict(flatten(msgspec.to_builtins(settings)))))
        with _unless_full():
            known = self._outbox.fact(_KNOWN)
            before = msgspec.json.decode(known) if known else None
            if before == now:
                return
            self._outbox.set_fact(_KNOWN, msgspec.json.encode(now).decode())
            if isinstance(before, dict):
                keys = [key for key in {**before, **now} if before.get(key) != now.get(key) and key != "version"]
                changed = {key: [before.get(key), now.get(key)] for key in keys}
                self._outbox.note(self._clock(), "settings", {"changed": changed})


@contextlib.contextmanager
def _unless_full() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        log.info("the history could not be written: %s", error)
