"""A log and its rotations, as a program and logrotate make them."""

import gzip
import shutil
from pathlib import Path
from typing import Literal

How = Literal["rename", "copytruncate", "compress", "delaycompress", "copytruncate compress"]
HOWS: tuple[How, ...] = ("rename", "copytruncate", "compress", "delaycompress", "copytruncate compress")


class RotatedLog:
    """Writes ``name`` and moves it on to ``name.1``, ``name.2`` and so on, those of some ways compressed."""

    def __init__(self, path: Path, how: How) -> None:
        self.path = path
        self._how = how
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def write(self, text: bytes) -> None:
        """Append some bytes at once."""
        self._file.write(text)

    def rotate(self, late: bytes = b"") -> None:
        """Begin anew. ``late`` still goes into the old file where the writer does not know yet, as before its HUP."""
        for number in range(len(self.parts()) - 1, 0, -1):
            self._move_on(number)
        first = self._numbered(1)
        if "copytruncate" in self._how:
            self.write(late)
            shutil.copy2(self.path, first)
            self._file.truncate(0)
        else:
            self.path.rename(first)
            self.write(late)
            self._file.close()
            self._file = self.path.open("ab", buffering=0)
        if self._how in ("compress", "copytruncate compress"):
            self._compress(first)

    def parts(self) -> list[Path]:
        """Return all files, the newest first."""
        found = [self.path]
        while (part := next(filter(Path.exists, self._forms(len(found))), None)) is not None:
            found.append(part)
        return found

    def close(self) -> None:
        """Stop writing."""
        self._file.close()

    def _numbered(self, number: int, suffix: str = "") -> Path:
        return self.path.with_name(f"{self.path.name}.{number}{suffix}")

    def _forms(self, number: int) -> list[Path]:
        return [self._numbered(number), self._numbered(number, ".gz")]

    def _move_on(self, number: int) -> None:
        plain, packed = self._forms(number)
        if packed.exists():
            packed.rename(self._numbered(number + 1, ".gz"))
            return
        plain.rename(self._numbered(number + 1))
        if self._how == "delaycompress":
            self._compress(self._numbered(number + 1))

    def _compress(self, path: Path) -> None:
        """As gzip does: beside it, with the same times, then without it."""
        packed = path.with_name(f"{path.name}.gz")
        with path.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as into:
            shutil.copyfileobj(plain, into, 1 << 20)
        shutil.copystat(path, packed)
        path.unlink()
