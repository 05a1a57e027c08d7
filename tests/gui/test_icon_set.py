"""The icons are one set: one grid, one weight of line, round ends, and no colour but the one they are given."""

import re
from xml.etree import ElementTree

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from vxtray.core.paths import resource
from vxtray.gui.icons import pixmap

FOLDER = resource("icons/vxtray.svg").parent
#: Those of the tray have a grid of their own, ticks and chevrons are parts of controls.
NAMES = sorted(
    path.stem for path in FOLDER.glob("*.svg") if not path.stem.startswith(("tray", "tick", "chevron", "vxtray"))
)
#: Marks that stand beside a word, at 10 px: they need a stronger line.
MARKS = {"check", "cross", "pause"}
#: Dots within an outline, which are points of a smaller width.
POINT = {".9"}


def drawing(name: str) -> ElementTree.Element:
    return ElementTree.parse(FOLDER / f"{name}.svg").getroot()


@pytest.mark.parametrize("name", NAMES)
def test_one_grid_and_one_line(name: str) -> None:
    root = drawing(name)
    assert root.get("viewBox") == "0 0 16 16"
    widths = {one.get("stroke-width") for one in root.iter()} - {None} - POINT
    if root.get("fill") == "currentColor":
        assert not widths, "a filled shape has no outline"
        return
    assert widths == {"2" if name in MARKS else "1.5"}
    assert (root.get("stroke-linecap"), root.get("stroke-linejoin")) == ("round", "round")


@pytest.mark.parametrize("name", NAMES)
def test_no_colour_of_its_own(name: str) -> None:
    colours = {one.get(kind) for one in drawing(name).iter() for kind in ("fill", "stroke")}
    assert colours <= {None, "none", "currentColor"}
    assert not re.search(r"#[0-9a-fA-F]{3}|rgb|style=", (FOLDER / f"{name}.svg").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_off_the_edge_and_stands_in_the_middle(qapp: QApplication, name: str) -> None:
    image: QImage = pixmap(name, "#000000", 32).toImage()
    inked = [(x, y) for x in range(32) for y in range(32) if image.pixelColor(x, y).alpha() > 127]
    columns, rows = [x for x, _y in inked], [y for _x, y in inked]
    assert min(columns) >= 1, "the outermost line of the grid is cut"
    assert min(rows) >= 1
    assert max(columns) <= 30
    assert max(rows) <= 30
    assert abs((min(columns) + max(columns)) / 2 - 15.5) <= 4
    assert abs((min(rows) + max(rows)) / 2 - 15.5) <= 4


def test_severities_and_states_differ_by_shape(qapp: QApplication) -> None:
    shapes = {
        name: tuple(
            pixmap(name, "#000000", 10).toImage().pixelColor(x, y).alpha() > 127 for x in range(10) for y in range(10)
        )
        for name in ("dot", "triangle", "check", "cross", "pause", "info")
    }
    assert len(set(shapes.values())) == len(shapes)
