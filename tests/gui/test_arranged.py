"""Rows that fold keep their answers while nothing within changes, and never longer."""

import random

import pytest
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tests.gui.test_pages import settle
from vxtray.gui.widgets import Beside, FlowRow, button, plain_label
from vxtray.gui.widgets.arranged import Arranged

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

WORDS = ("a", "some words", "a text that is much longer than the others and wraps at most widths of this window")


def places(row: Arranged) -> list[tuple[int, int, int, int]]:
    return [child.geometry().getRect() for child in row.shown()]


def test_kept_answers_are_those_that_would_be_worked_out_anew(qtbot) -> None:
    chance = random.Random(7)
    texts = [plain_label("") for _ in range(3)]
    presses = [button("one"), button("two"), button("three")]
    flow = FlowRow(*presses, gap=8)
    beside = Beside(texts[0], flow)
    within = FlowRow(texts[1], texts[2])
    window = QWidget()
    column = QVBoxLayout(window)
    for part in (beside, within):
        column.addWidget(part)
    qtbot.addWidget(window)
    window.resize(500, 300)
    with qtbot.waitExposed(window):
        window.show()
    for step in range(120):
        match chance.randrange(6):
            case 0 | 1:
                chance.choice(texts).setText(chance.choice(WORDS))
            case 2:
                chance.choice(presses).setText(chance.choice(WORDS[:2]))
            case 3:
                one = chance.choice([*presses, *texts[1:]])
                one.setVisible(one.isHidden())
            case 4:
                window.resize(chance.randrange(300, 900), 300)
            case 5:
                font = window.font()
                font.setPointSize(chance.choice((8, 11, 16)))
                window.setFont(font)
        settle()
        for row in (flow, beside, within):
            widths = (200, 333, row.width(), 777)
            kept = [row.heightForWidth(width) for width in widths], row.sizeHint(), row.minimumSizeHint(), places(row)
            row._kept.clear()
            row._place()
            settle()
            anew = [row.heightForWidth(width) for width in widths], row.sizeHint(), row.minimumSizeHint(), places(row)
            assert kept == anew, (step, type(row).__name__)


def test_what_does_not_change_is_not_arranged_again(qtbot) -> None:
    arranged: list[int] = []

    class Counted(FlowRow):
        def _arrange(self, width: int) -> list:
            arranged.append(width)
            return super()._arrange(width)

    still, lively = Counted(button("one"), button("two")), plain_label("1")
    window = QWidget()
    column = QVBoxLayout(window)
    column.addWidget(still)
    column.addWidget(lively)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    settle()
    arranged.clear()
    for number in range(20):
        lively.setText(str(number))
        settle()
    assert arranged == []
