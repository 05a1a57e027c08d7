"""Run the real program on a real screen and measure how long its event loop is ever held up.

Usage: python rig.py PROFILE-FOLDER [--hidden]. Each line on standard input is a JSON list, each answer one JSON line
once it is done: ["rest", SECONDS], ["watch", PAGE, SECONDS], ["scroll", SECONDS], ["type", TEXTS], ["find", TEXT]. A
timer of 5 ms beats on the window's thread; a gap is the time between two beats. Where one is long, another thread looks
at what the window's thread is doing.
"""

import json
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

from PySide6.QtCore import QSocketNotifier, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from vxtray import desktop
from vxtray.cli import handler
from vxtray.core.paths import Profile
from vxtray.gui.main_window import MainWindow

BEAT_MS = 5
LONG = 0.05
SCROLL_MS = 30
TYPE_MS = 110


class Heart:
    """Beats on the window's thread and keeps the gaps; what held it up is seen by a thread beside it."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.busy: list[float] = []
        self.held_up: Counter[str] = Counter()
        self._last = time.perf_counter()
        self._worked = time.thread_time()
        self._owner = threading.get_ident()
        self._timer = QTimer(interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()
        threading.Thread(target=self._look, name="rig-look", daemon=True).start()

    def _beat(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.gaps.append(now - self._last)
        self.busy.append(worked - self._worked)
        self._last, self._worked = now, worked

    def _look(self) -> None:
        seen = 0.0
        while True:
            time.sleep(0.02)
            last = self._last
            if time.perf_counter() - last > LONG * 0.8 and last != seen:
                seen = last
                frame = sys._current_frames().get(self._owner)
                stack = traceback.extract_stack(frame) if frame is not None else []
                self.held_up[" < ".join(f"{one.name}:{one.lineno}" for one in islice(reversed(stack), 5))] += 1

    def begin(self) -> None:
        """Forget what was before."""
        self.gaps.clear()
        self.busy.clear()
        self.held_up.clear()
        self._last, self._worked = time.perf_counter(), time.thread_time()

    def told(self) -> dict[str, object]:
        """Return the greatest gap and the 99.9th of 100, in milliseconds, and what was being done in long ones.

        ``busy`` is the most processor time that the window's own thread took between two beats: the rest of a gap was
        waiting, for other threads or for other programs.
        """
        gaps = sorted(self.gaps)
        return {
            "worst": gaps[-1] * 1000,
            "busy": max(self.busy) * 1000,
            "rarely": gaps[int(len(gaps) * 0.999) - 1] * 1000,
            "long": sum(gap > LONG for gap in gaps),
            "beats": len(gaps),
            "held_up": self.held_up.most_common(5),
        }


def window() -> MainWindow:
    return next(one for one in QApplication.topLevelWidgets() if isinstance(one, MainWindow))


#: A task yields how long to wait before it goes on, in milliseconds.
Task = Iterator[int]


def there() -> Task:
    """Wait for the window and its pages: the program may be asked before it has any."""
    while not any(isinstance(one, MainWindow) and one.begun for one in QApplication.topLevelWidgets()):
        yield 10
    heart.begin()


def rest(seconds: float) -> Task:
    """Do nothing; also while there is no window."""
    yield round(seconds * 1000)


def watch(page: str, seconds: float) -> Task:
    window().go_to(page)
    yield round(seconds * 1000)


def scroll(seconds: float) -> Task:
    """Go down by leaps, and back up at times, as with the wheel and the bar."""
    window().go_to("events")
    page = window().events
    bar, until = page.table.verticalScrollBar(), time.perf_counter() + seconds
    step = 0
    while time.perf_counter() < until:
        step += 1
        bar.setValue(bar.value() // 3 if step % 100 == 0 else min(bar.value() + 30, bar.maximum()))
        yield SCROLL_MS
    answer["rows"] = page.model.rowCount()


def type_in(texts: list[str]) -> Task:
    """Type filters letter by letter, and take each back."""
    window().go_to("events")
    field = window().events.filters.text
    for text in texts:
        for letter in text:
            QTest.keyClicks(field, letter)
            yield TYPE_MS
        yield 1500
        for _ in text:
            QTest.keyClick(field, Qt.Key.Key_Backspace)
            yield TYPE_MS // 3
        yield 700


def find(text: str) -> Task:
    """Search for a text and say when its first rows, and when all of them, were there."""
    window().go_to("events")
    page = window().events
    model = page.model
    times: dict[str, float] = {}
    began = time.perf_counter()

    def first() -> None:
        if model.query.text == text:
            times.setdefault("first", time.perf_counter() - began)

    model.loaded.connect(first)
    page.filters.text.setText(text)
    began = time.perf_counter()
    page.filters.text.returnPressed.emit()
    while "first" not in times or model.looking is not None:
        yield 5
        if time.perf_counter() - began > 20:
            break
    answer.update(
        {name: took * 1000 for name, took in times.items()}
        | {"all": (time.perf_counter() - began) * 1000, "rows": model.rowCount()}
    )
    model.loaded.disconnect(first)


TASKS: dict[str, Callable[..., Task]] = {
    "rest": rest,
    "watch": watch,
    "scroll": scroll,
    "type": type_in,
    "find": find,
}


def go_on(task: Task) -> None:
    pause = next(task, None)
    if pause is not None:
        QTimer.singleShot(pause, lambda: go_on(task))
        return
    sys.stdout.write(json.dumps(answer | heart.told()) + "\n")
    sys.stdout.flush()


def hear() -> None:
    line = sys.stdin.readline()
    if not line:
        notifier.setEnabled(False)
        QApplication.quit()
        return
    name, *values = json.loads(line)
    answer.clear()
    heart.begin()
    task = TASKS[name](*values)
    go_on(task if name == "rest" else chain(there(), task))


answer: dict[str, object] = {}

if __name__ == "__main__":  # the program's own worker processes read this file again
    qt = QApplication(sys.argv[:1])
    heart = Heart()
    notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
    notifier.activated.connect(hear)
    sys.exit(desktop.run_window(Profile.under(Path(sys.argv[1])), handler, hidden="--hidden" in sys.argv[2:]))
