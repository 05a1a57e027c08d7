"""Turns prepared values into the HTML and the text of a mail, and log text into something harmless to show.

Any thread. The templates stand in ``resources/mail``: ``NAME.html.j2`` and ``NAME.txt.j2`` get the same context, in
which every word is already in the reader's language, so that the two parts of a mail say the same. Jinja2 is imported
with the first mail.
"""

import ipaddress
import itertools
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from vxtray.core.errors import N_
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.mail.message import Image
from vxtray.core.mail.plaintext import one_line
from vxtray.core.paths import resource
from vxtray.core.texts import format_date, format_number, format_percent, translate, translate_plural

if TYPE_CHECKING:
    import jinja2

#: Columns of the text part (RFC 5322 section 2.1.1 asks for at most 78 characters in a line).
TEXT_WIDTH = 78

#: Of the first column of a table, at least so much must be left.
_LEAST_NAME = 30

#: Characters of a subject; the rest is cut. A lock screen shows fewer than that.
SUBJECT_LIMIT = 200

SEVERITIES: Mapping[str, str] = MappingProxyType(
    {
        Severity.CRITICAL: N_("Critical"),
        Severity.HIGH: N_("High"),
        Severity.MEDIUM: N_("Medium"),
        Severity.LOW: N_("Low"),
        Severity.INFO: N_("Information"),
    }
)

#: A shape for each severity: state is never colour alone.
SHAPES: Mapping[str, str] = MappingProxyType(
    {Severity.CRITICAL: "●", Severity.HIGH: "▲", Severity.MEDIUM: "◆", Severity.LOW: "■", Severity.INFO: "○"}
)

CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        Category.WAF: N_("Web application firewall (WAF)"),
        Category.IPS: N_("Intrusion prevention (IPS)"),
        Category.FIREWALL: N_("Firewall"),
        Category.ATP: N_("Advanced threats (ATP)"),
        Category.MALWARE: N_("Malware"),
        Category.WEB: N_("Web filter"),
        Category.EMAIL: N_("E-mail filter"),
        Category.VPN: N_("VPN"),
        Category.AUTH: N_("Sign-in"),
        Category.BAN: N_("Bans"),
        Category.SYSTEM: N_("System"),
        Category.OTHER: N_("Other events"),
    }
)

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        Action.DETECTED: N_("detected, not blocked"),
        Action.BLOCKED: N_("blocked"),
        Action.ALLOWED: N_("allowed"),
        Action.BANNED: N_("banned"),
        Action.UNBANNED: N_("unbanned"),
        Action.FAILED: N_("failed"),
        Action.INFO: N_("for information"),
    }
)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail says: ``subject`` is one line of at most 200 characters, ``html`` and ``text`` say the same.

    ``images`` are those that the HTML shows by their ``cid``. ``topic`` is the subject that the conversation began
    with, "" where this document begins one.
    """

    subject: str
    html: str
    text: str
    images: tuple[Image, ...] = ()
    topic: str = ""


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """The two parts of a mail."""

    html: str
    text: str


# --- text that others wrote -------------------------------------------------------------------------------------------

_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)"
    r"|(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])"
)
_SCHEME = re.compile(r"\b(?:(h)tt|(f)t)(?=ps?://)", re.IGNORECASE)
#: Mail programs make links of other schemes, of paths of Windows and of mail addresses, too.
_OTHER_LINK = re.compile(r"(?<!hxxp)(?<!hxxps)(?<!fxp):(?=//)|(?<=\S)@(?=\w)|\\(?=\\)", re.IGNORECASE)
_INNER_DOT = re.compile(r"(?<=\w)\.(?=\w)")
_INTERNAL = tuple(
    ipaddress.ip_network(network)
    # RFC 1918, RFC 6598 (shared), RFC 3927 and RFC 4291 (link-local), RFC 4193 (unique local)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)


def mask(text: str) -> str:
    """Hide the middle of internal addresses: 10.198.47.71 becomes 10.x.x.71, others stay."""
    return _ADDRESS.sub(lambda found: _mask_address(found.group()), text)


def _mask_address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if not any(address in network for network in _INTERNAL if network.version == address.version):
        return text
    if address.version == 4:
        first, *_, last = text.split(".")
        return f"{first}.x.x.{last}"
    first, *_, last = address.exploded.split(":")
    return f"{first}:x:{last}"


def defang(text: str) -> str:
    r"""Make addresses and links in a text unclickable: hxxp://shop[.]example[.]com, a[@]example[.]com, [\]\server."""
    unlinked = _SCHEME.sub(lambda found: "hxx" if found[1] else "fx", text)
    unlinked = _OTHER_LINK.sub(r"[\g<0>]", unlinked)
    return _INNER_DOT.sub("[.]", unlinked)


