"""The composition root: builds every object once, for the window, for a server, or for one command.

``Program`` is what runs, under ``desktop`` or ``serve``, which hold the profile's lock; it answers commands over the
control socket. ``Host`` is what a command works with, in the running program or on its own.
"""

import contextlib
import logging
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from vxtray.core import texts
from vxtray.core.clockwatch import ClockWatch
from vxtray.core.credentials import CredentialStore, system_store
from vxtray.core.errors import N_, ProgramBusy, SettingsError, VxtrayError
from vxtray.core.instance import LOCK_SECONDS, holding
from vxtray.core.journal import write_log
from vxtray.core.mail.keeping import Keeper
from vxtray.core.notices import Notice, Publish
from vxtray.core.paths import Profile
from vxtray.core.settings.file import Loaded, SettingsFile
from vxtray.core.settings.model import Change, SettingsModel
from vxtray.core.settings.tree import Settings

if TYPE_CHECKING:
    from vxtray.core.control import ControlServer, Handler
    from vxtray.core.mail.oauth.tokens import TokenKeeper
    from vxtray.core.service import Service  # heavy: imported where one is made

log = logging.getLogger("vxtray")

T = TypeVar("T")

#: How often the settings file is looked at for a change by hand.
WATCH_SECONDS = 2.0

#: Seconds after which a thread must leave the interpreter to another.
_SWITCH_SECONDS = 0.0005

_OWNER_SECONDS = 30.0

#: A signal that the system hands to another thread is seen by the main one when it next wakes.
_SIGNAL_SECONDS = 0.5


class Host(Protocol):
    """What a command works with, wherever it runs."""

    profile: Profile
    credentials: CredentialStore

    @property
    def tokens(self) -> "TokenKeeper":
        """What gives access tokens: one of it a process."""

    @property
    def running(self) -> bool:
        """True inside the running program."""

    def settings(self) -> Settings:
        """Return the settings in force. Raises ``SettingsError``."""

    def service(self) -> "contextlib.AbstractContextManager[Service]":
        """Give the engine for the length of a command. Raises ``ProgramBusy``, ``StoreError``."""

    def look(self) -> "contextlib.AbstractContextManager[tuple[Service, SettingsError | None]]":
        """Give the engine for a look that changes nothing, and what is wrong with the settings file.

        Raises ``ProgramBusy``, ``StoreError``.
        """

    def reload(self, *, mail_mended: bool) -> None:
        """Take over what others changed in the settings file or the keyring."""

    def show(self) -> bool:
        """Raise the window; False where there is none."""

    def quit(self) -> None:
        """End the running program."""


class OwnHost:
    """A command on its own: no program runs with this profile."""

    def __init__(self, profile: Profile, credentials: CredentialStore | None = None) -> None:
        self.profile, self.patience = profile, LOCK_SECONDS
        self.credentials = credentials or system_store()
        self._keeper = Keeper(self.credentials, profile.state)
        self.file = SettingsFile(profile.settings_file)

    @property
    def tokens(self) -> "TokenKeeper":
        """What gives access tokens."""
        return self._keeper()

    @property
    def running(self) -> bool:
        """Nothing runs."""
        return False

    def settings(self) -> Settings:
        """Return what the file says. Raises ``SettingsError``."""
        return self.file.read().settings

    def lenient_settings(self) -> Settings:
        """Return what the file says, or what it last said when it was in order."""
        return self.file.read_or_last_good().settings

    def update(self, changes: Mapping[str, object]) -> Loaded:
        """Change the file by the one rule; ``trouble`` in the result says that it could not be read before."""
        return self.file.merge(changes)

    @contextlib.contextmanager
    def service(self) -> "Iterator[Service]":
        """Open the engine without its threads; the command itself sends what shall leave."""
        from vxtray.core.service import Service

        with holding(self.profile, self.patience) as profile:
            service = Service(
                profile,
                self.settings(),
                self.credentials,
                _log_notice,
                saved_at=self.file.modified,
                keeper=self._keeper,
            )
            try:
                yield service
            finally:
                service.stop()

    @contextlib.contextmanager
    def look(self) -> "Iterator[tuple[Service, SettingsError | None]]":
        """Open the engine with the last good settings; where nothing was ever kept, asking leaves nothing behind."""
        from vxtray.core.service import Service

        loaded = self.file.read_or_last_good()
        with contextlib.ExitStack() as stack:
            profile = self.profile
            if profile.outbox_file.exists():
                profile = stack.enter_context(holding(profile, self.patience))
            else:
                import tempfile

                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vxtray-"))
                profile = Profile.under(Path(folder))
            service = Service(profile, loaded.settings, self.credentials, _log_notice, keeper=self._keeper)
            stack.callback(service.stop)
            yield service, loaded.trouble

    def reload(self, *, mail_mended: bool) -> None:
        """Nothing holds anything in memory."""

    def show(self) -> bool:
        """There is no window."""
        return False

    def quit(self) -> None:
        """Nothing runs."""


