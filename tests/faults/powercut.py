"""A disk whose power can be cut: an ext4 image in a btrfs file system, of which a copy is made in an instant.

The copy (reflink) holds what had reached the disk by then, and not what the system still kept in memory; mounted, its
journal is replayed as after a power cut. Needs root, loop devices, ``btrfs-progs`` and ``e2fsprogs``. It keeps the
order in which ext4 wrote, and tears no sector: worse hardware can do worse.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.faults.promises import Impossible

_OUTER = 1 << 30
_INNER = 160 << 20


class Disk:
    """A folder on ext4, ``folder``, and copies of it as the disk has it."""

    def __init__(self, place: Path) -> None:
        self._outer = place / "outer"
        self._image = self._outer / "image"
        self._after = place / "after"
        self.folder = place / "disk"
        self._place = place

    def __enter__(self) -> "Disk":
        missing = [name for name in ("mkfs.btrfs", "mkfs.ext4", "mount") if _program(name) is None]
        if missing or os.geteuid() != 0:
            raise Impossible(f"it needs root and {', '.join(missing) or 'loop devices'}")
        for folder in (self._outer, self._after, self.folder):
            folder.mkdir()
        with (self._place / "btrfs").open("wb") as file:
            file.truncate(_OUTER)
        try:
            _run("mkfs.btrfs", "-q", self._place / "btrfs")
            _run("mount", "-o", "loop", self._place / "btrfs", self._outer)
            with self._image.open("wb") as file:
                file.truncate(_INNER)
            _run("mkfs.ext4", "-q", "-F", self._image)
            _run("mount", "-o", "loop", self._image, self.folder)
        except subprocess.CalledProcessError as error:
            self.__exit__()
            raise Impossible(f"{error.cmd[0]}: {error.stderr.decode().strip()}") from error
        return self

    def __exit__(self, *_raised: object) -> None:
        for folder in (self._after, self.folder, self._outer):
            while os.path.ismount(folder):
                _run("umount", "-l", folder)
        (self._place / "btrfs").unlink(missing_ok=True)

    @contextlib.contextmanager
    def cut(self) -> Iterator[Path]:
        """Cut the power now; give the folder as it is found after the next start. What works goes on meanwhile."""
        copy = self._outer / "copy"
        _run("cp", "--reflink=always", self._image, copy)
        _run("mount", "-o", "loop", copy, self._after)
        try:
            yield self._after
        finally:
            _run("umount", "-l", self._after)  # after a failure files are still open
            copy.unlink()


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _run(*command: object) -> None:
    program = _program(str(command[0]))
    assert program is not None
    subprocess.run([program, *map(str, command[1:])], check=True, capture_output=True)
