"""Reports as mails: content in both languages, sizes, and nothing alive in it."""

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from vxtray.core.mail.render import Document, Reader
from vxtray.core.reports.build import Gap, Report, SetAside, build_report
from vxtray.core.reports.document import report_paper
from vxtray.core.reports.period import Cadence, period_containing
from vxtray.core.reports.rendering import undrawn
from vxtray.core.store import Bucket, Summary, Top, Totals

PARIS = ZoneInfo("Europe/Paris")
DAY = date(2026, 11, 21)
TOTALS = Totals(
    events=1204, blocked=611, detected=12, allowed=300, critical=8, unique_sources=97, new_bans=5, active_bans=3
)
BEFORE = Totals(events=1000, blocked=700, critical=10, new_bans=0)


class Shape(HTMLParser):
    """Collects what a mail reader would act on."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def top(name: str, events: int, blocked: int, *, country: str = "", label: str = "") -> Top:
    return Top(name=name, events=events, blocked=blocked, share=events / 1204, country=country, label=label)


def report(
    cadence: Cadence = Cadence.DAILY,
    *,
    totals: Totals = TOTALS,
    before: Totals = BEFORE,
    day: date = DAY,
    made_after: timedelta = timedelta(hours=8),
    gaps: tuple[Gap, ...] = (),
    **changed: object,
) -> Report:
    period = period_containing(cadence, day, PARIS)
    hours = round((period.end.astimezone(UTC) - period.start.astimezone(UTC)) / timedelta(hours=1))
    step = 1 if cadence is Cadence.DAILY else 24
    starts = [
        (period.start.astimezone(UTC) + timedelta(hours=n * step)).astimezone(PARIS) for n in range(round(hours / step))
    ]
    summary = Summary(
        start=period.start,
        end=period.end,
        totals=totals,
        by_severity={"critical": 8, "high": 100, "medium": 0, "low": 500, "info": 596},
        by_category={"waf": 700, "firewall": 499, "ban": 5},
        top_sources=(top("18.160.13.241", 245, 240, country="CN"), top("10.198.47.71", 30, 0)),
        top_targets=(top("shop.example.com", 400, 200), top("185.8.209.207", 3, 3)),
        top_countries=(top("CN", 300, 250), top("US", 200, 100)),
        top_rules=(top("SQL injection", 90, 90, label="942100"), top("29", 9, 0, label="29")),
        buckets=tuple(Bucket(start=start, events=n * 7, blocked=n * 3, critical=0) for n, start in enumerate(starts)),
        got_through=12,
    )
    summary = msgspec.structs.replace(summary, **changed)
    return build_report(period, summary, before, made_at=period.end + made_after, gaps=gaps)


def report_document(
    of: Report, language: str, *, defang: bool = False, mask_internal: bool = False, **told: Any
) -> Document:
    """The mail's words; of the pictures test_rendering takes care."""
    reader = Reader(language=language, zone=of.period.zone, defang=defang, mask_internal=mask_internal)
    return undrawn(report_paper(of, reader, **told)).mail


def empty(cadence: Cadence = Cadence.DAILY) -> Report:
    nothing = {"top_sources": (), "top_targets": (), "top_countries": (), "top_rules": (), "by_category": {}}
    return report(cadence, totals=Totals(), by_severity={}, got_through=0, **nothing)


