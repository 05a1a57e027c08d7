"""The controls by mouse and keyboard, their names when spoken, and nothing clipped at any width or font."""

import itertools

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QFont, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QMenu, QPlainTextEdit, QTableWidget, QWidget

from vxtray.gui.sidebar import NavItem, SideBar
from vxtray.gui.theme import DARK, LIGHT, Theme, theme
from vxtray.gui.widgets import (
    Banner,
    Beside,
    Button,
    Card,
    ChoiceField,
    EmptyState,
    Figure,
    FlowRow,
    Kind,
    NumberField,
    Page,
    Pill,
    PlainLabel,
    QuietNote,
    Tiles,
    TimeField,
    Toggle,
    ToggleRow,
    button,
    link_button,
    plain_label,
    primary_button,
)

# Qt's offscreen plug-in says so of every window that has a least size
pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints")

FRENCH = (
    "Les réglages n’ont pas pu être enregistrés : le disque est plein. Libérez de la place, puis réessayez ; "
    "rien de ce que vous avez saisi n’est perdu."
)


@pytest.fixture
def look(qapp: QApplication):
    look = theme()
    look.set_preference("light")
    yield look
    look.set_preference("auto")


def show(qtbot, widget: QWidget, width: int = 900, height: int = 700) -> None:
    qtbot.addWidget(widget)
    widget.resize(width, height)
    with qtbot.waitExposed(widget):
        widget.show()
    widget.activateWindow()
    qtbot.waitUntil(widget.isActiveWindow)


@pytest.fixture
def held(look: Theme, qtbot):
    """Return a function that shows a widget at its own size, beside a field that has the focus."""
    grounds = []  # qtbot keeps no hold on what it closes

    def hold(widget: QWidget) -> QWidget:
        ground = QWidget()
        grounds.append(ground)
        row = QHBoxLayout(ground)
        row.addWidget(QLineEdit())
        row.addWidget(widget)
        show(qtbot, ground, 400, 80)
        ground.findChild(QLineEdit).setFocus()
        return ground

    return hold


def settle(widget: QWidget, width: int, height: int = 700) -> None:
    """Resize and let the layouts come to rest; they answer each other in several rounds."""
    widget.resize(width, height)
    for _ in range(6):
        QApplication.processEvents()


def colours(image: QImage) -> set[str]:
    return {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}


def every_widget() -> Page:
    """A page with one of everything, in long French."""
    menu = QMenu()
    menu.addAction("Une heure")
    opens = button("Mettre en pause")
    opens.setMenu(menu)
    menu.setParent(opens)
    page = Page("Le courrier ne fonctionne plus depuis 07:12", FRENCH, [opens, primary_button("Envoyer un rapport")])
    page.add(Tiles([Figure(f"Prochain rapport {n}", "lun. 08:00", FRENCH) for n in range(4)]))
    page.add(Banner(Kind.WARNING, FRENCH, "Se connecter avec Microsoft…"))
    card = Card("Alertes")
    choice = ChoiceField()
    choice.addItems(["tous les lundis", "tous les mardis"])
    row = ToggleRow(
        "Attaques web bloquées par le pare-feu applicatif", FRENCH, [choice, TimeField(), NumberField(1, 31)]
    )
    row.show_trouble(FRENCH)
    card.add_row(row)
    card.add_row(ToggleRow("Bannissements", FRENCH))
    card.add_row(Beside(plain_label(FRENCH), FlowRow(*(Pill(kind, "Critique") for kind in Kind))))
    line = QHBoxLayout()
    line.addWidget(plain_label("https://shop.example.com/" + "a" * 300))
    line.addWidget(plain_label(FRENCH, "muted"), 1)
    card.add(line)
    page.add(card)
    fields = Card()
    for field in (QLineEdit("x"), QPlainTextEdit("x"), QTableWidget(2, 2), link_button("Réponse du serveur")):
        fields.add(field)
    page.add(fields)
    empty = Card()
    empty.add(EmptyState("alerts", "Pas de tempête", FRENCH, "Envoyer une alerte de test"))
    page.add(empty, 1)
    return page


# --- toggles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_toggle_by_keyboard(held, qtbot, key: Qt.Key):
    toggle = Toggle("Daily report")
    held(toggle)
    qtbot.keyClick(toggle, key)
    assert toggle.isChecked()
    qtbot.keyClick(toggle, key)
    assert not toggle.isChecked()


