"""What stands behind a follower in its tests: committed lines and positions, and a folder that is rotated."""

import gzip
import threading
import time
from collections.abc import Callable
from pathlib import Path

import zstandard

from vxtray.core.settings.tree import LogFile
from vxtray.core.sources import Batch
from vxtray.core.sources.follower import FileSource


class Committed:
    """Takes batches in order, as the store does: lines and position together. What was not committed is lost."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.count = 0
        self.positions: dict[str, int] = {}
        self.waiting: list[Batch] = []
        self.at_once = True

    def emit(self, batch: Batch) -> bool:
        self.waiting.append(batch)
        if self.at_once:
            self.commit()
        return True

    def commit(self, count: int | None = None) -> None:
        ready, self.waiting = self.waiting[:count], self.waiting[len(self.waiting) if count is None else count :]
        for batch in ready:
            self.batches.append(batch)
            self.count += len(batch.lines)
            assert batch.position is not None
            self.positions[batch.position.key] = batch.position.offset

    def position(self, key: str) -> int:
        return self.positions.get(key, 0)

    @property
    def lines(self) -> list[bytes]:
        return [line for batch in self.batches for line in batch.lines]

    @property
    def alerting(self) -> list[bytes]:
        return [line for batch in self.batches if batch.alerts for line in batch.lines]


class Follower:
    """A source that looks when the test says so, and can be started again."""

    def __init__(self, path: str | Path, *, start: str = "beginning", store: Committed | None = None) -> None:
        self.settings = LogFile(path=str(path), start=start)  # type: ignore[arg-type]
        self.store = store or Committed()
        self.source: FileSource | None = None
        self.begin()

    def begin(self) -> None:
        self.source = FileSource(self.settings, self.store.position)
        self.source.begin(self.store.emit, threading.Event())
        # Times of files are coarse, those of a test are not: it has begun a second ago.
        marker = f"follow:{self.settings.path}"
        earlier = min(self.source._since, time.time_ns() - 10**9)
        self.source._since = earlier
        if marker in self.store.positions:
            self.store.positions[marker] = earlier

    def look(self) -> list[bytes]:
        """Look once and return all lines so far."""
        assert self.source is not None
        self.source.look()
        return self.store.lines

    def end(self) -> None:
        if self.source is not None:
            self.source.close()
            self.source = None

    def restart(self, *, crash: int | None = None) -> list[bytes]:
        """End and begin again; at a crash only so many of the waiting batches were committed."""
        self.end()
        self.store.commit(crash)
        self.store.waiting.clear()
        self.begin()
        return self.store.lines

    def let_go(self) -> list[bytes]:
        """Look as if a long time had passed, so that files which left their path are given up."""
        assert self.source is not None
        for tail in self.source._tails.values():
            tail.grown -= 1000
            if tail.retired:
                tail.retired -= 1000
        return self.look()

    @property
    def dropped(self) -> dict[str, int]:
        assert self.source is not None
        return self.source.health().dropped


def append(path: Path, *lines: bytes, end: bytes = b"\n") -> None:
    with path.open("ab") as file:
        file.write(b"\n".join(lines) + end)


def copy_truncate(path: Path, copy: Path) -> None:
    copy.write_bytes(path.read_bytes())
    with path.open("r+b") as file:
        file.truncate(0)


def pack(path: Path, name: str, compress: Callable[[bytes], bytes] = gzip.compress) -> Path:
    packed = path.with_name(name)
    packed.write_bytes(compress(path.read_bytes()))
    path.unlink()
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.compress}
