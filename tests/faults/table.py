"""The table of what was measured, kept as JSON and as Markdown: the last run of each form of each promise."""

import json
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.faults.promises import Row

_HEAD = "| Promise | Asked | Measured | Done | Kept | Form | Seconds | Command |\n|---|---|---|--:|---|---|--:|---|\n"


def add(folder: Path, row: Row) -> None:
    """Put a row in the place of the one of the same promise and form; two runs may do so at once."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(Path(tempfile.gettempdir()) / "vxf-table.lock"):
        path = folder / "faults.json"
        rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        rows = [one for one in rows if (one["promise"], one["form"]) != (row.promise, row.form)]
        rows.append(row.as_json() | {"at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": _machine()})
        rows.sort(key=lambda one: (int(one["promise"][1:]), one["form"]))
        path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
        (folder / "faults.md").write_text(_text(rows))


def _text(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        kept = {True: "yes", False: "**no**", None: "–"}[row["ok"]]
        done = f"{row['count']:,} {row['unit']}" if row["unit"] else ""
        cells = [f"{row['promise']} {row['title']}", row["asked"], row["measured"], done, kept, row["form"]]
        cells += [f"{row['seconds']:,.0f}", f"`{row['command']}`"]
        lines.append("| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |\n")
    times = sorted(row["at"] for row in rows)
    head = f"Measured from {times[0]} to {times[-1]} UTC on {rows[-1]['machine']}.\n\n" if rows else ""
    return "# Promises under faults\n\n" + head + _HEAD + "".join(lines)


def _machine() -> str:
    return f"{platform.system()} {platform.release()}, {os.cpu_count()} processors, Python {platform.python_version()}"
