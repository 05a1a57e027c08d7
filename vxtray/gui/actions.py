"""What window and tray can both do, as one set of QActions with one behaviour. GUI thread only.

Slow work goes through the bridge; the outcome is told by a signal, which the window shows as a quiet note or a banner
and the tray as a notification.
"""

from datetime import timedelta
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from vxtray.core import texts
from vxtray.core.errors import N_, NotConfigured
from vxtray.core.mail.delivery import secret_for
from vxtray.core.mail.trial import Trial
from vxtray.core.reports.period import Cadence
from vxtray.core.texts import _, plural
from vxtray.gui.context import Context
from vxtray.gui.trouble import words
from vxtray.gui.trying import send_and_record

_CADENCES = (
    (Cadence.DAILY, N_("Daily report")),
    (Cadence.WEEKLY, N_("Weekly report")),
    (Cadence.MONTHLY, N_("Monthly report")),
)
_PAUSES = (
    (timedelta(minutes=30), N_("For 30 minutes")),
    (timedelta(hours=1), N_("For 1 hour")),
    (timedelta(hours=8), N_("For 8 hours")),
)


class Actions(QObject):
    """The actions and menus.

    Signals: ``told(text, good)`` with the outcome of what the person asked for; ``show_wanted`` to raise the window;
    ``changed`` when something shown may have changed.
    """

    told = Signal(str, bool)
    show_wanted = Signal()
    changed = Signal()

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.open = self._action(_("Open vxtray"), self.show_wanted.emit)
        self.send_test = self._action(_("Send test e-mail"), self._send_test)
        self.quit = self._action(_("Quit vxtray"), context.quit)
        self.quit.setShortcut(QKeySequence("Ctrl+Q"))  # the standard key is none on Windows
        self.resume = self._action(_("Send alert mails again"), self._resume)
        self.import_files = self._action(_("Import log files…"), self._choose_files)
        self._menus: list[QMenu] = []

    def _action(self, text: str, call: Any) -> QAction:
        action = QAction(text, self)
        action.triggered.connect(lambda _checked=False: call())
        return action

    def report_menu(self, parent: QWidget | None = None) -> QMenu:
        """Return a menu of the three reports, to send one now."""
        menu = QMenu(_("Send a report now"), parent)
        for cadence, text in _CADENCES:
            menu.addAction(_(text)).triggered.connect(lambda _checked=False, cadence=cadence: self.send_report(cadence))
        self._menus.append(menu)
        return menu

    def pause_menu(self, parent: QWidget | None = None) -> QMenu:
        """Return a menu to hold alert mails for a while, and to end that."""
        menu = QMenu(_("Pause alert mails"), parent)
        for duration, text in _PAUSES:
            menu.addAction(_(text)).triggered.connect(lambda _checked=False, duration=duration: self.pause(duration))
        menu.addSeparator()
        menu.addAction(self.resume)
        self._menus.append(menu)
        return menu

    # --- what they do ------------------------------------------------------------------------------------------------

    @Slot()
    def _send_test(self) -> None:
        smtp, credentials, service = self._context.model.current.smtp, self._context.credentials, self._context.service
        if not (smtp.configured and smtp.recipients):
            self._failed(NotConfigured())
            return
        self.send_test.setEnabled(False)
        language, cutoff = texts.current(), self._context.bridge.cutoff()

        def done(trial: Trial) -> None:
            self.send_test.setEnabled(True)
            refused = ", ".join(address for address, word in trial.recipients.items() if not word.ok)
            if refused:
                self.told.emit(_("The server took the mail, but not for {recipients}.", recipients=refused), False)
            else:
                taken = ", ".join(trial.recipients)
                self.told.emit(_("The server took the test e-mail for {to}.", to=taken), True)
            self.changed.emit()

        def failed(error: Exception) -> None:
            self.send_test.setEnabled(True)
            self._failed(error)

        self._context.bridge.run(
            lambda: send_and_record(service, smtp, secret_for(smtp, credentials), language, cutoff),
            done,
            failed,
            owner=self,
        )

    def send_report(self, cadence: Cadence) -> None:
        """Queue the report of the last complete period."""
        service = self._context.service
        self._context.bridge.run(
            lambda: service.send_report(cadence),
            lambda subject: self.told.emit(_("Queued: {subject}", subject=subject), True),
            self._failed,
            owner=self,
        )

    def pause(self, duration: timedelta) -> None:
        """Hold alert mails for a while."""
        service = self._context.service

        def done(until: Any) -> None:
            time = texts.format_time(until.astimezone(), texts.current())
            self.told.emit(_("Alert mails are held until {time}; they are sent then.", time=time), True)
            self.changed.emit()

        self._context.bridge.run(lambda: service.pause_alerts(duration), done, self._failed, owner=self)

    def _resume(self) -> None:
        def done(released: int) -> None:
            self.told.emit(plural("{n} held mail leaves now.", "{n} held mails leave now.", released), True)
            self.changed.emit()

        self._context.bridge.run(self._context.service.resume_alerts, done, self._failed, owner=self)

    @Slot()
    def _choose_files(self) -> None:
        names, _kind = QFileDialog.getOpenFileNames(None, _("Import log files"), "", "")
        if names:
            self.load(names)

    def load(self, names: list[str]) -> None:
        """Read log files into the store; old lines raise no alerts."""
        service = self._context.service

        def done(result: Any) -> None:
            self.import_files.setEnabled(True)
            said = _(
                "{stored} events stored, {duplicates} lines known already, {rejected} not understood.",
                stored=texts.format_number(result.stored, texts.current()),
                duplicates=texts.format_number(result.duplicates, texts.current()),
                rejected=texts.format_number(result.rejected, texts.current()),
            )
            self.told.emit(said, True)
            self.changed.emit()

        def failed(error: Exception) -> None:
            self.import_files.setEnabled(True)
            self._failed(error)

        self.import_files.setEnabled(False)
        self.told.emit(_("Reading the log files…"), True)
        self._context.bridge.run(lambda: service.import_files(names), done, failed, owner=self)

    def _failed(self, error: Exception) -> None:
        self.told.emit(words(error), False)
