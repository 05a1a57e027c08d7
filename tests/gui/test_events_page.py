"""The page of events: paging, filters, details, what is new, copies and exports, and texts that attack."""

import csv
import json
import threading
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from tests.gui.support.world import World
from vxtray.core.errors import StoreError
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.export import ExportFormat, export_events
from vxtray.core.notices import EventsStored
from vxtray.core.store import EventQuery
from vxtray.gui.actions import Actions
from vxtray.gui.pages.events import EventsPage
from vxtray.gui.pages.events_details import as_json, as_text
from vxtray.gui.pages.events_model import PAGE, Column, EventsModel

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise|grabbing)")

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOSTILE = "<b>bold</b><img src='file:///etc/passwd'> &amp; \u202egnp.exe\x1b[31m\nsecond"


def event(minutes: float = 0, **fields: object) -> SecurityEvent:
    base = SecurityEvent(
        at=NOON + timedelta(minutes=minutes),
        source="fw",
        category=Category.WAF,
        action=Action.BLOCKED,
        severity=Severity.HIGH,
        src_ip="192.0.2.1",
        rule_name="XSS",
    )
    return msgspec.structs.replace(base, **fields)


def many(count: int) -> list[SecurityEvent]:
    return [event(number, message=f"number {number}") for number in range(count)]


def cell(model: EventsModel, row: int, column: Column) -> object:
    return model.index(row, column).data()


@pytest.fixture
def open_page(world: World, qtbot):
    def opened(*events: SecurityEvent, width: int = 880) -> EventsPage:
        if events:
            world.engine.store().append(events)
        page = EventsPage(world.context, Actions(world.context))
        qtbot.addWidget(page)
        page.resize(width, 690)
        with qtbot.waitSignal(page.model.loaded):
            page.show()
        page.activateWindow()
        qtbot.waitUntil(page.isActiveWindow)
        return page

    return opened


def searched(qtbot, page: EventsPage, act) -> list[str]:
    """Do something that searches and return the messages found."""
    with qtbot.waitSignal(page.model.loaded):
        act()
    return [str(cell(page.model, row, Column.WHAT)) for row in range(page.model.rowCount())]


