"""What an X server shows at one place, asked without a process: Xlib through ctypes."""

import ctypes
import ctypes.util
import time
from types import TracebackType

_Z_PIXMAP = 2
_ALL_PLANES = 0xFFFFFFFF
_LOOK_SECONDS = 0.002


class Pixel:
    """One pixel of the screen, at ``x`` and ``y``. Raises ``OSError`` where there is no X server."""

    def __init__(self, display: str, x: int, y: int) -> None:
        self._x, self._y = x, y
        self._lib = ctypes.CDLL(ctypes.util.find_library("X11"))
        self._lib.XOpenDisplay.restype = ctypes.c_void_p
        self._lib.XDefaultRootWindow.restype = ctypes.c_ulong
        self._lib.XGetImage.restype = ctypes.c_void_p
        self._lib.XGetPixel.restype = ctypes.c_ulong
        self._display = ctypes.c_void_p(self._lib.XOpenDisplay(display.encode()))
        if not self._display:
            raise OSError(f"no X server at {display}")
        self._root = ctypes.c_ulong(self._lib.XDefaultRootWindow(self._display))

    def __enter__(self) -> "Pixel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lib.XCloseDisplay(self._display)

    def colour(self) -> int:
        """Return what it shows now."""
        image = ctypes.c_void_p(
            self._lib.XGetImage(
                self._display, self._root, self._x, self._y, 1, 1, ctypes.c_ulong(_ALL_PLANES), _Z_PIXMAP
            )
        )
        found = int(self._lib.XGetPixel(image, 0, 0))
        self._lib.XDestroyImage(image)
        return found

    def differs_from(self, colour: int, seconds: float = 30) -> float:
        """Wait until it shows something else and return when that was, by ``time.perf_counter``."""
        end = time.perf_counter() + seconds
        while self.colour() == colour:
            if time.perf_counter() > end:
                raise TimeoutError("nothing is painted there")
            time.sleep(_LOOK_SECONDS)
        return time.perf_counter()
