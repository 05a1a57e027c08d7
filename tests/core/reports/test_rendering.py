"""The documents of a report, really drawn: they agree, nothing in them is alive, and they can be read."""

import csv
import email
import email.policy
import io
import json
import os
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.core.reports.rich import HOST, INTERNAL, IPV6, rich
from vxtray.core.mail.message import compose
from vxtray.core.mail.posting import mail_of
from vxtray.core.reports import drawing, rendering
from vxtray.core.reports.build import Report
from vxtray.core.reports.exhibits import _lines
from vxtray.core.reports.making import Made, made_of
from vxtray.core.reports.paper import Paper
from vxtray.core.reports.period import Cadence
from vxtray.core.reports.rendering import Documents, documents, drawn
from vxtray.core.settings.tree import General, Reports, Settings, Smtp

NOW = datetime(2026, 1, 19, 8, tzinfo=UTC)

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=http://evil.example/x.png onerror=alert(1)>",
    "line\r\nSubject: forged\r\n\r\n.\r\nEHLO evil",
    "=cmd|' /C calc'!A0",
    'a,=HYPERLINK("http://evil.example");+1;@SUM(A1)\t-2',
    "gnp.\u202eexe\u202c \u2066bidi\u2069 \u200f mark \x00 nul \x1b[31m",
    "http://evil.example/" + "a%2f" * 2500,
    '#import "/etc/passwd": * $x^2$ \\u{41} ] #panic() [ *bold* _it_ `raw` // /* <label> @ref ~ = head',
    "#" * 300,
    "中文主机 مرحبا עברית ไทย 🔥",
    "\ud800 lone surrogate",
)


def settings(language: str = "en", **general: bool) -> Settings:
    return Settings(
        smtp=Smtp(host="127.0.0.1", from_address="vxtray@example.com", recipients=("a@example.com",)),
        reports=Reports(language=language, zone="Europe/Paris", attach_pdf=True, attach_csv=True),  # type: ignore[arg-type]
        general=General(**general),  # type: ignore[arg-type]
    )


def made(report: Report, language: str = "en", draw: Callable[[Paper], Documents] = drawn, **general: bool) -> Made:
    return made_of(report, settings(language, **general), draw, on_time=True)


def text_of(pdf: bytes, tmp_path: Path) -> str:
    file = tmp_path / "report.pdf"
    file.write_bytes(pdf)
    told = subprocess.run(["pdftotext", "-layout", str(file), "-"], capture_output=True, check=True, timeout=30)
    return told.stdout.decode().replace("\u200b", "")


def plain(text: str) -> str:
    """Without blanks, which every document sets as it likes."""
    return re.sub(r"\s", "", text)


def words_of_html(html: str) -> str:
    class Words(HTMLParser):
        said = ""

        def handle_data(self, data: str) -> None:
            self.said += data + " "

    parser = Words()
    parser.feed(html)
    return parser.said


def table(made_: Made) -> list[list[str]]:
    text = made_.csv.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=";" if made_.reader.language == "fr" else ","))


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("cadence", list(Cadence))
def test_all_documents_tell_the_same_numbers(cadence: Cadence, language: str, tmp_path: Path) -> None:
    report = rich(cadence)
    one = made(report, language)
    told = json.loads(one.files()["report.json"])
    pdf, text, html = (plain(part) for part in (text_of(one.pdf, tmp_path), one.document.text, one.document.html))
    numbers = [*told["totals"].values(), *told["previous"].values(), *told["by_severity"].values()]
    for rows in ("top_sources", "top_targets", "top_rules", "top_countries"):
        numbers += [row["events"] for row in told[rows]]
    for n in numbers:
        shown = plain(one.reader.number(n))
        assert shown in pdf, n
        assert shown in text, n
    for row in told["top_sources"][:5] + told["top_targets"]:
        for part in (pdf, text, html):
            assert plain(row["name"]) in part, row
            assert plain(one.reader.number(row["events"])) in part
    in_csv = [(row[1], row[5], row[6]) for row in table(one)]
    for rows in ("top_sources", "top_targets", "top_rules"):
        for row in told[rows]:
            assert (row["name"], str(row["events"]), str(row["blocked"])) in in_csv
    counts = [row[5] for row in table(one)]
    for n in [*told["totals"].values(), *told["by_severity"].values(), 1841, 607, 820, 15, 312, 29, 419]:
        assert str(n) in counts
        assert plain(one.reader.number(n)) in pdf
        assert plain(one.reader.number(n)) in text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_pdf_has_its_fonts_its_language_and_its_title(language: str, tmp_path: Path) -> None:
    one = made(rich(), language)
    text = text_of(one.pdf, tmp_path)
    fonts = subprocess.run(["pdffonts", str(tmp_path / "report.pdf")], capture_output=True, check=True, timeout=30)
    rows = fonts.stdout.decode().splitlines()[2:]
    assert rows
    for row in rows:
        assert "Inter-" in row
        assert re.search(r" yes +yes +yes +\d+ +0$", row), "embedded, a subset, with Unicode"
    assert f"/Lang({language})".encode() in one.pdf
    info = subprocess.run(["pdfinfo", str(tmp_path / "report.pdf")], capture_output=True, check=True, timeout=30)
    assert (
        "Weekly security report" if language == "en" else "Rapport de sécurité hebdomadaire"
    ) in info.stdout.decode()
    pages = text.count("\f")
    assert pages > 1
    assert all(re.search(rf"\b{page} (of|sur|/) {pages}", text) for page in range(1, pages + 1))
    assert plain(IPV6) in plain(text)


