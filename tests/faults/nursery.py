"""A process that has all of the program loaded and starts copies of itself that work, and are killed.

    python -m tests.faults.nursery

So a start costs some hundredths of a second. Each line of standard input is a JSON object that starts one: ``work``
(one of ``WORKS``), ``folder``, ``point`` and ``count`` (see ``failpoints``; "" for none), ``ahead``, by how many
seconds its clock is ahead, and ``acks``, where it tells what is done. The answer is the number of the process; the next
line "wait" gives its exit status. Where its parent ends, the nursery and what it started end.
"""

import ctypes
import importlib
import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from tests.core.mail.wire import PASSWORD, USER
from tests.faults.failpoints import arm
from tests.peers.mail_server import INBOX
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.mail.message import Mail, compose
from vxtray.core.mail.outbox import Outgoing
from vxtray.core.paths import Profile

Clock = Callable[[], datetime]
ROOT = Path(__file__).resolve().parents[2]
_DIE_WITH_PARENT = 1

#: What the works need, loaded once.
_LOADED = (
    "apscheduler.schedulers.blocking",
    "apscheduler.executors.pool",
    "apscheduler.triggers.interval",
    "babel.dates",
    "duckdb",
    "filelock",
    "jinja2",
    "keyring",
    "pyarrow",
    "tomlkit",
    "truststore",
    "vxtray.core.alerts.composing",
    "vxtray.core.alerts.document",
    "vxtray.core.alerts.steps",
    "vxtray.core.mail.delivery",
    "vxtray.core.mail.posting",
    "vxtray.core.parsers.worker",
    "vxtray.core.reports.making",
    "vxtray.core.reports.rendering",
    "vxtray.core.service",
    "vxtray.core.settings.file",
    "vxtray.core.sources.choice",
    "vxtray.core.sources.follower",
    "vxtray.core.sources.importer",
    "vxtray.core.sources.syslog",
    "vxtray.core.store.embedded",
)


# --- what the copies do -----------------------------------------------------------------------------------------------


def serve(folder: Path, clock: Clock, acks: Path) -> None:
    """Run the whole engine, as ``vxtray serve`` does, until SIGTERM."""
    from vxtray.core.alerts.conditions import Disk
    from vxtray.core.clockwatch import ClockWatch
    from vxtray.core.credentials import MemoryStore, Secret, smtp_account
    from vxtray.core.reports.rendering import undrawn
    from vxtray.core.service import Service
    from vxtray.core.settings.file import SettingsFile

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    profile = Profile.under(folder / "profile")
    settings = SettingsFile(profile.settings_file).read().settings
    credentials = MemoryStore()
    credentials.set(smtp_account(settings.smtp), Secret(PASSWORD))
    began = float((folder / "began").read_text())
    service = Service(profile, settings, credentials, lambda _notice: None, saved_at=lambda: began, clock=clock)
    service._reports._default_route = lambda: True
    service._reports._draw = undrawn  # in a process of its own, whose start takes longer than most lives here
    service._watch.disk = lambda at: Disk(path=str(at), free=1 << 40, total=1 << 40)
    service.start()
    watch = ClockWatch(lambda: clock().timestamp())
    while not ended.wait(0.5):
        if watch.leapt():  # as the program does every two seconds
            service.time_leapt()
    service.stop()


def burst(folder: Path, clock: Clock, acks: Path) -> None:
    """Send what waits in an outbox, and end."""
    from vxtray.core.credentials import MemoryStore, Secret, smtp_account
    from vxtray.core.mail.delivery import Courier
    from vxtray.core.mail.outbox import Outbox
    from vxtray.core.settings.tree import Smtp

    smtp = msgspec.json.decode((folder / "smtp.json").read_bytes(), type=Smtp)
    credentials = MemoryStore()
    credentials.set(smtp_account(smtp), Secret(PASSWORD))
    outbox = Outbox(folder / "outbox.db")
    outbox.recover()
    outbox.lift(clock())
    outbox.retry_all(clock())
    courier = Courier(smtp, credentials, clock, dot_follows=outbox.dot_follows)
    for _delivery in outbox.deliver_due(courier.deliver, clock):
        pass
    courier.rest(now=True)
    outbox.close()


def read_in(folder: Path, clock: Clock, acks: Path) -> None:
    """Import the logs of a folder, and end."""
    from vxtray.core.sources.importer import import_files
    from vxtray.core.store import embedded

    store, aside = embedded.open_store(folder / "events.duckdb")
    assert aside is None
    import_files(sorted((folder / "logs").iterdir()), store, zone=UTC)
    store.close()


def save(folder: Path, clock: Clock, acks: Path) -> None:
    """Save settings for ever, each time with a higher number; what was saved is told in ``acks``."""
    from vxtray.core.settings.file import SettingsFile

    file = SettingsFile(folder / "settings.toml")
    number = file.read_or_last_good().settings.store.retention_days
    with acks.open("ab", buffering=0) as told:
        while True:
            number = number % 36_000 + 1
            file.merge(numbered(number))
            told.write(b"settings %d\n" % number)


def numbered(number: int) -> dict[str, object]:
    """Return settings that say a number twice, and are of many lengths."""
    return {"store.retention_days": number, "smtp.from_address": f"n{number}-{'x' * (number % 50)}@example.com"}


