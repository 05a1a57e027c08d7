"""The two tests of the mail server's dialog: the connection step by step, and a test e-mail.

GUI thread only; keyring and mail server are asked on ``vx-task``.
"""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot

from vxtray.core import texts
from vxtray.core.credentials import Secret
from vxtray.core.mail.faults import Stage
from vxtray.core.mail.replies import words_of
from vxtray.core.mail.trial import Trial
from vxtray.core.settings.tree import Smtp
from vxtray.core.texts import _
from vxtray.gui.context import Context
from vxtray.gui.doctor_view import DoctorView, Examination
from vxtray.gui.trying import send_and_record


class Tests(QObject):
    """Runs one test at a time and shows it in a ``DoctorView``; ``stop`` forgets it.

    Signals: ``ended`` when a test came to its end, ``moved`` when there is more to see of it.
    """

    ended = Signal()
    moved = Signal()

    def __init__(self, context: Context, doctor: DoctorView, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._doctor = doctor
        self._examination: Examination | None = None
        self._run = 0  # counts up at each end: an answer to an earlier test is nobody's any more

    def examine(self, smtp: Smtp, secret: Callable[[], Secret | None]) -> None:
        """Test the connection with these settings; ``secret`` is asked for on the other thread."""
        self.stop()
        self._examination = Examination(self._context.bridge, self)
        self._doctor.follow(self._examination, smtp)
        self._examination.warned.connect(self.moved)
        self._examination.stepped.connect(self.moved)
        self._examination.finished.connect(self.ended)
        self._examination.failed.connect(self._failed)
        self._examination.start(smtp, secret)

    def send(self, smtp: Smtp, secret: Callable[[], Secret | None]) -> None:
        """Send the test e-mail with these settings."""
        self.stop()
        self._doctor.begin(_("Sending a test e-mail to {recipients}…", recipients=", ".join(smtp.recipients)))
        self.moved.emit()
        language, service, run = texts.current(), self._context.service, self._run
        cutoff = self._context.bridge.cutoff()
        self._context.bridge.run(
            lambda: send_and_record(service, smtp, secret(), language, cutoff),
            lambda trial: self._sent(trial) if run == self._run else None,
            lambda error: self._failed(error) if run == self._run else None,
            owner=self,
        )

    def stop(self) -> None:
        """Hear no more of a test that runs."""
        self._run += 1
        if self._examination is not None:
            self._examination.cancel()

    def _sent(self, trial: Trial) -> None:
        refused = {address: word.reply for address, word in trial.recipients.items() if not word.ok}
        if refused:
            lines = [_("The server took the mail, but not for {recipients}.", recipients=", ".join(refused))]
        else:
            lines = [
                _("The server took the mail for {recipients}.", recipients=", ".join(trial.recipients)),
                _("Server's words: {reply}", reply=trial.reply),
            ]
        for reply in dict.fromkeys(refused.values()):
            found = words_of(Stage.RECIPIENTS, reply)
            lines.append(found.in_language(texts.current()) if found else _(reply))
            lines.append(_("Server's words: {reply}", reply=reply) if found else "")
        self._doctor.say("\n".join(filter(None, lines)), good=trial.ok)
        self.moved.emit()
        self.ended.emit()

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        self._doctor.say_error(error)
        self.moved.emit()
        self.ended.emit()
