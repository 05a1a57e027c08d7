"""Mails about vxtray's own work: begin, over, again, no longer watched; figures, conversation, hostile names."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.alerts.reading import HOSTILE, alive, anything, carried, figures, inert, said, visible
from vxtray.core.alerts.condition_mail import condition_document, size
from vxtray.core.alerts.conditions import Change, Disk
from vxtray.core.alerts.rules import Rule
from vxtray.core.mail.render import Document, Reader

AT = datetime(2026, 11, 21, 7, 12, 9, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
GIGABYTE = 10**9


def change(rule: Rule, *, over: bool = False, name: str = "sophos", **more: object) -> Change:
    fields: dict[str, object] = {
        "rule": rule,
        "subject": "" if rule is Rule.MAIL_DOWN else name,
        "over": over,
        "at": AT + timedelta(minutes=142),
        "since": AT,
        "until": AT + timedelta(minutes=142) if over else None,
        "conversation": 3,
        "number": 2 if over else 1,
        "times": 1,
        "total": 1,
        "first_at": AT,
        "waited": 14 if rule is Rule.MAIL_DOWN else 0,
        "disk": Disk(path=name, free=412_000_000, total=20 * GIGABYTE) if rule is Rule.DISK_FULL else None,
    }
    return Change(**(fields | more))  # type: ignore[arg-type]


def document(one: Change, language: str = "en", **more: object) -> Document:
    return condition_document(one, language, PARIS, **({"host": "soc-1", "version": "1.0"} | more))  # type: ignore[arg-type]


CASES = [
    change(Rule.SOURCE_SILENT),
    change(Rule.SOURCE_SILENT, over=True),
    change(Rule.SOURCE_SILENT, over=True, total=3, times=2),
    change(Rule.SOURCE_SILENT, over=True, watched=False),
    change(Rule.DISK_FULL, name="/var/lib/vxtray"),
    change(Rule.DISK_FULL, name="/var/lib/vxtray", over=True, exact=False),
    change(Rule.DISK_FULL, over=True, watched=False, disk=None),
    change(Rule.MAIL_DOWN, over=True),
    change(Rule.MAIL_DOWN),
]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("one", CASES)
def test_both_parts_tell_the_same_figures(one: Change, language: str) -> None:
    mail = document(one, language)
    assert figures(mail.text) == figures(visible(mail.html))
    assert mail.subject.startswith("[vxtray] ")
    assert max(map(len, mail.text.splitlines())) <= 78
    for part in (mail.html, mail.text):
        assert "{" not in visible(part)
        assert "08:12:09 (Europe/Paris)" in said(part)


@pytest.mark.parametrize(
    ("one", "opened_as", "subject", "words"),
    [
        (
            CASES[0],
            "",
            "sophos has been silent since 21 November, 08:12",
            "Nothing has come from sophos since 21 November, 08:12. ▲ What happens there is neither stored",
        ),
        (
            CASES[1],
            "[vxtray] sophos has been silent since 21 November, 08:12",
            "[Over after 2 h 22 min] sophos has been silent since 21 November, 08:12",
            "Lines of sophos come in again; it was silent for 2 h 22 min. ✓ Its events",
        ),
        (
            change(Rule.SOURCE_SILENT, number=3),
            "[vxtray] sophos has been silent since 20 November, 08:12",
            "[Again, since 21 November, 08:12] sophos has been silent since 20 November, 08:12",
            "Nothing has come from sophos",
        ),
        (CASES[3], "", "[No longer watched] sophos has been silent since 21 November, 08:12", "no longer looked at"),
        (
            CASES[4],
            "",
            "Disk almost full: 412 MB left for /var/lib/vxtray",
            "Free 412 MB (2%) Size of the disk 20 GB",
        ),
        (
            CASES[5],
            "[vxtray] Disk almost full: 412 MB left for /var/lib/vxtray",
            "[Over after at most 2 h 22 min] Disk almost full: 412 MB left for /var/lib/vxtray",
            "Until some time before Saturday 21 November 2026, 10:34:09",
        ),
        (
            CASES[7],
            "",
            "[Works again, 14 mails waited] Mail had not worked since 21 November, 08:12",
            "No mail could leave for 2 h 22 min: from 21 November, 08:12 to 21 November, 10:34.",
        ),
    ],
)
def test_what_they_say(one: Change, opened_as: str, subject: str, words: str) -> None:
    mail = document(one, opened_as=opened_as)
    assert mail.subject == f"[vxtray] {subject}"
    for part in (mail.html, mail.text):
        assert words in said(part)
    assert mail.topic == opened_as
    assert carried(mail)["Thread-Topic"] == (opened_as or None)


def test_what_comes_and_goes_is_counted() -> None:
    assert "How often 3 times since Saturday 21 November 2026" in said(document(CASES[2]).text)
    assert "How often" not in document(CASES[1]).text


@pytest.mark.parametrize(
    ("octets", "english", "french"),
    [
        (0, "0 bytes", "0"),
        (999, "999 bytes", "999"),
        (999_499, "999 kB", "999"),
        (999_999, "1 MB", "1"),
        (1_234_567_890, "1.2 GB", "1,2"),
        (99_960_000_000, "100 GB", "100"),
        (5 * 10**15, "5,000 TB", "5\u202f000"),
    ],
)
def test_sizes(octets: int, english: str, french: str) -> None:
    assert size(octets, Reader(language="en", zone=UTC)).replace("\u00a0", " ") == english
    assert size(octets, Reader(language="fr", zone=UTC)).split("\u00a0")[0] == french


@cache
def tame(rule: Rule, *, over: bool) -> Document:
    return document(change(rule, over=over, name="word"))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_inert(text: str) -> None:
    for rule in (Rule.SOURCE_SILENT, Rule.DISK_FULL):
        for over in (False, True):
            inert(document(change(rule, over=over, name=text)), tame(rule, over=over))


@settings(max_examples=40)
@given(text=anything, rule=st.sampled_from([Rule.SOURCE_SILENT, Rule.DISK_FULL]))
def test_no_name_changes_a_mail(text: str, rule: Rule) -> None:
    inert(document(change(rule, name=f"a{text}b")), tame(rule, over=False))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_servers_have_their_own_names(language: str) -> None:
    for over in (False, True):
        mail = document(change(Rule.SOURCE_SILENT, name="vigilancex", over=over), language)
        assert "VIGILANCE X" in mail.subject
        assert "VIGILANCE X" in mail.text
        assert "vigilancex" not in mail.subject + mail.text + mail.html
    assert "vigilancex" in document(change(Rule.DISK_FULL, name="/vigilancex")).text  # of a folder, nothing is changed


def test_defanged() -> None:
    one = change(Rule.SOURCE_SILENT, name="syslog 10.198.47.71 gw.example.com")
    mail = document(one, host="soc-1.example.com", defang=True, mask_internal=True)
    assert not alive(mail)
    assert "10[.]x[.]x[.]71" in mail.subject
