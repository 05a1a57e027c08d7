"""One try to sign in with a provider, in the browser or by a code. GUI thread only; it waits on ``vx-wait``."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from vxtray.core.credentials import Secret
from vxtray.core.mail.transport import Cutoff
from vxtray.core.settings.tree import Smtp
from vxtray.gui.bridge import Bridge

if TYPE_CHECKING:
    from vxtray.core.mail.oauth.flow import Granted

#: So long a person may take in the browser.
LIMIT_SECONDS = 300


class Attempt(QObject):
    """One sign-in with settings that stay as they were at its beginning.

    Signals: ``opened(url)`` when the browser was asked to open it; ``coded(Code)`` with the code to enter elsewhere;
    ``granted(Granted)`` or ``failed(error)`` at the end, neither after ``cancel``.
    """

    opened = Signal(str)
    coded = Signal(object)
    granted = Signal(object)
    failed = Signal(object)

    def __init__(self, bridge: Bridge, smtp: Smtp, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._cutoff = cutoff = bridge.cutoff()
        self.destroyed.connect(lambda _gone: cutoff.cut())  # a window in another language takes this one's place
        self.smtp = smtp

    def start(self, secret: Callable[[], Secret | None], *, by_code: bool) -> None:
        """Begin; ``secret`` (the client secret) is asked for on the other thread, since a keyring may block."""
        smtp, cutoff = self.smtp, self._cutoff

        def work() -> "Granted":
            if by_code:
                return _with_code(smtp, secret(), lambda code: self._tell(lambda: self.coded.emit(code)), cutoff)
            return _in_browser(smtp, secret(), lambda url: self._tell(lambda: self.opened.emit(url)), cutoff)

        self._bridge.run(work, self._granted, self._failed, owner=self, waits=True)

    def cancel(self) -> None:
        """End it, and hear no more of it."""
        self._cutoff.cut()
        self.deleteLater()

    def _tell(self, what: Callable[[], None]) -> None:
        self._bridge.call(lambda: what() if isValid(self) and not self._cutoff.is_cut() else None)

    def _granted(self, granted: "Granted") -> None:
        if not self._cutoff.is_cut():
            self.granted.emit(granted)

    def _failed(self, error: Exception) -> None:
        if not self._cutoff.is_cut():
            self.failed.emit(error)


def _in_browser(smtp: Smtp, secret: Secret | None, on_url: Callable[[str], None], cutoff: Cutoff) -> "Granted":
    from vxtray.core.mail.oauth.flow import sign_in, system_browser

    return sign_in(smtp, secret, open_browser=system_browser, on_url=on_url, cutoff=cutoff, limit_seconds=LIMIT_SECONDS)


def _with_code(smtp: Smtp, secret: Secret | None, on_code: Callable[[object], None], cutoff: Cutoff) -> "Granted":
    from vxtray.core.mail.oauth.device import sign_in_with_code

    return sign_in_with_code(smtp, secret, on_code=on_code, cutoff=cutoff)
