"""Work in pieces: in order, each in a turn of its own, and with its owner gone none."""

from PySide6.QtCore import QObject, QTimer

from vxtray.gui.turns import Turns


def test_each_piece_has_a_turn_of_its_own_in_order(qapp, qtbot) -> None:
    done: list[str] = []
    owner = QObject()
    heart = QTimer(owner, interval=0)
    heart.timeout.connect(lambda: done.append("beat"))
    turns = Turns(owner)
    turns.take(lambda: done.append("a"), lambda: done.append("b"))
    turns.take(lambda: done.append("c"))
    assert done == []
    heart.start()
    qtbot.waitUntil(lambda: "c" in done)
    pieces = [one for one in done if one != "beat"]
    assert pieces == ["a", "b", "c"]
    assert "beat" in done[done.index("a") : done.index("b")]
    assert "beat" in done[done.index("b") : done.index("c")]


def test_a_piece_that_fails_keeps_no_other(qapp, qtbot) -> None:
    done: list[str] = []
    owner = QObject()
    turns = Turns(owner)
    with qtbot.captureExceptions() as faults:
        turns.take(lambda: done.append(str(1 / 0)), lambda: done.append("b"))
        qtbot.waitUntil(lambda: done == ["b"])
    assert [fault[0] for fault in faults] == [ZeroDivisionError]


def test_nothing_runs_once_its_owner_is_gone(qapp, qtbot) -> None:
    done: list[str] = []
    owner = QObject()
    Turns(owner).take(lambda: done.append("a"))
    owner.deleteLater()
    del owner
    qtbot.wait(50)
    assert done == []
