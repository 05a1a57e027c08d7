"""The page of the history: rows, filters, live changes, details, actions with undo, the mail as sent, and exports."""

import csv
import threading
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import QCoreApplication, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage, QTextDocument
from PySide6.QtWidgets import QApplication, QLabel

from tests.gui.support.world import World
from tests.peers.mailbox import Mailbox
from vxtray.core import texts
from vxtray.core.mail.chronicle import Standing, Topic
from vxtray.core.mail.message import Image, Mail, compose
from vxtray.core.mail.outbox import Outcome, Outgoing, State, Verdict
from vxtray.core.reports.period import Cadence
from vxtray.gui.actions import Actions
from vxtray.gui.mail_view import Paper
from vxtray.gui.pages.history import HistoryPage
from vxtray.gui.pages.history_model import PAGE, Column

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise|grabbing)"),
    pytest.mark.expected_log("undelivered: Mails that could not be delivered"),
]

ANN, BOB = "ann@example.com", "bob@example.com"
UNKNOWN = "550 5.1.1 <bob@example.com>: Recipient address rejected: User unknown in local recipient table"
LATER = "451 4.7.1 Greylisting in action, please come back later"
HOSTILE = "<b>bold</b><img src='file:///etc/passwd'> =cmd|'/c calc' \u202egnp.exe"


def mail(number: int, subject: str = "", *, data: bytes = b"", **fields: object) -> Outgoing:
    base = {
        "key": f"key {number}",
        "kind": "alert",
        "subject": subject or f"[vxtray] number {number}",
        "message_id": f"<{number}@example.com>",
        "mail_from": "vxtray@example.com",
        "recipients": (ANN, BOB),
        "data": data or f"Date: x\r\nMessage-ID: <{number}@x>\r\nSubject: x\r\n\r\nbody {number}\r\n".encode(),
    }
    return Outgoing(**(base | fields))


def settle(world: World, verdict: Verdict, **fields: object) -> None:
    """Let the next mail that is due have this outcome."""
    stage, reply = ("data", "250 2.0.0 kept") if verdict is Verdict.SENT else ("recipients", UNKNOWN)
    outcome = Outcome(**({"verdict": verdict, "stage": stage, "reply": reply} | fields))
    next(world.engine.outbox.deliver_due(lambda _parcel: outcome, world.engine.clock))
    world.engine.watch_undelivered()
    world.engine._post.queue_changed()


@pytest.fixture
def filled(world: World) -> World:
    """One mail of each state, newest last: sent, sent to one of two, failed, cancelled, put off, held."""
    box, now = world.engine.outbox, world.engine.clock
    world.model.update({"smtp.host": "mail.example.com", "smtp.from_address": "vxtray@example.com"})
    for number, (verdict, fields) in enumerate(
        (
            (Verdict.SENT, {"accepted": (ANN, BOB)}),
            (Verdict.SENT, {"accepted": (ANN,), "refused": {BOB: UNKNOWN}}),
            (Verdict.FAILED, {"refused": {ANN: UNKNOWN, BOB: UNKNOWN}}),
        ),
        1,
    ):
        box.add(mail(number), now())
        settle(world, verdict, **fields)
    box.add(mail(4, HOSTILE), now())
    box.cancel(4, now())
    box.add(mail(5, kind="report"), now())
    settle(world, Verdict.LATER, reply=LATER, postponed={ANN: LATER, BOB: LATER}, peer="192.0.2.1", tls="TLSv1.3")
    box.add(mail(6, held=True), now())
    return world


@pytest.fixture
def open_page(world: World, qtbot):
    def opened(width: int = 880) -> HistoryPage:
        page = HistoryPage(world.context, Actions(world.context))
        qtbot.addWidget(page)
        page.resize(width, 690)
        with qtbot.waitSignal(page.model.loaded):
            page.show()
        page.activateWindow()
        qtbot.waitUntil(page.isActiveWindow)
        return page

    return opened


