"""Whether a VIGILANCE X server, or its tables in ClickHouse, would serve as a source: asked once, for a person.

Blocks for as long as the server takes; on the thread of the caller.
"""

import msgspec

from vxtray.core.credentials import Secret
from vxtray.core.errors import N_
from vxtray.core.settings.tree import ClickHouse, VigilanceX
from vxtray.core.sources.clickhouse import Tables
from vxtray.core.sources.vigilancex_api import PathFailed, Server, Unlicensed


class Trial(msgspec.Struct, frozen=True):
    """What a server that answers has for us: message ids, the first for the whole, and how its clock differs (s)."""

    words: tuple[str, ...]
    skew: float


def try_vigilancex(settings: VigilanceX, password: Secret | None) -> Trial:
    """Sign in and ask for what is read later. Raises as ``Server.get``."""
    server = Server(settings, lambda: password)
    try:
        server.get("/status/syslog")
        server.get("/events", limit=1)
        return Trial((N_("The server answers."), _licensed(server)), server.skew)
    finally:
        server.close()


def _licensed(server: Server) -> str:
    try:
        server.get("/bans")
    except Unlicensed:
        return N_("It has no licence: events and critical alerts are read, bans and WAF requests are not.")
    except PathFailed:
        return N_("Its list of bans answers with a fault of its own; everything else is read.")
    return N_("Events, WAF requests and bans are read.")


def try_clickhouse(settings: ClickHouse, password: Secret | None) -> Trial:
    """Connect and ask for what is read later. Raises as ``Tables.get``."""
    tables = Tables(settings, lambda: password)
    try:
        tables.get("/status/syslog")
        tables.get("/events", limit=1)
        missing = False
        for path in ("/bans", "/modsec/logs/grouped"):
            try:
                tables.get(path, limit=1)
            except PathFailed:
                missing = True
        if missing:
            return Trial((N_("The server answers."), N_("Only the table of events can be read.")), tables.skew)
        return Trial((N_("The server answers."), N_("Events, WAF requests and bans are read.")), tables.skew)
    finally:
        tables.close()
