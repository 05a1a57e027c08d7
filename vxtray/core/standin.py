"""Goes on where the state folder cannot be written to: with a copy of it elsewhere, which is taken back later.

A system makes a disk with faults read-only, and that is no time to fall silent. Nobody can change the original
meanwhile, so the copy is its only successor: what it takes back loses nothing and repeats nothing. Making a copy,
working with it and taking it back are done under the one lock of the profile, which stays where the original is. Before
anything heavy is loaded, hence no library.
"""

import contextlib
import errno
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vxtray.core.errors import N_, StoreError, VxtrayError
from vxtray.core.paths import Profile, private_folder

#: Where a copy lies: it outlasts a restart of the computer (file-hierarchy(7)), and each command finds it.
_PLACE = "/var/tmp"  # noqa: S108 - only a folder that is ours alone is made there or looked at
#: Set by systemd for a service, whose own ``/var/tmp`` ends with it; what was sent would be sent again.
_SERVICE = "STATE_DIRECTORY"
#: What belongs to one process; what a database makes for a moment; the settings, in the same folder on macOS.
_NOT_COPIED = re.compile(r"instance\.lock|control\.(key|place)|.*\.tmp|settings\.toml.*|certificates|logs?|run")
#: Room that is left free beside the copy, so that the program can work in it.
_SPARE = 64 * 1024**2
#: Lies in a copy that is being taken back, so that a crash in between does not make it look like a foreign one.
_TAKING = "taking-back"
_MANIFEST = "copied.json"
_PROBE = "writable.tmp"
_Files = dict[str, list[int]]


class StateElsewhere(StoreError):
    """The state folder cannot be written to; a copy of it is worked with. Values: path, reason, place."""

    title = N_("{path} cannot be written to ({reason}), so what is new is kept in {place} for now.")
    advice = N_("Make the disk writable, then quit vxtray and start it again: it takes back what was kept.")


class StandInLeft(StoreError):
    """A copy was not taken back, since the original changed meanwhile. Values: path, place."""

    title = N_("{path} changed while a copy of it was in use, so the copy was not taken back. It is in {place}.")
    advice = N_(
        "Mails of that time may wait in its outbox.db, and others may leave again. Delete it when you need it no more."
    )


@contextlib.contextmanager
def settled(home: Profile, *, make: bool) -> Iterator[Profile]:
    """Give the profile to work with, after a copy was taken back or, where ``make`` says so, made.

    The caller holds the lock. Where no copy can be made it is the profile itself, whose stores say what is wrong.
    """
    found = _settled(home, make=make)
    if found.home is None:
        yield found
        return
    _manifest(home).touch()  # what cleans temporary folders takes what is old ...
    folder = os.open(_folder(home), os.O_RDONLY)
    try:
        _keep(folder)
        yield found
    finally:
        os.close(folder)


def in_use(profile: Profile) -> Profile:
    """Return the profile that a running program would work with: that of the copy where there is one."""
    home = profile.home or profile
    return _copy_of(home) if _is_ours(_folder(home)) and _manifest(home).exists() else home


def _settled(home: Profile, *, make: bool) -> Profile:
    there = _is_ours(_folder(home))
    if not there and not make:
        return home
    read_only = _is_read_only(home.state)
    copied = _copied(home) if there else None
    if there and copied is not None:
        return _copy_of(home) if read_only else _taken_back(home, copied)
    try:
        note = _left(home) if there else None  # somebody cleaned up there
    except OSError as error:
        return home._replace(notes=(StoreError(path=_folder(home), reason=error.strerror or str(error)),))
    if read_only and make and _SERVICE not in os.environ:
        home = _made(home)
    return home._replace(notes=(*home.notes, note)) if note else home


def _folder(home: Profile) -> Path:
    import hashlib

    user = os.getuid() if sys.platform != "win32" else 0
    name = hashlib.sha256(os.fsencode(home.state)).hexdigest()[:16]
    return Path(_PLACE) / f"vxtray-{user}-{name}"


def _manifest(home: Profile) -> Path:
    return _folder(home) / _MANIFEST


def _copy_of(home: Profile, reason: str = "") -> Profile:
    """Return the profile that works with the copy, and why it does."""
    folder = _folder(home)
    note = StateElsewhere(path=home.state, reason=reason or os.strerror(errno.EROFS), place=folder)
    return home._replace(state=folder / "state", logs=folder / "logs", runtime=folder / "run", home=home, notes=(note,))


def _is_ours(folder: Path) -> bool:
    """Return whether nobody else made a folder, or may look into it: everyone may make some there."""
    if sys.platform == "win32":
        return False
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077 and status.st_uid == os.getuid()


def _is_read_only(folder: Path) -> bool:
    """Return whether nothing can be made in a folder because its disk is read-only.

    That is tried: Linux 6.12 and later shut a disk with faults without saying so among its flags.
    """
    if sys.platform == "win32":
        return False
    probe = folder / _PROBE
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return True
        probe.unlink(missing_ok=True)  # which a crash may have left
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        return error.errno == errno.EROFS
    probe.unlink(missing_ok=True)
    return False