def said(part: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", part).split())


def both(document: Document, *words: str) -> None:
    for part in (document.html, document.text):
        shown = said(part)
        for word in words:
            assert word in shown, f"{word!r} is missing"


def test_the_subject_says_it_all() -> None:
    assert report_document(report(), "en").subject == (
        "[vxtray] Daily security report, Saturday 21 November 2026: 1,204 events, 611 blocked"
    )
    assert re.sub(r"\s", " ", report_document(report(), "fr").subject) == (
        "[vxtray] Rapport de sécurité quotidien, samedi 21 novembre 2026 : 1 204 événements, 611 bloqués"
    )
    assert report_document(empty(), "en").subject.endswith("Saturday 21 November 2026: no events")


@pytest.mark.parametrize(
    ("cadence", "day", "english", "french"),
    [
        (
            Cadence.WEEKLY,
            date(2026, 1, 14),
            "Monday 12 to Sunday 18 January 2026",
            "Du lundi 12 au dimanche 18 janvier 2026",
        ),
        (
            Cadence.WEEKLY,
            date(2026, 1, 30),
            "Monday 26 January to Sunday 1 February 2026",
            "Du lundi 26 janvier au dimanche 1er février 2026",
        ),
        (
            Cadence.WEEKLY,
            date(2026, 12, 31),
            "Monday 28 December 2026 to Sunday 3 January 2027",
            "Du lundi 28 décembre 2026 au dimanche 3 janvier 2027",
        ),
        (Cadence.MONTHLY, date(2026, 8, 3), "August 2026 · Europe/Paris", "Août 2026 · Europe/Paris"),
        (Cadence.DAILY, date(2026, 3, 1), "Sunday 1 March 2026", "Dimanche 1er mars 2026"),
    ],
)
def test_periods_in_words(cadence: Cadence, day: date, english: str, french: str) -> None:
    both(report_document(report(cadence, day=day), "en"), english)
    both(report_document(report(cadence, day=day), "fr"), french)


def test_both_parts_say_everything_in_english() -> None:
    both(
        report_document(report(), "en", host="soc-1", version="1.0+abc"),
        "Daily security report",
        "A busier day than the one before: 1,204 events, 611 of them blocked.",
        "Most active source: 18.160.13.241 (China), with 245 events (20%).",
        "12 events were detected but not blocked.",
        "20% more",  # events: 1,204 after 1,000
        "13% fewer",  # blocked: 611 after 700
        "2 fewer",  # critical: 8 after 10
        "new",  # bans: 5 after none
        "Compared with the day before.",
        "Busiest hour: 23:00 (161 events).",
        "● Critical",
        "shop.example.com",
        "SQL injection",
        "942100",
        "United States",
        "Web application firewall (WAF)",
        "Different sources",
        "Sent by vxtray 1.0+abc on soc-1.",
    )


def test_both_parts_say_everything_in_french() -> None:
    document = report_document(report(), "fr", host="soc-1", version="1.0")
    both(
        document,
        "Rapport de sécurité quotidien",
        "Une journée plus agitée que la précédente : 1 204 événements, dont 611 bloqués.",
        "Source la plus active : 18.160.13.241 (Chine), avec 245 événements (20 %).",
        "12 événements ont été détectés sans être bloqués.",
        "20 % de plus",
        "13 % de moins",
        "Par rapport à la veille.",
        "● Critique",
        "États-Unis",
        "Pare-feu applicatif (WAF)",
        "Envoyé par vxtray 1.0 depuis soc-1.",
    )
    assert "1\u202f204 événements" in document.html
    assert "1\u202f204 événements" in document.text
    assert "précédente\u00a0:" in document.html
    english = {"events", "blocked", "Severity", "Source,", "Sent", "more", "fewer", "unknown", "hour", "day", "the"}
    assert not english & set(Shape(document.html).words)
    assert not english & set(document.text.split())


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("cadence", list(Cadence))
def test_sizes_and_widths(cadence: Cadence, language: str) -> None:
    long = tuple(top(f"{n}." + "host-name." * 30, 900 - n, 100) for n in range(10))
    document = report_document(
        report(cadence, top_targets=long, top_rules=long, top_sources=long, top_countries=long), language
    )
    assert len(document.html.encode()) < 100_000  # Gmail clips at 102 KB
    assert max(map(len, document.text.splitlines())) <= 78
    assert len(document.subject) <= 200
    assert "\n" not in document.subject


def test_nothing_comes_from_outside_and_dark_mode_is_declared() -> None:
    document = report_document(report(), "en")
    shape = Shape(document.html)
    assert not {"img", "script", "link", "a", "iframe", "form"} & set(shape.tags)
    assert not {"href", "src", "background", "action"} & shape.attributes
    assert "url(" not in document.html
    assert "://" not in document.html
    assert '<meta name="color-scheme" content="light dark">' in document.html
    assert "prefers-color-scheme: dark" in document.html
    assert "&lt;" not in document.html.replace("&lt;\u00a01%", "")


def test_the_table_frame_closes() -> None:
    html = report_document(report(Cadence.MONTHLY), "en").html
    for tag in ("table", "tr", "td", "div", "span", "th"):
        assert html.count(f"<{tag}") - (tag == "th") * html.count("<thead") == html.count(f"</{tag}>"), tag


def test_an_empty_report_says_so_and_why_that_may_be() -> None:
    document = report_document(empty(), "en")
    both(
        document,
        "Nothing happened: no event was stored in this period.",
        "check that a source is set up",
        "1,000 fewer",
    )
    for part in (document.html, document.text):
        assert "Events by hour" not in part
        assert "Severity" not in part
        assert "More figures" not in part
    both(report_document(empty(), "fr"), "Il ne s’est rien passé : aucun événement n’a été enregistré")


def test_a_first_report_compares_with_nothing() -> None:
    document = report_document(report(before=Totals()), "en")
    both(document, "1,204 events, 611 of them blocked.", "new")
    assert "than the one before" not in document.text


@pytest.mark.parametrize(
    ("before", "mood"), [(1003, "A busier week"), (1204, "A week much like"), (1505, "A quieter week")]
)
def test_the_mood_follows_the_change(before: int, mood: str) -> None:
    both(report_document(report(Cadence.WEEKLY, before=Totals(events=before)), "en"), mood)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (0, 0, "unchanged"),
        (0, 5, "new"),
        (7, 7, "unchanged"),
        (14, 18, "4 more"),
        (43, 37, "14% fewer"),
        (30, 31, "3% more"),
        (1000, 1003, "< 1% more"),
        (100, 1204, "12 times as many"),
        (1000, 0, "1,000 fewer"),
    ],
)
def test_changes_in_words(before: int, now: int, words: str) -> None:
    totals, former = Totals(events=5000, critical=now), Totals(events=5000, critical=before)
    text = report_document(report(totals=totals, before=former), "en").text.replace("\u00a0", " ")
    line, _again = [line for line in text.splitlines() if line.startswith("Critical events")]
    assert line.endswith(words)


