"""The application's icon as every system wants it, drawn from ``resources/icons/vxtray.svg``.

``python packaging/icons.py FOLDER`` writes ``vxtray.ico`` (Windows), ``vxtray.icns`` (macOS) and ``hicolor/`` (the icon
theme of Linux desktops). Needs PySide6, no screen.
"""

import shutil
import struct
import sys
from pathlib import Path

from names import DESKTOP_ID, ROOT

SOURCE = ROOT / "resources" / "icons" / "vxtray.svg"

#: Edge lengths in px: what Debian's desktops, Explorer and the taskbar ask for.
HICOLOR = (16, 22, 24, 32, 48, 64, 128, 256)
ICO = (16, 20, 24, 32, 40, 48, 64, 256)

#: Kinds of pictures in an .icns file that may be PNG, by edge length; the second of a length is for Retina screens.
ICNS = ((b"ic11", 32), (b"ic12", 64), (b"ic07", 128), (b"ic08", 256), (b"ic13", 256), (b"ic09", 512), (b"ic14", 512))


def png(edge: int) -> bytes:
    """Return the icon as a PNG, ``edge`` px square."""
    from PySide6.QtCore import QBuffer, QIODevice, QRectF, Qt
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    image = QImage(edge, edge, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(SOURCE)).render(painter, QRectF(0, 0, edge, edge))
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data().data())


def ico(pictures: dict[int, bytes]) -> bytes:
    """Return an .ico file of PNGs by their edge length: a directory of 16 bytes each, then the pictures."""
    directory, data = struct.pack("<HHH", 0, 1, len(pictures)), b""
    begin = len(directory) + 16 * len(pictures)
    for edge, picture in sorted(pictures.items()):
        size = edge if edge < 256 else 0  # one byte: 0 stands for 256
        directory += struct.pack("<BBBBHHII", size, size, 0, 0, 1, 32, len(picture), begin + len(data))
        data += picture
    return directory + data


def icns(pictures: dict[bytes, bytes]) -> bytes:
    """Return an .icns file of PNGs by their kind: each with its kind and length, all lengths big-endian."""
    body = b"".join(kind + struct.pack(">I", len(picture) + 8) + picture for kind, picture in pictures.items())
    return b"icns" + struct.pack(">I", len(body) + 8) + body


def write(folder: Path) -> Path:
    """Write all forms of the icon below a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {edge: png(edge) for edge in {*HICOLOR, *ICO, *(edge for _kind, edge in ICNS)}}
    (folder / "vxtray.ico").write_bytes(ico({edge: drawn[edge] for edge in ICO}))
    (folder / "vxtray.icns").write_bytes(icns({kind: drawn[edge] for kind, edge in ICNS}))
    for edge in HICOLOR:
        place = folder / "hicolor" / f"{edge}x{edge}" / "apps"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{DESKTOP_ID}.png").write_bytes(drawn[edge])
    scalable = folder / "hicolor" / "scalable" / "apps"
    scalable.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCE, scalable / f"{DESKTOP_ID}.svg")
    return folder


if __name__ == "__main__":
    write(Path(sys.argv[1]))
