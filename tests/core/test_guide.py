"""Finding one's way in the guide: anchors, topics, messages, the search."""

import pytest

from vxtray.core import guide
from vxtray.core.errors import PortTaken, StoreFull
from vxtray.core.texts import advice, speaking, title

LANGUAGES = ("en", "fr")


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Quiet hours", "quiet-hours"),
        ("“STARTTLS” and “TLS”", "starttls-and-tls"),
        ("Est-ce que cela arrive\u202f?", "est-ce-que-cela-arrive"),
        ("Ce qu’un serveur `doit` savoir", "ce-quun-serveur-doit-savoir"),
        ("KDE Plasma, Xfce, sway and others", "kde-plasma-xfce-sway-and-others"),
    ],
)
def test_anchors_are_those_of_code_forges(heading: str, anchor: str) -> None:
    assert guide.slug(heading) == anchor


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_index_comes_first_and_leads_to_all(language: str) -> None:
    pages = guide.pages(language)
    assert pages[0].name == "index"
    assert len({page.title for page in pages}) == len(pages) > 15
    assert all(page.sections[0].level == 1 for page in pages)


def test_a_topic_is_the_same_place_in_each_language() -> None:
    assert guide.placed("alerts#quiet-hours", "en") == ("alerts", "quiet-hours")
    assert guide.placed("alerts#quiet-hours", "fr") == ("alerts", "les-heures-calmes")
    assert guide.placed("alerts", "fr") == ("alerts", "")
    assert guide.placed("alerts#no such heading", "fr") == ("alerts", "")
    assert guide.placed("no-such-page#quiet-hours", "fr") == ("index", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_fault_that_is_shown_is_found_with_its_values(language: str) -> None:
    for fault, anchor in (
        (
            PortTaken(source="syslog udp", address="0.0.0.0", port=5514),
            "port--on--is-already-in-use-so--receives-nothing",
        ),
        (StoreFull(path="/var/lib/x/events.duckdb"), "the-disk-is-full-the-event-store--cannot-take-new-events"),
    ):
        with speaking(language):
            shown = f"{title(fault)} {advice(fault)}"
        assert guide.topic_of(shown, language) == f"errors#{anchor}"


@pytest.mark.parametrize("words", ["", "Saved", "Everything is fine.", "x" * 5000, "{path}", "…"])
def test_what_is_no_message_has_no_topic(words: str) -> None:
    assert guide.topic_of(words, "en") == ""


def test_the_search_needs_every_word_and_no_accents() -> None:
    hits = guide.search("heures calmes", "fr")
    assert (hits[0].page, hits[0].anchor) == ("alerts", "les-heures-calmes")
    assert guide.search("HEURES  Calmes", "fr") == hits
    assert guide.search("repetition", "fr")[0].title == "La répétition"
    assert guide.search("5.7.139", "en")[0].page == "trouble"
    assert guide.search("quiet no-such-word", "en") == []
    assert guide.search("  ", "en") == []
    assert len(guide.search("e", "en", limit=5)) == 5


def test_titles_come_before_text() -> None:
    hits = guide.search("silence", "en")
    in_title = ["silence" in f"{hit.page_title} {hit.title}".lower() for hit in hits]
    assert in_title == sorted(in_title, reverse=True)
    assert True in in_title
    assert False in in_title
