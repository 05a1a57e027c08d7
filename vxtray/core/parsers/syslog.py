"""The syslog header in front of a message. Pure functions, any thread.

Sources: RFC 3164 (BSD), RFC 5424, and the ISO times that rsyslog writes.
"""

import re

_TAG = r"(?:[\w./-]{1,48}(?:\[\d{1,10}\])?: +)?"
_HEADER = re.compile(
    r" *(?:<\d{1,4}>)? *"
    r"(?:"
    # RFC 5424: version, time, host, application, process, message id, structured data
    r"\d{1,2} [^ =]{1,64} [^ =]{1,255} [^ =]{1,48} [^ =]{1,128} [^ =]{1,32} (?:- ?|\[.{0,4096}?\](?: |\Z))"
    # an ISO time and a host
    rf"|\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[0-9.,:Z+-]{{0,20}} +(?:[^ =]{{1,255}} +)?{_TAG}"
    # RFC 3164: month, day, time, sometimes a year, host
    rf"|[A-Za-z]{{3}} {{1,2}}\d{{1,2}} (?:\d{{4}} )?\d\d:\d\d:\d\d(?: \d{{4}})? +(?:[^ =]{{1,255}} +)?{_TAG}"
    r")?",
    re.ASCII | re.DOTALL,
)


def body(text: str) -> str:
    """Return the message without priority, time, host and tag; a line without a header stays as it is."""
    match = _HEADER.match(text)
    return text[match.end() :] if match else text
