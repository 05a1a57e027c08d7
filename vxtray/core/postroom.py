"""The post room: the thread that sends what is due, and what is known of the mail server's health.

``vx-outbox`` runs ``_loop``; everything else may be called from any thread and blocks for as long as the disk takes.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from vxtray.core.credentials import CredentialStore
from vxtray.core.errors import N_, StoreError, VxtrayError
from vxtray.core.mail import network
from vxtray.core.mail.delivery import Courier
from vxtray.core.mail.fingerprint import SIGNED_IN, SIGNED_OUT, fingerprint, last_change, secret_changed
from vxtray.core.mail.hold import Cause, Hold
from vxtray.core.mail.keeping import Keeper
from vxtray.core.mail.outbox import Delivery, Entry, Outbox, State, Verdict
from vxtray.core.mail.statefile import as_text
from vxtray.core.notices import MailSettled, Publish, QueueChanged
from vxtray.core.settings.tree import Smtp
from vxtray.core.supervision import Worker, Workers
from vxtray.core.troubles import TroubleBoard

log = logging.getLogger(__name__)

#: The thread looks at least this often, so that a lost wake-up or a clock step delays nothing for long.
_LONGEST_SLEEP = 60.0
_LOOK_FOR_NETWORK = 3.0  # and this often for a network that is missing
_STOP_SECONDS = 10.0
_CUT_SECONDS = 2.0

_PROVEN = "mail-proven"
_MENDED = "mail-settings-changed"  # what was sent before proves nothing about the settings of now
_PROOF = "{smtp.host}:{smtp.port} {smtp.username}\t{at}"
_SECRETS = "secret-changes"  # as many of them stand in the history

_LOST = frozenset({State.FAILED, State.EXPIRED})
_UNREACHED = frozenset({Cause.NETWORK, Cause.SERVER, Cause.BLOCKED})


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Why queued mails do not leave now: a ``Cause``, or ``pace``; ``until`` None means: until a person acts."""

    cause: str
    until: datetime | None
    error: VxtrayError | None = None


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
        workers: Workers | None = None,
        *,
        keeper: Keeper | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        default_route: Callable[[], bool] = network.default_route,
    ) -> None:
        self._outbox = outbox
        self._smtp = smtp
        self._board = board
        self._publish = publish
        self._clock = clock
        self._default_route = default_route
        self._keeper = keeper
        self._courier = Courier(
            smtp,
            credentials,
            clock,
            keeper=keeper,
            dot_follows=outbox.dot_follows,
            fingerprint=self._fingerprint,
            monotonic=monotonic,
            default_route=default_route,
        )
        self._wake = threading.Event()
        self._judging = threading.RLock()  # or a pause that just ended could be told once more
        self._stopping = threading.Event()
        self._delivering = threading.Lock()
        self._workers = workers or Workers(board.put)
        self._sender: Worker | None = None
        if (saved := outbox.salvaged) is not None:
            error = VxtrayError(
                N_("The outbox was damaged. Saved were {kept} mails; {broken} of them cannot be sent."),
                N_("The damaged file is kept as {path}. “vxtray outbox” lists the mails."),
                kept=saved.kept,
                broken=saved.broken,
                path=saved.aside,
            )
            board.put("salvaged", error)

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to send. Faults after this are told on the board, never raised."""
        self._sender = self._workers.begin("vx-outbox", self._loop, self._stopping)

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
            if not self._stopping.is_set():  # else what a dialog still had under way met a closed outbox
                self._board.put("outbox", error)

    def mended(self, secret: str = "", user: str = "") -> None:
        """Try the server again now: settings, ``secret`` (of ``user``) or a person's wish changed.

        Raises ``StoreError``.
        """
        if secret:
            with contextlib.suppress(OSError):  # only the history would miss it
                secret_changed(self._outbox.path.parent, secret, user)
        if self._stopping.is_set():  # what a dialog still had under way when the program ended
            return
        self._courier.mended(self._smtp)
        with self._judging:
            self._outbox.lift(self._clock())
            self._board.put("mail", None)
        self._outbox.retry_all(self._clock())
        self._wake.set()

    def sign_out(self, smtp: Smtp) -> bool:
        """End a sign-in; True where the provider was told. Raises ``CredentialError``, ``MailError``."""
        revoked = self._keeper is not None and self._keeper().sign_out(smtp)
        self.mended(SIGNED_OUT, smtp.username)
        return revoked

    def wake(self) -> None:
        """Look for mails now."""
        self._wake.set()

    def look_again(self) -> None:
        """The computer slept, or its clock was set: what could not be reached then may be by now.

        A hold of the account stays: one more sign-in could lock it. A disk that is full is told, not raised.
        """
        try:
            hold = self._outbox.hold()
            if hold is not None and hold.cause in _UNREACHED:
                self._outbox.probe_now(self._clock())
        except StoreError as error:
            self._board.put("outbox", error)
        self._wake.set()

    def cut_off(self) -> None:
        """Give up the mail in hand even where it may have arrived: it goes back to the queue."""
        self._courier.cut_off(in_doubt=True)

    # --- sending -----------------------------------------------------------------------------------------------------

    @property
    def sending(self) -> bool:
        """True while mails are being handed to the server."""
        return self._delivering.locked()

    def waiting(self) -> Waiting | None:
        """Return why queued mails do not leave now, None where nothing keeps them. Raises ``StoreError``."""
        hold, now = self._outbox.hold(), self._clock()
        if hold is not None and hold.in_force(now):
            return Waiting(cause=hold.cause, until=hold.until, error=hold.error())
        seconds = self._courier.seconds_to_next()
        if seconds and self._outbox.counts()["queued"]:
            return Waiting(cause="pace", until=now + timedelta(seconds=seconds))
        return None

    def send_waiting(self) -> int:
        """Try every mail that may leave now, on this thread; return how many were accepted. Raises ``StoreError``."""
        with self._delivering:
            try:
                return self._send()
            finally:
                if self._sender is None:  # nobody would close the connection later
                    self._courier.rest(now=True)

    def _send(self) -> int:
        if not self._smtp.configured:
            return 0
        self.review_hold()
        accepted = 0
        for delivery in self._outbox.deliver_due(self._courier.deliver, self._clock, self._may_send):
            accepted += delivery.outcome.verdict is Verdict.SENT
            self._tell(delivery)
        return accepted

    def _may_send(self) -> bool:
        return not self._stopping.is_set() and self._courier.seconds_to_next() == 0

    def review_hold(self) -> None:
        """Lift a pause of the account that was about other settings or another password, and tell of one that lasts.

        Raises ``StoreError``.
        """
        self._note_secrets()
        with self._judging:
            hold = self._outbox.hold()
            if hold is None:
                return
            if hold.cause is Cause.ACCOUNT and hold.fingerprint != self._fingerprint(self._smtp):
                self._outbox.lift(self._clock())
                self._board.put("mail", None)
            else:
                self._board.put("mail", hold.error())

    def _note_secrets(self) -> None:
        change = last_change(self._outbox.path.parent)
        if str(change.count) != (self._outbox.fact(_SECRETS) or "0"):
            self._outbox.set_fact(_SECRETS, str(change.count))
            if change.name in {SIGNED_IN, SIGNED_OUT}:
                if self._keeper is not None and change.name == SIGNED_OUT:  # maybe by another process
                    self._keeper().forget_access_tokens()
                what, detail = change.name.replace("-", "_"), {"username": change.user, "changed": change.at}
            else:
                what, detail = "secret", {"name": change.name, "changed": change.at}
            self._outbox.note(self._clock(), what, detail)

    def _fingerprint(self, smtp: Smtp) -> str:
        return fingerprint(smtp, self._outbox.path.parent)

    # --- the thread --------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            pause = _LONGEST_SLEEP
            try:
                self.send_waiting()
                self._board.put("outbox", None)
                if (ended := self._courier.stay_signed_in()) is not None:
                    self._board.put("mail", ended)
                pause = self._pause()
            except VxtrayError as error:
                if self._stopping.is_set():  # the delivery was cut off, or the outbox is closed
                    break
                self._board.put("outbox", error)
            except Exception as error:
                log.exception("the outbox met an unknown fault")
                self._board.put("outbox", VxtrayError(N_("Mail could not be sent: {reason}."), reason=error))
            self._sleep(pause)
            self._courier.rest()
        self._courier.rest(now=True)

    def _pause(self) -> float:
        """Return the seconds until something is due: a mail, the pace, or the end of an unused connection."""
        left = [_LONGEST_SLEEP]
        due = self._outbox.next_due() if self._smtp.configured else None
        if due is not None:
            left.append(max(0.2, self._courier.seconds_to_next(), (due - self._clock()).total_seconds()))
        if (idle := self._courier.idle_left()) is not None:
            left.append(idle)
        return min(left)

    def _sleep(self, seconds: float) -> None:
        """Wait; where the network is missing, until it is back."""
        hold = self._hold_or_none()
        if hold is None or hold.cause is not Cause.NETWORK or self._default_route():
            self._wake.wait(seconds)
            return
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._wake.wait(min(left, _LOOK_FOR_NETWORK)):
            if self._default_route():
                self._network_is_back()
                return

    def _hold_or_none(self) -> Hold | None:
        try:
            return self._outbox.hold()
        except StoreError:  # told already
            return None

    def _network_is_back(self) -> None:
        log.info("the network is back")
        try:
            self._outbox.probe_now(self._clock())
        except StoreError as error:
            self._board.put("outbox", error)

    def _tell(self, delivery: Delivery) -> None:
        parcel, outcome = delivery.parcel, delivery.outcome
        with self._judging:
            hold = self._outbox.hold() if outcome.verdict is not Verdict.SENT else None  # a mail that leaves ends it
            self._board.put("mail", hold.error() if hold is not None else None)
        level = logging.WARNING if delivery.state in _LOST else logging.INFO
        log.log(level, "mail %d (%s): %s, %s", parcel.id, parcel.kind, delivery.state, outcome.reply)
        if delivery.expired:
            log.warning("%d mails waited too long in vain and are given up", delivery.expired)
        counts = self._outbox.counts()
        self._tell_lost(counts["failed"])
        at, state = self._clock(), delivery.state
        self._publish(
            MailSettled(at=at, id=parcel.id, kind=parcel.kind, subject=parcel.subject, state=state, reply=outcome.reply)
        )
        self._publish(QueueChanged(at=at, **counts))

    # --- what is known -----------------------------------------------------------------------------------------------

    def proven(self, smtp: Smtp) -> None:
        """Remember that a test e-mail was accepted with these settings."""
        self._outbox.set_fact(_PROVEN, _PROOF.format(smtp=smtp, at=self._clock().isoformat()))
        self._outbox.note(self._clock(), "tested", {"server": f"{smtp.host}:{smtp.port}", "username": smtp.username})
        if smtp == self._smtp:
            self.mended()
        self.queue_changed()

    def proven_at(self) -> datetime | None:
        """Return when a mail was last accepted with the server and user in force, None where that is not known."""
        last = self._outbox.last_settled()
        server, _tab, at = self._outbox.fact(_PROVEN).rpartition("\t")
        sent_here = last is not None and last.state == "sent" and last.settled_at >= self._outbox.fact(_MENDED)
        moments = [datetime.fromisoformat(last.settled_at)] if last is not None and sent_here else []
        if server == _PROOF.format(smtp=self._smtp, at="").rstrip("\t"):
            moments.append(datetime.fromisoformat(at))
        return max(moments, default=None)

    # --- by hand -----------------------------------------------------------------------------------------------------

    def retry(self, mail: int) -> None:
        """Try a mail again now. Raises ``UsageError``."""
        self._outbox.retry(mail, self._clock())
        self.watch_undelivered()
        self.mended()

    def resend(self, mail: int) -> int:
        """Queue the content of a mail once more and return the new mail. Raises ``UsageError``."""
        again = self._outbox.resend(mail, self._clock())
        self.queue_changed()
        return again

    def cancel(self, mail: int) -> None:
        """Take a mail out of the queue. Raises ``UsageError``."""
        self._outbox.cancel(mail, self._clock())
        self.watch_undelivered()
        self.queue_changed()

    def restore(self, was: Entry) -> None:
        """Undo a cancel: the mail stands again as it did. Raises ``UsageError``."""
        self._outbox.restore(was)
        self.watch_undelivered()
        self.queue_changed()

    def watch_undelivered(self) -> None:
        """Tell of mails that will not be tried again, until they are retried or dismissed. Raises ``StoreError``."""
        self._tell_lost(self._outbox.counts()["failed"])

    def _tell_lost(self, count: int) -> None:
        if not count:
            self._board.put("undelivered", None)
            return
        last = next(iter(self._outbox.search(states=_LOST, limit=1)), None)
        error = VxtrayError(
            N_("Mails that could not be delivered: {count}. The last one: {subject}."),
            N_(
                "The history (“vxtray outbox”) shows the server's words. Mend the cause and try again, or dismiss them."
            ),
            count=count,
            subject=last.subject if last is not None else "",
        )
        self._board.put("undelivered", error)

    def dismiss_undelivered(self) -> None:
        """Take note of mails that were not delivered: they stay listed, as cancelled. Raises ``StoreError``."""
        for entry in self._outbox.search(states=_LOST, limit=1_000_000):
            self._outbox.cancel(entry.id, self._clock())
        self.watch_undelivered()
        self.queue_changed()

    def queue_changed(self) -> None:
        """Tell how many mails wait, and look for them."""
        self._publish(QueueChanged(at=self._clock(), **self._outbox.counts()))
        self._wake.set()
