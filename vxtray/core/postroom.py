"""The post room: the thread that sends what is due, and what is known of the mail server's health.

``vx-outbox`` runs ``_loop``; everything else may be called from any thread and blocks for as long as the disk takes.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from vxtray.core.credentials import CredentialStore
from vxtray.core.errors import N_, StoreError, VxtrayError
from vxtray.core.mail.delivery import Courier
from vxtray.core.mail.outbox import Delivery, Outbox, State, Verdict
from vxtray.core.mail.statefile import as_text
from vxtray.core.notices import MailSettled, Publish, QueueChanged
from vxtray.core.settings.tree import Smtp
from vxtray.core.troubles import TroubleBoard

log = logging.getLogger(__name__)

#: The thread looks at least this often, so that a lost wake-up or a clock step delays nothing for long.
_LONGEST_SLEEP = 60.0
_STOP_SECONDS = 10.0
_CUT_SECONDS = 2.0

_PROVEN = "mail-proven"
_MENDED = "mail-settings-changed"  # what was sent before proves nothing about the settings of now
_PROOF = "{smtp.host}:{smtp.port} {smtp.username}\t{at}"

_LOST = frozenset({State.FAILED, State.EXPIRED})


class PostRoom:
    """Sends the outbox's mails with the settings in force."""

    def __init__(
        self,
        outbox: Outbox,
        smtp: Smtp,
        credentials: CredentialStore,
        board: TroubleBoard,
        publish: Publish,
        clock: Callable[[], datetime],
    ) -> None:
        self._outbox = outbox
        self._smtp = smtp
        self._board = board
        self._publish = publish
        self._clock = clock
        self._courier = Courier(smtp, credentials, clock)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._delivering = threading.Lock()
        self._sender: threading.Thread | None = None

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to send. Faults after this are told on the board, never raised."""
        self._sender = threading.Thread(target=self._loop, name="vx-outbox", daemon=True)
        self._sender.start()

    def end(self) -> None:
        """Begin no other mail from now on."""
        self._stopping.set()
        self._wake.set()

    def stop(self) -> None:
        """End the thread. The mail in hand goes back to the queue; past its final dot, its answer has ten seconds."""
        self.end()
        self._courier.cut_off()
        if self._sender is not None:
            self._sender.join(_STOP_SECONDS)
            self._courier.cut_off(in_doubt=True)
            self._sender.join(_CUT_SECONDS)

    def apply(self, smtp: Smtp) -> None:
        """Take over changed settings and try at once with them. A disk that is full is told, not raised."""
        self._smtp = smtp
        self._courier.mended(smtp)
        try:
            self._outbox.set_fact(_MENDED, as_text(self._clock()))
            self.mended()
        except StoreError as error:
            self._board.put("outbox", error)

    def mended(self) -> None:
        """Try the server again now: settings, password or a person's wish changed. Raises ``StoreError``."""
        self._courier.mended(self._smtp)
        self._board.put("mail", None)
        self._outbox.retry_all(self._clock())
        self._wake.set()

    def wake(self) -> None:
        """Look for mails now."""
        self._wake.set()

    # --- sending -----------------------------------------------------------------------------------------------------

    @property
    def sending(self) -> bool:
        """True while mails are being handed to the server."""
        return self._delivering.locked()

    def send_waiting(self) -> int:
        """Try every mail that is due, on this thread; return how many were accepted. Raises ``StoreError``."""
        accepted = 0
        with self._delivering:
            if not self._courier.ready:
                return 0
            for delivery in self._outbox.deliver_due(self._courier.deliver, self._clock):
                accepted += delivery.outcome.verdict is Verdict.SENT
                self._tell(delivery)
                if self._stopping.is_set():
                    break
        return accepted

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self.send_waiting()
                next_due = self._outbox.next_due()
                self._board.put("outbox", None)
            except VxtrayError as error:
                if self._stopping.is_set():  # the delivery was cut off, or the outbox is closed
                    return
                next_due = None
                self._board.put("outbox", error)
            except Exception as error:
                next_due = None
                log.exception("the outbox met an unknown fault")
                self._board.put("outbox", VxtrayError(N_("Mail could not be sent: {reason}."), reason=error))
            pause = _LONGEST_SLEEP
            if next_due is not None and self._courier.ready:
                pause = min(pause, max(0.2, (next_due - self._clock()).total_seconds()))
            self._wake.wait(pause)

    def _tell(self, delivery: Delivery) -> None:
        self._board.put("mail", self._courier.fault)
        parcel, outcome = delivery.parcel, delivery.outcome
        level = logging.WARNING if delivery.state in _LOST else logging.INFO
        log.log(level, "mail %d (%s): %s, %s", parcel.id, parcel.kind, delivery.state, outcome.reply)
        self.watch_undelivered()
        self._publish(
            MailSettled(
                at=self._clock(),
                id=parcel.id,
                kind=parcel.kind,
                subject=parcel.subject,
                state=delivery.state,
                reply=outcome.reply,
            )
        )
        self._publish(QueueChanged(at=self._clock(), **self._outbox.counts()))

    def proven(self, smtp: Smtp) -> None:
        """Remember that a test e-mail was accepted with these settings."""
        self._outbox.set_fact(_PROVEN, _PROOF.format(smtp=smtp, at=self._clock().isoformat()))
        if smtp == self._smtp:
            self.mended()

    def proven_at(self) -> datetime | None:
        """Return when a mail was last accepted with the server and user in force, None where that is not known."""
        last = self._outbox.last_settled()
        server, _tab, at = self._outbox.fact(_PROVEN).rpartition("\t")
        sent_here = last is not None and last.state == "sent" and last.settled_at >= self._outbox.fact(_MENDED)
        moments = [datetime.fromisoformat(last.settled_at)] if last is not None and sent_here else []
        if server == _PROOF.format(smtp=self._smtp, at="").rstrip("\t"):
            moments.append(datetime.fromisoformat(at))
        return max(moments, default=None)

    def retry(self, mail: int) -> None:
        """Try a mail again now. Raises ``UsageError``."""
        self._outbox.retry(mail, self._clock())
        self.watch_undelivered()
        self.mended()

    def cancel(self, mail: int) -> None:
        """Take a mail out of the queue. Raises ``UsageError``."""
        self._outbox.cancel(mail, self._clock())
        self.watch_undelivered()
        self.queue_changed()

    def watch_undelivered(self) -> None:
        """Tell of mails that will not be tried again, until they are retried or dismissed. Raises ``StoreError``."""
        lost = [entry for entry in self._outbox.entries(limit=1000) if entry.state in _LOST]
        error = VxtrayError(
            N_("Mails that could not be delivered: {count}. The last one: {subject}."),
            N_("“vxtray outbox” shows the server's words. Mend the cause and try again, or dismiss them."),
            count=len(lost),
            subject=lost[0].subject if lost else "",
        )
        self._board.put("undelivered", error if lost else None)

    def dismiss_undelivered(self) -> None:
        """Take note of mails that were not delivered: they stay listed, as cancelled. Raises ``StoreError``."""
        for entry in self._outbox.entries(limit=1000):
            if entry.state in _LOST:
                self._outbox.cancel(entry.id, self._clock())
        self.watch_undelivered()
        self.queue_changed()

    def queue_changed(self) -> None:
        """Tell how many mails wait, and look for them."""
        self._publish(QueueChanged(at=self._clock(), **self._outbox.counts()))
        self._wake.set()
