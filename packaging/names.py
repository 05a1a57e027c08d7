"""What every package calls the program: the version, and the names by which systems know it. Pure, read by the scripts
beside this file; ``tests/project/test_packaging.py`` holds them against the program's own.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: AppStream, Flatpak, macOS (bundle identifier) and Windows (AppUserModelID).
APPLICATION_ID = "org.vxtray.vxtray"

#: The desktop file's name, which is also the window's class and the icon's name.
DESKTOP_ID = "vxtray"

SUMMARY = "Security reports and alerts by e-mail"
COPYRIGHT = "Copyright 2026 vxtray contributors"


def version() -> str:
    """Return the version that ``vxtray/__init__.py`` states."""
    text = (ROOT / "vxtray" / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+[^"]*)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit("vxtray/__init__.py states no version")
    return found[1]


if __name__ == "__main__":
    print(version())
