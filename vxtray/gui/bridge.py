"""The one door between the GUI thread and all others: notices come in, slow work goes out, answers come back.

``post`` and ``call`` may be used from any thread; everything they bring runs on the GUI thread, in order for each
sender. ``run`` sends work to ``vx-task`` threads (at most two), what a person waits for at once to ``vx-read``, which
no import and no export keeps busy, and what itself waits for a person for minutes to ``vx-wait``.
"""

import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from shiboken6 import isValid

from vxtray.core.errors import VxtrayError

if TYPE_CHECKING:  # the bridge is there before the engine is loaded
    from vxtray.core.mail.transport import Cutoff
    from vxtray.core.notices import Notice

log = logging.getLogger(__name__)

T = TypeVar("T")

#: What is brought at once; then the window has its turn, to paint and to answer.
_TURN_SECONDS = 0.01

_STOP_SECONDS = 3.0
_CUT_SECONDS = 1.0


class _Lane:
    """Threads that do what is put here, in order; they begin with the first work there is for them."""

    def __init__(self, name: str, most: int, stopping: threading.Event) -> None:
        self._name = name
        self._most = most
        self._stopping = stopping
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.workers: list[threading.Thread] = []

    def put(self, task: Callable[[], None]) -> None:
        if len(self.workers) < self._most:
            worker = threading.Thread(target=self._work, name=f"{self._name}-{len(self.workers)}", daemon=True)
            self.workers.append(worker)
            worker.start()
        self._tasks.put(task)

    def end(self) -> None:
        for _worker in self.workers:
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self._stopping.is_set():
            task()


class Bridge(QObject):
    """Made on the GUI thread.

    Signals: ``noticed(notice)`` for each notice of the engine; ``broken(error)`` for a fault nobody handles.
    """

    noticed = Signal(object)
    broken = Signal(object)
    _arrived = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._work = _Lane("vx-task", 2, self._stopping)
        self._reads = _Lane("vx-read", 1, self._stopping)
        self._waits = _Lane("vx-wait", 2, self._stopping)
        self._cutoffs: weakref.WeakSet[Cutoff] = weakref.WeakSet()
        self._arrived.connect(self._drain, Qt.ConnectionType.QueuedConnection)
        self._later = QTimer(self, singleShot=True)  # a signal would come within the same turn of the event loop
        self._later.timeout.connect(self._drain)

    def post(self, notice: "Notice") -> None:
        """Bring a notice to the GUI thread."""
        self.call(lambda: self.noticed.emit(notice))

    def call(self, action: Callable[[], None]) -> None:
        """Run something on the GUI thread, soon. Many calls make one wake-up."""
        self._inbox.put(action)
        if not self._woken.is_set():
            self._woken.set()
            if isValid(self):
                self._arrived.emit()

    @Slot()
    def _drain(self) -> None:
        self._woken.clear()
        until = time.perf_counter() + _TURN_SECONDS
        while not self._inbox.empty():
            if time.perf_counter() > until:
                self._woken.set()
                self._later.start(0)
                return
            action = self._inbox.get_nowait()
            try:
                action()
            except Exception as error:
                log.exception("a message from another thread met a fault")
                self.broken.emit(error)

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
        *,
        owner: QObject,
        quick: bool = False,
        waits: bool = False,
    ) -> None:
        """Do ``work`` on another thread and answer on this one, or nowhere if ``owner`` or the program is gone.

        ``quick`` is for reads of a few hundred milliseconds at most, which must not wait behind an import; ``waits``
        for what takes as long as a person does, which must keep nothing else waiting.
        A fault that nobody foresaw is answered too, and ``broken`` tells of it besides.
        """
        if self._stopping.is_set():
            return

        def task() -> None:
            answer: Callable[[Any], None]
            try:
                result: Any = work()
                answer = done
            except Exception as error:
                result, answer = error, failed
                if not isinstance(error, VxtrayError):
                    log.exception("work for the window met a fault")
                    self.call(lambda error=error: self.broken.emit(error))  # type: ignore[misc]  # outlives the except
            self.call(lambda: answer(result) if isValid(owner) and not self._stopping.is_set() else None)

        (self._reads if quick else self._waits if waits else self._work).put(task)

    def cutoff(self) -> "Cutoff":
        """Return what ends a conversation with the mail server; ``stop`` uses it too. GUI thread only."""
        from vxtray.core.mail.transport import Cutoff

        made = Cutoff()
        self._cutoffs.add(made)
        if self._stopping.is_set():
            made.cut()
        return made

    def stop(self) -> None:
        """Take no more work; mail servers are cut off, and a keyring's prompt is left behind after a moment."""
        self._stopping.set()
        lanes = (self._work, self._reads, self._waits)
        for lane in lanes:
            lane.end()
        for in_doubt, seconds in ((False, _STOP_SECONDS), (True, _CUT_SECONDS)):
            for cutoff in self._cutoffs:
                cutoff.cut(in_doubt=in_doubt)
            until = time.monotonic() + seconds
            for worker in (worker for lane in lanes for worker in lane.workers):
                worker.join(max(0.0, until - time.monotonic()))
