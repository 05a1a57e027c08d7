"""The event store that is open: of the engine that the settings name, opened on first use and anew when they change.

Any thread. What a program has read of its sources goes with it from one engine to the other, so no line is lost and
none is stored twice; the events stay where they are, and are there again when the engine is changed back.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.credentials import CredentialStore
from vxtray.core.errors import N_, StoreError, VxtrayError
from vxtray.core.mail.outbox import Outbox
from vxtray.core.paths import Profile
from vxtray.core.settings.tree import Settings, Store
from vxtray.core.store import EventStore, Position
from vxtray.core.store.retention import Retention
from vxtray.core.store.sending import Sending

if TYPE_CHECKING:
    from vxtray.core.store.clickhouse import ClickHouseStore  # heavy: imported where one is opened

log = logging.getLogger(__name__)

_FACT = "store-engine"  # whose positions are the newest
_EMBEDDED = "embedded"


class StoreHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Which store is in use; ``address`` is a server, or a file ("" before it is made), ``sending`` None for a file."""

    engine: str
    address: str
    sending: Sending | None = None


class StoreRoom:
    """Opens the store and keeps it; calling it gives the store.

    ``opened`` is told of a store just opened and its file, before anybody gets it, and may raise ``StoreError``.
    """

    def __init__(
        self,
        profile: Profile,
        settings: Callable[[], Settings],
        credentials: CredentialStore,
        outbox: Outbox,
        opened: Callable[[EventStore, Path], None],
        put: Callable[[str, VxtrayError | None], None],
    ) -> None:
        self._profile = profile
        self._settings = settings
        self._credentials = credentials
        self._outbox = outbox
        self._opened = opened
        self._put = put
        self._guard = threading.Lock()
        self._store: EventStore | None = None
        self._as: Store | None = None
        self._last_seq = 0  # when it was opened
        self._background = False
        self._change = threading.Condition()
        self._working = 0
        self._swapping = False
        self._retention = Retention()

    def __call__(self) -> EventStore:
        """Return the store, opened on first use; a damaged one was set aside. Raises ``StoreError``."""
        with self._guard:
            if self._store is None:
                wanted = self._settings().store
                store, path = self._open(wanted)
                try:
                    self._take_along(wanted.engine, store)
                    self._opened(store, path)
                except StoreError:  # all of it is done at the next try, or alerts would begin anywhere
                    store.close()
                    raise
                self._store, self._as, self._last_seq = store, wanted, store.last_seq()
                self._keep_sending(wanted)
            return self._store

    @property
    def may_hold_events(self) -> bool:
        """Whether there is a store to be asked; quick, opens none."""
        engine = self._settings().store.engine
        return engine != _EMBEDDED or self._profile.events_file.exists()

    @property
    def file(self) -> Path:
        """The file that events are written to first."""
        embedded = self._settings().store.engine == _EMBEDDED
        return self._profile.events_file if embedded else self._profile.spool_file

    def start(self) -> None:
        """From now on what waits for a server is sent in the background."""
        self._background = True

    @contextlib.contextmanager
    def steady(self) -> Iterator[None]:
        """Within, the store does not change: for who stores events and then says what follows from them."""
        with self._change:
            self._change.wait_for(lambda: not self._swapping)
            self._working += 1
        try:
            yield
        finally:
            with self._change:
                self._working -= 1
                self._change.notify_all()

    def renew(self) -> None:
        """Open the store that the settings name where another one is open. Raises ``StoreError``: it is tried again."""
        wanted, known = self._settings().store, self._as
        if known is None or wanted == known:
            return
        if wanted.engine == known.engine and (wanted.engine == _EMBEDDED or wanted.clickhouse == known.clickhouse):
            with self._guard:
                self._as = wanted
                if (server := self._server_store()) is not None:
                    server.say_whether_we_send(sends=wanted.send)
            return
        with self._change:
            self._swapping = True
            self._change.wait_for(lambda: not self._working)
        try:
            self._drop()
            self._put("store:programs", None)
            self()
            log.info("the event store is %s now", self.health().address)
        finally:
            with self._change:
                self._swapping = False
                self._change.notify_all()

    def close(self) -> None:
        """Close the store; what was stored while nothing sent in the background is sent first, if that is possible."""
        with self._guard:
            server = self._server_store()
            if server is not None and not self._background and server.last_seq() > self._last_seq:
                try:
                    server.send()
                except StoreError as error:
                    log.info("%d events wait for the next start: %s", server.waiting(), error)
        self._drop()

    def _drop(self) -> None:
        with self._guard:
            store, self._store, self._as = self._store, None, None
            if store is not None:
                store.close()

    # --- opening -----------------------------------------------------------------------------------------------------

    def _open(self, wanted: Store) -> tuple[EventStore, Path]:
        """Return the store and its file; the one place that knows the engines."""
        if wanted.engine == _EMBEDDED:
            from vxtray.core.store.embedded import open_store

            return open_store(self._profile.events_file)[0], self._profile.events_file
        from vxtray.core.store.clickhouse import ClickHouseStore
        from vxtray.core.storeserver import StoreServer, account_of

        named = wanted.clickhouse
        server = StoreServer(
            named,
            lambda: self._credentials.get(account_of(named)),
            lambda: self._settings().store.retention_days,
        )
        store = ClickHouseStore(
            self._profile.spool_file,
            server.connect,
            named.database,
            cluster=named.cluster,
            most_waiting_bytes=named.max_waiting_mebibytes << 20,
        )
        return store, self._profile.spool_file

    def _take_along(self, engine: str, store: EventStore) -> None:
        """Where another engine was in use before, tell this one how far its sources were read."""
        before = self._outbox.fact(_FACT) or _EMBEDDED
        if before == engine:
            return
        from vxtray.core.store import spool
        from vxtray.core.store.embedded import EmbeddedStore, open_kind

        file, kind = (
            (self._profile.events_file, EmbeddedStore)
            if before == _EMBEDDED
            else (self._profile.spool_file, spool.Spool)
        )
        if file.exists():
            last, _damaged = open_kind(kind, file)
            try:
                read = {key: n for key, n in last.positions("").items() if not key.startswith(spool.OWN)}
            finally:
                last.close()
            if read:
                key, offset = next(iter(read.items()))
                store.append((), position=Position(key=key, offset=offset, marks=tuple(read.items())))
        self._outbox.set_fact(_FACT, engine)

    def _keep_sending(self, wanted: Store) -> None:
        if self._background and (server := self._server_store()) is not None:
            server.keep_sending(socket.gethostname(), sends=wanted.send, told=self._tell)

    def _server_store(self) -> "ClickHouseStore | None":
        """Return the store that is open where it is on a server; the settings may name another one already."""
        if self._as is None or self._as.engine == _EMBEDDED:
            return None
        from vxtray.core.store.clickhouse import ClickHouseStore

        return self._store if isinstance(self._store, ClickHouseStore) else None

    # --- upkeep ------------------------------------------------------------------------------------------------------

    def health(self) -> StoreHealth:
        """Return which store is in use, and how events get there. Raises ``StoreError``: a spool may be opened."""
        wanted = self._settings().store
        if wanted.engine == _EMBEDDED:
            file = self._profile.events_file
            return StoreHealth(engine=wanted.engine, address=str(file) if file.exists() else "")
        if self._store is None and self._profile.spool_file.exists():
            self()
        with self._guard:
            server = self._server_store()
            sending = server.health() if server is not None else Sending()
        return StoreHealth(engine=wanted.engine, address=wanted.clickhouse.url, sending=sending)

    def keep_within(self, now: datetime) -> None:
        """Delete what is too old or too much, where it is time to look. Raises ``StoreError``.

        A server deletes by itself; of several programs, the one that sends mail tells it after how many days.
        """
        wanted = self._settings().store
        if wanted.engine == _EMBEDDED:
            store = self()
            self._retention.run(store, wanted, now)
            _give_back(store)
        elif self._retention.is_due(wanted, now):
            self()
            if (server := self._server_store()) is not None:
                server.keep_for(wanted.retention_days if wanted.send else None)
                self._retention.looked(now)

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Say of what fails within because a server is away that it waits: that it is away is told already."""
        try:
            yield
        except StoreError as error:
            if not error.transient or self._settings().store.engine == _EMBEDDED:
                raise
            raise VxtrayError(
                N_("What is due waits for the event store: {reason}"),
                N_("It is made when the server answers again; nothing is lost."),
                **_reason(error),
            ) from error

    def watch(self) -> None:
        """Tell what is wrong with the server, and with who sends mail. Raises ``StoreError``."""
        self._tell(self.health().sending)

    def _tell(self, sending: Sending | None) -> None:
        self._put("store:server", _away(sending))
        self._put("store:programs", _senders(sending, sends=self._settings().store.send))


def _give_back(store: EventStore) -> None:
    from vxtray.core.store.embedded import EmbeddedStore

    if isinstance(store, EmbeddedStore):
        store.give_back()


def _away(sending: Sending | None) -> VxtrayError | None:
    if sending is None or sending.fault is None:
        return None
    if not sending.waiting:
        return sending.fault
    since = sending.waiting_since
    values = {"n": sending.waiting, "since": f"{since.astimezone():%Y-%m-%d %H:%M}" if since else ""}
    return VxtrayError(
        N_("Events wait for the ClickHouse server ({n}, the oldest since {since}): {reason}"),
        N_("They are kept on this machine and sent by themselves. “vxtray store test” checks the server step by step."),
        **{**_reason(sending.fault), **values},
    )


def _reason(fault: StoreError) -> dict[str, object]:
    """Return the values of a fault, and what it says as the reason of another one, in words that can be translated."""
    return {**fault.values, "reason": fault.values.get("reason", fault.title_id)}


def _senders(sending: Sending | None, *, sends: bool) -> VxtrayError | None:
    """Return what is wrong with who sends mail of the programs on one server; nothing before they are known."""
    if sending is None or not sending.programs:
        return None
    senders = sorted({(one.host, one.uuid) for one in sending.programs if one.sends})
    if len(senders) > 1:
        return VxtrayError(
            N_("{n} programs on this event store send mail, so each mail comes {n} times: {hosts}."),
            N_("Leave it to one of them: on the others, vxtray settings set store.send=false"),
            n=len(senders),
            hosts=", ".join(host for host, _uuid in senders),
        )
    if not senders and not sends:
        return VxtrayError(
            N_("No program on this event store sends mail: {hosts}."),
            N_("Let one of them do it: vxtray settings set store.send=true"),
            hosts=", ".join(sorted({one.host for one in sending.programs})),
        )
    return None
