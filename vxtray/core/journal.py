"""The program's own log: a file that is turned over, one record a line, and never a secret in it.

Set up once, on the main thread; written from any.
"""

import logging
import logging.handlers
import sys

from vxtray.core.credentials import redact
from vxtray.core.paths import Profile, private_folder
from vxtray.core.revision import version_line

log = logging.getLogger("vxtray")


class _Redacting(logging.Formatter):
    """Writes records on one line each, without any secret that this process used."""

    def format(self, record: logging.LogRecord) -> str:
        text = redact(super().format(record))
        return text.replace("\r", "\\r").replace("\n", "\n    ")


def write_log(profile: Profile, level: str = "INFO") -> None:
    """Keep the program's log in its file (three of 1 MiB); its first line names the version and revision."""
    try:
        private_folder(profile.logs)
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            profile.log_file, maxBytes=1 << 20, backupCount=3, encoding="utf-8", errors="backslashreplace"
        )
        profile.log_file.chmod(0o600)
    except OSError as error:  # a log that cannot be written must not stop the mail
        handler = logging.StreamHandler(sys.stderr)
        log.warning("the log %s cannot be written: %s", profile.log_file, error)
    _attach(handler, level)
    log.info("%s on Python %s, profile %s", version_line(), sys.version.split()[0], profile.config)


def log_to_terminal(level: str) -> None:
    """Show the log of a command on standard error."""
    _attach(logging.StreamHandler(sys.stderr), level)


def _attach(handler: logging.Handler, level: str) -> None:
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False
