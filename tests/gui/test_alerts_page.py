"""The page of the alerts: what the rules did lately, storms, what is held, the mails and what they folded."""

from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from tests.gui.support.storm import CRITICAL, MAIL, WARNING, attack
from tests.gui.support.world import World
from tests.gui.test_pages import WIDTHS, clipped, settle, sideways
from vxtray.core import texts
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import UsageError
from vxtray.core.events import Action, Category
from vxtray.core.reports.period import machine_zone
from vxtray.gui.main_window import MainWindow
from vxtray.gui.widgets import Toggle

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

ONE, TWO = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def ready(world: World) -> World:
    """A program whose alerts would leave, but whose threads do not run."""
    world.model.update(MAIL)
    return world


def seen(window: MainWindow) -> str:
    return "\n".join(label.text() for label in window.alerts.findChildren(QLabel) if label.isVisible())


def on_the_clock(moment: datetime) -> str:
    """Return the hour on this machine's clock, and the day before it where that is not today."""
    local = moment.astimezone()
    day = "" if local.date() == datetime.now().astimezone().date() else f"{local:%a} {local.day} {local:%b} "
    return f"{day}{local:%H:%M}"


def storms_seen(window: MainWindow) -> int:
    """Return how many storms have their row on show."""
    return sum(row.doing.isVisible() for row in window.alerts.storms.rows.values())


def counted(window: MainWindow, qtbot) -> None:
    """Wait until what the rules matched is on show."""
    qtbot.waitUntil(lambda: "counting" not in seen(window), timeout=20_000)


def tops(window: MainWindow) -> list[QPoint]:
    return [toggle.mapTo(window, QPoint(0, 0)) for toggle in window.alerts.findChildren(Toggle)]


def choose_mail(window: MainWindow, qtbot, row: int) -> None:
    mails = window.alerts.mails
    qtbot.waitUntil(lambda: len(mails.model.letters) > row)
    mails.table.selectRow(row)
    wanted = mails.model.letters[row].mail
    qtbot.waitUntil(lambda: mails.details.isVisible() and mails.details.letter.mail == wanted)


# --- rules -----------------------------------------------------------------------------------------------------------


def test_what_the_rules_matched_comes_without_moving_anything(ready: World, open_window, qtbot) -> None:
    for day in (1, 2):
        attack(ready, 30, ONE, score=WARNING, days_ago=day)
    attack(ready, 2, TWO, score=WARNING, days_ago=9)  # too long ago
    for language, width in (("fr", 640), ("en", 1080)):
        texts.use(language)
        window = open_window("alerts", width, 700)
        before = tops(window)
        qtbot.waitUntil(lambda window=window: "60" in seen(window), timeout=20_000)
        QApplication.processEvents()
        assert tops(window) == before, language
    assert "Last 7 days: 60 events, 6 mails." in seen(window)
    window.findChild(Toggle, "alerts.waf_blocked").click()
    assert "Off. In the last 7 days it would have sent 6 mails." in seen(window)
    assert ready.saved("alerts.waf_blocked") is False
    QApplication.processEvents()
    assert tops(window) == before


def test_another_severity_counts_again(ready: World, open_window, qtbot) -> None:
    attack(ready, 3, ONE, score=WARNING, days_ago=1)
    window = open_window("alerts")
    counted(window, qtbot)
    assert "Last 7 days: 3 events" in seen(window)
    severity = window.alerts.rules.severity
    severity.setCurrentIndex(0)
    severity.activated.emit(0)
    assert ready.saved("alerts.minimum_severity") == "critical"
    qtbot.waitUntil(lambda: "Last 7 days: 3 events" not in seen(window), timeout=20_000)


def test_quiet_hours_are_set_in_the_page(ready: World, open_window) -> None:
    window = open_window("alerts")
    rules = window.alerts.rules
    before = tops(window)
    window.findChild(Toggle, "alerts.quiet_hours.enabled").click()
    assert ready.saved("alerts.quiet_hours.enabled") is True
    assert "Critical ones still leave, the others in one mail at 07:00." in seen(window)
    QApplication.processEvents()
    assert tops(window) == before
    rules.quiet_to.setTime(rules.quiet_to.time().addSecs(1800))
    rules.quiet_to.editingFinished.emit()
    assert ready.saved("alerts.quiet_hours.to") == "07:30"
    assert "at 07:30" in seen(window)
    elsewhere = "Asia/Kathmandu" if machine_zone().key != "Asia/Kathmandu" else "Europe/Paris"
    ready.model.update({"reports.zone": elsewhere})
    assert f"at 07:30 ({elsewhere})" in seen(window)


