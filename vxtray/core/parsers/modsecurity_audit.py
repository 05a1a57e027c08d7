"""ModSecurity's native audit log: one record of many lines for each request, in sections between boundaries.

    --68a39c63-A--    time, id, source and destination      ModSecurity 2
    --68a39c63-B--    the request's line and headers
    --68a39c63-H--    Message: ... for each rule that matched, Action: Intercepted (phase 2)
    --68a39c63-Z--    the end

Version 3 writes ``---uhBr3CdI---A--``, and ``ModSecurity: ...`` where version 2 writes ``Message: ...``. ``records``
puts the lines of a record together. Pure functions, any thread. Source: "ModSecurity 2 Data Formats".
"""

import re
from datetime import datetime, tzinfo
from itertools import islice

from vxtray.core.errors import N_
from vxtray.core.parsers import timestamps
from vxtray.core.parsers.fields import MAX_HOST, address, host, port
from vxtray.core.parsers.modsecurity_rules import MAX_MATCHES, Request, event, read_match, tells_of_a_rule
from vxtray.core.parsers.outcome import Ignored, Outcome, Rejected

#: A line that begins a section: what tells the record, and which section it is.
BOUNDARY = re.compile(
    r"-{2,3}([A-Za-z0-9_@+/.=](?:[A-Za-z0-9_@+/.=-]{0,62}[A-Za-z0-9_@+/.=])?)-{1,3}([A-Z])--\s{0,4}", re.ASCII
)

_CUT_OFF = Rejected(N_("The audit record is not complete."))
_NO_START = Rejected(N_("The audit record has no beginning."))
_NO_TIME = Rejected(N_("The line has no time that can be read."))
_NOTHING = Ignored()

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_START = re.compile(r"\[([^\]]{1,64})\] (\S{1,128}) (\S{1,64}) (\d{1,5}) (\S{1,64}) (\d{1,5})", re.ASCII)
_TIME = re.compile(
    r"(\d{1,2})/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: ?-?([+-])(\d\d):?(\d\d))?", re.ASCII
)
_MESSAGE = ("Message: ", "ModSecurity: ")
_STOPPED = "Action: Intercepted"


def recognises(text: str) -> bool:
    """Return whether a record (or a line of one) is of this kind."""
    return text.startswith("--") and BOUNDARY.match(text) is not None


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one record; a request that no rule matched is no event. ``text`` is printable but for line feeds."""
    sections = _sections(text)
    if "A" not in sections:
        return _NO_START
    if "Z" not in sections:
        return _CUT_OFF
    start = _START.match(sections["A"][0]) if sections["A"] else None
    at = time_of(start[1], zone) if start else None
    if start is None or at is None:
        return _NO_TIME
    trailer = sections.get("H", [])
    stopped = any(line.startswith(_STOPPED) for line in trailer)
    messages = (line.partition(": ")[2] for line in trailer if line.startswith(_MESSAGE))
    matches = list(map(read_match, islice(filter(tells_of_a_rule, messages), MAX_MATCHES)))
    if not matches and not stopped:
        return _NOTHING
    request = sections.get("B", [])
    return event(
        Request(
            at=at,
            src_ip=address(start[3]),
            src_port=port(start[4]),
            dst_ip=address(start[5]),
            dst_port=port(start[6]),
            host=_host(request) or next((host(match.host) for match in matches if match.host), ""),
            url=url_of(request[0]) if request else "",
            stopped=stopped,
        ),
        matches,
    )


def _sections(text: str) -> dict[str, list[str]]:
    """Return the lines of each section; of one that comes twice, all."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.split("\n"):
        boundary = BOUNDARY.fullmatch(line) if line.startswith("--") else None
        if boundary:
            lines = sections.setdefault(boundary[2], [])
        else:
            lines.append(line)
    return sections


def _host(request: list[str]) -> str:
    for line in request[1:]:
        if line[:5].lower() == "host:":
            return host(line[5 : MAX_HOST + 12])
    return ""


def url_of(line: str) -> str:
    """Return the address of a request line, ``/a?b`` of ``GET /a?b HTTP/1.1``."""
    _, _, rest = line.strip().partition(" ")
    url, _, version = rest.rpartition(" ")
    return url if version.startswith("HTTP/") and url else rest


def time_of(text: str, zone: tzinfo) -> datetime | None:
    """Return a time such as ``13/Aug/2022:02:06:11.341644 +0000``; some releases write ``--0700``."""
    match = _TIME.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, month, year, time, sign, hours, minutes = match.groups()
    offset = f"{sign}{hours}:{minutes}" if hours else ""
    return timestamps.iso(f"{year}-{_MONTHS.index(month) + 1:02d}-{int(day):02d}T{time}{offset}", zone)
