"""The tree that a screen reader is told over AT-SPI, of every page and dialog on a real screen."""

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gui.support.stage import Furnished, Mood
from tests.peers.accessibility import Node, Reader, State
from tests.peers.desktop import XServer, until

pytestmark = pytest.mark.xserver

ROOT = Path(__file__).resolve().parents[2]
_SPOKEN = Path(__file__).parent / "support" / "spoken.py"

FIELDS = {"text", "password text", "spin box", "combo box"}

#: What a person can do something with, or go through, in Qt's words; all else that takes the focus is a surprise.
KNOWN = FIELDS | {"button", "push button", "button menu", "check box", "radio button", "list", "list item", "table"}
KNOWN |= {"cell", "page tab list", "page tab", "label", "frame", "dialog", "alert message"}


class Shown:
    """A process that shows scenes; its tree is read over the bus."""

    def __init__(self, screen: XServer, profile: Path, mood: Mood, reader: Reader) -> None:
        self._reader = reader
        self._errors = (screen.folder / f"spoken-{mood}.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, str(_SPOKEN), str(profile), mood],
            cwd=ROOT,
            env=screen.env | {"PYTHONPATH": str(ROOT), "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], 60)
        answer = self._process.stdout.readline() if ready else b""
        assert answer, Path(self._errors.name).read_text()
        return json.loads(answer)

    def tree(self, scene: str) -> Node:
        """Show a scene and return the tree of its window."""
        title, is_dialog = self.ask(scene)
        found: list[Node] = []

        def there() -> bool:
            shown = [window for window in self._reader.windows() if window.name == title]
            found[:] = [window for window in shown if (window.role in ("dialog", "alert message")) == is_dialog]
            return bool(found)

        until(there, f"{title!r} is told", 20)
        return self._reader.tree(found[-1])

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    return Furnished(tmp_path_factory.mktemp("furnished"), "en", days=2)


@pytest.fixture
def show(xserver: XServer, reader: Reader, furnished: Furnished, tmp_path: Path) -> Iterator[Any]:
    """Return a function that starts the program in a mood."""
    started: list[Shown] = []

    def begin(mood: Mood) -> Shown:
        furnished.copy_to(tmp_path / mood, mood)
        started.append(Shown(xserver, tmp_path / mood, mood, reader))
        return started[-1]

    yield begin
    for one in started:
        one.close()


def wrong_in(tree: Node) -> list[str]:
    """Return what a screen reader could not speak of."""
    wrong = []
    for node in tree.all():
        known = node.role in KNOWN or (node.role == "filler" and node.name)  # what scrolls, or holds tabs
        if node.role in ("invalid", "unknown", "") or (node.has(State.FOCUSABLE) and not known):
            wrong.append(f"role {node.role!r} of {node.name!r}")
        if "\N{ZERO WIDTH SPACE}" in node.name:
            wrong.append(f"a break is spoken: {node.name!r}")
        if not node.has(State.FOCUSABLE):
            continue
        if node.role != "cell" and not (node.name.strip() or any(node.labels)):  # a cell may be empty
            wrong.append(f"no name: {node.role}")
        if node.role == "combo box" and not any((*node.labels, node.description)):  # its name is the chosen entry
            wrong.append(f"no label: {node.role} {node.name!r}")
        if node.role == "table":
            heads = [one.name for one in node.all() if "header" in one.role]
            if not heads or not all(heads):
                wrong.append(f"heads {heads} of {node.name!r}")
    return wrong


@pytest.mark.parametrize("mood", [Mood.NEW, Mood.WORKING])
def test_every_control_is_told_with_name_role_and_state(show, mood: Mood) -> None:
    program = show(mood)
    wrong, told = {}, 0
    for scene in program.ask("?"):
        tree = program.tree(scene)
        told += sum(node.has(State.FOCUSABLE) for node in tree.all())
        if found := wrong_in(tree):
            wrong[scene] = found
    assert not wrong, json.dumps(wrong, indent=1)
    assert told > 40


def test_a_switch_tells_whether_it_is_on_and_a_field_what_it_is(show) -> None:
    program = show(Mood.WORKING)
    switches = {one.name: one.has(State.CHECKED) for one in program.tree("alerts").all() if one.role == "check box"}
    assert (switches["Critical events"], switches["New bans"]) == (True, False)
    fields = {one.name: one.role for one in program.tree("dialog-mail-server").all() if one.has(State.FOCUSABLE)}
    assert fields["Server"] == "text"
    assert fields["Password"] == "password text"
    assert fields["Port"] == "spin box"
    assert fields["Save"] in ("push button", "button")
