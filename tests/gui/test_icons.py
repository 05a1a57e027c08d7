"""Every drawing shows something at every size, and no two states of the tray look alike."""

import itertools

import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication

from vxtray.core.paths import resource
from vxtray.gui.icons import SIZES, IconLabel, TrayState, app_icon, pixmap, tray_icon
from vxtray.gui.theme import DARK, LIGHT

NAMES = sorted(path.stem for path in resource("icons/vxtray.svg").parent.glob("*.svg"))


def ink(image: QImage) -> int:
    """Return how many pixels are more than half covered."""
    pixels = itertools.product(range(image.width()), range(image.height()))
    return sum(image.pixelColor(x, y).alpha() > 127 for x, y in pixels)


def shape(image: QImage) -> tuple[int, ...]:
    """Return the cover of each pixel, without its colour."""
    return tuple(image.pixelColor(x, y).alpha() for x in range(image.width()) for y in range(image.height()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_every_drawing_shows_at_16_px(qapp: QApplication, name: str, tokens):
    assert ink(pixmap(name, tokens.text, 16).toImage()) >= 16


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("chevron", "tick", "vxtray"))])
def test_a_drawing_has_no_colour_of_its_own(qapp: QApplication, name: str):
    image = pixmap(name, "#ff0000", 32).toImage()
    solid = [image.pixelColor(x, y) for x in range(32) for y in range(32) if image.pixelColor(x, y).alpha() > 250]
    assert solid
    assert set(map(QColor.name, solid)) == {"#ff0000"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark", "symbolic"])
def test_tray_states_differ_by_shape_alone(qapp: QApplication, size: int, scheme):
    shapes = {state: shape(tray_icon(state, scheme).pixmap(size, size).toImage()) for state in TrayState}
    for first, second in itertools.combinations(TrayState, 2):
        unlike = sum(abs(a - b) > 127 for a, b in zip(shapes[first], shapes[second], strict=True))
        assert unlike >= 4, (first, second)


@pytest.mark.parametrize("size", SIZES)
def test_shield_stands_on_whole_pixels(qapp: QApplication, size: int):
    """Its upright sides, a third of the way down, go from nothing to full cover without a grey column."""
    image = tray_icon(TrayState.OK, "light").pixmap(size, size).toImage()
    row = [image.pixelColor(x, size // 3).alpha() for x in range(size)]
    assert set(row) == {0, 255}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", [TrayState.ALERT, TrayState.PAUSED, TrayState.SENDING])
def test_upright_marks_stand_on_whole_pixels(qapp: QApplication, size: int, state: TrayState):
    """Between the shield's sides no column of bars, stroke and shaft is grey."""
    image = tray_icon(state, "light").pixmap(size, size).toImage()
    y = size * 5 // 8 if state is TrayState.SENDING else size // 2  # beneath the head of the arrow
    row = {image.pixelColor(x, y).alpha() for x in range(size // 4, size - size // 4)}
    assert row == {0, 255}


def test_tray_icons_suit_their_panel(qapp: QApplication):
    for scheme, tokens in (("light", LIGHT), ("dark", DARK)):
        image = tray_icon(TrayState.ERROR, scheme).pixmap(16, 16).toImage()
        assert image.pixelColor(8, 4).name() == tokens.danger
    assert tray_icon(TrayState.OK, "symbolic").isMask()
    assert not tray_icon(TrayState.OK, "light").isMask()


def test_sharp_on_a_dense_screen(qapp: QApplication):
    once, twice = pixmap("mail", "#000000", 16), pixmap("mail", "#000000", 16, 2.0)
    assert (once.width(), twice.width()) == (16, 32)
    assert twice.deviceIndependentSize() == once.deviceIndependentSize()
    assert {size.width() for size in tray_icon(TrayState.OK, "light").availableSizes()} >= set(SIZES)


def test_app_icon_has_every_size(qapp: QApplication):
    for size in (*SIZES, 48, 64, 128, 256):
        assert ink(app_icon().pixmap(size, size).toImage()) > size


def test_unknown_name_is_an_error(qapp: QApplication):
    with pytest.raises(FileNotFoundError):
        pixmap("nothing", "#000000", 16)


def test_icon_label_draws_in_the_middle(qtbot):
    label = IconLabel("check", "good")
    qtbot.addWidget(label)
    label.resize(40, 40)
    image = label.grab().toImage()
    ground = image.pixelColor(0, 0)
    middle = {image.pixelColor(x, y).name() for x in range(12, 28) for y in range(12, 28)}
    assert len(middle) > 1
    assert {image.pixelColor(x, 5).name() for x in range(40)} == {ground.name()}
