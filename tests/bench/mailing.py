"""A program of its own that signs in to a mail server and listens for syslog, for the benchmarks of alerts."""

from pathlib import Path

from tests.core.mail.wire import PASSWORD, USER
from tests.e2e.vxtray_process import Vxtray
from tests.peers.mail_server import INBOX
from tests.peers.mail_servers import Receiver


def mailing_program(folder: Path, server: Receiver, syslog_port: int, *settings: str) -> Vxtray:
    """Set up a profile in a folder, with further ``settings`` as KEY=VALUE; nothing runs yet."""
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    (credentials / "smtp-password").write_text(PASSWORD)
    vxtray = Vxtray(folder / "profile", without_qt=True, TZ="UTC", CREDENTIALS_DIRECTORY=str(credentials))
    smtp = server.smtp
    given = {"host": smtp.host, "port": smtp.port, "username": USER, "from_address": USER, "recipients": INBOX}
    vxtray.run("smtp", "set", *(f"{name}={value}" for name, value in given.items()), f"ca_file={smtp.ca_file}")
    syslog = ("sources.syslog.enabled=true", f"sources.syslog.port={syslog_port}")
    vxtray.run("settings", "set", *syslog, *settings)
    return vxtray