# --- the reader -------------------------------------------------------------------------------------------------------


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who a mail is for: writes words, numbers, times and foreign text in their language, zone and taste.

    ``defang`` makes addresses unclickable, ``mask_internal`` hides the middle of internal ones.
    """

    language: str
    zone: tzinfo
    defang: bool = False
    mask_internal: bool = False

    def translate(self, text: str, /, **values: object) -> str:
        """Return a marked text in the reader's language."""
        return translate(text, self.language, **values)

    def translate_plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """Return the marked text for ``n``, which ``{n}`` stands for."""
        return translate_plural(one, many, n, self.language, **values)

    def number(self, n: int) -> str:
        """Return 1,204."""
        return format_number(n, self.language)

    def percent(self, share: float) -> str:
        """Return a share from 0 to 1 as a percentage; more than nothing is never 0 %, less than all never 100 %."""
        if 0 < share < 0.01:
            return "<\N{NO-BREAK SPACE}" + format_percent(0.01, self.language)
        if 0.99 < share < 1:
            return ">\N{NO-BREAK SPACE}" + format_percent(0.99, self.language)
        return format_percent(share, self.language)

    def day(self, day: date, pattern: str = "EEEE d MMMM yyyy") -> str:
        """Return Saturday 21 November 2026, or what a CLDR pattern with one ``d`` asks for."""
        if self.language == "fr" and day.day == 1:
            pattern = re.sub(r"\bd\b", "d'er'", pattern)
        return format_date(day, self.language, pattern)

    def moment(self, at: datetime) -> str:
        """Return Saturday 21 November 2026, 08:12:09 (Europe/Paris)."""
        local = at.astimezone(self.zone)
        return f"{self.day(local.date())}, {local:%H:%M:%S} ({self.zone_name(local)})"

    def zone_name(self, at: datetime) -> str:
        """Return the zone's IANA name, else its offset such as UTC+01:00."""
        name = getattr(self.zone, "key", "")
        if name:
            return str(name)
        offset = f"{at.astimezone(self.zone):%z}"
        return f"UTC{offset[:3]}:{offset[3:5]}" if offset.strip("+0") else "UTC"

    def country(self, code: str) -> str:
        """Return the country's name for an ISO 3166 alpha-2 code, the code itself where it is none."""
        from babel import Locale

        return str(Locale.parse(self.language).territories.get(code, "") or self.foreign(code, 40))

    def foreign(self, text: str, limit: int = 200) -> str:
        """Return text that a log or a server wrote, fit to be shown (still to be escaped in HTML)."""
        shown = one_line(text, limit)
        shown = mask(shown) if self.mask_internal else shown
        return defang(shown) if self.defang else shown

    def whence(self, event: SecurityEvent) -> str:
        """Return an event's source with its country: 18.160.13.241 (China), "" where there is none."""
        address = self.foreign(event.src_ip, 60)
        if not (address and event.country):
            return address
        return self.translate("{address} ({country})", address=address, country=self.country(event.country))

    def signature(self, host: str, version: str) -> str:
        """Return the last line of every mail: which program on which machine sent it."""
        program = f"vxtray {one_line(version, 60)}".rstrip()
        if not host:
            return self.translate(N_("Sent by {program}."), program=program)
        return self.translate(N_("Sent by {program} on {host}."), program=program, host=self.foreign(host, 60))


