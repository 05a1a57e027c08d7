"""The name by which Windows groups windows and shows notifications. GUI thread, before the first window.

https://learn.microsoft.com/windows/win32/shell/appids: the same id as that of the shortcut which the installer makes.
"""

import sys

#: Also the bundle's identifier on macOS, and the component's in AppStream.
APPLICATION_ID = "org.vxtray.vxtray"


def claim() -> None:
    """Tell Windows the name; elsewhere the desktop file or the bundle says it."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.shell32.SetCurrentProcessExplicitAppUserModelID(APPLICATION_ID)
