"""What this machine tells a new person by itself: its security programs' logs, its address, and a free port.

Any thread; blocks for as long as the file system takes, and sends nothing. No log is opened, only looked at.
"""

import errno
import getpass
import ipaddress
import os
import re
import shlex
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import msgspec

from vxtray.core.errors import N_, SourceError

#: Entries of a folder that are looked at, and files that are told of each program.
_MOST_ENTRIES = 500
_MOST_FILES = 6

#: The first port of the search, and how many are tried; all of them may be opened by anybody.
_FIRST_PORT = 5514
_PORTS = 50

Format = Literal["auto", "fail2ban", "modsecurity", "suricata", "crowdsec"]


class _Place(msgspec.Struct, frozen=True):
    """Where a program writes: a folder below the root, and what its log is called there."""

    program: str
    format: Format
    folder: str
    name: re.Pattern[str]


def _exactly(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(name))


_AUDIT = re.compile(r"modsec_audit\.(?:log|json)|modsecurity_audit\.log")
_ERRORS = re.compile(r"(?:[\w.-]{1,80}[._-])?error(?:\.log|_log)")

#: Debian's and Red Hat's packages, Homebrew's on macOS (both processors), Suricata's installer on Windows.
_PLACES = (
    _Place("fail2ban", "fail2ban", "var/log", _exactly("fail2ban.log")),
    _Place("fail2ban", "fail2ban", "var/log/fail2ban", _exactly("fail2ban.log")),
    *(
        _Place("ModSecurity", "modsecurity", folder, _AUDIT)
        for folder in ("var/log", "var/log/modsecurity", "var/log/apache2", "var/log/httpd", "var/log/nginx")
    ),
    *(
        _Place("Suricata", "suricata", folder, _exactly("eve.json"))
        for folder in (
            "var/log/suricata",
            "usr/local/var/log/suricata",
            "opt/homebrew/var/log/suricata",
            "Program Files/Suricata/log",
        )
    ),
    *(
        _Place("CrowdSec", "crowdsec", folder, _exactly("crowdsec.log"))
        for folder in ("var/log", "var/log/crowdsec", "usr/local/var/log", "opt/homebrew/var/log")
    ),
    *(
        _Place("nginx", "modsecurity", folder, _ERRORS)
        for folder in ("var/log/nginx", "usr/local/var/log/nginx", "opt/homebrew/var/log/nginx")
    ),
    *(
        _Place("Apache", "modsecurity", folder, _ERRORS)
        for folder in (
            "var/log/apache2",
            "var/log/httpd",
            "usr/local/var/log/httpd",
            "opt/homebrew/var/log/httpd",
        )
    ),
)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A log of a security program. ``path`` and ``format`` are what to follow.

    Where it is not ``readable``: ``command`` is what an administrator enters to mend that ("" where none is known), and
    ``group`` the group that may read it, "" where only its owner may; ``member`` says that this account is in it
    already, but was signed in before.
    """

    program: str
    path: str
    format: Format
    readable: bool
    group: str = ""
    member: bool = False
    command: str = ""


def find_logs(root: Path = Path("/")) -> tuple[Found, ...]:
    """Return the logs of known programs below ``root``, each once, in the order of the programs.

    Links are followed within the log folder only, and nothing but ordinary files counts. Of a folder that may not be
    entered, the log that the program would write there is returned as one that cannot be read.
    """
    found: dict[str, Found] = {}
    for place in _PLACES:
        mine = [one for one in found.values() if one.program == place.program]
        for path, status in list(_logs(root, place))[: _MOST_FILES - len(mine)]:
            found.setdefault(str(path), _described(place, path, status))
    return tuple(found.values())


def _logs(root: Path, place: _Place) -> Iterator[tuple[Path, os.stat_result | None]]:
    """Yield the place's logs with their status, None for one behind a folder that may not be entered."""
    folder = root / place.folder
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry, _ in zip(entries, range(_MOST_ENTRIES), strict=False))
    except PermissionError:
        yield folder / _usual_name(place), None
        return
    except OSError:  # there is none, or it is no folder
        return
    for name in names:
        if place.name.fullmatch(name) and (status := _ordinary(root, folder / name)) is not None:
            yield folder / name, status


