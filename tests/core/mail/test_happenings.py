"""What was noted, in words: both languages have them, and nothing that was noted can break them."""

import pytest

from vxtray.core import texts
from vxtray.core.mail.happenings import facts, headline, shown
from vxtray.core.mail.records import Happening


def noted(what: str, /, **detail: object) -> Happening:
    return Happening(at="2026-11-21T12:00:00+00:00", what=what, detail=detail)


@pytest.mark.parametrize(
    ("happening", "words"),
    [
        (noted("started", version="1.2"), "vxtray 1.2 was started"),
        (noted("stopped"), "vxtray was stopped"),
        (noted("settings", changed={"a.b": [False, True]}), "1 setting was changed: a.b"),
        (noted("settings", changed={c: [1, 2] for c in "abcd"}), "4 settings were changed: a, b, c…"),
        (noted("secret", name="smtp-password"), "A secret was changed: smtp-password"),
        (noted("tested", server="h:587"), "The server h:587 took a test e-mail"),
        (noted("paused", what="alerts"), "Alert mails were paused"),
        (noted("paused", what="mail", why="The {thing}."), "Sending was paused: The {thing}."),
        (noted("resumed", what="mail"), "Sending goes on"),
        (
            noted("silenced", rule="critical", network="203.0.113.0/24"),
            "Alert mails were silenced: critical, 203.0.113.0/24",
        ),
        (noted("unsilenced", rule="", network="203.0.113.7"), "Alert mails leave again: 203.0.113.7"),
        (noted("acknowledged", title=["SQL {x}", "b"], incidents=2), "Alerts were acknowledged: SQL {x}, b"),
        (noted("storm", title="a\nb", events=12), "A storm of alerts began: a b"),
        (noted("storm_over", title="a", events=12), "A storm of alerts is over: a"),
        (noted("later\u202e release"), "later release"),
    ],
)
def test_headlines(happening: Happening, words: str) -> None:
    assert headline(happening) == words


def test_settings_say_what_they_were_and_became() -> None:
    changed = {"on": [False, True], "list": [[], ["a", "b"]], "text": ["", "x\n\u202ey"], "odd": "?"}
    assert facts(noted("settings", changed=changed)) == [
        ("on", "no → yes"),
        ("list", "(empty) → a, b"),
        ("text", "(empty) → x y"),
    ]
    assert facts(noted("settings", changed="?")) == []


def test_other_facts_have_names_and_moments_a_zone() -> None:
    found = dict(facts(noted("paused", what="alerts", until="2026-11-21T14:00:00+00:00", strange="x")))
    assert list(found) == ["Until"]
    assert "2026" in found["Until"]
    assert shown("2026-11-21T99:00:00") == "2026-11-21T99:00:00"


@pytest.mark.parametrize(
    "what",
    [
        "started",
        "stopped",
        "settings",
        "secret",
        "tested",
        "paused",
        "resumed",
        "silenced",
        "unsilenced",
        "acknowledged",
        "storm",
        "storm_over",
        "other",
    ],
)
def test_missing_details_are_no_fault(what: str) -> None:
    for language in texts.LANGUAGES:
        with texts.speaking(language):
            assert headline(noted(what))
            assert facts(noted(what)) == []
