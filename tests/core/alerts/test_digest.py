"""Mails of many events: every kind in both languages, exact figures, one conversation, and nothing alive in it."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.alerts.reading import HOSTILE, alive, anything, carried, figures, inert, said, visible
from vxtray.core.alerts.digest import digest_document
from vxtray.core.alerts.incidents import Folded, Incident, Key, Kind, Letter, Shape, TopRow, Why
from vxtray.core.alerts.rules import Rule
from vxtray.core.alerts.wording import base_subject, follow_up
from vxtray.core.events import Severity
from vxtray.core.mail.render import Document

AT = datetime(2026, 11, 21, 7, 12, 9, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
FIRST = "[vxtray] Critical: SQL injection on shop.example.com from 18.160.13.241 (China), blocked"

#: Every kind of mail that grouping makes: kind, shape, why.
KINDS = [
    (Kind.STARTED, Shape.STORM, None),
    (Kind.SUMMARY, Shape.STORM, None),
    (Kind.OVER, Shape.STORM, None),
    (Kind.MORE, Shape.GROUP, None),
    (Kind.STARTED, Shape.WIDE, None),
    (Kind.SUMMARY, Shape.WIDE, None),
    (Kind.OVER, Shape.WIDE, None),
    *((Kind.DIGEST, Shape.HELD, why) for why in Why),
]


def letter(
    kind: Kind,
    shape: Shape,
    why: Why | None = None,
    *,
    number: int = 4,
    events: int = 1027,
    total: int = 1240,
    says: str = "SQL injection",
    source: str = "18.160.13.241",
    target: str = "shop.example.com",
    rule: Rule = Rule.CRITICAL,
) -> Letter:
    if kind is Kind.DIGEST:
        number, total = 1, events
    incident = Incident(
        id=7,
        shape=shape,
        urgent=True,
        opened_at=AT,
        last_at=AT,
        key=Key(rule, source, target) if shape in {Shape.GROUP, Shape.STORM} else None,
        why=why,
        title=says,
        severity=Severity.CRITICAL,
        mails=number,
    )
    return Letter(kind=kind, incident=incident, number=number, events=events, total=total, at=AT)


def folded(
    events: int = 1027, blocked: int = 987, *, says: str = "SQL injection", many: bool = True, country: str = "CN"
) -> Folded:
    """Ten sources of 57, three rules of four, and one target that is all there is."""
    rows = tuple(
        TopRow(name=f"{says} {n}" if n else says, events=20 - n, blocked=10 - n, country=country) for n in range(10)
    )
    return Folded(
        events=events,
        blocked=blocked,
        sources=57 if many else 1,
        rules=4 if many else 1,
        targets=1,
        first_at=AT,
        last_at=AT + timedelta(minutes=64, seconds=11),
        severity=Severity.CRITICAL,
        top_sources=rows if many else (TopRow(name="18.160.13.241", events=events, blocked=blocked, country=country),),
        top_rules=rows[:3] if many else (TopRow(name=says, events=events, blocked=blocked),),
        top_targets=(TopRow(name="shop.example.com", events=events, blocked=blocked),),
        reasons=((Rule.CRITICAL, events - 27), (Rule.WAF_BLOCKED, 27)),
    )


def document(one: Letter, totals: Folded, language: str = "en", **more: object) -> Document:
    values = {"host": "soc-1", "version": "1.0", "opened_as": "" if one.number == 1 else FIRST} | more
    return digest_document(one, totals, language, PARIS, **values)  # type: ignore[arg-type]


# --- what they say ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(("kind", "shape", "why"), KINDS)
def test_every_kind_tells_the_same_figures_in_both_parts(
    kind: Kind, shape: Shape, why: Why | None, language: str
) -> None:
    mail = document(letter(kind, shape, why), folded(), language, quiet="22:00–07:00")
    assert figures(mail.text) == figures(visible(mail.html))
    for part in (mail.text, visible(mail.html)):
        shown = {re.sub(r"\D", "", number) for number in figures(part)}
        for number in (1027, 987, 40, *({1240} if kind is not Kind.DIGEST else ()), 57 - 10, *range(11, 21)):
            assert str(number) in shown or shape not in {Shape.WIDE, Shape.HELD}, number
    assert max(map(len, mail.text.splitlines())) <= 78
    assert len(mail.html.encode()) < 60_000


@pytest.mark.parametrize(
    ("one", "totals", "subject"),
    [
        (letter(Kind.STARTED, Shape.STORM, number=2, events=10, total=11), folded(10, 10), "[Storm: 10 more] "),
        (letter(Kind.SUMMARY, Shape.STORM), folded(), "[Goes on: 1,027 more, 40 not blocked] "),
        (letter(Kind.OVER, Shape.STORM, events=213), folded(1240, 1240), "[Over: 1,240 in all] "),
        (letter(Kind.MORE, Shape.GROUP, number=2, events=3, total=4), folded(3, 0), "[3 more, none blocked] "),
    ],
)
def test_a_lock_screen_shows_the_news_before_the_conversation(one: Letter, totals: Folded, subject: str) -> None:
    mail = document(one, totals)
    assert mail.subject == f"[vxtray] {subject}{FIRST.removeprefix('[vxtray] ')}"
    assert mail.topic == FIRST


@pytest.mark.parametrize(
    ("one", "totals", "subject"),
    [
        (
            letter(Kind.STARTED, Shape.WIDE, number=1, events=213, total=213),
            folded(213, 180),
            "[213 events, 33 not blocked] Critical: many alerts at once since 21 November, 08:12",
        ),
        (
            letter(Kind.DIGEST, Shape.HELD, Why.QUIET_HOURS, events=213),
            folded(213, 213),
            "Critical: 213 events during quiet hours: 4 rules, 57 sources, 1 target",
        ),
        (
            letter(Kind.DIGEST, Shape.HELD, Why.PAUSE, events=213),
            folded(213, 0),
            "Critical: 213 events while alerts were paused, none blocked: 4 rules, 57 sources, 1 target",
        ),
        (
            letter(Kind.DIGEST, Shape.HELD, Why.SILENCE, events=1),
            folded(1, 1, many=False),
            "Critical: 1 event during a silence: SQL injection on shop.example.com from 18.160.13.241 (China)",
        ),
        (
            letter(Kind.DIGEST, Shape.HELD, Why.CAP, events=213),
            folded(213, 180),
            "Critical: 213 events beyond the limit of mails per hour, 33 not blocked: 4 rules, 57 sources, 1 target",
        ),
        (
            letter(Kind.SUMMARY, Shape.STORM, events=3, total=9),
            folded(3, 3, many=False),
            "[Goes on: 3 more] Critical: SQL injection on shop.example.com from 18.160.13.241 (China)",
        ),
        (
            letter(Kind.MORE, Shape.GROUP, events=3, total=9, rule=Rule.NEW_BAN, says="sshd"),
            folded(3, 3, many=False),
            "[3 more] Critical: 18.160.13.241 (China) banned (sshd)",
        ),
    ],
)
def test_a_mail_without_one_before_says_all_by_itself(one: Letter, totals: Folded, subject: str) -> None:
    mail = document(one, totals, opened_as="")
    assert mail.subject == f"[vxtray] {subject}"
    assert mail.topic == ""


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (letter(Kind.STARTED, Shape.STORM, number=2, events=10, total=11), "1 in the first mail, 10 in this one."),
        (letter(Kind.SUMMARY, Shape.STORM), "1 in the first mail, 212 in 2 mails after it, 1,027 in this one."),
        (
            letter(Kind.OVER, Shape.STORM, number=3, events=5, total=16),
            "1 in the first mail, 10 in 1 mail after it, 5 in this one.",
        ),
        (letter(Kind.OVER, Shape.WIDE, number=2, events=0), "1,240 in the first mail, 0 in this one."),
        (letter(Kind.SUMMARY, Shape.WIDE), "213 in the 3 mails before, 1,027 in this one."),
    ],
)
def test_every_event_is_accounted_for(one: Letter, sentence: str) -> None:
    mail = document(one, folded())
    for part in (mail.html, mail.text):
        assert f"events are counted: {sentence}" in said(part)
    parts = [int(number.replace(",", "")) for number in re.findall(r"([\d,]+) in (?:the|\d|this)", sentence)]
    assert sum(parts) == one.total


def test_a_mail_of_all_says_so() -> None:
    assert "All 213 events are counted, in this mail." in said(
        document(letter(Kind.DIGEST, Shape.HELD, Why.CAP, events=213), folded(213, 213)).text
    )
    assert "1 event is counted: it stands in this mail." in said(
        document(letter(Kind.DIGEST, Shape.HELD, Why.CAP, events=1), folded(1, 1, many=False)).text
    )


def test_lists_account_for_what_they_do_not_name() -> None:
    text = document(letter(Kind.SUMMARY, Shape.WIDE), folded()).text
    rows = text.split("Who attacked most")[1].split("Which rules")[0].splitlines()
    counts = [int(found[1].replace(",", "")) for row in rows if (found := re.search(r" ([\d,]+) +<?>?\s?\d+%$", row))]
    assert len(counts) == 11
    assert sum(counts) == 1027
    assert "47 more" in text
    unknown = Folded(
        events=5,
        blocked=0,
        sources=1,
        rules=0,
        targets=0,
        first_at=AT,
        last_at=AT,
        top_sources=(TopRow(name="", events=3), TopRow(name="192.0.2.1", events=2)),
    )
    text = document(letter(Kind.DIGEST, Shape.HELD, Why.CAP, events=5), unknown).text
    assert "not known" in text
    assert "more" not in text.split("Who attacked most")[1].split("In short")[0]


def test_what_comes_next_and_why() -> None:
    due = AT + timedelta(hours=1)
    summary = said(document(letter(Kind.SUMMARY, Shape.STORM), folded(), next_summary=due).text)
    assert "the next summary comes on 21 November, 09:12" in summary
    assert "Events of the same rule, source and target" in summary
    assert "Summaries follow while it goes on" in said(document(letter(Kind.SUMMARY, Shape.WIDE), folded()).text)
    over = said(document(letter(Kind.OVER, Shape.WIDE), folded(), next_summary=due).text)
    assert "It is over" in over
    assert "09:12" not in over.split("What comes next")[1].split("Who attacked")[0]
    assert "Different alerts came so close together" in over
    held = said(document(letter(Kind.DIGEST, Shape.HELD, Why.SILENCE), folded(), quiet="the auditor's scan").text)
    assert "Reason of the silence the auditor's scan" in held
    assert "A silence held these mails back" in held
    quiet = said(document(letter(Kind.DIGEST, Shape.HELD, Why.QUIET_HOURS), folded(), quiet="22:00–07:00").text)
    assert "Quiet hours 22:00–07:00" in quiet


@pytest.mark.parametrize(
    ("blocked", "verdict", "advice"),
    [
        (1027, "✓ All of them were blocked.", "Ban this source in the firewall, so that"),
        (1026, "▲ 1 of them was not blocked: look at it first.", "Ban this source in the firewall now"),
        (0, "▲ None of them was blocked.", "Ban this source in the firewall now"),
    ],
)
def test_what_got_through_is_said_first(blocked: int, verdict: str, advice: str) -> None:
    mail = document(letter(Kind.OVER, Shape.STORM), folded(1027, blocked))
    for part in (mail.html, mail.text):
        assert verdict in said(part)
        assert advice in said(part)
    assert ('class="good text"' in mail.html) == (blocked == 1027)


def test_a_time_of_several_days_names_both() -> None:
    totals = folded()
    long = Folded(
        events=2, blocked=2, sources=1, rules=1, targets=1, first_at=AT, last_at=AT + timedelta(days=3, hours=4)
    )
    assert "Saturday 21 November 2026, 08:12:09 to 09:16:20 (Europe/Paris)" in document(
        letter(Kind.OVER, Shape.STORM), totals
    ).text.replace("\n", " ")
    text = document(letter(Kind.OVER, Shape.STORM), long).text.replace("\n", " ")
    assert "Saturday 21 November 2026, 08:12:09 to Tuesday 24 November 2026, 12:12:09 (Europe/Paris)" in text
    assert "3\u00a0d\u00a04\u00a0h" in text


# --- one conversation -------------------------------------------------------------------------------------------------


def rfc5256_base(subject: str) -> str:
    """The base subject as RFC 5256 section 2.1 makes it, for subjects without encoded words."""
    text = " ".join(subject.split())
    while True:
        before = text
        text = re.sub(r"(?:\s|\(fwd\))+$", "", text, flags=re.IGNORECASE)
        text = re.sub(r"^(?:(?:\[[^\[\]]*\]\s*)*(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:|\s)", "", text, flags=re.IGNORECASE)
        rest = re.sub(r"^\[[^\[\]]*\]\s*", "", text)
        text = rest or text
        if text == before:
            return text


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(("kind", "shape", "why"), KINDS[:7])
def test_all_mails_of_an_incident_have_one_base_subject(
    kind: Kind, shape: Shape, why: Why | None, language: str
) -> None:
    one = document(letter(kind, shape, why, total=10**9, events=10**9 - 5), folded(10**9, 5), language)
    assert rfc5256_base(one.subject) == rfc5256_base(FIRST)
    assert carried(one)["Thread-Topic"] == FIRST
    again = follow_up(one.subject, "x")
    assert rfc5256_base(again) == rfc5256_base(FIRST) == base_subject(again)


def test_the_longest_beginning_leaves_room_for_news() -> None:
    opened = document(
        letter(Kind.SUMMARY, Shape.STORM, says="y" * 900, target="t" * 300), folded(), opened_as=""
    ).subject
    first = f"[vxtray] {base_subject(opened)}"
    later = document(letter(Kind.OVER, Shape.STORM, total=10**9), folded(10**9, 1), "fr", opened_as=first).subject
    assert base_subject(later) == base_subject(first)


# --- hostile ----------------------------------------------------------------------------------------------------------


def full(text: str, kind: Kind, shape: Shape, why: Why | None, language: str = "en", opened_as: str = "") -> Document:
    """A mail with this text in every place that a log, a sender or a reason may fill."""
    one = letter(kind, shape, why, says=text, source=text, target=text)
    totals = folded(says=text, country=text)
    return document(one, totals, language, quiet=text, opened_as=opened_as)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_inert_in_every_kind(text: str) -> None:
    for kind in KINDS:
        inert(full(text, *kind), tame(kind))


@cache
def tame(
    kind: tuple[Kind, Shape, Why | None], language: str = "en", opened_as: str = "[vxtray] Critical: word"
) -> Document:
    return full("word", *kind, language, opened_as=opened_as)


@settings(max_examples=40)
@given(text=anything, case=st.sampled_from(KINDS), language=st.sampled_from(["en", "fr"]), opened=st.booleans())
def test_no_text_changes_a_digest(text: str, case: tuple[Kind, Shape, Why | None], language: str, opened: bool) -> None:
    beginning = full(f"a{text}b", Kind.SUMMARY, Shape.STORM, None).subject if opened else ""
    inert(full(f"a{text}b", *case, language, opened_as=beginning), tame(case, language))


def test_defanged_everywhere() -> None:
    one = letter(Kind.SUMMARY, Shape.STORM, says="http://evil.example/a.php", source="10.198.47.71")
    totals = folded(says="a@evil.example", country="x.example")
    mail = document(
        one, totals, host="soc-1.example.com", quiet=r"\\srv\x", defang=True, mask_internal=True, opened_as=""
    )
    assert not alive(mail)
    for part in (mail.subject, mail.html, mail.text):
        assert "10.198" not in part
        assert "10[.]x[.]x[.]71" in part
