"""Postfix for SMTP with Dovecot checking passwords, in a folder of the test, on loopback."""

import base64
import contextlib
import json
import os
import re
import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme

from tests.core.mail.wire import PASSWORD, USER
from tests.peers.mail_server import DOMAIN, GREY, PEOPLE, SIZE, MailServer, gone, program, run, server_folder

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
message_size_limit = {size}
virtual_mailbox_limit = 0
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/box
virtual_mailbox_maps = inline:{{ {maps} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_cert_file = {folder}/server.pem
smtpd_tls_key_file = {folder}/server.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/auth/smtp
smtpd_recipient_restrictions = permit_auth_destination, reject
smtpd_sender_restrictions = permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_data_restrictions =
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
"""
MASTER_CF = """\
127.0.0.1:{starttls} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_recipient_restrictions=check_policy_service,inet:127.0.0.1:{policy},permit_sasl_authenticated,reject
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
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
default_internal_user = dovecot
default_login_user = dovenull
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = scheme=PLAIN {folder}/users
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
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


OAUTH2_CONF = """\
introspection_mode = get
introspection_url = http://127.0.0.1:{tokens}/?access_token=
username_attribute = email
active_attribute = active
active_value = true
"""


class _Tokens(ThreadingHTTPServer):
    """Tells Dovecot whose access token it was given (RFC 7662), as the provider of a test does in ``whose``."""

    daemon_threads = True

    def __init__(self) -> None:
        self.whose: Callable[[str], str] = lambda _token: ""
        super().__init__(("127.0.0.1", 0), _Introspection)


class _Introspection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, _Tokens)
        account = self.server.whose(parse_qs(urlsplit(self.path).query).get("access_token", [""])[0])
        answer = json.dumps({"active": bool(account), "email": account}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


class _Policy(socketserver.ThreadingTCPServer):
    """Greylists one recipient by Postfix's policy protocol (SMTPD_POLICY_README), until a file is there."""

    daemon_threads = True

    def __init__(self, passed: Path) -> None:
        self.passed = passed
        super().__init__(("127.0.0.1", 0), _Questions)


class _Questions(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Policy)
        asked = b""
        for line in self.rfile:
            asked += line
            if line == b"\n":
                grey = f"recipient={GREY}\n".encode() in asked and not self.server.passed.exists()
                action = "DEFER_IF_PERMIT Greylisted, see http://postgrey.example/" if grey else "DUNNO"
                self.wfile.write(f"action={action}\n\n".encode())
                asked = b""


class Postfix(MailServer):
    """Postfix with Dovecot."""

    name = "postfix"
    connected = r"smtpd\[\d+\]: connect from"
    sign_in_refused = r"SASL (?:LOGIN|PLAIN|XOAUTH2|OAUTHBEARER) authentication failed"

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        import pwd

        super().__init__(folder, authority)
        for name in ("queue", "data", "auth", "dovecot", "etc"):
            (folder / name).mkdir(mode=0o755)
        self._policy = _Policy(self._passed)
        self.tokens = _Tokens()
        owner = pwd.getpwnam("nobody")
        os.chown(self.box, owner.pw_uid, owner.pw_gid)
        values = {
            "folder": folder,
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
            "domain": DOMAIN,
            "size": SIZE,
            "maps": ", ".join(f"{{{person} = {person.partition('@')[0]}/}}" for person in PEOPLE),
            "starttls": self.starttls,
            "tls": self.tls,
            "policy": self._policy.server_address[1],
            "tokens": self.tokens.server_address[1],
        }
        self._dovecot = folder / "dovecot.conf"
        self._dovecot.write_text(DOVECOT_CONF.format(**values))
        (folder / "oauth2.conf").write_text(OAUTH2_CONF.format(**values))
        # A colon in the password would end the field: hence base64.
        (folder / "users").write_text(f"{USER}:{{PLAIN.B64}}{base64.b64encode(PASSWORD.encode()).decode()}\n")
        self._etc = folder / "etc"
        for name in ("post-install", "postfix-files", "postfix-script"):
            shutil.copy(f"/etc/postfix/{name}", self._etc)
        (self._etc / "main.cf").write_text(MAIN_CF.format(**values))
        (self._etc / "master.cf").write_text(MASTER_CF.format(**values))
        shutil.chown(folder / "data", "postfix")

    def start(self) -> None:
        run("/usr/sbin/postfix", "-c", self._etc, "start")
        self.answers()

    def stop(self) -> None:
        run("/usr/sbin/postfix", "-c", self._etc, "abort")

    @contextlib.contextmanager
    def running(self) -> Iterator["Postfix"]:
        """Run everything."""
        asked = (self._policy, self.tokens)
        threads = [threading.Thread(target=one.serve_forever, name=type(one).__name__) for one in asked]
        for thread in threads:
            thread.start()
        run("/usr/sbin/dovecot", "-c", self._dovecot)
        try:
            self.start()
            try:
                yield self
            finally:
                self.stop()
        finally:
            number = int((self.folder / "dovecot" / "master.pid").read_text())
            run("/usr/bin/doveadm", "-c", self._dovecot, "stop")
            gone(number)
            for one, thread in zip(asked, threads, strict=True):
                one.shutdown()
                one.server_close()
                thread.join()

    def taken(self) -> int:
        """Return how many mails it said it queued since ``fresh``."""
        return len(re.findall(r"postfix/qmgr\[\d+\]: \w+: from=", self.said()))


@contextlib.contextmanager
def postfix(authority: trustme.CA) -> Iterator[Postfix]:
    """Run Postfix and Dovecot. Skips the test where they are missing."""
    program("postfix", "postfix")
    program("dovecot", "dovecot-core")
    with server_folder("postfix") as folder, Postfix(folder, authority).running() as server:
        yield server
