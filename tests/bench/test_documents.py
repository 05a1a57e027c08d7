"""How long a report's documents take, process start included: numbers, HTML, PDF, charts and CSV of a stored month.

Beside what nobody can avoid who draws a PDF by the same means: a bare Python that compiles one line of Typst. What
drawing alone takes stands in the remark: the same report made once more in a program that runs.
"""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.bench.conftest import Figures
from tests.bench.figures import BY_NAME, OURS
from tests.bench.test_desktop import fill
from tests.e2e.vxtray_process import Vxtray
from vxtray.core.paths import Profile

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

TURNS = 7
EVENTS = 100_000
FILES = {"report.html", "report.txt", "report.pdf", "report.csv", "report.json", "message.eml"}
BARE = """
import sys, typst
open(sys.argv[1], "wb").write(typst.compile(b"#set page(width: 10cm)\\n= Report", format="pdf"))
"""


def test_documents_of_a_month(tmp_path: Path, figures: Figures) -> None:
    vxtray = Vxtray(tmp_path / "profile", without_qt=True)
    vxtray.run("smtp", "set", "host=127.0.0.1", "from_address=a@example.com", "recipients=b@example.com")
    fill(Profile.under(tmp_path / "profile"), EVENTS)
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    against = BY_NAME["documents"].against
    for turn in range(TURNS + 1):
        out = tmp_path / f"out-{turn}"
        began = time.perf_counter()
        told = vxtray.run("report", "monthly", "--for", day, "--out", out, "--json")
        ours = time.perf_counter() - began
        assert {file.name for file in out.iterdir()} == FILES
        assert json.loads(told)["totals"]["events"] > 0
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", BARE, str(tmp_path / "bare.pdf")], check=True)
        bare = time.perf_counter() - began
        assert (tmp_path / "bare.pdf").read_bytes().startswith(b"%PDF")
        if turn:  # the first one reads the files from the disk
            figures.add("documents", OURS, ours)
            figures.add("documents", against, bare)
