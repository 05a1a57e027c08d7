"""The tables of VIGILANCE X in ClickHouse, read only: answers the questions of ``vigilancex`` by SQL.

On the source's own thread. Where the tables can be reached they are the better source: they hold the lines as they
came, so nothing depends on what the server made of them, and they need neither its licence nor its interface. Names and
types of the columns: ``docker/clickhouse/init-db.sql`` of VIGILANCE X; columns of later migrations are not asked for.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vxtray.core.clickhouse import connect, is_refused
from vxtray.core.credentials import Account, Secret
from vxtray.core.errors import N_, SourceError
from vxtray.core.parsers import jsonvalues, timestamps
from vxtray.core.settings.tree import ClickHouse
from vxtray.core.sources.vigilancex_api import PathFailed, ServerAway, address_of, reason_of
from vxtray.core.store.tables import is_denied

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NAME = "ClickHouse"

_ANSWER_SECONDS = 60

_ISO = "formatDateTime({column}, '%Y-%m-%dT%H:%i:%SZ', 'UTC')"
_EVENTS = f"""
SELECT toString(event_id) AS event_id, {_ISO.format(column="timestamp")} AS timestamp, log_type, category, sub_category,
       severity, toString(src_ip) AS src_ip, toString(dst_ip) AS dst_ip, src_port, dst_port, action, rule_id, rule_name,
       hostname, user_name, url, geo_country, message, reason, raw_log, sophos_id,
       {_ISO.format(column="ingested_at")} AS ingested_at
FROM events
WHERE events.timestamp >= {{start:DateTime('UTC')}} AND events.timestamp <= {{end:DateTime('UTC')}}
ORDER BY events.timestamp DESC, event_id LIMIT {{limit:UInt32}} OFFSET {{offset:UInt32}}
"""  # noqa: S608 - only constants are put in
_REQUESTS = f"""
SELECT unique_id, {_ISO.format(column="min(modsec_logs.timestamp)")} AS timestamp, toString(any(src_ip)) AS src_ip,
       any(src_port) AS src_port, any(hostname) AS hostname, any(uri) AS uri, max(total_score) AS total_score,
       max(is_blocking) = 1 AS is_blocked,
       groupUniqArray(50)(map('rule_id', rule_id, 'rule_msg', rule_msg, 'rule_severity', rule_severity,
                              'attack_type', attack_type)) AS rules
FROM modsec_logs WHERE modsec_logs.timestamp >= {{start:DateTime('UTC')}} AND unique_id <> ''
GROUP BY unique_id ORDER BY timestamp DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608 - only constants are put in
_BANS = f"""
SELECT ip, status, ban_count, {_ISO.format(column="first_ban")} AS first_ban,
       {_ISO.format(column="ip_ban_status.last_ban")} AS last_ban,
       if(expires_at IS NULL, '', {_ISO.format(column="assumeNotNull(expires_at)")}) AS expires_at, reason, trigger_rule
FROM ip_ban_status FINAL WHERE status IN ('active', 'permanent') ORDER BY ip_ban_status.last_ban DESC
"""  # noqa: S608 - only constants are put in
_NOW = "SELECT toUnixTimestamp64Milli(now64(3)) AS now"
_END = datetime(2105, 1, 1, tzinfo=UTC)


def account_of(settings: ClickHouse) -> Account:
    """Return whose password it is."""
    return Account("clickhouse-password", settings.username, settings.url)


class Tables:
    """The tables of one database; connects when it is asked. Not shared between threads."""

    def __init__(self, settings: ClickHouse, password: Callable[[], Secret | None]) -> None:
        """``password`` may raise ``CredentialError``. Raises ``SourceError`` for an address that cannot be used."""
        self._settings = settings
        self._password = password
        self._address = address_of(settings.url, NAME)
        self._client: Client | None = None
        #: How far the server's clock is before ours, in seconds.
        self.skew = 0.0

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return what the interface of VIGILANCE X would answer for some of its paths.

        Raises ``ServerAway``, ``PathFailed`` (also for a table that is missing), ``SourceError`` where the account is
        refused, and ``CredentialError``.
        """
        start = _moment(parameters.get("start_time"), datetime(1970, 1, 2, tzinfo=UTC))
        limit = int(parameters.get("limit", 1000))
        if path == "/status/syslog":
            self.skew = float(self._rows(path, _NOW)[0]["now"]) / 1000 - time.time()
            return {}
        if path == "/events":
            end = _moment(parameters.get("end_time"), _END)
            asked = {"start": start, "end": end, "limit": limit, "offset": int(parameters.get("offset", 0))}
            rows = self._rows(path, _EVENTS, asked)
            return {"data": rows, "pagination": {"has_more": len(rows) == limit}}
        if path == "/bans":
            return {"data": self._rows(path, _BANS)}
        if path == "/modsec/logs/grouped":
            return {"data": self._rows(path, _REQUESTS, {"start": start, "limit": limit})}
        if path == "/alerts/critical":  # of the server's own making: what it is made from is read already
            return {"data": []}
        raise PathFailed(source=NAME, reason=path)

    def _rows(self, path: str, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

        try:
            told = self._connected().raw_query(
                sql,
                parameters=parameters,
                settings={"output_format_json_quote_64bit_integers": 0},
                fmt="JSONEachRow",
            )
        except DatabaseError as error:
            self._raise_refused(error)
            raise PathFailed(source=NAME, reason=f"{path}: {reason_of(error)}") from error
        except (ClickHouseError, OSError) as error:
            self.close()
            raise ServerAway(source=NAME, reason=reason_of(error)) from error
        return [jsonvalues.members(jsonvalues.load(line)) for line in told.decode("utf-8", "replace").splitlines()]

    def _connected(self) -> "Client":
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> "Client":
        import urllib3
        from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

        settings = self._settings
        try:
            return connect(
                self._address,
                username=settings.username,
                password=self._password(),
                database=settings.database,
                ca_file=settings.ca_file,
                answer_seconds=_ANSWER_SECONDS,
            )
        except DatabaseError as error:
            self._raise_refused(error)
            raise ServerAway(source=NAME, reason=reason_of(error)) from error
        except (ClickHouseError, OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise ServerAway(source=NAME, reason=reason_of(error)) from error

    def _raise_refused(self, error: Exception) -> None:
        if is_refused(error) or is_denied(error):
            self.close()
            raise SourceError(
                N_("ClickHouse does not accept the account {username}."),
                N_("Check user name and password on the page “Sources”, and that the account may read the tables."),
                username=self._settings.username or "default",
            ) from error


def _moment(text: str | int | None, otherwise: datetime) -> datetime:
    return (timestamps.iso(text, UTC) if isinstance(text, str) else None) or otherwise
