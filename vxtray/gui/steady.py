"""What the tray says, without flicker: a state is shown once it has lasted, and stays until it could be seen.

Pure; times are seconds of a clock that never goes back.
"""

from collections.abc import Mapping

import msgspec

from vxtray.gui.icons import TrayState

#: How long a state must have lasted before it is shown: one mail is gone in a blink, and a server that is restarted is
#: back soon. All others are shown at once.
_LASTING = {TrayState.SENDING: 0.6, TrayState.OFFLINE: 10.0}

#: How long it then stays at least, unless something more urgent takes its place.
_SEEN = {TrayState.SENDING: 1.5, TrayState.OFFLINE: 5.0}
_CALM = frozenset({TrayState.OK, TrayState.SENDING, TrayState.OFFLINE})


class Sight(msgspec.Struct, frozen=True):
    """A state, and the words for it."""

    shape: TrayState
    words: str


class Steady:
    """Takes what is so at each moment, and says what to show. ``lasting`` may be changed."""

    def __init__(self) -> None:
        self.lasting: Mapping[TrayState, float] = _LASTING
        self._shown: Sight | None = None
        self._shown_at = 0.0
        self._coming: TrayState | None = None
        self._came_at = 0.0

    def see(self, sight: Sight, now: float) -> tuple[Sight, float | None]:
        """Return what to show, and in how many seconds to ask again (None: when something changes)."""
        if self._shown is None or self._shown.shape is sight.shape:
            return self._show(sight, now), None
        if self._coming is not sight.shape:
            self._coming, self._came_at = sight.shape, now
        due = self._came_at + self.lasting.get(sight.shape, 0.0)
        if sight.shape in _CALM:
            due = max(due, self._shown_at + _SEEN.get(self._shown.shape, 0.0))
        if now >= due:
            return self._show(sight, now), None
        return self._shown, due - now

    def _show(self, sight: Sight, now: float) -> Sight:
        if self._shown is None or self._shown.shape is not sight.shape:
            self._shown_at = now
        self._shown, self._coming = sight, None
        return sight
