"""Foreign text made harmless, values in the reader's language, and the two environments."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import jinja2
import pytest

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.mail.render import (
    ACTIONS,
    CATEGORIES,
    SEVERITIES,
    SHAPES,
    Reader,
    columns,
    defang,
    facts,
    mask,
    render,
    underlined,
    wrapped,
)

PARIS = ZoneInfo("Europe/Paris")
ENGLISH = Reader(language="en", zone=PARIS)
FRENCH = Reader(language="fr", zone=PARIS)


def test_every_value_of_an_event_has_a_word() -> None:
    assert set(SEVERITIES) == set(SHAPES) == set(Severity)
    assert set(CATEGORIES) == set(Category)
    assert set(ACTIONS) == set(Action)
    assert len(set(SHAPES.values())) == len(Severity)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.198.47.71", "10.x.x.71"),
        ("from 192.168.4.17:443 to 8.8.8.8.", "from 192.x.x.17:443 to 8.8.8.8."),
        ("172.16.34.24, 172.32.34.24", "172.x.x.24, 172.32.34.24"),
        ("fd12:3456:789a::1", "fd12:x:0001"),
        ("at 08:12:09 by a4:1f:72:6e:00:01", "at 08:12:09 by a4:1f:72:6e:00:01"),
        ("2001:db8::7e36 and 203.0.113.5", "2001:db8::7e36 and 203.0.113.5"),
        ("10.1.2.3.4 999.1.1.1", "10.1.2.3.4 999.1.1.1"),
    ],
)
def test_masking_hides_the_middle_of_internal_addresses_only(text: str, expected: str) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://shop.example.com/a.php", "hxxp://shop[.]example[.]com/a[.]php"),
        ("HTTPS://a.example", "hxxPS://a[.]example"),
        ("ftp://a.example and sftp://b.example", "fxp://a[.]example and sftp[:]//b[.]example"),
        (
            r"file://a.example, \\server\share, mailto:a@b.example",
            r"file[:]//a[.]example, [\]\server\share, mailto:a[@]b[.]example",
        ),
        ("18.160.13.241", "18[.]160[.]13[.]241"),
        ("The end. Of it.", "The end. Of it."),
    ],
)
def test_defanging_leaves_nothing_to_click(text: str, expected: str) -> None:
    assert defang(text) == expected


def test_foreign_text_is_one_bounded_line_without_tricks() -> None:
    shown = ENGLISH.foreign("a\r\nBcc: x\x00\x1b[31m\u202egnp.exe\u2028b\ud800" + "c" * 10_000, 60)
    assert len(shown) == 60
    assert shown.isprintable()
    assert "\u202e" not in shown
    reader = Reader(language="en", zone=UTC, defang=True, mask_internal=True)
    assert reader.foreign("10.1.2.3 http://x.example") == "10[.]x[.]x[.]3 hxxp://x[.]example"
    assert ENGLISH.foreign("10.1.2.3 http://x.example") == "10.1.2.3 http://x.example"


def test_numbers_and_shares_by_language() -> None:
    assert ENGLISH.number(1204) == "1,204"
    assert FRENCH.number(1204) == "1\u202f204"
    assert ENGLISH.percent(0.0618) == "6%"
    assert FRENCH.percent(0.0618) == "6\u00a0%"
    assert [ENGLISH.percent(share) for share in (0, 0.0001, 0.9999, 1)] == ["0%", "<\u00a01%", ">\u00a099%", "100%"]


def test_times_are_absolute_with_their_zone() -> None:
    at = datetime(2026, 11, 21, 7, 12, 9, tzinfo=UTC)
    assert ENGLISH.moment(at) == "Saturday 21 November 2026, 08:12:09 (Europe/Paris)"
    assert FRENCH.moment(at) == "samedi 21 novembre 2026, 08:12:09 (Europe/Paris)"
    assert Reader(language="en", zone=UTC).moment(at).endswith("07:12:09 (UTC)")
    half = timezone(timedelta(hours=-3, minutes=-30))
    assert Reader(language="en", zone=half).moment(at).endswith("03:42:09 (UTC-03:30)")


def test_the_first_of_a_month_is_an_ordinal_in_french() -> None:
    assert FRENCH.day(date(2026, 2, 1)) == "dimanche 1er février 2026"
    assert FRENCH.day(date(2026, 2, 11)) == "mercredi 11 février 2026"
    assert ENGLISH.day(date(2026, 2, 1)) == "Sunday 1 February 2026"


def test_countries_by_language() -> None:
    assert (ENGLISH.country("CN"), FRENCH.country("CN")) == ("China", "Chine")
    assert ENGLISH.country("") == ""
    assert ENGLISH.country("Q9") == "Q9"
    assert ENGLISH.country("<b>\r\n") == "<b>"


def test_whence_says_what_is_known() -> None:
    event = SecurityEvent(
        at=datetime(2026, 11, 21, tzinfo=UTC),
        source="sophos",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.HIGH,
    )
    assert ENGLISH.whence(event) == ""
    known = SecurityEvent(
        at=event.at,
        source="sophos",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.HIGH,
        src_ip="18.160.13.241",
        country="CN",
    )
    assert ENGLISH.whence(known) == "18.160.13.241 (China)"
    assert FRENCH.whence(known) == "18.160.13.241 (Chine)"


def test_the_signature_names_program_and_machine() -> None:
    assert ENGLISH.signature("soc-1", "1.0+abc") == "Sent by vxtray 1.0+abc on soc-1."
    assert ENGLISH.signature("", "") == "Sent by vxtray."


def test_html_is_escaped_and_text_is_not() -> None:
    context = {
        "kicker": "vxtray",
        "preheader": "<script>",
        "heading": "{{7*7}} <b>",
        "subheading": "a & b",
        "sentences": ['"quoted" <i>'],
        "facts": [("<u>", "'")],
        "footer": ["</td>"],
    }
    rendered = render("test", "en", context)
    assert "<script>" not in rendered.html
    assert "{{7*7}} &lt;b&gt;" in rendered.html
    assert "&#34;quoted&#34; &lt;i&gt;" in rendered.html
    assert "&lt;/td&gt;" in rendered.html
    assert "{{7*7}} <b>" in rendered.text
    assert '"quoted" <i>' in rendered.text


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("test", "en", {"kicker": "vxtray"})


def test_columns_are_aligned_in_any_script() -> None:
    rows = [("Événements", "1\u202f204", "3\u00a0% de plus"), ("東京", "5", ""), ("e\u0301t", "18", "4")]
    assert columns(rows, "<><").splitlines() == [
        "Événements  1\u202f204  3\u00a0% de plus",
        "東京            5",
        "e\u0301t             18  4",
    ]


def test_columns_leave_out_what_is_empty_and_cut_what_is_too_long() -> None:
    lines = columns([("x" * 200, "", "1,204", "70%"), ("y", "", "5", "0%")], "<<>>").splitlines()
    assert [len(line) for line in lines] == [78, 78]
    assert lines[0].endswith("x…  1,204  70%")
    assert lines[1].endswith("      5   0%")


def test_long_values_go_on_below_themselves() -> None:
    lines = facts([("User", "jsmith"), ("Requested address", "/" + "a" * 100)]).splitlines()
    assert lines[0] == "User               jsmith"
    assert lines[2].startswith(" " * 19 + "a")
    assert max(map(len, lines)) == 78


def test_paragraphs_and_headings_keep_to_the_width() -> None:
    assert max(map(len, wrapped("word " * 60).splitlines())) <= 78
    assert "\u00a0:" in wrapped("mot " * 19 + "fin\u00a0: suite")
    assert underlined("Gravité") == "Gravité\n-------"
