"""Which sources the settings ask for. Any thread; a source is made only when it is to run."""

from collections.abc import Callable

from vxtray.core.settings.tree import LogFile, Sources, Syslog
from vxtray.core.sources import Source, Wanted
from vxtray.core.sources.known import following_key
from vxtray.core.sources.syslog import TRANSPORTS, SyslogSource, Transport


def wanted_sources(settings: Sources, positions: Callable[[str], int]) -> list[Wanted]:
    """Return the sources that should run; ``positions`` gives the remembered offset of a key."""
    wanted = [
        Wanted(f"syslog {transport}", settings.syslog, _listener(settings.syslog, transport))
        for transport in TRANSPORTS
        if settings.syslog.enabled and (transport != "tls" or settings.syslog.tls_port)
    ]
    wanted += [Wanted(file.path, file, _follower(file, positions), following_key(file.path)) for file in settings.files]
    return wanted


def _listener(settings: Syslog, transport: Transport) -> Callable[[], Source]:
    return lambda: SyslogSource(settings, transport)


def _follower(file: LogFile, positions: Callable[[str], int]) -> Callable[[], Source]:
    from vxtray.core.sources.follower import FileSource

    return lambda: FileSource(file, positions)