# --- templates --------------------------------------------------------------------------------------------------------


def render(name: str, language: str, context: Mapping[str, object]) -> Rendered:
    """Fill ``NAME.html.j2`` and ``NAME.txt.j2``; a value that a template asks for and does not get is an error."""
    values = {**context, "language": language}
    html = _environment("html").get_template(f"{name}.html.j2").render(values)
    text = _environment("text").get_template(f"{name}.txt.j2").render(values)
    return Rendered(html=html, text=text)


@cache
def _environment(kind: str) -> "jinja2.Environment":
    import jinja2

    options: dict[str, Any] = {
        "loader": jinja2.FileSystemLoader(resource("mail")),
        "undefined": jinja2.StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "keep_trailing_newline": True,
    }
    if kind == "html":
        return jinja2.Environment(autoescape=True, **options)
    environment = jinja2.Environment(autoescape=False, **options)  # noqa: S701 - plain text knows no markup
    environment.filters.update(wrapped=wrapped, underlined=underlined, columns=columns, facts=facts)
    return environment


def wrapped(text: str, indent: str = "") -> str:
    """Break a paragraph into lines of at most 78 columns, those after the first indented."""
    return textwrap.fill(text, TEXT_WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def underlined(text: str, line: str = "-") -> str:
    """Write a heading of the text part."""
    return f"{text}\n{line * min(_columns_of(text), TEXT_WIDTH)}"


def columns(rows: Iterable[Sequence[str]], aligned: str, details: Iterable[str] = ()) -> str:
    """Set rows in columns, ``aligned`` by < or > for each; empty columns are left out.

    The first column gives way where a line would be longer than 78, and where little would be left of it, it gets a
    line of its own. ``details``, "" for none, go on below their rows.
    """
    table = [tuple(row) for row in rows]
    widths = [max(map(_columns_of, column)) for column in zip(*table, strict=True)]
    used = [place for place, width in enumerate(widths) if width]
    room = TEXT_WIDTH - sum(widths[place] + 2 for place in used if place)
    stacked = widths[0] > room and room < _LEAST_NAME
    widths[0] = 0 if stacked else min(widths[0], room)
    while stacked and sum(widths[place] + 2 for place in used if place) > TEXT_WIDTH:
        widths[widths.index(max(widths))] -= 1
    said = []
    for row, detail in itertools.zip_longest(table, details, fillvalue=""):
        if stacked:
            said.append(_cell(row[0], TEXT_WIDTH, "<").rstrip())
        line = "  ".join(_cell(row[place], widths[place], aligned[place]) for place in used if place or not stacked)
        said.append(("  " + line if stacked else line).rstrip())
        if detail:
            said.append(textwrap.fill(detail, TEXT_WIDTH, initial_indent="  ", subsequent_indent="  "))
    return "\n".join(said)


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Set names and what they are in two columns; a long value goes on below itself."""
    known = list(pairs)
    width = max((_columns_of(name) for name, _ in known), default=0) + 2
    return "\n".join(
        textwrap.fill(
            value,
            TEXT_WIDTH,
            initial_indent=_cell(name, width, "<"),
            subsequent_indent=" " * width,
            break_on_hyphens=False,
        )
        for name, value in known
    )


def _columns_of(text: str) -> int:
    """Return how many columns of a terminal a text fills (UAX #11)."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _cell(text: str, width: int, aligned: str) -> str:
    if _columns_of(text) > width:
        while _columns_of(text) > width - 1:
            text = text[:-1]
        text += "…"
    blanks = " " * (width - _columns_of(text))
    return text + blanks if aligned == "<" else blanks + text