def _keep(folder: int) -> None:
    """Keep systemd-tmpfiles out, which passes by a folder that is locked (tmpfiles.d(5))."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)


# --- making a copy ---------------------------------------------------------------------------------------------------


def _made(home: Profile) -> Profile:
    import json
    import shutil
    import tempfile

    folder = _folder(home)
    unfinished = None
    try:
        _clean(home)
        files = _files(home.state)
        if shutil.disk_usage(_PLACE).free < 2 * sum(size for size, _changed in files.values()) + _SPARE:
            return home
        unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.new-", dir=_PLACE))
        state = private_folder(unfinished / "state")
        for name in files:
            _copy(home.state / name, state / name)
        _write(unfinished / _MANIFEST, json.dumps(files))
        _on_disk(unfinished)
        unfinished.rename(folder)
        _sync(Path(_PLACE))
    except OSError:  # no such place, no room, another user's folder in the way
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
        return home
    return _copy_of(home)


def _clean(home: Profile) -> None:
    """Take away what a crash left of copies that were not finished, or were taken back."""
    import shutil

    folder = _folder(home)
    for ending in ("new", "done"):
        for left in Path(_PLACE).glob(f"{folder.name}.{ending}-*"):
            if _is_ours(left):
                shutil.rmtree(left, ignore_errors=True)


def _files(state: Path) -> _Files:
    """Return the files below a state folder: size, and when they were changed in ns. Raises ``OSError``."""
    found: _Files = {}

    def failed(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(state, onerror=failed):
        folders[:] = [name for name in folders if not _NOT_COPIED.fullmatch(name)]
        for name in (*folders, *names):
            path = Path(folder, name)
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):  # a copy would not lead back to where it leads
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            if stat.S_ISREG(status.st_mode) and not _NOT_COPIED.fullmatch(name):
                found[str(path.relative_to(state))] = [status.st_size, status.st_mtime_ns]
    return found


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that its new name never stands for a part of it."""
    import shutil

    private_folder(target.parent)
    part = target.with_name(f"{target.name}.part.tmp")
    with source.open("rb") as old, _new(part) as new:
        shutil.copyfileobj(old, new, 1024**2)
        new.flush()
        os.fsync(new.fileno())
    part.replace(target)


def _write(path: Path, text: str) -> None:
    with _new(path) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def _new(path: Path) -> BinaryIO:
    """Open a file of which nothing is left from before, for its owner only."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _on_disk(folder: Path) -> None:
    """Wait until the names in a folder, and in those below, are on the disk."""
    for place, _folders, _names in os.walk(folder):
        _sync(Path(place))


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


# --- taking it back --------------------------------------------------------------------------------------------------


def _taken_back(home: Profile, copied: _Files) -> Profile:
    try:
        note = _take_back(home, copied)
    except OSError as error:  # it is done again at the next start
        return _copy_of(home, error.strerror or str(error))
    return home._replace(notes=(note,)) if note else home


def _take_back(home: Profile, copied: _Files) -> VxtrayError | None:
    import shutil

    folder = _folder(home)
    taking, state = folder / _TAKING, folder / "state"
    if not taking.exists() and _changed(home.state, copied):
        return _left(home)
    taking.touch(mode=0o600)
    kept = _files(state)
    # A database's journal must not be seen beside a file that it does not belong to. A crash in between is made good
    # at the next start, by doing all of it again.
    for name in sorted(copied.keys() - kept.keys()):
        (home.state / name).unlink(missing_ok=True)
    for name in sorted(kept):
        _copy(state / name, home.state / name)
    _on_disk(home.state)  # before the only other one is gone
    done = folder.with_name(f"{folder.name}.done-{time.time_ns():x}")
    folder.rename(done)
    with contextlib.suppress(OSError):  # words about that time, no more
        private_folder(home.logs)
        with (done / "logs" / home.log_file.name).open("rb") as old, home.log_file.open("ab") as new:
            shutil.copyfileobj(old, new)
    shutil.rmtree(done, ignore_errors=True)
    return None


def _changed(state: Path, copied: _Files) -> bool:
    """Return whether somebody wrote there since. After a crash files may be older than they were, but not newer."""
    newest = max((changed for _size, changed in copied.values()), default=0)
    return any(changed > newest or name not in copied for name, (_size, changed) in _files(state).items())


def _left(home: Profile) -> VxtrayError:
    """Set a copy aside that is not taken back, and return what is told of it."""
    folder = _folder(home)
    aside = folder.with_name(f"{folder.name}.left-{time.time_ns():x}")
    folder.rename(aside)
    return StandInLeft(path=home.state, place=aside)


def _copied(home: Profile) -> _Files | None:
    """Return the files as they were when they were copied; None where that cannot be told any more."""
    import json

    try:
        found: _Files = json.loads(_manifest(home).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found
