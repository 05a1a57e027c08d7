"""Starting with the session: what the person wishes, what the system has, and whether it worked at the last login.

The setting ``general.autostart`` is the wish. The system's own entry is the truth: vxtray makes it, mends it where its
program has gone, and takes it away, but what a person did with it in the desktop's own settings is respected and shown.
The session starts vxtray with ``--at-login``, which is noted beside the profile's other state; so the next look can say
whether it worked. Any thread; small files, no locks.
"""

import os
import shutil
import sys
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import msgspec

from vxtray.core.autostart.command import AT_LOGIN, Launch, launch
from vxtray.core.autostart.entry import AutostartFailed, Entries, Entry
from vxtray.core.autostart.session import login_session
from vxtray.core.paths import Profile
from vxtray.core.settings.file import write_durably

__all__ = ["AT_LOGIN", "Autostart", "AutostartFailed", "Proof", "Standing", "State", "step", "verdict"]


class State(StrEnum):
    """What the system has."""

    OFF = "off"
    ON = "on"
    DISABLED = "disabled"  # switched off in the system's own settings
    MISSING = "missing"  # its program is not there any more
    OTHER = "other"  # it starts another copy


class Proof(StrEnum):
    """Whether the entry works."""

    UNKNOWN = "unknown"
    PENDING = "pending"  # the next login will tell
    WORKED = "worked"
    FAILED = "failed"


class Standing(msgspec.Struct, frozen=True):
    """How it stands. ``place`` is where the entry is, ``program`` what it starts, ``started_at`` the last such start.

    ``ours``: vxtray made the entry and has not taken it away, so where it is gone somebody else did that.
    """

    state: State
    proof: Proof
    place: str
    program: str = ""
    started_at: datetime | None = None
    ours: bool = False
    can_override: bool = False


class Noted(msgspec.Struct, frozen=True):
    """What vxtray keeps in mind: ``written_in`` and ``started_in`` are marks of sessions."""

    ours: bool = False
    written_in: str = ""
    started_in: str = ""
    started_at: datetime | None = None


class Action(StrEnum):
    """What to do about a difference at the start of the program."""

    NOTHING = "nothing"
    WRITE = "write"
    REMOVE = "remove"


def step(*, wish: bool, state: State, ours: bool) -> Action:
    """Return what follows at the start of the program; a person's own change outside is no fault to be mended."""
    if wish:
        wanted = state is State.MISSING or (state is State.OFF and not ours)
        return Action.WRITE if wanted else Action.NOTHING
    return Action.REMOVE if ours and state is not State.OFF else Action.NOTHING


def verdict(noted: Noted, session: str) -> Proof:
    """Return whether an entry that is on works, as far as ``session``, the present one, can tell."""
    if noted.started_at is not None and (not session or noted.started_in == session):
        return Proof.WORKED
    if not session or noted.written_in in ("", session):
        return Proof.PENDING
    return Proof.FAILED  # it stood there before this login, and this login did not start it


class Autostart:
    """The entry of one profile."""

    def __init__(
        self,
        profile: Profile,
        *,
        wanted: Launch | None = None,
        entries: Entries | None = None,
        session: str | None = None,
    ) -> None:
        self._wanted = wanted or launch(profile)
        self._entries = entries or system_entries(self._wanted.name)
        self._given_session = session
        self._notes = profile.state / "autostart.json"

    @cached_property
    def _session(self) -> str:
        """The mark of this session, asked for when it is first needed."""
        return login_session() if self._given_session is None else self._given_session

    def standing(self) -> Standing:
        """Return how it stands now. Raises ``AutostartFailed``."""
        entry, noted = self._entries.read(), self._noted()
        state = self._state(entry)
        told = state is State.ON and entry is not None and AT_LOGIN in entry.words
        return Standing(
            state=state,
            proof=verdict(noted, self._session) if told else Proof.UNKNOWN,
            place=self._entries.place,
            program=entry.words[0] if entry is not None and entry.words else "",
            started_at=noted.started_at,
            ours=noted.ours,
            can_override=self._entries.overrides,
        )

    def switch(self, *, on: bool) -> None:
        """Make the system's entry as the person wishes it now. Raises ``AutostartFailed``."""
        if not on:
            self._entries.remove()
            self._note(Noted(started_in=self._noted().started_in, started_at=self._noted().started_at))
        elif self._state(self._entries.read()) is not State.ON:
            self.renew()
        elif not self._noted().ours:
            self._note(msgspec.structs.replace(self._noted(), ours=True))

    def renew(self) -> None:
        """Write the entry anew, whatever is there; the next login will tell. Raises ``AutostartFailed``."""
        self._entries.write(self._wanted.words)
        self._note(msgspec.structs.replace(self._noted(), ours=True, written_in=self._session))

    def settle(self, *, wish: bool) -> Action:
        """Bring the entry in line with the wish at the start of the program, and return what was done.

        Raises ``AutostartFailed``.
        """
        action = step(wish=wish, state=self._state(self._entries.read()), ours=self._noted().ours)
        if action is Action.WRITE:
            self.renew()
        elif action is Action.REMOVE:
            self.switch(on=False)
        return action

    def note_login(self, now: datetime | None = None) -> None:
        """Note that the session started the program. Raises ``AutostartFailed``."""
        at = now or datetime.now(UTC)
        self._note(msgspec.structs.replace(self._noted(), started_in=self._session, started_at=at))

    def _state(self, entry: Entry | None) -> State:
        if entry is None:
            return State.OFF
        if entry.disabled:
            return State.DISABLED
        program = self._wanted.program
        if entry.words[: len(program)] == program and _there(program[0]):
            return State.ON
        if entry.words and entry.words[: len(program)] != program and _there(entry.words[0]):
            return State.OTHER
        return State.MISSING

    def _noted(self) -> Noted:
        try:
            return msgspec.json.decode(self._notes.read_bytes(), type=Noted)
        except (OSError, msgspec.DecodeError):  # nothing is lost but what the next login says anew
            return Noted()

    def _note(self, noted: Noted) -> None:
        try:
            write_durably(self._notes, msgspec.json.encode(noted))
        except OSError as error:
            raise AutostartFailed(place=self._notes, reason=error.strerror or str(error)) from error


def _there(program: str) -> bool:
    """True where a program can be started; one without a path is the session's to find."""
    if os.environ.get("FLATPAK_ID") and program == "flatpak":  # which is outside of the sandbox
        return True
    if not Path(program).is_absolute():
        return shutil.which(program) is not None
    return Path(program).is_file() and os.access(program, os.X_OK)


def system_entries(name: str) -> Entries:
    """Return this system's way to keep the entry."""
    if sys.platform == "win32":
        from vxtray.core.autostart.run_key import RunKey

        return RunKey(name)
    if sys.platform == "darwin":
        from vxtray.core.autostart.launch_agent import LaunchAgent

        return LaunchAgent(name)
    from vxtray.core.autostart.xdg import DesktopFile

    return DesktopFile(name)
