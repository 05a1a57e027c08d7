"""What window and tray can both do, as one set of QActions with one behaviour. GUI thread only.

Slow work goes through the bridge; the outcome is told by a signal, which the window shows as a quiet note or a banner
and the tray as a notification.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction, QFont, QKeySequence
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from vxtray.core import texts
from vxtray.core.alertroom import Pause
from vxtray.core.errors import N_, NotConfigured
from vxtray.core.mail.delivery import secret_for
from vxtray.core.mail.trial import Trial
from vxtray.core.reports.period import Cadence, machine_zone
from vxtray.core.texts import _, plural
from vxtray.gui.context import Context
from vxtray.gui.glance import Glance, short_moment
from vxtray.gui.panel import FirstActions, first_actions
from vxtray.gui.trouble import words
from vxtray.gui.trying import send_and_record

if TYPE_CHECKING:
    from vxtray.gui.pausing import PauseDialog  # with the window's parts

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
#: When the working day begins that a pause until tomorrow lasts to.
_MORNING = time(8)


def _bold() -> QFont:
    font = QFont()
    font.setBold(True)
    return font


class Actions(QObject):
    """The actions and menus.

    The menus are made anew at each call, and belong to their ``parent``: ``program_menu`` is all that the tray offers,
    ``report_menu`` and ``pause_menu`` are parts of it for buttons. ``glance`` says how everything stands.

    Signals: ``told(text, good)`` with the outcome of what the person asked for; ``show_wanted`` to raise the window;
    ``page_wanted(where)`` to raise it on a page, as ``MainWindow.go_to`` takes it; ``changed`` when something shown
    may have changed.
    """

    told = Signal(str, bool)
    show_wanted = Signal()
    page_wanted = Signal(str)
    changed = Signal()

    def __init__(self, context: Context, parent: QObject | None = None, first: FirstActions | None = None) -> None:
        """``first`` are those that the tray has shown since before the engine was there."""
        super().__init__(parent)
        self._context = context
        self.glance = Glance(context, self)
        self._state_line, self.open, self.quit = first or first_actions(self.show_wanted.emit, context.quit, self)
        self._state_line.setFont(_bold())
        self.quit.setShortcut(QKeySequence("Ctrl+Q"))  # the standard key is none on Windows
        self.send_test = self._action(_("Send test e-mail"), self._send_test)
        self.resume = self._action(_("Send alert mails again"), self._resume)
        self.acknowledge = self._action(_("Acknowledge alerts"), self.acknowledge_all)
        self.next_report = self._action("", lambda: self.page_wanted.emit("reports"))
        self.last_mail = self._action("", self._show_last_mail)
        self.queue = self._action("", self._show_queue)
        self.last_critical = self._action("", self._show_last_critical)
        self.settings = self._action(_("Settings…"), lambda: self.page_wanted.emit("settings"))
        self.import_files = self._action(_("Import log files…"), self._choose_files)
        self._pausing: PauseDialog | None = None
        self._menus: list[QMenu] = []  # which nothing else may hold
        self.changed.connect(self.glance.look_again)
        self.glance.changed.connect(self._show_glance)
        self._show_glance()

    @Slot()
    def _show_glance(self) -> None:
        """Say it in the menus, also in one that is open: no line comes or goes under the pointer."""
        glance = self.glance
        critical = glance.last_critical_words()
        lines = {
            self._state_line: glance.words,
            self.next_report: glance.next_report_words() or _("Next report: …"),
            self.last_mail: glance.last_mail_words(),
            self.queue: glance.queue_words(),
            self.last_critical: critical or _("Last critical: none yet"),
        }
        for action, text in lines.items():
            action.setText(text.replace("&", "&&"))
        self.last_mail.setEnabled(glance.mail.last is not None)
        self.last_critical.setEnabled(bool(critical))
        self.acknowledge.setEnabled(bool(glance.alerts.unacknowledged))
        self.resume.setEnabled(self._context.service.paused_until() is not None)

    def _action(self, text: str, call: Any) -> QAction:
        action = QAction(text, self)
        action.triggered.connect(lambda _checked=False: call())
        return action

    def program_menu(self, parent: QWidget | None = None) -> QMenu:
        """Return all that can be done without the window, under a line that says how everything stands."""
        menu = QMenu(_("Menu"), parent)
        self.fill(menu)
        return menu

    def fill(self, menu: QMenu) -> None:
        """Put ``program_menu`` into an empty menu, or around the lines of it that stand there already."""
        there, before = set(menu.actions()), None
        for line in reversed(self._lines(menu)):
            if line not in there:
                menu.insertAction(before, line)  # type: ignore[arg-type]  # none: at the end
            before = line
        menu.aboutToShow.connect(self.glance.look_again)

    def _lines(self, menu: QMenu) -> list[QAction]:
        def gap() -> QAction:
            line = QAction(menu)
            line.setSeparator(True)
            return line

        facts = (self.next_report, self.last_mail, self.queue, self.last_critical)
        mails = (self.send_test, self.report_menu(menu).menuAction(), self.pause_menu(menu).menuAction())
        return [
            self._state_line,
            gap(),
            *facts,
            gap(),
            *mails,
            self.acknowledge,
            gap(),
            self.open,
            self.settings,
            self.quit,
        ]

    def report_menu(self, parent: QWidget | None = None) -> QMenu:
        """Return a menu of the three reports, to send one now."""
        menu = QMenu(_("Send a report now"), parent)
        for cadence, text in _CADENCES:
            self._add(menu, _(text), partial(self.send_report, cadence))
        self._menus.append(menu)
        return menu

    def pause_menu(self, parent: QWidget | None = None) -> QMenu:
        """Return a menu to hold alert mails for a while, critical ones too if wanted, and to end that."""
        menu = QMenu(_("Pause alert mails"), parent)
        self._add_pauses(menu, everything=False)
        all_of_them = QMenu(_("Critical ones too"), menu)
        self._add_pauses(all_of_them, everything=True)
        menu.addSeparator()
        menu.addMenu(all_of_them)
        menu.addSeparator()
        menu.addAction(self.resume)
        self._menus.append(menu)
        return menu

    def _add_pauses(self, menu: QMenu, *, everything: bool) -> None:
        for duration, text in _PAUSES:
            self._add(menu, _(text), partial(self.pause, duration, everything=everything))
        morning = texts.format_time(self._tomorrow(), texts.current(), machine_zone())
        words = _("Until tomorrow, {time}", time=morning)
        self._add(menu, words, lambda: self.pause_until(self._tomorrow(), everything=everything))
        self._add(menu, _("Until…"), partial(self._choose_pause, everything=everything))

    @staticmethod
    def _add(menu: QMenu, text: str, call: Callable[[], None]) -> None:
        menu.addAction(text).triggered.connect(lambda _checked=False: call())

    # --- what they do ------------------------------------------------------------------------------------------------

    @Slot()
    def _send_test(self) -> None:
        smtp, credentials, service = self._context.model.current.smtp, self._context.credentials, self._context.service
        if not (smtp.configured and smtp.recipients):
            self._failed(NotConfigured())
            return
        self.send_test.setEnabled(False)
        self.glance.try_out(begins=True)
        language, cutoff = texts.current(), self._context.bridge.cutoff()

        def settled() -> None:
            self.send_test.setEnabled(True)
            self.glance.try_out(begins=False)

        def done(trial: Trial) -> None:
            settled()
            refused = ", ".join(address for address, word in trial.recipients.items() if not word.ok)
            if refused:
                self.told.emit(_("The server took the mail, but not for {recipients}.", recipients=refused), False)
            else:
                taken = ", ".join(trial.recipients)
                self.told.emit(_("The server took the test e-mail for {to}.", to=taken), True)
            self.changed.emit()

        def failed(error: Exception) -> None:
            settled()
            self._failed(error)

        self._context.bridge.run(
            lambda: send_and_record(service, smtp, secret_for(smtp, credentials, service.tokens), language, cutoff),
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

    def pause(self, duration: timedelta, *, everything: bool = False) -> None:
        """Hold alert mails for a while, critical ones too where ``everything``."""
        self.pause_until(self._context.service.clock() + duration, everything=everything)

    def pause_until(self, until: datetime, *, everything: bool = False) -> None:
        """Hold alert mails until a moment (aware)."""
        service = self._context.service

        def done(pause: Pause) -> None:
            moment = short_moment(pause.until, service.clock())
            if pause.everything:
                said = _("Alert mails are held until {time}, critical ones too; they are sent then.", time=moment)
            else:
                said = _("Alert mails are held until {time}; they are sent then.", time=moment)
            self.told.emit(said, True)
            self.changed.emit()

        self._context.bridge.run(
            lambda: service.alerts.pause(until, everything=everything), done, self._failed, owner=self
        )

    def _tomorrow(self) -> datetime:
        zone = machine_zone()
        day = self._context.service.clock().astimezone(zone).date() + timedelta(days=1)
        return datetime.combine(day, _MORNING, zone)

    def _choose_pause(self, *, everything: bool) -> None:
        from vxtray.gui.pausing import PauseDialog

        if self._pausing is not None:
            self._pausing.close()
        dialog = PauseDialog(self._tomorrow(), self._context.service.clock, everything=everything)
        dialog.chosen.connect(lambda until, everything: self.pause_until(until, everything=everything))
        self._pausing = dialog
        dialog.show()
        dialog.activateWindow()

    def _resume(self) -> None:
        def done(released: int) -> None:
            if released:
                said = plural("{n} held event is told now.", "{n} held events are told now.", released)
            else:
                said = _("Alert mails are sent again. Nothing was held.")
            self.told.emit(said, True)
            self.changed.emit()

        self._context.bridge.run(self._context.service.alerts.resume, done, self._failed, owner=self)

    @Slot()
    def acknowledge_all(self) -> None:
        """Take note of every alert that waits for it."""
        alerts = self._context.service.alerts

        def done(count: int) -> None:
            count += self.glance.took_note()
            self.told.emit(plural("{n} alert acknowledged.", "{n} alerts acknowledged.", count), True)
            self.changed.emit()

        self._context.bridge.run(alerts.acknowledge, done, self._failed, owner=self)

    def _show_last_critical(self) -> None:
        if (incident := self.glance.alerts.last_critical) is not None:
            self.page_wanted.emit(f"alerts:{incident.id}")

    def _show_last_mail(self) -> None:
        if (last := self.glance.mail.last) is not None:
            self.page_wanted.emit(f"history:{last.id}")

    def _show_queue(self) -> None:
        self.page_wanted.emit("lost" if self.glance.mail.failed else "history")

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
