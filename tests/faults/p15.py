"""P15: a secret stands nowhere but where it belongs, whatever fault is met on the way, and at whatever point."""

import ast
import functools
import json
import logging
import signal
import subprocess
import sys
import traceback
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from tests.core.mail import hostile as h
from tests.core.mail.catalogue.case import forms
from tests.core.mail.office import Post
from tests.core.mail.wire import USER, settings
from tests.e2e.test_secrets import found_in, needles
from tests.e2e.vxtray_process import SECONDS, Vxtray
from tests.faults.cases import held
from tests.faults.promises import Measured, Run, promise
from tests.peers.desktop import until
from vxtray.core.journal import write_log
from vxtray.core.paths import Profile
from vxtray.core.settings.tree import Security, Settings
from vxtray.core.support import gather
from vxtray.gui.crash_dialog import private

#: Odd enough to be written in more ways than one.
CANARY = "Cänary {0} %20&<b>\"' zQ9-7kW4pM2"
#: A part that says nothing else, where what stands before it was taken for a mail address and made short.
_END = "zQ9-7kW4pM2"
#: Where systemd put it, which is the one place that may hold it.
_OWN_PLACE = "credentials/smtp-password"
_TESTS = ("tests/e2e/test_secrets.py", "tests/e2e/test_secrets_delivery.py", "tests/core/mail/oauth/test_secrecy.py")


#: Where exceptions are raised: half of them anywhere on the way of a mail, half where the secret is in hand.
_ALL = ("vxtray.core.mail", "vxtray.core.credentials")
_IN_HAND = ("vxtray.core.mail.auth", "vxtray.core.mail.signing_in", "vxtray.core.credentials")


class Injected(Exception):
    """Raised where nobody expects it, with all that stood in the variables there."""


def _variables(frame: FrameType) -> list[dict[str, object]]:
    """Return what stands in the variables of all functions that run, as a tool for finding faults would show it."""
    found, one = [], frame
    while one is not None and str(one.f_globals.get("__name__", "")).startswith("vxtray."):
        found.append(dict(one.f_locals))
        one = one.f_back  # type: ignore[assignment]  # ends the loop
    return found


@functools.cache
def _holding(file: str) -> frozenset[int]:
    """Return the lines of a file that name what a ``with`` holds: they run again at its end.

    Nothing but a tracer can raise between the end of a block and the release of a lock: all would wait for it for ever.
    """
    blocks = (one for one in ast.walk(ast.parse(Path(file).read_text("utf-8"))) if isinstance(one, ast.With))
    return frozenset(
        line
        for block in blocks
        for first, last in [(block.lineno, block.items[-1].context_expr.end_lineno or block.lineno)]
        for line in range(first, last + 1)
    )


class Injector:
    """Raises at the n-th line that the program's mail code runs, None for never; ``met`` is where.

    One that never raises counts: ``lines`` that were run, and at which of them (``bare``) a variable shows the secret.
    """

    def __init__(self, at: int | None, within: tuple[str, ...]) -> None:
        self._at = at
        self._within = within
        self.lines = 0
        self.bare: list[int] = []
        self.met = ""

    def __call__(self, frame: FrameType, event: str, _arg: object) -> Any:
        name = str(frame.f_globals.get("__name__", ""))
        if not name.startswith(self._within):
            return None
        if event == "line" and not self.met and frame.f_lineno not in _holding(frame.f_code.co_filename):
            # Where a secret is just being noted as one, no text of ours is made of it.
            noting = name.startswith("vxtray.core.credentials")
            if self._at is None and not noting and _END in repr(_variables(frame)):
                self.bare.append(self.lines)
            elif self.lines == self._at:
                self.met = f"{name}:{frame.f_lineno}"
                sys.settrace(None)
                raise Injected(f"at {self.met}: {'' if noting else _variables(frame)!r}")
            self.lines += 1
        return self


@contextmanager
def _logged(profile: Profile) -> Iterator[None]:
    logger = logging.getLogger("vxtray")
    before, level, upwards = list(logger.handlers), logger.level, logger.propagate
    write_log(profile, "DEBUG")
    try:
        yield
    finally:
        for handler in [one for one in logger.handlers if one not in before]:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(level)
        logger.propagate = upwards


