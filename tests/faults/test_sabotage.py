"""What ``sabotage`` would do can be done: each promise has one, each text stands once, what comes of it compiles."""

import ast
import re

import pytest

from tests.faults.promises import FOLDER
from tests.faults.sabotage import Said, verdict
from tests.faults.sabotages import SABOTAGES, VXTRAY, Sabotage


def test_each_promise_has_a_sabotage() -> None:
    rigs = {f"P{int(path.stem[1:])}" for path in FOLDER.glob("p[0-9][0-9].py")}
    assert {f"P{number}" for number in range(1, 25)} <= rigs
    assert {one.promise for one in SABOTAGES} == rigs


@pytest.mark.parametrize("one", SABOTAGES, ids=lambda one: f"{one.promise} {one.broken}")
def test_a_sabotage_can_be_done(one: Sabotage) -> None:
    content = (VXTRAY / one.file).read_text("utf-8")
    broken = one.done_to(content)
    assert broken != content
    ast.parse(broken)
    re.compile(one.says)
    assert not re.search(one.says, ""), "it says something"


def test_a_text_that_is_not_there_once_is_refused() -> None:
    one = Sabotage(promise="P1", file="", text="a", instead="b", broken="", says="x")
    assert one.done_to("a c") == "b c"
    for content in ("c", "a a"):
        with pytest.raises(ValueError, match=r"P1: the text stands"):
            one.done_to(content)


@pytest.mark.parametrize(
    ("kept", "words", "word"),
    [
        (False, "3 mails lost", "caught"),
        (False, "no module named duckdb", "NOT caught: it failed for another reason"),
        (True, "0 mails lost", "NOT caught"),
        (None, "it needs root", "NOT tried"),
    ],
)
def test_only_a_failure_with_its_own_words_counts(kept: bool | None, words: str, word: str) -> None:
    one = Sabotage(promise="P1", file="", text="a", instead="b", broken="", says=r"[1-9]\d* mails lost")
    assert verdict(one, Said(kept, words, words, 1.0)) == word