def _log_notice(notice: Notice) -> None:
    log.debug("%s", notice)


class Program:
    """The running program: model, engine and control socket. Made and owned by the main thread.

    ``post`` hands a callable to the main thread; ``on_quit`` and ``on_show`` are what a command asks for.
    """

    def __init__(
        self,
        profile: Profile,
        credentials: CredentialStore,
        publish: Publish,
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        from vxtray.core.service import Service

        self.profile = profile
        self.credentials = credentials
        self.model = SettingsModel(SettingsFile(profile.settings_file))
        texts.use(texts.resolve(self.model.current.general.language))
        self.engine = Service(profile, self.model.current, credentials, publish, saved_at=self.model.file.modified)
        self._post = post
        self._control: ControlServer | None = None
        self.on_show: Callable[[], None] | None = None
        self.on_quit: Callable[[], None] = lambda: None
        self.model.subscribe(self._settings_changed)
        self.engine.set_trouble("settings", self.model.loaded.trouble)
        for note in profile.notes:
            self.engine.set_trouble("folder", note)

    def start(self, handler: "Handler") -> None:
        """Start the engine's threads and listen for commands."""
        from vxtray.core.control import ControlServer

        # no parser holds those up who answer; the desktop has set less already
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_SECONDS))
        self.engine.start()
        self._control = ControlServer(self.profile, handler, self.engine.workers)
        try:
            self._control.start()
        except OSError as error:
            self._control = None
            self.engine.set_trouble(
                "control",
                VxtrayError(N_("Commands cannot reach this program: {reason}."), reason=error.strerror or str(error)),
            )

    def stop(self) -> None:
        """End everything that ``start`` began."""
        if self._control is not None:
            self._control.stop()
        self.engine.stop()
        log.info("ended")

    def _settings_changed(self, change: Change) -> None:
        self.engine.set_trouble("settings", self.model.loaded.trouble)
        if change.keys:
            log.info("settings changed: %s", ", ".join(change.keys))
            texts.use(texts.resolve(change.after.general.language))
            self.engine.apply(change.after)

    def on_owner(self, call: Callable[[], T]) -> T:
        """Run a callable on the main thread and return its result, or raise what it raised."""
        answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put((True, call()))
            except Exception as error:  # noqa: BLE001 - handed to the thread that asked
                answers.put((False, error))

        self._post(run)
        try:
            good, answer = answers.get(timeout=_OWNER_SECONDS)
        except queue.Empty:
            raise ProgramBusy from None
        if not good:
            raise answer
        return answer  # type: ignore[no-any-return]  # good: what the call returned

    # --- what a command finds in the running program (Host) ----------------------------------------------------------

    @property
    def tokens(self) -> "TokenKeeper":
        """What gives access tokens."""
        return self.engine.tokens

    @property
    def running(self) -> bool:
        """True: this is the running program."""
        return True

    def settings(self) -> Settings:
        """Return the settings in force."""
        return self.model.current

    @contextlib.contextmanager
    def service(self) -> "Iterator[Service]":
        """Give the engine, which goes on afterwards."""
        yield self.engine

    @contextlib.contextmanager
    def look(self) -> "Iterator[tuple[Service, SettingsError | None]]":
        """Give the engine, which knows of the settings file's trouble itself."""
        yield self.engine, None

    def reload(self, *, mail_mended: bool) -> None:
        """Read the settings file again on the main thread."""
        self.on_owner(self.model.reload)
        if mail_mended:
            self.engine.mail_mended()

    def show(self) -> bool:
        """Raise the window; False on a server."""
        if self.on_show is None:
            return False
        self.on_owner(self.on_show)
        return True

    def quit(self) -> None:
        """End the program soon; the answer to the command still leaves."""
        self._post(self.on_quit)


def serve(profile: Profile, handler: "Callable[[Host], Handler]", level: str = "INFO") -> int:
    """Run the engine without a window until SIGTERM, SIGINT or ``vxtray quit``. Raises ``ProgramBusy``."""
    with holding(profile, 2.0, start=True) as found:
        write_log(found, level)
        calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        program = Program(found, system_store(), _log_notice, calls.put)
        program.on_quit = lambda: calls.put(None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: calls.put(None))
        threading.current_thread().name = "main"
        program.start(handler(program))
        log.info("serving")
        try:
            _turn(program, calls)
        finally:
            program.stop()
    return 0


def _turn(program: Program, calls: "queue.SimpleQueue[Callable[[], None] | None]") -> None:
    """Run what is posted until None comes, and notice a settings file that was edited by hand."""
    looked, clock = time.monotonic(), ClockWatch()
    while True:
        with contextlib.suppress(queue.Empty):
            call = calls.get(timeout=_SIGNAL_SECONDS)
            if call is None:
                return
            call()
        if time.monotonic() - looked >= WATCH_SECONDS:
            looked = time.monotonic()
            program.model.reload_if_changed()
            if clock.leapt():
                log.info("the computer slept, or its clock was set")
                program.engine.time_leapt()
