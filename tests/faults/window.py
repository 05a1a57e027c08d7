"""The real window without a screen: the gaps between beats of its thread while something else goes on."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.vxtray_process import ROOT

_END_SECONDS = 60
#: At first the window and its pages are made; that is not what is measured.
_WARM_SECONDS = 5


def watched(
    folder: Path, page: str, seconds: float, meanwhile: Callable[[], object], prefix: Sequence[str] = (), **env: str
) -> dict[str, Any]:
    """Show a page of the profile in ``folder`` for so long; return what ``tests/bench/rig.py`` tells of its gaps.

    ``meanwhile`` is called when the watch begins. ``prefix`` is put before the command, such as ``unshare``.
    """
    process = subprocess.Popen(
        [*prefix, sys.executable, str(ROOT / "tests" / "bench" / "rig.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen", **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for task in (["watch", page, 1], ["rest", _WARM_SECONDS]):
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            assert process.stdout.readline(), "the window did not come"
        process.stdin.write(json.dumps(["watch", page, seconds]) + "\n")
        process.stdin.flush()
        meanwhile()
        found: dict[str, Any] = json.loads(process.stdout.readline())
        return found
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_END_SECONDS)
        process.kill()
        process.communicate()
