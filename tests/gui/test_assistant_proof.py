"""The assistant's fifth step: a test mail that really arrives, and what is said where it does not."""

from collections.abc import Callable

import pytest

from tests.gui.support.world import World
from tests.peers.mailbox import Mailbox
from vxtray.gui.assistant.proof import ProofStep

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")

PATIENCE = 20_000


@pytest.fixture
def show(world: World, qtbot) -> Callable[[], ProofStep]:
    """Return a function that shows the step."""

    def shown() -> ProofStep:
        step = ProofStep(world.context)
        qtbot.addWidget(step)
        step.resize(860, 700)
        with qtbot.waitExposed(step):
            step.show()
        step.enter()
        return step

    return shown


def set_up(world: World, box: Mailbox, password: str = "") -> None:
    world.model.update(
        {
            "smtp.host": box.host,
            "smtp.port": box.port,
            "smtp.username": box.user,
            "smtp.from_address": box.user,
            "smtp.recipients": ("boss@example.com", "soc@example.com"),
            "smtp.ca_file": str(box.ca_file),
            "smtp.timeout_seconds": 5,
        }
    )
    world.keep_password(box.user, box.host, password or box.password)


def settled(step: ProofStep) -> bool:
    return not step.busy


def test_it_arrives_and_says_where_to_look(world: World, show, smtp_catcher: Mailbox, qtbot) -> None:
    set_up(world, smtp_catcher)
    step = show()
    assert step.next_words == "&Send test e-mail"
    assert not step.complete()
    with qtbot.waitSignal(step.sent, timeout=PATIENCE):
        step.forward()
        assert step.busy
    (mail,) = smtp_catcher.wait(1)
    assert mail.recipients == ("boss@example.com", "soc@example.com")
    assert "look into the inbox of boss@example.com, soc@example.com" in step.outcome.text()
    assert "junk folder" in step.what_next.text()
    stages = step.checking.view.text()
    assert "✗" not in stages
    assert "✓ · Test e-mail · The server took it: 250 2.0.0 kept" in stages
    assert step.complete()
    with qtbot.waitSignal(step.passed):
        step.forward()
    assert len(smtp_catcher.mails) == 1


def test_a_refusal_names_the_step_and_leads_back(world: World, show, smtp_catcher: Mailbox, qtbot) -> None:
    set_up(world, smtp_catcher, "wrong")
    step = show()
    step.forward()
    qtbot.waitUntil(lambda: settled(step), timeout=PATIENCE)
    assert "It did not leave" in step.outcome.text()
    assert "✗ · Sign-in" in step.checking.view.text()
    with qtbot.waitSignal(step.wanted) as wanted:
        step.to_account.click()
    assert wanted.args == ["account"]
    world.keep_password(smtp_catcher.user, smtp_catcher.host, smtp_catcher.password)
    with qtbot.waitSignal(step.sent, timeout=PATIENCE):
        step.forward()
    assert smtp_catcher.wait(1)
    with qtbot.waitSignal(step.sent, timeout=PATIENCE):
        step.again.click()
    assert smtp_catcher.wait(2)


def test_what_the_check_proposes_is_saved_and_tried(world: World, show, smtp_catcher: Mailbox, qtbot) -> None:
    set_up(world, smtp_catcher)
    world.model.update({"smtp.port": 1})
    step = show()
    step.forward()
    qtbot.waitUntil(lambda: settled(step), timeout=PATIENCE)
    assert not step.complete()
    with qtbot.waitSignal(step.sent, timeout=PATIENCE):
        step.checking.changes_wanted.emit({"port": smtp_catcher.port})
    assert world.saved("smtp.port") == smtp_catcher.port


@pytest.mark.parametrize(("missing", "way"), [("smtp.host", "to_account"), ("smtp.recipients", "to_recipients")])
def test_what_is_missing_is_named_and_nothing_is_sent(
    world: World, show, smtp_catcher: Mailbox, qtbot, missing: str, way: str
) -> None:
    set_up(world, smtp_catcher)
    world.model.update({missing: "" if missing == "smtp.host" else ()})
    step = show()
    assert "must be set first" in step.outcome.text()
    assert getattr(step, way).isVisible()
    with qtbot.waitSignal(step.passed):
        step.forward()  # it may still be passed over
    assert not smtp_catcher.mails


def test_stopping_leaves_no_work_behind(world: World, show, smtp_catcher: Mailbox, qtbot) -> None:
    set_up(world, smtp_catcher)
    step = show()
    step.forward()
    step.halt()
    assert not step.busy
    done: list[bool] = []
    for _lane in range(2):
        world.bridge.run(lambda: True, done.append, lambda _error: None, owner=world.bridge)
    qtbot.waitUntil(lambda: len(done) == 2, timeout=PATIENCE)
    assert not step.outcome.isVisible()
    assert not step.complete()
