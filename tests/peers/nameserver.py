"""A name server on loopback that answers from a dict: "example.com MX" -> ["10 mail.example.com."]."""

import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest


class NameServer:
    """Answers over UDP. A name in ``records`` with any type exists; others are NXDOMAIN. ``silent`` answers nothing."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.silent = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="nameserver", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            question = dns.message.from_wire(data)
            if not self.silent:
                self._socket.sendto(self._answer(question).to_wire(), peer)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        asked = question.question[0]
        name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
        self.asked.append(f"{name} {kind}")
        if found := self.records.get(f"{name} {kind}"):
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *found))
        elif not any(key.split()[0] == name or key.split()[0].endswith(f".{name}") for key in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
            knock.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Run a name server, and have resolvers that ask the system's ask this one."""
    server = NameServer()

    def ours(self: dns.resolver.Resolver, *arguments: object) -> None:
        self.nameservers = ["127.0.0.1"]
        self.port = server.port

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", ours)
    yield server
    server.close()
