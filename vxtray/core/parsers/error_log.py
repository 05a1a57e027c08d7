"""Lines of the error logs of Apache httpd and nginx: those of ModSecurity and Coraza, among many others.

    [Fri Jun 14 04:48:20 2024] [:error] [pid 1:tid 2] [client 192.0.2.1:5] [client 192.0.2.1] ModSecurity: Warning. ...
    2021/12/26 12:36:51 [error] 972#972: *18722 [client 192.0.2.1] ModSecurity: ... [ref ""], client: 192.0.2.1, ...

Behind a syslog header Apache leaves out its own time. Lines about anything else are no security events. Pure functions,
any thread. Sources: httpd's ErrorLogFormat, nginx ``ngx_log.c``, "ModSecurity 2 Data Formats".
"""

import re
from datetime import datetime, tzinfo

from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import syslog, timestamps
from vxtray.core.parsers.fields import MAX_ADDRESS, MAX_MESSAGE, address, host, port
from vxtray.core.parsers.modsecurity_audit import url_of
from vxtray.core.parsers.modsecurity_rules import SOURCE, Request, event, read_match, tells_of_a_rule
from vxtray.core.parsers.outcome import Ignored, Outcome, Rejected

_NO_TIME = Rejected(N_("The line has no time that can be read."))
_NOTHING = Ignored()

_APACHE = re.compile(
    r"\[(?:[A-Za-z]{3} ([A-Za-z]{3} [ \d]?\d \d\d:\d\d:\d\d(?:\.\d{1,6})? \d{4})"
    r"|(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?))\] \[",
    re.ASCII,
)
_NGINX = re.compile(
    r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[[a-z]{3,6}\] (?:\d{1,10}#\d{1,10}: |(?=ModSecurity: ))", re.ASCII
)
_APACHE_LEVEL = re.compile(r"\[(?:[\w-]{0,40}:)?(?:emerg|alert|crit|error|warn|notice|info|debug|trace\d)\] ", re.ASCII)
_CLIENT = re.compile(r"\[(?:client|remote) \"?([0-9A-Fa-f.:%\w]{2,64})\"?\]", re.ASCII)
_PRODUCT = re.compile(r"(?:ModSecurity|Coraza): ")
#: As Traefik writes it behind a time and a level.
_BARE = re.compile(rf"(?:{_CLIENT.pattern} )?{_PRODUCT.pattern}", re.ASCII)
_NGINX_CLIENT = ", client: "
_NGINX_PAIR = re.compile(r', (server|request|host): (?:"([^"]*)"|([^",]*))')
#: Said at each start.
_BANNER = re.compile(
    r"ModSecurity(?: for |: (?:\w+ compiled|LUA|YAJL|LIBXML|StatusEngine|Loaded|Original server))", re.IGNORECASE
)


def recognises(text: str) -> bool:
    """Return whether a line is of an error log, or is ModSecurity's behind a syslog header."""
    if _APACHE.match(text) or _NGINX.match(text):
        return True
    said = syslog.body(text)
    if len(said) == len(text):
        return False
    if _NGINX.match(said) or _APACHE.match(said):
        return True
    return _APACHE_LEVEL.match(said) is not None or _BARE.match(said) is not None


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one line; ``zone`` is where it was written."""
    product = _PRODUCT.search(text)
    if product is None or _BANNER.search(text[:MAX_MESSAGE]):
        return _NOTHING
    at = _time(text, zone)
    if at is None:
        return _NO_TIME
    head, said = text[: product.start()], text[product.end() :]
    said, pairs = _nginx_pairs(said)
    match = read_match(said)
    src_ip, src_port = _client(head, pairs.get("client", ""))
    request = Request(
        at=at,
        src_ip=src_ip or address(match.client[:MAX_ADDRESS]),
        src_port=src_port,
        host=host(match.host[: MAX_ADDRESS * 4]) or host(pairs.get("host", "")),
        url=match.url or url_of(pairs.get("request", "")),
    )
    return event(request, [match]) if tells_of_a_rule(said) else _trouble(request, match.words)


def _trouble(request: Request, words: str) -> SecurityEvent:
    """Return the event of trouble that ModSecurity had itself: no attack, but protection may be missing.

    Apache logs all that a module says as "error", so the word tells nothing.
    """
    return SecurityEvent(
        at=request.at,
        source=SOURCE,
        category=Category.SYSTEM,
        action=Action.INFO,
        severity=Severity.MEDIUM,
        src_ip=request.src_ip,
        src_port=request.src_port,
        target_host=request.host,
        target_url=request.url,
        message=words,
    )


def _time(text: str, zone: tzinfo) -> datetime | None:
    """Return the line's own time, else that of the syslog header in front."""
    said = syslog.body(text)
    for part in (text, said):
        apache = _APACHE.match(part)
        if apache:
            return timestamps.bsd(apache[1], zone) if apache[1] else timestamps.iso(apache[2], zone)
        nginx = _NGINX.match(part)
        if nginx:
            return timestamps.iso(nginx[1].replace("/", "-"), zone)
    return syslog.read(text, zone).at


def _nginx_pairs(said: str) -> tuple[str, dict[str, str]]:
    """Cut off what nginx adds at the end, ``, client: 192.0.2.1, server: _, request: "GET / HTTP/1.1", host: "a"``.

    It comes behind ModSecurity's last part; a visitor may write the same into what stands in front of that.
    """
    last = max(said.find('[unique_id "'), said.find('[ref "'), 0)
    start = said.find(_NGINX_CLIENT, last)
    if start < 0:
        return said, {}
    tail = said[start + len(_NGINX_CLIENT) :]
    pairs = {"client": tail.partition(",")[0].strip()[:MAX_ADDRESS]}
    for pair in _NGINX_PAIR.finditer(tail):
        pairs.setdefault(pair[1], pair[2] or pair[3] or "")
    return said[:start], pairs


def _client(head: str, trailing: str) -> tuple[str, int]:
    """Return the address and port of the client, which may come twice, with the port at the first or at none."""
    src_ip, src_port = "", 0
    for found in _CLIENT.findall(head):
        whole = address(found)
        if whole:
            src_ip = whole
            continue
        name, _, number = found.rpartition(":")
        src_port = port(number)
        src_ip = address(name) or src_ip
    return src_ip or address(trailing), src_port
