"""The first page: its chart is what the store holds, its heading the worst that is wrong, its buttons mend it."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from tests.gui.support.smtp import SAVED
from tests.gui.support.world import World
from tests.gui.test_pages import clipped, settle, sideways
from tests.peers.mailbox import Mailbox
from vxtray.core.errors import KeyringLocked, StoreError, VxtrayError
from vxtray.core.events import BLOCKED, Action, Category, SecurityEvent, Severity
from vxtray.core.notices import EventsStored
from vxtray.core.reports.period import machine_zone
from vxtray.core.settings.tree import LogFile
from vxtray.core.store import EventQuery
from vxtray.core.store.localtime import start_of_day, utc
from vxtray.core.troubles import Trouble
from vxtray.gui.actions import Actions
from vxtray.gui.glance import AlertsNow
from vxtray.gui.main_window import MainWindow
from vxtray.gui.pages.overview import OverviewPage
from vxtray.gui.pages.overview_today import Day, count_day, summary_of
from vxtray.gui.pages.overview_words import by_rank
from vxtray.gui.widgets import Button, EmptyState, Pill, PlainLabel

pytestmark = [
    pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)"),
    pytest.mark.expected_log(r"WARNING vxtray\.core\.\w+: "),
]

#: Noon, far from every midnight and from every change of clocks.
NOON = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

Opening = Callable[..., MainWindow]


def event(at: datetime, action: Action = Action.ALLOWED, severity: Severity = Severity.LOW) -> SecurityEvent:
    return SecurityEvent(at=at, source="fw", category=Category.WAF, action=action, severity=severity)


def midnight() -> datetime:
    zone = machine_zone()
    return utc(start_of_day(NOON.astimezone(zone).date(), zone))


def filled(world: World) -> list[SecurityEvent]:
    """Set a mail server up, and store events of a day, of the days beside it, and exactly at its edges."""
    world.model.update(SAVED)
    world.engine.clock = lambda: NOON
    begin = midnight()
    events = [event(begin - timedelta(microseconds=1), Action.BLOCKED), event(begin), event(begin + DAY)]
    for hour in (0, 3, 9, 9, 11):
        at = begin + hour * HOUR
        events += [event(at + timedelta(minutes=minute)) for minute in range(hour)]
        events += [event(at + 30 * timedelta(minutes=1), Action.BLOCKED, Severity.HIGH) for _ in range(3)]
        events += [event(at + timedelta(minutes=59, seconds=59), Action.BANNED, Severity.CRITICAL)]
        events += [event(at, Action.DETECTED, Severity.CRITICAL)]
    world.engine.store().append(sorted(events, key=lambda one: one.at), alerts=False)
    return events


def today(events: list[SecurityEvent]) -> list[SecurityEvent]:
    return [one for one in events if midnight() <= one.at < midnight() + DAY]


@pytest.fixture
def overview(world: World, qtbot) -> Iterator[Callable[[], OverviewPage]]:
    """Return a function that shows the page alone."""

    def opened() -> OverviewPage:
        page = OverviewPage(world.context, Actions(world.context), lambda: True)
        qtbot.addWidget(page)
        page.resize(900, 700)
        page.show()
        settle()
        return page

    return opened


def counted(qtbot, page: OverviewPage) -> Day:
    qtbot.waitUntil(lambda: page.today.day is not None and page.today.day.stored)
    day = page.today.day
    assert day is not None
    return day


def press(top: QWidget, text: str) -> Button:
    (found,) = [one for one in top.findChildren(Button) if one.text() == text and one.isVisible()]
    return found


def primaries(page: OverviewPage) -> list[str]:
    return [one.text() for one in page.findChildren(Button) if one.isVisible() and one.property("look") == "primary"]


def all_looked(world: World, page: OverviewPage, qtbot) -> None:
    """Wait until all that was asked of the store so far is answered: it is read by one thread, in order."""
    done: list[int] = []
    world.bridge.run(lambda: 1, done.append, lambda _error: None, owner=page, quick=True)
    qtbot.waitUntil(lambda: bool(done))


# --- the chart -------------------------------------------------------------------------------------------------------


def test_the_bars_are_what_the_store_holds(world: World, overview, qtbot) -> None:
    of_today = today(filled(world))
    page = overview()
    day = counted(qtbot, page)
    local = [one.at.astimezone(machine_zone()).hour for one in of_today]
    blocked = Counter(hour for hour, one in zip(local, of_today, strict=True) if one.action in BLOCKED)
    critical = Counter(hour for hour, one in zip(local, of_today, strict=True) if one.severity is Severity.CRITICAL)
    bars = page.today.chart.bars()
    assert [(bar.whole, bar.part, bar.marked) for bar in bars] == [
        (Counter(local)[hour], blocked[hour], critical[hour]) for hour in range(24)
    ]
    assert (day.events, day.blocked, day.critical) == (len(of_today), blocked.total(), critical.total())
    assert [bar.axis for bar in bars if bar.axis] == ["00", "03", "06", "09", "12", "15", "18", "21"]
    said = page.today.chart.accessibleDescription()
    assert f"{len(of_today)} events" in said
    assert f"{critical.total()} critical" in said
    assert bars[9].words in said  # the busiest hour
    assert bars[9].words == "09:00 to 10:00: 28 events, 8 blocked, 4 critical"


def test_a_click_shows_the_events_of_that_hour(world: World, open_window: Opening, qtbot) -> None:
    filled(world)
    window = open_window()
    chart = window.overview.today.chart
    counted(qtbot, window.overview)
    settle()
    qtbot.mouseClick(chart, Qt.MouseButton.LeftButton, pos=chart.slot(9).center())
    assert window.sidebar.current() == "events"
    query = window.events.filters.query()
    assert (query.since, query.until) == (midnight() + 9 * HOUR, midnight() + 10 * HOUR)
    qtbot.waitUntil(lambda: window.events.model.rowCount() == 28)
    assert world.engine.store().count(EventQuery(since=query.since, until=query.until)) == 28


def test_enter_does_the_same(world: World, open_window: Opening, qtbot) -> None:
    filled(world)
    window = open_window()
    chart = window.overview.today.chart
    counted(qtbot, window.overview)
    chart.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(chart, Qt.Key.Key_Home)
    for _ in range(3):
        qtbot.keyClick(chart, Qt.Key.Key_Right)
    qtbot.keyClick(chart, Qt.Key.Key_Return)
    assert window.events.filters.query().since == midnight() + 3 * HOUR
    qtbot.waitUntil(lambda: window.events.model.rowCount() == 8)


def test_a_hidden_page_asks_nothing_and_one_that_comes_back_is_up_to_date(
    world: World, open_window: Opening, qtbot
) -> None:
    events = filled(world)
    window = open_window()
    page = window.overview
    before = counted(qtbot, page)
    window.go_to("help")
    world.engine.store().append([event(midnight() + 5 * HOUR)], alerts=False)
    world.bridge.post(EventsStored(at=NOON, events=1, alerts=0))
    settle()
    all_looked(world, page, qtbot)
    assert page.today.day is before
    window.go_to("overview")
    qtbot.waitUntil(lambda: page.today.day is not None and page.today.day.events == len(today(events)) + 1)


def test_new_events_are_counted_while_it_is_seen(world: World, overview, qtbot) -> None:
    filled(world)
    page = overview()
    before = counted(qtbot, page).events
    world.engine.store().append([event(midnight() + 5 * HOUR, Action.BLOCKED)], alerts=False)
    world.bridge.post(EventsStored(at=NOON, events=1, alerts=0))
    qtbot.waitUntil(lambda: page.today.day.events == before + 1, timeout=20_000)
    assert page.today.chart.bars()[5].part == 1


def test_a_hidden_window_never_opens_a_store(world: World, overview, qtbot) -> None:
    world.model.update(SAVED)
    page = overview()
    page.refresh()
    all_looked(world, page, qtbot)
    assert not world.profile.events_file.exists()
    assert count_day(world.engine, NOON) == Day()


@pytest.mark.parametrize(
    ("events", "before", "said"),
    [
        (10, 0, ""),
        (10, 10, "as many as yesterday by now"),
        (12, 10, "20% more than yesterday by now"),
        (8, 10, "20% fewer than yesterday by now"),
        (900, 10, "many more than yesterday by now"),
    ],
)
def test_the_day_is_compared_with_the_one_before(world: World, events: int, before: int, said: str) -> None:
    world.engine.clock = lambda: NOON
    begin = midnight()
    past = [event(begin - DAY + timedelta(seconds=n)) for n in range(before)]
    later = [event(begin - HOUR) for _ in range(5)]  # of yesterday, but after the time that it is now
    world.engine.store().append(past + later + [event(begin) for _ in range(events)], alerts=False)
    day = count_day(world.engine, NOON)
    assert (day.events, day.before) == (events, before)
    assert summary_of(day).endswith(said or "critical")


def test_a_store_that_cannot_be_read_is_told(world: World, overview, qtbot) -> None:
    world.model.update(SAVED)
    world.profile.events_file.mkdir(parents=True)  # no file, so it cannot be opened
    page = overview()
    qtbot.waitUntil(lambda: "cannot be used" in page.today.summary.text())
    assert not clipped(page)


# --- empty states ----------------------------------------------------------------------------------------------------


def test_a_new_person_is_offered_the_assistant(overview, qtbot) -> None:
    page = overview()
    assert page.heading.title() == "Welcome to vxtray"
    assert primaries(page) == ["Set up vxtray…"]
    for text, where in (("Set up vxtray…", "assistant"), ("Only the mail server", "edit_smtp")):
        with qtbot.waitSignal(page.page_wanted) as wanted:
            qtbot.mouseClick(press(page, text), Qt.MouseButton.LeftButton)
        assert wanted.args == [where]
    for part in (page.today, page.matters, page.sources):
        assert not part.isVisible()


def test_without_an_event_it_says_how_there_will_be_some(world: World, overview, qtbot) -> None:
    world.model.update(SAVED)
    page = overview()
    (empty,) = [one for one in page.findChildren(EmptyState) if one.isVisible()]
    assert empty.accessibleName() == "No events yet"
    assert not page.sources.isVisible()  # it would say the same
    with qtbot.waitSignal(page.page_wanted) as wanted:
        qtbot.mouseClick(press(page, "Set up a source"), Qt.MouseButton.LeftButton)
    assert wanted.args == ["sources"]
    world.engine.clock = lambda: NOON
    world.engine.store().append([event(midnight())], alerts=False)
    world.bridge.post(EventsStored(at=NOON, events=1, alerts=0))
    qtbot.waitUntil(page.today.isVisible, timeout=20_000)
    assert not empty.isVisible()


def test_a_day_without_events_is_not_the_same_as_none_ever(world: World, overview, qtbot) -> None:
    world.model.update(SAVED)
    world.engine.clock = lambda: NOON
    world.engine.store().append([event(midnight() - 3 * DAY)], alerts=False)
    page = overview()
    qtbot.waitUntil(lambda: page.today.summary.text() == "No event yet.")
    assert page.today.isVisible()
    assert not [one for one in page.findChildren(EmptyState) if one.isVisible()]


# --- the sources -----------------------------------------------------------------------------------------------------


def test_sources_that_are_alive_and_those_that_are_not(world: World, overview, qtbot, tmp_path: Path) -> None:
    heard, missing = tmp_path / "fail2ban.log", tmp_path / "none" / "eve.json"
    heard.write_text("")
    files = tuple(LogFile(path=str(path)) for path in (heard, missing))
    world.model.update(SAVED | {"sources.files": files})
    world.start()
    page = overview()
    qtbot.waitUntil(lambda: any(source.running for source in world.engine.sources()), timeout=20_000)

    def lines() -> str:
        page.refresh()
        return "\n".join(label.text() for label in page.sources.findChildren(PlainLabel) if label.isVisible())

    def pills() -> list[str]:
        return [pill.text() for pill in page.sources.findChildren(Pill)]

    with heard.open("a") as log:
        log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S},123 fail2ban.actions [8]: NOTICE [sshd] Ban 203.0.113.9\n")  # noqa: DTZ005 - as fail2ban writes it
    qtbot.waitUntil(lambda: "1 of 2 sources heard" in lines(), timeout=20_000)
    said = lines()
    assert "fail2ban.log\nLast line" in said
    assert "eve.json\nNo line yet" in said
    qtbot.waitUntil(lambda: bool(lines()) and pills() == ["Heard", "Needs a look"], timeout=20_000)


def test_servers_that_are_read_from_are_sources_too(world: World, overview) -> None:
    filled(world)
    world.model.update({"sources.vigilancex.url": "https://127.0.0.1:9", "sources.vigilancex.enabled": True})
    page = overview()
    said = [label.text() for label in page.sources.findChildren(PlainLabel) if label.isVisible()]
    assert said == ["0 of 1 source heard", "VIGILANCE X server", "No line yet"]


def test_many_sources_are_cut_short_the_silent_ones_first(world: World, overview) -> None:
    filled(world)
    files = tuple(LogFile(path=f"/var/log/no-such-folder/{n}.log") for n in range(9))
    world.model.update({"sources.files": files})
    page = overview()
    assert "and 3 more" in [label.text() for label in page.sources.findChildren(PlainLabel) if label.isVisible()]
    assert not clipped(page)


# --- the heading and what needs a look -------------------------------------------------------------------------------


def trouble(what: str, minutes: int = 0, error: VxtrayError | None = None) -> Trouble:
    return Trouble(what=what, since=NOON + timedelta(minutes=minutes), error=error or StoreError(path="x", reason="y"))


def test_the_worst_comes_first() -> None:
    board = [
        trouble("silent:x", 0),
        trouble("unknown", 1),
        trouble("disk:/", 2),
        trouble("mail", 3),
        trouble("store", 4),
    ]
    assert [one.what for one in by_rank(board)] == ["mail", "store", "disk:/", "silent:x", "unknown"]


@pytest.mark.parametrize(
    ("what", "begins", "action", "where"),
    [
        ("mail", "Mail has not worked since ", "Check the mail server", "mail_server"),
        ("mail:down", "Mail has not worked since ", "Check the mail server", "mail_server"),
        ("disk:/", "The disk is almost full", "Show diagnostics", "help"),
        ("undelivered", "Mail was not delivered", "Show the mails", "lost"),
        ("silent:syslog", "A source has fallen silent", "Show the sources", "sources"),
        ("source:syslog udp", "A source needs a look since ", "Show the sources", "sources"),
        ("anything else", "Something needs a look since ", "Show diagnostics", "help"),
    ],
)
def test_one_button_mends_what_is_wrong(
    world: World, overview, qtbot, what: str, begins: str, action: str, where: str
) -> None:
    filled(world)
    page = overview()
    world.engine.set_trouble(what, StoreError(path="/data", reason="it is broken"))
    page.refresh()
    assert page.heading.title().startswith(begins)
    assert primaries(page) == [action]
    with qtbot.waitSignal(page.page_wanted) as wanted:
        qtbot.mouseClick(page.mend_button, Qt.MouseButton.LeftButton)
    assert wanted.args == [where]
    row = page.matters.rows[f"trouble:{what}"]
    assert "/data cannot be used: it is broken." in row.text.text()
    row.press.setFocus()
    page.refresh()
    assert page.matters.rows[f"trouble:{what}"] is row, "a button does not go away under the keyboard"
    world.engine.set_trouble(what, None)
    page.refresh()
    assert not page.matters.rows


def test_a_locked_keyring_is_waited_for(world: World, overview, qtbot) -> None:
    filled(world)
    page = overview()
    world.engine.set_trouble("mail", KeyringLocked())
    page.refresh()
    assert page.heading.title() == "Waiting for your keyring to be unlocked"
    assert primaries(page) == ["Try again"]
    qtbot.mouseClick(page.mend_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not world.engine.troubles())


def test_a_pause_is_ended_by_the_button(world: World, overview, qtbot) -> None:
    filled(world)
    world.engine.clock = lambda: datetime.now(UTC)
    world.engine.pause_alerts(HOUR)
    page = overview()
    assert page.heading.title().startswith("Alert mails are held until")
    qtbot.mouseClick(press(page, "Send alert mails again"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: world.engine.paused_until() is None)


def test_a_server_that_was_never_tried_is_tried_by_the_button(
    world: World, smtp_catcher: Mailbox, overview, qtbot
) -> None:
    world.model.update(
        {
            "smtp.host": smtp_catcher.host,
            "smtp.port": smtp_catcher.port,
            "smtp.username": smtp_catcher.user,
            "smtp.from_address": "alerts@example.com",
            "smtp.recipients": ("boss@example.com",),
            "smtp.ca_file": str(smtp_catcher.ca_file),
        }
    )
    world.keep_password(smtp_catcher.user, smtp_catcher.host, smtp_catcher.password)
    page = overview()
    qtbot.waitUntil(lambda: page.heading.title() == "Set up, but not tried yet")
    assert primaries(page) == ["Send test e-mail"]
    qtbot.mouseClick(page.mend_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(smtp_catcher.mails), timeout=20_000)
    qtbot.waitUntil(lambda: page.heading.title() == "Everything is working", timeout=20_000)
    assert primaries(page) == ["Send a report now"]


def test_nothing_needs_a_look(world: World, overview) -> None:
    filled(world)
    page = overview()
    assert not page.matters.rows
    assert "Nothing at the moment." in [one.text() for one in page.matters.findChildren(PlainLabel) if one.isVisible()]


def test_alerts_nobody_looked_at_come_before_silent_sources_but_after_broken_mail(world: World) -> None:
    from vxtray.core.status import State
    from vxtray.gui.pages.overview_words import headline

    waiting = AlertsNow(unacknowledged=2)

    def title(*board: Trouble) -> str:
        said = headline(State.TROUBLE, board, waiting, None, NOON)
        assert said is not None
        return said.title

    assert title(trouble("silent:x")) == "2 alerts wait for you"
    assert title(trouble("silent:x"), trouble("mail")).startswith("Mail has not worked since")


def test_nothing_of_it_is_cut_with_everything_wrong(world: World, overview, qtbot) -> None:
    filled(world)
    world.model.update({"sources.files": (LogFile(path="/var/log/" + "long" * 30 + ".log"),)})
    for what in ("mail", "store", "disk:/", "undelivered", "silent:syslog", "reports", "set-aside", "other"):
        world.engine.set_trouble(what, StoreError(path="/very/long" * 12, reason="<b>it is broken</b>"))
    page = overview()
    counted(qtbot, page)
    for width in (584, 700, 900, 1300, 584):
        page.resize(width, 620)
        settle()
        assert not clipped(page), width
        assert not sideways(page), width
    assert len(primaries(page)) == 1
