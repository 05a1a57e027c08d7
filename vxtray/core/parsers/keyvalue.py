"""Lines of ``key=value`` pairs, read tolerantly. Pure functions, any thread, time in proportion to the line.

Seen in the field and understood: empty values (``src_mac=``), bare values with blanks (``ether_type=Unknown
(0x0000)``), ``=`` and quotes inside quotes (``info="Reason="Logout""``), a missing blank between pairs
(``a="b"c="d"``), single quotes, a last quote that is missing, several blanks. Of a key that is given twice the first
counts: what a stranger can write (an agent, a cookie) stands rather at the end of a line.
"""

import re

# Each pattern below can always finish where it stands, so nothing is ever tried twice (the possessive ++ and *+ say so
# to the engine, too): a quoted value ends at a quote that is followed by another pair or by the end, else at the end of
# the line; a key has at most 64 characters.
_KEY = r"[A-Za-z_]\w{0,63}+="
_END = rf"(?= {_KEY}|\Z| +{_KEY}|{_KEY}\"| *\Z)"
_BARE = rf"[^ \"]?[^ ]*+(?: ++(?!{_KEY})[^ ]++)*+"
_PLAIN = re.compile(rf"\b([A-Za-z_]\w{{0,63}}+)=(\"[^\"]*+(?:\"(?!{_END})[^\"]*+)*+\"?|{_BARE})", re.ASCII | re.DOTALL)
_ESCAPED = re.compile(
    rf"\b([A-Za-z_]\w{{0,63}}+)=(\"[^\"\\]*+(?:(?:\\.?|\"(?!{_END}))[^\"\\]*+)*+\"?|{_BARE})",
    re.ASCII | re.DOTALL,
)


def scan(text: str, *, escaped: bool = False) -> dict[str, str]:
    r"""Return key -> value as it is written, with its quotes: see ``unquote``.

    ``escaped`` says that the writer puts a backslash before a quote inside a value (Apache's way); for others a
    backslash is an ordinary character, which may also stand last (``user="DOMAIN\\"``).
    """
    pairs = pairs_of(text, escaped=escaped)
    pairs.reverse()  # the last of a dict's equal keys wins
    return dict(pairs)


def pairs_of(text: str, *, escaped: bool = False) -> list[tuple[str, str]]:
    """Return all pairs in the order of the line, otherwise as ``scan``."""
    return (_ESCAPED if escaped else _PLAIN).findall(text)


def unquote(value: str) -> str:
    """Return a value without its quotes and the blanks around it."""
    mark = value[:1]
    if mark == '"' or mark == "'":  # noqa: PLR1714 - a set costs twice as much, and this runs for every field
        value = value[1:-1] if value[-1] == mark else value[1:]
    return value.strip()
