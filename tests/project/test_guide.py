"""The guide says the same in each language, names only what the program has, and knows every error."""

import importlib
import pkgutil
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from babel.messages.pofile import read_po

import vxtray.core
from tests.project.documents import Document, fenced, inline_code, links
from tests.project.tools import tool_of
from vxtray.core import guide, texts
from vxtray.core.errors import VxtrayError
from vxtray.core.mail.replies import TABLE
from vxtray.core.mail.replies.signed_in import INSTEAD
from vxtray.core.settings import keys
from vxtray.core.settings.tree import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "resources" / "docs"
NAMES = sorted(path.stem for path in (DOCS / "en").glob("*.md"))
MOST_BYTES_OF_PICTURES = 1_500_000

#: ``*text*``: the text of a control, as the window writes it.
_CONTROL = re.compile(r"(?<![*\w])\*(?!\*)([^*]+?)\*(?![*\w])")
_KEY = re.compile(r"(?:smtp|reports|alerts|desktop|sources|store|general)(?:\.\w+)+(?==|$)")


def read(language: str, name: str) -> Document:
    return Document(DOCS / language / f"{name}.md")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return tool_of("guide")


@pytest.fixture(scope="module")
def controls() -> dict[str, set[str]]:
    """Return the texts of the program in English with their French, without marks of keys."""
    found: dict[str, set[str]] = defaultdict(set)
    with (ROOT / "resources/i18n/fr/LC_MESSAGES/vxtray.po").open("rb") as file:
        for message in read_po(file):
            forms = (message.id, message.string) if isinstance(message.id, str) else (message.id[0], message.string[0])
            english, french = (one.replace("&", "") if "& " not in one else one for one in forms)
            found[normal(english)].add(normal(french))
    return found


def normal(text: str) -> str:
    return " ".join(text.split()).replace("’", "'")


def controls_in(document: Document) -> list[str]:
    prose = re.sub(r"`[^`]*`|\*\*", "", document.prose)
    return [normal(found) for found in _CONTROL.findall(prose)]


def every_error() -> Iterator[type[VxtrayError]]:
    for module in pkgutil.walk_packages(vxtray.core.__path__, "vxtray.core."):
        importlib.import_module(module.name)
    waiting = [VxtrayError]
    while waiting:
        kind = waiting.pop()
        if kind.__module__.startswith("vxtray."):
            yield kind
        waiting += kind.__subclasses__()


# --- the same in each language ---------------------------------------------------------------------------------------


def test_each_language_has_the_same_pages_and_the_index_names_them() -> None:
    assert len(NAMES) > 15
    for language in texts.LANGUAGES:
        assert sorted(path.stem for path in (DOCS / language).glob("*.md")) == NAMES
        assert sorted(page.name for page in guide.pages(language)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_headings_code_pictures_tables_and_links_go_in_step(name: str) -> None:
    english, french = read("en", name), read("fr", name)
    assert [level for level, _title in english.headings] == [level for level, _title in french.headings]
    assert fenced(english.text) == fenced(french.text)
    assert english.rows == french.rows
    places = [[link.partition("#")[0] for link in links(one.prose)] for one in (english, french)]
    assert places[0] == places[1]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_set_off_is_a_text_of_the_window_in_that_language(name: str, controls: dict[str, set[str]]) -> None:
    english, french = controls_in(read("en", name)), controls_in(read("fr", name))
    assert [text for text in english if text not in controls] == []
    left = list(french)
    missing = []
    for text in english:
        said = next((one for one in left if one in controls[text]), None)
        if said is None:
            missing.append((text, controls[text]))
        else:
            left.remove(said)
    assert (missing, left) == ([], [])


@pytest.mark.parametrize("name", NAMES)
def test_french_has_its_spaces_and_its_marks(name: str) -> None:
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", read("fr", name).prose)
    wrong = re.findall(r".{0,20}(?: [;!?:»]|« |[^\s\d\u202f]\?|'|\").{0,20}", prose)
    assert wrong == []


# --- nothing that is not there ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_link_leads_somewhere(language: str) -> None:
    pages = {page.name: {section.anchor for section in page.sections} for page in guide.pages(language)}
    for name in NAMES:
        for link in links(read(language, name).prose):
            target, _sharp, anchor = link.partition("#")
            if target.startswith("images/"):
                assert (DOCS / language / target).is_file(), (name, link)
                continue
            page = target.removesuffix(".md") or name
            assert page in pages, (name, link)
            assert not anchor or anchor in pages[page], (name, link)


def test_pictures_are_used_and_small() -> None:
    shown = {f"{lang}/{link}" for lang in texts.LANGUAGES for name in NAMES for link in links(read(lang, name).prose)}
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.png")}
    assert there
    assert there <= shown
    assert sum(path.stat().st_size for path in (ROOT / "resources").rglob("*.png")) < MOST_BYTES_OF_PICTURES


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_are_named_exist(name: str) -> None:
    known = dict(keys.flatten(msgspec.to_builtins(Settings())))
    named = [found[0] for code in inline_code(read("en", name).prose) if (found := _KEY.match(code))]
    assert [key for key in named if key not in known] == []
    assert sorted(inline_code(read("en", name).prose)) == sorted(inline_code(read("fr", name).prose))


@pytest.mark.parametrize("name", ["README.md", *(f"resources/docs/en/{name}.md" for name in NAMES)])
def test_settings_files_that_are_shown_are_valid(name: str) -> None:
    for language, block in fenced((ROOT / name).read_text("utf-8"), comments=True):
        if language == "toml":
            settings, complaints = keys.build(tomllib.loads(block))
            assert complaints == []
            assert settings != Settings()


# --- every error -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_page_of_errors_is_what_the_program_says(tool: ModuleType, language: str) -> None:
    written = read(language, "errors").text
    assert written == tool.page(language), "run: .venv/bin/python packaging/guide.py"


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_error_and_every_known_reply_is_explained(language: str) -> None:
    titles = [kind.title for kind in every_error()]
    explanations = [row.means for row in TABLE] + list(INSTEAD.values())
    titles += [one.title for one in explanations]
    assert len(set(titles)) > 100
    page = guide.page("errors", language)
    assert page is not None
    by_title = {section.title: section.text for section in page.sections if section.level == 3}
    missing = {title for title in titles if guide.heading_of(texts.translate(title, language)) not in by_title}
    assert missing == set()
    for one in explanations:
        told = by_title[guide.heading_of(texts.translate(one.title, language))]
        assert texts.translate(one.advice, language).replace("*", r"\*") in told


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_what_is_shown_leads_to_its_entry(language: str) -> None:
    told: list[str] = []
    for row in TABLE:
        shown = row.means.in_language(language)
        topic = guide.topic_of(shown, language)
        assert topic, shown
        name, anchor = guide.placed(topic, language)
        page = guide.page(name, language)
        assert page is not None
        (section,) = [one for one in page.sections if one.anchor == anchor]
        assert shown.startswith(section.title)
        told.append(section.title)
    assert len(set(told)) > 40
