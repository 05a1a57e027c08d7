"""ModSecurity and Coraza, in all the ways in which they write: one family, one module for each way.

``modsecurity_audit`` the native audit log, ``modsecurity_json`` the JSON one, ``error_log`` lines of Apache and nginx,
``modsecurity_rules`` what they have in common. Pure functions, any thread.
"""

from datetime import tzinfo

from vxtray.core.errors import N_
from vxtray.core.parsers import error_log, modsecurity_audit, modsecurity_json
from vxtray.core.parsers.outcome import Outcome, Rejected

_OTHER = Rejected(N_("The line is not one of ModSecurity's."))


def recognises(text: str) -> bool:
    """Return whether a record is ModSecurity's, or a line of a web server's error log."""
    return modsecurity_audit.recognises(text) or modsecurity_json.recognises(text) or error_log.recognises(text)


def parse(text: str, zone: tzinfo) -> Outcome:
    """Understand one record: printable, but for the line feeds of a native audit record."""
    if modsecurity_audit.recognises(text):
        return modsecurity_audit.parse(text, zone)
    if modsecurity_json.recognises(text):
        return modsecurity_json.parse(text, zone)
    return error_log.parse(text, zone) if error_log.recognises(text) else _OTHER
