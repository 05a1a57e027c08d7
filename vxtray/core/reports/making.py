"""A report with everything that is made of it: the mail, the PDF, the table, the charts.

Runs on the ``vx-report`` worker or in a command.
"""

import socket
from collections.abc import Callable, Sequence

import msgspec

from vxtray import __version__
from vxtray.core.mail.message import Attachment
from vxtray.core.mail.render import Document, Reader
from vxtray.core.reports.build import Report
from vxtray.core.reports.csvfile import csv_file
from vxtray.core.reports.document import report_paper
from vxtray.core.reports.files import attachments, json_file, page
from vxtray.core.reports.language import mail_language
from vxtray.core.reports.paper import Paper
from vxtray.core.reports.rendering import Documents, documents
from vxtray.core.settings.tree import Settings


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A report with its documents. ``document`` is the mail, ``attached`` what goes along with it.

    ``pdf`` is empty where it could not be drawn (the mail says so then); ``charts`` has the time chart as an SVG for
    "light" and "dark", nothing for a report without events.
    """

    report: Report
    reader: Reader
    document: Document
    pdf: bytes = b""
    csv: bytes = b""
    charts: dict[str, bytes] = {}
    attached: tuple[Attachment, ...] = ()

    def files(self) -> dict[str, bytes]:
        """Return what ``vxtray report --out`` writes, by file name, but for the message; none is empty."""
        files = {
            "report.html": page(self.document).encode(),
            "report.txt": self.document.text.encode(),
            "report.pdf": self.pdf,
            "report.csv": self.csv,
            "report.json": json_file(self.report, self.reader),
        }
        return {name: data for name, data in files.items() if data}


def made_of(
    report: Report,
    settings: Settings,
    draw: Callable[[Paper], Documents] | None = None,
    *,
    on_time: bool = False,
    late_reason: str = "",
    remarks: Sequence[str] = (),
) -> Made:
    """Write a report as the settings want it; the other values are those of ``document.report_paper``.

    ``draw`` is ``rendering.documents`` where nothing else is asked for.
    """
    reader = Reader(
        language=mail_language(settings.reports.language, settings),
        zone=report.period.zone,
        defang=settings.general.defang,
        mask_internal=settings.general.mask_internal,
    )
    with_pdf, with_csv = settings.reports.attach_pdf, settings.reports.attach_csv
    paper = report_paper(
        report,
        reader,
        on_time=on_time,
        late_reason=late_reason,
        remarks=remarks,
        host=socket.gethostname(),
        version=__version__,
        attached=[kind for kind, wanted in (("PDF", with_pdf), ("CSV", with_csv)) if wanted],
    )
    drawn, table = (draw or documents)(paper), csv_file(report, reader)
    return Made(
        report=report,
        reader=reader,
        document=drawn.mail,
        pdf=drawn.pdf,
        csv=table,
        charts=drawn.charts,
        attached=attachments(report.period, drawn.pdf if with_pdf else b"", table if with_csv else b""),
    )
