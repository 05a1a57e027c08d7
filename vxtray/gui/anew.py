"""When the window may be made anew in another language, and how it then comes back to where it was. GUI thread only."""

from PySide6.QtWidgets import QApplication, QDialog, QLineEdit, QPlainTextEdit, QScrollBar


def holds_input() -> bool:
    """True while a menu or a dialog is open whose content would be lost with the window that it belongs to."""
    if QApplication.activeModalWidget() is not None or QApplication.activePopupWidget() is not None:
        return True
    dialogs = [one for one in QApplication.topLevelWidgets() if isinstance(one, QDialog) and one.isVisible()]
    fields: list[QLineEdit | QPlainTextEdit] = []
    for one in dialogs:
        fields += [*one.findChildren(QLineEdit), *one.findChildren(QPlainTextEdit)]
    return any(field.isVisible() and not field.isReadOnly() for field in fields)


def scroll_when_laid_out(bar: QScrollBar, value: int) -> None:
    """Bring a page to where it was, as soon as it is laid out that far."""

    def reach(_least: int, most: int) -> None:
        if most >= value:
            bar.rangeChanged.disconnect(reach)
            bar.setValue(value)

    bar.rangeChanged.connect(reach)
    reach(0, bar.maximum())
