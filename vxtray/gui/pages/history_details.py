"""One mail or happening of the history with all that is known of it, and what can be done with it. GUI thread only."""

from datetime import datetime

import msgspec
from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vxtray.core import texts
from vxtray.core.mail.chronicle import Line
from vxtray.core.mail.faults import MailError, Stage
from vxtray.core.mail.happenings import facts
from vxtray.core.mail.outbox import Entry, State, Verdict
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.replies import Explanation, words_of
from vxtray.core.postroom import Waiting
from vxtray.core.texts import _, plural
from vxtray.gui.guide.window import topic_for
from vxtray.gui.pages.history_words import attempt_words, exactly, mark_of, person_state, what_of, why_waits
from vxtray.gui.theme import theme
from vxtray.gui.widgets import Beside, Card, Facts, FlowRow, PlainLabel, button, link_button, plain_label, scrolled

#: So many are shown; the command line shows all.
_PEOPLE = 50
_ATTEMPTS = 20

_GONE = (State.SENT, State.FAILED, State.EXPIRED, State.CANCELLED)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A line with everything that belongs to it, as read on another thread."""

    line: Line
    people: dict[str, tuple[str, str]] = {}
    attempts: list[dict[str, object]] = []
    kept: bool = False
    waiting: Waiting | None = None
    paused: datetime | None = None
    configured: bool = True

    @property
    def mail(self) -> Entry | None:
        """The mail, None for a happening."""
        return self.line.entry

    @property
    def missed(self) -> bool:
        """True where somebody did not get it."""
        return any(state != "sent" for state, _reply in self.people.values())

    def fault(self) -> tuple[Explanation | MailError, str] | None:
        """Return what stands in the way, and the server's words: of a recipient, of the last try, or of all mails."""
        for state, reply in self.people.values():
            if state != "sent" and (found := words_of(Stage.RECIPIENTS, reply)):
                return found, reply
        for attempt in reversed(self.attempts):
            if attempt["outcome"] == Verdict.SENT:
                break
            reply = str(attempt["reply"])
            if found := words_of(str(attempt["stage"]), reply, str(attempt["mechanism"])):
                return found, reply
        if self.mail is not None and self.mail.state == State.QUEUED and self.waiting is not None:
            error = self.waiting.error
            return (error, error.reply) if isinstance(error, MailError) else None
        return None


class HistoryDetails(Card):
    """The chosen line.

    Signals: ``closed`` when the person wants it away; ``open_wanted``, ``retry_wanted``, ``resend_wanted``,
    ``cancel_wanted`` and ``note_wanted`` for its mail; ``help_wanted(topic)`` for the guide.
    """

    closed = Signal()
    open_wanted = Signal()
    retry_wanted = Signal()
    resend_wanted = Signal()
    cancel_wanted = Signal()
    note_wanted = Signal()
    help_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.shown: Shown | None = None
        self._heading = plain_label(role="strong")
        close = link_button(_("Close"))
        close.clicked.connect(self.closed)
        self.add(Beside(self._heading, close))
        self.open_button, self.retry_button = button(_("Open the mail")), button("")
        self.resend_button, self.cancel_button = button(_("Send again")), button("")
        self.note_button = button(_("Copy a note for the administrator"))
        self.help_button = button(_("Help on this error"))
        self._topic = ""
        self.help_button.clicked.connect(self._ask_help)
        for press, wanted in (
            (self.open_button, self.open_wanted),
            (self.retry_button, self.retry_wanted),
            (self.resend_button, self.resend_wanted),
            (self.cancel_button, self.cancel_wanted),
            (self.note_button, self.note_wanted),
        ):
            press.clicked.connect(wanted)
        presses = (self.open_button, self.retry_button, self.resend_button, self.cancel_button, self.note_button)
        self._buttons = FlowRow(*presses, self.help_button, gap=8)
        self.add(self._buttons)
        self._standing, self._advice = plain_label(selectable=True), plain_label(role="muted", selectable=True)
        self._facts, self._people, self._attempts = Facts(), Facts(), Facts()
        self._people_head, self._attempts_head, self._facts_head = (plain_label(role="strong") for _each in range(3))
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(8)
        lists = (self._people_head, self._people, self._attempts_head, self._attempts)
        for part in (self._standing, self._advice, *lists, self._facts_head, self._facts):
            column.addWidget(part)
        column.addStretch(1)
        self._scroll = scrolled(inside, _("Details of the entry"))
        self.add(self._scroll, 1)

    def show_line(self, shown: Shown, now: datetime) -> None:
        """Show another line from its beginning, or the same one as it stands now."""
        before, self.shown = self.shown, shown
        at = self._scroll.verticalScrollBar().value() if before and before.line.key == shown.line.key else 0
        self._heading.setText(what_of(shown.line))
        self._show_buttons(shown)
        mail = shown.mail
        standing, advice = ("", "") if mail is None else self._in_words(shown, mail, now)
        for label, text in ((self._standing, standing), (self._advice, advice)):
            label.setText(text)
            label.setVisible(bool(text))
        people = [] if mail is None else _people_of(shown, mail)
        self._show_list(self._people_head, _("Recipients"), self._people, people)
        self._show_list(self._attempts_head, _("Tries"), self._attempts, _attempts_of(shown))
        self._show_list(self._facts_head, _("The mail") if mail is not None else "", self._facts, _facts_of(shown))
        self._scroll.verticalScrollBar().setValue(at)

    def _ask_help(self) -> None:
        self.help_wanted.emit(self._topic)

    def _show_list(self, head: PlainLabel, title: str, rows: Facts, lines: list[tuple[str, str]]) -> None:
        head.setText(title)
        head.setVisible(bool(lines and title))
        rows.setVisible(bool(lines))
        rows.show_facts(lines)

    def _show_buttons(self, shown: Shown) -> None:
        mail = shown.mail
        self._buttons.setVisible(mail is not None)
        if mail is None:
            return
        state = State(mail.state)
        lost = state in (State.FAILED, State.EXPIRED)
        again = {
            State.QUEUED: _("Try now"),
            State.HELD: _("Send now"),
            State.SENT: _("Try the refused ones again"),
            State.CANCELLED: _("Queue again"),
        }
        self.open_button.setVisible(shown.kept)
        self.retry_button.setText(again.get(state, _("Try again")))
        self.retry_button.setVisible(shown.missed and state is not State.SENDING)
        self.resend_button.setVisible(shown.kept and state is State.SENT)
        self.cancel_button.setText(_("Dismiss") if lost else _("Cancel"))
        self.cancel_button.setVisible(lost or state in (State.QUEUED, State.HELD))
        fault = shown.fault()
        self.note_button.setVisible(fault is not None)
        self._topic = topic_for(_explained(fault[0])[0]) if fault is not None else ""
        self.help_button.setVisible(bool(self._topic))
        self._buttons.updateGeometry()

    def _in_words(self, shown: Shown, mail: Entry, now: datetime) -> tuple[str, str]:
        """Return how the mail stands and what helps."""
        mark, fault = mark_of(shown.line), shown.fault()
        word = mark.word if mark is not None else ""
        waits = why_waits(mail, shown.waiting, shown.paused, now, configured=shown.configured)
        if fault is None:
            # what vxtray itself said of it
            own = _(one_line(mail.reply)) if mail.reply and mail.state in (State.FAILED, State.EXPIRED) else ""
            return " – ".join(filter(None, (word, own or waits))), ""
        found, _reply = fault
        title, advice = _explained(found)
        waits = why_waits(mail, None, shown.paused, now, configured=shown.configured) if waits else ""
        if shown.waiting is not None and shown.waiting.until is None and mail.state == State.QUEUED:
            waits = _("It waits until a person acts.")
        return f"{word} – {title}", " ".join(filter(None, (advice, waits)))

    def sizeHint(self) -> QSize:
        """Return the least size: the page gives it what is left, and would scroll for more."""
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> QSize:
        """Return a size that a small window has; no button is cut off."""
        least = super().minimumSizeHint()
        return QSize(least.width(), max(least.height(), theme().px(150)))


