"""The history in words: what a line is, how a mail stands, why it waits, what became of each try. Pure, GUI thread."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from vxtray.core import texts
from vxtray.core.mail.chronicle import Line
from vxtray.core.mail.faults import Stage
from vxtray.core.mail.happenings import headline
from vxtray.core.mail.outbox import Entry, State, Verdict
from vxtray.core.mail.plaintext import one_line
from vxtray.core.postroom import Waiting
from vxtray.core.texts import N_, _, plural
from vxtray.gui.trouble import words

#: So long a time is told as how long ago it was.
_FRESH = timedelta(hours=1)
_CELL = 300


class Mark(NamedTuple):
    """A state as drawn: an icon and a word in the ink of a token, on a soft ground where it needs to be seen."""

    icon: str
    ink: str
    ground: str
    word: str


_MARKS = {
    State.QUEUED: Mark("history", "accent", "accent_soft", N_("Waiting")),
    State.SENDING: Mark("mail", "accent", "accent_soft", N_("Being sent")),
    State.HELD: Mark("pause", "secondary", "", N_("Held")),
    State.SENT: Mark("check", "good", "good_soft", N_("Sent")),
    State.FAILED: Mark("cross", "danger", "danger_soft", N_("Not delivered")),
    State.EXPIRED: Mark("cross", "danger", "danger_soft", N_("Given up")),
    State.CANCELLED: Mark("cross", "secondary", "", N_("Cancelled")),
}
_PARTLY = Mark("triangle", "warning", "warning_soft", N_("Sent, not to all"))

#: Of a recipient.
_PEOPLE = {
    "queued": N_("waiting"),
    "sent": N_("taken by the server"),
    "failed": N_("refused"),
}
_STAGES: Mapping[str, str] = {
    Stage.RESOLVE: N_("looking up the server"),
    Stage.CONNECT: N_("connecting"),
    Stage.GREETING: N_("greeting"),
    Stage.TLS: N_("encryption"),
    Stage.EHLO: N_("what the server offers"),
    Stage.AUTH: N_("sign-in"),
    Stage.SENDER: N_("sender"),
    Stage.RECIPIENTS: N_("recipients"),
    Stage.DATA: N_("the mail itself"),
}
_OUTCOMES: Mapping[str, str] = {
    Verdict.SENT: N_("taken"),
    Verdict.LATER: N_("put off"),
    Verdict.FAILED: N_("refused"),
    Verdict.LIGHTER: N_("too large"),
    Verdict.DOUBT: N_("no answer at the end"),
    Verdict.SERVER: N_("not possible"),
    Verdict.RATE: N_("too many mails"),
    Verdict.ACCOUNT: N_("account refused"),
}


def mark_of(line: Line) -> Mark | None:
    """Return how a mail stands, None for a happening."""
    if (entry := line.entry) is None:
        return None
    mark = _PARTLY if entry.state == State.SENT and line.refused else _MARKS[State(entry.state)]
    return mark._replace(word=_(mark.word))


def mark_of_state(state: str) -> Mark:
    """Return a state of the outbox as it is drawn."""
    mark = _MARKS[State(state)]
    return mark._replace(word=_(mark.word))


def all_words() -> list[str]:
    """Return the word of every state, to measure by."""
    return [_(mark.word) for mark in (*_MARKS.values(), _PARTLY)]


def what_of(line: Line) -> str:
    """Return the subject, or what happened."""
    if line.entry is not None:
        return one_line(line.entry.subject.removeprefix("[vxtray] "), _CELL)
    assert line.happening is not None
    return headline(line.happening)


def to_of(line: Line) -> str:
    """Return the first recipient, and how many others there are."""
    if not line.to or not line.to[0]:
        return ""
    others = line.people - 1
    return one_line(line.to[0], 100) + (f" +{texts.format_number(others, texts.current())}" if others > 0 else "")


def when(text: str, now: datetime) -> str:
    """Return how long ago a time was while it is fresh, else the day and the time on this machine's clock."""
    moment = datetime.fromisoformat(text)
    if timedelta() <= now - moment < _FRESH:
        return texts.format_ago(moment, now, texts.current())
    return moment.astimezone().strftime("%d/%m/%Y %H:%M" if texts.current() == "fr" else "%Y-%m-%d %H:%M")


def exactly(text: str) -> str:
    """Return a time with its zone, "" for none."""
    if not text:
        return ""
    local = datetime.fromisoformat(text).astimezone()
    pattern = "%d/%m/%Y %H:%M:%S" if texts.current() == "fr" else "%Y-%m-%d %H:%M:%S"
    return f"{local.strftime(pattern)} ({local.strftime('%Z')})"


def person_state(state: str, mail: Entry) -> str:
    """Return what became of a recipient."""
    if state == "queued" and mail.state not in {State.QUEUED, State.SENDING, State.HELD}:
        return _("not sent")
    return _(_PEOPLE.get(state, state))


def attempt_words(stage: str, outcome: str, seconds: float) -> str:
    """Return how far a try came, what became of it and how long it took."""
    took = _("{seconds} s", seconds=texts.format_number(round(seconds, 1 if seconds < 10 else 0), texts.current()))
    named = _(_STAGES[stage]) if stage in _STAGES and outcome != Verdict.SENT else ""
    return " · ".join(filter(None, (_(_OUTCOMES.get(outcome, outcome)), named, took)))


def why_waits(mail: Entry, waiting: Waiting | None, paused: datetime | None, now: datetime, *, configured: bool) -> str:
    """Return why a mail does not leave now and when it is tried next, "" for one that does not wait."""
    if mail.state == State.HELD:
        until = clock_time(paused, now) if paused is not None else ""
        held = _("Alert mails are paused until {time}; then this one leaves.", time=until)
        return held if until else _("Alert mails are paused; this one leaves when the pause ends.")
    if mail.state == State.SENDING:
        return _("It is being handed to the mail server.")
    if mail.state != State.QUEUED:
        return ""
    if not configured:
        return _("No mail server is set up yet. It leaves as soon as there is one.")
    moments = [datetime.fromisoformat(mail.next_try_at)]
    reason = ""
    if waiting is not None:
        if waiting.error is not None:
            reason = words(waiting.error)
        elif waiting.cause == "pace":
            reason = _("The mail provider takes only so many mails a minute.")
        if waiting.until is None:
            return reason or _("It waits until a person acts.")
        moments.append(waiting.until)
    if (due := max(moments)) <= now:
        return " ".join(filter(None, (reason, _("It is tried in a moment."))))
    return " ".join(filter(None, (reason, _("It is tried again at {time}.", time=clock_time(due, now)))))


def lost_words(count: int) -> str:
    """Return how many mails were not delivered."""
    return plural("{n} mail could not be delivered.", "{n} mails could not be delivered.", count)


def clock_time(moment: datetime, now: datetime) -> str:
    """Return the time on this machine's clock, with the day where it is not today."""
    local, language = moment.astimezone(), texts.current()
    time = texts.format_time(local, language)
    if local.date() == now.astimezone().date():
        return time
    return f"{texts.format_date(local.date(), language, 'EEE d MMM')} {time}"
