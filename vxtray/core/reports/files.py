"""A report as files: what goes along with its mail, and what a person saves.

Pure, any thread.
"""

import base64
import re

import msgspec

from vxtray.core.mail.message import Attachment
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.render import Document, Reader
from vxtray.core.reports.build import Report, numbers
from vxtray.core.reports.period import Period

_CID = re.compile(r'src="cid:([^"]+)"')
#: An ISO 8601 time: the program's own word, nothing to clean.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d(?::\d\d)?)?")
#: Characters of a text in the JSON document.
_LIMIT = 2000


def file_name(period: Period, ending: str) -> str:
    """Return vxtray-daily-2026-11-21.pdf, vxtray-monthly-2026-11.pdf, or vxtray-2026-11-02-to-2026-11-21.pdf."""
    if period.custom:
        return f"vxtray-{period.first:%Y-%m-%d}-to-{period.last:%Y-%m-%d}.{ending}"
    day = f"{period.first:%Y-%m}" if period.cadence == "monthly" else f"{period.first:%Y-%m-%d}"
    return f"vxtray-{period.cadence}-{day}.{ending}"


def attachments(period: Period, pdf: bytes, csv: bytes) -> tuple[Attachment, ...]:
    """Return the files that go along, those that are empty left out."""
    files = (("pdf", "application/pdf", pdf), ("csv", "text/csv", csv))
    return tuple(Attachment(file_name(period, ending), kind, data) for ending, kind, data in files if data)


def page(document: Document) -> str:
    """Return the mail's HTML as a page of its own: its pictures stand in it as data."""
    uris = {
        image.cid: f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"
        for image in document.images
    }
    return _CID.sub(lambda found: f'src="{uris.get(found[1], "")}"', document.html)


def figures(report: Report, reader: Reader) -> dict[str, object]:
    """Return the numbers of a report (``build.numbers``) with what logs say written as the reader wants it."""
    return {key: _cleaned(value, key, reader) for key, value in numbers(report).items()}


def json_file(report: Report, reader: Reader) -> bytes:
    """Return the same as a JSON file."""
    return msgspec.json.format(msgspec.json.encode(figures(report, reader))) + b"\n"


def _cleaned(value: object, key: str, reader: Reader) -> object:
    if isinstance(value, str):
        if key == "path":  # of a file of ours
            return one_line(value, _LIMIT)
        return value if _TIME.fullmatch(value) else reader.foreign(value, _LIMIT)
    if isinstance(value, dict):
        return {one_line(name, _LIMIT): _cleaned(one, name, reader) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(one, key, reader) for one in value]
    return value
