"""The list of what is shipped, with each licence and its text."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from vxtray.core.licences import QT_NOTE, Component, components, third_party

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def known() -> dict[str, Component]:
    return {one.name.lower().replace("_", "-"): one for one in components()}


def test_every_dependency_is_there_with_a_licence_and_its_text(known: dict[str, Component]) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    names = {re.match(r"[A-Za-z0-9_-]+", line)[0].lower() for line in wanted}  # type: ignore[index]
    assert names <= set(known)
    assert {"shiboken6", "httpcore", "markupsafe"} <= set(known), "and what those need"
    for one in known.values():
        assert one.version
        assert one.licence
        assert len(one.text) > 200, one.name


def test_what_only_developers_need_is_left_out(known: dict[str, Component]) -> None:
    assert not {"pytest", "mypy", "ruff", "hypothesis", "chdb"} & set(known)


def test_the_program_comes_first_then_by_name() -> None:
    names = [one.name for one in components()]
    assert names[0] == "vxtray"
    assert names[1:] == sorted(names[1:], key=str.casefold)


def test_qt_says_how_to_replace_it_and_brings_both_licences(known: dict[str, Component]) -> None:
    for name in ("pyside6-essentials", "shiboken6"):
        one = known[name]
        assert one.licence == "LGPL-3.0-only"
        assert one.note == QT_NOTE
        assert "GNU LESSER GENERAL PUBLIC LICENSE" in one.text
        assert "GNU GENERAL PUBLIC LICENSE" in one.text


def test_fonts_and_python_are_no_packages_and_are_told(known: dict[str, Component]) -> None:
    assert known["inter"].licence == "OFL-1.1"
    assert "SIL OPEN FONT LICENSE" in known["inter"].text.upper()
    assert "PYTHON SOFTWARE FOUNDATION" in known["python"].text.upper()


def test_one_file_of_all_for_a_bundle(known: dict[str, Component]) -> None:
    text = third_party()
    for one in known.values():
        if one.name != "vxtray":
            assert f"{one.name} {one.version}" in text
            assert one.text.strip() in text
    assert QT_NOTE in text


def test_without_the_own_metadata_all_packages_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = metadata.distribution

    def missing(name: str) -> metadata.Distribution:
        if name == "vxtray":
            raise metadata.PackageNotFoundError(name)
        return before(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert {"keyring", "pytest"} <= {one.name for one in components()}
