"""P14: the window's thread is never held up: by a server that hangs, a dead resolver, a flood, a large question.

The whole window is measured by the benches under Xvfb (the full form runs them and takes their figures), and by their
rig without a screen for what they have not; the short form measures the loop of Qt alone beside the engine, since its
machine is shared.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.figures import OURS
from tests.core.mail import hostile as h
from tests.core.mail.office import Post
from tests.core.mail.wire import settings
from tests.e2e.vxtray_process import ROOT
from tests.faults.cases import held, missing
from tests.faults.flooding import paced, plain_lines
from tests.faults.promises import Measured, Run, promise
from tests.faults.window import watched
from tests.peers.desktop import until
from tests.peers.mail_server import free_ports
from vxtray.core.mail.outbox import Outbox
from vxtray.core.paths import Profile
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.tree import Security

#: Milliseconds; of the short form, what even a busy machine keeps.
MOST, MOST_SHARED = 50.0, 250.0

SCENARIOS = {
    "hung SMTP at ten points": "tests/bench/test_hanging_server.py::test_a_server_that_hangs",
    "scrolling and searching a million rows": "tests/bench/test_window.py::test_scrolling_and_searching",
    "an import": "tests/bench/test_window.py::test_an_import",
    "10,000 lines a second": "tests/bench/test_window.py::test_lines_arrive",
    "a locked keyring": "tests/bench/test_locked_keyring.py::test_a_keyring_that_does_not_answer",
    "a storm of alerts": "tests/bench/test_alert_window.py::test_a_storm",
}

#: A Qt loop with a heartbeat of 5 ms beside an engine; prints the worst gap (ms) at rest, and while a report is sent
#: the way the window has it done. In the short form a test mail is sent as well, for whose outcome the window waits;
#: the long one has the benches for that.
_BESIDE = """
import json, sys, time
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from vxtray.core.credentials import MemoryStore, Secret, smtp_account
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.service import Service
from vxtray.core.settings.tree import Security, Settings, Smtp
from vxtray.gui.bridge import Bridge
from vxtray.gui.trying import send_and_record

port, folder, host, seconds = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
sys.setswitchinterval(0.0005)
app = QCoreApplication([])
smtp = Smtp(host=host, port=port, security=Security.NONE, from_address="a@example.org", recipients=("b@example.org",))
engine = Service(Profile.under(folder), Settings(smtp=smtp), MemoryStore(), lambda _notice: None)
engine.start()
bridge = Bridge()
cutoff = bridge.cutoff()
last, gaps, worst = time.perf_counter(), [], {}
def beat():
    global last
    now = time.perf_counter()
    gaps.append((now - last) * 1000)
    last = now
heart = QTimer(interval=5)
heart.timeout.connect(beat)
heart.start()
def rested():
    worst["at rest"] = max(gaps[1:])
    gaps.clear()
    heard = lambda _answer: None
    bridge.run(lambda: engine.send_report(Cadence.DAILY), heard, heard, owner=app)
    if sys.argv[5] == "short":
        bridge.run(lambda: send_and_record(engine, smtp, None, "en", cutoff), heard, heard, owner=app)
    QTimer.singleShot(int(seconds * 1000), done)
def done():
    worst["sending"] = max(gaps)
    app.quit()
QTimer.singleShot(1000, rested)
app.exec()
bridge.stop()
engine.cut_off()
engine.stop()
json.dump(worst, sys.stdout)
"""


#: Gives loopback and a network that leads nowhere, makes the one name server a socket that nobody reads, and goes on
#: as the command that follows.
_DEAD_NAMES = """
import os, socket, subprocess, sys
for words in (
    "link set lo up", "tuntap add t0 mode tun", "link set t0 up", "addr add 192.0.2.1/24 dev t0",
    "route add default dev t0",
):
    subprocess.run(["ip", *words.split()], check=True)
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
deaf.bind(("127.0.0.1", 53))
deaf.set_inheritable(True)
os.execvp(sys.argv[2], sys.argv[2:])
"""

#: Writes and syncs without end, so that everybody else waits for the disk.
_BUSY = """
import os, sys
block = os.urandom(8 << 20)
while True:
    with open(sys.argv[1], "wb", buffering=0) as file:
        for _ in range(8):
            file.write(block)
            os.fsync(file.fileno())
