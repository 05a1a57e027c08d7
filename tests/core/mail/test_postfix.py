"""Real servers: Postfix for SMTP with Dovecot checking passwords, in a folder of the test, on loopback."""

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.core.mail.wire import PASSWORD, USER
from vxtray.core.credentials import Secret
from vxtray.core.mail.doctor import check
from vxtray.core.mail.faults import AuthError, Kind, RecipientsRefused, TlsError
from vxtray.core.mail.smtp import Session, send
from vxtray.core.settings.tree import Security, Smtp

NEEDED = {"postfix": "postfix", "dovecot": "dovecot-core"}
MISSING = [package for program, package in NEEDED.items() if shutil.which(program, path="/usr/sbin:/usr/bin") is None]

pytestmark = [
    pytest.mark.skipif(os.name == "nt" or bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="Postfix can only be started by root"),
    pytest.mark.timeout(60),
]

FROM, TO = USER, "inbox@example.com"
DATA = b"Subject: x\r\n\r\n" + b"line\r\n.\r\n..dots\r\n" * 3

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
maillog_file = {folder}/log/postfix.log
maillog_file_prefixes = {folder}/log
myhostname = mail.example.com
mydestination =
inet_interfaces = 127.0.0.1
mynetworks =
alias_maps =
alias_database =
virtual_mailbox_domains = example.com
virtual_mailbox_base = {folder}/box
virtual_mailbox_maps = inline:{{ {{{to} = inbox/}} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_cert_file = {folder}/server.pem
smtpd_tls_key_file = {folder}/server.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/auth/smtp
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
"""
MASTER_CF = """\
127.0.0.1:{starttls} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
127.0.0.1:{tls} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
DOVECOT_CONF = """\
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot
log_path = {folder}/log/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login
auth_failure_delay = 0
default_internal_user = dovecot
default_login_user = dovenull
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/box
}}
service auth {{
  unix_listener {folder}/auth/smtp {{
    mode = 0666
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""


@dataclass
class Servers:
    starttls: int
    tls: int
    ca_file: str
    box: Path

    def settings(self, security: Security) -> Smtp:
        return Smtp(
            host="localhost",
            port=self.tls if security is Security.TLS else self.starttls,
            security=security,
            username=USER,
            from_address=FROM,
            recipients=(TO,),
            ca_file=self.ca_file,
            timeout_seconds=15,
        )

    def delivered(self, count: int) -> list[bytes]:
        """Return the mails in the Maildir as soon as there are so many."""
        until = time.monotonic() + 15
        while time.monotonic() < until:
            mails = sorted((self.box / "inbox" / "new").glob("*"))
            if len(mails) >= count:
                return [mail.read_bytes() for mail in mails]
            time.sleep(0.02)
        pytest.fail("no mail arrived")


def _ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in sockets]


def _run(*command: str | Path) -> None:
    """Run to the end; output goes to a file, since the daemons keep an inherited pipe open."""
    subprocess.run(
        [str(word) for word in command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=30,
    )


def _answers(port: int) -> None:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    pytest.fail(f"nothing answers on port {port}")


def _gone(number: int) -> None:
    """Wait until a daemon has ended, since it still writes to the folder."""
    until = time.monotonic() + 10
    while time.monotonic() < until and Path(f"/proc/{number}").exists():
        time.sleep(0.02)


def _dovecot(folder: Path, values: dict[str, object]) -> Path:
    conf = folder / "dovecot.conf"
    conf.write_text(DOVECOT_CONF.format(**values))
    # A colon in the password would end the field: hence base64.
    (folder / "users").write_text(f"{USER}:{{PLAIN.B64}}{base64.b64encode(PASSWORD.encode()).decode()}\n")
    return conf


def _postfix(folder: Path, values: dict[str, object]) -> Path:
    etc = folder / "etc"
    etc.mkdir()
    for name in ("post-install", "postfix-files", "postfix-script"):
        shutil.copy(f"/etc/postfix/{name}", etc)
    (etc / "main.cf").write_text(MAIN_CF.format(**values))
    (etc / "master.cf").write_text(MASTER_CF.format(**values))
    shutil.chown(folder / "data", "postfix")
    return etc


@pytest.fixture(scope="module")
def servers(authority: trustme.CA) -> Iterator[Servers]:
    """Start Dovecot and Postfix, stop both."""
    # Not under pytest's own folder: their daemons are not root, and pytest closes that one to everybody else.
    folder = Path(tempfile.mkdtemp(prefix="vx-postfix-"))
    folder.chmod(0o755)
    try:
        yield from _running(authority, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _running(authority: trustme.CA, folder: Path) -> Iterator[Servers]:
    import pwd

    for name in ("queue", "data", "log", "auth", "box", "dovecot"):
        (folder / name).mkdir(mode=0o755)
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    owner = pwd.getpwnam("nobody")
    os.chown(folder / "box", owner.pw_uid, owner.pw_gid)
    starttls, tls = _ports(2)
    values = {"folder": folder, "uid": owner.pw_uid, "gid": owner.pw_gid, "to": TO, "starttls": starttls, "tls": tls}
    conf = _dovecot(folder, values)
    etc = _postfix(folder, values)
    _run("/usr/sbin/dovecot", "-c", conf)
    try:
        _run("/usr/sbin/postfix", "-c", etc, "start")
        try:
            _answers(starttls)
            _answers(tls)
            yield Servers(starttls, tls, str(folder / "ca.pem"), folder / "box")
        finally:
            _run("/usr/sbin/postfix", "-c", etc, "abort")
    finally:
        number = int((folder / "dovecot" / "master.pid").read_text())
        _run("/usr/bin/doveadm", "-c", conf, "stop")
        _gone(number)


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_delivery(security: Security, servers: Servers) -> None:
    before = len(list((servers.box / "inbox" / "new").glob("*")))
    with Session(servers.settings(security), Secret(PASSWORD)) as session:
        assert session.mechanism == "LOGIN"
        delivery = session.deliver(FROM, (TO,), DATA)
    assert delivery.reply.startswith("250 2.0.0 Ok: queued as")
    mail = servers.delivered(before + 1)[-1]
    assert mail.endswith(b"\n\n" + b"line\n.\n..dots\n" * 3)
    assert b"\nSubject: x\n" in mail


def test_wrong_password(servers: Servers) -> None:
    with pytest.raises(AuthError) as caught:
        send(servers.settings(Security.STARTTLS), Secret("wrong"), FROM, (TO,), DATA)
    assert caught.value.kind is Kind.ACCOUNT
    assert caught.value.reply.startswith("535 5.7.8")


def test_unknown_recipient(servers: Servers) -> None:
    with Session(servers.settings(Security.TLS), Secret(PASSWORD)) as session:
        delivery = session.deliver(FROM, (TO, "nobody@example.com"), DATA)
        assert [result.ok for result in delivery.recipients.values()] == [True, False]
        with pytest.raises(RecipientsRefused) as caught:
            session.deliver(FROM, ("nobody@example.com",), DATA)
        assert "not know" in str(caught.value)
        assert session.usable


def test_authority_unknown(servers: Servers) -> None:
    import msgspec

    with pytest.raises(TlsError):
        send(msgspec.structs.replace(servers.settings(Security.STARTTLS), ca_file=""), Secret("x"), FROM, (TO,), DATA)


def test_check(servers: Servers) -> None:
    steps = list(check(servers.settings(Security.STARTTLS), Secret(PASSWORD)))
    assert [step.name for step in steps] == [
        "resolve", "connect", "greeting", "tls", "ehlo", "auth", "sender", "recipients",
    ]  # fmt: skip
    assert all(step.ok for step in steps)


def test_many_mails_on_one_connection(servers: Servers) -> None:
    with Session(servers.settings(Security.STARTTLS), Secret(PASSWORD)) as session:
        started = time.monotonic()
        for _ in range(30):
            session.deliver(FROM, (TO,), DATA)
        # With Nagle's algorithm each mail waits for a delayed acknowledgement: 21 a second at best.
        assert 30 / (time.monotonic() - started) > 25
