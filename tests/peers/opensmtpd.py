"""OpenSMTPD, in the foreground, in a view of the file system in which its fixed folders are the test's own."""

import contextlib
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme

from tests.core.mail.wire import PASSWORD, USER
from tests.peers.desktop import until
from tests.peers.mail_server import (
    DOMAIN,
    GREY,
    PEOPLE,
    SIZE,
    MailServer,
    Namespace,
    end,
    free_ports,
    program,
    server_folder,
)
from vxtray.core.settings.tree import Security, Smtp

#: The users that Debian's OpenSMTPD is compiled for.
OWNERS = ("opensmtpd", "opensmtpq")
BOX_OWNER = 64003

CONFIGURATION = """\
pki mail cert "{folder}/server.crt"
pki mail key "{folder}/server.key"
smtp max-message-size {size}
table signed file:{folder}/signed
table people file:{folder}/people
table users file:{folder}/users
filter grey proc-exec "/bin/sh {folder}/grey.sh"
listen on 127.0.0.1 port {starttls} tls-require pki mail auth <signed> hostname mail.example.com filter grey
listen on 127.0.0.1 port {tls} smtps pki mail auth <signed> hostname mail.example.com filter grey
listen on 127.0.0.1 port {plain} hostname mail.example.com filter grey
action box maildir "{folder}/box/%{{dest.user}}" userbase <users>
match from any for domain {domain} rcpt-to <people> action box
"""

#: smtpd-filters(7): answers each RCPT; the recipient is the last field.
GREY_FILTER = """\
while IFS= read -r line; do
    case "$line" in
        'config|ready')
            echo 'register|filter|smtp-in|rcpt-to'
            echo 'register|ready' ;;
        filter*)
            rest=${{line#*|*|*|*|*|}}
            session=${{rest%%|*}}
            rest=${{rest#*|}}
            token=${{rest%%|*}}
            case "$line" in
                *'{grey}'*) [ -e {folder}/passed ] && verdict=proceed ||
                    verdict='reject|451 4.7.1 Greylisted, please come back in 5 minutes' ;;
                *) verdict=proceed ;;
            esac
            echo "filter-result|$session|$token|$verdict" ;;
    esac
done
"""


class OpenSmtpd(MailServer):
    """OpenSMTPD."""

    name = "opensmtpd"
    connected = r"smtp connected"
    sign_in_refused = r"smtp authentication user=\S+ result=permfail"

    def __init__(self, folder: Path, authority: trustme.CA, binary: Path) -> None:
        super().__init__(folder, authority)
        self.log = folder / "log" / "output.txt"
        self._binary = binary
        (self._plain,) = free_ports(1)
        #: Debian 12's version cannot sign with OpenSSL 3: https://github.com/OpenSMTPD/OpenSMTPD/issues/1171
        self.speaks_tls = True
        places = {"/var/spool": "spool", "/var/lib": "lib", "/run": "run"}
        for name in places.values():
            (folder / name).mkdir(mode=0o755)
        (folder / "lib" / "opensmtpd" / "empty").mkdir(parents=True)
        mounts = {where: folder / name for where, name in places.items()}
        programs = binary.parents[1] / "libexec"
        if programs != Path("/usr/libexec"):
            mounts["/usr/libexec"] = programs
        self._space = Namespace(folder, [*OWNERS, "vxbox"], mounts)
        os.chown(self.box, BOX_OWNER, BOX_OWNER)
        self._configuration = folder / "smtpd.conf"
        self._write()
        self._process: subprocess.Popen[bytes] | None = None

    def _write(self) -> None:
        folder = self.folder
        command = ["openssl", "passwd", "-6", "-stdin"]
        done = subprocess.run(command, input=PASSWORD.encode(), capture_output=True, check=True)
        (folder / "signed").write_text(f"{USER} {done.stdout.decode().strip()}\n")
        (folder / "people").write_text("\n".join(PEOPLE) + "\n")
        names = [person.partition("@")[0] for person in PEOPLE]
        (folder / "users").write_text("".join(f"{name} {BOX_OWNER}:{BOX_OWNER}:{self.box}\n" for name in names))
        (folder / "grey.sh").write_text(GREY_FILTER.format(folder=folder, grey=GREY))
        self._configuration.write_text(
            CONFIGURATION.format(
                folder=folder, plain=self._plain, starttls=self.starttls, tls=self.tls, size=SIZE, domain=DOMAIN
            )
        )

    def start(self) -> None:
        self._process = self._space.popen(self._binary, "-d", "-f", self._configuration)
        self.answers()
        context = ssl.create_default_context(cafile=self.ca_file)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.tls), 5) as sock,
                context.wrap_socket(sock, server_hostname="localhost"),
            ):
                pass
        except ssl.SSLError:
            self.speaks_tls = False
        until(lambda: "smtp disconnected" in self.said(), "the trial is logged")

    def settings(self, security: Security = Security.STARTTLS, **changes: Any) -> Smtp:
        """Return the settings that lead here; without TLS there is no sign-in either."""
        if not self.speaks_tls:
            changes = {"port": self._plain, "username": ""} | changes
            security = Security.NONE
        return super().settings(security, **changes)

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)
            self._process = None


@contextlib.contextmanager
def opensmtpd(authority: trustme.CA) -> Iterator[OpenSmtpd]:
    """Run OpenSMTPD. Skips the test where it is missing."""
    binary = program("smtpd", "opensmtpd")
    with server_folder("opensmtpd") as folder:
        server = OpenSmtpd(folder, authority, binary)
        try:
            server.start()
            yield server
        finally:
            server.stop()
