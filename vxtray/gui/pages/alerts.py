"""Which events are told at once, what is told now and what is held back, and each alert mail with what it folded.

GUI thread only; how alerts stand is read on ``vx-read``, at most once a second and only while the page is seen, what
the rules matched lately on ``vx-task``.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QShowEvent

from vxtray.core.alertroom import Folded, Matched, Told
from vxtray.core.alerts.incidents import Incident, Silence
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.outbox import Entry
from vxtray.core.notices import AlertsRaised, EventsStored, IncidentsChanged, MailSettled, Notice, QueueChanged
from vxtray.core.settings.model import Change
from vxtray.core.texts import _, plural
from vxtray.gui.actions import Actions
from vxtray.gui.bindings import follow
from vxtray.gui.context import Context
from vxtray.gui.pages.alerts_mails import MailsCard
from vxtray.gui.pages.alerts_now import HeldCard, Standing, StormsCard
from vxtray.gui.pages.alerts_rehearsal import RehearsalView
from vxtray.gui.pages.alerts_rules import RulesCard
from vxtray.gui.pages.alerts_words import query_of
from vxtray.gui.pages.history_actions import HistoryActions
from vxtray.gui.silence_dialog import SilenceDialog
from vxtray.gui.trouble import words
from vxtray.gui.turns import Turns
from vxtray.gui.widgets import Banner, Page, button
from vxtray.gui.widgets import Kind as Look

_REFRESH_MS = 15_000

#: Least time between two looks at how alerts stand.
_NEWS_SECONDS = 1.0

#: A week of events is counted again after this time, while they come, and soon after a setting that changes the count.
_COUNT_AGAIN_SECONDS = 120.0
_SETTLE_MS = 400

_LETTERS = 200

#: Storms whose sums are shown; more would not be read at once.
_SUMMED = 12


class AlertsPage(Page):
    """The rules, the storms, what is held, and the mails.

    Signals: ``page_wanted(key)`` where a button leads elsewhere; ``events_wanted(query)`` to show events there;
    ``unacknowledged_seen(count)`` with how many alerts wait for a person, as read just now.
    """

    page_wanted = Signal(str)
    events_wanted = Signal(object)
    unacknowledged_seen = Signal(int)

    def __init__(self, context: Context, actions: Actions) -> None:
        self.rehearse_button = button(_("Rehearse on past events…"))
        pause = button(_("Pause"))
        pause.setMenu(actions.pause_menu(pause))
        super().__init__(
            _("Alerts"),
            _("Sent at once, then folded: one storm is one conversation, and every event is counted."),
            (self.rehearse_button, pause),
        )
        self._context = context
        self.standing = Standing()
        self._looked = self._counted = 0.0
        self._counting = self._stale = self._looking = False
        self._sought = 0
        self.silence_dialog: SilenceDialog | None = None
        self.rehearsal: RehearsalView | None = None
        self.doing = HistoryActions(context, self)
        self.rules = RulesCard(context, self._saved)
        self.storms, self.held, self.mails = StormsCard(), HeldCard(), MailsCard()
        # Beneath the switches: what comes and goes must not move them from under the mouse.
        self._unready = Banner(Look.WARNING, "")
        self._unready.hide()
        self._unready.activated.connect(lambda: self.page_wanted.emit("edit_smtp"))
        for part in (self.rules, self._unready, self.storms, self.held, self.mails):
            self.add(part)
        self.add_stretch()
        self._connect(actions)
        self._show_settings()

    def _connect(self, actions: Actions) -> None:
        self.rehearse_button.clicked.connect(self.rehearse)
        self.mails.rehearse_wanted.connect(self.rehearse)
        self.doing.told.connect(self._tell)
        self.storms.acknowledge_all_wanted.connect(lambda: self._acknowledge(None))
        self.storms.acknowledge_wanted.connect(self._acknowledge)
        self.storms.silence_wanted.connect(self._silence_incident)
        self.held.resume_wanted.connect(actions.resume.trigger)
        self.held.end_wanted.connect(self._end_silence)
        self.mails.chosen.connect(self._ask_folded)
        self.mails.open_wanted.connect(self._open)
        details = self.mails.details
        details.events_wanted.connect(self._show_events)
        details.silence_wanted.connect(self._silence_letter)
        details.acknowledge_wanted.connect(
            lambda: self._acknowledge(details.letter.incident if details.letter else None)
        )
        self._soon = QTimer(self, singleShot=True)
        self._soon.timeout.connect(self._look)
        self._turns = Turns(self)
        self._settling = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settling.timeout.connect(self._count)
        actions.changed.connect(self._something_new)
        self._context.bridge.noticed.connect(self._noticed)
        self.keep_fresh(self._tick, _REFRESH_MS)
        follow(self, self._context.model, self._changed)

    # --- looking -----------------------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Look again at everything."""
        self._show_settings()
        self._counted = 0.0
        self._something_new()
        self._count_if_due()

    def show_incident(self, incident: int) -> None:
        """Choose the newest mail of an incident, once it is there."""
        self._sought = 0 if self.mails.choose(incident) else incident
        self._something_new()

    @Slot(object)
    def _noticed(self, notice: Notice) -> None:
        if isinstance(notice, AlertsRaised | IncidentsChanged | MailSettled | QueueChanged) or (
            isinstance(notice, EventsStored) and notice.alerts
        ):
            self._something_new()

    @Slot()
    def _something_new(self) -> None:
        """Look soon, at most once in a while; nothing while the page is hidden."""
        self._stale = True
        if self.isVisible() and not self._soon.isActive():
            waited = time.monotonic() - self._looked
            self._soon.start(max(0, round((_NEWS_SECONDS - waited) * 1000)))

    def _tick(self) -> None:
        self._something_new()
        self._count_if_due()

    @Slot()
    def _look(self) -> None:
        """Read how alerts stand."""
        if not self.isVisible() or self._looking:
            return
        self._looking, self._stale, self._looked = True, False, time.monotonic()
        room = self._context.service.alerts

        def work() -> Standing:
            incidents = room.open_incidents()
            summed = Standing(incidents=incidents).storms()[:_SUMMED]
            folded = {one.id: found for one in summed if (found := room.folded(one.id)) is not None}
            return Standing(
                incidents=incidents,
                folded=folded,
                silences=room.silences(),
                pause=room.paused(),
                letters=room.letters(_LETTERS),
                unacknowledged=room.unacknowledged(),
            )

        self._context.bridge.run(work, self._show_standing, self._failed_to_look, owner=self, quick=True)

    def _show_standing(self, standing: Standing) -> None:
        """Show how alerts stand, in several turns: beside a storm, all at once would hold the window up."""
        self._looking, self.standing = False, standing
        now, alerts = self._context.service.clock(), self._context.model.current.alerts
        changed = self.storms.show_storms(standing, timedelta(minutes=alerts.summary_minutes), now)
        self.unacknowledged_seen.emit(standing.unacknowledged)
        self._turns.take(*(self._steps() if changed else ()), self._show_rest)

    def _steps(self) -> tuple[Callable[[], None], ...]:
        """Return how storms that came or went are shown: laid out step by step, and painted only then."""

        def place() -> None:
            self.viewport().setUpdatesEnabled(False)
            self.storms.place()

        def paint() -> None:
            self.viewport().setUpdatesEnabled(True)
            self.storms.fold()

        return place, self.storms.show_placed, paint

    def _show_rest(self) -> None:
        """Show what stands beneath the storms."""
        standing, now, alerts = self.standing, self._context.service.clock(), self._context.model.current.alerts
        self.held.show_held(standing, alerts.max_mails_per_hour, now)
        self.mails.show_letters(standing.letters, now)
        if self._sought and self.mails.choose(self._sought):
            self._sought = 0
        if self._stale:
            self._something_new()

    def _failed_to_look(self, error: Exception) -> None:
        self._looking = False
        self._failed(error)

    def showEvent(self, event: QShowEvent) -> None:
        """Look how alerts stand."""
        super().showEvent(event)
        self._something_new()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop looking."""
        self._soon.stop()
        self._settling.stop()
        super().hideEvent(event)

    # --- what the rules matched lately -------------------------------------------------------------------------------

    def _show_settings(self) -> None:
        """Say how the rules stand, and whether their mails can leave at all."""
        self.rules.refresh()
        settings = self._context.model.current
        ready = settings.smtp.configured and bool(settings.alert_recipients)
        self._unready.setVisible(not ready)
        if not ready:
            said = _("No alert leaves yet: the mail server is not set up.")
            self._unready.show_message(Look.WARNING, said, _("Set up the mail server"))

    def _changed(self, change: Change) -> None:
        self._show_settings()
        switches = {f"alerts.{rule}" for rule in self.rules.rows}
        if any(key.startswith("alerts.") for key in change.keys if key not in switches):
            self._counted = 0.0
            if self.isVisible():
                self._settling.start()
        self._something_new()

    def _count_if_due(self) -> None:
        if not self._counted or time.monotonic() - self._counted > _COUNT_AGAIN_SECONDS:
            self._count()

    @Slot()
    def _count(self) -> None:
        """Count what the rules matched in the last days."""
        if self._counting or not self.isVisible():
            return
        self._counting, self._counted = True, time.monotonic()
        room, before = self._context.service.alerts, self._context.model.current.alerts

        def done(matched: dict[Rule, Matched]) -> None:
            self._counting = False
            self.rules.show_matched(matched)
            if before != self._context.model.current.alerts:
                self._count_if_due()

        def failed(error: Exception) -> None:
            self._counting = False
            self._failed(error)

        self._context.bridge.run(room.matched, done, failed, owner=self)

    # --- what can be done --------------------------------------------------------------------------------------------

    def _acknowledge(self, incident: int | None) -> None:
        room = self._context.service.alerts
        self._do(
            lambda: room.acknowledge(incident),
            lambda n: self._done(plural("{n} alert acknowledged.", "{n} alerts acknowledged.", n)),
        )

    @Slot()
    def _acknowledge_letter(self) -> None:
        if (letter := self.mails.details.letter) is not None:
            self._acknowledge(letter.incident)

    def _end_silence(self, silence: int) -> None:
        room = self._context.service.alerts
        self._do(
            lambda: room.end_silence(silence),
            lambda n: self._done(
                _("The silence ended.") + " " + plural("{n} event is told now.", "{n} events are told now.", n)
            ),
        )

    def _silence_incident(self, incident: Incident | None) -> None:
        key = incident.key if incident is not None else None
        self._silence(key.rule if key else None, key.source if key else "")

    @Slot()
    def _silence_letter(self) -> None:
        folded = self.mails.details.folded
        rule = folded.reasons[0][0] if folded is not None and folded.reasons else None
        source = folded.top_sources[0].name if folded is not None and len(folded.top_sources) == 1 else ""
        self._silence(rule, source)

    def _silence(self, rule: Rule | None, source: str) -> None:
        dialog = SilenceDialog(self._context, self, rule=rule, network=source)
        self.silence_dialog = dialog
        dialog.silenced.connect(self._silenced)
        dialog.destroyed.connect(self._forget_dialog)
        dialog.open()

    def _forget_dialog(self) -> None:
        self.silence_dialog = None

    @Slot(object)
    def _silenced(self, _silence: Silence) -> None:
        self._done(_("Silenced; what comes meanwhile is counted."))

    @Slot()
    def rehearse(self) -> None:
        """Open the rehearsal, or bring it to the front."""
        if self.rehearsal is None:
            self.rehearsal = RehearsalView(self._context, self)
            self.rehearsal.destroyed.connect(self._forget_rehearsal)
        self.rehearsal.show()
        self.rehearsal.raise_()
        self.rehearsal.activateWindow()

    def _forget_rehearsal(self) -> None:
        self.rehearsal = None

    # --- one mail ----------------------------------------------------------------------------------------------------

    @Slot(object)
    def _ask_folded(self, letter: Told) -> None:
        room = self._context.service.alerts

        def work() -> tuple[Folded | None, bool]:
            noted = {one.id for one in room.incidents(_LETTERS) if one.acknowledged_at is not None}
            return room.folded(letter.incident, letter.number), letter.incident in noted

        def done(answer: tuple[Folded | None, bool]) -> None:
            folded, noted = answer
            self.mails.show_details(letter, folded, acknowledged=noted)
            QTimer.singleShot(0, self, self._show_whole)

        self._context.bridge.run(work, done, self._failed, owner=self, quick=True)

    @Slot()
    def _show_whole(self) -> None:
        """Scroll to the details, once the layout has made room for them."""
        if not self.mails.details.isHidden():
            self.ensureWidgetVisible(self.mails.details, 0, 24)

    @Slot(object)
    def _open(self, letter: Told) -> None:
        outbox = self._context.service.outbox

        def work() -> Entry:
            return outbox.entry(letter.mail)[0]

        self._context.bridge.run(work, self.doing.open, self._failed, owner=self, quick=True)

    @Slot()
    def _show_events(self) -> None:
        if (folded := self.mails.details.folded) is not None:
            self.events_wanted.emit(query_of(folded, self._context.model.current.alerts))

    # --- telling -----------------------------------------------------------------------------------------------------

    def _do(self, work: Callable[[], int], done: Callable[[int], None]) -> None:
        self._context.bridge.run(work, done, self._failed, owner=self)

    def _done(self, text: str) -> None:
        self.say(text)
        self._something_new()
        if (letter := self.mails.current()) is not None and not self.mails.details.isHidden():
            self._ask_folded(letter)

    @Slot(str, bool)
    def _tell(self, text: str, good: bool) -> None:
        self.say(text, Look.GOOD if good else Look.WARNING)

    def _saved(self, error: VxtrayError | None) -> None:
        if error is None:  # why a control went back stands beside it
            self.say(_("Saved"))

    def _failed(self, error: Exception) -> None:
        self.say(words(error), Look.WARNING)
