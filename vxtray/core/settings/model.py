"""The model: the one place that window, tray and commands change settings through.

Owned by the thread that makes it (the window's, or the one that serves); an ``update`` from any other thread raises.
``current`` is frozen and may go anywhere.
"""

import logging
import threading
from collections.abc import Callable, Mapping

import msgspec

from vxtray.core.settings import keys
from vxtray.core.settings.file import Loaded, SettingsFile
from vxtray.core.settings.tree import Settings

log = logging.getLogger(__name__)


class Change(msgspec.Struct, frozen=True):
    """What listeners get: the tree before and after, and the keys that differ with both values."""

    before: Settings
    after: Settings
    keys: dict[str, tuple[object, object]]


Listener = Callable[[Change], None]


class SettingsModel:
    """Validate, save, then publish; an equal value is no change, so nobody needs to block signals."""

    def __init__(self, file: SettingsFile) -> None:
        self.file = file
        self._owner = threading.get_ident()
        self._listeners: list[Listener] = []
        self._stamp: tuple[int, ...] = file.stamp()
        self.loaded: Loaded = file.read_or_last_good()
        self.current: Settings = self.loaded.settings
        file.remember()

    def update(self, changes: Mapping[str, object]) -> Settings:
        """Change some keys in one step and return the new tree.

        What others have changed in the file meanwhile is taken over too. Raises what ``SettingsFile.merge`` raises;
        then ``current`` is what it was. Raises ``RuntimeError`` on a thread that does not own the model.
        """
        self._require_owner()
        if not changes:
            return self.current
        loaded = self.file.merge(changes)
        self._stamp = loaded.stamp
        self._publish(loaded)
        return self.current

    def reload(self) -> Settings:
        """Take over what the file says now; a faulty file leaves ``current`` and is told in ``loaded.trouble``."""
        self._require_owner()
        self._stamp = self.file.stamp()
        loaded = self.file.read_or_last_good()
        if loaded.trouble is not None:
            loaded = Loaded(self.current, self.loaded.unknown, loaded.trouble)
        else:
            self.file.remember()
        self._publish(loaded)
        return self.current

    def reload_if_changed(self) -> bool:
        """Reload when the file on disk differs from what was last read; cheap enough for a timer."""
        if self.file.stamp() == self._stamp:
            return False
        self.reload()
        return True

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener after each change, on the owner's thread; the result ends the subscription."""
        self._listeners.append(listener)

        def undo() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return undo

    def _publish(self, loaded: Loaded) -> None:
        before, trouble_before = self.current, self.loaded.trouble
        self.loaded, self.current = loaded, loaded.settings
        differing = keys.differences(before, loaded.settings)
        if not differing and trouble_before is None and loaded.trouble is None:
            return
        change = Change(before, loaded.settings, differing)
        for listener in tuple(self._listeners):
            try:
                listener(change)
            except Exception:  # the change is saved: one listener's fault must not keep it from the others
                log.exception("a listener of the settings met a fault")

    def _require_owner(self) -> None:
        if threading.get_ident() != self._owner:
            raise RuntimeError("the settings model belongs to another thread")
