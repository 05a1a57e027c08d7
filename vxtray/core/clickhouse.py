"""How a ClickHouse server is reached: with our own trust in certificates, and no wait without an end.

For the store of events and for the source that reads the tables of VIGILANCE X alike; on the thread of the caller. A
client may be used by several threads.
"""

import logging
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from vxtray.core.credentials import Secret
from vxtray.core.mail.certificates import client_context

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())  # else it writes to standard error

_CONNECT_SECONDS = 10
#: Kept open; more are made where more threads ask at once.
_CONNECTIONS = 8
_PORTS = {"http": 8123, "https": 8443}
#: Codes of the engine: authentication failed, unknown user, wrong password, access denied.
_REFUSED = ("Code: 516", "Code: 192", "Code: 193", "Code: 194")


def connect(
    address: SplitResult,
    *,
    username: str,
    password: Secret | None,
    database: str | None,
    ca_file: str,
    answer_seconds: int,
) -> "Client":
    """Sign in and return a client; ``answer_seconds`` is the longest wait for a part of an answer.

    Raises ``TlsError`` for a certificate file that cannot be used, and what the driver raises: ``ClickHouseError``,
    ``OSError``, ``ValueError``, ``urllib3.exceptions.HTTPError``.
    """
    import clickhouse_connect
    import urllib3

    return clickhouse_connect.get_client(
        interface=address.scheme,
        host=address.hostname,
        port=address.port or _PORTS[address.scheme],
        username=username or "default",
        password=password.reveal() if password else "",
        database=database,
        connect_timeout=_CONNECT_SECONDS,
        send_receive_timeout=answer_seconds,
        autogenerate_session_id=False,
        pool_mgr=urllib3.PoolManager(ssl_context=client_context(ca_file), retries=False, maxsize=_CONNECTIONS),
    )


def is_refused(error: Exception) -> bool:
    """Return whether the server does not accept the account."""
    return any(code in str(error) for code in _REFUSED)
