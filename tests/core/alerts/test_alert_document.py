"""Alerts as mails: what a lock screen shows, every field, and nothing alive in it."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from vxtray.core.alerts.document import alert_document
from vxtray.core.alerts.rules import Alert, Rule
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


def tags(html: str) -> list[str]:
    found: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(" ".join([tag, *sorted(name for name, _ in attrs)]))

    Tags().feed(html)
    return found


def said(part: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", part).split())


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
    assert document(**changed).subject == f"[vxtray] {subject}"


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
            "25",
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
    }[rule]
    assert f"alerts for {words} are switched on" in said(document(rule=rule).text)


def test_what_is_not_known_is_not_shown() -> None:
    mail = document(line="", user="", score=None, src_port=0, rule_id="", message="")
    for part in (mail.html, mail.text):
        for label in ("User", "Score", "Source port", "Message", "The line in the log"):
            assert label not in part, label
    assert "Score" in document(score=0).text


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


@pytest.mark.parametrize("action", [Action.BLOCKED, Action.BANNED])
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_log_text_is_inert_in_every_field(text: str, language: str, action: Action) -> None:
    names = (
        "source", "src_ip", "country", "dst_ip", "target_host", "target_url", "user", "rule_id", "rule_name", "message",
    )  # fmt: skip
    mail = document(language, line=text, action=action, **dict.fromkeys(names, text))
    tame = document(language, line="line", action=action, **dict.fromkeys(names, "word"))
    assert tags(mail.html) == tags(tame.html)
    assert "49" not in said(mail.html).split()
    assert not re.search("[\x00-\x1f\u2028\u202a-\u202e\u2066-\u2069\ud800-\udfff]", mail.subject)
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u202a-\u202e\u2066-\u2069\ud800-\udfff]", mail.html + mail.text)
    assert len(mail.subject) <= 200
    assert max(map(len, mail.text.splitlines())) <= 78
    assert len(mail.html.encode()) < 30_000


def test_defang_and_masking_reach_every_place() -> None:
    alert = Alert(rule=Rule.CRITICAL, event=event(dst_ip="10.198.47.71"), matched=(Rule.CRITICAL,))
    mail = alert_document(
        alert, "en", PARIS, line=f"{LINE} dst_ip=10.198.47.71 http://a.example", defang=True, mask_internal=True
    )
    assert "shop[.]example[.]com from 18[.]160[.]13[.]241" in mail.subject
    for part in (mail.html, mail.text):
        assert "10[.]x[.]x[.]71" in part
        assert "hxxp://a[.]example" in part
        for bare in ("18.160.13.241", "10.198.47.71", "shop.example.com"):
            assert bare not in part
