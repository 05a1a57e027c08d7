"""The first page: is everything all right, what was sent last, what comes next, what happens now.

GUI thread only; events are counted on ``vx-read``.
"""

import textwrap
from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QTimer, Signal, Slot

from vxtray.core import texts
from vxtray.core.mail.plaintext import one_line
from vxtray.core.reports.period import Cadence
from vxtray.core.status import state_of
from vxtray.core.texts import N_, _, plural
from vxtray.gui.actions import Actions
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.glance import short_moment
from vxtray.gui.pages.history_words import clock_time
from vxtray.gui.pages.overview_matters import MattersCard
from vxtray.gui.pages.overview_sources import SourcesCard, alive
from vxtray.gui.pages.overview_today import TodayCard, may_hold_events
from vxtray.gui.pages.overview_words import (
    DISMISS,
    MAIL_MENDS,
    RESUME,
    RETRY,
    TEST,
    Headline,
    Mend,
    headline,
    matters,
)
from vxtray.gui.sign_in_notice import PasswordNotice
from vxtray.gui.source_words import names_of
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Card, EmptyState, Figure, Kind, Page, Tiles, button

_REFRESH_MS = 15_000

#: Events may be stored fifty times a second; what is told meanwhile is shown at once.
_NEWS_MS = 150

#: Characters of a subject, which are two lines of a tile.
_SUBJECT, _TOOL_TIP = 34, 200

_CADENCES = {Cadence.DAILY: N_("Daily"), Cadence.WEEKLY: N_("Weekly"), Cadence.MONTHLY: N_("Monthly")}