def words_of(page: EventsPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def test_an_empty_store_teaches_and_leads_to_an_import(open_page, qtbot) -> None:
    page = open_page()
    assert "No events yet" in words_of(page)
    assert not page.filters.isVisible()
    assert not page.export_button.isVisible()
    (press,) = [one for one in page.findChildren(QPushButton) if one.text() == "Import log files…" and one.isVisible()]
    assert press.isEnabled()


def test_an_empty_store_leads_to_the_sources_as_well(open_page, qtbot) -> None:
    page = open_page()
    (press,) = [one for one in page.findChildren(QPushButton) if one.text() == "Set up a source" and one.isVisible()]
    with qtbot.waitSignal(page.page_wanted) as wanted:
        press.click()
    assert wanted.args == ["sources"]


def test_what_is_rare_comes_as_it_is_found(world: World, open_page, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("vxtray.core.store.search._FIRST_SLICE", 100)
    monkeypatch.setattr("vxtray.core.store.search._GROWTH", 1.0)
    for name in ("_FIRST_SECONDS", "_NEXT_SECONDS"):
        monkeypatch.setattr(f"vxtray.gui.pages.events_model.{name}", 0.0)
    page = open_page(*(event(number, message="rare" if number % 500 == 3 else "other") for number in range(2000)))
    said: list[str] = []
    rows: list[int] = []
    page.model.looked.connect(lambda: (said.append(words_of(page)), rows.append(page.model.rowCount())))
    searched(qtbot, page, lambda: qtbot.keyClicks(page.filters.text, "RARE"))
    assert page.model.looking is not None
    assert "Searching…" in words_of(page)
    qtbot.waitUntil(lambda: page.model.complete)
    assert [page.model.event_at(row).seq for row in range(page.model.rowCount())] == [1504, 1004, 504, 4]
    assert {1, 2, 3, 4} <= set(rows)
    assert any("1 event found so far, back to Sunday 22 November 2026." in words for words in said)
    assert "4 events match." in words_of(page)
    searched(qtbot, page, lambda: page.filters.text.setText("absent"))
    qtbot.waitUntil(lambda: "No event matches" in words_of(page))
    searched(qtbot, page, page.filters.clear)
    assert page.table.isVisible()


def test_a_page_found_in_parts_comes_back_whole(world: World, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("vxtray.core.store.search._FIRST_SLICE", 70)
    monkeypatch.setattr("vxtray.core.store.search._GROWTH", 1.0)
    monkeypatch.setattr("vxtray.gui.pages.events_model._KEPT", 1)
    for name in ("_FIRST_SECONDS", "_NEXT_SECONDS"):
        monkeypatch.setattr(f"vxtray.gui.pages.events_model.{name}", 0.0)
    count = 2 * PAGE + 50
    world.engine.store().append(many(count))
    model = EventsModel(world.bridge, world.engine.store)
    model.show(EventQuery(text="number"))
    qtbot.waitUntil(lambda: model.rowCount() == PAGE)
    model.fetchMore(model.index(-1, -1))
    qtbot.waitUntil(lambda: model.rowCount() > PAGE)
    assert model.event_at(5) is None  # the first page was let go: it comes between two parts of the second
    qtbot.waitUntil(lambda: model.rowCount() == 2 * PAGE)
    model.fetchMore(model.index(-1, -1))
    qtbot.waitUntil(lambda: model.complete)
    assert model.rowCount() == count
    for row in (5, PAGE + 5, 2 * PAGE + 5):
        qtbot.waitUntil(lambda row=row: model.event_at(row) is not None)
        assert model.event_at(row).seq == count - row


def test_the_end_is_reached_while_a_page_further_up_comes_back(world: World, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("vxtray.gui.pages.events_model._KEPT", 1)
    world.engine.store().append(many(2 * PAGE + 50))
    model = EventsModel(world.bridge, world.engine.store)
    model.show(EventQuery())
    qtbot.waitUntil(lambda: model.rowCount() == PAGE)
    model.fetchMore(model.index(-1, -1))
    qtbot.waitUntil(lambda: model.rowCount() == 2 * PAGE)
    assert model.event_at(5) is None  # it was let go, and is on its way
    model.fetchMore(model.index(-1, -1))  # the view asks once, when it is scrolled there
    qtbot.waitUntil(lambda: model.complete)
    assert model.rowCount() == 2 * PAGE + 50


def test_newest_first_in_columns_that_say_it_in_words(open_page) -> None:
    page = open_page(event(0), event(5, severity=Severity.CRITICAL, country="FR", target_host="shop.example.com"))
    model = page.model
    assert model.rowCount() == 2
    assert [cell(model, 0, column) for column in Column][1:] == [
        "Critical",
        "WAF",
        "blocked",
        "192.0.2.1 · FR",
        "shop.example.com",
        "XSS",
    ]
    heads = [model.headerData(column, Qt.Orientation.Horizontal) for column in Column]
    assert heads == ["Time", "Severity", "Category", "Action", "Source", "Target", "Rule or message"]
    tip = model.headerData(Column.TIME, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
    assert str(tip).startswith("Times are ")
    assert "2 events, newest first." in words_of(page)


def test_pages_come_as_they_are_wanted_and_in_order(world: World, open_page, qtbot) -> None:
    count = 3 * PAGE + 7
    page = open_page(*many(count))
    model, bar = page.model, page.table.verticalScrollBar()
    assert model.rowCount() == PAGE
    qtbot.waitUntil(lambda: f"{count} events, newest first." in words_of(page))
    while model.rowCount() < count:
        before = model.rowCount()
        bar.setValue(bar.maximum())
        qtbot.waitUntil(lambda before=before: model.rowCount() > before)
    assert model.complete
    seqs = [model.event_at(row).seq for row in range(count)]
    assert seqs == list(range(count, 0, -1))


def test_pages_that_were_let_go_come_back(world: World, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("vxtray.gui.pages.events_model._KEPT", 2)
    count = 5 * PAGE
    world.engine.store().append(many(count))
    model = EventsModel(world.bridge, world.engine.store)
    with qtbot.waitSignal(model.loaded):
        model.show(EventQuery())
    while model.rowCount() < count:
        with qtbot.waitSignal(model.arrived):
            model.fetchMore(model.index(-1, -1))
    world.engine.store().append([event(10_000), event(2.5)])  # must move nothing
    with qtbot.waitSignal(model.arrived):
        assert cell(model, 3, Column.TIME) == "…"
    assert model.event_at(3).seq == count - 3
    with qtbot.waitSignal(model.arrived):
        assert model.event_at(3 * PAGE) is None
    assert model.event_at(3 * PAGE).seq == count - 3 * PAGE


def test_filters_find_and_clearing_them_brings_all_back(open_page, qtbot) -> None:
    page = open_page(
        event(0, rule_name="A", severity=Severity.CRITICAL),
        event(1, rule_name="B", category=Category.AUTH, action=Action.FAILED, src_ip="198.51.100.9"),
        event(2, rule_name="C 100%", severity=Severity.INFO),
    )
    filters = page.filters
    assert searched(qtbot, page, lambda: filters.severity.setCurrentIndex(1)) == ["A"]
    assert "1 event matches." in words_of(page)
    assert searched(qtbot, page, filters.clear) == ["C 100%", "B", "A"]
    assert searched(qtbot, page, lambda: qtbot.keyClicks(filters.text, "100%")) == ["C 100%"]
    assert searched(qtbot, page, filters.clear) == ["C 100%", "B", "A"]
    assert searched(qtbot, page, lambda: filters.source.setText("198.51.100.0/24")) == ["B"]
    searched(qtbot, page, filters.clear)
    assert searched(qtbot, page, lambda: filters.category.setCurrentText("Sign-in")) == ["B"]
    assert searched(qtbot, page, lambda: filters.action.setCurrentText("Blocked")) == []
    assert "No event matches" in words_of(page)
    (clear,) = [one for one in page._no_match.findChildren(QPushButton) if one.isVisible()]
    assert searched(qtbot, page, clear.click) == ["C 100%", "B", "A"]
    assert not filters.active
    assert not filters.clear_button.isVisible()


def test_time_ranges(world: World, open_page, qtbot) -> None:
    now = world.engine.clock()
    ages = {"minutes": 0.5, "hours": 5, "days": 24 * 3, "weeks": 24 * 20, "months": 24 * 90}
    page = open_page(*(event(rule_name=name, at=now - timedelta(hours=age)) for name, age in ages.items()))
    names, choice = list(ages), page.filters.range
    for index, found in ((1, 1), (2, 2), (3, 3), (4, 4)):
        assert searched(qtbot, page, lambda index=index: choice.setCurrentIndex(index)) == names[:found]
    searched(qtbot, page, lambda: choice.setCurrentIndex(5))
    assert page.filters.since.isVisible()
    start = now - timedelta(days=30)
    found = searched(
        qtbot, page, lambda: page.filters.since.setDateTime(page.filters.since.dateTime().addSecs(-29 * 86400))
    )
    assert found in (["hours", "days", "weeks"], ["minutes", "hours", "days", "weeks"])
    assert abs(page.filters.query().since - start) < timedelta(minutes=2)


def test_typing_waits_for_a_pause(open_page, qtbot) -> None:
    page = open_page(event(0))
    heard: list[bool] = []
    page.filters.changed.connect(lambda: heard.append(True))
    with qtbot.waitSignal(page.filters.changed):
        qtbot.keyClicks(page.filters.text, "XSS")
    assert heard == [True]


def test_new_events_are_announced_and_nothing_jumps(world: World, open_page, qtbot) -> None:
    page = open_page(*many(5))
    page.filters.text.setText("number")
    qtbot.waitUntil(lambda: page.filters.query().text == page.model.query.text)
    page.table.selectRow(2)
    world.engine.store().append([event(100, message="number 100"), event(101, message="other")])
    world.bridge.post(EventsStored(at=NOON, events=2, alerts=0))
    qtbot.waitUntil(page.news.isVisible)
    assert page.news.text() == "Show 1 new event"
    assert page.model.rowCount() == 5
    assert page.table.currentIndex().row() == 2
    assert len(searched(qtbot, page, page.news.click)) == 6
    assert not page.news.isVisible()


def test_the_first_events_show_themselves(world: World, open_page, qtbot) -> None:
    page = open_page()
    world.engine.store().append([event(0)])
    with qtbot.waitSignal(page.model.loaded):
        world.bridge.post(EventsStored(at=NOON, events=1, alerts=0))
    assert page.model.rowCount() == 1
    assert page.filters.isVisible()


def test_keyboard_search_details_and_escape(open_page, qtbot) -> None:
    page = open_page(*many(10))
    qtbot.keyClick(page, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert page.filters.text.hasFocus()
    page.table.setFocus()
    qtbot.keyClick(page.table, Qt.Key.Key_Down)
    qtbot.keyClick(page.table, Qt.Key.Key_Down)
    qtbot.waitUntil(page.details.isVisible)
    row = page.table.currentIndex().row()
    qtbot.waitUntil(lambda: page.details.event_shown == page.model.event_at(row))
    qtbot.keyClick(page.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == as_text(page.model.event_at(row))
    assert page.note() == "Copied"
    qtbot.keyClick(page.table, Qt.Key.Key_Tab)
    assert not page.table.hasFocus()
    page.table.setFocus()
    qtbot.keyClick(page.table, Qt.Key.Key_Escape)
    assert not page.details.isVisible()


def test_the_window_opens_the_page_and_f5_looks_again(world: World, open_window, qtbot) -> None:
    world.engine.store().append([event(0)])
    window = open_window()
    with qtbot.waitSignal(window.events.model.loaded):
        window.go_to("events")
    world.engine.store().append([event(1)])
    with qtbot.waitSignal(window.events.model.loaded):
        qtbot.keyClick(window, Qt.Key.Key_F5)
    assert window.events.model.rowCount() == 2


def test_the_menu_narrows_to_a_source_and_to_a_rule(open_page, qtbot) -> None:
    page = open_page(event(0, rule_name="A & B"), event(1, src_ip="198.51.100.9"), event(2))
    menu = page.menu_for(page.model.event_at(2))
    actions = {one.text(): one for one in menu.actions()}
    assert list(actions) == ["Copy", "Copy as JSON", "", "Only this source", "Only this rule"]
    assert searched(qtbot, page, actions["Only this source"].trigger) == ["XSS", "A & B"]
    assert page.filters.source.text() == "192.0.2.1"
    assert searched(qtbot, page, actions["Only this rule"].trigger) == ["A & B"]
    assert page.filters.rule.text().startswith("Rule: A && B")
    assert searched(qtbot, page, page.filters.rule.click) == ["XSS", "A & B"]
    empty = page.menu_for(event(0, src_ip="", rule_name=""))
    assert [one.isEnabled() for one in empty.actions()[-2:]] == [False, False]


def test_hostile_text_is_shown_as_it_is(open_page, qtbot) -> None:
    attack = {"rule_name": HOSTILE, "message": HOSTILE * 20, "target_url": "/" + "a" * 4000, "user": HOSTILE}
    page = open_page(event(0, target_host=HOSTILE, **attack))
    for column in Column:
        shown = str(cell(page.model, 0, column))
        assert len(shown) <= 300
        assert not set(shown) & set("\n\x1b\u202e")
        assert page.model.index(0, column).data(Qt.ItemDataRole.ToolTipRole) is None
    page.table.selectionModel().setCurrentIndex(
        page.model.index(0, 0),
        QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows,
    )
    qtbot.waitUntil(page.details.isVisible)
    labels = page.details.findChildren(QLabel)
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)
    assert "<b>bold</b>" in words_of(page)
    assert page.widget().width() <= page.viewport().width()
    assert "\x1b" not in as_text(page.model.event_at(0))
    assert json.loads(as_json(page.model.event_at(0)))["rule_name"] == HOSTILE


@pytest.mark.parametrize("width", [500, 640, 760, 880, 1200])
def test_nothing_is_wider_than_the_window(open_page, qtbot, width) -> None:
    page = open_page(*many(3), width=width)
    page.table.selectRow(0)
    qtbot.waitUntil(page.details.isVisible)
    for _ in range(6):
        QApplication.processEvents()
    assert page.widget().width() <= page.viewport().width()
    table = page.table
    assert not table.isColumnHidden(Column.TIME)
    assert not table.isColumnHidden(Column.WHAT)
    assert not table.horizontalScrollBar().isVisible()
    assert table.horizontalHeader().length() <= table.viewport().width()


def test_assistive_technology_reads_the_table_and_the_fields(open_page) -> None:
    page = open_page(event(0))
    filters = page.filters
    for field in (filters.text, filters.source, filters.range, filters.category, filters.action, filters.severity):
        assert field.accessibleName()
    table = QAccessible.queryAccessibleInterface(page.table)
    assert table.text(QAccessible.Text.Name) == "Events"
    spoken = [table.child(at).text(QAccessible.Text.Name) for at in range(table.childCount())]
    assert {"Severity", "High", "blocked", "192.0.2.1"} <= set(spoken)


def test_right_click_opens_the_menu_of_the_row(open_page, qtbot) -> None:
    page = open_page(event(0))
    page.table.customContextMenuRequested.emit(page.table.visualRect(page.model.index(0, 1)).center())
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is not None)
    QApplication.activePopupWidget().close()
    page.table.customContextMenuRequested.emit(QPoint(5, page.table.height() + 50))
    assert QApplication.activePopupWidget() is None


def test_an_export_writes_what_is_filtered(world: World, open_page, qtbot, tmp_path) -> None:
    page = open_page(
        event(0, rule_name='=HYPERLINK("x")', user="@SUM", message="-1\r\n+2", score=-3), event(1, rule_name="other")
    )
    searched(qtbot, page, lambda: page.filters.text.setText("hyperlink"))
    with qtbot.waitSignal(page.export.ended) as ended:
        page.export_to(tmp_path / "out.csv", ExportFormat.CSV)
    assert ended.args == ["1 event written to out.csv.", True]
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert row["at"] == "2026-11-21T12:00:00+00:00"
    assert (row["rule_name"], row["user"], row["message"]) == ('\'=HYPERLINK("x")', "'@SUM", "'-1 +2")
    assert (row["score"], row["category"], row["severity"]) == ("-3", "waf", "high")
    with qtbot.waitSignal(page.export.ended):
        page.export_to(tmp_path / "out.jsonl", ExportFormat.JSON_LINES)
    [line] = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert msgspec.json.decode(line, type=SecurityEvent) == page.model.event_at(0)
    assert page.export_button.isEnabled()
    assert not page.export.isVisible()


def test_an_export_that_cannot_be_written_says_why(open_page, qtbot, tmp_path) -> None:
    page = open_page(event(0))
    with qtbot.waitSignal(page.export.ended) as ended:
        page.export_to(tmp_path / "missing" / "out.csv", ExportFormat.CSV)
    assert ended.args[1] is False
    assert "out.csv cannot be written" in page.warning()


def test_a_cancelled_export_leaves_no_file(world: World, tmp_path) -> None:
    store = world.engine.store()
    store.append(many(100))
    stop, told = threading.Event(), []
    path = tmp_path / "out.jsonl"
    path.write_text("what was there before")
    stop.set()
    assert export_events(store, EventQuery(), path, ExportFormat.JSON_LINES, progress=told.append, stop=stop) is None
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["out.jsonl"]
    assert path.read_text() == "what was there before"
    assert export_events(store, EventQuery(), path, ExportFormat.JSON_LINES, progress=told.append) == 100
    assert told == [100]


def test_an_export_from_a_store_that_closes_leaves_no_file(world: World, tmp_path) -> None:
    store = world.engine.store()
    store.append(many(10))

    def close(_done: int) -> None:
        store.close()

    with pytest.raises(StoreError):
        export_events(store, EventQuery(), tmp_path / "out.csv", ExportFormat.CSV, progress=close)
    assert not list(tmp_path.glob("out.csv*"))


@pytest.mark.expected_log(r"ERROR vxtray\.gui\.bridge: work for the window met a fault")
def test_a_store_that_fails_is_told_on_the_page(world: World, open_page, qtbot) -> None:
    page = open_page(event(0))
    world.engine.store().close()
    page.search()
    qtbot.waitUntil(lambda: page.warning() != "")
    assert "events.duckdb" in page.warning()
