"""A report as it would be sent: chosen, built, looked at, sent and saved.

GUI thread only; it is built and written on ``vx-task``. One is built at a time: who chooses on meanwhile gets the last
one chosen.
"""

from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QProgressBar, QStackedWidget, QVBoxLayout, QWidget

from vxtray.core.errors import FileNotWritten, NotConfigured, UsageError, VxtrayError
from vxtray.core.mail.opened import OpenedMail, harmless, opened
from vxtray.core.reports.files import file_name
from vxtray.core.reports.making import Made
from vxtray.core.reports.period import Period, report_zone
from vxtray.core.settings.model import Change
from vxtray.core.texts import N_, _
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.mail_layout import laid_out
from vxtray.gui.mail_view import MailTabs
from vxtray.gui.pages.reports_period import PeriodChooser
from vxtray.gui.theme import theme
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Beside, Card, EmptyState, FlowRow, button, link_button, plain_label, primary_button

_HEIGHT = 560

#: Settings that no report depends on.
_OTHER = ("alerts.", "desktop.", "store.", "general.theme", "general.autostart")

_FIRST = N_("Show the preview first, then send or save it.")

_KINDS = (
    ("pdf", N_("PDF documents")),
    ("html", N_("Web pages")),
    ("csv", N_("CSV files")),
    ("json", N_("JSON files")),
    ("txt", N_("Text files")),
    ("eml", N_("Mails")),
)


class Built(NamedTuple):
    """A report, the mail that it makes (no bytes where it is not known yet from and to whom), and that taken apart."""

    made: Made
    data: bytes
    mail: OpenedMail

    def files(self) -> dict[str, bytes]:
        """Return what can be saved, by the ending of the file's name."""
        files = {name.rpartition(".")[2]: data for name, data in self.made.files().items()}
        return files | ({"eml": self.data} if self.data else {})