def _usual_name(place: _Place) -> str:
    usual = {_AUDIT: "modsec_audit.log", _ERRORS: "error_log" if place.folder.endswith("httpd") else "error.log"}
    return usual.get(place.name) or place.name.pattern.replace("\\", "")


def _ordinary(root: Path, path: Path) -> os.stat_result | None:
    """Return the status of an ordinary file; a link must lead to one in the same tree of logs (no /dev/stderr)."""
    parts = path.relative_to(root).parts
    try:
        target = path.resolve(strict=True)
        logs = root.joinpath(*parts[: parts.index("log") + 1]).resolve()
        status = target.stat()
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle (RuntimeError before Python 3.13)
        return None
    return status if target.is_relative_to(logs) and stat.S_ISREG(status.st_mode) else None


def _described(place: _Place, path: Path, status: os.stat_result | None) -> Found:
    found = Found(program=place.program, path=str(path), format=place.format, readable=True)
    if status is not None and _may(path, os.R_OK):
        return found
    if sys.platform == "win32":
        return msgspec.structs.replace(found, readable=False)
    folder = path.parent
    group = _group(folder.stat()) if status is None else _group(status)
    person = _person()
    command = f"sudo setfacl -m u:{shlex.quote(person)}:r {shlex.quote(str(path))}"
    if group:
        command = f"sudo usermod -aG {shlex.quote(group)} {shlex.quote(person)}"
    elif status is None:
        command = f"sudo setfacl -R -m u:{shlex.quote(person)}:rX {shlex.quote(str(folder))}"
    return msgspec.structs.replace(
        found, readable=False, group=group, member=_is_member(group, person), command=command
    )


def _may(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)


def _group(status: os.stat_result) -> str:
    """Return the group that may read, "" where it may not; nobody should join the group of root."""
    if sys.platform == "win32" or not status.st_mode & stat.S_IRGRP or status.st_gid == 0:
        return ""
    import grp

    try:
        return grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        return ""


def _is_member(group: str, person: str) -> bool:
    if sys.platform == "win32" or not group:
        return False
    import grp

    return person in grp.getgrnam(group).gr_mem


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return str(os.getuid()) if sys.platform != "win32" else ""


# --- for the syslog receiver -----------------------------------------------------------------------------------------


def own_address(towards: str) -> str:
    """Return this machine's address as an address or network (CIDR) sees it; "" where no way leads there.

    Only the system's routing table is asked: connecting a datagram socket sends nothing.
    """
    peer = ipaddress.ip_network(towards, strict=False).network_address
    family = socket.AF_INET if peer.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((str(peer), _FIRST_PORT))
            return str(sock.getsockname()[0])
    except OSError:
        return ""


def free_port(address: str) -> int:
    """Return the first port from 5514 on that is free at an address (an IP address) for UDP and TCP.

    Raises ``SourceError`` where none of fifty is.
    """
    family = socket.AF_INET if ipaddress.ip_address(address).version == 4 else socket.AF_INET6
    for port in range(_FIRST_PORT, _FIRST_PORT + _PORTS):
        if _is_free(family, address, port):
            return port
    raise SourceError(
        N_("No free port was found for the syslog receiver."),
        N_("Choose a port for it yourself, on the page “Sources”."),
        source="syslog",
    )


def _is_free(family: socket.AddressFamily, address: str, port: int) -> bool:
    with ExitStack() as stack:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            sock = stack.enter_context(socket.socket(family, kind))
            if kind == socket.SOCK_STREAM and sys.platform != "win32":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((address, port))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    return False
                raise SourceError(source="syslog", reason=error.strerror or str(error)) from error
    return True