def write(folder: Path, clock: Clock, acks: Path) -> None:
    """Queue mails, save settings and store events by turns, for ever; what is done is told in ``acks``."""
    from vxtray.core.mail.outbox import Outbox
    from vxtray.core.settings.file import SettingsFile
    from vxtray.core.store.embedded import open_store

    outbox, file = Outbox(folder / "outbox.db"), SettingsFile(folder / "settings.toml")
    store, aside = open_store(folder / "events.duckdb")
    assert aside is None
    number = int((folder / "number").read_text())
    with acks.open("ab", buffering=0) as told:
        while True:
            number += 1
            outbox.add(a_mail(number, folder.name), clock())
            told.write(b"mail %d\n" % number)
            if number % 5 == 0:
                file.merge(numbered(number % 36_000 + 1))
                told.write(b"settings %d\n" % (number % 36_000 + 1))
            if number % 3 == 0:
                store.append([an_event(clock(), number)] * 20)
                told.write(b"events %d\n" % number)


def a_mail(number: int, name: str) -> Outgoing:
    """Return a small mail; its Message-ID says its number."""
    mail = Mail(
        subject=f"Mail {number}",
        text="".join(f"{'.' * (number % 3)}line {line} of {number}\n" for line in range(5 + number % 30)),
        html="",
        from_address=USER,
        from_name="vxtray",
        recipients=(INBOX,),
        message_id=f"<n{number}.{name}@example.com>",
        date=datetime.now(UTC),
    )
    return Outgoing(
        key=f"n{number}",
        kind="alert" if number % 2 else "report",
        subject=mail.subject,
        message_id=mail.message_id,
        mail_from=USER,
        recipients=(INBOX,),
        data=compose(mail),
    )


def an_event(at: datetime, number: int) -> SecurityEvent:
    """Return an event that says a number."""
    return SecurityEvent(
        at=at,
        source="sophos",
        category=Category.FIREWALL,
        action=Action.BLOCKED,
        severity=Severity.LOW,
        src_ip="203.0.113.7",
        rule_name=f"n{number}",
    )


def troubled(folder: Path, clock: Clock, acks: Path) -> None:
    """Do ``steps`` once for warming up; then, once a tracer is there that makes calls fail, again."""
    from tests.faults.steps import steps

    steps(folder / "warm", clock, lambda _words: None, patient=False)
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # its calls are none of those that fail
    told.connect(str(acks))
    status = Path("/proc/self/status")
    until = time.monotonic() + 60
    while "TracerPid:\t0\n" in status.read_text():
        if time.monotonic() > until:
            raise TimeoutError("no tracer came")
        time.sleep(0.01)
    steps(folder / "data", clock, lambda words: told.send(words.encode()), patient=True)
    told.send(b"end")


WORKS = {"serve": serve, "burst": burst, "import": read_in, "settings": save, "write": write, "troubled": troubled}


# --- starting them ----------------------------------------------------------------------------------------------------


def die_with_parent() -> None:
    """End, by the system's hand, when the process that started this one ends."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _clock_of(folder: Path, ahead: float) -> Clock:
    """Return a clock that is ahead by so many seconds, or by what stands in the file ``ahead``, which may change."""
    place = folder / "ahead"
    if not place.exists():
        return lambda: datetime.now(UTC) + timedelta(seconds=ahead)
    with place.open("rb") as file:
        held = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    return lambda: datetime.now(UTC) + timedelta(seconds=struct.unpack("d", held[:8])[0])


def load() -> None:
    """Load what the works need, so that a copy of this process has it."""
    for name in _LOADED:
        try:
            importlib.import_module(name)
        except ImportError:  # not every installation has all of them
            continue


def forked(folder: Path, work: Callable[[], int]) -> int:
    """Fork a copy that does a work and ends with its status; return its number. What it says goes to ``said.txt``."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent()
        said = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        status = work()
    except BaseException:  # noqa: BLE001 - told in the file, and by the status
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _born(order: dict[str, Any]) -> int:
    folder = Path(order["folder"])

    def work() -> int:
        if order["point"]:
            arm(order["point"], order["count"])
        WORKS[order["work"]](folder, _clock_of(folder, order["ahead"]), Path(order["acks"]))
        return 0

    return forked(folder, work)


def main() -> None:
    """Start what standard input asks for, one after the other."""
    die_with_parent()
    load()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    pid = 0
    for line in sys.stdin:
        if line.strip() == "wait":
            answer = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        else:
            answer = pid = _born(json.loads(line))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


class Nursery:
    """The nursery as those see it who let be killed; use as a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Nursery":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"
        return self

    def __exit__(self, *_raised: object) -> None:
        assert self._process is not None
        self._process.communicate(timeout=60)

    def start(
        self,
        work: str,
        folder: Path,
        *,
        point: str = "",
        count: int = 1,
        ahead: float = 0.0,
        acks: Path | None = None,
    ) -> "Child":
        """Start a work."""
        order = {"work": work, "folder": str(folder), "point": point, "count": count, "ahead": ahead}
        order["acks"] = str(acks or folder / "acks")
        self._ask(json.dumps(order))
        return Child(self, int(self._answer()))

    def wait(self) -> int:
        """Return the exit status of what was started last; waits for its end."""
        self._ask("wait")
        return int(self._answer())

    def _ask(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Child:
    """A process that works."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._handle = os.pidfd_open(pid)

    def ended(self) -> bool:
        """Return whether it has ended."""
        return bool(select.select([self._handle], [], [], 0)[0])

    def send(self, number: int) -> None:
        """Send it a signal; one that has ended does not mind."""
        try:
            signal.pidfd_send_signal(self._handle, number)
        except ProcessLookupError:
            return

    def end(self, number: int = signal.SIGKILL, after: float = 0.0) -> int:
        """Send a signal after so many seconds if it lives by then; return its exit status."""
        until = time.monotonic() + after
        while not self.ended() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.002))
        if not self.ended():
            self.send(number)
        status = self._nursery.wait()
        os.close(self._handle)
        return status


if __name__ == "__main__":
    main()
