"""What real mail servers have in common: ports of loopback, a folder of their own, a log to count in, Maildirs.

They run as root, for they change users; where they must find users and folders that Debian's package would have made,
they get them in a mount namespace of their own, so that nothing of the system changes.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.core.mail.wire import PASSWORD, USER
from tests.peers.desktop import until
from vxtray.core.settings.tree import Security, Smtp

DOMAIN = "example.com"
INBOX, OTHER, GREY, NOBODY = (f"{name}@{DOMAIN}" for name in ("inbox", "other", "grey", "nobody"))
PEOPLE = (INBOX, OTHER, GREY)
SIZE = 300_000
SECONDS = 20

#: Where packaging/test.sh unpacks servers that cannot be installed beside another one.
UNPACKED = Path(sys.prefix) / "debian"
PLACES = os.pathsep.join(["/usr/sbin", "/usr/bin", str(UNPACKED / "usr" / "sbin")])


class MailServer:
    """A mail server with STARTTLS, TLS from the start, and sign-in; three people, of whom one is greylisted.

    ``fresh`` begins a test: it forgets mails and counts. What greylisting waits for has passed with ``let_grey_pass``.
    """

    name = ""
    speaks_tls = True
    #: Patterns of the log.
    connected = ""
    sign_in_refused = ""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self.box = folder / "box"
        self.log = folder / "log" / f"{self.name}.log"
        for name in ("log", "box"):
            (folder / name).mkdir(mode=0o755)
        certificate = authority.issue_cert("localhost", key_type=trustme.KeyType.RSA)
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        certificate.private_key_pem.write_to_path(folder / "server.key")
        (folder / "server.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        for secret in ("server.pem", "server.key"):
            (folder / secret).chmod(0o600)
        authority.cert_pem.write_to_path(self.ca_file)
        self.starttls, self.tls = free_ports(2)
        self._passed = folder / "passed"
        self._mark = 0

    def start(self) -> None:
        """Start it, with what it had when it was stopped."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it and all its processes."""
        raise NotImplementedError

    def answers(self) -> None:
        """Wait until both ports are open."""
        for port in (self.starttls, self.tls):
            until(lambda port=port: is_open(port), f"{self.name} answers", SECONDS)  # type: ignore[misc]

    def settings(self, security: Security = Security.STARTTLS, **changes: Any) -> Smtp:
        """Return the settings that lead here."""
        values: dict[str, Any] = {
            "host": "localhost",
            "port": self.tls if security is Security.TLS else self.starttls,
            "security": security,
            "username": USER,
            "from_address": USER,
            "recipients": (INBOX,),
            "ca_file": str(self.ca_file),
            "timeout_seconds": 15,
        }
        return Smtp(**(values | changes))

    # --- what arrived ------------------------------------------------------------------------------------------------

    def files(self, person: str = INBOX) -> list[Path]:
        """Return the files of a person's mails, in the order of their names."""
        return sorted((self.box / person.partition("@")[0] / "new").glob("*"))

    def delivered(self, count: int, person: str = INBOX, seconds: float = SECONDS) -> list[bytes]:
        """Return a person's mails as soon as there are so many; lines end as on this system."""
        until(lambda: len(self.files(person)) >= count, f"{count} mails in the box of {person}", seconds)
        return [file.read_bytes() for file in self.files(person)]

    # --- what the log says -------------------------------------------------------------------------------------------

    def fresh(self) -> None:
        """Forget mails, counts, and that greylisting was passed."""
        for person in PEOPLE:
            for file in self.files(person):
                file.unlink()
        self._passed.unlink(missing_ok=True)
        self._mark = self.log.stat().st_size if self.log.exists() else 0

    def said(self) -> str:
        """Return the log since ``fresh``."""
        with self.log.open("rb") as log:
            log.seek(self._mark)
            return log.read().decode("utf-8", "replace")

    def connections(self) -> int:
        """Return how often a client connected since ``fresh``."""
        return len(re.findall(self.connected, self.said()))

    def refused_sign_ins(self) -> int:
        """Return how many sign-ins were refused since ``fresh``."""
        return len(re.findall(self.sign_in_refused, self.said()))

    def let_grey_pass(self) -> None:
        """Take the time of greylisting for over."""
        self._passed.touch()


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in sockets]


def is_open(port: int) -> bool:
    """Tell whether somebody listens, without a connection that would be counted."""
    wanted = f":{port:04X} 00000000:0000 0A"  # local address, remote address, state
    return wanted in Path("/proc/net/tcp").read_text()


def run(*command: str | Path) -> None:
    """Run to the end, without an output: daemons keep an inherited pipe open."""
    subprocess.run(
        [str(word) for word in command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=30,
    )


def program(name: str, package: str) -> Path:
    """Return where a server is. Skips the test where it is not, or where it could not be started."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("a mail server can only be started by root")
    found = shutil.which(name, path=PLACES)
    if found is None:
        pytest.skip(f"not installed: {package} (packaging/test.sh gets it as root on Debian)")
    linked = subprocess.run(["ldd", found], capture_output=True, text=True, check=False).stdout
    if missing := [line.split()[0] for line in linked.splitlines() if "not found" in line]:
        pytest.skip(f"{package} lacks {', '.join(missing)}")
    return Path(found)


@contextlib.contextmanager
def server_folder(name: str) -> Iterator[Path]:
    """Make a folder for a server. Not under pytest's own, which is closed to everybody but root."""
    folder = Path(tempfile.mkdtemp(prefix=f"vx-{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    except BaseException:
        for file in (folder / "log").glob("*"):
            sys.stderr.write(f"--- {file.name}\n{file.read_text(errors='replace')[-3000:]}\n")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Namespace:
    """A view of the file system in which some files and folders are others; a server runs in it in the foreground."""

    def __init__(self, folder: Path, users: Sequence[str], mounts: dict[str, Path]) -> None:
        """``users`` are made, with numbers from 64001 on; ``mounts`` leads from a place to what is seen there."""
        self.ids = {name: 64001 + number for number, name in enumerate(users)}
        passwd, group = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
        for name, number in self.ids.items():
            passwd += f"{name}:x:{number}:{number}::/nonexistent:/bin/false\n"
            group += f"{name}:x:{number}:\n"
        (folder / "passwd").write_text(passwd)
        (folder / "group").write_text(group)
        self._mounts = {"/etc/passwd": folder / "passwd", "/etc/group": folder / "group", **mounts}
        self._output = folder / "log" / "output.txt"
        if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
            pytest.skip("no mount namespaces here")

    def popen(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start a program in it."""
        script = "".join(f'mount --bind "{what}" "{where}" && ' for where, what in self._mounts.items())
        with self._output.open("ab") as output:
            return subprocess.Popen(
                ["unshare", "-m", "--", "sh", "-c", script + 'exec "$@"', "sh", *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server that runs in the foreground, with all the processes of its session."""
    process.terminate()
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    until(lambda: not _session(process.pid), "its processes end", SECONDS)


def _session(leader: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _parent, _group, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state not in "ZX":
                found.append(int(folder.name))
    return found


def gone(number: int) -> None:
    """Wait until a daemon has ended, since it still writes to the folder."""
    end_by = time.monotonic() + 10
    while time.monotonic() < end_by and Path(f"/proc/{number}").exists():
        time.sleep(0.02)


__all__ = ["PASSWORD", "USER", "MailServer", "Namespace", "end", "program", "server_folder"]
