"""P22: what the program asks the system for, seen by strace: its own folders, the hosts of its settings, no more."""

import contextlib
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.core.mail import hostile as h
from tests.e2e.loglines import waf
from tests.e2e.test_serve import yesterday
from tests.e2e.vxtray_process import ROOT, SECONDS, Vxtray
from tests.faults.promises import Impossible, Measured, Run, promise
from tests.peers.desktop import until
from tests.peers.mailbox import PASSWORD, USER

#: What a process of ours may open for writing, outside its folders: devices, and what is its own in /proc.
_DEVICES = re.compile(
    r"/dev/(null|tty|urandom|shm/.*|ptmx|pts/\d+)|/proc/(self|\d+)/.*|pipe:.*|socket:.*|anon_inode:.*"
)
_CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(?P<name>\w+)\((?P<words>.*?)(?:\) += (?P<result>-?\d+|\?).*)?$")
_NOBODY = 65534
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
_CHANGES = {"mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "symlink", "symlinkat", "link"}
_CHANGES |= {"linkat", "chmod", "fchmodat", "truncate", "mknod", "mknodat", "rmdir", "creat", "setxattr"}
_CHANGES |= {"lsetxattr", "removexattr", "fchmodat2", "chown", "lchown", "fchownat", "utime", "utimes", "utimensat"}
_NEVER = {"setuid", "setgid", "setresuid", "setresgid", "capset", "mount", "ptrace", "bpf", "init_module", "kexec_load"}
#: Before a path that begins where the process is.
_HERE = re.compile(r'^(?:AT_FDCWD, )?"(?=[^/"])')
_UNFINISHED = "<unfinished ...>"
_PATHS = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')


@promise(
    "P22",
    "least privilege",
    "an ordinary user, no port < 1024, listeners on loopback, files 0600/0700, its folders and hosts only (trace)",
)
def p22(run: Run) -> Measured:
    if shutil.which("strace") is None:
        raise Impossible("strace is not there")
    with run.room("trace") as folder, h.hostile(h.script()) as server:
        trace, ports = folder / "trace", _free_ports(2)
        vxtray, who = _scenario(folder, server, trace, ports)
        calls = list(_calls(trace, folder / "home"))
        own = (folder / "profile", folder / "tmp")
        wrote, outside = _written(calls, own)
        connected, bound = _spoken(calls)
        allowed = {("127.0.0.1", server.port), *(("127.0.0.1", port) for port in ports)}
        strangers = sorted(one for one in connected if one not in allowed and one[1] != 53)
        listeners = sorted(one for one in bound if one[0] not in ("127.0.0.1", "::1") and one[1] != 0)
        low = sorted(one for one in bound if 0 < one[1] < 1024)
        forbidden = Counter(name for name, _words, _result in calls if name in _NEVER)
        modes = _modes(vxtray.profile)
        assert server.mail, "it did its work"
    wrong = {
        "written elsewhere": outside,
        "other hosts": strangers,
        "listeners for others": listeners,
        "ports below 1024": low,
        "asked for power": sorted(forbidden),
        "modes": modes,
    }
    wrong = {name: found for name, found in wrong.items() if found}
    words = (
        f"{len(calls):,} calls as {who}: {len(wrote)} files and folders written, all of its own;"
        f" {len(connected)} connections and {len(bound)} listeners on loopback; every mode 0600 or 0700"
    )
    return Measured(words if not wrong else f"{wrong}", count=len(calls), unit="calls", ok=not wrong, detail=wrong)


def _free_ports(count: int) -> list[int]:
    with_sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in with_sockets]
    for one in with_sockets:
        one.close()
    return ports


def _as_an_ordinary_user(folder: Path) -> tuple[list[str], list[str], str]:
    """Return what goes before a command, the Python to run, and who that is; who is no root already runs as is.

    Root gives the folder to "nobody", and needs a Python that nobody may run, of the same version as this one.
    """
    if os.getuid() != 0:
        return [], [sys.executable], "the one who runs this"
    python = "/usr/bin/python3"
    asked = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    version = subprocess.run(asked, capture_output=True, text=True, check=False).stdout if Path(python).exists() else ""
    if shutil.which("setpriv") is None or version.split() != [str(part) for part in sys.version_info[:2]]:
        raise Impossible("root needs setpriv, and a Python of this version that others may run")
    for above in (folder, *folder.parents):
        if above.is_relative_to(Path(tempfile.gettempdir())) and above != Path(tempfile.gettempdir()):
            above.chmod(above.stat().st_mode | 0o055)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _NOBODY, _NOBODY)
    who = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--inh-caps=-all", "--no-new-privs"]
    return ["setpriv", *who], [python], "nobody"


