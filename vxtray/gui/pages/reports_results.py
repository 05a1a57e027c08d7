"""What became of the last scheduled report of each kind, in words and with the way to its mail. GUI thread only."""

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.mail.outbox import Entry, State
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import Reader
from vxtray.core.mail.replies import words_of
from vxtray.core.postroom import Waiting
from vxtray.core.reports.document import period_in_words
from vxtray.core.reports.period import Period
from vxtray.core.reports.results import Result
from vxtray.core.texts import N_, _, plural
from vxtray.gui.pages.history_words import why_waits
from vxtray.gui.theme import theme
from vxtray.gui.widgets import FlowRow, Kind, Pill, ToggleRow, link_button, plain_label

_NAMED = 3
_PILLS = {
    State.QUEUED: (Kind.INFO, N_("Waiting")),
    State.SENDING: (Kind.INFO, N_("Being sent")),
    State.HELD: (Kind.INFO, N_("Held")),
    State.SENT: (Kind.GOOD, N_("Sent")),
    State.FAILED: (Kind.DANGER, N_("Not delivered")),
    State.EXPIRED: (Kind.DANGER, N_("Given up")),
    State.CANCELLED: (Kind.WARNING, N_("Cancelled")),
}


def result_words(result: Result, waiting: Waiting | None, now: datetime, *, configured: bool) -> str:
    """Return what became of the last report, and which ones were left out."""
    said = []
    if result.period is not None and result.mail is None:
        said.append(_("Last: {period}.", period=_named(result.period)))
    elif result.period is not None and result.mail is not None:
        said += [
            _("Last: {period}.", period=_named(result.period)),
            _fate(result, result.mail, waiting, now, configured),
        ]
    if result.skipped:
        said.append(_left_out(result.skipped))
    return " ".join(filter(None, said))


def _fate(result: Result, mail: Entry, waiting: Waiting | None, now: datetime, configured: bool) -> str:
    if mail.state == State.SENT:
        taken = _("The mail server took it {when}.", when=_moment(mail.settled_at))
        if not result.refused:
            return taken
        missed = plural("{n} recipient did not get it.", "{n} recipients did not get it.", result.refused)
        return f"{taken} {missed}"
    if mail.state == State.CANCELLED:
        return _("Its mail was cancelled {when}.", when=_moment(mail.settled_at))
    if mail.state in (State.FAILED, State.EXPIRED):
        found = words_of(result.stage, mail.reply)
        why = found.in_language(texts.current()) if found else _("The mail server refused it.")
        return why if found or not mail.reply else f"{why} {one_line(mail.reply, 200)}"
    return why_waits(mail, waiting, None, now, configured=configured)


def _left_out(periods: Sequence[Period]) -> str:
    named = ", ".join(_named(one) for one in periods[:_NAMED])
    if len(periods) > _NAMED:
        named += " …"
    return plural(
        "{n} report was skipped, for a newer one was due already: {periods}.",
        "{n} reports were skipped, for a newer one was due already: {periods}.",
        len(periods),
        periods=named,
    )


def _named(period: Period) -> str:
    return period_in_words(period, Reader(language=texts.current(), zone=period.zone))


def _moment(text: str) -> str:
    local, language = datetime.fromisoformat(text).astimezone(), texts.current()
    day, time = texts.format_date(local.date(), language, "d MMMM"), texts.format_time(local, language)
    return _("on {day} at {time}", day=day, time=time)


class ScheduleRow(QWidget):
    """A report's switch with its time, and beneath it what became of the last one.

    Signals: ``mail_wanted(id)`` when the person wants to see that mail.
    """

    mail_wanted = Signal(int)

    def __init__(self, row: ToggleRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row = row
        self._mail = 0
        self.pill = Pill(Kind.GOOD, "")
        self.said = plain_label(role="muted", selectable=True)
        self.link = link_button(_("Show in the history"))
        self.link.clicked.connect(lambda: self.mail_wanted.emit(self._mail))
        self._line = QWidget()
        line = QVBoxLayout(self._line)
        line.setContentsMargins(theme().px(36) + 12, 0, 0, 0)  # beneath the words, not the switch
        line.setSpacing(2)
        line.addWidget(self.said)
        line.addWidget(FlowRow(self.pill, self.link, gap=8))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(row)
        column.addWidget(self._line)
        self._line.hide()

    def show_result(self, result: Result | None, waiting: Waiting | None, now: datetime, *, configured: bool) -> None:
        """Say how it went; nothing where none was due yet."""
        self._line.setVisible(result is not None)
        if result is None:
            return
        self._mail = result.mail.id if result.mail is not None else 0
        kind, word = (Kind.WARNING, N_("Skipped"))
        if result.mail is not None:
            kind, word = _PILLS[State(result.mail.state)]
            if result.mail.state == State.SENT and result.refused:
                kind, word = Kind.WARNING, N_("Sent, not to all")
        elif result.period is not None:
            kind, word = Kind.INFO, N_("Queued")
        self.pill.show_state(kind, _(word))
        self.pill.updateGeometry()
        self.said.setText(result_words(result, waiting, now, configured=configured))
        self.link.setVisible(bool(self._mail))
        self.link.setAccessibleDescription(self.said.text())