"""

_WATCH_SECONDS = 15


@promise(
    "P14", "window gaps", "at most 50 ms: hung SMTP at 12 points, dead DNS, locked keyring, flood, 1 M rows, busy disk"
)
def p14(run: Run) -> Measured:
    assert missing(SCENARIOS) == []
    gaps: dict[str, float] = {}
    with run.room("loop") as folder:
        with h.hostile(h.script(greeting=h.hang)) as server:
            found = _beside(run, folder / "hung", server.port, "127.0.0.1")
            gaps |= {f"server hangs, {when}": gap for when, gap in found.items()}
        found = _beside(run, folder / "name", 25, "no-such-host.invalid")
        gaps |= {f"no such name, {when}": gap for when, gap in found.items()}
    worst, most = max(gaps.values()), MOST if run.full else MOST_SHARED
    words = f"beside a loop of Qt at most {worst:.0f} ms (idle {min(gaps.values()):.0f} ms)"
    if run.full:
        measured = _of_the_benches(run, SCENARIOS)
        for name, scenario in _WITHOUT_A_SCREEN.items():
            with run.room("window") as folder:
                measured[name] = scenario(folder)
        gaps |= measured
        worst = max(gaps.values())
        words += "; the window: " + ", ".join(f"{name} {gap:.0f} ms" for name, gap in measured.items())
    return Measured(words, count=len(gaps), unit="situations", ok=worst <= most, detail={"gaps": gaps, "by": SCENARIOS})


def _beside(run: Run, folder: Path, port: int, host: str) -> dict[str, float]:
    seconds, form = run.amount(1, 20), "full" if run.full else "short"
    done = subprocess.run(
        [sys.executable, "-c", _BESIDE, str(port), str(folder), host, str(seconds), form],
        env={**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=60 + seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: round(float(gap), 1) for name, gap in json.loads(done.stdout).items()}


def _of_the_benches(run: Run, there: dict[str, str]) -> dict[str, float]:
    """Run the benches of the window and return the worst gap of each of their figures, in milliseconds."""
    worst: dict[str, float] = {}
    with run.room("bench") as folder:
        held(run, sorted(set(there.values())), "-m", "bench", "-p", "no:rerunfailures", "--bench-out", str(folder))
        for path in folder.glob("figures-*.json"):
            for name, who in json.loads(path.read_text())["figures"].items():
                if name.startswith("gap-") and OURS in who:
                    worst[name.removeprefix("gap-")] = max(who[OURS])
    assert worst, "the benches measured nothing"
    return worst


def _waiting_mail(folder: Path, host: str, port: int, security: Security = Security.NONE) -> Profile:
    """Return a profile with a mail that is tried as soon as the program runs."""
    profile = Profile.under(folder / "profile")
    profile.outbox_file.parent.mkdir(parents=True)
    smtp = settings(port, security, host=host, timeout_seconds=60)
    names = ("host", "port", "security", "from_address", "recipients", "timeout_seconds")
    SettingsFile(profile.settings_file).merge({f"smtp.{name}": getattr(smtp, name) for name in names})
    post = Post(profile.outbox_file.parent, smtp)
    post.add("k")
    post.close()
    return profile


def _silent_server(folder: Path, security: Security, *, full: bool) -> float:
    """A port that takes connections and says nothing; where its queue is ``full``, it does not even take them."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent, contextlib.ExitStack() as stack:
        port = silent.getsockname()[1]
        for _ in range(2 if full else 0):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        profile = _waiting_mail(folder, "127.0.0.1", port, security)
        return _worst(profile, "history")


def _dead_names(folder: Path) -> float:
    resolver = folder / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    profile = _waiting_mail(folder, "mail.example.com", 25)
    prefix = ["unshare", "-n", "-m", sys.executable, "-c", _DEAD_NAMES, str(resolver)]
    worst = _worst(profile, "history", prefix)
    with contextlib.closing(Outbox(profile.outbox_file)) as box:
        hold = box.hold()
    assert hold is not None, "the name was never asked for"
    assert "mail.example.com" in str(hold.error()), hold
    return worst


def _busy_disk(folder: Path) -> float:
    """Lines come and are stored, while another program writes and syncs as much as it can."""
    profile = Profile.under(folder / "profile")
    profile.outbox_file.parent.mkdir(parents=True)
    (port,) = free_ports(1)
    SettingsFile(profile.settings_file).merge({"sources.syslog.enabled": True, "sources.syslog.port": port})
    writers: list[subprocess.Popen[bytes]] = []

    def begin() -> None:
        writers.append(subprocess.Popen([sys.executable, "-c", _BUSY, str(folder / "filler")]))
        until((folder / "filler").exists, "the disk is written to", 10)

    try:
        with paced(200, _line_to(port)):
            return _worst(profile, "events", meanwhile=begin)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()


def _line_to(port: int) -> Callable[[int], object]:
    lines = plain_lines()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return lambda number: sock.sendto(lines[number % len(lines)], ("127.0.0.1", port))


def _worst(
    profile: Profile, page: str, prefix: Sequence[str] = (), meanwhile: Callable[[], object] = lambda: None
) -> float:
    return float(watched(profile.config, page, _WATCH_SECONDS, meanwhile, prefix)["worst"])


_WITHOUT_A_SCREEN: dict[str, Callable[[Path], float]] = {
    "server takes no connection": lambda folder: _silent_server(folder, Security.NONE, full=True),
    "silent at TLS from the start": lambda folder: _silent_server(folder, Security.TLS, full=False),
    "busy disk": _busy_disk,
}
if os.name == "posix" and os.getuid() == 0 and shutil.which("unshare") and shutil.which("ip"):
    _WITHOUT_A_SCREEN["name server never answers"] = _dead_names
