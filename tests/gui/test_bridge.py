"""The door between threads: everything arrives on the GUI thread, in order, and nothing is left behind."""

import threading
import time
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QObject, QTimer, Slot

from vxtray.core.errors import NotConfigured
from vxtray.core.notices import QueueChanged
from vxtray.gui.bridge import Bridge


@pytest.fixture
def bridge(qapp):
    made = Bridge()
    yield made
    made.stop()


class Listener(QObject):
    """Keeps what it hears and on which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[QueueChanged] = []
        self.threads: set[int] = set()

    @Slot(object)
    def hear(self, notice: QueueChanged) -> None:
        self.heard.append(notice)
        self.threads.add(threading.get_ident())


def notice(sender: int, number: int) -> QueueChanged:
    return QueueChanged(at=datetime.now(UTC), queued=sender, held=number, failed=0)


def test_twenty_thousand_notices_of_four_threads_arrive_here_in_order(bridge: Bridge, qtbot) -> None:
    listener = Listener()
    bridge.noticed.connect(listener.hear)

    def send(sender: int) -> None:
        for number in range(5_000):
            bridge.post(notice(sender, number))

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    qtbot.waitUntil(lambda: len(listener.heard) == 20_000, timeout=20_000)
    for thread in threads:
        thread.join()
    assert listener.threads == {threading.get_ident()}
    for sender in range(4):
        assert [heard.held for heard in listener.heard if heard.queued == sender] == list(range(5_000))


def test_the_window_has_its_turn_while_very_many_notices_arrive(bridge: Bridge, qtbot) -> None:
    seen: list[QueueChanged] = []
    beats: list[int] = []

    def slow(one: QueueChanged) -> None:
        time.sleep(0.001)  # as a page takes that shows it: all of them would take the window a fifth of a second
        seen.append(one)

    bridge.noticed.connect(slow)
    heart = QTimer(interval=1)
    heart.timeout.connect(lambda: beats.append(len(seen)))
    heart.start()
    for _ in range(200):
        bridge.post(notice(0, 0))
    qtbot.waitUntil(lambda: len(seen) == 200)
    assert len([count for count in beats if 0 < count < 200]) >= 5


def test_a_notice_from_the_gui_thread_comes_later_not_at_once(bridge: Bridge, qtbot) -> None:
    listener = Listener()
    bridge.noticed.connect(listener.hear)
    bridge.post(notice(0, 0))
    assert listener.heard == []
    qtbot.waitUntil(lambda: len(listener.heard) == 1)


def test_work_runs_elsewhere_and_is_answered_here(bridge: Bridge, qtbot) -> None:
    answers: list[tuple[str, str]] = []
    bridge.run(
        lambda: threading.current_thread().name,
        lambda name: answers.append((name, threading.current_thread().name)),
        lambda error: pytest.fail(str(error)),
        owner=bridge,
    )
    qtbot.waitUntil(lambda: bool(answers))
    assert answers[0][0].startswith("vx-task")
    assert answers[0][1] == threading.main_thread().name


def test_at_most_two_at_a_time_and_none_lost(bridge: Bridge, qtbot) -> None:
    together, most, done = 0, 0, []
    guard = threading.Lock()
    meet = threading.Barrier(2)

    def work() -> None:
        nonlocal together, most
        with guard:
            together += 1
            most = max(most, together)
        meet.wait(10)
        with guard:
            together -= 1

    for _ in range(20):
        bridge.run(work, done.append, lambda error: pytest.fail(str(error)), owner=bridge)
    qtbot.waitUntil(lambda: len(done) == 20)
    assert most == 2


def test_a_quick_read_does_not_wait_behind_long_work(bridge: Bridge, qtbot) -> None:
    go, began, answers = threading.Event(), threading.Semaphore(0), []

    def work() -> None:
        began.release()
        go.wait(10)

    for _ in range(3):
        bridge.run(work, lambda _none: None, answers.append, owner=bridge)
    began.acquire()
    began.acquire()
    bridge.run(lambda: threading.current_thread().name, answers.append, answers.append, owner=bridge, quick=True)
    qtbot.waitUntil(lambda: bool(answers))
    assert answers == ["vx-read-0"]
    go.set()


def test_a_known_fault_reaches_who_asked_and_nobody_else(bridge: Bridge, qtbot) -> None:
    faults: list[Exception] = []
    broken: list[Exception] = []
    bridge.broken.connect(broken.append)

    def work() -> None:
        raise NotConfigured

    bridge.run(work, lambda _none: pytest.fail("no answer was due"), faults.append, owner=bridge)
    qtbot.waitUntil(lambda: bool(faults))
    assert isinstance(faults[0], NotConfigured)
    assert broken == []


@pytest.mark.expected_log("work for the window met a fault")
def test_an_unforeseen_fault_reaches_who_asked_and_the_report(bridge: Bridge, qtbot) -> None:
    faults: list[Exception] = []
    broken: list[Exception] = []
    bridge.broken.connect(broken.append)

    def work() -> None:
        raise ZeroDivisionError("by zero")

    bridge.run(work, lambda _none: pytest.fail("no answer was due"), faults.append, owner=bridge)
    qtbot.waitUntil(lambda: bool(broken))
    assert faults == broken
    assert isinstance(faults[0], ZeroDivisionError)


def test_an_answer_to_one_who_is_gone_goes_nowhere(bridge: Bridge, qtbot) -> None:
    from shiboken6 import delete

    go = threading.Event()
    owner, answers = QObject(), []

    def work() -> str:
        go.wait(10)
        return "late"

    def fail() -> None:
        go.wait(10)
        raise NotConfigured

    bridge.run(work, answers.append, answers.append, owner=owner)
    bridge.run(fail, answers.append, answers.append, owner=owner)
    delete(owner)
    go.set()
    after: list[str] = []
    bridge.run(lambda: "next", after.append, after.append, owner=bridge)
    bridge.run(lambda: "next", after.append, after.append, owner=bridge)
    qtbot.waitUntil(lambda: len(after) == 2)
    assert answers == []


@pytest.mark.expected_log("a message from another thread met a fault")
def test_a_fault_in_a_message_is_told_and_the_next_still_comes(bridge: Bridge, qtbot) -> None:
    broken: list[Exception] = []
    came: list[int] = []
    bridge.broken.connect(broken.append)

    def bad() -> None:
        raise ZeroDivisionError("in a message")

    bridge.call(bad)
    bridge.call(lambda: came.append(1))
    qtbot.waitUntil(lambda: bool(came))
    assert isinstance(broken[0], ZeroDivisionError)


def test_stop_leaves_no_thread_and_drops_what_waits(qapp) -> None:
    bridge = Bridge()
    go, began, ran = threading.Event(), threading.Semaphore(0), []

    def work() -> None:
        began.release()
        go.wait(10)

    for _ in range(2):
        bridge.run(work, ran.append, ran.append, owner=bridge)
    for _ in range(50):
        bridge.run(lambda: ran.append("waited"), lambda _none: None, ran.append, owner=bridge)
    began.acquire()
    began.acquire()
    threading.Timer(0.1, go.set).start()
    bridge.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vx-task")]
    assert ran == []
    bridge.run(lambda: ran.append("too late"), lambda _none: None, ran.append, owner=bridge)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vx-task")]
    assert ran == []
    bridge.stop()


def test_stop_does_not_wait_for_one_that_hangs(qapp) -> None:
    import time

    bridge, go = Bridge(), threading.Event()
    bridge.run(go.wait, lambda _good: None, lambda _error: None, owner=bridge)
    began = time.monotonic()
    bridge.stop()
    assert time.monotonic() - began < 5
    go.set()


def test_a_call_after_the_window_is_gone_harms_nobody(qapp) -> None:
    from shiboken6 import delete

    bridge = Bridge()
    delete(bridge)
    bridge.call(lambda: pytest.fail("nobody is there"))
