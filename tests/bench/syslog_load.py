"""Lines sent to a running program over syslog, and what it says of them, without a process for each question."""

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import trustme

from tests.peers.desktop import until
from vxtray.core.control import Call, call_running
from vxtray.core.paths import Profile

_CHUNK = 200


class Listener:
    """One transport of a program that serves; ``stored`` and ``lost`` are its own counts."""

    def __init__(self, profile: Path, transport: str, port: int, authority: trustme.CA, folder: Path) -> None:
        self._profile = Profile.under(profile)
        self._transport = transport
        self._port = port
        self._authority = authority
        self._folder = folder

    def settings(self) -> list[str]:
        """Return what has the program listen, as KEY=VALUE."""
        if self._transport != "tls":
            return ["sources.syslog.enabled=true", f"sources.syslog.port={self._port}"]
        issued = self._authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(self._folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(self._folder / "cert.pem")
        files = (f"sources.syslog.{name}_file={self._folder / name}.pem" for name in ("cert", "key"))
        return ["sources.syslog.enabled=true", "sources.syslog.port=0", f"sources.syslog.tls_port={self._port}", *files]

    def counts(self) -> tuple[int, int]:
        """Return the lines stored and lost so far; (-1, 0) before it listens."""
        answers = call_running(self._profile, Call(argv=["status", "--json"], cwd=str(self._folder), language="en"))
        said = "".join(answer.out for answer in answers or ())
        sources = json.loads(said)["sources"] if said else []
        for source in sources:
            if self._transport in source["name"]:
                return source["lines"], source["dropped"]
        return -1, 0

    @contextlib.contextmanager
    def connected(self) -> Iterator[socket.socket]:
        kind = socket.SOCK_DGRAM if self._transport == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.connect(("127.0.0.1", self._port))
            if self._transport != "tls":
                yield sock
                return
            context = ssl.create_default_context()
            self._authority.configure_trust(context)
            with context.wrap_socket(sock, server_hostname="127.0.0.1") as wrapped:
                yield wrapped

    def send(self, lines: Sequence[bytes], rate: float | None) -> float:
        """Send lines, at so many a second or as fast as they are taken; return the seconds from the first one on."""
        with self.connected() as sock:
            began = time.perf_counter()
            for first in range(0, len(lines), _CHUNK):
                if rate:
                    time.sleep(max(0.0, first / rate - (time.perf_counter() - began)))
                chunk = lines[first : first + _CHUNK]
                if self._transport == "udp":
                    for line in chunk:
                        sock.send(line)
                else:
                    sock.sendall(b"".join(line + b"\n" for line in chunk))
            return time.perf_counter() - began

    def settled(self, least: int, seconds: float) -> int:
        """Wait until so many lines are stored or lost, and return how many are."""
        until(lambda: sum(self.counts()) >= least, f"{least:,} lines are stored or lost", seconds)
        return sum(self.counts())