def _scenario(folder: Path, server: h.Hostile, trace: Path, ports: list[int]) -> tuple[Vxtray, str]:
    """Serve under strace as an ordinary user: syslog, a followed log, an alert, a report, settings, a support file."""
    for name in ("tmp", "credentials", "logs", "home"):
        (folder / name).mkdir(mode=0o700)
    (folder / "credentials" / "smtp-password").write_text(PASSWORD + "\n")
    log = folder / "logs" / "fw.log"
    log.write_text(waf(yesterday(), "203.0.113.99", 55) + "\n")
    env = {
        **{name: str(folder / "home") for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")},
        "CREDENTIALS_DIRECTORY": str(folder / "credentials"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]),
    }
    before, python, who = _as_an_ordinary_user(folder)
    vxtray = Vxtray(folder / "profile", **env)
    vxtray.env.pop("XDG_RUNTIME_DIR", None)
    start = [*python, "-S", *vxtray.command[1:]]  # without what this machine runs at each start of Python
    vxtray.command = [*before, *start]
    mask = os.umask(0o022)
    try:
        vxtray.run(
            *("smtp", "set", "host=127.0.0.1", f"port={server.port}", "security=none", f"username={USER}"),
            *(f"from_address={USER}", "recipients=a@example.org", "timeout_seconds=5"),
        )
        vxtray.run(
            *("settings", "set", "sources.syslog.enabled=true", f"sources.syslog.port={ports[0]}"),
            *("sources.syslog.address=127.0.0.1", "alerts.waf_detected=true", "alerts.waf_blocked=true"),
        )
        strace = ["strace", "-f", "-qq", "-s", "300", "-o", str(trace), "-e", "trace=%file,%network,%creds"]
        process = subprocess.Popen(
            [*before, *strace, *start, "serve"],
            env=vxtray.env,
            cwd=folder / "home",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            until(vxtray.answers, "it serves", 2 * SECONDS)
            powers = _powers(process.pid)
            assert powers, "nothing is traced"
            assert set(powers) == {(str(os.getuid() or _NOBODY), 0)}, powers
            vxtray.run("import", "--alerts", log, seconds=2 * SECONDS)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(waf(yesterday(), "203.0.113.98", 55).encode(), ("127.0.0.1", ports[0]))
            vxtray.run("report", "daily", "--send", seconds=2 * SECONDS)
            until(lambda: bool(server.mail), "a mail arrives", 2 * SECONDS)
            vxtray.run("support", folder / "tmp" / "help.zip", seconds=2 * SECONDS)
            vxtray.run("quit")
            said = process.communicate(timeout=2 * SECONDS)[0]
            assert process.returncode == 0, said
        finally:
            process.kill()
            process.communicate()
    finally:
        os.umask(mask)
    return vxtray, who


def _powers(tracer: int) -> list[tuple[str, int]]:
    """Return user and effective capabilities of each process that is traced."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            rows = dict(row.split(":\t", 1) for row in status.read_text().splitlines() if ":\t" in row)
            if rows["TracerPid"].strip() == str(tracer):
                found.append((rows["Uid"].split()[1], int(rows["CapEff"], 16)))
    return found


def _calls(trace: Path, cwd: Path) -> Iterator[tuple[str, str, int]]:
    """Yield the calls with their words, in which a path that is relative to where it was started is whole."""
    for line in _whole_lines(trace):
        if found := _CALL.match(line):
            result, words = found["result"], found["words"]
            if found["name"] in _CHANGES | {"open", "openat"}:
                words = _HERE.sub(lambda start: f"{start[0]}{cwd}/", words)
            yield found["name"], words, int(result) if result not in (None, "?") else 0


def _whole_lines(trace: Path) -> Iterator[str]:
    """Yield the lines, where what one thread began and another one interrupted is one line again."""
    begun: dict[str, str] = {}
    for line in trace.read_text("utf-8", "replace").splitlines():
        thread = line.partition(" ")[0]
        if line.endswith(_UNFINISHED):
            begun[thread] = line.removesuffix(_UNFINISHED).rstrip()
        elif " resumed>" in line and thread in begun:
            yield begun.pop(thread) + line.partition(" resumed>")[2]
        else:
            yield line
    yield from begun.values()  # what had no end counts as done


def _written(calls: list[tuple[str, str, int]], own: tuple[Path, ...]) -> tuple[set[str], list[str]]:
    """Return what was made, changed or opened for writing, and what of it lies elsewhere."""
    wrote: set[str] = set()
    for name, words, result in calls:
        if result < 0 or (name in {"open", "openat"} and not _WRITES.search(words)):
            continue
        if name in _CHANGES | {"open", "openat"}:
            wrote |= {path for path in _PATHS.findall(words) if path.startswith("/")}
    outside = [
        path
        for path in sorted(wrote)
        if not _DEVICES.fullmatch(path) and not any(Path(path).is_relative_to(folder) for folder in own)
    ]
    return wrote, outside


def _spoken(calls: list[tuple[str, str, int]]) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """Return to which addresses was connected or sent, and which were bound."""
    connected: set[tuple[str, int]] = set()
    bound: set[tuple[str, int]] = set()
    for name, words, _result in calls:
        port, address = _PORT.search(words), _ADDRESS.search(words)
        if port is None or address is None:
            continue
        place = (address[1] or address[2], int(port[1]))
        if name in {"connect", "sendto"} and place[1]:
            connected.add(place)
        elif name == "bind":
            bound.add(place)
    return connected, bound


def _modes(profile: Path) -> list[str]:
    """Return what of a profile others could look into, or write."""
    return [
        f"{path.relative_to(profile)} {stat.S_IMODE(path.stat().st_mode):o}"
        for path in [profile, *profile.rglob("*")]
        if not path.is_symlink() and path.stat().st_mode & 0o077
    ]
