"""The bar chart: what is drawn is what is counted, and mouse and keyboard reach each bar."""

import itertools

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPalette
from PySide6.QtWidgets import QApplication, QToolTip

from vxtray.gui.theme import DARK, LIGHT, Tokens, theme
from vxtray.gui.widgets import Bar, Bars
from vxtray.gui.widgets.bars import round_up

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

HOURS = (
    Bar("00", "00:00 to 01:00: 100 events, 50 blocked, 10 critical", 100, 50, 10),
    Bar("", "01:00 to 02:00: 0 events", 0, 0, 0),
    Bar("", "02:00 to 03:00: 40 events, 10 blocked, 30 critical", 40, 10, 30),
    Bar("03", "03:00 to 04:00: 1 event, 1 critical", 1, 0, 1),
)


@pytest.fixture(params=["light", "dark"])
def look(request, qapp):
    look = theme()
    look.set_preference(request.param)
    yield look
    look.set_preference("auto")


@pytest.fixture
def chart(qtbot) -> Bars:
    chart = Bars("Events today by hour")
    qtbot.addWidget(chart)
    chart.show_bars(HOURS, "141 events", ("100", "50"))
    chart.resize(480, 160)
    chart.show()
    qtbot.waitExposed(chart)
    chart.activateWindow()
    qtbot.waitUntil(chart.isActiveWindow)
    chart.clearFocus()  # which the only widget of a window has at once
    return chart


def heights(chart: Bars, index: int) -> dict[str, int]:
    """Return how many px of a bar's middle line have the colour of each part."""
    image: QImage = chart.grab().toImage()
    x = chart.slot(index).center().x()
    column = [image.pixelColor(x, y).name() for y in range(chart.slot(index).bottom() + 1)]
    tokens = theme().tokens
    found = {name: column.count(getattr(tokens, name)) for name in ("accent_soft", "accent", "danger")}
    found["accent_soft"] += column.count(tokens.control)  # the line at its top
    return found


def move_to(chart: Bars, place: QPoint) -> None:
    """Move the mouse over the chart; the screen of these tests has no mouse of its own."""
    nothing = Qt.MouseButton.NoButton
    at, on_screen = QPointF(place), QPointF(chart.mapToGlobal(place))
    moved = QMouseEvent(QEvent.Type.MouseMove, at, on_screen, nothing, nothing, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(chart, moved)


@pytest.mark.parametrize(
    ("most", "end"), [(0, 4), (4, 4), (5, 5), (6, 8), (9, 10), (10, 10), (11, 20), (99, 100), (101, 200), (812, 1000)]
)
def test_a_scale_ends_at_a_round_number(most: int, end: int) -> None:
    assert round_up(most) == end


@pytest.mark.parametrize("most", [1, 3, 7, 12, 480, 999, 1001, 123_456, 10**9])
def test_a_scale_holds_its_bars_and_wastes_at_most_half(most: int) -> None:
    end = round_up(most)
    assert most <= end
    assert end <= max(2 * most, 4)


def test_parts_are_as_high_as_their_counts(look, chart: Bars) -> None:
    tall = chart.slot(0).bottom() + 1 - chart._ground().top()
    found = heights(chart, 0)
    for name, share in (("accent_soft", 0.5), ("accent", 0.4), ("danger", 0.1)):
        assert found[name] == pytest.approx(share * tall, abs=4), name


def test_more_critical_than_blocked_hides_neither(look, chart: Bars) -> None:
    tall = chart.slot(0).bottom() + 1 - chart._ground().top()
    found = heights(chart, 2)
    for name, share in (("accent_soft", 0.1), ("danger", 0.2), ("accent", 0.1)):
        assert found[name] == pytest.approx(share * tall, abs=4), name


def test_one_critical_event_among_many_is_still_seen(look, chart: Bars) -> None:
    assert heights(chart, 3)["danger"] >= 1
    assert heights(chart, 1) == {"accent_soft": 0, "accent": 0, "danger": 0}


def test_high_contrast_tells_the_parts_apart_by_pattern(qapp, chart: Bars, monkeypatch) -> None:
    palette = QPalette(QColor("#000000"), QColor("#000000"))
    palette.setColor(QPalette.ColorRole.Base, QColor("#000000"))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText):
        palette.setColor(role, QColor("#ffffff"))
    palette.setColor(QPalette.ColorRole.Highlight, QColor("#ffff00"))
    look = theme()
    # stands for the platform's colours, which cannot be given from here
    monkeypatch.setattr(look, "tokens", Tokens.from_palette(palette))
    monkeypatch.setattr(look, "high_contrast", True)
    image, slot = chart.grab().toImage(), chart.slot(0)
    inks = {
        image.pixelColor(x, slot.bottom() - y).name()
        for x, y in itertools.product(range(slot.left() + 40, slot.right() - 40), range(3, 9))
    }
    assert len(inks) > 1, "the critical part has a pattern"
    assert {"#ffff00"} < {image.pixelColor(slot.center().x(), y).name() for y in range(slot.bottom())}


