"""Layouts that were learnt: what they read is exactly what is read without them, and they learn only so much."""

from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.parsers.sophos_truth import generated
from vxtray.core.parsers import Outcome, layouts, parse, sophos
from vxtray.core.parsers.keyvalue import scan
from vxtray.core.parsers.layouts import Layouts

LINE = '{}a="1" b=2 c="three four" d="" e= f="{}" g={}'
KEYS = frozenset("abcdefg")


class Nothing(Layouts):
    """Knows no layout and learns none."""

    def read(self, text: str, kind: str, start: int = 0) -> None:
        return None

    def saw(self, text: str, kind: str, keys: dict[str, str], *, escaped: bool) -> None:
        return None


class Asked(dict[str, str]):
    """Remembers the keys that it was asked for."""

    keys_asked: set[str]

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.keys_asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.keys_asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.keys_asked.add(str(key))
        return super().__contains__(key)


def samples(shared: Path) -> list[str]:
    found = [path for path in (shared / "samples" / "sophos").rglob("*") if path.suffix in {".log", ".txt"}]
    assert found
    return [line for path in found for line in path.read_bytes().decode("utf-8", "replace").split("\n")]


def lines_of(shared: Path, tmp_path: Path) -> list[str]:
    tool = shared / "tools" / "make_events.py"
    lines, _truth = generated(tool, tmp_path, "--format", "mix", "--odd", "0.2", "--bad", "0.02", "--days", "4")
    return samples(shared) * (layouts._LEARNT_AT + 1) + lines[::2]


def test_what_is_read_by_layouts_is_what_is_read_without(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_of(shared, tmp_path)
    # Values of other lines of the same log, so that the layouts meet what the learnt line did not have.
    lines += [line.replace("e", '"', 1) for line in lines[::7]] + [line.replace("r", "\\", 3) for line in lines[::5]]

    def outcomes() -> list[Outcome]:
        return [parse(line, zone=UTC) for line in lines]

    fresh = Layouts(sophos._LAYOUTS._wanted)
    monkeypatch.setattr(sophos, "_LAYOUTS", fresh)
    by_layout = outcomes()
    assert fresh._count > 30
    monkeypatch.setattr(sophos, "_LAYOUTS", Nothing(frozenset()))
    assert by_layout == outcomes()


def test_every_key_that_sophos_asks_for_is_wanted(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[str] = set()
    original: Callable[[str, str], dict[str, str]] = sophos._pairs

    def watched(text: str, body: str) -> dict[str, str]:
        pairs = Asked(original(text, body))
        pairs.keys_asked = asked
        return pairs

    wanted = sophos._LAYOUTS._wanted
    monkeypatch.setattr(sophos, "_LAYOUTS", Nothing(frozenset()))  # so that every line goes the way that is watched
    monkeypatch.setattr(sophos, "_pairs", watched)
    for line in lines_of(shared, tmp_path):
        parse(line, zone=UTC)
    assert len(asked) > 30
    assert asked <= wanted


VALUES = st.text(st.sampled_from("ab =\"\\'\t,é"), max_size=8)


@given(st.lists(st.tuples(st.sampled_from(["", "x", "b= "]), VALUES, VALUES), min_size=8, max_size=40), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_value_is_read_as_scan_does(values: list[tuple[str, str, str]], escaped: bool) -> None:
    known = Layouts(KEYS)
    learnable = LINE.format("", "x", "y")
    for _ in range(layouts._LEARNT_AT):
        known.saw(learnable, "k", scan(learnable), escaped=False)
    assert known.read(learnable, "k") == scan(learnable)
    for value in values:
        line = LINE.format(*value)
        found = known.read(line, "k")
        # The caller uses layouts where a backslash has no meaning.
        assert found is None or found == scan(line, escaped=escaped and "\\" not in line)


def test_only_so_much_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "_MOST", 20)
    known = Layouts(KEYS)

    def see(line: str, kind: str) -> None:
        for _ in range(layouts._LEARNT_AT):
            known.saw(line, kind, scan(line), escaped=False)

    for n in range(30):
        see(f'a="1" k{n}="2"', "one")
    assert known._count == layouts._MOST_OF_KIND
    assert known.read('a="3" k0="4"', "one") == {"a": '"3"'}
    assert known.read(f'a="3" k{layouts._MOST_OF_KIND}="4"', "one") is None
    for n in range(30):
        see(f'a="1" k{n}="2"', f"kind{n}")
    assert known._count == 20
    for text in ('a="1"  b="2"', 'a="1" a="2"', 'a="' + "x" * 5000 + '"', " ".join(f"k{n}=" for n in range(101))):
        fresh = Layouts(KEYS)
        for _ in range(layouts._LEARNT_AT):
            fresh.saw(text, "k", scan(text), escaped=False)
        assert fresh._count == 0
    fresh = Layouts(KEYS)
    for n in range(3 * layouts._MOST_SEEN):
        fresh.saw(f"k{n}=1", "k", {f"k{n}": "1"}, escaped=False)
    assert len(fresh._seen) <= layouts._MOST_SEEN
