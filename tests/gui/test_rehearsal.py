"""A rehearsal in the window: what past events would have sent, and that nothing is."""

from datetime import timedelta

import pytest

from tests.gui.support.storm import MAIL, WARNING, attack
from tests.gui.support.world import World
from vxtray.gui.pages.alerts_rehearsal import Column, RehearsalView

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

ONE = "203.0.113.7"


@pytest.fixture
def view(world: World, qtbot) -> RehearsalView:
    world.model.update(MAIL)
    made = RehearsalView(world.context)
    qtbot.addWidget(made)
    made.show()
    return made


def rehearse(view: RehearsalView, qtbot) -> None:
    view.start.click()
    qtbot.waitUntil(view.start.isEnabled, timeout=30_000)


def cells(view: RehearsalView, column: Column) -> list[str]:
    return [view.model.index(row, column).data() for row in range(view.model.rowCount())]


def test_the_mails_of_the_last_days(world: World, view: RehearsalView, qtbot) -> None:
    attack(world, 40, ONE, score=WARNING, days_ago=1)
    attack(world, 7, ONE, score=WARNING, days_ago=20)
    rehearse(view, qtbot)
    assert view.sent.text() == "3 mails would have been sent, to boss@example.com."
    assert view.counted.text().startswith("40 events looked at; 40 met a rule: 1 told at once, ")
    assert cells(view, Column.WHAT) == ["SQL Injection Attack"] * 3
    storm = [f"{kind}: same source and target" for kind in ("Storm began", "Storm over")]
    assert cells(view, Column.WHY) == ["Web attacks blocked (WAF)", *storm]
    assert cells(view, Column.EVENTS) == ["1", "10", "29"]
    assert world.engine.alerts.letters() == []
    assert world.engine.outbox.counts()["queued"] == 0
    view.length.setCurrentIndex(2)
    rehearse(view, qtbot)
    assert view.rehearsal.matched == 47


def test_no_mail_would_have_been_sent(world: World, view: RehearsalView, qtbot) -> None:
    world.model.update({"alerts.waf_blocked": False})
    attack(world, 5, ONE, score=WARNING, days_ago=1)
    rehearse(view, qtbot)
    assert view.counted.text() == "5 events looked at; none met a rule."
    assert not view.table.isVisible()
    assert not view.sent.isVisible()


def test_from_and_to(world: World, view: RehearsalView, qtbot) -> None:
    attack(world, 5, ONE, score=WARNING, days_ago=3)
    now = world.engine.clock()
    view.length.setCurrentIndex(view.length.count() - 1)
    assert view.since.isVisible()
    view.since.show_moment(now)
    view.until.show_moment(now - timedelta(days=1))
    view.start.click()
    assert "This time ends before it begins." in view.trouble.text()
    view.since.show_moment(now - timedelta(days=4))
    rehearse(view, qtbot)
    assert not view.trouble.isVisible()
    assert view.rehearsal.matched == 5


def test_stopped_before_its_end(world: World, view: RehearsalView, qtbot) -> None:
    attack(world, 5, ONE, score=WARNING, days_ago=1)
    view.start.click()
    assert view.cancel.isVisible()
    assert view.progress.isVisible()
    view.cancel.click()
    assert view.start.isEnabled()
    assert not view.progress.isVisible()
    rehearse(view, qtbot)  # the one before ends first, and its answer is nobody's
    assert view.rehearsal.matched == 5
