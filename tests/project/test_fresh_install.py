"""The wheel with its dependencies in a fresh environment, away from the checkout; the demo runs there.

A long run, since it downloads what the program needs: ``pytest -m slow tests/project/test_fresh_install.py``.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_demo_runs_from_a_wheel_in_a_fresh_environment(tmp_path: Path) -> None:
    quiet = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = tmp_path / "wheels"
    command = [sys.executable, *quiet, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, ROOT]
    subprocess.run(command, check=True)
    (wheel,) = wheels.glob("vxtray-*.whl")
    venv.create(tmp_path / "fresh", with_pip=True)
    programs = tmp_path / "fresh" / ("Scripts" if sys.platform == "win32" else "bin")
    command = [programs / "python", *quiet, "install", "-c", ROOT / "packaging" / "constraints.txt", wheel]
    subprocess.run(command, check=True)
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [programs / "vxtray", "--lang", "en", "demo", "--no-window", "--out", tmp_path / "out", "--json"],
        cwd=tmp_path,
        env=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [mail["kind"] for mail in json.loads(done.stdout)["mails"]] == ["alert", "report"]
    assert list((tmp_path / "out").glob("*.pdf"))
