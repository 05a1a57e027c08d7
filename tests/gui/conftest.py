"""For the window's tests: Qt off screen, and nothing left of one test's windows for the next."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_window_left(isolation: object) -> Iterator[None]:
    """Close and delete what a test left open."""
    yield
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication

    if QApplication.instance() is None:
        return
    for widget in QApplication.topLevelWidgets():
        widget.close()
        widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
