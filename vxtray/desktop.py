"""The desktop program, begun in two steps: the icon with a first menu and the window's frame at once, then the rest.

Step one, on the main thread, loads Qt and little else, so that what a person can see is there as soon as any program's
could be. Then ``vx-begin`` loads everything else beside the running event loop, and step two, on the main thread again,
builds the engine and fills menu and window. Faults of step two end the program and are raised by ``run_window``.
"""

import gc
import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vxtray.core.errors import N_, VxtrayError
from vxtray.core.instance import holding
from vxtray.core.paths import Profile

if TYPE_CHECKING:
    from vxtray.app import Host, Program
    from vxtray.core.control import Handler
    from vxtray.core.credentials import CredentialStore
    from vxtray.gui.application import Desktop

log = logging.getLogger("vxtray")

#: What step two needs, loaded beside the event loop; each in its time, so that a person who quits waits for one only.
_ENGINE = (
    "vxtray.app",
    "vxtray.core.service",
    "vxtray.core.control",
    "apscheduler.schedulers.blocking",
    "vxtray.gui.actions",
    "vxtray.gui.notifying",
    "vxtray.gui.at_login",
    "vxtray.gui.leaving",
)
_WINDOW = ("vxtray.gui.main_window", "vxtray.gui.badges", "vxtray.gui.pages.all_pages", "vxtray.gui.pages.overview")

#: Seconds after which a thread must leave the interpreter to another. Laying out a page asks for it some fifty times,
#: and beside threads that work waits so long each time: with the usual 0.005 the window would stand still.
_SWITCH_SECONDS = 0.0002

#: What the window's frame takes to come on the screen; whoever loads meanwhile takes the interpreter from it.
_FRAME_MS = 40


