"""French is complete, keeps every value, and is written with the spaces that French wants."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog, Message

from tests.project.tools import tool_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return tool_of("translations")


@pytest.fixture(scope="module")
def texts(tool: ModuleType) -> Catalog:
    catalogue = tool.extract()
    assert len(catalogue) > 50
    return catalogue


@pytest.fixture(scope="module")
def french(tool: ModuleType) -> Catalog:
    return tool.read("fr")


def each(catalogue: Catalog) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    for message in catalogue:
        if message.id:
            yield _forms(message.id), _forms(message.string)


def _forms(text: Message | str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def names_in(text: str) -> set[str]:
    return {name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def hidden_in(path: Path) -> Iterator[str]:
    """Yield the texts of a module that stand inside of an f-string."""
    for outer in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for call in ast.walk(outer) if isinstance(outer, ast.JoinedStr) else ():
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"_", "N_", "plural"}:
                yield from (ast.unparse(text) for text in call.args[:1] if isinstance(text, ast.Constant))


def test_no_text_hides_in_an_f_string() -> None:
    """Babel does not look into them, so such a text would never get French."""
    found = {path.name: list(hidden_in(path)) for path in (ROOT / "vxtray").rglob("*.py")}
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_every_text_has_french(tool: ModuleType) -> None:
    assert tool.missing("fr") == [], "add them with packaging/translations.py update"


def test_no_text_is_left_over(texts: Catalog, french: Catalog) -> None:
    assert [message.id for message in french if message.id and texts.get(message.id) is None] == []


def test_template_is_up_to_date(tool: ModuleType, texts: Catalog) -> None:
    from babel.messages.pofile import read_po

    with (tool.CATALOGUES / "vxtray.pot").open("rb") as file:
        written = read_po(file)
    assert {_forms(message.id) for message in written} == {_forms(message.id) for message in texts}


def test_english_catalogue_is_up_to_date(tool: ModuleType) -> None:
    assert tool.missing("en") == []
    assert [english for english, same in each(tool.read("en")) if english != same] == []


def test_values_are_the_same_in_both(french: Catalog) -> None:
    wrong = []
    for english, translated in each(french):
        wanted = names_in(english[-1])
        allowed = wanted | {"n"} if len(english) > 1 else wanted
        for form in translated:
            names = names_in(form)
            missing = wanted - names - ({"n"} if len(english) > 1 else set())  # "un seul" may say it in words
            if missing or names - allowed:
                wrong.append((english[0], form))
    assert wrong == []


ENDS = re.compile(r"^(\s*)(?s:.*?)(\s*)$")


def edges(text: str) -> tuple[str, bool]:
    return ENDS.sub(r"\1|\2", text), text.endswith(":")


def test_edges_are_the_same_in_both(french: Catalog) -> None:
    """Spaces and line ends at either end of a text, and the colon that a label ends with."""
    pairs = [(english[0], form) for english, translated in each(french) for form in translated]
    assert [pair for pair in pairs if edges(pair[0]) != edges(pair[1])] == []


#: What must not stand in French text outside of addresses, times, placeholders and code.
FAULTS = {
    "a plain space, or none, before ; ! ?": re.compile(r"(?:(?<= )|(?<=[\w)»}”]))[;!?](?=\s|$|»)"),
    "a plain space, or none, before a colon": re.compile(r"(?:(?<= )|(?<=[\w)»}”])):(?=\s|$)"),
    "a plain space, or none, inside « »": re.compile(r"«(?![\u00a0\u202f])|(?<![\u00a0\u202f])»"),
    "a typewriter's apostrophe or quotation marks": re.compile(r"(?<=\w)'(?=\w)"),
    "three dots instead of an ellipsis": re.compile(r"(?<=\w)\.\.\.(?=\s|$)"),
}
CODE = re.compile(r"`[^`]*`|https?://\S*|--[a-z-]+|[A-Z_]{3,}=\S*|\w+=\.\.\.|\{[^{}]*\}(?=:\d)")


def test_french_is_typeset_as_french(french: Catalog) -> None:
    wrong = [
        f"{fault}: {form!r}"
        for _, translated in each(french)
        for form in translated
        for fault, pattern in FAULTS.items()
        if pattern.search(CODE.sub("", form))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Attention\u202f!", True),
        ("Attention !", False),
        ("Attention!", False),
        ("Serveur\u00a0: {host}", True),
        ("Serveur : {host}", False),
        ("«\u00a0Serveur\u00a0»", True),
        ("« Serveur »", False),
        ("l’heure", True),
        ("l'heure", False),
        ("à 08:00", True),
    ],
)
def test_the_check_itself(text: str, right: bool) -> None:
    assert any(pattern.search(CODE.sub("", text)) for pattern in FAULTS.values()) is not right