def test_the_mouse_reads_and_opens_a_bar(qtbot, chart: Bars) -> None:
    move_to(chart, chart.slot(0).center())
    qtbot.waitUntil(lambda: QToolTip.text() == HOURS[0].words)
    assert chart.cursor().shape() is Qt.CursorShape.PointingHandCursor
    with qtbot.waitSignal(chart.activated) as opened:
        qtbot.mouseClick(chart, Qt.MouseButton.LeftButton, pos=chart.slot(2).center())
    assert opened.args == [2]
    with qtbot.assertNotEmitted(chart.activated):
        qtbot.mouseClick(chart, Qt.MouseButton.LeftButton, pos=chart.slot(1).center())  # empty
        qtbot.mouseClick(chart, Qt.MouseButton.RightButton, pos=chart.slot(0).center())
        qtbot.mousePress(chart, Qt.MouseButton.LeftButton, pos=chart.slot(0).center())
        qtbot.mouseRelease(chart, Qt.MouseButton.LeftButton, pos=chart.slot(3).center())
    move_to(chart, QPoint(2, 2))  # the numbers of the scale
    assert chart.cursor().shape() is Qt.CursorShape.ArrowCursor


def test_the_keyboard_reads_and_opens_a_bar(qtbot, chart: Bars) -> None:
    chart.setFocus(Qt.FocusReason.TabFocusReason)
    assert chart.current() == 3, "the newest that is not empty"
    for key, at in (
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_Left, 0),
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_End, 3),
        (Qt.Key.Key_Right, 3),
        (Qt.Key.Key_Left, 2),
    ):
        qtbot.keyClick(chart, key)
        assert chart.current() == at
    qtbot.waitUntil(lambda: QToolTip.text() == HOURS[2].words)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
        with qtbot.waitSignal(chart.activated) as opened:
            qtbot.keyClick(chart, key)
        assert opened.args == [2]
    qtbot.keyClick(chart, Qt.Key.Key_Left)
    with qtbot.assertNotEmitted(chart.activated):
        qtbot.keyClick(chart, Qt.Key.Key_Return)  # an empty hour


def test_the_focus_is_seen(look, qtbot, chart: Bars) -> None:
    before = heights(chart, 1)["accent"]
    chart.setFocus(Qt.FocusReason.TabFocusReason)
    chart.choose(1)
    assert before == 0
    assert heights(chart, 1)["accent"] > 0


def test_without_bars_nothing_can_be_reached(qtbot) -> None:
    chart = Bars("Events today by hour")
    qtbot.addWidget(chart)
    chart.show()
    chart.setFocus(Qt.FocusReason.TabFocusReason)
    with qtbot.assertNotEmitted(chart.activated):
        for key in (Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_Return):
            qtbot.keyClick(chart, key)
        qtbot.mouseClick(chart, Qt.MouseButton.LeftButton)


def test_it_tells_assistive_technology_its_figures(chart: Bars) -> None:
    assert (chart.accessibleName(), chart.accessibleDescription()) == ("Events today by hour", "141 events")


def test_both_palettes_have_the_chart_s_colours() -> None:
    for tokens in (LIGHT, DARK):
        colours = tokens._asdict()
        assert len({colours[name] for name in ("accent_soft", "accent", "danger", "card", "hover")}) == 5
