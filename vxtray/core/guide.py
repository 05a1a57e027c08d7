"""The user guide: its pages, its headings, what stands where. Pure look-ups in the shipped Markdown files, any thread.

``resources/docs/<language>/<name>.md`` has the same names and the same headings in each language (a test holds it).
``index.md`` names the others in their order. A *topic* is a place in the guide, independent of the language: a page's
name, or ``name#anchor`` with the anchor of the English heading.
"""

import re
import unicodedata
from functools import cache

import msgspec

from vxtray.core.paths import resource

_LANGUAGE = "en"
_LINK = re.compile(r"\]\(([\w-]+)\.md(?:#[^)]*)?\)")
_HEADING = re.compile(r"(#{1,4}) +(.+?)\s*$")
_VALUE = re.compile(r"\{\w+\}")
#: What is left of a line of Markdown when it is read aloud.
_MARKS = re.compile(
    r"!\[([^]]*)\]\([^)]*\)|\[([^]]*)\]\([^)]*\)|[*`]|^\s*(?:[-|>]|\d+\.)\s+|\s\|\s*|-{3,}", re.MULTILINE
)


class Section(msgspec.Struct, frozen=True):
    """A heading and what stands under it, up to the next one. ``anchor`` as code forges make it; ``text`` is plain."""

    level: int
    title: str
    anchor: str
    text: str


class GuidePage(msgspec.Struct, frozen=True):
    """One file: its name without ``.md``, its title, its Markdown and its sections, the title's first."""

    name: str
    title: str
    markdown: str
    sections: tuple[Section, ...]


class Hit(msgspec.Struct, frozen=True):
    """Where a search found something; ``anchor`` is that of the section in its own language."""

    page: str
    page_title: str
    title: str
    anchor: str


@cache
def pages(language: str) -> tuple[GuidePage, ...]:
    """Return the guide in a language, in reading order. Raises ``FileNotFoundError`` where it was not shipped."""
    index = _read(language, "index")
    names = dict.fromkeys(_LINK.findall(index.markdown))
    names.pop("index", None)
    return (index, *(_read(language, name) for name in names))


def page(name: str, language: str) -> GuidePage | None:
    """Return a page by its name, None where there is none."""
    return next((one for one in pages(language) if one.name == name), None)


def slug(title: str) -> str:
    """Return the anchor of a heading: lower case, blanks as hyphens, without punctuation."""
    plain = "".join(sign for sign in _plain(title).lower() if sign in " -_" or unicodedata.category(sign)[0] in "LN")
    return plain.replace(" ", "-")


def placed(topic: str, language: str) -> tuple[str, str]:
    """Return page and anchor of a topic in a language; of one that is not known, the first page."""
    name, _sharp, anchor = topic.partition("#")
    english, wanted = page(name, _LANGUAGE), page(name, language)
    if english is None or wanted is None:
        return "index", ""
    at = next((n for n, section in enumerate(english.sections) if section.anchor == anchor), 0)
    return name, wanted.sections[at].anchor if at and at < len(wanted.sections) else ""


def heading_of(message: str) -> str:
    """Return how a message with ``{values}`` stands in the guide: each value as “…”, without its full stop."""
    return _VALUE.sub("…", message).removesuffix(".")


@cache
def _messages(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return patterns of all messages of the page of errors, the longest first, with their English anchors."""
    english, wanted = page("errors", _LANGUAGE), page("errors", language)
    if english is None or wanted is None:
        return ()
    found = [
        (own.title, first.anchor)
        for first, own in zip(english.sections, wanted.sections, strict=False)
        if own.level == 3
    ]
    found.sort(key=lambda one: -len(one[0].replace("…", "")))
    return tuple((re.compile(".{0,300}?".join(map(re.escape, title.split("…")))), anchor) for title, anchor in found)


def topic_of(words: str, language: str) -> str:
    """Return the topic that explains a message which is shown, empty where the guide does not know it."""
    words = words[:2000]
    for pattern, anchor in _messages(language):
        if pattern.match(words):
            return f"errors#{anchor}"
    return ""


def search(words: str, language: str, limit: int = 60) -> list[Hit]:
    """Return the sections that hold every word, their titles first; accents and case do not matter."""
    wanted = folded(words).split()
    if not wanted:
        return []
    in_title, in_text = [], []
    for one in pages(language):
        for section in one.sections:
            title = folded(f"{one.title} {section.title}")
            hit = Hit(one.name, one.title, section.title, section.anchor if section.level > 1 else "")
            if all(word in title for word in wanted):
                in_title.append(hit)
            elif all(word in title or word in folded(section.text) for word in wanted):
                in_text.append(hit)
    phrase = " ".join(wanted)
    in_title.sort(key=lambda hit: phrase not in folded(hit.title))
    return [*in_title, *in_text][:limit]


def folded(text: str) -> str:
    """Return a text for comparing: lower case, without accents, typographic apostrophes as typed ones."""
    apart = unicodedata.normalize("NFD", text.casefold().replace("’", "'"))
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def _read(language: str, name: str) -> GuidePage:
    markdown = resource(f"docs/{language}/{name}.md").read_text("utf-8")
    sections = _sections(markdown)
    return GuidePage(name, sections[0].title, markdown, sections)


def _sections(markdown: str) -> tuple[Section, ...]:
    found: list[tuple[int, str, list[str]]] = []
    fenced = False
    for line in markdown.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading:
            found.append((len(heading[1]), _plain(heading[2]), []))
        elif found:
            found[-1][2].append(line)
    seen: dict[str, int] = {}
    made = []
    for level, title, lines in found:
        anchor = slug(title)
        again = seen.get(anchor, 0)
        seen[anchor] = again + 1
        made.append(Section(level, title, f"{anchor}-{again}" if again else anchor, _plain("\n".join(lines))))
    return tuple(made)


def _plain(markdown: str) -> str:
    said = _MARKS.sub(lambda found: found[1] or found[2] or " ", markdown)
    return re.sub(r"[ \t\n]+", " ", said).strip(" ")  # French's no-break spaces stay what they are