def test_the_same_report_gives_the_same_bytes() -> None:
    first, second = made(rich()), made(rich())
    assert first.files() == second.files()
    assert first.document == second.document
    assert first.charts == second.charts


def test_a_process_draws_the_same(tmp_path: Path) -> None:
    assert made(rich(), draw=documents).files() == made(rich()).files()


@pytest.mark.expected_log("the process that draws reports ended")
def test_where_the_process_dies_the_report_is_drawn_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_answer", _die)
    assert made(rich(), draw=documents).files() == made(rich()).files()


def _die(_message: bytes) -> bytes:
    os._exit(9)


@pytest.mark.expected_log("a report could not be drawn")
def test_where_typst_fails_the_mail_goes_with_bars_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing._compiler.cache_clear()
    monkeypatch.setattr(drawing, "resource", lambda name: Path("/nowhere"))
    one = made(rich())
    drawing._compiler.cache_clear()
    assert not one.pdf
    assert not one.document.images
    assert [file.name for file in one.attached] == ["vxtray-weekly-2026-01-12.csv"]
    for part in (one.document.html, one.document.text):
        assert "The charts and the PDF could not be made" in part
        assert "(CSV)" in part
    assert 'height="92"' in one.document.html
    assert "report.pdf" not in one.files()


@pytest.mark.expected_log("did not answer")
def test_a_process_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_PATIENCE", 0.0)
    one = made(rich(), draw=documents)
    assert not one.pdf
    assert "no answer within" in one.document.text


# --- the mail ---------------------------------------------------------------------------------------------------------


def test_the_mail_has_its_pictures_and_files() -> None:
    one = made(rich())
    mail = mail_of(one.document, settings().smtp, (), NOW, one.attached)
    message = email.message_from_bytes(compose(mail), policy=email.policy.default)
    html = message.get_body(("html",))
    assert html is not None
    page = html.get_content()
    cids = re.findall(r'src="cid:([^"]+)"', page)
    parts: dict[str, Any] = {str(part["Content-ID"])[1:-1]: part for part in message.walk() if part["Content-ID"]}
    assert len(cids) == 2
    assert sorted(parts) == sorted(cids)
    for cid in cids:
        assert parts[cid].get_content_type() == "image/png"
        assert parts[cid].get_content().startswith(b"\x89PNG")
        width = int.from_bytes(parts[cid].get_content()[16:20], "big")
        assert width == 1088, "twice as many pixels as it is wide"
    assert [part.get_filename() for part in message.iter_attachments()] == [
        "vxtray-weekly-2026-01-12.pdf",
        "vxtray-weekly-2026-01-12.csv",
    ]
    assert "Full report attached (PDF, CSV)." in page
    assert "alt=" in page
    assert len(page.encode()) < 100_000


@pytest.mark.parametrize(("pdf", "table_too"), [(True, False), (False, True), (False, False)])
def test_what_goes_along_is_set(pdf: bool, table_too: bool) -> None:
    chosen = settings()
    reports = msgspec.structs.replace(chosen.reports, attach_pdf=pdf, attach_csv=table_too)
    one = made_of(rich(), msgspec.structs.replace(chosen, reports=reports), drawn)
    assert [file.name[-4:] for file in one.attached] == [".pdf"] * pdf + [".csv"] * table_too
    assert ("Full report attached" in one.document.text) == (pdf or table_too)
    assert one.pdf, "there to be saved"


