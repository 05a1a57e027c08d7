"""Hearing of changed settings for as long as a part of the window lives. GUI thread only."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from vxtray.core.settings.model import Change, SettingsModel


def follow(owner: QObject, model: SettingsModel, listener: Callable[[Change], None]) -> None:
    """Call a listener after each change of the settings for as long as its owner lives.

    A window that was replaced (another language) must not be called any more.
    """
    undo = model.subscribe(listener)
    owner.destroyed.connect(lambda _owner: undo())