class OverviewPage(Page):
    """State in words with what mends it, four figures, the events of today, what needs a look, and the sources.

    Signals: ``page_wanted(key)`` where a button leads elsewhere; ``events_wanted(query)`` to show events there.
    """

    page_wanted = Signal(str)
    events_wanted = Signal(object)

    def __init__(self, context: Context, actions: Actions, in_tray: Callable[[], bool]) -> None:
        """``in_tray`` says whether there is an icon in a tray; where not, its menu is a button here."""
        self._report = button(_("Send a report now"))
        self._report.setMenu(actions.report_menu(self._report))
        self._test = button(_("Send test e-mail"))
        self._test.clicked.connect(actions.send_test.trigger)
        self._menu = button(_("Menu"))
        self.mend_button = button("")
        super().__init__(_("Overview"), "", (self._menu, self._test, self._report, self.mend_button))
        self._in_tray, self._context, self._actions, self._glance = in_tray, context, actions, actions.glance
        self._mend = Mend()
        self._doings: dict[str, Callable[[], None]] = {
            RESUME: actions.resume.trigger,
            RETRY: self._retry,
            TEST: actions.send_test.trigger,
            DISMISS: lambda: self._run(context.service.dismiss_set_aside, _("Dismissed")),
        }
        self._empty = self._make_welcome()
        self._next, self._last = Figure(_("Next report")), Figure(_("Last mail"))
        self._queue, self._alerts = Figure(_("Mail queue")), Figure(_("Alerts today"))
        self._figures = Tiles((self._next, self._last, self._queue, self._alerts))
        self.today, self.matters, self.sources = TodayCard(context), MattersCard(), SourcesCard()
        self._no_events = self._make_no_events(actions)
        self._below = Tiles((self.matters, self.sources), least=300, gap=16, shares=(3, 2))
        self.password_notice = PasswordNotice(context)
        self.password_notice.activated.connect(lambda: self.page_wanted.emit("sign_in"))
        self.password_notice.failed.connect(self._told)
        self.add(self._empty, 1)
        self.add(self.password_notice)
        self.add(self._figures)
        for part in (self._no_events, self.today, self._below):  # which use all of the height
            self.add(part, 1)
        # until the page is first seen: a start into the tray pays for none of it
        for later in (self._empty, self._figures, self.today, self._below):
            later.hide()
        self._connect()

    def _make_welcome(self) -> EmptyState:
        """Return what a new person sees."""
        welcome = EmptyState(
            "vxtray",
            _("Set up vxtray in a few minutes"),
            _(
                "vxtray then sends a security report every day, week or month, and tells you at once when"
                " something matters."
            ),
            _("Set up vxtray…"),
            primary=True,
        )
        welcome.activated.connect(lambda: self.page_wanted.emit("assistant"))
        by_hand = welcome.also(_("Only the mail server"))
        by_hand.clicked.connect(lambda: self.page_wanted.emit("edit_smtp"))
        return welcome

    def _make_no_events(self, actions: Actions) -> Card:
        """Return what stands in place of the chart until there has been an event."""
        empty = EmptyState(
            "events",
            _("No events yet"),
            _(
                "Reports and alerts are made from what your firewall, web server or mail server logs."
                " Set up a source, and each hour of the day stands here."
            ),
            _("Set up a source"),
        )
        empty.activated.connect(lambda: self.page_wanted.emit("sources"))
        empty.also(_("Import log files…")).clicked.connect(actions.import_files.trigger)
        card = Card()
        card.setAccessibleName(_("No events yet"))
        card.add(empty)
        card.hide()
        return card

    def _connect(self) -> None:
        self.mend_button.clicked.connect(lambda: self._follow(self._mend.where))
        self.matters.wanted.connect(self._follow)
        self.sources.wanted.connect(self._follow)
        self.today.events_wanted.connect(self.events_wanted)
        self.today.counted.connect(self._show_today)
        self._soon = QTimer(self, singleShot=True, interval=_NEWS_MS)
        self._soon.timeout.connect(self._look)
        self._context.bridge.noticed.connect(self._noticed)
        self.keep_fresh(self._tick, _REFRESH_MS)
        follow(self, self._context.model, lambda _change: self._look())
        self._glance.changed.connect(self._look)

    # --- looking -----------------------------------------------------------------------------------------------------

    @Slot(object)
    def _noticed(self, _notice: object) -> None:
        if self.isVisible() and not self._soon.isActive():
            self._soon.start()

    @Slot()
    def _look(self) -> None:
        if self.isVisible():
            self.refresh()

    @Slot()
    def _tick(self) -> None:
        self.refresh()
        self.today.look_soon()  # after midnight, it is another day

    @Slot()
    def refresh(self) -> None:
        """Say how things stand now; the chart follows by itself."""
        service, now = self._context.service, self._now()
        configured = service.settings.ready
        self._empty.setVisible(not configured)
        self._figures.setVisible(configured)
        self._show_menu(wanted=not self._in_tray())
        self._show_headline(self._headline(), configured=configured)
        self.password_notice.refresh()
        self._show_figures()
        self.matters.show_matters(matters(service.troubles(), self._glance.alerts, now))
        self.sources.show_sources(alive(service, service.settings.sources, now))
        self._show_today()

    def _show_menu(self, *, wanted: bool) -> None:
        """Offer the tray's menu where there is no tray."""
        if wanted and self._menu.menu() is None:
            self._menu.setMenu(self._actions.program_menu(self._menu))
        self._menu.setVisible(wanted)

    @Slot()
    def _show_today(self) -> None:
        """Show the chart, or how there will be events to show."""
        day, configured = self.today.day, self._context.service.settings.ready
        nothing = not (day.stored if day is not None else may_hold_events(self._context.service))
        self._no_events.setVisible(configured and nothing)
        self.today.setVisible(configured and not nothing)
        sources, wrong = bool(names_of(self._context.service.settings.sources)), bool(self.matters.rows)
        self.sources.setVisible(sources or not nothing)
        self.matters.setVisible(wrong or not nothing)
        self._below.setVisible(configured and (sources or wrong or not nothing))

    def _now(self) -> datetime:
        return self._context.service.clock()

    # --- the heading -------------------------------------------------------------------------------------------------

    def _headline(self) -> Headline:
        service, now = self._context.service, self._now()
        wrong = headline(state_of(service), service.troubles(), self._glance.alerts, service.paused_until(), now)
        if wrong is not None:
            return wrong
        server = self._context.model.current.smtp.host
        if not self._glance.asked:
            return Headline(_("Overview"), _("Starting…"))
        if (proven := self._glance.proven_at) is None:
            said = _("Send a test e-mail to be sure that {server} takes it.", server=server)
            return Headline(_("Set up, but not tried yet"), said, Mend(_("Send test e-mail"), TEST))
        when = texts.format_ago(proven, now, texts.current())
        return Headline(
            _("Everything is working"), _("Last mail accepted {when} by {server}", when=when, server=server)
        )

    def _show_headline(self, said: Headline, *, configured: bool) -> None:
        self.set_words(said.title, said.text)
        self._mend = said.mend
        self.mend_button.setText(said.mend.action)
        self.mend_button.setVisible(bool(said.mend.action))
        self.mend_button.set_look("primary" if said.mend.action else "plain")
        self._report.set_look("plain" if said.mend.action else "primary")
        self._report.setVisible(configured and said.mend.where not in MAIL_MENDS)  # it would only wait
        self._test.setVisible(configured and said.mend.where != TEST)

    def _follow(self, where: str) -> None:
        """Do what a button says, or lead to where it is done."""
        if where in self._doings:
            self._doings[where]()
        elif where:
            self.page_wanted.emit(where)

    def _retry(self) -> None:
        self._run(self._context.service.mail_mended, _("It is tried now."))

    def _run(self, work: Callable[[], None], said: str) -> None:
        def done(_none: None) -> None:
            self.refresh()
            self.say(said)

        self._context.bridge.run(work, done, self._told, owner=self)

    def _told(self, error: Exception) -> None:
        self.say(words(error), Kind.WARNING)

    # --- the figures -------------------------------------------------------------------------------------------------

    def _show_figures(self) -> None:
        if not self._glance.asked:  # for a moment after the start: nothing is said of what is not known
            return
        self._show_next()
        self._show_last()
        self._show_queue()
        self._show_alerts()

    def _show_next(self) -> None:
        coming, people = self._glance.mail.next_reports, self._context.service.settings.report_recipients
        if not coming:
            self._next.show_figure(_("Next report"), _("None"), _("No report is switched on."))
            return
        first = min(coming.values())
        names = [_(_CADENCES[cadence]) for cadence, moment in coming.items() if moment == first]
        to = plural("to {n} person", "to {n} people", len(people))
        when = _short(first, self._now(), texts.current())
        self._next.show_figure(_("Next report"), when, f"{', '.join(names)}, {to}")

    def _show_last(self) -> None:
        last = self._glance.mail.last
        if last is None:
            self._last.show_figure(_("Last mail"), _("None"), _("Nothing was sent yet."))
            return
        outcome = _("Sent") if last.state == "sent" else _("Not sent")
        when = texts.format_ago(datetime.fromisoformat(last.settled_at), self._now(), texts.current())
        self._last.show_figure(_("Last mail"), outcome, f"{when}\n{_brief(last.subject)}")
        self._last.setToolTip(one_line(last.subject, _TOOL_TIP).replace("<", "‹"))  # else it may be read as markup

    def _show_queue(self) -> None:
        mail = self._glance.mail
        held = plural("{n} held", "{n} held", mail.held)
        failed = plural("{n} not delivered", "{n} not delivered", mail.failed)
        beside = ", ".join(text for text, n in ((held, mail.held), (failed, mail.failed)) if n)
        idle = self._why_queued() if mail.queued else _("Nothing waits.")
        self._queue.show_figure(_("Mail queue"), texts.format_number(mail.queued, texts.current()), beside or idle)

    def _why_queued(self) -> str:
        waiting = self._glance.mail.waiting
        if waiting is None or waiting.until is None or waiting.until <= self._now():
            return _("Waiting to be sent")
        return _("Next try at {time}", time=clock_time(waiting.until, self._now()))

    def _show_alerts(self) -> None:
        service, now = self._context.service, self._glance.alerts
        switches = service.settings.alerts
        on = sum((switches.critical, switches.waf_blocked, switches.waf_detected, switches.new_ban))
        held = plural("{n} held", "{n} held", now.held) if now.held else _("none held")
        if (until := service.paused_until()) is not None:
            until_when = _("until {time}", time=short_moment(until, self._now()))
            figure, beside = _("Paused"), f"{until_when}, {held}"
        elif now.mails_today:
            told = plural("{n} event told", "{n} events told", now.events_today)
            figure, beside = plural("{n} mail", "{n} mails", now.mails_today), f"{told}, {held}"
        else:
            figure, beside = _("None"), held if now.held else _("{on} of 4 switched on", on=on)
        self._alerts.show_figure(_("Alerts today"), figure, beside)


def _brief(subject: str) -> str:
    """Return a subject without the mark in front, shortened to what a tile can hold."""
    return textwrap.shorten(subject.removeprefix("[vxtray] "), _SUBJECT, placeholder="…")


def _short(moment: datetime, now: datetime, language: str) -> str:
    """Return Today 08:00, or Mon 08:00, or 1 Dec 08:00."""
    local, today = moment, now.astimezone(moment.tzinfo).date()
    time = texts.format_time(local, language, local.tzinfo)
    days = (local.date() - today).days
    if days == 0:
        return _("Today {time}", time=time)
    pattern = "EEE" if days < 7 else "d MMM"
    return f"{texts.format_date(local.date(), language, pattern)} {time}"