def test_the_page_stands_alone() -> None:
    page = made(rich()).files()["report.html"].decode()
    assert "cid:" not in page
    assert page.count("data:image/png;base64,") == 2
    assert "://" not in page


def test_an_empty_report_has_documents_too(tmp_path: Path) -> None:
    report = rich()
    summary = msgspec.structs.replace(
        report.summary,
        **{
            name: type(getattr(report.summary, name))()
            for name in msgspec.structs.asdict(report.summary)
            if name not in {"start", "end", "buckets"}
        },
    )
    one = made(msgspec.structs.replace(report, summary=summary, sources=(), mood="quiet"))
    text = text_of(one.pdf, tmp_path)
    assert "Nothing happened" in text
    assert "in this period. If you expected" in " ".join(text.split())
    assert text.count("\f") == 1, "one page, without a table of contents"
    assert not one.charts
    assert not one.document.images


# --- hostile ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("says", HOSTILE, ids=range(len(HOSTILE)))
def test_what_attackers_write_is_inert_in_every_document(says: str, tmp_path: Path) -> None:
    one, tame = made(rich(says=says)), made(rich(says="tame"))
    files = one.files()
    assert set(files) == set(tame.files())
    page, text = files["report.html"].decode(), files["report.txt"].decode()
    marks = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
    for part in (page, text, files["report.csv"].decode().replace("\r\n", "\n"), files["report.json"].decode()):
        assert not marks.search(part)
    tags = re.compile(r"</?([a-z0-9]+)")
    assert set(tags.findall(page)) == set(tags.findall(tame.files()["report.html"].decode()))
    assert not re.search(r"<[^>]*\s(?:href|onerror|background)=", page)
    assert max(map(len, text.splitlines())) <= 78
    for row in table(one):
        assert len(row) == 11
        for cell in row:
            assert not re.match(r"[=+\-@\t\r]", cell)
    json.loads(files["report.json"])
    mail = mail_of(one.document, settings().smtp, (), NOW, one.attached)
    message = email.message_from_bytes(compose(mail), policy=email.policy.default)
    assert "forged" not in str(message["Subject"])
    shown = text_of(one.pdf, tmp_path)
    for word in ("root:x:", "panicked"):
        assert word not in shown
    if says.startswith("#import"):
        assert plain(says)[:40] in plain(shown), "as it was written"


def test_a_table_gives_no_cell_to_others_separators() -> None:
    """Cut at semicolons although it has commas, it still has no formula."""
    lines = made(rich(says="x;=cmd|' /C calc'!A0;\"=1+1\",+2")).csv.decode("utf-8-sig").splitlines()
    for line in lines:
        for cell in re.split(r"[;,\t|]", line):
            assert not re.match(r'["\s]*[=+@]', cell), line


def test_defanged_and_masked_everywhere(tmp_path: Path) -> None:
    one = made(rich(), defang=True, mask_internal=True)
    files = one.files()
    parts = [files[f"report.{kind}"].decode() for kind in ("html", "txt", "csv", "json")]
    for part in [plain(part) for part in (*parts, text_of(one.pdf, tmp_path))]:
        assert INTERNAL not in part
        assert HOST not in part
        assert "18.160.13.241" not in part
    assert "10[.]x[.]x[.]71" in parts[3]
    told = json.loads(parts[3])
    assert told["period"]["start"] == "2026-01-12T00:00:00+01:00"


# --- the picture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_the_chart_of_a_day_with_a_clock_change(day: date) -> None:
    one = made(rich(Cadence.DAILY, day))
    assert one.charts.keys() == {"light", "dark"}
    assert one.charts["light"].startswith(b"<svg")
    hours = [line[:5] for line in one.document.text.splitlines() if re.match(r"\d\d:00 ", line)]
    assert hours.count("02:00") == (0 if day.month == 3 else 2)


def test_long_charts_have_lines_at_round_numbers() -> None:
    reader = made(rich()).reader
    assert [line.events for line in _lines(40_120, reader)] == [20_000, 40_000]
    assert [line.events for line in _lines(1_900, reader)] == [500, 1_500]
    assert [line.events for line in _lines(1, reader)] == [1]
    assert _lines(40_120, reader)[1].label == "40,000"
