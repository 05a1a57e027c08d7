"""The documents of a report: HTML and text for the mail, its pictures, the PDF, the charts for the window.

``documents`` runs on the caller's thread (``vx-report`` or a command) and has a process of its own draw, so that no
window waits meanwhile and the memory is given back. The process ends with its pipe and holds none of our files.
"""

import hashlib
import logging
import time

import msgspec

from vxtray.core import texts
from vxtray.core.mail.message import Image
from vxtray.core.mail.render import Document, render
from vxtray.core.parsers.worker import Child
from vxtray.core.reports.drawing import SCHEMES, DrawingFailed, chart_png, chart_svg, pdf
from vxtray.core.reports.paper import Paper, Section, Table

log = logging.getLogger(__name__)

#: Drawing takes a second at most; a machine may be busy.
_PATIENCE = 60.0

#: Rows of a list in the mail; the text part and the files have all.
MAIL_ROWS = 5


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """What was drawn. ``charts`` has the time chart as an SVG for "light" and "dark", nothing for an empty report.

    Where drawing failed, ``pdf`` and ``charts`` are empty, the mail has bars instead of a picture and says so.
    """

    mail: Document
    pdf: bytes = b""
    charts: dict[str, bytes] = {}


def documents(paper: Paper) -> Documents:
    """Draw a report in a process of its own; where that one dies, in this one. Raises nothing but for a broken
    installation (``FileNotFoundError``).
    """
    try:
        return msgspec.msgpack.decode(_asked(msgspec.msgpack.encode(paper)), type=Documents)
    except TimeoutError as fault:
        log.warning("the process that draws reports did not answer; the report goes without charts and PDF")
        return _faulty(paper, DrawingFailed(reason=fault))
    except (OSError, EOFError) as fault:
        log.warning("the process that draws reports ended (%s); drawing without it", str(fault) or type(fault).__name__)
        return drawn(paper)


def _asked(message: bytes) -> bytes:
    """Return a process's answer. Raises ``OSError`` or ``EOFError`` where it died, ``TimeoutError``."""
    child = Child(_answer, "vxtray-report")
    end = time.monotonic() + _PATIENCE
    try:
        child.send(message)
        while not child.started():
            if not child.pipe.poll(max(0.0, end - time.monotonic())):
                raise TimeoutError(f"no answer within {_PATIENCE:.0f} s")
        if not child.pipe.poll(max(0.0, end - time.monotonic())):
            raise TimeoutError(f"no answer within {_PATIENCE:.0f} s")
        return child.receive()
    finally:
        child.close()


def _answer(message: bytes) -> bytes:
    return msgspec.msgpack.encode(drawn(msgspec.msgpack.decode(message, type=Paper)))


def drawn(paper: Paper) -> Documents:
    """Draw a report in this process."""
    try:
        charts: dict[str, bytes] = {}
        images: tuple[Image, ...] = ()
        if paper.chart is not None:
            charts = {scheme: chart_svg(paper.chart, paper.language, scheme) for scheme in SCHEMES}
            images = tuple(_image(scheme, chart_png(paper.chart, paper.language, scheme)) for scheme in SCHEMES)
        return Documents(mail=_mail(paper, images), pdf=pdf(paper), charts=charts)
    except DrawingFailed as fault:
        log.warning("a report could not be drawn: %s", fault)
        return _faulty(paper, fault)


def undrawn(paper: Paper) -> Documents:
    """Return the mail alone, without pictures."""
    return Documents(mail=_mail(paper, (), pdf_made=False))


def _faulty(paper: Paper, fault: DrawingFailed) -> Documents:
    said = texts.title(fault, paper.language)
    return undrawn(msgspec.structs.replace(paper, warnings=(*paper.warnings, said)))


def _image(scheme: str, data: bytes) -> Image:
    # Mail programs remember pictures by their Content-ID: another picture needs another one.
    return Image(f"chart-{scheme}-{hashlib.sha256(data).hexdigest()[:16]}@vxtray", "image/png", data)


def _mail(paper: Paper, images: tuple[Image, ...], *, pdf_made: bool = True) -> Document:
    rendered = render(
        "report",
        paper.language,
        {
            "paper": paper,
            "preheader": " ".join(paper.sentences),
            "kicker": paper.kicker,
            "heading": paper.heading,
            "subheading": paper.subheading,
            "footer": _footer(paper, pdf_made=pdf_made),
            "pictures": [image.cid for image in images],
            "rankings": [(section.title, _first(section.tables[0])) for section in paper.sections if _listed(section)],
            "also": [(section.title, section.line) for section in paper.sections if section.line],
        },
    )
    return Document(subject=paper.subject, html=rendered.html, text=rendered.text, images=images)


def _footer(paper: Paper, *, pdf_made: bool) -> list[str]:
    kinds = ", ".join(kind for kind in paper.attached if pdf_made or kind != "PDF")
    full = paper.labels.attached.replace("{kinds}", kinds) + " " if kinds else ""
    *before, last = paper.closing
    return [line for line in (" · ".join(paper.health), *before, full + last) if line]


def _listed(section: Section) -> bool:
    return not section.line and bool(section.tables) and section.tables[0].bars


def _first(table: Table) -> Table:
    return msgspec.structs.replace(table, rows=table.rows[:MAIL_ROWS])
