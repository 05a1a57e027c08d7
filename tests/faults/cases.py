"""Cases that are tests already: that each has one, and how many of them hold now. For ``P12`` and others."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.faults.promises import Run

ROOT = Path(__file__).resolve().parents[2]


def missing(cases: Mapping[str, str]) -> list[str]:
    """Return the cases whose test (``path::function``) is not there."""
    gone = []
    for case, where in cases.items():
        path, _, function = where.partition("::")
        file = ROOT / path
        found = file.is_file() and re.search(
            rf"^(?:async )?def {re.escape(function)}\(", file.read_text(), re.MULTILINE
        )
        if not found:
            gone.append(case)
    return gone


def held(run: Run, tests: Iterable[str], *options: str) -> Counter[str]:
    """Run tests in a process of their own; return how many passed, were skipped or failed."""
    with run.room("cases") as folder:
        report = folder / "report.xml"
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"),
            *(f"--basetemp={folder / 't'}", *options, *tests),
        ]
        seconds = max(900.0, run.left)
        said = subprocess.run(
            command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert report.exists(), said.stdout[-3000:] + said.stderr[-3000:]
        found: Counter[str] = Counter()
        failed = []
        for case in ET.parse(report).getroot().iter("testcase"):
            kinds = {part.tag for part in case}
            how = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
            found[how] += 1
            if how == "failed":
                failed.append(f"{case.get('classname')}::{case.get('name')}")
        assert not failed, "\n".join(failed)
    return found