def test_entries_are_checked_beside_their_field(ready: World, open_window, qtbot) -> None:
    window = open_window("alerts", 1080, 900)
    more, button = window.alerts.rules.more, window.alerts.rules.more_button
    assert not more.isVisible()
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Return)
    assert more.isVisible()
    more.allow.setFocus()
    more.allow.setPlainText("192.0.2.7\nnot a network\n2001:db8::/32")
    qtbot.keyClick(more.allow, Qt.Key.Key_Tab)
    assert not more.allow.hasFocus()
    assert "“not a network” – it must be an address or a network" in seen(window)
    assert ready.saved("alerts.allow") == ()
    assert "not a network" in more.allow.toPlainText()
    more.allow.setFocus()
    more.allow.setPlainText("192.0.2.7, 192.0.2.7\n2001:db8::/32")
    window.sidebar.choose("reports")  # leaving the page saves as well
    assert ready.saved("alerts.allow") == ("192.0.2.7", "2001:db8::/32")
    window.sidebar.choose("alerts")
    assert more.allow.toPlainText() == "192.0.2.7\n2001:db8::/32"
    assert "not a network" not in seen(window)
    assert "2 sources never alert." in seen(window)
    more.rule_ids.setFocus()
    more.rule_ids.setPlainText("942100")
    more.recipients.setFocus()
    assert ready.saved("alerts.rule_ids") == ("942100",)
    assert "Only 1 rule counts." in seen(window)
    more.group_seconds.setValue(0)
    more.group_seconds.editingFinished.emit()
    assert ready.saved("alerts.group_seconds") == 0
    assert more.group_seconds.text() == "off: a mail for each"
    button.click()
    assert not more.isVisible()


def test_before_the_mail_server_is_set_up(world: World, open_window, qtbot) -> None:
    window = open_window("alerts")
    qtbot.waitUntil(lambda: "No alert mail yet" in seen(window))
    assert "No storm. When many alerts come at once" in seen(window)
    assert "No alert leaves yet: the mail server is not set up." in seen(window)
    assert "Held back" not in seen(window)
    world.model.update(MAIL)
    assert "No alert leaves yet" not in seen(window)


# --- storms ----------------------------------------------------------------------------------------------------------


def test_a_storm_comes_and_is_acknowledged(ready: World, open_window, qtbot) -> None:
    window = open_window("alerts", 1080, 900)
    storms = window.alerts.storms
    attack(ready, 1, ONE)
    qtbot.waitUntil(lambda: "No storm. 1 alert was just sent" in seen(window))
    attack(ready, 30, ONE)
    qtbot.waitUntil(lambda: storms_seen(window) == 1)
    assert storms.pill.text() == "1 not acknowledged"
    (row,) = storms.rows.values()
    said = seen(window)
    for word in ("SQL Injection Attack · shop.example.com", ONE, "31", "in 1 hr", "Next summary"):
        assert word in said, word
    badge = window.sidebar.findItems("Alerts", Qt.MatchFlag.MatchExactly)[0]
    assert badge.data(Qt.ItemDataRole.AccessibleTextRole) == "Alerts, Nobody took note of 1 alert yet."
    row.acknowledge.setFocus()
    attack(ready, 5, ONE, score=CRITICAL + 1)
    qtbot.waitUntil(lambda: "36" in seen(window))
    assert row.acknowledge.hasFocus()  # the row is the same one
    qtbot.keyClick(row.acknowledge, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not row.acknowledge.isEnabled())
    assert "once it is over" in seen(window)
    assert not storms.pill.isVisible()
    qtbot.waitUntil(lambda: badge.data(Qt.ItemDataRole.AccessibleTextRole) == "Alerts")


def test_a_storm_in_a_narrow_window(ready: World, open_window, qtbot) -> None:
    attack(ready, 30, ONE)
    window = open_window("alerts", 640, 800)
    qtbot.waitUntil(lambda: storms_seen(window) == 1)
    qtbot.waitUntil(lambda: f"· {ONE} · next summary in 1 hr" in seen(window))
    assert "Next summary" not in seen(window)
    window.resize(1080, 800)
    qtbot.waitUntil(lambda: "Next summary" in seen(window))
    assert "· next summary" not in seen(window)


