"""``vxtray demo``: everything for real on a machine that has nothing."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.core.engine import opened, text_of
from tests.e2e.loglines import counted, sources
from tests.e2e.vxtray_process import ROOT, WITHOUT_QT
from vxtray.demo import made_lines


@pytest.mark.parametrize("start", [["-m", "vxtray"], ["-c", WITHOUT_QT]], ids=["plain", "qt blocked"])
def test_the_demo_leaves_received_mails_with_true_numbers(start: list[str], tmp_path: Path, isolation: Path) -> None:
    out = tmp_path / "out"
    before = datetime.now(UTC)
    command = [sys.executable, *start, "--lang", "en", "demo", "--no-window", "--out", str(out), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    summary = json.loads(done.stdout)
    mails = {path.name: opened(path.read_bytes()) for path in sorted(out.glob("*.eml"))}
    kinds = [name.removesuffix(".eml").partition("-")[2] for name in mails]
    assert sorted(kinds) == ["alert", "report"]
    by_kind = dict(zip(kinds, mails.values(), strict=True))
    assert {mail["message_id"] for mail in summary["mails"]} == {mail["Message-ID"] for mail in mails.values()}

    if datetime.now(UTC).date() != before.date():
        pytest.skip("midnight came in between, so the demo's day is not known")
    made = made_lines(before)
    truth = counted(made, f"{before - timedelta(days=1):%Y-%m-%d}")
    assert summary["events"] == len(made.splitlines()) + 1
    assert truth["events"] > 500
    report = text_of(by_kind["report"])
    for name, key in (("Events", "events"), ("Blocked", "blocked"), ("Critical events", "critical")):
        assert re.search(rf"^{name} +{truth[key]}\b", report, re.MULTILINE), name
    assert re.search(rf"^Detected, not blocked +{truth['detected']}\b", report, re.MULTILINE)
    assert re.search(rf"^Different sources +{truth['unique_sources']}\b", report, re.MULTILINE)
    for address, number in sources(made, f"{before - timedelta(days=1):%Y-%m-%d}").items():
        assert re.search(rf"^{re.escape(address)} .* {number} +\d+%$", report, re.MULTILINE), address

    alert = by_kind["alert"]
    assert "SQL Injection" in alert["Subject"]
    assert "203.0.113.77" in text_of(alert)
    assert not [path for path in isolation.rglob("*") if path.is_file()], "the person's own home is left alone"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    command = [sys.executable, "-m", "vxtray", "demo", "--no-window", "--out", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert str(tmp_path / "out") in done.stderr
    assert "Traceback" not in done.stderr
