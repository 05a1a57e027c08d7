"""Calls of the system that fail: at the n-th time, for some times, or from then on, by ``strace``."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

from tests.faults.lives import whole
from tests.faults.nursery import Nursery
from tests.faults.promises import Impossible, Run
from tests.faults.steps import BATCHES, MAILS, OF_BATCH, SAVES
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.outbox import Outbox
from vxtray.core.settings.file import SettingsFile
from vxtray.core.store.embedded import open_store

SECONDS = 60


class Failing:
    """One process whose calls fail, and what it told."""

    def __init__(self, nursery: Nursery, folder: Path) -> None:
        if shutil.which("strace") is None:
            raise Impossible("strace is not installed")
        self._nursery = nursery
        self.folder = folder
        self.told: list[str] = []

    def run(self, inject: str) -> int:
        """Let it do its steps under what strace calls an injection, "" for none; return its exit status."""
        place = self.folder / "acks"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as acks:
            acks.bind(str(place))
            acks.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            acks.settimeout(0.05)
            child = self._nursery.start("troubled", self.folder, acks=place)
            words = ["-e", f"inject={inject}"] if inject else []
            trace = inject.partition(":")[0] or "none"
            command = ["strace", "-f", "-qq", "-o", str(self.folder / "calls"), "-e", f"trace={trace}", *words]
            tracer = subprocess.Popen(
                [*command, "-p", str(child.pid)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            end = time.monotonic() + SECONDS
            while not child.ended() and time.monotonic() < end:
                if tracer.poll() is not None and not child.ended() and not self.told:
                    child.end()
                    raise Impossible(f"strace: {tracer.communicate()[1].strip()[-200:]}")
                with contextlib.suppress(TimeoutError):
                    self.told.append(acks.recv(4096).decode())
            status = child.end()
            with contextlib.suppress(TimeoutError):
                while True:
                    self.told.append(acks.recv(4096).decode())
            tracer.communicate(timeout=20)
        return status

    def calls(self) -> Counter[str]:
        """Return how often strace saw each call, in the thread that made most of them."""
        seen = Counter[tuple[str, str]]()
        for line in (self.folder / "calls").read_text().splitlines():
            thread, _space, call = line.partition(" ")
            name, bracket, _rest = call.strip().partition("(")
            if bracket and name.isidentifier():
                seen[thread, name] += 1
        most = Counter[str]()
        for (_thread, name), count in seen.items():
            most[name] = max(most[name], count)
        return most

    @property
    def done(self) -> set[str]:
        """The steps that were done."""
        return {words.removeprefix("done ") for words in self.told if words.startswith("done ")}

    @property
    def refused(self) -> list[str]:
        """What was refused, with the fault."""
        return [words for words in self.told if words.startswith("refused ")]


def everything() -> set[str]:
    """Return the steps of a run without a fault."""
    found = {"outbox", "recovery", "burst", "events", "spool", "arrived"}
    found |= {f"mail {number}" for number in range(1, MAILS + 1)} | {f"sent {number}" for number in range(1, MAILS + 1)}
    found |= {f"settings {number}" for number in range(1, SAVES + 1)}
    return found | {f"{name} {number}" for name in ("events", "spool") for number in range(1, BATCHES + 1)}


def check(folder: Path, done: set[str]) -> None:
    """Look at what a process left: what it told as done is there, and nothing is damaged or half there."""
    data = folder / "data"
    if "outbox" in done:
        outbox = Outbox(data / "outbox.db")
        assert outbox.salvaged is None, "the outbox was damaged"
        keys = {entry.key: entry.state for entry in outbox.entries(100)}
        outbox.close()
        assert whole(data / "outbox.db")
        for number in range(1, MAILS + 1):
            assert f"mail {number}" not in done or f"n{number}" in keys, f"mail {number} was lost"
            assert f"sent {number}" not in done or keys[f"n{number}"] == "sent", f"mail {number} would be sent again"
    saved = max((int(words.split()[1]) for words in done if words.startswith("settings ")), default=0)
    if saved:
        loaded = SettingsFile(data / "settings.toml").read().settings
        assert loaded.smtp.from_address.startswith(f"n{loaded.store.retention_days}-"), "a mix of settings"
        assert loaded.store.retention_days >= saved, "settings older than what was saved"
    for name in ("events", "spool"):
        if (data / f"{name}.duckdb").exists():
            _check_store(data / f"{name}.duckdb", name, done)


def _check_store(path: Path, name: str, done: set[str]) -> None:
    store, aside = open_store(path)
    assert aside is None or not any(words.startswith(f"{name} ") for words in done), f"{name} was set aside"
    with store._reading() as cursor:
        rows = dict(cursor.execute("SELECT rule_name, count(*) FROM events GROUP BY 1").fetchall())
    position = store.position("log")
    store.close()
    assert set(rows.values()) <= {OF_BATCH}, f"half a batch, or one twice: {rows}"
    told = {int(words.split()[1]) for words in done if words.startswith(f"{name} ")}
    assert position >= max(told, default=0), "a position was lost"
    # What arrived at its server first is the first batch that could be stored, whichever that was
    gone = {min(told)} if "arrived" in done and told else set()
    assert {f"n{number}" for number in told - gone} <= rows.keys(), f"{name}: {told} told, {rows} there"


def outcome(nursery: Nursery, folder: Path, inject: str) -> tuple[Failing, str]:
    """Run under a fault; return what happened and, in words, what was wrong with it, "" for nothing."""
    failing = Failing(nursery, folder)
    status = failing.run(inject)
    if status:
        said = (folder / "said.txt").read_text()[-1500:]
        return failing, f"the program ended with {status}: {said}"
    try:
        check(folder, failing.done)
    except (AssertionError, VxtrayError) as error:
        return failing, f"{type(error).__name__}: {error}"
    if "when=" in inject and not inject.endswith("+") and (missing := everything() - failing.done):
        return failing, f"did not go on by itself: {sorted(missing)}; {failing.refused[-2:]}"
    return failing, ""


def sweep(run: Run, calls: str, error: str, *, short: int) -> Counter[str]:
    """Let each call fail, one by one, for ever from it on at every fourth, and for five times at every third.

    ``calls`` are the names of system calls, with commas. A short form takes a sample. Return how much was done, and
    under "wrong: ..." what went wrong.
    """
    total = Counter[str]()
    with Nursery() as nursery:
        with run.room("whole") as folder:
            whole_run = Failing(nursery, folder)
            assert whole_run.run(f"{calls}:error={error}:when=65000") == 0, (folder / "said.txt").read_text()
            assert whole_run.done >= everything(), everything() - whole_run.done
            seen = whole_run.calls()
        places = [f"{name}:error={error}:when={number}" for name in seen for number in range(1, seen[name] + 1)]
        places += [f"{place}..{int(place.rpartition('=')[2]) + 4}" for place in places[::3]]
        places += [f"{name}:error={error}:when={number}+" for name in seen for number in range(1, seen[name] + 1, 4)]
        total["calls"] = seen.total()
        run.chance.shuffle(places)
        for place in places[: None if run.full else short]:
            if run.over():
                break
            with run.room("fault") as folder:
                found, wrong = outcome(nursery, folder, place)
                total["faults"] += 1
                total["refused"] += len(found.refused)
                if wrong:
                    total[f"wrong: {place}: {wrong}"] += 1
            if total["faults"] % 50 == 0:
                run.say(f"{total['faults']} of {len(places)}, {sum(name.startswith('wrong') for name in total)} wrong")
        total["of"] = len(places)
    return total


def told(total: Counter[str]) -> tuple[str, list[str]]:
    """Return a sweep in words, and what went wrong."""
    wrong = [name for name in total if name.startswith("wrong")]
    words = (
        f"{len(wrong)} wrong, 0 crashes: {total['refused']:,} clean refusals in {total['faults']:,} runs"
        f" ({total['calls']} calls, {total['of']:,} faults in all)"
    )
    return words if not wrong else f"{words}: {wrong[0]}", wrong
