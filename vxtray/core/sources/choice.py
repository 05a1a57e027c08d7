"""Which sources the settings ask for. Any thread; a source is made, and its code loaded, only when it is to run."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from vxtray.core.credentials import Account, Secret
from vxtray.core.settings.tree import ClickHouse, LogFile, Sources, Syslog, VigilanceX
from vxtray.core.sources import Source, Wanted
from vxtray.core.sources.known import following_key

if TYPE_CHECKING:
    from vxtray.core.sources.syslog import Transport

#: Looks a secret up; may block, and raises ``CredentialError``.
Secrets = Callable[[Account], Secret | None]


def wanted_sources(
    settings: Sources, positions: Callable[[str], int], marks: Callable[[str], dict[str, int]], secrets: Secrets
) -> list[Wanted]:
    """Return the sources that should run; ``positions`` gives the remembered offset of a key, ``marks`` those of all
    keys that begin in some way.
    """
    wanted = _listeners(settings.syslog) if settings.syslog.enabled else []
    wanted += [Wanted(file.path, file, _follower(file, positions), following_key(file.path)) for file in settings.files]
    if settings.vigilancex.enabled:
        wanted.append(Wanted("vigilancex", settings.vigilancex, _poller(settings.vigilancex, marks, secrets)))
    if settings.clickhouse.enabled:
        wanted.append(Wanted("clickhouse", settings.clickhouse, _reader(settings.clickhouse, marks, secrets)))
    return wanted


def _listeners(settings: Syslog) -> list[Wanted]:
    from vxtray.core.sources.syslog import TRANSPORTS

    return [
        Wanted(f"syslog {transport}", settings, _listener(settings, transport))
        for transport in TRANSPORTS
        if transport != "tls" or settings.tls_port
    ]


def _listener(settings: Syslog, transport: "Transport") -> Callable[[], Source]:
    from vxtray.core.sources.syslog import SyslogSource

    return lambda: SyslogSource(settings, transport)


def _follower(file: LogFile, positions: Callable[[str], int]) -> Callable[[], Source]:
    from vxtray.core.sources.follower import FileSource

    return lambda: FileSource(file, positions)


def _poller(settings: VigilanceX, marks: Callable[[str], dict[str, int]], secrets: Secrets) -> Callable[[], Source]:
    from vxtray.core.sources.vigilancex import VigilanceXSource
    from vxtray.core.sources.vigilancex_api import Server, account_of, base_of

    return lambda: VigilanceXSource(
        "vigilancex",
        Server(settings, lambda: secrets(account_of(settings))),
        base_of(settings),
        marks,
        where=settings.url,
        poll_seconds=settings.poll_seconds,
        notices=settings.notices,
    )


def _reader(settings: ClickHouse, marks: Callable[[str], dict[str, int]], secrets: Secrets) -> Callable[[], Source]:
    from vxtray.core.sources.clickhouse import Tables, account_of
    from vxtray.core.sources.vigilancex import VigilanceXSource

    return lambda: VigilanceXSource(
        "clickhouse",
        Tables(settings, lambda: secrets(account_of(settings))),
        f"{settings.url} {settings.database}",
        marks,
        where=settings.url,
    )
