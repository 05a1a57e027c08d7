"""What the three systems have in common: an entry that is read, written and removed. Any thread."""

from typing import Protocol

import msgspec

from vxtray.core.errors import N_, VxtrayError


class AutostartFailed(VxtrayError):
    """The system did not take the entry. Values: place, reason."""

    title = N_("Starting with the session could not be changed: {reason}.")
    advice = N_("Check that you may write {place}, then try again.")


class Entry(msgspec.Struct, frozen=True):
    """What the session starts. ``disabled``: the person switched it off in the system's own settings."""

    words: tuple[str, ...]
    disabled: bool = False


class Entries(Protocol):
    """One system's entry for one profile. ``place`` is where it is, for a person.

    ``overrides`` says that writing the entry anew lifts a switch-off; elsewhere only the system's settings can.
    """

    place: str
    overrides: bool

    def read(self) -> Entry | None:
        """Return the entry, None where there is none. Raises ``AutostartFailed``."""

    def write(self, words: tuple[str, ...]) -> None:
        """Make the entry, or put another in its place. Raises ``AutostartFailed``."""

    def remove(self) -> None:
        """Take the entry away; none is no fault. Raises ``AutostartFailed``."""
