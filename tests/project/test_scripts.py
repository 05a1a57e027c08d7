"""The two scripts that start everything: plain sh, from any folder, clear about what is missing."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"


def sh(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a piece of shell with common.sh's functions, never installing anything."""
    start = "set -eu; root=$(pwd); . packaging/common.sh; can_install() { return 1; }; "
    return subprocess.run(
        ["/bin/sh", "-c", start + code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["run.sh", "test.sh", "screenshots.sh", "common.sh"])
def test_is_plain_sh(name: str) -> None:
    done = subprocess.run(["/bin/sh", "-n", PACKAGING / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = (PACKAGING / name).read_text("utf-8")
    assert "[[" not in text.replace("*.[to]tf", "")
    assert name == "common.sh" or "\nset -eu\n" in text


def test_ci_runs_the_gate_and_nothing_else() -> None:
    assert (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1] == "exec sh packaging/test.sh"


def test_what_is_missing_is_named_and_work_goes_on() -> None:
    done = sh('need "the window" lib:libnot-there.so.1:libnot-there1 bin:sh:dash bin:not-there:not-there; echo on')
    assert done.stdout == "on\n"
    assert done.stderr.startswith("vxtray: missing for the window")
    assert done.stderr.split(": ")[-1].removeprefix("sudo apt-get install ").split() == ["libnot-there1", "not-there"]


def test_nothing_is_said_when_all_is_there() -> None:
    done = sh('need "the shell" bin:sh:dash; echo on')
    assert (done.stdout, done.stderr) == ("on\n", "")


def test_an_old_python_is_refused_with_advice(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = sh(f'PATH="{tmp_path}"; need_python')
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_stamp_follows_what_is_installed() -> None:
    here = sh("stamp_now")
    moved = sh("root=/elsewhere; stamp_now")
    assert here.stdout
    assert here.stdout == sh("stamp_now").stdout != moved.stdout
