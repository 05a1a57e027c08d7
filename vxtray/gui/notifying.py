"""Desktop notifications: alerts from the chosen severity, mails given up, and what is wrong with vxtray itself.

GUI thread only. The first alert is shown at once; what follows is counted, and the notification is replaced by one
with the count, at most every ``seconds``. Once it was quiet for as long, the next alert begins a new notification.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QApplication

from vxtray.core import texts
from vxtray.core.alerts.incidents import Incident, Shape
from vxtray.core.alerts.wording import whereabouts
from vxtray.core.events import Severity
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import ACTIONS, CATEGORIES, SEVERITIES, Reader
from vxtray.core.mail.replies import words_of
from vxtray.core.notices import AlertsRaised, IncidentsChanged, MailSettled, TroubleChanged
from vxtray.core.reports.period import machine_zone
from vxtray.core.settings.tree import Desktop
from vxtray.core.texts import _, plural
from vxtray.gui.context import Context
from vxtray.gui.notification_server import ACKNOWLEDGE, OPEN, Note, NotificationServer

ALERTS = "alerts"

#: Characters of a title and of a text: what fits on a notification of four lines.
_TITLE, _TEXT = 120, 240

#: Sources told apart in a run; a storm's exact figures come from its incident.
_SOURCES = 1000

#: What is wrong with vxtray itself and is told here besides the overview: how its trouble is called, and the page that
#: helps. A source is silent, mail has been down for an hour, a disk is almost full.
_TOLD = (("silent:", "sources"), ("mail:down", "mail_server"), ("disk:", "help"))


class Run(msgspec.Struct):
    """Alerts told by one notification: those since the last time that it was quiet."""

    since: datetime
    worst: AlertsRaised
    events: int = 0
    critical: int = 0
    sources: set[str] = msgspec.field(default_factory=set)
    told: bool = False

    def add(self, raised: AlertsRaised) -> None:
        """Count what was raised."""
        self.events += raised.count
        self.critical += raised.critical
        if raised.source and len(self.sources) < _SOURCES:
            self.sources.add(raised.source)
        if raised.severity.rank > self.worst.severity.rank:
            self.worst = raised


class Storm(msgspec.Struct, frozen=True):
    """The figures of the largest storm that is open."""

    incident: int
    events: int
    sources: int


class Pace(QObject):
    """Lets the first be told at once, then what has come meanwhile every ``seconds``, until it has been quiet."""

    def __init__(self, tell: Callable[[], None], rest: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._tell = tell
        self._rest = rest
        self._untold = False
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._waited)

    def more(self, seconds: float) -> None:
        """There is something to be told, no sooner than ``seconds`` after the time before."""
        self._untold = True
        if not self._timer.isActive():
            self._timer.setInterval(round(seconds * 1000))
            self._go()

    def stop(self) -> None:
        """Tell nothing more."""
        self._timer.stop()

    def _go(self) -> None:
        self._untold = False
        self._timer.start()
        self._tell()

    @Slot()
    def _waited(self) -> None:
        if self._untold:
            self._go()
        else:
            self._rest()


class Notifier(QObject):
    """Says on the desktop what happened.

    Signals: ``page_wanted(where)`` when a notification was clicked, as ``MainWindow.go_to`` takes it;
    ``acknowledged()`` when its button was pressed.
    """

    page_wanted = Signal(str)
    acknowledged = Signal()

    #: The least time between two notifications of alerts.
    seconds = 30.0

    def __init__(self, context: Context, balloon: Callable[[Note], None]) -> None:
        """``balloon(note)`` shows what no notification server does, if it can."""
        super().__init__()
        self._context = context
        self._run: Run | None = None
        self._alerts_pace = Pace(self._tell_alerts, self._alerts_over, self)
        self._lost: list[MailSettled] = []
        self._lost_pace = Pace(self._tell_lost, self._lost.clear, self)
        self._unacknowledged = 0
        self._troubles = {trouble.what for trouble in context.service.troubles()}  # told before, in another language
        self._balloon = balloon
        self._server = NotificationServer(
            context.bridge.call, pressed=self.pressed, refused=self._refused, unheard=QApplication.beep
        )
        context.bridge.noticed.connect(self._noticed)

    @Slot(object)
    def _noticed(self, notice: object) -> None:
        match notice:
            case AlertsRaised():
                self._alerts(notice)
            case IncidentsChanged(unacknowledged=left):
                if self._unacknowledged and not left:
                    self._server.withdraw(ALERTS)
                self._unacknowledged = left
            case MailSettled(state="failed" | "expired"):
                self._lost.append(notice)
                self._lost_pace.more(self.seconds)
            case TroubleChanged():
                self._trouble(notice)

    @property
    def _wanted(self) -> Desktop:
        return self._context.model.current.desktop

    def show(self, note: Note) -> None:
        """Show a notification, where they are switched on."""
        if self._wanted.notifications:
            self._server.show(note)

    def stop(self) -> None:
        """Show nothing more."""
        self._alerts_pace.stop()
        self._lost_pace.stop()
        self._server.stop()

    # --- alerts ------------------------------------------------------------------------------------------------------

    def _alerts(self, raised: AlertsRaised) -> None:
        if raised.severity.rank < self._wanted.notify_from.rank or self._held(raised):
            return
        if self._run is None:
            self._run = Run(since=raised.at, worst=raised)
        self._run.add(raised)
        self._alerts_pace.more(self.seconds)

    def _held(self, raised: AlertsRaised) -> bool:
        """A pause is meant to give peace here, too."""
        pause = self._context.service.alerts.paused()
        return pause is not None and (pause.everything or not raised.critical)

    def _alerts_over(self) -> None:
        self._run = None

    def _tell_alerts(self) -> None:
        run = self._run
        if run is None:
            return
        again, run.told = run.told, True
        if run.events == 1:
            self.show(self._one(run.worst))
            return
        service = self._context.service

        def look() -> Storm | None:
            alerts = service.alerts
            storms = [one for one in alerts.open_incidents() if one.shape in {Shape.STORM, Shape.WIDE}]
            if not storms:
                return None
            largest: Incident = max(storms, key=lambda storm: storm.events)
            folded = alerts.folded(largest.id)
            return Storm(largest.id, largest.events, folded.sources if folded else 0)

        def done(storm: Storm | None) -> None:
            self.show(self._many(run, storm, again=again))

        self._context.bridge.run(look, done, lambda _error: done(None), owner=self, quick=True)

    def _one(self, raised: AlertsRaised) -> Note:
        """A single event: the title says it all."""
        title, text = _said(raised)
        where = f"event:{raised.seq}" if raised.seq else "alerts"
        return self._note(title, text, where, urgent=raised.severity is Severity.CRITICAL)

    def _many(self, run: Run, storm: Storm | None, *, again: bool) -> Note:
        since = texts.format_time(run.since.astimezone(), texts.current())
        if storm is not None:
            events = plural("{n} event", "{n} events", storm.events)
            sources = plural("{n} source", "{n} sources", storm.sources)
            title = _("Storm: {events} from {sources}", events=events, sources=sources)
            where = f"alerts:{storm.incident}"
        else:
            title = plural("{n} alert since {time}", "{n} alerts since {time}", run.events, time=since)
            if run.critical and run.critical < run.events:
                critical = plural("{n} critical", "{n} critical", run.critical)
                title = f"{title}, {critical}"
            where = "alerts"
        text, _whence = _said(run.worst)
        if storm is None and len(run.sources) > 1:
            sources = plural("From {n} source", "From {n} sources", len(run.sources))
            text = f"{text}\n{sources}"
        return self._note(title, text, where, urgent=bool(run.critical), again=again)

    def _note(self, title: str, text: str, where: str, *, urgent: bool, again: bool = False) -> Note:
        actions = {OPEN: _("Show")}
        if self._context.service.settings.ready:  # else there are no incidents to take note of
            actions[ACKNOWLEDGE] = _("Acknowledge")
        return Note(
            key=ALERTS,
            title=one_line(title, _TITLE),
            text=_bounded(text),
            where=where,
            actions=actions,
            urgent=urgent,
            sound=self._wanted.sound and not again,
        )

    # --- vxtray itself -----------------------------------------------------------------------------------------------

    def _tell_lost(self) -> None:
        last = self._lost[-1]
        found = words_of("", last.reply)
        why = found.in_language(texts.current()) if found else _(last.reply)
        if len(self._lost) == 1:
            title = _("A mail could not be delivered: {subject}", subject=last.subject)
        else:
            title = plural("{n} mail could not be delivered", "{n} mails could not be delivered", len(self._lost))
        self._say("lost", title, why, "lost")

    def _trouble(self, notice: TroubleChanged) -> None:
        """Tell what began, once; what it says of itself may change each minute."""
        where = next((page for name, page in _TOLD if notice.what.startswith(name)), "")
        if notice.error is None:
            if notice.what in self._troubles:
                self._troubles.discard(notice.what)
                self._server.withdraw(notice.what)
        elif where and notice.what not in self._troubles:
            self._troubles.add(notice.what)
            self._say(notice.what, texts.title(notice.error), texts.advice(notice.error), where)

    def _say(self, key: str, title: str, text: str, where: str) -> None:
        note = Note(
            key=key,
            title=one_line(title, _TITLE),
            text=_bounded(text),
            where=where,
            actions={OPEN: _("Show")},
            sound=self._wanted.sound,
        )
        self.show(note)

    # --- what comes back ---------------------------------------------------------------------------------------------

    def pressed(self, note: Note, action: str, token: str = "") -> None:
        """Do what was pressed on a notification."""
        if action == ACKNOWLEDGE:
            self.acknowledged.emit()
        elif action == OPEN and note.where:
            if token:
                _let_through(token)
            self.page_wanted.emit(note.where)

    def _refused(self, note: Note) -> None:
        if note.sound:
            QApplication.beep()
        self._balloon(note)


def _said(raised: AlertsRaised) -> tuple[str, str]:
    """Return Critical: SQL injection on shop.example.com, and From 18.160.13.241 (China), blocked.

    A title is short, since large desktops cut it off at the end of one line.
    """
    reader = Reader(language=texts.current(), zone=machine_zone())
    what, source, action = reader.foreign(raised.title, 70), reader.foreign(raised.source, 60), ""
    if (event := raised.event) is not None:
        source, action = reader.whence(event), _(ACTIONS[event.action])
        what = whereabouts(what or _(CATEGORIES[event.category]), reader.foreign(event.target, 50), "", reader)
    title = _("{severity}: {what}", severity=_(SEVERITIES[raised.severity]), what=what)
    return title, ", ".join(filter(None, (_("From {source}", source=source) if source else "", action)))


def _bounded(text: str) -> str:
    return "\n".join(one_line(line, _TEXT) for line in text.splitlines()[:3])


def _let_through(token: str) -> None:
    """Let the next window that is raised come to the front: Qt's Wayland plug-in takes the token from here.

    https://wayland.app/protocols/xdg-activation-v1
    """
    import os

    os.putenv("XDG_ACTIVATION_TOKEN", token)
