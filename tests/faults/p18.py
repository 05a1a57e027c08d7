"""P18: of two starts one lives; another user of the machine can neither command the program nor keep it from work."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.vxtray_process import ROOT, SECONDS, Vxtray
from tests.faults.promises import Impossible, Measured, Run, promise
from tests.faults.twins import Twins
from tests.peers.desktop import until
from vxtray.core.control import Answer, Call, ControlServer, call_running
from vxtray.core.errors import ProgramBusy
from vxtray.core.paths import Profile

#: Loads everything, says so, waits for the word, and then starts as a person would.
_START = """
import sys
from vxtray import app, cli
import vxtray.core.service, vxtray.core.control, vxtray.core.settings.file
print("ready", flush=True)
sys.stdin.readline()
sys.exit(cli.main(sys.argv[1:]))
"""

_NOBODY = 65534
#: Pairs that race at the same time, each for a profile of its own.
_AT_ONCE = 4
#: Seconds from the start after a kill to the first answer.
MOST_RESTART = 2.0

#: What another user tries; prints what came of it.
_STRANGER = """
import json, os, socket, sys
from multiprocessing.connection import Client
from pathlib import Path
address, key, folder = sys.argv[1:]
found = {}
def tries(name, act):
    try:
        act()
        found[name] = "done"
    except OSError as error:
        found[name] = type(error).__name__
def connect():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(address)
tries("connect", connect)
tries("talk", lambda: Client(address, authkey=b"guess"))
tries("read the key", lambda: Path(key).read_bytes())
tries("take the socket away", lambda: os.unlink(address))
tries("put one in its place", lambda: os.rename("/dev/null", address))
tries("list", lambda: os.listdir(os.path.dirname(address)))
tries("read the profile", lambda: os.listdir(folder))
tries("lock the profile", lambda: open(os.path.join(folder, "state", "instance.lock"), "r+b"))
json.dump(found, sys.stdout)
"""


@promise(
    "P18",
    "single instance and other users",
    "1,000 races of two starts: one lives; restart after a kill 2 s; no way in",
)
def p18(run: Run) -> Measured:
    restarts = list[float]()
    with run.room("races") as folder:
        races = _races(run, folder, run.amount(2, 1000))
        for _ in range(run.amount(1, 100)):
            restarts.append(_after_a_kill(folder / "killed"))
            if run.over():
                break
    others = _strangers(run) if hasattr(os, "getuid") and os.getuid() == 0 else {}
    assert all(what != "done" for what in others.values()), others
    planted = _planted(run) if others else "not tried: needs root"
    words = (
        f"{races} races: one lives each time; after a kill the next one answers within {max(restarts):.1f} s"
        f" ({len(restarts)} kills); another user: {len(others)} ways refused, {planted}"
    )
    ok = run.soon_enough(max(restarts), MOST_RESTART)
    return Measured(words, count=races, unit="races", ok=ok, detail={"restarts": restarts, "others": others}, of=1000)


@contextlib.contextmanager
def _starter(profile: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _START, "--profile-dir", str(profile), "serve"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _races(run: Run, folder: Path, wanted: int) -> int:
    """Let so many pairs race, several at a time: one that gives way has waited two seconds for the other's end."""
    done = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool, contextlib.ExitStack() as stack:
        lanes = [stack.enter_context(Twins()) for _ in range(min(wanted, _AT_ONCE))]
        while done < wanted and not run.over():
            for _ in pool.map(_race, lanes, [folder / f"p{number}" for number in range(len(lanes))]):
                done += 1
            if done % (25 * _AT_ONCE) == 0:
                run.say(f"{done} races")
    return done


def _race(twins: Twins, profile: Path) -> None:
    """Start two at the same moment; one says that another holds the profile, and the other answers commands."""
    pair = twins.start(profile)
    loser, status = twins.ended()
    said = (profile / "said.txt").read_text()
    assert (status, said.splitlines()[:1]) == (1, [ProgramBusy.title]), said
    until(lambda: _answers(profile), "the other answers", SECONDS)
    (winner,) = set(pair) - {loser}
    os.kill(winner, signal.SIGTERM)
    assert twins.ended() == (winner, 0), said
    assert (profile / "said.txt").read_text() == said
    (profile / "said.txt").unlink()


def _answers(profile: Path) -> bool:
    """Return whether a program answers there, asked in this process."""
    found = call_running(Profile.under(profile), Call(argv=["status"], cwd="/", language="en"))
    return found is not None and any(answer.exit is not None for answer in found)


def _after_a_kill(profile: Path) -> float:
    """Kill a program and start it again; return the seconds until the next one answers."""
    vxtray = Vxtray(profile)
    with contextlib.suppress(AssertionError), vxtray.serve() as process:
        process.kill()
        process.wait(SECONDS)
    with _starter(profile) as again:
        assert again.stdout is not None
        assert again.stdin is not None
        assert again.stdout.readline() == "ready\n"
        began = time.monotonic()
        again.stdin.write("go\n")
        again.stdin.flush()
        until(lambda: _answers(profile), "it answers again", SECONDS)
        return round(time.monotonic() - began, 2)


@contextlib.contextmanager
def _controlled(profile: Profile) -> Iterator[ControlServer]:
    server = ControlServer(profile, lambda call, say: len(call.argv))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _as_nobody(code: str, *words: str) -> str:
    """Run code as another user, who may read Python and nothing of ours."""
    command = [sys.executable, "-c", code, *words]

    def become() -> None:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)

    try:
        done = subprocess.run(
            ["/usr/bin/python3", *command[1:]] if not _readable(sys.executable) else command,
            preexec_fn=become, cwd="/", capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except OSError as error:
        raise Impossible(f"another user cannot run Python here: {error}") from error
    assert done.returncode == 0, done.stderr
    return done.stdout


def _readable(program: str) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in Path(program).resolve().parents)


def _strangers(run: Run) -> dict[str, str]:
    with run.room("strangers") as folder:
        # Everybody may go to where the profile is, so that only its own rights keep others out.
        for above in (folder, *folder.parents):
            if above != Path(tempfile.gettempdir()) and above.is_relative_to(run.folder.parent):
                above.chmod(above.stat().st_mode | 0o055)
        profile = Profile.under(folder / "profile")
        with _controlled(profile):
            found = _as_nobody(_STRANGER, profile.control_address, str(profile.control_key), str(profile.config))
            assert [one.exit for one in call_running(profile, Call(argv=["a"], cwd="/", language="en")) or ()] == [1]
        return dict(json.loads(found))


def _planted(run: Run) -> str:
    """Let another user make the folder first in which a socket with too long a path would lie."""
    with run.room("planted") as folder:
        (folder / "tmp").mkdir()
        for above in (folder / "tmp", folder, run.folder):
            above.chmod(0o1777)
        before, tempfile.tempdir = tempfile.tempdir, str(folder / "tmp")
        try:
            profile = Profile.under(folder / ("deep" * 30))
            _as_nobody("import os, sys\nos.mkdir(sys.argv[1], 0o777)", str(folder / "tmp" / f"vxtray-{os.getuid()}"))
            with _controlled(profile):
                place = Path(profile.control_address).parent
                assert place.stat().st_uid == os.getuid()
                assert place.stat().st_mode & 0o077 == 0
                call = Call(argv=["a", "b"], cwd="/", language="en")
                assert list(call_running(profile, call) or ()) == [Answer(exit=2)]
        finally:
            tempfile.tempdir = before
    return "nor by a folder made in advance"
