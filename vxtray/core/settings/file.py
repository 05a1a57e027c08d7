"""The settings file: TOML that a person may edit, changed by one rule whoever writes.

The rule: take the lock file, read, merge the changed keys only, validate, save durably. So two writers, or a writer
and a hand edit, never lose each other's changes. Any thread; each call is complete in itself.
"""

import contextlib
import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from vxtray.core.errors import N_, ProgramBusy, SettingsBroken, SettingsError, SettingsInvalid, SettingsNotSaved
from vxtray.core.paths import private_folder
from vxtray.core.settings import keys
from vxtray.core.settings.migrations import migrate
from vxtray.core.settings.syntax import parse
from vxtray.core.settings.tree import VERSION, Settings

#: As a value of ``merge``: take the key out of the file, so that the default holds again.
RESET: Final = object()

_LOCK_SECONDS = 10
#: An editor may empty or take away a file before it fills it.
_EDITOR_SECONDS = 0.2
_LOOK_SECONDS = 0.02
_CORRECT_IT = N_("Correct it in {path}, or take its default: vxtray settings reset {key}")
_HEADER = "vxtray. You may edit this file by hand; vxtray keeps your comments. “vxtray settings show” lists every key."


class Loaded(msgspec.Struct, frozen=True):
    """What a file meant: the settings, the keys that nobody knows, and its fault (then: the last good ones).

    ``stamp`` is the file's after a change of it; () where somebody else has changed it once more since. ``kept`` is
    where a change has put a file that was not in order; ``from_good`` says that the last good copy was its base then.
    """

    settings: Settings
    unknown: tuple[str, ...] = ()
    trouble: SettingsError | None = None
    stamp: tuple[int, ...] = ()
    kept: Path | None = None
    from_good: bool = False


class _Base(NamedTuple):
    """The text that a change is merged into, and what was wrong with the file."""

    text: bytes
    trouble: SettingsError | None = None
    kept: Path | None = None
    from_good: bool = False


