"""Generated Sophos lines against their exactly known totals."""

from datetime import UTC
from pathlib import Path

import pytest

from tests.core.parsers.sophos_truth import check_totals, generated
from vxtray.core.events import SecurityEvent
from vxtray.core.parsers import parse


@pytest.mark.parametrize("header", ["none", "pri", "bsd", "iso"])
@pytest.mark.parametrize("layout", ["central", "default"])
def test_totals_are_exact(shared: Path, tmp_path: Path, layout: str, header: str) -> None:
    lines, truth = generated(
        shared / "tools" / "make_events.py",
        tmp_path,
        *("--format", layout, "--header", header, "--bad", "0.01", "--odd", "0.05", "--days", "3"),
    )
    events = [event for line in lines if isinstance(event := parse(line, zone=UTC), SecurityEvent)]
    check_totals(events, lines, truth)
