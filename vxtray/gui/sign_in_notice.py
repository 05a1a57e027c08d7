"""That Microsoft ends passwords, for profiles that still use one: a dated notice that may be put off for 30 days.

GUI thread only; that it was put off is remembered beside the outbox, on ``vx-task``.
"""

from datetime import datetime, timedelta

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QWidget

from vxtray.core.errors import StoreError
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.sign_in_words import password_notice
from vxtray.gui.widgets import Banner, Kind

#: So long a notice that was put off stays away.
PUT_OFF = timedelta(days=30)

_FACT = "password-notice-put-off"  # HOST TAB MOMENT


class PasswordNotice(Banner):
    """Shows itself where it concerns the saved mail server, and nobody put it off.

    Signals: ``activated`` to switch to signing in, ``failed(error)`` where it could not be put off.
    """

    failed = Signal(object)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(Kind.WARNING, "", parent=parent, later=_("Remind me in 30 days"))
        self._context = context
        self.put_off.connect(self._put_off)

    @Slot()
    def refresh(self) -> None:
        """Look at the saved settings and the date."""
        service = self._context.service
        text = password_notice(self._context.model.current.smtp, service.clock())
        self.show_message(Kind.WARNING, text, _("Switch to sign-in"))
        self.setVisible(bool(text) and not self._is_put_off())

    def _is_put_off(self) -> bool:
        service = self._context.service
        try:
            host, _tab, moment = service.outbox.fact(_FACT).partition("\t")
            until = datetime.fromisoformat(moment) + PUT_OFF
        except (StoreError, ValueError):
            return False
        return host == self._context.model.current.smtp.host and service.clock() < until

    @Slot()
    def _put_off(self) -> None:
        service, host = self._context.service, self._context.model.current.smtp.host
        words = f"{host}\t{service.clock().isoformat()}"
        self._context.bridge.run(
            lambda: service.outbox.set_fact(_FACT, words),
            lambda _none: self.refresh(),
            self.failed.emit,
            owner=self,
        )
