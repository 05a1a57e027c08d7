"""Alerts as mails: what a lock screen shows, every field, and nothing alive in it."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from tests.core.alerts.reading import HOSTILE, alive, anything, figures, inert, said, visible
from vxtray.core.alerts.document import alert_document
from vxtray.core.alerts.incidents import SourceHistory, TopRow
from vxtray.core.alerts.rules import Alert, Rule
from vxtray.core.alerts.wording import OPENING_LIMIT
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.mail.render import Document

AT = datetime(2026, 11, 21, 7, 12, 9, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
LINE = 'device="SFW" log_type="WAF" src_ip=18.160.13.241 reason="SQL injection"'


def event(**changed: object) -> SecurityEvent:
    fields: dict[str, object] = {
        "at": AT,
        "source": "sophos",
        "category": Category.WAF,
        "action": Action.BLOCKED,
        "severity": Severity.CRITICAL,
        "src_ip": "18.160.13.241",
        "src_port": 50321,
        "country": "CN",
        "dst_ip": "185.8.209.207",
        "dst_port": 443,
        "target_host": "shop.example.com",
        "target_url": "/search?q=1%27",
        "user": "jsmith",
        "rule_id": "942100",
        "rule_name": "SQL injection",
        "message": "Inbound Anomaly Score Exceeded",
        "score": 25,
        "seq": 812,
    }
    return SecurityEvent(**(fields | changed))  # type: ignore[arg-type]


def document(language: str = "en", *, rule: Rule = Rule.CRITICAL, line: str = LINE, **changed: object) -> Document:
    alert = Alert(rule=rule, event=event(**changed), matched=(rule,))
    return alert_document(alert, language, PARIS, line=line, host="soc-1", version="1.0")


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({}, "Critical: SQL injection on shop.example.com from 18.160.13.241 (China), blocked"),
        ({"country": ""}, "Critical: SQL injection on shop.example.com from 18.160.13.241, blocked"),
        ({"target_host": ""}, "Critical: SQL injection on 185.8.209.207 from 18.160.13.241 (China), blocked"),
        ({"src_ip": ""}, "Critical: SQL injection on shop.example.com, blocked"),
        ({"target_host": "", "dst_ip": ""}, "Critical: SQL injection from 18.160.13.241 (China), blocked"),
        (
            {"rule_name": "", "action": Action.DETECTED, "country": ""},
            "Critical: Inbound Anomaly Score Exceeded on shop.example.com from 18.160.13.241, detected, not blocked",
        ),
        (
            {"rule_name": "", "message": "", "src_ip": "", "dst_ip": "", "target_host": "", "category": Category.VPN},
            "Critical: VPN, blocked",
        ),
        (
            {"category": Category.BAN, "action": Action.BANNED, "rule_name": "sshd", "severity": Severity.HIGH},
            "High: 18.160.13.241 (China) banned (sshd)",
        ),
    ],
)
def test_the_subject_suffices_on_a_lock_screen(changed: dict[str, object], subject: str) -> None:
    assert document(**changed).subject == f"[vxtray] {subject}"  # type: ignore[arg-type]


def test_both_parts_say_everything_in_english() -> None:
    mail = document()
    for part in (mail.html, mail.text):
        shown = said(part).replace("&#34;", '"')
        for words in (
            "● Critical: SQL injection",
            "Saturday 21 November 2026, 08:12:09 (Europe/Paris)",
            "18.160.13.241 (China)",
            "50321",
            "shop.example.com",
            "185.8.209.207",
            "443",
            "/search?q=1%27",
            "jsmith",
            "SQL injection · 942100",
            "Inbound Anomaly Score Exceeded",
            "Anomaly score 25 points: the sum of the rules that matched, not a probability",
            "✓ It was blocked.",
            "What to do next",
            "It was stopped, so nothing has to be done at once.",
            "because alerts for critical events are switched on",
            "sophos",
            "Sent by vxtray 1.0 on soc-1.",
            'reason="SQL injection"',
        ):
            assert words in shown, words


def test_both_parts_say_everything_in_french() -> None:
    mail = document("fr")
    assert re.sub(r"\s", " ", mail.subject) == (
        "[vxtray] Critique : SQL injection sur shop.example.com depuis 18.160.13.241 (Chine), bloqué"
    )
    for part in (mail.html, mail.text):
        shown = said(part)
        for words in (
            "● Critique : SQL injection",
            "samedi 21 novembre 2026, 08:12:09 (Europe/Paris)",
            "✓ La tentative a été bloquée.",
            "Que faire maintenant",
            "page « Alertes »",
            "Pare-feu applicatif (WAF)",
            "Envoyé par vxtray 1.0 depuis soc-1.",
        ):
            assert words in shown, words
    assert "Critique\u00a0: SQL" in mail.html
    assert "«\u00a0Alertes\u00a0»" in mail.html


def advice(mail: Document) -> str:
    lines = mail.text.splitlines()
    start = next(n for n, line in enumerate(lines) if set(line) == {"-"})
    return " ".join(lines[start + 1 : lines.index("", start)])


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_kind_of_event_has_its_advice(language: str) -> None:
    open_ones = {
        category: advice(document(language, category=category, action=Action.DETECTED)) for category in Category
    }
    assert len(set(open_ones.values())) == len(Category)
    for category, words in open_ones.items():
        stopped = advice(document(language, category=category, action=Action.BLOCKED))
        assert len(stopped) > 20
        assert stopped != words or category is Category.SYSTEM


@pytest.mark.parametrize("action", list(Action))
def test_every_outcome_is_told_by_words(action: Action) -> None:
    said_of = {one: document(action=one).text.split("What to do next")[0] for one in Action}
    assert len(set(said_of.values())) == len(Action)
    assert ("▲" in said_of[action]) == (action in {Action.DETECTED, Action.ALLOWED})


@pytest.mark.parametrize("rule", list(Rule))
def test_the_mail_says_which_switch_sent_it(rule: Rule) -> None:
    words = {
        Rule.CRITICAL: "critical events",
        Rule.WAF_BLOCKED: "blocked web attacks",
        Rule.NEW_BAN: "new bans",
        Rule.WAF_DETECTED: "detected web attacks",
    }
    shown = said(document(rule=rule).text)
    assert "You get this mail because" in shown
    assert rule not in words or f"alerts for {words[rule]} are switched on" in shown


def test_what_is_not_known_is_not_shown() -> None:
    mail = document(line="", user="", score=None, src_port=0, rule_id="", message="")
    for part in (mail.html, mail.text):
        for label in ("User", "Score", "Source port", "Message", "The line in the log"):
            assert label not in part, label
    assert "Anomaly score 0 points" in said(document(score=0).text)


NAMES = (
    "source", "src_ip", "country", "dst_ip", "target_host", "target_url", "user", "rule_id", "rule_name", "message",
)  # fmt: skip


def full(text: str, language: str = "en", action: Action = Action.BLOCKED) -> Document:
    """An alert with this text in every place that a log may fill."""
    known = SourceHistory(
        day_events=14,
        day_blocked=12,
        month_events=1240,
        month_blocked=1100,
        first_at=AT,
        known_since=AT,
        targets=3,
        top_rules=(TopRow(name=text, events=900), TopRow(name=text, events=340)),
    )
    alert = Alert(
        rule=Rule.CRITICAL, event=event(action=action, **dict.fromkeys(NAMES, text)), matched=(Rule.CRITICAL,)
    )
    return alert_document(alert, language, PARIS, line=text, host="soc-1", version="1.0", history=known)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_log_text_is_inert_in_every_field(text: str) -> None:
    for language, severity in (("en", "Critical:"), ("fr", "Critique :")):
        for action in (Action.BLOCKED, Action.BANNED):
            mail = full(text, language, action)
            inert(mail, full("word", language, action))
            assert len(mail.html.encode()) < 40_000
            assert mail.subject.startswith(f"[vxtray] {severity} ")


@settings(max_examples=40)
@given(text=anything)
def test_no_text_changes_an_alert(text: str) -> None:
    inert(full(f"a{text}b"), full("word"))


def test_a_long_subject_keeps_its_verdict() -> None:
    long = document(rule_name="Remote code execution " * 9, target_host="a" * 200, src_ip="2001:db8:" + "1234:" * 6)
    assert long.subject.endswith(", blocked")
    assert len(long.subject) <= OPENING_LIMIT


def test_what_the_source_did_before() -> None:
    known = SourceHistory(
        day_events=14,
        day_blocked=12,
        month_events=1240,
        month_blocked=1240,
        first_at=datetime(2026, 10, 29, 6, tzinfo=UTC),
        known_since=datetime(2026, 9, 1, tzinfo=UTC),
        targets=3,
        top_rules=(TopRow(name="SQL injection", events=900), TopRow(name="", events=20)),
    )
    alert = Alert(rule=Rule.CRITICAL, event=event(), matched=(Rule.CRITICAL,))
    mail = alert_document(alert, "en", PARIS, history=known)
    for part in (mail.html, mail.text):
        shown = said(part)
        for words in (
            "Last 24 hours 14 events, 2 not blocked",
            "Last 30 days 1,240 events, all blocked",
            "Thursday 29 October 2026, 07:00:00 (Europe/Paris); events are kept since 1 September 2026",
            "SQL injection (900) · not named (20)",
            "Its targets 3",
            "this address keeps coming back",
        ):
            assert words in shown, words
    first = SourceHistory(day_events=1, day_blocked=1, month_events=1, month_blocked=1, first_at=AT, known_since=AT)
    shown = said(alert_document(alert, "en", PARIS, history=first).text)
    assert "Last 30 days this event only First seen with this event; events are kept since 21 November 2026" in shown
    assert "What this source did" not in document().text


def test_an_event_of_several_rules_says_both_reasons() -> None:
    both = (Rule.CRITICAL, Rule.WAF_BLOCKED)
    mail = alert_document(Alert(rule=both[0], event=event(), matched=both), "en", PARIS)
    for words in ("critical events", "blocked web attacks"):
        assert f"alerts for {words} are switched on" in said(mail.text)


def test_text_and_page_tell_the_same_figures() -> None:
    for language in ("en", "fr"):
        mail = full("word 42", language)
        assert figures(mail.text) == figures(visible(mail.html))


def test_defang_and_masking_reach_every_place() -> None:
    alert = Alert(rule=Rule.CRITICAL, event=event(dst_ip="10.198.47.71"), matched=(Rule.CRITICAL,))
    mail = alert_document(
        alert,
        "en",
        PARIS,
        line=f"{LINE} dst_ip=10.198.47.71 http://a.example",
        host="soc-1.example.com",
        defang=True,
        mask_internal=True,
    )
    assert not alive(mail)
    assert "shop[.]example[.]com from 18[.]160[.]13[.]241" in mail.subject
    for part in (mail.html, mail.text):
        assert "10[.]x[.]x[.]71" in part
        assert "hxxp://a[.]example" in part
        for bare in ("18.160.13.241", "10.198.47.71", "shop.example.com"):
            assert bare not in part
