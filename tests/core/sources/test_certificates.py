"""A certificate that is renewed while the receiver runs: new connections get it, and a broken one changes nothing."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.core.sources.test_syslog import Taker, running, until
from vxtray.core import texts
from vxtray.core.settings.tree import Syslog
from vxtray.core.sources.syslog import SyslogSource


class Host:
    """The files of a receiver's certificate, and a receiver that uses them."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.take = Taker()
        self.install(trustme.CA())
        self.source = SyslogSource(Syslog(cert_file=str(self.cert), key_file=str(self.key)), "tls")
        self.port = 0

    def install(self, ca: trustme.CA) -> None:
        """Put a certificate of an authority in place."""
        issued = ca.issue_cert("localhost")
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self.ca = ca

    def is_trusted_by(self, ca: trustme.CA) -> bool:
        """Send a line to the receiver over a connection that trusts one authority only."""
        context = ssl.create_default_context()
        ca.configure_trust(context)
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            try:
                with context.wrap_socket(sock, server_hostname="localhost") as secure:
                    secure.sendall(b"<1>line\n")
            except ssl.SSLCertVerificationError:
                return False
        return True


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    one = Host(tmp_path)
    with running(one.source, one.take) as port:
        one.port = port
        yield one


def test_a_renewed_certificate_is_used_for_new_connections(host: Host) -> None:
    former, new = host.ca, trustme.CA()
    context = ssl.create_default_context()
    former.configure_trust(context)
    with (
        socket.create_connection(("127.0.0.1", host.port)) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as open_before,
    ):
        host.install(new)
        until(lambda: host.is_trusted_by(new))
        assert not host.is_trusted_by(former)
        open_before.sendall(b"<1>still here\n")
        assert sorted(host.take.wait(2)) == [b"<1>line", b"<1>still here"]
    assert host.source.health().trouble is None


def test_a_broken_certificate_keeps_the_former_and_is_told(host: Host) -> None:
    former, new = host.ca, trustme.CA()
    host.cert.write_text("this is no certificate")
    until(lambda: host.source.health().trouble is not None)
    error = host.source.health().trouble
    assert error is not None
    assert texts.title(error, "en") == (
        "The changed files of the certificate cannot be used; syslog tls goes on with the former ones."
    )
    assert "PEM format" in texts.advice(error, "en")
    assert host.is_trusted_by(former)
    host.install(new)
    until(lambda: host.source.health().trouble is None)
    assert host.is_trusted_by(new)


def test_files_that_are_gone_for_a_while_are_told_and_read_again(host: Host) -> None:
    former = host.ca
    kept = host.key.read_bytes()
    host.key.unlink()
    until(lambda: host.source.health().trouble is not None)
    assert host.is_trusted_by(former)
    assert "Check that the files exist" in texts.advice(host.source.health().trouble, "en")  # type: ignore[arg-type]
    host.key.write_bytes(kept)
    until(lambda: host.source.health().trouble is None)