class SettingsFile:
    """One settings file with its lock and its last good copy."""

    def __init__(self, path: Path) -> None:
        if path.is_symlink():  # kept among somebody's dot-files: the file is replaced there, not the link
            path = path.resolve()
        self.path = path
        self._good = path.with_name(path.name + ".good")
        self._lock = path.with_name(path.name + ".lock")

    def read(self) -> Loaded:
        """Return what the file says; a missing file means the defaults: a person took it away to begin anew.

        An empty one beside a good copy is no wish but an accident. Raises ``SettingsBroken`` or ``SettingsInvalid``.
        """
        try:
            settings, unknown = keys.build(migrate(self._meaning(self._settled())))
        except SettingsInvalid as error:
            if error.values.get("key") != "version":
                error.advice_id = _CORRECT_IT
            error.values = {**error.values, "path": self.path}
            raise
        return Loaded(settings, tuple(unknown))

    def _meaning(self, content: bytes | None) -> dict[str, Any]:
        """Return what the file's bytes say (None: there is no file). Raises ``SettingsBroken``."""
        if content is not None and not content.strip() and self._good_bytes().strip():
            raise SettingsBroken(path=self.path, reason=N_("it is empty"))
        return parse(self.path, content or b"")

    def _good_bytes(self) -> bytes:
        with contextlib.suppress(SettingsBroken):
            return _found(self._good) or b""
        return b""

    def read_or_last_good(self) -> Loaded:
        """Return what the file says, or with ``trouble`` what it last said when it was in order."""
        try:
            return self.read()
        except SettingsError as error:
            return Loaded(self._last_good(), trouble=error)

    def _last_good(self) -> Settings:
        try:
            return keys.build(migrate(parse(self._good, self._good_bytes())))[0]
        except SettingsError:
            return Settings()

    def remember(self) -> None:
        """Keep what the file says now as its last good copy; does nothing where the file is not in order.

        For the running program, so that an edit by hand outlives a second one that breaks the file.
        """
        with contextlib.suppress(SettingsError, OSError):
            content = _found(self.path)
            if content and content.strip() and content != self._good_bytes():
                keys.build(migrate(parse(self.path, content)))
                write_durably(self._good, content)

    def stamp(self) -> tuple[int, ...]:
        """Return a mark that differs after any change of the file, cheap enough to ask for every second."""
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def modified(self) -> float:
        """Return when the file was last changed, in seconds since the epoch; now where there is none."""
        try:
            return self.path.stat().st_mtime
        except OSError:
            return time.time()

    def merge(self, changes: Mapping[str, object]) -> Loaded:
        """Change some keys in one step (``RESET`` takes one out) and return what the file then says.

        A file that is not TOML is kept under another name first. Raises ``SettingsInvalid``, ``UsageError``,
        ``SettingsNotSaved``, ``ProgramBusy``; then the file is as before.
        """
        wanted = {key: value if value is RESET else keys.convert(key, value) for key, value in changes.items()}
        plain = {key: value if value is RESET else msgspec.to_builtins(value) for key, value in wanted.items()}
        with self._locked():
            while True:
                before = self._settled()
                base = self._base(before)
                merged = _merged(base.text, plain)
                settings, unknown = keys.build(parse(self.path, merged))
                if merged == before or self._save(merged, before):
                    stamp = self._stamp_of(merged)
                    return Loaded(settings, tuple(unknown), base.trouble, stamp, base.kept, base.from_good)

    def _stamp_of(self, content: bytes) -> tuple[int, ...]:
        """Return the file's stamp, () where it no longer holds what was written."""
        stamp = self.stamp()
        return stamp if _found(self.path) == content else ()

    def _settled(self) -> bytes | None:
        """Return the file's bytes, None where there is none; an editor in the middle of saving gets time to finish."""
        until = time.monotonic() + _EDITOR_SECONDS
        while not (content := _found(self.path)) and time.monotonic() < until and self._good.exists():
            time.sleep(_LOOK_SECONDS)
        return content

    def replace(self, raw: Mapping[str, object]) -> Loaded:
        """Put a whole set of settings in place of the file (an import); what is not in ``raw`` is the default."""
        raw = migrate(dict(raw))
        settings, unknown = keys.build(raw)
        with self._locked():
            changes = {key: msgspec.to_builtins(keys.convert(key, value)) for key, value in keys.flatten(raw)
                       if key in keys.LEAVES}  # fmt: skip
            while True:
                before, kept = self._settled(), None
                try:
                    self._meaning(before)
                except SettingsBroken:
                    kept = self._keep_aside("broken", before or b"")
                if self._save(_merged(b"", changes), before):
                    return Loaded(settings, tuple(unknown), kept=kept)

    def _base(self, before: bytes | None) -> _Base:
        """Return the text to merge into; what is broken or old is kept aside under its own name."""
        try:
            raw = self._meaning(before)
        except SettingsBroken as error:
            kept = self._keep_aside("broken", before or b"")
            good = self._good_base()
            return _Base(good, error, kept, from_good=bool(good))
        return _Base(self._in_this_version(raw, before or b""))

    def _good_base(self) -> bytes:
        """Return the last good copy's text, none where that is broken too."""
        good = self._good_bytes()
        try:
            raw = parse(self._good, good)
            keys.build(migrate(raw))
        except SettingsError:
            return b""
        return self._in_this_version(raw, good)

    def _in_this_version(self, raw: dict[str, Any], text: bytes) -> bytes:
        """Return the text; one of an older version is kept aside and written anew in this version's layout."""
        migrated = migrate(raw)
        if raw.get("version", VERSION) == VERSION:
            return text
        self._keep_aside(f"version-{raw['version']}", text)
        return _merged(b"", dict(keys.flatten(migrated)))

    def _keep_aside(self, why: str, content: bytes) -> Path:
        name = f"{self.path.name}.{why}-{time.strftime('%Y%m%d-%H%M%S')}"
        place, number = self.path.with_name(name), 1
        while place.exists():  # another one in the same second
            number += 1
            place = self.path.with_name(f"{name}-{number}")
        with _saving(self.path):
            write_durably(place, content)
        return place

    def _save(self, content: bytes, before: bytes | None) -> bool:
        """Write the file and its good copy; False, and nothing written, where a hand edit came in between."""
        with _saving(self.path):
            if not write_durably(self.path, content, only_if=lambda: _found(self.path) == before):
                return False
        with contextlib.suppress(OSError, SettingsNotSaved):  # only spare copies: the change itself is saved
            if before is None and (good := self._good_bytes()):  # the file was taken away: this is its last trace
                self._keep_aside("before", good)
            write_durably(self._good, content)
        return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        with _saving(self.path):
            private_folder(self.path.parent)
            lock = FileLock(self._lock, timeout=_LOCK_SECONDS, mode=0o600)
            try:
                lock.acquire()
            except Timeout as error:
                raise ProgramBusy(N_("Another program holds the settings file.")) from error
        try:
            yield
        finally:
            lock.release()