def test_toggle_by_mouse_anywhere_on_it(held, qtbot):
    toggle = Toggle("Daily report")
    held(toggle)
    for place in (toggle.rect().center(), toggle.rect().topLeft(), toggle.rect().bottomRight()):
        before = toggle.isChecked()
        qtbot.mouseClick(toggle, Qt.MouseButton.LeftButton, pos=place)
        assert toggle.isChecked() is not before


def test_toggle_switched_off_by_its_owner_takes_no_input(look: Theme, qtbot):
    row = ToggleRow("Daily report", "To two people")
    show(qtbot, row)
    row.toggle.setEnabled(False)
    qtbot.mouseClick(row.toggle, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(row.findChildren(PlainLabel)[0], Qt.MouseButton.LeftButton)
    qtbot.keyClick(row.toggle, Qt.Key.Key_Space)
    assert not row.toggle.isChecked()


def test_toggle_is_a_named_check_box_for_assistive_technology(look: Theme, qtbot):
    row = ToggleRow("Daily report", "To two people")
    show(qtbot, row)
    spoken = QAccessible.queryAccessibleInterface(row.toggle)
    assert spoken.role() is QAccessible.Role.CheckBox
    assert spoken.text(QAccessible.Text.Name) == "Daily report"
    assert spoken.text(QAccessible.Text.Description) == "To two people"
    assert not spoken.state().checked
    row.toggle.setChecked(True)
    assert spoken.state().checked
    row.show_trouble("The disk is full.")
    assert spoken.text(QAccessible.Text.Description) == "The disk is full."


def test_toggle_shows_its_states_by_shape(held, qtbot):
    """On and off differ in the knob's place, not only in colour; the ring comes with the keyboard only."""
    toggle = Toggle("Daily report")
    held(toggle)
    off = toggle.grab().toImage()
    middle, left, right = off.height() // 2, off.height() // 2, off.width() - off.height() // 2
    assert off.pixelColor(left, middle).name() == LIGHT.on_accent
    assert off.pixelColor(right, middle).name() == LIGHT.control
    toggle.hide()  # no animation while hidden
    toggle.setChecked(True)
    toggle.show()
    on = toggle.grab().toImage()
    assert on.pixelColor(left, middle).name() == LIGHT.accent
    assert on.pixelColor(right, middle).name() == LIGHT.on_accent
    toggle.setFocus(Qt.FocusReason.MouseFocusReason)
    assert toggle.grab().toImage() == on
    toggle.clearFocus()
    toggle.setFocus(Qt.FocusReason.TabFocusReason)
    assert toggle.grab().toImage() != on
    toggle.setEnabled(False)
    assert LIGHT.accent not in colours(toggle.grab().toImage())
    toggle.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    assert toggle.grab().toImage().pixelColor(left, middle).name() == LIGHT.card


def test_toggle_knob_arrives_where_it_should(held, qtbot):
    toggle = Toggle("Daily report")
    held(toggle)
    for on in (True, False, True):
        toggle.setChecked(on)
    qtbot.waitUntil(lambda: toggle.property("knob") == 1.0)


def test_toggle_row_switches_by_a_click_on_its_words(look: Theme, qtbot):
    row = ToggleRow("Daily report", "To two people")
    show(qtbot, row)
    for label in row.findChildren(PlainLabel)[:2]:
        before = row.toggle.isChecked()
        with qtbot.waitSignal(row.toggle.clicked):
            qtbot.mouseClick(label, Qt.MouseButton.LeftButton)
        assert row.toggle.isChecked() is not before


def test_trouble_appears_beneath_and_goes_away(look: Theme, qtbot):
    row = ToggleRow("Daily report", "To two people")
    show(qtbot, row, 400, 60)
    assert row.trouble() == ""
    before = row.sizeHint().height()
    row.show_trouble("<b>The disk is full.</b>")
    assert row.trouble() == "<b>The disk is full.</b>"
    QApplication.processEvents()
    assert row.sizeHint().height() > before
    row.clear_trouble()
    assert row.trouble() == ""
    assert row.toggle.accessibleDescription() == "To two people"


# --- words -----------------------------------------------------------------------------------------------------------


def test_foreign_text_is_never_markup(look: Theme, qtbot):
    hostile = "<b>bold</b><img src='file:///etc/passwd'>"
    page = Page(hostile, hostile)
    row = ToggleRow(hostile, hostile)
    for widget in (row, Figure(hostile, hostile, hostile), Banner(Kind.DANGER, hostile), Pill(Kind.WARNING, hostile)):
        page.add(widget)
    page.add(EmptyState("alerts", hostile, hostile))
    show(qtbot, page)
    labels = page.findChildren(PlainLabel) + page.findChildren(Pill)
    assert len([label for label in labels if label.text() == hostile]) >= 9
    assert {label.textFormat() for label in labels} == {Qt.TextFormat.PlainText}


def test_long_runs_break_but_read_and_copy_as_given(look: Theme, qtbot):
    run = "a" * 300
    label, copied = plain_label(run), plain_label(run, selectable=True)
    qtbot.addWidget(label)
    qtbot.addWidget(copied)
    assert label.text() == copied.text() == run
    assert label.minimumSizeHint().width() < 200
    copied.setSelection(0, 300)
    assert copied.selectedText() == run


def test_note_says_saved_and_fades(look: Theme, qtbot):
    ground = QWidget()
    show(qtbot, ground)
    note = QuietNote(ground, stay_ms=10)
    note.say("Saved")
    assert note.isVisible()
    assert note.text() == "Saved"
    qtbot.waitUntil(note.isHidden)
    note.say("Saved again")
    assert note.isVisible()
    assert note.property("opacity") == 1.0


def test_page_confirms_over_what_it_shows(look: Theme, qtbot):
    page = every_widget()
    show(qtbot, page)
    assert page.note() == ""
    page.say("Enregistré")
    assert page.note() == "Enregistré"
    page.set_words("Tout fonctionne")
    assert page.heading.title() == page.accessibleName() == "Tout fonctionne"


def test_banner_and_empty_state_report_their_button(look: Theme, qtbot):
    for widget in (Banner(Kind.DANGER, "Refused.", "Edit…"), EmptyState("mail", "Nothing", "Soon", "Import…")):
        show(qtbot, widget)
        press = widget.findChild(Button)
        assert press.isVisible()
        with qtbot.waitSignal(widget.activated):
            qtbot.mouseClick(press, Qt.MouseButton.LeftButton)


def test_banner_changes_its_ground_with_its_kind(look: Theme, qtbot):
    banner = Banner(Kind.DANGER, "Refused.")
    show(qtbot, banner, 300, 60)
    assert not banner.findChild(Button).isVisible()
    assert LIGHT.danger_soft in colours(banner.grab().toImage())
    banner.show_message(Kind.GOOD, "Sent.", "Look")
    assert banner.text() == banner.accessibleName() == "Sent."
    assert LIGHT.good_soft in colours(banner.grab().toImage())
    assert banner.findChild(Button).isVisible()


def test_pills_differ_without_colour(look: Theme, qtbot):
    images = []
    for kind in Kind:
        pill = Pill(kind, "Word")
        qtbot.addWidget(pill)
        pill.resize(pill.sizeHint())
        image = pill.grab().toImage()
        ground = image.pixelColor(image.width() // 2, 2).name()
        images.append(
            [image.pixelColor(x, y).name() == ground for x in range(22) for y in range(4, image.height() - 4)]
        )
    for first, second in itertools.combinations(images, 2):
        assert sum(a != b for a, b in zip(first, second, strict=True)) > 5


def test_figure_is_one_sentence_for_assistive_technology(look: Theme, qtbot):
    figure = Figure("Next report", "Mon 08:00", "To two people")
    qtbot.addWidget(figure)
    assert figure.accessibleName() == "Next report: Mon 08:00"
    assert figure.accessibleDescription() == "To two people"


# --- buttons and fields ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [primary_button, button, link_button])
def test_buttons_by_keyboard_and_their_ring(held, qtbot, make):
    press = make("Save")
    held(press)
    press.setFocus(Qt.FocusReason.MouseFocusReason)
    without = press.grab().toImage()
    press.clearFocus()
    press.setFocus(Qt.FocusReason.TabFocusReason)
    assert press.grab().toImage() != without
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Return):
        with qtbot.waitSignal(press.clicked):
            qtbot.keyClick(press, key)


def test_controls_are_30_px_high(look: Theme, qtbot):
    ground = QWidget()
    row = QHBoxLayout(ground)
    controls = [button("Save"), primary_button("Save"), QLineEdit(), ChoiceField(), NumberField(1, 9), TimeField()]
    for control in controls:
        row.addWidget(control)
    show(qtbot, ground)
    assert {control.sizeHint().height() for control in controls} == {30}
    for control in controls:
        control.setFocus(Qt.FocusReason.TabFocusReason)
        assert control.sizeHint().height() == 30, "the focus must not move anything"


@pytest.mark.parametrize("make", [lambda: NumberField(1, 31), TimeField, ChoiceField])
def test_the_wheel_scrolls_the_page_and_not_a_field(held, qtbot, make):
    field = make()
    if isinstance(field, ChoiceField):
        field.addItems(["Monday", "Tuesday"])
    ground = held(field)

    def turn() -> bool:
        at = QPointF(5, 5)
        keys, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
        wheel = QWheelEvent(
            at, field.mapToGlobal(at), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton, keys, phase, False
        )
        QApplication.sendEvent(field, wheel)
        return wheel.isAccepted()

    ground.findChild(QLineEdit).setFocus()
    assert not turn()
    field.setFocus()
    assert turn()


# --- sidebar ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bar(look: Theme, qtbot) -> SideBar:
    top = [NavItem(key, key.title(), key) for key in ("overview", "alerts", "reports")]
    bottom = [NavItem("settings", "Settings", "settings"), NavItem("help", "Help & diagnostics", "help")]
    bar = SideBar("Pages", top, bottom)
    bar.choose("overview")
    show(qtbot, bar, 196, 500)
    bar.clearFocus()
    bar.setFocus(Qt.FocusReason.TabFocusReason)
    return bar


def test_sidebar_arrows_go_through_both_groups(bar: SideBar, qtbot):
    heard: list[str] = []
    bar.chosen.connect(heard.append)
    for _ in range(5):
        qtbot.keyClick(bar, Qt.Key.Key_Down)
    assert heard == ["alerts", "reports", "settings", "help"]
    qtbot.keyClick(bar, Qt.Key.Key_Up)
    qtbot.keyClick(bar, Qt.Key.Key_Up)
    assert bar.current() == "reports"
    assert bar.keys() == ("overview", "alerts", "reports", "settings", "help")
    with pytest.raises(KeyError):
        bar.choose("nowhere")


def test_sidebar_by_mouse_and_the_gap_is_no_page(bar: SideBar, qtbot):
    places = [bar.visualItemRect(bar.item(row)).center() for row in range(bar.count())]
    qtbot.mouseClick(bar.viewport(), Qt.MouseButton.LeftButton, pos=places[1])
    assert bar.current() == "alerts"
    qtbot.mouseClick(bar.viewport(), Qt.MouseButton.LeftButton, pos=places[3])
    assert bar.current() == "alerts"
    qtbot.mouseClick(bar.viewport(), Qt.MouseButton.LeftButton, pos=places[5])
    assert bar.current() == "help"


def test_sidebar_keeps_the_second_group_at_the_bottom(bar: SideBar):
    for height in (420, 500, 900):
        settle(bar, bar.width(), height)
        last = bar.visualItemRect(bar.item(bar.count() - 1))
        assert 0 <= bar.viewport().height() - last.bottom() <= 4
    assert bar.verticalScrollBar().maximum() == 0


def test_sidebar_badge_is_seen_and_spoken(bar: SideBar):
    before = bar.grab().toImage()
    bar.set_badge("alerts", "3", "3 new")
    assert LIGHT.danger in colours(bar.grab().toImage())
    spoken = QAccessible.queryAccessibleInterface(bar)
    assert spoken.role() is QAccessible.Role.List
    assert spoken.text(QAccessible.Text.Name) == "Pages"
    names = [spoken.child(row).text(QAccessible.Text.Name) for row in range(spoken.childCount())]
    assert [name for name in names if name] == [
        "Overview",
        "Alerts, 3 new",
        "Reports",
        "Settings",
        "Help & diagnostics",
    ]
    bar.set_badge("alerts", "")
    assert bar.grab().toImage() == before


def test_sidebar_compact_keeps_names_and_badge(bar: SideBar):
    wide = bar.width()
    bar.set_badge("alerts", "3", "3 new")
    bar.set_compact(True)
    QApplication.processEvents()
    assert bar.width() < wide / 2
    assert bar.wide() == wide
    assert bar.item(0).toolTip() == "Overview"
    assert LIGHT.danger in colours(bar.grab().toImage())
    bar.set_compact(False)
    assert bar.width() == wide
    assert bar.item(0).toolTip() == ""


def test_sidebar_marks_the_chosen_page_and_the_ring(bar: SideBar):
    chosen = bar.visualItemRect(bar.item(0))
    with_focus = bar.grab(chosen.translated(0, 14)).toImage()
    assert LIGHT.accent in colours(with_focus)
    assert LIGHT.card in colours(with_focus)
    bar.clearFocus()
    assert bar.grab(chosen.translated(0, 14)).toImage() != with_focus


# --- layout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("percent", "least"), [(100, 464), (150, 616), (200, 588)])
@pytest.mark.usefixtures("look")
def test_nothing_is_clipped_at_any_width_or_font(qapp: QApplication, qtbot, system_font, percent: int, least: int):
    """``least`` is what the sidebar leaves of a window of 700 px; it is compact where the font is large."""
    font = QFont(qapp.font())
    font.setPixelSize(round(13 * percent / 100))
    system_font(font)
    page = every_widget()
    show(qtbot, page)
    for width in (least, 640, 760, 1000, 1200, 760, least):
        settle(page, width)
        assert page.horizontalScrollBar().maximum() == 0, width
        clipped = [
            (label.text()[:30], label.width(), label.height(), label.heightForWidth(label.width()))
            for label in page.findChildren(PlainLabel)
            if label.isVisible() and label.height() < label.heightForWidth(label.width())
        ]
        assert not clipped, width
        outside = [
            child
            for child in page.widget().findChildren(QWidget)
            if child.isVisible()
            and isinstance(child, (PlainLabel, Button, Pill, Toggle, Card))
            and not child.parentWidget().rect().contains(child.geometry())
        ]
        assert not outside, width


@pytest.mark.usefixtures("look")
def test_nothing_is_clipped_when_the_font_grows_while_shown(qapp: QApplication, qtbot, system_font):
    page = every_widget()
    show(qtbot, page)
    settle(page, 700)
    font = QFont(qapp.font())
    font.setPixelSize(24)
    system_font(font)
    settle(page, 700)
    labels = [label for label in page.findChildren(PlainLabel) if label.isVisible()]
    assert all(label.height() >= label.heightForWidth(label.width()) for label in labels)
    assert page.horizontalScrollBar().maximum() == 0


def test_labels_in_a_plain_window_keep_their_height(look: Theme, qtbot):
    """A tight dialog without a scroll area: Qt alone would cut the text to one line."""
    dialog = QWidget()
    row = QHBoxLayout(dialog)
    label = plain_label(FRENCH)
    row.addWidget(label)
    show(qtbot, dialog, 300, 40)
    settle(dialog, 300, 10)
    assert label.height() >= label.heightForWidth(label.width()) > 40


def test_tiles_fold_and_share(look: Theme, qtbot):
    tiles = Tiles([Figure(f"n{n}", "1") for n in range(4)])
    show(qtbot, tiles)
    children = tiles.shown()

    def columns(width: int) -> int:
        settle(tiles, width)
        return len({child.x() for child in children})

    assert [columns(width) for width in (900, 500, 200)] == [4, 2, 1]
    two = Tiles([Card("a"), Card("b")], least=100, shares=(3, 1))
    show(qtbot, two, 414, 300)
    first, second = two.shown()
    assert (first.width(), second.width()) == (300, 100)
    assert first.height() == second.height() == 300
    second.hide()
    settle(two, 414)
    assert first.width() == 414


def test_rows_mirror_in_right_to_left(look: Theme, qtbot):
    controls = FlowRow(button("Save"))
    row = Beside(plain_label("Text"), controls)
    show(qtbot, row, 600, 40)
    assert controls.geometry().right() == row.rect().right()
    row.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    settle(row, 601, 40)
    assert controls.x() == 0


@pytest.mark.parametrize("preference", ["light", "dark"])
def test_style_sheet_is_understood(look: Theme, qtbot, preference):
    """Qt warns of properties it does not know, and a Qt warning fails a test."""
    look.set_preference(preference)
    page = every_widget()
    show(qtbot, page)
    menu = page.findChild(QMenu)
    menu.ensurePolished()
    seen = colours(page.grab().toImage())
    tokens = DARK if preference == "dark" else LIGHT
    assert {tokens.window, tokens.card, tokens.accent, tokens.warning_soft} <= seen
    look.set_preference("light" if preference == "dark" else "dark")
    QApplication.sendEvent(page, QEvent(QEvent.Type.PolishRequest))
    assert tokens.window not in colours(page.grab().toImage())