@pytest.mark.parametrize(
    ("got_through", "critical", "words"),
    [
        (0, 0, "Nothing got through that needs your action."),
        (1, 0, "1 event was detected but not blocked."),
        (5, 1, "1 critical event was not blocked: look at it first."),
        (5, 2, "2 critical events were not blocked: look at them first."),
    ],
)
def test_the_verdict(got_through: int, critical: int, words: str) -> None:
    both(report_document(report(got_through=got_through, critical_unblocked=critical), "en"), words)


def lost(start: datetime, lines: int) -> Gap:
    return Gap(start=start, end=start + timedelta(hours=1), source="syslog udp", lines=lines)


def test_of_many_gaps_the_sum_is_told() -> None:
    start = datetime(2026, 11, 21, tzinfo=PARIS)
    gaps = tuple(lost(start + timedelta(hours=2 * n), 100 + n) for n in range(5))
    both(
        report_document(report(gaps=gaps), "en"),
        "510 lines were lost between 21 Nov 2026, 00:00 (Europe/Paris) and 21 Nov 2026, 09:00 (Europe/Paris), in 5"
        " stretches: they are missing from these figures.",
    )


@pytest.mark.parametrize("of", [report(), empty()], ids=["events", "no events"])
def test_a_store_set_aside_is_told_with_day_and_place(of: Report) -> None:
    at = datetime(2026, 11, 21, 7, 30, tzinfo=PARIS)
    whole, part = (SetAside(at=at, path="/var/x/events.damaged.duckdb", partly=partly) for partly in (False, True))
    both(
        report_document(msgspec.structs.replace(of, set_aside=(whole,)), "en"),
        "On 21 Nov 2026, 07:30 (Europe/Paris) the event store was damaged, and a new one was begun. Events before that"
        " are missing from these figures, unless their logs were imported again. The old store lies at"
        " /var/x/events.damaged.duckdb.",
    )
    both(
        report_document(msgspec.structs.replace(of, set_aside=(part,)), "en"),
        "the event store was damaged in part. The last events before that are missing",
    )


