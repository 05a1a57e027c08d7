"""The connection to a ClickHouse server, made when it is needed and anew after a fault, with a pause between.

A server that does not answer costs whoever asks one wait for all; until the pause is over the others are told at once.
Any thread.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vxtray.core.errors import N_, StoreError
from vxtray.core.store.clickhouse_sql import ClickHouseCursor, again, away, is_lost

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Connect = Callable[[], "Client"]


class Link:
    """One connection; ``connect`` makes a client, and raises ``StoreError`` where it cannot."""

    def __init__(self, connect: Connect, pause: Callable[[], float], path: Path) -> None:
        """``pause`` is in seconds; ``path`` is named once it is closed."""
        self._connect = connect
        self._pause = pause
        self._path = path
        self._client: Client | None = None
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._not_before = 0.0
        self._closed = False
        #: Why the server cannot be used, None where it can, as far as is known.
        self.fault: StoreError | None = None

    def client(self) -> "Client":
        """Return the client. Raises ``StoreError`` where there is none to be had, and after ``close``."""
        if (client := self._known()) is not None:
            return client
        with self._connecting:
            if (client := self._known()) is not None:
                return client
            if self.fault is not None and time.monotonic() < self._not_before:
                raise again(self.fault)
            try:
                client = self._connect()
            except StoreError as error:
                self.rest(error)
                raise
            with self._lock:
                if not self._closed:
                    self._client = client
                    return client
            client.close()
            raise self._is_closed()

    def _known(self) -> "Client | None":
        with self._lock:
            if self._closed:
                raise self._is_closed()
            return self._client

    def _is_closed(self) -> StoreError:
        return StoreError(path=self._path, reason=N_("it is closed"))

    def cursor(self, table: str) -> ClickHouseCursor:
        """Return what asks in the SQL of the embedded store; ``table`` stands for ``events``."""
        return ClickHouseCursor(self.client(), table, self._failed)

    def command(self, sql: str, values: dict[str, object] | None = None) -> None:
        """Carry something out, to its end. Raises ``StoreError``."""
        settings = {"mutations_sync": 2, "lightweight_deletes_sync": 2}
        with self.answering() as client:
            client.command(sql, parameters=values, settings=settings)

    @contextlib.contextmanager
    def answering(self) -> "Iterator[Client]":
        """Give the client; what the driver raises becomes ``StoreError``, after which a pause begins."""
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            yield self.client()
        except (ClickHouseError, OSError) as error:
            fault = away(error)
            self.rest(fault)
            raise fault from error

    def _failed(self, error: Exception, fault: StoreError) -> None:
        """A question failed: where it was not for what was asked, the connection is over."""
        if is_lost(error):
            self.rest(fault)

    def is_well(self) -> None:
        """The server did what it was asked."""
        self.fault = None

    def rest(self, fault: StoreError) -> None:
        """Forget the connection, and ask the server no more for a while."""
        self._not_before, self.fault = time.monotonic() + self._pause(), fault
        self._drop(closing=False)

    def close(self) -> None:
        """End it for good; calling it twice is harmless."""
        self._drop(closing=True)

    def _drop(self, *, closing: bool) -> None:
        with self._lock:
            self._closed = self._closed or closing
            client, self._client = self._client, None
        if client is not None:
            client.close()
