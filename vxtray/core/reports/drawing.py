"""Pictures and PDF of a report, by Typst (https://typst.app/docs/).

Runs in the process that ``rendering`` starts, or, where that one died, on the caller's thread. What a report says
reaches Typst as JSON input alone, so nothing that a log says is ever read as Typst source. Typst is imported with the
first report.
"""

import functools
import re
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from vxtray.core.errors import N_, VxtrayError
from vxtray.core.paths import resource
from vxtray.core.reports.paper import Chart, Paper

if TYPE_CHECKING:
    import typst

#: Pixels for an inch: a mail's picture is 544 pixels wide and has twice as many, for sharp screens.
_SHARP = 192

#: Scripts that our own font has: Latin, Greek, Cyrillic, signs. For others the fonts of the machine are searched.
_OWN = re.compile("[\x00-\u052f\u1d00-\u2bff\ufb00-\ufb06]*")

#: A longer run without a place to break would run out of its column; an address of 39 characters must stay whole.
_LONG_RUN = re.compile(r"[^\s\u00a0\u202f]{40,}")
_PIECE = re.compile(r".{1,12}")
_BREAK = "\N{ZERO WIDTH SPACE}"

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


class DrawingFailed(VxtrayError):
    """Typst could not draw; the values are its own words."""

    title = N_("The charts and the PDF could not be made: {reason}.")
    advice = N_("The figures stand in the mail itself. Install vxtray again if this happens each time.")


def chart_png(chart: Chart, language: str, scheme: Scheme) -> bytes:
    """Return the chart as a PNG of 1088 pixels' width, on an opaque ground. Raises ``DrawingFailed``."""
    return _compiled("picture.typ", "png", _picture(chart, language, scheme), chart.described)


def chart_svg(chart: Chart, language: str, scheme: Scheme) -> bytes:
    """Return the chart as an SVG, 408 points wide. Raises ``DrawingFailed``."""
    return _compiled("picture.typ", "svg", _picture(chart, language, scheme), chart.described)


def pdf(paper: Paper) -> bytes:
    """Return the whole report as a tagged PDF with its fonts embedded. Raises ``DrawingFailed``."""
    data = msgspec.json.encode(_breakable(msgspec.to_builtins(paper))).decode()
    return _compiled("report.typ", "pdf", {"paper": data}, data, made=datetime.fromisoformat(paper.made))


def _picture(chart: Chart, language: str, scheme: Scheme) -> dict[str, str]:
    return {"chart": msgspec.json.encode(chart).decode(), "language": language, "scheme": scheme}


def _compiled(
    template: str,
    kind: Literal["pdf", "png", "svg"],
    inputs: dict[str, str],
    words: str,
    made: datetime | None = None,
) -> bytes:
    try:
        compiler = _compiler(own=bool(_OWN.fullmatch(words)))
        drawn = compiler.compile(
            input=resource("report") / template,
            format=kind,
            ppi=_SHARP,
            sys_inputs=inputs,
            timestamp=made,
            # Tagged, but not claimed to be PDF/UA: that has Typst refuse a text with a sign that no font shows, and
            # what a log says is not ours to choose.
            pdf_tags=True,
        )
    except Exception as fault:
        raise DrawingFailed(reason=fault) from fault
    except BaseException as fault:
        # WORKAROUND: a fault inside Typst arrives as this one, which is no Exception
        # (https://pyo3.rs/main/doc/pyo3/panic/struct.panicexception).
        if type(fault).__name__ != "PanicException":
            raise
        raise DrawingFailed(reason=fault) from fault
    assert isinstance(drawn, bytes)
    return drawn


@functools.cache
def _compiler(*, own: bool) -> "typst.Compiler":
    import typst

    folder = resource("report")
    fonts = typst.Fonts(include_system_fonts=not own, include_embedded_fonts=not own, font_paths=[str(folder)])
    return typst.Compiler(root=folder, font_paths=fonts)


def _breakable(value: object) -> object:
    """Let long runs of characters break: in a URL of 200 characters there is no blank."""
    if isinstance(value, str):
        return _LONG_RUN.sub(lambda run: _BREAK.join(_PIECE.findall(run.group())), value)
    if isinstance(value, dict):
        return {key: _breakable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_breakable(one) for one in value]
    return value