def rows(page: HistoryPage, column: Column = Column.WHAT) -> list[str]:
    return [str(page.model.index(row, column).data()) for row in range(page.model.rowCount())]


def searched(qtbot, page: HistoryPage, act) -> list[str]:
    with qtbot.waitSignal(page.model.loaded):
        act()
    return rows(page)


def choose(qtbot, page: HistoryPage, number: int) -> str:
    """Choose a mail and return what the details say."""
    page.table.selectRow(page.model.row_of((True, number)))
    qtbot.waitUntil(lambda: page.details.shown is not None and page.details.shown.line.key == (True, number))
    QCoreApplication.sendPostedEvents()  # Qt shows what a layout took in by an event of its own
    return words_of(page)


def words_of(page: HistoryPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def state_of(world: World, number: int) -> str:
    return world.engine.outbox.entry(number)[0].state


def buttons(page: HistoryPage) -> list[str]:
    details = page.details
    every = (details.open_button, details.retry_button, details.resend_button, details.cancel_button)
    return [one.text() for one in every if one.isVisible()]


def test_an_empty_history_teaches(open_page) -> None:
    page = open_page()
    assert "Nothing has happened yet" in words_of(page)
    assert not page.filters.isVisible()
    assert not page.export_button.isVisible()


def test_rows_say_what_to_whom_and_how_it_stands(filled: World, open_page) -> None:
    page = open_page()
    whats = rows(page)
    assert whats[:2] == ["number 6", "number 5"]
    assert "\u202e" not in whats[2]
    assert whats[2].startswith("<b>bold</b><img")
    states = ["Held", "Waiting", "Cancelled", "Not delivered", "Sent, not to all", "Sent"]
    assert rows(page, Column.STATE)[:6] == states
    assert rows(page, Column.TO)[:1] == [f"{ANN} +1"]
    assert rows(page, Column.TRIES)[:2] == ["0", "1"]
    assert all("second" in time or "minute" in time for time in rows(page, Column.TIME))


def test_what_the_program_did_stands_between_the_mails(world: World, open_page, qtbot) -> None:
    world.engine._diary.started(world.model.current)
    world.engine.outbox.add(mail(1), world.engine.clock())
    world.model.update({"alerts.new_ban": True, "alerts.recipients": (ANN,)})
    page = open_page()
    settings, queued, started = rows(page)
    assert settings == "2 settings were changed: alerts.new_ban, alerts.recipients"
    assert queued == "number 1"
    assert started.startswith("vxtray ")
    page.table.selectRow(0)
    qtbot.waitUntil(page.details.isVisible)
    assert "no → yes" in words_of(page)
    assert f"(empty) → {ANN}" in words_of(page)
    assert buttons(page) == []


@pytest.mark.parametrize(
    ("standing", "found"),
    [
        (Standing.WAITING, ["number 5"]),
        (Standing.HELD, ["number 6"]),
        (Standing.SENT, ["number 2", "number 1"]),
        (Standing.PARTLY, ["number 2"]),
        (Standing.LOST, ["number 3"]),
    ],
)
def test_states_filter(filled: World, open_page, qtbot, standing: Standing, found: list[str]) -> None:
    page = open_page()
    assert searched(qtbot, page, lambda: page.filters.only(standing)) == found
    assert words_of(page).count("match") == 1
    assert len(searched(qtbot, page, page.filters.clear)) > len(found)


def test_kind_period_and_text_filter(filled: World, open_page, qtbot) -> None:
    filled.engine._diary.note("started", version="9")
    page = open_page()
    topics = [page.filters.topic.itemData(at) for at in range(page.filters.topic.count())]
    choose_topic = page.filters.topic.setCurrentIndex
    assert searched(qtbot, page, lambda: choose_topic(topics.index(Topic.REPORTS))) == ["number 5"]
    assert searched(qtbot, page, lambda: choose_topic(topics.index(Topic.RUNS))) == ["vxtray 9 was started"]
    assert searched(qtbot, page, page.filters.clear)[0] == "vxtray 9 was started"
    qtbot.keyClick(page, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert page.filters.text.hasFocus()
    with qtbot.waitSignal(page.model.loaded):
        qtbot.keyClicks(page.filters.text, "user UNKNOWN")
    assert rows(page) == ["number 3", "number 2"]
    searched(qtbot, page, lambda: page.filters.text.setText("100%"))
    assert "Nothing matches" in words_of(page)
    searched(qtbot, page, page.filters.clear)
    filled.engine.outbox.add(mail(7), datetime.now(UTC) - timedelta(days=3))
    assert "number 7" in searched(qtbot, page, page.search)
    assert "number 7" not in searched(qtbot, page, lambda: page.filters.range.setCurrentIndex(2))


def test_details_explain_the_servers_words(filled: World, open_page, qtbot) -> None:
    page = open_page()
    said = choose(qtbot, page, 2)
    assert "Sent, not to all – The mail server does not know this recipient." in said
    assert f"Server's words: {UNKNOWN}" in said
    assert buttons(page) == ["Open the mail", "Try the refused ones again", "Send again"]
    said = choose(qtbot, page, 5)
    assert buttons(page) == ["Open the mail", "Try now", "Cancel"]
    assert "It is tried again at" in said
    assert "put off · recipients" in said
    assert "192.0.2.1 · TLSv1.3" in said
    choose(qtbot, page, 3)
    assert buttons(page) == ["Open the mail", "Try again", "Dismiss"]
    page.details.note_button.click()
    assert "mail.example.com" in QGuiApplication.clipboard().text()
    assert UNKNOWN in QGuiApplication.clipboard().text()
    choose(qtbot, page, 6)
    assert buttons(page) == ["Open the mail", "Send now", "Cancel"]
    page.table.setFocus()
    qtbot.keyClick(page.table, Qt.Key.Key_Escape)
    assert not page.details.isVisible()


def test_what_happens_meanwhile_shows_and_moves_nothing(world: World, open_page, qtbot) -> None:
    box = world.engine.outbox
    for number in range(1, 101):
        box.add(mail(number), world.engine.clock())
    page = open_page()
    choose(qtbot, page, 50)
    bar = page.table.verticalScrollBar()
    page.table.scrollTo(page.table.currentIndex())
    qtbot.waitUntil(lambda: bar.value() > 0)
    top = page.model.lines[page.table.rowAt(0)].number
    box.add(mail(101), world.engine.clock())
    settle(world, Verdict.SENT, accepted=(ANN, BOB))  # the newest alert
    world.model.update({"alerts.new_ban": True})
    qtbot.waitUntil(lambda: page.model.row_of((True, 101)) == 0)
    qtbot.waitUntil(lambda: page.model.lines[0].entry.state == State.SENT)
    assert page.table.currentIndex().row() == page.model.row_of((True, 50))
    assert page.model.lines[page.table.rowAt(0)].number == top
    assert page.details.shown.line.number == 50


def test_a_chosen_mail_stays_although_it_fits_no_more(world: World, open_page, qtbot) -> None:
    for number in (1, 2):
        world.engine.outbox.add(mail(number), world.engine.clock())
    page = open_page()
    assert searched(qtbot, page, lambda: page.filters.only(Standing.WAITING)) == ["number 2", "number 1"]
    choose(qtbot, page, 2)
    settle(world, Verdict.SENT, accepted=(ANN, BOB))
    settle(world, Verdict.SENT, accepted=(ANN, BOB))
    qtbot.waitUntil(lambda: rows(page, Column.STATE) == ["Sent"])
    assert page.details.shown.line.number == 2
    qtbot.waitUntil(lambda: buttons(page) == ["Open the mail", "Send again"])


def test_cancelling_can_be_undone(filled: World, open_page, qtbot) -> None:
    page = open_page()
    for number, state in ((5, "queued"), (6, "held"), (3, "failed")):
        before = filled.engine.outbox.entry(number)[0]
        choose(qtbot, page, number)
        qtbot.keyClick(page.table, Qt.Key.Key_Delete)
        qtbot.waitUntil(lambda number=number: state_of(filled, number) == "cancelled")
        qtbot.waitUntil(page.doing.undo.isVisible)
        page.doing.undo.activated.emit()
        qtbot.waitUntil(lambda number=number, state=state: state_of(filled, number) == state)
        assert filled.engine.outbox.entry(number)[0] == before
        assert not page.doing.undo.isVisible()
    choose(qtbot, page, 1)
    qtbot.keyClick(page.table, Qt.Key.Key_Delete)
    assert not page.doing.undo.isVisible()
    assert state_of(filled, 1) == "sent"


def test_a_cancelled_mail_is_queued_again_and_a_sent_one_sent_again(filled: World, open_page, qtbot) -> None:
    page = open_page()
    choose(qtbot, page, 4)
    qtbot.waitUntil(lambda: buttons(page) == ["Open the mail", "Queue again"])
    page.details.retry_button.click()
    qtbot.waitUntil(lambda: state_of(filled, 4) == "queued")
    choose(qtbot, page, 1)
    qtbot.waitUntil(lambda: "Send again" in buttons(page))
    page.details.resend_button.click()
    qtbot.waitUntil(lambda: page.model.row_of((True, 7)) == 0)
    assert filled.engine.outbox.entry(7)[0].resend_of == 1


def test_lost_mails_are_counted_at_the_side_and_lead_here(filled: World, open_window, qtbot) -> None:
    filled.model.update({"smtp.recipients": (ANN,)})
    filled.engine.watch_undelivered()
    window = open_window()
    entry = window.sidebar._items["history"]
    spoken = Qt.ItemDataRole.AccessibleTextRole
    qtbot.waitUntil(lambda: "1 mail could not be delivered." in entry.data(spoken))
    page = window.history
    lost = window.overview.matters.rows["trouble:undelivered"]
    assert "could not be delivered" in lost.text.text()
    with qtbot.waitSignal(page.model.loaded):
        qtbot.mouseClick(lost.press, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(page.isVisible)
    qtbot.waitUntil(lambda: rows(page) == ["number 3"])
    assert page.lost_banner.isVisible()
    page.lost_banner.activated.emit()
    qtbot.waitUntil(lambda: state_of(filled, 3) == "cancelled")
    qtbot.waitUntil(lambda: entry.data(spoken) == "History")
    qtbot.waitUntil(page.doing.undo.isVisible)
    page.doing.undo.activated.emit()
    qtbot.waitUntil(lambda: state_of(filled, 3) == "failed")
    qtbot.waitUntil(lambda: "1 mail" in entry.data(spoken))


def picture() -> bytes:
    from PySide6.QtCore import QBuffer, QByteArray

    image = QImage(12, 8, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    content = QByteArray()
    buffer = QBuffer(content)
    assert image.save(buffer, "PNG")
    return bytes(content.data())


def test_the_mail_opens_as_it_was_sent(world: World, open_page, qtbot, tmp_path) -> None:
    page_of_mail = (
        '<html><head><style>@import "file:///etc/passwd";</style><script>alert(1)</script></head><body>'
        '<div style="display:none">preheader</div><p>Hello <b>you</b></p><img src="cid:chart" alt="chart">'
        '<img src="http://192.0.2.9/spy.png"><img src="/etc/passwd"><a href="http://192.0.2.9/">link</a></body></html>'
    )
    message = Mail(
        subject="A report",
        text="Hello in plain text",
        html=page_of_mail,
        from_address="vxtray@example.com",
        from_name="",
        recipients=(ANN,),
        message_id="<1@example.com>",
        date=datetime.now(UTC),
        images=(Image(cid="chart", data=picture(), media_type="image/png"),),
    )
    data = compose(message)
    world.engine.outbox.add(mail(1, data=data), world.engine.clock())
    page = open_page()
    choose(qtbot, page, 1)
    qtbot.keyClick(page.table, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.doing.mail_view is not None)
    view = page.doing.mail_view
    shown = view.html.toPlainText()
    assert "Hello you" in shown
    assert "preheader" not in shown
    assert "alert(1)" not in shown
    html = view.html.toHtml()
    assert "192.0.2.9" not in html
    assert "/etc/passwd" not in html
    view.tabs.setCurrentWidget(view.text)
    assert "Hello in plain text" in view.text.toPlainText()
    view.tabs.setCurrentWidget(view.source)
    assert "Message-ID: <1@example.com>" in view.source.toPlainText()
    assert [view.tabs.tabText(at) for at in range(view.tabs.count())] == ["HTML", "Text", "Source"]
    load = view.html.loadResource
    kind = QTextDocument.ResourceType.ImageResource.value
    assert load(kind, QUrl("cid:chart")).width() == 12
    view.save_to(tmp_path / "saved.eml")
    qtbot.waitUntil((tmp_path / "saved.eml").exists)
    qtbot.waitUntil(lambda: "saved.eml" in view.said.text())
    assert (tmp_path / "saved.eml").read_bytes() == data
    view.save_to(tmp_path / "no" / "folder.eml")
    qtbot.waitUntil(lambda: "folder.eml" in view.said.text())
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: page.doing.mail_view is None)


def test_paper_answers_every_request_itself(qapp, qtbot, tmp_path) -> None:
    spied = tmp_path / "spied.png"
    spied.write_bytes(picture())
    paper = Paper()
    qtbot.addWidget(paper)
    paper.show_page(f'<img src="{spied}"><img src="{spied.as_uri()}">', {})
    for kind in (QTextDocument.ResourceType.ImageResource, QTextDocument.ResourceType.StyleSheetResource):
        found = paper.loadResource(kind.value, QUrl.fromLocalFile(str(spied)))
        assert not isinstance(found, QImage) or found.width() == 1
    paper.resize(100, 100)
    paper.show()
    assert paper.grab().toImage().pixelColor(12, 12).name() != "#ff0000"


def test_export_writes_what_is_filtered_without_formulas(filled: World, open_page, qtbot, tmp_path) -> None:
    filled.engine.outbox.add(mail(7, "=1+1"), filled.engine.clock())
    page = open_page()
    file = tmp_path / "history.csv"
    with qtbot.waitSignal(page.export.ended) as ended:
        page.export_to(file)
    assert ended.args == [f"{page.model.count} entries written to history.csv.", True]
    lines = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert lines[0]["subject"] == "'=1+1"
    assert lines[0]["recipients"] == f"{ANN}: queued; {BOB}: queued"
    searched(qtbot, page, lambda: page.filters.only(Standing.LOST))
    with qtbot.waitSignal(page.export.ended):
        page.export_to(file)
    assert [line["mail"] for line in csv.DictReader(file.read_text("utf-8-sig").splitlines())] == ["3"]
    with qtbot.waitSignal(page.export.ended) as ended:
        page.export_to(tmp_path / "no" / "history.csv")
    assert ended.args[1] is False


def test_pages_follow_as_the_list_is_scrolled(world: World, open_page, qtbot) -> None:
    now = world.engine.clock()
    world.engine.outbox.add_all([mail(number) for number in range(1, PAGE + 151)], now)
    world.engine._diary.note("started", version="9")
    page = open_page()
    assert page.model.rowCount() == PAGE
    assert page.model.count == PAGE + 151
    page.table.scrollToBottom()
    qtbot.waitUntil(lambda: page.model.complete)
    assert rows(page)[1:] == [f"number {number}" for number in range(PAGE + 150, 0, -1)]
    settle(world, Verdict.SENT, accepted=(ANN, BOB))
    qtbot.waitUntil(lambda: rows(page, Column.STATE)[1] == "Sent")
    assert page.model.rowCount() == PAGE + 151


def test_ten_thousand_mails_are_never_read_on_the_gui_thread(world: World, open_page, qtbot) -> None:
    box = world.engine.outbox
    box.add_all([mail(number) for number in range(1, 10_001)], world.engine.clock())
    asked: set[str] = set()
    box._db.set_trace_callback(lambda _sql: asked.add(threading.current_thread().name))
    page = open_page()
    assert page.model.count == 10_000
    for _times in range(3):
        known = page.model.rowCount()
        page.table.scrollToBottom()
        qtbot.waitUntil(lambda known=known: page.model.rowCount() > known)
    choose(qtbot, page, 10_000)
    assert searched(qtbot, page, lambda: page.filters.text.setText("number 777"))[-1:] == ["number 777"]
    page.refresh()
    with qtbot.waitSignal(page.model.renewed):
        pass
    box._db.set_trace_callback(None)
    assert asked == {"vx-read-0"}


def test_a_row_chosen_while_the_list_is_renewed_stays_chosen(filled: World, open_page, qtbot) -> None:
    page = open_page()
    choose(qtbot, page, 6)
    page.table.selectRow(page.model.row_of((True, 3)))
    page.model.renew()
    with qtbot.waitSignal(page.model.renewed):
        pass
    qtbot.waitUntil(lambda: page.details.shown.line.key == (True, 3))
    assert page.table.currentIndex().row() == page.model.row_of((True, 3))


def test_a_real_mail_stands_here_with_what_the_server_said(
    smtp_catcher: Mailbox, world: World, open_window, qtbot
) -> None:
    world.keep_password(smtp_catcher.user, smtp_catcher.host, smtp_catcher.password)
    world.start()
    window = open_window("history")
    page = window.history
    world.model.update(
        {
            "smtp.host": smtp_catcher.host,
            "smtp.port": smtp_catcher.port,
            "smtp.username": smtp_catcher.user,
            "smtp.from_address": "vxtray@example.com",
            "smtp.recipients": (ANN,),
            "smtp.ca_file": str(smtp_catcher.ca_file),
        }
    )
    world.engine.send_report(Cadence.DAILY)
    (received,) = smtp_catcher.wait(1)
    qtbot.waitUntil(lambda: "Sent" in rows(page, Column.STATE), timeout=10_000)
    number = next(line.number for line in page.model.lines if line.entry is not None)
    assert "Server's words: 250 2.0.0 kept" in choose(qtbot, page, number)
    kept = world.engine.outbox.entry(number)[3]
    assert kept.replace(b"\r\n", b"\n").strip() == received.content.replace(b"\r\n", b"\n").strip()
    assert any(what.startswith("vxtray") for what in rows(page))
    assert any("smtp.host" in what or "settings were changed" in what for what in rows(page))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_narrow_windows_have_room(filled: World, open_page, qtbot, language: str) -> None:
    with texts.speaking(language):
        page = open_page(width=500)
        choose(qtbot, page, 5)
        assert page.table.horizontalScrollBar().maximum() == 0
        assert page.horizontalScrollBar().maximum() == 0
        for press in (page.details.open_button, page.details.cancel_button, page.details.note_button):
            assert press.width() >= press.sizeHint().width()
            assert page.details.rect().contains(press.geometry().translated(press.parentWidget().pos()))


def test_names_for_assistive_technology(filled: World, open_page) -> None:
    page = open_page()
    for widget in (page.table, page.filters.text, page.filters.topic, page.filters.standing, page.filters.range):
        assert widget.accessibleName()
    assert page.accessibleName() == "History"
    page.table.setFocus()
    assert QApplication.focusWidget() is page.table
