"""The one door between the GUI thread and all others: notices come in, slow work goes out, answers come back.

``post`` and ``call`` may be used from any thread; everything they bring runs on the GUI thread, in order for each
sender. ``run`` sends work to ``vx-task`` threads (at most two).
"""

import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot
from shiboken6 import isValid

from vxtray.core.errors import VxtrayError
from vxtray.core.mail.transport import Cutoff
from vxtray.core.notices import Notice

log = logging.getLogger(__name__)

T = TypeVar("T")

_WORKERS = 2
_STOP_SECONDS = 3.0
_CUT_SECONDS = 1.0


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
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._cutoffs: weakref.WeakSet[Cutoff] = weakref.WeakSet()
        self._arrived.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    def post(self, notice: Notice) -> None:
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
        while not self._inbox.empty():
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
    ) -> None:
        """Do ``work`` on another thread and answer on this one, or nowhere if ``owner`` is gone by then.

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
            self.call(lambda: answer(result) if isValid(owner) else None)

        if len(self._workers) < _WORKERS:
            worker = threading.Thread(target=self._work, name=f"vx-task-{len(self._workers)}", daemon=True)
            self._workers.append(worker)
            worker.start()
        self._tasks.put(task)

    def cutoff(self) -> Cutoff:
        """Return what ends a conversation with the mail server; ``stop`` uses it too. GUI thread only."""
        made = Cutoff()
        self._cutoffs.add(made)
        if self._stopping.is_set():
            made.cut()
        return made

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self._stopping.is_set():
            task()

    def stop(self) -> None:
        """Take no more work; mail servers are cut off, and a keyring's prompt is left behind after a moment."""
        self._stopping.set()
        for _worker in self._workers:
            self._tasks.put(None)
        for in_doubt, seconds in ((False, _STOP_SECONDS), (True, _CUT_SECONDS)):
            for cutoff in self._cutoffs:
                cutoff.cut(in_doubt=in_doubt)
            until = time.monotonic() + seconds
            for worker in self._workers:
                worker.join(max(0.0, until - time.monotonic()))