@promise(
    "P15",
    "secrets stay where they belong",
    "0 hits in logs, settings, stores, crash reports, support file, argv, environment, core files; 1,000 exceptions",
)
def p15(run: Run) -> Measured:
    wanted, met, hits = run.amount(30, 1000), dict[str, int](), list[str]()
    with run.room("injected") as folder, h.hostile(h.script()) as server:
        profile = Profile.under(folder / "profile")
        with _logged(profile):
            counted = {names: _deliver(folder / names[0], server.port, None, names)[0] for names in (_ALL, _IN_HAND)}
            # Each line where it is in hand, those first where it stands there in plain; elsewhere at random.
            bare, rest = counted[_IN_HAND].bare, set(range(counted[_IN_HAND].lines))
            assert bare, "nowhere stands it in plain"
            in_hand = [*bare, *sorted(rest - set(bare))]
            for number in range(wanted):
                names = (_ALL, _IN_HAND)[number % 2]
                anywhere = run.chance.randrange(counted[_ALL].lines)
                at = in_hand[number // 2 % len(in_hand)] if names is _IN_HAND else anywhere
                injector, report = _deliver(folder / f"d{number}", server.port, at, names)
                place = injector.met or "not met"
                met[place] = met.get(place, 0) + 1
                hits += [f"crash report: {place}" for form in _forms() if form in report.encode()]
                if run.over():
                    break
        bundle = gather(profile, None, Settings(), datetime.now(UTC), running=True, addresses=True)
        hits += ["support file" for form in _forms() if form in bundle.text.encode()]
        hits += found_in([folder], "", CANARY, USER)
    hits += _of_a_process(run)
    tests = held(run, _TESTS, "-p", "no:rerunfailures")["passed"] if run.full else 0
    words = f"{len(hits)} hits after {sum(met.values()):,} exceptions at {len(met)} places"
    words += ", in the files, argv and environment of a process, and after its abort" + (
        f"; {tests} tests of whole runs passed" if tests else ""
    )
    return Measured(
        words,
        count=sum(met.values()),
        unit="exceptions",
        ok=not hits,
        detail={"hits": hits[:50], "places": met},
        of=1000,
    )


def _forms() -> set[bytes]:
    return needles(CANARY, USER) | {*forms(CANARY), _END.encode()}


def _deliver(folder: Path, port: int, at: int | None, names: tuple[str, ...]) -> tuple[Injector, str]:
    """Send a mail; raise at a line of it, None for never. Return what raised, and the crash report."""
    folder.mkdir()
    post = Post(folder, settings(port, Security.NONE, username=USER, timeout_seconds=1), CANARY)
    post.add("k")
    injector = Injector(at, names)
    report = ""
    # A socket that is just handed from one owner to the next has none that could close it: CPython does, and warns.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        sys.settrace(injector)
        try:
            post.send()
        except Exception as error:
            report = private("".join(traceback.format_exception(error)))
            logging.getLogger("vxtray.faults").exception("the mail could not be sent")
        finally:
            sys.settrace(None)
    post.close()
    return injector, report


def _of_a_process(run: Run) -> list[str]:
    """Look at a program at work: its arguments, environment and limits; abort it, and look at all that is left."""
    hits: list[str] = []
    with run.room("process") as folder, h.hostile(h.script(MAIL=h.hang)) as server:
        (folder / "credentials").mkdir(mode=0o700)
        (folder / "credentials" / "smtp-password").write_text(CANARY + "\n", encoding="utf-8")
        vxtray = Vxtray(folder / "profile", CREDENTIALS_DIRECTORY=str(folder / "credentials"))
        vxtray.run(
            *("smtp", "set", "host=127.0.0.1", f"port={server.port}", "security=none", f"username={USER}"),
            *(f"from_address={USER}", "recipients=a@example.org", "timeout_seconds=5"),
        )
        command = ["sh", "-c", 'ulimit -c unlimited; cd "$0"; exec "$@"', str(folder), *vxtray.command, "serve"]
        process = subprocess.Popen(
            command, env=vxtray.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            until(vxtray.answers, "it serves", SECONDS)
            vxtray.run("report", "weekly", "--send")
            until(lambda: b"MAIL" in server.heard, "it signed in", SECONDS)
            for name in ("cmdline", "environ"):
                said = Path(f"/proc/{process.pid}/{name}").read_bytes()
                hits += [f"/proc/{name}" for form in _forms() if form in said]
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            cores = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
            assert cores.split()[4:6] == ["0", "0"], cores
            vxtray.run("support", str(folder / "help.zip"))
            with zipfile.ZipFile(folder / "help.zip") as packed:  # what is packed could not be found as it stands
                packed.extractall(folder / "help")
            assert list((folder / "help").rglob("*"))
        finally:
            process.send_signal(signal.SIGABRT)
            said = process.communicate(timeout=SECONDS)[0]
        assert not [path for path in folder.rglob("core*") if path.is_file() and path.stat().st_size > 1 << 20]
        hits += found_in([folder / "profile"], vxtray.said + said.decode("utf-8", "replace"), CANARY, USER)
        hits += found_in([folder], "", CANARY, USER)
        assert any(hit.endswith(_OWN_PLACE) for hit in hits), "the search finds it where it belongs"
        assert json.loads(vxtray.run("outbox", "--json"))[0]["state"] in {"queued", "sending"}
    return [hit for hit in hits if not hit.endswith(_OWN_PLACE)]
