"""Key=value pairs and syslog headers."""

import pytest

from vxtray.core.parsers import syslog
from vxtray.core.parsers.countries import alpha2
from vxtray.core.parsers.fields import host
from vxtray.core.parsers.keyvalue import scan, unquote


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ('a=1 b="two" c=', {"a": "1", "b": "two", "c": ""}),
        ("a= b=2", {"a": "", "b": "2"}),
        ("ether_type=Unknown (0x0000) b=2", {"ether_type": "Unknown (0x0000)", "b": "2"}),
        ("id=C443- P29PUA  b=2", {"id": "C443- P29PUA", "b": "2"}),
        ('a="x=1, y=)" b=2', {"a": "x=1, y=)", "b": "2"}),
        ('a="Reason="Logout"" b=2', {"a": 'Reason="Logout"', "b": "2"}),
        ('a="say "hi" now" b=2', {"a": 'say "hi" now', "b": "2"}),
        ('a="x"b="y"', {"a": "x", "b": "y"}),
        ('a="Signature"th="No Heartbeat', {"a": "Signature", "th": "No Heartbeat"}),
        ('a=" LAN" b="open', {"a": "LAN", "b": "open"}),
        ("a='First Last' b=2", {"a": "First Last", "b": "2"}),
        ('a="x" a="y"', {"a": "x"}),
        ('user="DOMAIN\\" b=2', {"user": "DOMAIN\\", "b": "2"}),
        ('a="', {"a": ""}),
        ('a=""', {"a": ""}),
        ("no pairs = here", {}),
    ],
)
def test_pairs(line: str, pairs: dict[str, str]) -> None:
    assert {key: unquote(value) for key, value in scan(line).items()} == pairs


def test_escaped_quotes_stay_inside() -> None:
    pairs = scan('a="x\\" b=\\"y" c="\\\\" d="z\\', escaped=True)
    assert {key: unquote(value) for key, value in pairs.items()} == {"a": 'x\\" b=\\"y', "c": "\\\\", "d": "z\\"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "<30>",
        "<30> ",
        "Oct 18 04:46:59 172.16.131.1 ",
        "<30>Oct  8 04:46:59 fw01 sfw[12]: ",
        "<30>Oct  8 2026 04:46:59 fw01 ",
        "2023-03-17T10:11:12.123456+01:00 fw01 ",
        "<30>2023-03-17T10:11:12Z ",
        "<30>1 2023-03-17T10:11:12Z fw01 sfw - - - ",
        '<30>1 2023-03-17T10:11:12Z fw01 sfw 12 ID47 [meta seq="1" x="a\\]b"] ',
    ],
)
def test_headers_are_taken_off(header: str) -> None:
    assert syslog.body(header + 'device="SFW" date=2026-01-01') == 'device="SFW" date=2026-01-01'


def test_countries() -> None:
    assert [alpha2(code) for code in ("FRA", "fra", "DE", "XKX", "R1", "Reserved", "", "ZZZ")] == [
        *("FR", "FR", "DE", "XK"),
        *("", "", "", ""),
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("WWW.Example.COM.", "www.example.com"),
        ("www.example.net:8443", "www.example.net"),
        ("münchen.example.de", "münchen.example.de"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("jsmith@example.com", ""),
        ("a b", ""),
        ("<b>", ""),
    ],
)
def test_hosts(text: str, name: str) -> None:
    assert host(text) == name
