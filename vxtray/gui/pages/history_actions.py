"""What can be done with mails of the history: open, try, send again, cancel, and take that back. GUI thread only.

The outbox is changed on ``vx-task``; the page sees the change by its notices.
"""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from vxtray.core import texts
from vxtray.core.errors import UsageError
from vxtray.core.mail.admin_note import note_for_admin
from vxtray.core.mail.opened import opened
from vxtray.core.mail.outbox import Entry, State
from vxtray.core.mail.plaintext import one_line
from vxtray.core.texts import _, plural
from vxtray.gui.context import Context
from vxtray.gui.mail_layout import laid_out
from vxtray.gui.mail_view import MailContent, MailView
from vxtray.gui.pages.history_details import Shown
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Banner, Kind

_UNDO_MS = 10_000

_LOST = (State.FAILED, State.EXPIRED)
_WAITS = (State.QUEUED, State.HELD)


class HistoryActions(QObject):
    """The actions; ``undo`` is the banner that offers to take a cancel back, for the page to place.

    Signals: ``told(text, good)`` with the outcome.
    """

    told = Signal(str, bool)

    def __init__(self, context: Context, page: QWidget) -> None:
        super().__init__(page)
        self._context = context
        self._page = page
        self._cancelled: list[Entry] = []
        self.mail_view: MailView | None = None
        self.undo = Banner(Kind.INFO, "", _("Undo"), page)  # or it would outlive a page that does not place it
        self.undo.hide()
        self.undo.activated.connect(self._restore)
        self._undo_timer = QTimer(self, singleShot=True, interval=_UNDO_MS)
        self._undo_timer.timeout.connect(self.undo.hide)

    def menu(self, mail: Entry | None, menu: QMenu) -> QMenu:
        """Add to a menu what can be done with a mail."""
        if mail is None:
            return menu
        menu.addSeparator()
        menu.addAction(_("Open the mail")).triggered.connect(lambda: self.open(mail))
        if mail.state == State.SENT:
            menu.addAction(_("Send again")).triggered.connect(lambda: self.resend(mail))
        elif mail.state != State.SENDING:
            again = _("Try now") if mail.state in _WAITS else _("Try again")
            menu.addAction(again).triggered.connect(lambda: self.retry(mail))
        if mail.state in (*_LOST, *_WAITS):
            away = _("Dismiss") if mail.state in _LOST else _("Cancel")
            menu.addAction(away).triggered.connect(lambda: self.cancel(mail))
        return menu

    def open(self, mail: Entry) -> None:
        """Show a mail as it was sent, in a window of its own."""
        outbox = self._context.service.outbox

        def work() -> tuple[list[str], MailContent | None]:
            _entry, people, _attempts, data = outbox.entry(mail.id)
            return list(people), MailContent(data, laid_out(opened(data))) if data else None

        def done(answer: tuple[list[str], MailContent | None]) -> None:
            people, content = answer
            if content is None:
                self.told.emit(_("This mail cannot be read from the disk any more."), False)
                return
            self.mail_view = MailView(self._context, mail, people, content, self._page)
            self.mail_view.destroyed.connect(self._forget_view)
            self.mail_view.show()

        self._run(work, done)

    def _forget_view(self) -> None:
        self.mail_view = None

    def retry(self, mail: Entry) -> None:
        """Try a mail again now."""
        service = self._context.service
        self._run(lambda: service.retry_mail(mail.id), lambda _none: self.told.emit(_("It is tried now."), True))

    def resend(self, mail: Entry) -> None:
        """Queue the content of a mail once more."""
        service = self._context.service
        self._run(lambda: service.resend_mail(mail.id), lambda _id: self.told.emit(_("It is sent once more."), True))

    def cancel(self, mail: Entry) -> None:
        """Take a mail out of the queue, or take note that it was not delivered."""
        if mail.state not in (*_LOST, *_WAITS):
            return
        service = self._context.service

        def work() -> list[Entry]:
            now = service.outbox.entry(mail.id)[0]
            service.cancel_mail(mail.id)
            return [now]

        subject = one_line(mail.subject.removeprefix("[vxtray] "), 80)
        dismissed, cancelled = _("Dismissed: {subject}", subject=subject), _("Cancelled: {subject}", subject=subject)
        self._run(work, lambda before: self._offer_undo(before, dismissed if mail.state in _LOST else cancelled))

    def dismiss_all(self) -> None:
        """Take note of every mail that was not delivered."""
        service = self._context.service

        def work() -> list[Entry]:
            lost = service.outbox.search(states=_LOST, limit=1_000_000)
            service.dismiss_undelivered()
            return lost

        def done(lost: list[Entry]) -> None:
            self._offer_undo(lost, plural("{n} mail dismissed.", "{n} mails dismissed.", len(lost)))

        self._run(work, done)

    def copy_note(self, shown: Shown) -> None:
        """Put a note for the mail administrator on the clipboard."""
        if (fault := shown.fault()) is not None:
            found, reply = fault
            note = note_for_admin(found, self._context.model.current.smtp, reply, texts.current())
            QGuiApplication.clipboard().setText(note)
            self.told.emit(_("Copied"), True)

    def _offer_undo(self, before: Sequence[Entry], text: str) -> None:
        self._cancelled = list(before)
        self.undo.show_message(Kind.INFO, text, _("Undo"))
        self.undo.show()
        self._undo_timer.start()

    def _restore(self) -> None:
        self._undo_timer.stop()
        self.undo.hide()
        service, before = self._context.service, self._cancelled

        def work() -> None:
            for mail in before:
                try:
                    service.restore_mail(mail)
                except UsageError:
                    if len(before) == 1:  # of many, some were tried again meanwhile
                        raise

        self._run(work, lambda _none: self.told.emit(_("Taken back"), True))

    def _run(self, work: Callable[[], object], done: Callable[..., None]) -> None:
        self._context.bridge.run(work, done, lambda error: self.told.emit(words(error), False), owner=self)
