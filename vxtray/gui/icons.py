"""Icons from the shipped SVG files, drawn in the theme's colours. GUI thread only.

Every drawing is one colour, ``currentColor``, except the application's own. Line icons stand on a grid of 16, tray
shields on a grid of 24 that leaves the outermost unit free, so that a panel of 22 px shows them without blur. Marks
whose edges fall on whole pixels at 16 and 32 px are drawn once more (``-24``) for 22 and 24 px.
"""

import contextlib
import os
import sys
from enum import StrEnum
from functools import cache
from typing import Literal

from PySide6.QtCore import QByteArray, QRectF, QSize
from PySide6.QtGui import QIcon, QImage, QPainter, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QWidget

from vxtray.core.paths import resource
from vxtray.gui.tokens import DARK, LIGHT

#: Edge lengths, in device-independent pixels, that panels and menus ask for.
SIZES = (16, 22, 24, 32)

#: And Windows' at 125 and 175 %.
_SCALED = (20, 28)

Scheme = Literal["light", "dark", "symbolic"]


class TrayState(StrEnum):
    """What the tray icon says; the value names the drawing."""

    OK = "ok"  # filled shield
    ALERT = "alert"  # with an exclamation mark: alerts that nobody acknowledged
    ATTENTION = "attention"  # with a dot
    ERROR = "error"  # with a cross
    PAUSED = "paused"  # with two bars
    SENDING = "sending"  # with an arrow
    OFFLINE = "offline"  # outlined


#: The colour repeats what the shape says, it never says anything alone.
_TRAY_TOKEN = {
    TrayState.OK: "accent",
    TrayState.ALERT: "danger",
    TrayState.ATTENTION: "warning",
    TrayState.ERROR: "danger",
    TrayState.PAUSED: "secondary",
    TrayState.SENDING: "accent",
    TrayState.OFFLINE: "secondary",
}


#: Drawings that have a twin for panels of 22 and 24 px.
_TWINS = frozenset({"tray-alert", "tray-paused", "tray-sending"})
_TWIN_SIZES = frozenset({22, 24})


def pixmap(name: str, colour: str, size: int, ratio: float = 1.0) -> QPixmap:
    """Return ``icons/<name>.svg`` in ``colour`` (``#rrggbb``), ``size`` device-independent px square.

    ``ratio`` is the device pixel ratio of the screen it is for. Raises ``FileNotFoundError`` for an unknown name.
    """
    key = f"vxtray:{name}:{colour}:{size}:{ratio}"
    found = QPixmap()
    if not QPixmapCache.find(key, found):
        found = QPixmap.fromImage(_render(name, colour, size, ratio))
        QPixmapCache.insert(key, found)
    return found


def tray_icon(state: TrayState, scheme: Scheme) -> QIcon:
    """Return the shield for a panel that is ``light`` or ``dark``, or a black mask (``symbolic``)."""
    tokens = DARK if scheme == "dark" else LIGHT
    colour = "#000000" if scheme == "symbolic" else getattr(tokens, _TRAY_TOKEN[state])
    icon = _icon(f"tray-{state}", colour, (*SIZES, *_SCALED))
    icon.setIsMask(scheme == "symbolic")
    return icon


def panel_scheme(*, dark: bool) -> Scheme:
    """Return what suits the panel that holds the tray; ``dark`` is the look of windows, which most panels share."""
    if sys.platform == "darwin":
        return "symbolic"  # the menu bar colours the mask itself
    if sys.platform == "win32":
        return "light" if _light_taskbar() else "dark"
    if "GNOME" in os.environ.get("XDG_CURRENT_DESKTOP", "").split(":"):
        return "dark"  # the top bar, whatever the windows look like
    return "dark" if dark else "light"


def _light_taskbar() -> bool:
    """Ask Windows for the colour of its taskbar, which windows need not share."""
    if sys.platform == "win32":
        import winreg

        place = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
        with contextlib.suppress(OSError), winreg.OpenKey(winreg.HKEY_CURRENT_USER, place) as key:
            return bool(winreg.QueryValueEx(key, "SystemUsesLightTheme")[0])
    return False


def app_icon() -> QIcon:
    """Return the icon of the program for windows and notifications."""
    return _icon("vxtray", "#000000", (*SIZES, 48, 64, 128, 256))


class IconLabel(QWidget):
    """An icon in the colour of a token, beside text that says the same: assistive technology passes it over."""

    def __init__(self, name: str, colour: str, size: int = 16, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._colour = colour
        self._size = size

    def set_icon(self, name: str, colour: str) -> None:
        """Show another icon or colour."""
        self._name, self._colour = name, colour
        self.update()

    def sizeHint(self) -> QSize:
        """Return the icon's size at the scale of the font."""
        from vxtray.gui.theme import theme

        edge = theme().px(self._size)
        return QSize(edge, edge)

    def minimumSizeHint(self) -> QSize:
        """Return the same: an icon is never squeezed."""
        return self.sizeHint()

    def paintEvent(self, _event: object) -> None:
        """Draw the icon in the middle."""
        from vxtray.gui.theme import theme

        look = theme()
        edge = look.px(self._size)
        drawn = pixmap(self._name, look.colour(self._colour).name(), edge, self.devicePixelRatioF())
        painter = QPainter(self)
        painter.drawPixmap((self.width() - edge) // 2, (self.height() - edge) // 2, drawn)
        painter.end()


def _icon(name: str, colour: str, sizes: tuple[int, ...]) -> QIcon:
    icon = QIcon()
    for size in sizes:
        for ratio in (1.0, 2.0):
            twin = ratio == 1 and size in _TWIN_SIZES and name in _TWINS
            icon.addPixmap(pixmap(f"{name}-24" if twin else name, colour, size, ratio))
    return icon


def _render(name: str, colour: str, size: int, ratio: float) -> QImage:
    edge = round(size * ratio)
    # Clear from the beginning: ``fill`` would have PySide make all constants of ``Qt`` first, for 20 ms of the start.
    image = QImage(bytes(4 * edge * edge), edge, edge, QImage.Format.Format_ARGB32_Premultiplied)
    renderer = QSvgRenderer(QByteArray(_source(name).replace(b"currentColor", colour.encode())))
    grid = renderer.viewBoxF().width()
    # 22 px of a grid of 24: cut the free edge off instead of scaling, so that lines stay on whole pixels
    margin = edge / 22 if grid == 24 and size == 22 else 0
    painter = QPainter(image)
    renderer.render(painter, QRectF(-margin, -margin, edge + 2 * margin, edge + 2 * margin))
    painter.end()
    image.setDevicePixelRatio(ratio)
    return image


@cache
def _source(name: str) -> bytes:
    return resource(f"icons/{name}.svg").read_bytes()
