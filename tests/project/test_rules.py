"""The habits that no linter checks: sizes, names, docstrings, declared dependencies, what files may not contain."""

import ast
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import vxtray.core
from vxtray.core import errors
from vxtray.core.errors import VxtrayError

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "vxtray").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "misc", "manager", "managers", "common"}
#: What the standard modules of these names are about is also what ours are; nothing here uses theirs.
FIELDS_OWN_TERMS = {"syslog"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text)), "says what lives here and on which thread it runs"
    assert path.stem not in FORBIDDEN_NAMES
    assert path.stem not in sys.stdlib_module_names - FIELDS_OWN_TERMS, "a standard module has this name"


def test_packaging_is_no_package() -> None:
    """It would hide the library of that name from everything that runs in the checkout."""
    assert not (ROOT / "packaging" / "__init__.py").exists()


def imported_names() -> Iterator[tuple[str, str]]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], name_of(path)) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                yield node.module.partition(".")[0], name_of(path)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    return {canonical(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in PROJECT["project"]["dependencies"]}


def test_every_import_is_declared() -> None:
    provided = importlib.metadata.packages_distributions()
    belongs = {"shiboken6": "pyside6-essentials"}  # installed with it, in the same version
    undeclared = {
        f"{where}: {name}"
        for name, where in imported_names()
        if name not in sys.stdlib_module_names
        and name != "vxtray"
        and not {belongs.get(canonical(d), canonical(d)) for d in provided.get(name, [name])} & declared()
    }
    assert undeclared == set()


def test_every_dependency_is_imported() -> None:
    provided = importlib.metadata.packages_distributions()
    used = {canonical(d) for name, _ in imported_names() for d in provided.get(name, [])}
    data = {"tzdata"}  # read by zoneinfo where the system has no time zones
    assert declared() - used - data == set()


def test_constraints_pin_every_dependency() -> None:
    lines = (ROOT / "packaging" / "constraints.txt").read_text("utf-8").splitlines()
    pins = {canonical(line.partition("==")[0]) for line in lines if not line.startswith("#")}
    assert all("==" in line for line in lines if line and not line.startswith("#"))
    extra = {
        canonical(re.split(r"[^\w.-]", d, maxsplit=1)[0]) for d in PROJECT["project"]["optional-dependencies"]["dev"]
    }
    assert declared() | extra <= pins


# --- the tree of errors ----------------------------------------------------------------------------------------------

DRAWN = re.compile(r"^(?P<indent>[\s│]*)(?:[├└]── )?(?P<name>[A-Z]\w+)(?:\s{2,}.*)?$")


def drawn_tree(docstring: str) -> set[tuple[str, str]]:
    """Return (class, base) as the drawing in a docstring shows them."""
    pairs: set[tuple[str, str]] = set()
    above: list[tuple[int, str]] = []
    for line in docstring.splitlines():
        found = DRAWN.match(line)
        if not found or not ("──" in line or line.strip() == "VxtrayError"):
            continue
        depth = line.index(found["name"])
        while above and above[-1][0] >= depth:
            above.pop()
        if above:
            pairs.add((found["name"], above[-1][1]))
        above.append((depth, found["name"]))
    return pairs


def real_tree(cls: type) -> Iterator[tuple[str, str]]:
    for sub in cls.__subclasses__():
        if not sub.__module__.startswith("vxtray.core."):
            continue  # another test of this process loaded the command line, or made one of its own
        yield sub.__name__, cls.__name__
        yield from real_tree(sub)


def test_the_drawing_shows_the_errors() -> None:
    for module in pkgutil.walk_packages(vxtray.core.__path__, "vxtray.core."):
        importlib.import_module(module.name)
    pairs = set(real_tree(VxtrayError))
    private = {name for name, _ in pairs if name.startswith("_")}
    assert drawn_tree(inspect.getdoc(errors) or "") == {pair for pair in pairs if pair[0] not in private}


# --- what files may not contain --------------------------------------------------------------------------------------


def texts_of_checkout() -> Iterator[tuple[str, str]]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".ico", ".icns", ".gz", ".zst", ".mo"}:
            yield name, path.read_text("utf-8", "replace")


def test_no_package_host_and_no_path_of_a_machine() -> None:
    # One literal beginning each, by which the search is quick; what stands before a path is looked at afterwards.
    hosts = ["pypi" + r"\.org", "python" + "hosted", "deb" + r"\.debian", "npm" + r"js\.(org|com)"]
    paths = ["/" + "work/", "/" + r"root/\.", r"/home/(?!\.|\{)[a-z]+/(?!\.\.\.)"]
    wrong = [
        f"{name}: {found[0]}"
        for name, text in texts_of_checkout()
        for pattern in (*hosts, *paths)
        for found in re.finditer(pattern, text)
        if pattern in hosts
        or pattern.startswith("/home")
        or not re.match(r"[\w.]", text[found.start() - 1 : found.start()])
    ]
    assert wrong == []


def test_no_open_ends() -> None:
    marks = re.compile(r"\b(TO" + "DO|FIX" + "ME|XX" + "X|HA" + r"CK)\b")
    assert [name for name, text in texts_of_checkout() if name.endswith((".py", ".sh")) and marks.search(text)] == []


# --- papers ----------------------------------------------------------------------------------------------------------


def test_changelog_has_a_place_for_what_is_new() -> None:
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_licence() -> None:
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")


def test_scripts_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8") + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    scripts = set(re.findall(r"\bpackaging/[\w.-]+", text))
    assert {"packaging/run.sh", "packaging/test.sh"} <= scripts
    assert [name for name in scripts if not (ROOT / name).exists()] == []


def test_files_of_the_readme_exist() -> None:
    for paper in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / paper).read_text("utf-8")
        named = set(re.findall(r"\]\((?!https?:)([^)#]+)\)", text))
        named |= set(re.findall(r"`((?:vxtray|tests|resources)/[\w./]+\.\w+)`", text))
        assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_commands_of_the_readme_exist() -> None:
    """Each ``vxtray verb`` in the papers is understood by the program."""
    text = (ROOT / "README.md").read_text("utf-8")
    verbs = sorted(
        set(re.findall(r"(?<![\w./-])vxtray ((?:[a-z]+-?)+(?: (?:set|show|test|send-test|import-env|get)\b)?)", text))
    )
    blocks = "\n".join(re.findall(r"```.*?```|`[^`\n]*`", text, re.DOTALL))
    used = [verb for verb in verbs if f"vxtray {verb}" in blocks]
    assert used
    for verb in used:
        done = subprocess.run(
            [sys.executable, "-m", "vxtray", *verb.split(), "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{verb}: {done.stderr}"
