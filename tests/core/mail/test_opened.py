"""A kept mail, opened: what is shown of it, and that nothing in its HTML can load or run."""

import pytest

from vxtray.core.mail.opened import SOURCE_LIMIT, harmless, opened

MAIL = (
    b"From: a@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>caf\xc3\xa9</p>\r\n"
    b"--b\r\nContent-Type: application/pdf\r\n"
    b'Content-Disposition: attachment; filename="a\xe2\x80\xaeb.pdf"\r\n\r\n1234\r\n'
    b"--b--\r\n"
)


def test_parts_are_found() -> None:
    found = opened(MAIL)
    assert "café" in found.html
    assert found.text == ""
    ((name, size),) = found.attachments
    assert "\u202e" not in name
    assert size == 4
    assert not found.cut


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x00\x01",
        b"Content-Type: text/plain; charset=none-such\r\n\r\nbody",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
    ],
)
def test_broken_mails_open(data: bytes) -> None:
    found = opened(data)
    assert found.images == {}
    assert found.attachments == ()


def test_a_long_source_is_cut() -> None:
    found = opened(b"Subject: x\r\n\r\n" + b"y" * (SOURCE_LIMIT + 1))
    assert found.cut
    assert len(found.source) == SOURCE_LIMIT


@pytest.mark.parametrize(
    "page",
    [
        "<script>bad()</script>",
        "<SCRIPT src=bad>bad</SCRIPT>",
        "<script>bad",
        "<svg><image href=bad /></svg>",
        "<svg><svg>bad</svg>bad</svg>",
        "<style>@import 'bad'</style>",
        "<link rel=stylesheet href=bad>",
        "<base href=bad>",
        "<meta http-equiv=refresh content=bad>",
        "<img src=bad onerror=bad>",
        "<img srcset=bad>",
        "<img src='data:image/svg+xml,bad'>",
        "<img src='file:///bad'>",
        "<a href='javascript:bad'>x</a>",
        "<table background=bad><tr><td>x</td></tr></table>",
        "<p style='background:URL (bad)'>x</p>",
        "<p style='background:u\\72l(bad)'>x</p>",
        "<p style='background:&#117;rl(bad)'>x</p>",
        "<div style='display: none'>bad<div>bad</div>bad</div>",
        "<form action=bad><input value=bad></form>",
        "<iframe src=bad>bad</iframe>",
        "<object data=bad>bad</object>",
        "<!-- bad --><?bad?><!bad>",
    ],
)
def test_nothing_that_loads_or_runs_is_left(page: str) -> None:
    kept = harmless(f"<p>before</p>{page}")
    assert kept.startswith("<p>before</p>")
    assert "bad" not in kept


def test_what_is_harmless_stays() -> None:
    cell = '<td style="color:#fff" bgcolor="#000">1 &lt; 2 &amp;<br><img alt="a" src="cid:c"></td>'
    page = f'<table width="600"><tr>{cell}</tr></table>'
    assert harmless(page) == page
