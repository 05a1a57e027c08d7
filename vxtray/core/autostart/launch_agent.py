"""macOS: a launchd agent of the person, read at the next login. Any thread.

``man launchd.plist``. What the person switches off under Login Items is kept by launchd itself and asked of it.
"""

import plistlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.parsers.expat import ExpatError

from vxtray.core.autostart.entry import AutostartFailed, Entry
from vxtray.core.errors import N_
from vxtray.core.settings.file import write_durably

_SECONDS = 5


def print_disabled() -> str:
    """Return what launchd says of switched-off agents, "" where it says nothing."""
    import os

    words = ["/bin/launchctl", "print-disabled", f"gui/{os.getuid()}"]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False).stdout  # noqa: S603 - constants
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""


class LaunchAgent:
    """The entry as ``~/Library/LaunchAgents/org.vxtray.NAME.plist``."""

    overrides = False  # launchd keeps the person's word beside the file

    def __init__(self, name: str, folder: Path | None = None, ask: Callable[[], str] = print_disabled) -> None:
        self._label = f"org.vxtray.{name}"
        self.path = (folder or Path.home() / "Library" / "LaunchAgents") / f"{self._label}.plist"
        self.place = str(self.path)
        self._ask = ask

    def read(self) -> Entry | None:
        """Return what the property list says, and launchd besides."""
        try:
            found = plistlib.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(error) from error
        except (plistlib.InvalidFileException, ExpatError, ValueError, OverflowError):  # as launchd cannot either
            return Entry(())
        words = found.get("ProgramArguments") if isinstance(found, dict) else None
        known = tuple(map(str, words)) if isinstance(words, list) else ()
        off = isinstance(found, dict) and found.get("Disabled") is True
        return Entry(known, disabled=off or is_disabled(self._ask(), self._label))

    def write(self, words: tuple[str, ...]) -> None:
        """Write the property list, whole or not at all."""
        try:
            content = plistlib.dumps(
                {
                    "Label": self._label,
                    "ProgramArguments": list(words),
                    "RunAtLoad": True,
                    "LimitLoadToSessionType": "Aqua",
                    "ProcessType": "Interactive",
                }
            )
            write_durably(self.path, content)
        except OSError as error:
            raise self._failed(error) from error
        except ValueError as error:  # a control character, which XML cannot hold
            reason = N_("its path has signs that no property list can hold")
            advice = N_("Move vxtray to a folder with a plain name.")
            raise AutostartFailed("", advice, place=self.place, reason=reason) from error

    def remove(self) -> None:
        """Delete the property list."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> AutostartFailed:
        return AutostartFailed(place=self.place, reason=error.strerror or str(error))


def is_disabled(said: str, label: str) -> bool:
    """True where ``launchctl print-disabled`` names the agent as off: ``=> disabled``, before macOS 13 ``=> true``."""
    return re.search(rf'"{re.escape(label)}" => (?:disabled|true)\b', said) is not None