class ReportPreview(Card):
    """The card.

    Signals: ``told(text)`` with what went well; ``mail_wanted(id)`` when the person wants to see the mail that was
    queued; ``shown`` when another report is on show.
    """

    told = Signal(str)
    mail_wanted = Signal(int)
    shown = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__(_("Preview"))
        self._context = context
        self.built: Built | None = None
        self._building: Period | None = None
        self._wanted: Period | None = None
        self._live = self._sending = False
        self._mail = 0
        service = context.service
        self.chooser = PeriodChooser(service.clock, lambda: report_zone(context.model.current.reports))
        self.chooser.changed.connect(self._chosen)
        self.send_button, self.save_button = primary_button(_("Send now")), button(_("Save as…"))
        self.send_button.clicked.connect(self._send)
        self.save_button.clicked.connect(self._choose_file)
        self._period, self._whom = plain_label(role="strong"), plain_label(role="muted")
        self._sent = plain_label(role="muted", selectable=True)
        self.sent_link = link_button(_("Show in the history"))
        self.sent_link.clicked.connect(lambda: self.mail_wanted.emit(self._mail))
        self._sent_line = Beside(self._sent, self.sent_link)
        self.trouble = plain_label(role="trouble")
        self._empty = EmptyState(
            "reports",
            _("See a report before it is sent"),
            _("Choose a day, a week, a month or any days above. Nothing is sent until you press “Send now”."),
            _("Show the preview"),
        )
        self._empty.activated.connect(self.build)
        self.tabs = MailTabs()
        self._stack = QStackedWidget()
        self._lay_out()
        follow(self, context.model, self._settings_changed)
        self.refresh()

    def _lay_out(self) -> None:
        self._progress = QWidget()
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(_("Building the report…"))
        self.cancel_button = button(_("Cancel"))
        self.cancel_button.clicked.connect(self.cancel)
        row = QHBoxLayout(self._progress)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(plain_label(_("Building the report…"), wrap=False))
        row.addWidget(self._bar, 1)
        row.addWidget(self.cancel_button)
        self._progress.hide()
        about = QWidget()
        column = QVBoxLayout(about)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._period)
        column.addWidget(self._whom)
        for content in (self._empty, self.tabs):
            self._stack.addWidget(content)
        buttons = FlowRow(self.save_button, self.send_button, gap=8)
        for part in (self.chooser, Beside(about, buttons), self._sent_line, self._progress, self.trouble):
            self.add(part)
        self.add(self._stack, 1)
        self._sent_line.hide()
        self.trouble.hide()

    # --- building ----------------------------------------------------------------------------------------------------

    @Slot()
    def build(self) -> None:
        """Build the chosen report; from now on whatever is chosen is built at once."""
        self._live = True
        self._sent_line.hide()
        try:
            self._wanted = self.chooser.period()
        except (UsageError, OverflowError) as error:
            self._wanted = None
            self._fail(error)
            return
        self.trouble.hide()
        if self._building is None:
            self._begin()
        self.refresh()

    @Slot()
    def cancel(self) -> None:
        """Want no report any more; what is on show stays only where it is the one that is chosen."""
        self._live, wanted, self._wanted = False, self._wanted, None
        if self.built is not None and self.built.made.report.period != wanted:
            self.built = None
        self.refresh()

    @property
    def busy(self) -> bool:
        """True while the person waits for a report."""
        return self._wanted is not None

    def _begin(self) -> None:
        period = self._building = self._wanted
        assert period is not None
        service = self._context.service

        def work() -> Built:
            made = service.make_report(period)
            try:
                data = service.report_mail(made)
            except NotConfigured:
                return Built(made, b"", laid_out(_unsent(made)))
            return Built(made, data, laid_out(opened(data)))

        self._context.bridge.run(
            work, lambda built: self._ended(period, built), lambda error: self._ended(period, error), owner=self
        )

    def _ended(self, period: Period, became: "Built | Exception") -> None:
        self._building = None
        if self._wanted is None:
            return
        if self._wanted is not period:  # chosen meanwhile
            self._begin()
            return
        self._wanted = None
        if isinstance(became, Exception):
            self._fail(became)
            return
        self.built = became
        self.tabs.show_mail(became.mail)
        self.refresh()
        self.shown.emit()

    def _fail(self, error: Exception) -> None:
        self.built = None
        known = error if isinstance(error, VxtrayError) else UsageError(N_("There is no such day."))
        self.trouble.setText(words(known if isinstance(error, OverflowError) else error))
        self.trouble.show()
        self.refresh()

    @Slot()
    def _chosen(self) -> None:
        if self._live:
            self.build()
        else:
            self.refresh()

    def _settings_changed(self, change: Change) -> None:
        if self._live and any(not key.startswith(_OTHER) for key in change.keys):
            self.build()
        else:
            self.refresh()

    # --- how it stands -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Say which period it is and to whom it goes, and what cannot be done and why."""
        try:
            period = self.chooser.period()
        except (UsageError, OverflowError):
            self._period.setText(_("No period"))
        else:
            self._period.setText(self.chooser.words(period))
        self._progress.setVisible(self.busy)
        self._stack.setCurrentWidget(self.tabs if self.built is not None else self._empty)
        least = theme().px(_HEIGHT) if self.built is not None else self._empty.sizeHint().height()
        self._stack.setMinimumHeight(least)
        obstacle = self._obstacle()
        people = ", ".join(self._context.model.current.report_recipients)
        self._whom.setText(obstacle or _("Goes to {people}.", people=people))
        ready = self.built is not None and not self.busy
        self.send_button.setEnabled(ready and not obstacle and not self._sending)
        self.save_button.setEnabled(ready)
        for press, why in ((self.send_button, obstacle), (self.save_button, "" if self.built else _(_FIRST))):
            press.setToolTip(why)
            press.setAccessibleDescription(why or self._whom.text())

    def _obstacle(self) -> str:
        """Return why it cannot be sent or saved, "" where it can."""
        settings = self._context.model.current
        if not settings.smtp.configured:
            return _("It can be sent once the mail server is set up.")
        if not settings.report_recipients:
            return _("It can be sent once there are recipients.")
        if self.built is None and not self.busy:
            return _(_FIRST)
        return ""

    # --- sending and saving ------------------------------------------------------------------------------------------

    @Slot()
    def _send(self) -> None:
        """Queue what is on show."""
        if self.built is None:
            return
        service, made = self._context.service, self.built.made
        self._sending = True
        self.refresh()

        def work() -> tuple[str, int]:
            subject = service.send_report(made)
            return subject, next((mail.id for mail in service.outbox.entries(50) if mail.subject == subject), 0)

        self._context.bridge.run(work, lambda queued: self._queued(*queued), self._not_sent, owner=self)

    def _queued(self, subject: str, mail: int) -> None:
        self._sending = False
        self._mail = mail
        people = ", ".join(self._context.model.current.report_recipients)
        said = _("On its way to {people}.", people=people)
        self._sent.setText(_("Queued: {subject}", subject=subject))
        self.sent_link.setVisible(bool(mail))
        self._sent_line.show()
        self.refresh()
        self.told.emit(said)

    def _not_sent(self, error: Exception) -> None:
        self._sending = False
        self.trouble.setText(words(error))
        self.trouble.show()
        self.refresh()

    @Slot()
    def _choose_file(self) -> None:
        if self.built is None:
            return
        there = self.built.files()
        kinds = {f"{_(words)} (*.{ending})": ending for ending, words in _KINDS if ending in there}
        proposed = file_name(self.built.made.report.period, next(iter(kinds.values())))
        name, kind = QFileDialog.getSaveFileName(self, _("Save the report"), proposed, ";;".join(kinds))
        if name:
            path, ending = Path(name), kinds.get(kind, next(iter(kinds.values())))
            self.save_to(path if path.suffix[1:].lower() in there else path.with_name(f"{path.name}.{ending}"))

    def save_to(self, path: Path) -> None:
        """Write what is on show to a file, as what its name ends with."""
        if self.built is None:
            return
        built = self.built

        def work() -> None:
            try:
                path.write_bytes(built.files()[path.suffix[1:].lower()])
            except OSError as error:
                raise FileNotWritten(path=path, reason=error.strerror or str(error)) from error

        self.trouble.hide()
        self._context.bridge.run(
            work, lambda _none: self.told.emit(_("Saved as {name}.", name=path.name)), self._not_sent, owner=self
        )


def _unsent(made: Made) -> OpenedMail:
    """Return a report for reading while it is not known from whom and to whom it goes."""
    document = made.document
    return OpenedMail(
        text=document.text,
        html=harmless(document.html),
        images={image.cid: image.data for image in document.images},
        attachments=(),
        source="",
        cut=False,
    )
