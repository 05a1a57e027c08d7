"""Silence a rule or a source: what is asked, what is refused, what is in force afterwards."""

from datetime import timedelta

import pytest

from tests.gui.support.world import World
from vxtray.core.alerts.rules import Rule
from vxtray.gui.silence_dialog import SilenceDialog

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")


@pytest.fixture
def dialog(world: World, qtbot) -> SilenceDialog:
    made = SilenceDialog(world.context)  # it deletes itself when it is closed
    made.open()
    return made


def test_a_network_for_a_day_with_a_reason(world: World, dialog: SilenceDialog, qtbot) -> None:
    before = world.engine.clock()
    dialog.network.setText(" 192.0.2.0/24 ")
    dialog.length.setCurrentIndex(2)
    dialog.reason.setText("scanner of our own\n")
    with qtbot.waitSignals([dialog.silenced, dialog.accepted]):
        dialog.save.click()
    (silence,) = world.engine.alerts.silences()
    assert (silence.rule, silence.network, silence.reason) == (None, "192.0.2.0/24", "scanner of our own")
    assert timedelta(0) <= silence.until - before - timedelta(days=1) < timedelta(minutes=1)


def test_a_rule_until_a_moment(world: World, dialog: SilenceDialog, qtbot) -> None:
    assert not dialog.until.isVisible()
    dialog.rule.setCurrentText("New bans")
    dialog.length.setCurrentIndex(dialog.length.count() - 1)
    assert dialog.until.isVisible()
    moment = world.engine.clock() + timedelta(days=3)
    dialog.until.show_moment(moment)
    with qtbot.waitSignal(dialog.silenced):
        dialog.save.click()
    (silence,) = world.engine.alerts.silences()
    assert silence.rule is Rule.NEW_BAN
    assert abs(silence.until - moment) < timedelta(minutes=1)


def test_what_cannot_be_is_told_beside_the_field(world: World, dialog: SilenceDialog) -> None:
    dialog.save.click()
    assert "Choose a rule or name a source." in dialog.trouble.text()
    dialog.network.setText("example.com <b>")
    dialog.save.click()
    assert "“example.com <b>” is not an address or a network." in dialog.trouble.text()
    assert dialog.network.property("invalid")
    dialog.network.setText("192.0.2.1")
    dialog.length.setCurrentIndex(dialog.length.count() - 1)
    dialog.until.show_moment(world.engine.clock() - timedelta(hours=1))
    dialog.save.click()
    assert "This time is over." in dialog.trouble.text()
    assert not dialog.network.property("invalid")
    assert dialog.until.property("invalid")
    assert dialog.isVisible()
    assert world.engine.alerts.silences() == []
