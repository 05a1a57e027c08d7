"""``report custom``: any days in a row, by ``--from`` and ``--until``."""

import pytest


def test_its_numbers_and_files(vxtray, tmp_path) -> None:
    vxtray("settings", "set", "reports.zone=Europe/Paris")
    out = tmp_path / "out"
    said = vxtray("report", "custom", "--from", "2026-03-20", "--until", "2026-03-29", "--out", str(out), "--json")
    assert said.code == 0, said.err
    period = said.json["period"]
    assert period["cadence"] == "custom"
    assert (period["start"], period["end"]) == ("2026-03-20T00:00:00+01:00", "2026-03-30T00:00:00+02:00")
    assert "Security report" in (out / "report.txt").read_text("utf-8")


@pytest.mark.parametrize(
    "words",
    [
        ("custom",),
        ("custom", "--from", "2026-03-20"),
        ("custom", "--from", "2026-03-20", "--until", "2026-03-19"),
        ("custom", "--from", "2026-03-20", "--until", "2026-03-21", "--for", "2026-03-20"),
        ("daily", "--from", "2026-03-20"),
    ],
)
def test_wrong_days_are_wrong_usage(vxtray, words) -> None:
    said = vxtray("report", *words)
    assert said.code == 2
    assert said.err
