"""Exim, in the foreground, with a folder and a configuration of the test's own."""

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.core.mail.wire import PASSWORD, USER
from tests.peers.mail_server import DOMAIN, GREY, PEOPLE, SIZE, MailServer, Namespace, end, program, server_folder

#: The user that Debian's Exim is compiled for.
OWNER = "Debian-exim"

CONFIGURATION = """\
primary_hostname = mail.example.com
exim_path = {binary}
keep_environment =
spool_directory = {folder}/spool
log_file_path = {folder}/log/exim-%s.log
pid_file_path = {folder}/spool/exim.pid
log_selector = +smtp_connection
write_rejectlog = false
local_interfaces = 127.0.0.1
daemon_smtp_ports = {starttls} : {tls}
tls_on_connect_ports = {tls}
tls_certificate = {folder}/spool/server.pem
tls_privatekey = {folder}/spool/server.pem
tls_advertise_hosts = *
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}}}
rfc1413_query_timeout = 0s
host_lookup =
deliver_drop_privilege = true
message_size_limit = {size}
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 5000
acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept

begin acl
check_mail:
  deny message = 5.7.0 Authentication required
       !authenticated = *
  accept
check_rcpt:
  defer message = 4.7.1 Greylisted, please try again in 300 seconds
        recipients = {grey}
        condition = ${{if exists{{{folder}/passed}}{{no}}{{yes}}}}
  require message = Unrouteable address
          verify = recipient
  accept

begin routers
people:
  driver = accept
  domains = {domain}
  local_parts = {people}
  transport = box

begin transports
box:
  driver = appendfile
  maildir_format
  directory = {folder}/box/$local_part_data
  create_directory
  user = {owner}
  group = {owner}

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{${{sha256:$auth3}}}}{{{digest}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{user}}}}}{{eq{{${{sha256:$auth2}}}}{{{digest}}}}}}}}}
  server_set_id = $auth1
"""


class Exim(MailServer):
    """Exim."""

    name = "exim-main"
    connected = r"SMTP connection from \S+ \(TCP/IP connection count"
    sign_in_refused = r"(?:login|plain) authenticator failed"

    def __init__(self, folder: Path, authority: trustme.CA, binary: Path) -> None:
        super().__init__(folder, authority)
        self._binary = binary
        self._space = Namespace(folder, [OWNER], {})
        owner = self._space.ids[OWNER]
        (folder / "spool").mkdir()
        (folder / "server.pem").rename(folder / "spool" / "server.pem")
        for place in ("spool", "spool/server.pem", "log", "box"):
            os.chown(folder / place, owner, owner)
        self._configuration = folder / "exim.conf"
        self._configuration.write_text(
            CONFIGURATION.format(
                folder=folder,
                binary=binary,
                starttls=self.starttls,
                tls=self.tls,
                size=SIZE,
                domain=DOMAIN,
                grey=GREY,
                people=" : ".join(person.partition("@")[0] for person in PEOPLE),
                owner=OWNER,
                user=USER,
                digest=hashlib.sha256(PASSWORD.encode()).hexdigest().upper(),
            )
        )
        self._configuration.chmod(0o644)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = self._space.popen(self._binary, "-C", self._configuration, "-bdf", "-q1m")
        self.answers()

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)
            self._process = None


@contextlib.contextmanager
def exim(authority: trustme.CA) -> Iterator[Exim]:
    """Run Exim. Skips the test where it is missing."""
    binary = program("exim4", "exim4-daemon-light")
    with server_folder("exim") as folder:
        server = Exim(folder, authority, binary)
        try:
            server.start()
            yield server
        finally:
            server.stop()