def test_lateness_gaps_and_an_unfinished_period_are_told() -> None:
    start = datetime(2026, 11, 21, 3, tzinfo=PARIS)
    unfinished = report(made_after=timedelta(hours=-6), gaps=(lost(start, 1204),))
    both(
        report_document(unfinished, "en", late_reason="the computer was asleep"),
        "Events from 21 Nov 2026, 03:00 (Europe/Paris) to 21 Nov 2026, 04:00 (Europe/Paris) were lost:"
        " 1,204 lines from syslog udp could not be taken in time.",
        "This period is not over yet: the figures end at 21 Nov 2026, 18:00 (Europe/Paris).",
        "Sent late: the computer was asleep.",
    )
    assert "Sent late" not in report_document(report(), "en").text


def test_a_day_with_a_clock_change_has_25_bars() -> None:
    document = report_document(report(day=date(2026, 10, 25)), "en")
    bars = [line for line in document.text.splitlines() if re.match(r"\d\d:00 ", line)]
    assert len(bars) == 25
    assert [line[:5] for line in bars[1:5]] == ["01:00", "02:00", "02:00", "03:00"]
    assert document.html.count('height="92"') == 25


def test_bars_show_the_blocked_part_and_never_hide_something() -> None:
    start = datetime(2026, 11, 21, tzinfo=PARIS)
    buckets = tuple(
        Bucket(start=start + timedelta(hours=n), events=events, blocked=blocked, critical=0)
        for n, (events, blocked) in enumerate([(0, 0), (1, 1), (100_000, 50_000), (100_000, 1)])
    )
    lines = report_document(report(buckets=buckets), "en").text.splitlines()
    bars = [line.split()[2:] for line in lines if re.match(r"\d\d:00 ", line)]
    assert bars == [[], ["#"], ["#" * 20 + "." * 20], ["#" + "." * 39]]


HOSTILE = (
    "<script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    "a\r\nBcc: victim@example.com\r\n\r\nbody",
    '" onmouseover="alert(1)',
    "\u202egnp.exe\u2066\u2028\x00\x1b[31m",
    "x" * 10_000,
    "</td></tr></table><img src=http://evil.example/x.png>",
    "\ud800\udfff",
)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_log_text_is_inert(text: str, language: str) -> None:
    rows = (top(text, 245, 240, country="CN", label=f"#{text}"),)
    names = ("top_sources", "top_targets", "top_countries", "top_rules")
    plain = tuple(top("name", 245, 240, country="CN", label="number") for _ in rows)
    hostile = report_document(report(**dict.fromkeys(names, rows)), language, host=text, version=text)
    tame = report_document(report(**dict.fromkeys(names, plain)), language, host="host", version="1")
    assert Shape(hostile.html).tags == Shape(tame.html).tags
    assert Shape(hostile.html).attributes == Shape(tame.html).attributes
    assert "49" not in set(Shape(hostile.html).words)
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\u2028\u202a-\u202e\u2066-\u2069\ud800-\udfff]", hostile.html + hostile.text
    )
    assert max(map(len, hostile.text.splitlines())) <= 78
    assert len(hostile.html) < len(tame.html) + 10_000


def test_defang_and_masking_reach_every_place() -> None:
    document = report_document(report(), "en", defang=True, mask_internal=True)
    both(document, "18[.]160[.]13[.]241", "10[.]x[.]x[.]71", "shop[.]example[.]com")
    for part in (document.html, document.text):
        assert "18.160.13.241" not in part
        assert "10.198.47.71" not in part
        assert "shop.example.com" not in part