def _explained(found: Explanation | MailError) -> tuple[str, str]:
    if isinstance(found, MailError):
        return texts.title(found), texts.advice(found)
    return _(found.title), _(found.advice)


def _facts_of(shown: Shown) -> list[tuple[str, str]]:
    if (happening := shown.line.happening) is not None:
        return [(_("Time"), exactly(happening.at)), *facts(happening)]
    mail = shown.mail
    assert mail is not None
    waits = mail.state in (State.QUEUED, State.SENDING)
    ended = _("Sent") if mail.state == State.SENT else _("Ended")
    known = [
        (_("Queued"), exactly(mail.added_at)),
        (ended, exactly(mail.settled_at) if mail.state in _GONE else ""),
        (_("Next try"), exactly(mail.next_try_at) if waits and mail.tries else ""),
        (_("From"), one_line(mail.mail_from)),
        (_("Message-ID"), one_line(mail.message_id)),
        (_("Number"), str(mail.id)),
        (_("Sends again"), _("mail {id}", id=mail.resend_of) if mail.resend_of else ""),
    ]
    return [(name, value) for name, value in known if value]


def _people_of(shown: Shown, mail: Entry) -> list[tuple[str, str]]:
    people = sorted(shown.people.items(), key=lambda one: one[1][0] == "sent")  # those to look at come first
    lines = []
    for address, (state, reply) in people[:_PEOPLE]:
        words = [person_state(state, mail)]
        if state != "sent" and (found := words_of(Stage.RECIPIENTS, reply)):
            words.append(found.in_language(texts.current()))
        lines.append((one_line(address, 100), "\n".join([*words, *_server_words(reply)])))
    if (more := len(people) - _PEOPLE) > 0:
        lines.append(("…", plural("{n} more", "{n} more", more)))
    return lines


def _attempts_of(shown: Shown) -> list[tuple[str, str]]:
    told = {reply for _state, reply in shown.people.values()}
    lines = []
    for attempt in reversed(shown.attempts[-_ATTEMPTS:]):
        stage, outcome, reply = (str(attempt[name]) for name in ("stage", "outcome", "reply"))
        words = [attempt_words(stage, outcome, float(str(attempt["seconds"])))]
        if reply not in told:
            found = words_of(stage, reply, str(attempt["mechanism"]))
            words += [found.in_language(texts.current()), *_server_words(reply)] if found else _own_words(reply)
        way = [one_line(str(attempt[name]), 100) for name in ("peer", "tls", "mechanism")]
        if any(way):
            words.append(" · ".join(filter(None, way)))
        lines.append((exactly(str(attempt["at"])), "\n".join(words)))
    if (more := len(shown.attempts) - _ATTEMPTS) > 0:
        lines.append(("…", plural("{n} earlier try", "{n} earlier tries", more)))
    return lines


def _server_words(reply: str) -> list[str]:
    return [_("Server's words: {reply}", reply=one_line(reply))] if reply else []


def _own_words(reply: str) -> list[str]:
    """Return what was kept although no server refused: its thanks with their code, or what vxtray said itself."""
    if reply[:3].isdigit():
        return _server_words(reply)
    return [_(one_line(reply))] if reply else []
