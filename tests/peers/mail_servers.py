"""Fixtures: Postfix, Exim and OpenSMTPD, each started once in a run, and one by one in ``mail_server``."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.core.mail.wire import USER, settings
from tests.peers import exim, opensmtpd, postfix
from tests.peers.mail_server import INBOX, MailServer
from vxtray.core.settings.tree import Security, Smtp

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def running_postfix(authority: trustme.CA) -> Iterator[postfix.Postfix]:
    with postfix.postfix(authority) as server:
        yield server


@pytest.fixture(scope="session")
def running_exim(authority: trustme.CA) -> Iterator[exim.Exim]:
    with exim.exim(authority) as server:
        yield server


@pytest.fixture(scope="session")
def running_opensmtpd(authority: trustme.CA) -> Iterator[opensmtpd.OpenSmtpd]:
    with opensmtpd.opensmtpd(authority) as server:
        yield server


@pytest.fixture
def postfix_server(running_postfix: postfix.Postfix) -> postfix.Postfix:
    """Return Postfix with Dovecot, with empty mailboxes. Skips the test where it cannot run."""
    running_postfix.fresh()
    return running_postfix


@pytest.fixture(params=["postfix", "exim", "opensmtpd"])
def mail_server(request: pytest.FixtureRequest) -> MailServer:
    """Return one real server after the other, with empty mailboxes. Skips the test where it cannot run."""
    server: MailServer = request.getfixturevalue(f"running_{request.param}")
    server.fresh()
    return server


class Receiver:
    """Where the mails go, and the files in which they are kept."""

    def __init__(self, smtp: Smtp, box: Path, process: "subprocess.Popen[str] | None" = None) -> None:
        self.smtp = smtp
        self.box = box
        self.process = process

    def count(self) -> int:
        """Return how many mails it keeps."""
        return sum(1 for _ in os.scandir(self.box)) if self.box.is_dir() else 0

    def mails(self) -> list[bytes]:
        """Return them, with the ends of line of this system."""
        return [file.read_bytes().replace(b"\r\n", b"\n") for file in self.box.iterdir()]


@contextlib.contextmanager
def receiver_in(folder: Path, authority: trustme.CA) -> Iterator[Receiver]:
    """Run a mail server in a process of its own, which keeps its mails in a folder."""
    folder.mkdir()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.peers.fsyncing_server", str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    smtp = settings(port, Security.STARTTLS, username=USER, ca_file=str(folder / "ca.pem"), recipients=(INBOX,))
    try:
        yield Receiver(smtp, folder / "box" / "new", process)
    finally:
        process.communicate(timeout=10)


@pytest.fixture
def own_server(authority: trustme.CA, tmp_path: Path) -> Iterator[Receiver]:
    """Run a mail server in a process of its own."""
    with receiver_in(tmp_path / "server", authority) as receiver:
        yield receiver


@pytest.fixture
def postfix_receiver(postfix_server: postfix.Postfix) -> Receiver:
    return Receiver(postfix_server.settings(), postfix_server.box / "inbox" / "new")