@contextlib.contextmanager
def _saving(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsNotSaved(path=path, reason=error.strerror or str(error)) from error


def _found(path: Path) -> bytes | None:
    """Return a file's bytes, None where there is none. Raises ``SettingsBroken``."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsBroken(path=path, reason=error.strerror or str(error)) from error


def _merged(content: bytes, changes: Mapping[str, object]) -> bytes:
    """Return the TOML text with some keys changed and every comment kept."""
    import tomlkit

    expected = tomllib.loads(content.decode("utf-8-sig"))
    for key, value in changes.items():
        _drop(expected, key) if value is RESET else _place(expected, key, value)
    expected = {"version": VERSION, **expected}
    document = tomlkit.parse(content.decode("utf-8-sig"))
    if not content.strip():
        document.add(tomlkit.comment(_HEADER))
    try:
        if "version" not in document:
            document.add("version", tomlkit.item(VERSION))
        for key, value in changes.items():
            _put(document, key, value)
        text = tomlkit.dumps(document)
        kept = tomllib.loads(text) == _plain(expected)
    except (tomlkit.exceptions.TOMLKitError, ValueError, KeyError, TypeError, AttributeError):
        kept, text = False, ""
    if not kept:  # a layout that tomlkit cannot edit in place: the values matter more than the comments
        text = tomlkit.dumps(expected)
    return text.encode()


def _put(document: Any, key: str, value: object) -> None:
    import tomlkit

    *folders, name = key.split(".")
    for folder in folders:
        if folder not in document:
            if value is RESET:
                return
            inside = isinstance(document, tomlkit.items.InlineTable)  # which takes no other kind
            document[folder] = tomlkit.inline_table() if inside else tomlkit.table()
        document = document[folder]
    if value is RESET:
        document.pop(name, None)
    else:
        document[name] = value


def _drop(nested: dict[str, Any], key: str) -> None:
    """Take a key out, and what stands where its section belongs."""
    *folders, name = key.split(".")
    for folder in folders:
        inner = nested.get(folder, {})
        if not isinstance(inner, dict):
            name = folder
            break
        nested = inner
    nested.pop(name, None)


def _place(nested: dict[str, Any], key: str, value: object) -> None:
    """Set a key; what stands where its section belongs (``smtp = 1``) gives way."""
    *folders, name = key.split(".")
    for folder in folders:
        if not isinstance(nested.get(folder), dict):
            nested[folder] = {}
        nested = nested[folder]
    nested[name] = value


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def write_durably(path: Path, content: bytes, only_if: Callable[[], bool] = lambda: True) -> bool:
    """Replace a file so that after a power cut it holds the old or the new bytes, never a mix. Raises ``OSError``.

    Temporary file, fsync, rename, and fsync of the folder: without the last one a finished save could still vanish.
    ``only_if`` is asked right before the rename; where it says no, nothing changes and False is returned.
    """
    import tempfile

    private_folder(path.parent)
    handle, temporary = tempfile.mkstemp(prefix=path.name + ".", suffix=".new", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not only_if():
            Path(temporary).unlink()
            return False
        os.replace(temporary, path)  # noqa: PTH105 - beside os.fsync, the call that the promise rests on
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return True