class _Start:
    """One start of the desktop program. Made and owned by the main thread."""

    def __init__(
        self,
        desktop: "Desktop",
        profile: Profile,
        handler: "Callable[[Host], Handler]",
        *,
        hidden: bool,
        credentials: "CredentialStore | None" = None,
        begin: Callable[[], None] = lambda: None,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        """``begin`` is called right before the engine is built, ``ready`` once all of it runs."""
        self._desktop = desktop
        self._profile = profile
        self._handler = handler
        self._hidden = hidden
        self._credentials = credentials
        self._begin = begin
        self._ready = ready
        self._stopping = threading.Event()
        self._loader = threading.Thread(target=self._load, name="vx-begin", daemon=True)
        self._program: Program | None = None
        self._parts = [self._build_engine, self._open, self._start_engine]
        self.fault: Exception | None = None

    def go(self) -> None:
        """Begin to load, once a frame is painted; step two follows by itself once the event loop runs."""
        if self._hidden:
            self._loader.start()
        else:
            self._desktop.later(_FRAME_MS, self._loader.start)

    def stop(self) -> None:
        """End the engine, or the start of it. Any thread."""
        self._stopping.set()
        if self._loader.is_alive() and threading.current_thread() is not self._loader:
            self._loader.join()
        if self._program is not None:
            self._program.stop()

    def hurry(self) -> None:
        """Give up what the engine still waits for. Any thread."""
        if self._program is not None:
            self._program.engine.cut_off()

    def _load(self) -> None:
        """Load what step two needs. On ``vx-begin``."""
        try:
            self._import(_ENGINE)
            if not self._hidden or self._desktop.window_wanted:
                self._import(_WINDOW)
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.fault = error
        self._desktop.take_second_step(self._build)

    def _import(self, names: Sequence[str]) -> None:
        for name in names:
            if not self._stopping.is_set():
                importlib.import_module(name)

    def _build(self) -> None:
        """Step two, on the main thread: one part of it in each turn of the event loop, so that the menu reacts."""
        if self._stopping.is_set() or self._desktop.ending:
            return
        try:
            if self.fault is not None:
                raise self.fault
            self._parts.pop(0)()
        except Exception as error:  # noqa: BLE001 - raised by run, as soon as the event loop is left
            self.fault = error
            self._desktop.give_up()
        else:
            if self._parts:
                self._desktop.later(0, self._build)
            else:
                gc.freeze()  # what is there stays: to go through it again would hold the window up for some 50 ms
                gc.enable()

    def _build_engine(self) -> None:
        from vxtray.app import Program
        from vxtray.core.credentials import system_store

        self._begin()
        bridge = self._desktop.bridge
        self._desktop.heed_signals()
        credentials = self._credentials or system_store()
        self._program = Program(self._profile, credentials, bridge.post, bridge.call)

    def _open(self) -> None:
        from vxtray.app import WATCH_SECONDS
        from vxtray.gui.context import Context

        desktop, program = self._desktop, self._program
        assert program is not None
        context = Context(
            profile=self._profile,
            model=program.model,
            service=program.engine,
            credentials=program.credentials,
            bridge=desktop.bridge,
            quit=desktop.quit,
        )
        desktop.open(context, hidden=self._hidden, watch_seconds=WATCH_SECONDS)
        program.on_show, program.on_quit = desktop.show_window, desktop.quit

    def _start_engine(self) -> None:
        assert self._program is not None
        self._program.start(self._handler(self._program))
        shown = "hidden" if self._hidden else "shown"
        log.info("window %s, tray %s", shown, "there" if self._desktop.tray_present else "missing")
        self._ready()

    def run(self) -> int:
        """Run until the program is quit and return the exit status; raise what kept it from starting."""
        self.go()
        status = self._desktop.run(self.stop, self.hurry)
        gc.unfreeze()  # or DuckDB complains at the end of what it takes for leaks
        if self.fault is not None:
            raise self.fault
        return status


def run_window(
    profile: Profile,
    handler: "Callable[[Host], Handler]",
    *,
    hidden: bool = False,
    at_login: bool = False,
    level: str = "INFO",
) -> int:
    """Run the desktop program until it is quit. Raises ``ProgramBusy``, ``StoreError``, ``VxtrayError``.

    The profile's lock tells whether another program runs, which is not waited for.
    """
    with holding(profile, 0, start=True) as found:

        def begin() -> None:
            from vxtray.core.journal import write_log

            write_log(found, level)
            if at_login:
                note_login(found)

        require_screen()
        return _Start(_first_step(found, hidden=hidden), found, handler, hidden=hidden, begin=begin).run()


def demo_window(
    profile: Profile, credentials: "CredentialStore", handler: "Callable[[Host], Handler]", picture: Path | None
) -> None:
    """Show the window over a demo's profile; without a screen it is only drawn, for the picture."""
    drawn_only = not _has_screen()
    if drawn_only:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with holding(profile, 2.0):
        desktop = _first_step(profile, hidden=False)

        def ready() -> None:
            if picture is not None:
                desktop.picture(picture, then=desktop.quit if drawn_only else (lambda: None))
            elif drawn_only:
                desktop.later(0, desktop.quit)

        _Start(desktop, profile, handler, hidden=False, credentials=credentials, ready=ready).run()


def _first_step(profile: Profile, *, hidden: bool) -> "Desktop":
    from vxtray.core.settings.glimpse import Glimpse, glimpse
    from vxtray.gui import taskbar
    from vxtray.gui.application import Desktop

    gc.disable()  # until all is loaded: next to nothing of what a start makes is garbage
    sys.setswitchinterval(_SWITCH_SECONDS)
    taskbar.claim()
    desktop = Desktop()
    desktop.appear(glimpse(profile.settings_file) or Glimpse(), hidden=hidden)
    return desktop


def note_login(profile: Profile) -> None:
    """Note that the session's entry works; the program starts in any case."""
    from vxtray.core.autostart import Autostart, AutostartFailed

    try:
        Autostart(profile).note_login()
    except AutostartFailed as error:
        log.warning("the start with the session cannot be noted: %s", error)


def _has_screen() -> bool:
    """Return True where Qt can open a window; it would abort the process otherwise."""
    if sys.platform in {"win32", "darwin"} or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def tell_no_start(error: VxtrayError) -> None:
    """Show on the screen, if there is one, what kept the program from starting; returns when it was read."""
    if _has_screen():
        from vxtray.gui.no_start import tell

        tell(error)


def require_screen() -> None:
    """Raise ``VxtrayError`` where there is no screen to show a window on."""
    if not _has_screen():
        raise VxtrayError(
            N_("There is no screen here to show a window on."),
            N_("Run “vxtray serve” for a server without a window, or “vxtray demo --no-window” for a demonstration."),
        )