def test_nothing_is_read_while_the_page_is_hidden(ready: World, open_window, qtbot) -> None:
    window = open_window("reports")
    attack(ready, 30, ONE)
    badge = window.sidebar.findItems("Alerts", Qt.MatchFlag.MatchExactly)[0]
    qtbot.waitUntil(lambda: "1 alert" in badge.data(Qt.ItemDataRole.AccessibleTextRole))
    assert not window.alerts.standing.incidents
    window.sidebar.choose("alerts")
    qtbot.waitUntil(lambda: storms_seen(window) == 1)


# --- what is held ----------------------------------------------------------------------------------------------------


def test_a_pause_holds_and_is_ended(ready: World, open_window, qtbot) -> None:
    now = ready.engine.clock()
    ready.engine.alerts.pause(now + timedelta(hours=1))
    attack(ready, 12, ONE, score=WARNING)
    window = open_window("alerts", 1080, 900)
    held = window.alerts.held
    qtbot.waitUntil(held.isVisible)
    assert f"Alert mails are paused until {on_the_clock(now + timedelta(hours=1))}" in seen(window)
    assert "12 events held so far. They are told in 1 hr, in one mail." in seen(window)
    assert "Storm began" not in seen(window)
    held.rows["pause", 0].press.click()
    qtbot.waitUntil(lambda: not held.isVisible())
    qtbot.waitUntil(lambda: bool(window.alerts.mails.model.letters))
    assert window.alerts.mails.model.letters[0].events == 12
    assert "12 held events are told now." in window.alerts.note()


def test_critical_ones_are_held_too_if_wanted(ready: World, open_window, qtbot) -> None:
    ready.engine.alerts.pause(ready.engine.clock() + timedelta(hours=1), everything=True)
    attack(ready, 3, ONE)
    window = open_window("alerts", 1080, 900)
    qtbot.waitUntil(lambda: "Alert mails, critical ones too, are paused until" in seen(window))
    assert "3 events held so far." in seen(window)


def test_a_silence_is_shown_and_ended(ready: World, open_window, qtbot) -> None:
    until = ready.engine.clock() + timedelta(hours=5)
    room = ready.engine.alerts
    silence = room.silence(rule=Rule.WAF_BLOCKED, network="203.0.113.0/24", until=until, reason="<b>test</b>")
    attack(ready, 4, ONE, score=WARNING)
    window = open_window("alerts", 1080, 900)
    held = window.alerts.held
    qtbot.waitUntil(held.isVisible)
    assert "Silenced: Web attacks blocked (WAF) from 203.0.113.0/24" in seen(window)
    assert "4 events held. Reason: <b>test</b>" in seen(window)
    held.rows["silence", silence.id].press.click()
    qtbot.waitUntil(lambda: not held.isVisible())
    assert room.silences() == []
    assert "The silence ended. 4 events are told now." in window.alerts.note()


def test_quiet_hours_and_the_cap_say_why_and_when(ready: World, open_window, qtbot) -> None:
    now = datetime.now(machine_zone())
    begin, end = (now + timedelta(hours=hours) for hours in (-1, 2))
    ready.model.update({f"alerts.quiet_hours.{key}": f"{at:%H:%M}" for key, at in (("from", begin), ("to", end))})
    ready.model.update({"alerts.quiet_hours.enabled": True, "alerts.max_mails_per_hour": 1})
    attack(ready, 4, ONE, score=WARNING)
    attack(ready, 1, ONE)
    attack(ready, 1, TWO)
    window = open_window("alerts", 1080, 900)
    qtbot.waitUntil(lambda: "4 events held" in seen(window))
    assert f"Quiet hours. One mail tells them all at {on_the_clock(end)}." in seen(window)
    assert "1 critical event held" in seen(window)
    assert "More mails than 1 an hour; they are told as soon as the hour allows." in seen(window)


# --- the mails -------------------------------------------------------------------------------------------------------


def test_a_mail_says_exactly_what_it_folded(ready: World, open_window, qtbot) -> None:
    attack(ready, 1, ONE)
    attack(ready, 24, ONE, score=CRITICAL + 1)
    window = open_window("alerts", 1080, 900)
    mails = window.alerts.mails
    choose_mail(window, qtbot, 0)
    newest = mails.model.letters[0]
    folded = ready.engine.alerts.folded(newest.incident, newest.number)
    said = seen(window)
    assert folded.events == newest.events
    for word in (f"{folded.events} events · {folded.events} blocked · 1 source", ONE, "shop.example.com"):
        assert word in said, word
    assert "Many came quickly" in said
    mails.table.setFocus()
    qtbot.keyClick(mails.table, Qt.Key.Key_Escape)
    assert not mails.details.isVisible()
    assert mails.current() is None
    mails.table.selectRow(0)
    qtbot.keyClick(mails.table, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.alerts.doing.mail_view is not None)
    assert "SQL Injection Attack" in window.alerts.doing.mail_view.windowTitle()


