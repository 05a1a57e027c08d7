"""An outbox on a disk that is really full: a small tmpfs where it may be mounted, else a limit of file sizes."""

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.mail.office import Post
from tests.core.mail.wire import Inbox, aiosmtpd, settings
from vxtray.core.errors import StoreError, StoreFull
from vxtray.core.mail.outbox import Outbox
from vxtray.core.mail.reserve import SIZE
from vxtray.core.postroom import PostRoom
from vxtray.core.troubles import TroubleBoard

PAGE = 4096


class SmallDisk:
    """A folder in which room can be taken away and given back, to the page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @contextlib.contextmanager
    def left(self, pages: int) -> Iterator[None]:
        """Leave so much room until the end of the block."""
        status = os.statvfs(self.folder)
        missing = status.f_bavail * status.f_frsize - pages * PAGE
        with self._filler.open("wb") as file:
            file.write(b"x" * max(0, missing))
        try:
            yield
        finally:
            self._filler.unlink()


class LimitedFiles:
    """No file grows beyond a size: what can be had without a mount; it binds root, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def left(self, pages: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (pages * PAGE, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(params=["tmpfs", "limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk | LimitedFiles]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "limit":
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        yield LimitedFiles(folder)
        signal.signal(signal.SIGXFSZ, ignored)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


Disk = SmallDisk | LimitedFiles


def whole(path: Path) -> bool:
    with sqlite3.connect(path) as db:
        found = db.execute("PRAGMA integrity_check").fetchall()
    db.close()
    return found == [("ok",)]


def test_a_full_disk_takes_no_mail_and_says_so(disk: Disk) -> None:
    post = Post(disk.folder / "post", settings(25))
    queued = 0

    def add_many() -> None:
        nonlocal queued
        while queued < 1000:
            post.add(f"k{queued}", html="<p>words</p>" * 500)
            queued += 1

    with disk.left(60), pytest.raises(StoreError) as caught:
        add_many()
    if isinstance(disk, SmallDisk):  # SQLite takes a limit for a fault of the disk
        assert isinstance(caught.value, StoreFull)
        assert "The disk is full" in str(caught.value)
        assert "Make room" in caught.value.advice
    assert 0 < queued < 1000
    keys = [f"k{number}" for number in reversed(range(queued))]
    assert [entry.key for entry in post.outbox.entries(1000)] == keys, "all of those before, nothing of the last"
    post.add("later")
    post.close()
    assert whole(post.outbox.path)
    again = Outbox(post.outbox.path)
    assert [entry.key for entry in again.entries(1000)] == ["later", *keys]
    again.close()


@pytest.mark.expected_log("outbox: ", "mail: ")
def test_a_disk_that_fills_up_while_mails_leave(disk: Disk) -> None:
    """At each amount of room, in steps of a page: every mail once; where a file may not grow, in the end."""
    with aiosmtpd(Inbox()) as inbox:
        smtp = settings(inbox.port)
        post = Post(disk.folder / "post", smtp)
        board = TroubleBoard(lambda _notice: None, post.clock)
        room = PostRoom(post.outbox, smtp, post.credentials, board, lambda _notice: None, post.clock)
        post.add(*(f"k{number}" for number in range(60)))
        faults: list[StoreError] = []
        for pages in range(24):
            with disk.left(pages):
                try:
                    while room.send_waiting():
                        pass
                except StoreError as error:
                    faults.append(error)
            post.add(f"more{pages}")
        assert bool(faults) is isinstance(disk, LimitedFiles), "on a full disk there is the room that was kept"
        room.send_waiting()
        entries = post.outbox.entries(1000)
        assert {entry.state for entry in entries} == {"sent"}
        assert {tuple(post.attempts(entry.id)) for entry in entries} == {("sent",)}
        arrived = Counter(data.split(b"Message-ID: ")[1].split(b"\r\n")[0].decode() for _, _, data in inbox.taken)
        assert arrived == Counter(entry.message_id for entry in entries)
        room.stop()
        post.close()
        assert whole(post.outbox.path)


def test_on_a_full_disk_what_waits_leaves_and_nothing_new_is_taken(disk: Disk) -> None:
    if isinstance(disk, LimitedFiles):
        pytest.skip("SQLite takes a limit for a fault of the disk")
    with aiosmtpd(Inbox()) as inbox:
        post = Post(disk.folder / "post", settings(inbox.port))
        kept = post.outbox.path.with_name("outbox.db.reserve")
        post.add(*(f"k{number}" for number in range(60)), kind="alert")
        assert kept.stat().st_size == SIZE
        with disk.left(0):
            assert len(post.send()) == 60
            assert len(inbox.taken) == 60
            assert not kept.exists()
            with pytest.raises(StoreFull):
                post.add("new")
            with pytest.raises(StoreFull), post.outbox.changing():
                pytest.fail("an alert would take the room of those that wait")
        post.add("later")
        assert kept.stat().st_size == SIZE
        assert len(post.send()) == 1
        post.close()
        assert whole(post.outbox.path)
