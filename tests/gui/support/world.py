"""The program as ``app`` composes it, on a profile of the test's own: model, engine, bridge and keyring are real."""

import contextlib
import ctypes
import dataclasses
import os
import resource
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vxtray.app import Program
from vxtray.cli import handler
from vxtray.core.credentials import CredentialStore, MemoryStore, Secret, smtp_account
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.keys import typed_value
from vxtray.core.settings.tree import Smtp
from vxtray.gui.bridge import Bridge
from vxtray.gui.context import Context

if TYPE_CHECKING:
    from vxtray.gui.application import Desktop


class World:
    """What a window is built over. ``quits`` counts how often the window asked the program to end."""

    def __init__(self, profile: Profile, credentials: CredentialStore | None = None, bridge: Bridge | None = None):
        self.profile = profile
        self.credentials = credentials or MemoryStore()
        self.bridge = bridge or Bridge()
        self.program = Program(profile, self.credentials, self.bridge.post, self.bridge.call)
        self.quits = 0
        self.context = Context(
            profile=profile,
            model=self.program.model,
            service=self.program.engine,
            credentials=self.credentials,
            bridge=self.bridge,
            quit=self._quit,
        )
        self._switching = sys.getswitchinterval()

    @property
    def model(self):
        return self.program.model

    @property
    def engine(self):
        return self.program.engine

    def start(self) -> None:
        """Start the engine's threads and the control socket, as the running program does."""
        self.program.start(handler(self.program))

    def shown_by(self, desktop: "Desktop") -> None:
        """Give a program its engine, as step two of a start does; ending it ends the program."""
        context = dataclasses.replace(self.context, bridge=desktop.bridge, quit=desktop.quit)
        desktop.open(context, hidden=False, watch_seconds=60)

    def stop(self) -> None:
        self.program.stop()
        self.bridge.stop()
        sys.setswitchinterval(self._switching)

    def saved(self, key: str) -> object:
        """Return what the file on the disk says now, as a fresh program would read it."""
        return typed_value(SettingsFile(self.profile.settings_file).read().settings, key)

    def change_outside(self, **changes: object) -> None:
        """Change the file as a command in another process does; ``__`` in a name stands for the dot."""
        SettingsFile(self.profile.settings_file).merge({key.replace("__", "."): v for key, v in changes.items()})

    def password(self, user: str, host: str) -> str | None:
        """Return the password that the keyring holds for a user at a server."""
        found = self.credentials.get(smtp_account(Smtp(host=host, username=user)))
        return found.reveal() if found else None

    def keep_password(self, user: str, host: str, text: str) -> None:
        self.credentials.set(smtp_account(Smtp(host=host, username=user)), Secret(text))

    def _quit(self) -> None:
        self.quits += 1


class SaveCounter:
    """Counts how often a file was put in its place, by the kernel's own word (inotify)."""

    _MOVED_TO = 0x80

    def __init__(self, path: Path) -> None:
        if sys.platform != "linux":
            pytest.skip("inotify is Linux's")
        self._name = path.name
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self._handle, os.fsencode(path.parent), self._MOVED_TO) >= 0
        self._count = 0

    def count(self) -> int:
        """Return the saves so far."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._handle, 65536):
                self._count += sum(name == self._name for name in _names(data))
        return self._count

    def close(self) -> None:
        os.close(self._handle)


def _names(data: bytes) -> Iterator[str]:
    at = 0
    while at < len(data):
        _watch, _mask, _cookie, length = struct.unpack_from("iIII", data, at)
        yield os.fsdecode(data[at + 16 : at + 16 + length].rstrip(b"\0"))
        at += 16 + length


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """Let no file of this process grow beyond a few bytes, as on a full disk; root is bound by it too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
