"""The ClickHouse server that the settings name for the events: reached, checked step by step, and given its tables.

Blocks for as long as the server takes; on the thread of whoever asks.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import msgspec

from vxtray.core.clickhouse import connect, is_refused
from vxtray.core.credentials import Account, Secret
from vxtray.core.errors import N_, CredentialError, KeyringMissing, StoreError, VxtrayError
from vxtray.core.mail.certificates import client_context
from vxtray.core.paths import resource
from vxtray.core.settings.tree import StoreClickHouse
from vxtray.core.settings.wellformed import is_safe_url
from vxtray.core.store import tables
from vxtray.core.store.clickhouse_sql import away

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: The name of its password, for ``secret set``.
SECRET = "store-clickhouse-password"  # noqa: S105 - a name
_ANSWER_SECONDS = 30
_CONNECT_SECONDS = 10
#: The oldest release that knows every setting and statement that is used here.
_OLDEST = (24, 8)


def account_of(settings: StoreClickHouse) -> Account:
    """Return whose password it is: bound to the address, so that another server never receives it."""
    return Account(SECRET, settings.username, settings.url)


class Step(msgspec.Struct, frozen=True):
    """A step of a check: its name, and what came of it; both message ids, or ``error`` where it failed."""

    name: str
    words: str = ""
    values: dict[str, object] = {}
    error: VxtrayError | None = None


class StoreServer:
    """One server as the settings name it. ``days`` say how long events stay in tables that are made."""

    def __init__(
        self, settings: StoreClickHouse, password: Callable[[], Secret | None], days: Callable[[], int]
    ) -> None:
        """``password`` may raise ``CredentialError``."""
        self.settings = settings
        self._password = password
        self._days = days

    def connect(self) -> "Client":
        """Sign in, and make the tables that are not there. Raises ``StoreError``, most of it transient."""
        client = self._sign_in()
        try:
            with self._explained():
                if tables.missing(client, self.settings.database):
                    self._make_tables(client)
        except StoreError:
            client.close()
            raise
        return client

    def sql(self) -> list[str]:
        """Return the statements that make the tables, for an administrator. Raises ``FileNotFoundError``."""
        text = resource(tables.RESOURCE).read_text(encoding="utf-8")
        return tables.statements(text, self.settings.database, self._days(), self.settings.cluster)

    def examine(self) -> Iterator[Step]:
        """Yield the steps from the network to a first insertion, of nothing; the first that fails is the last."""
        checks: list[tuple[str, Callable[[], tuple[str, dict[str, object]]]]] = [
            (N_("Reach the server"), self._reached),
            (N_("Sign in"), self._signed_in),
            (N_("Release of the server"), self._recent),
            (N_("Tables"), self._has_tables),
            (N_("Right to write and to read"), self._may_write),
        ]
        for name, check in checks:
            try:
                words, values = check()
            except VxtrayError as error:
                yield Step(name, error=error)
                return
            yield Step(name, words, values)

    # --- the steps ---------------------------------------------------------------------------------------------------

    def _reached(self) -> tuple[str, dict[str, object]]:
        address = self._address()
        port = address.port or {"http": 8123, "https": 8443}[address.scheme]
        with self._explained(), socket.create_connection((address.hostname or "", port), _CONNECT_SECONDS) as plain:
            if address.scheme == "http":
                return N_("It answers on this machine."), {}
            with client_context(self.settings.ca_file).wrap_socket(plain, server_hostname=address.hostname) as held:
                return N_("It answers, protected by {version}."), {"version": held.version()}

    def _signed_in(self) -> tuple[str, dict[str, object]]:
        self._sign_in().close()
        return N_("The account {username} is accepted."), {"username": self.settings.username or "default"}

    def _recent(self) -> tuple[str, dict[str, object]]:
        with contextlib.closing(self._sign_in()) as client:
            version = str(client.server_version)
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        if numbers < _OLDEST:
            raise StoreError(
                N_("The server is ClickHouse {version}; vxtray needs {oldest} or newer."),
                N_("Update the server, or choose another one."),
                version=version,
                oldest=".".join(map(str, _OLDEST)),
            )
        return N_("ClickHouse {version}"), {"version": version}

    def _has_tables(self) -> tuple[str, dict[str, object]]:
        with contextlib.closing(self._sign_in()) as client, self._explained():
            if not tables.missing(client, self.settings.database):
                return N_("They are in the database {database}."), {"database": self.settings.database}
            self._make_tables(client)
        return N_("They were made in the database {database}."), {"database": self.settings.database}

    def _may_write(self) -> tuple[str, dict[str, object]]:
        with contextlib.closing(self._sign_in()) as client, self._explained():
            for table in ("events", "programs"):
                name = f"{self.settings.database}.{table}"
                client.command(f"INSERT INTO {name} SELECT * FROM {name} WHERE false")  # noqa: S608 - checked names
        return N_("The account may write events and read them."), {}

    # --- how ---------------------------------------------------------------------------------------------------------

    def _make_tables(self, client: "Client") -> None:
        from clickhouse_connect.driver.exceptions import DatabaseError

        text = resource(tables.RESOURCE).read_text(encoding="utf-8")
        try:
            tables.make(client, text, self.settings.database, self._days(), self.settings.cluster)
        except DatabaseError as error:
            if not tables.is_denied(error):
                raise
            fault = StoreError(
                N_("The database {database} lacks the tables of vxtray, and the account may not make them."),
                N_("Let an administrator carry out what “vxtray store sql” prints; vxtray then goes on by itself."),
                database=self.settings.database,
            )
            fault.transient = True
            raise fault from error

    def _sign_in(self) -> "Client":
        settings = self.settings
        address = self._address()
        password = None
        try:
            password = self._password()
        except KeyringMissing:  # an account without a password needs none
            pass
        except CredentialError as error:
            fault = StoreError(error.title_id, error.advice_id, **error.values)
            fault.transient = True
            raise fault from error
        with self._explained():
            return connect(
                address,
                username=settings.username,
                password=password,
                database=None,
                ca_file=settings.ca_file,
                answer_seconds=_ANSWER_SECONDS,
            )

    def _address(self) -> SplitResult:
        parts = urlsplit(self.settings.url)
        if not is_safe_url(self.settings.url) or not parts.hostname or parts.username is not None:
            raise StoreError(
                N_("No usable address of a ClickHouse server is set; events wait on this machine."),
                N_("Enter it: vxtray settings set store.clickhouse.url=https://clickhouse.example.com:8443"),
            )
        return parts

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the network and the driver raise into ``StoreError``."""
        import urllib3
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            yield
        except StoreError:
            raise
        except VxtrayError as error:  # the certificate file
            fault = StoreError(error.title_id, error.advice_id, **error.values)
            fault.transient = True
            raise fault from error
        except (ClickHouseError, OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise self._refused(error) if is_refused(error) else away(error) from error

    def _refused(self, _error: Exception) -> StoreError:
        fault = StoreError(
            N_("The ClickHouse server does not accept the account {username}."),
            N_("Check store.clickhouse.username, and the password: vxtray secret set store-clickhouse-password."),
            username=self.settings.username or "default",
        )
        fault.transient = True
        return fault