def test_its_events_are_shown_on_their_page(ready: World, open_window, qtbot) -> None:
    attack(ready, 3, TWO, score=WARNING)
    attack(ready, 15, ONE, score=WARNING)
    attack(ready, 5, ONE, score=WARNING, days_ago=1)
    window = open_window("alerts", 1080, 900)
    mails = window.alerts.mails
    qtbot.waitUntil(lambda: any(one.events > 1 for one in mails.model.letters))
    row = next(row for row, one in enumerate(mails.model.letters) if one.events > 1)
    choose_mail(window, qtbot, row)
    mails.details.buttons["events"].click()
    assert window.sidebar.current() == "events"
    qtbot.waitUntil(lambda: window.events.model.rowCount() > 0)
    query = window.events.filters.query()
    assert query.source == mails.details.folded.top_sources[0].name
    assert query.categories == {Category.WAF}
    assert query.actions == {Action.BLOCKED}
    qtbot.waitUntil(lambda: window.events.model.complete)
    found = ready.engine.store().count(query)
    assert found == window.events.model.rowCount() >= mails.details.folded.events
    assert found <= 15  # those of the minutes that the mail is about, and none of yesterday


def test_a_chosen_mail_stays_chosen_when_others_come(ready: World, open_window, qtbot) -> None:
    attack(ready, 1, ONE)
    window = open_window("alerts", 1080, 900)
    mails = window.alerts.mails
    choose_mail(window, qtbot, 0)
    chosen = mails.current().mail
    attack(ready, 1, TWO)
    qtbot.waitUntil(lambda: len(mails.model.letters) == 2)
    assert mails.current().mail == chosen
    assert mails.table.currentIndex().row() == 1
    assert mails.details.isVisible()
    mails.details.buttons["acknowledge"].click()
    qtbot.waitUntil(lambda: not mails.details.buttons["acknowledge"].isEnabled())
    window.go_to(f"alerts:{mails.model.letters[0].incident}")
    qtbot.waitUntil(lambda: mails.current().mail == mails.model.letters[0].mail)


def test_silence_from_a_mail_names_its_rule_and_source(ready: World, open_window, qtbot) -> None:
    attack(ready, 2, ONE, score=WARNING)
    window = open_window("alerts", 1080, 900)
    choose_mail(window, qtbot, 0)
    window.alerts.mails.details.buttons["silence"].click()
    dialog = window.alerts.silence_dialog
    assert dialog.rule.currentText() == "Web attacks blocked (WAF)"
    assert dialog.network.text() == ONE
    dialog.save.click()
    qtbot.waitUntil(window.alerts.held.isVisible)
    assert "Silenced: Web attacks blocked (WAF) from 203.0.113.7" in seen(window)
    (silence,) = ready.engine.alerts.silences()
    assert silence.until > datetime.now(UTC)
    qtbot.waitUntil(lambda: window.alerts.silence_dialog is None)


def test_no_part_of_the_page_is_a_window_of_its_own(ready: World, open_window, qtbot, qapp) -> None:
    shown: list[QWidget] = []

    class Watcher(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
                shown.append(watched)
            return False

    watcher = Watcher()
    qapp.installEventFilter(watcher)
    window = open_window("alerts")
    attack(ready, 30, ONE)
    qtbot.waitUntil(lambda: storms_seen(window) == 1)
    choose_mail(window, qtbot, 0)
    window.alerts.rules.more_button.click()
    qapp.removeEventFilter(watcher)
    assert shown == [window]


def test_nothing_is_cut_in_a_storm(ready: World, open_window, qtbot) -> None:
    texts.use("fr")  # the longer words
    ready.engine.alerts.pause(ready.engine.clock() + timedelta(hours=1))
    ready.engine.alerts.silence(network=TWO, until=ready.engine.clock() + timedelta(days=2), reason="x" * 200)
    attack(ready, 30, "2001:db8:1234:5678:9abc:def0:1234:5678")
    attack(ready, 3, ONE, score=WARNING)
    window = open_window("alerts")
    qtbot.waitUntil(lambda: storms_seen(window) == 1)
    choose_mail(window, qtbot, 0)
    window.alerts.rules.more_button.click()
    window.alerts._failed(UsageError("{reason}", reason="y" * 300))
    for width in WIDTHS:
        window.resize(width, 620)
        settle()
        assert not clipped(window), width
        assert not sideways(window), width
