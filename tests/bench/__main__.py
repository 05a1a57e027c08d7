"""Measure everything that ``figures`` lists, beside its peers, and tell it: ``python -m tests.bench`` (see README.md).

Each group of figures is a run of pytest of its own, so one that fails or hangs costs only its own figures; what was
measured is kept as it comes. Exit status 1 where ``--check`` found something.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import peers, telling
from tests.bench.figures import BY_NAME, FIGURES, GROUPS, rows_of
from tests.bench.telling import Run

HERE = Path(__file__).parent
RESULTS = HERE / "results"
BASELINE = RESULTS / "baseline.json"
#: No group takes a third of it on a machine with nothing else to do.
GROUP_SECONDS = 1500

#: Options of pytest by group; what a size does not name is as in the default one.
SIZES: dict[str, dict[str, list[str]]] = {
    "default": {
        "speed": ["--bench-lines=2000000"],
        "reports": ["--bench-events=1000000,10000000"],
        "window": ["--bench-lines=1000000"],
        "alert_latency": ["--bench-samples=20", "-k", "not quiet"],
        "desktop": ["--bench-idle-seconds=30"],
        "hanging_server": ["-k", "greeting or TLS or password or body or dot"],
    },
    "quick": {
        "speed": ["--bench-lines=300000"],
        "reports": ["--bench-events=1000000"],
        "window": ["--bench-lines=200000"],
        "alert_latency": ["--bench-samples=8", "-k", "not quiet"],
        "desktop": ["--bench-idle-seconds=10"],
        "hanging_server": ["-k", "greeting or body"],
    },
    "full": {
        "speed": ["--bench-lines=10000000"],
        "reports": ["--bench-events=1000000,10000000,30000000"],
        "alert_latency": ["--bench-samples=100"],
        "desktop": ["--bench-idle-seconds=600"],
        "hanging_server": [],
    },
}


def main(words: Sequence[str] | None = None) -> int:
    """Measure, tell, and check; return the exit status."""
    args = _arguments(words)
    if args.list:
        for figure in FIGURES:
            say(
                f"{figure.name:20} {figure.group:16} {figure.title}: {'; '.join(g.words(figure) for g in figure.goals)}"
            )
        return 0
    out: Path = args.out
    out.mkdir(parents=True, exist_ok=True)
    if not args.no_run:
        _measure(_groups(args.what), args.size, out, install=not args.no_install, stores=args.stores)
    run = gathered(out)
    given = telling.reasons()
    text = telling.table(run, given)
    (out / "table.md").write_text(text, "utf-8")
    (out / "table.json").write_bytes(telling.as_json(run, given))
    telling.plot(run, out)
    say(text)
    if args.keep_as_baseline:
        ratios = {one.figure: one.ratio for one in run.verdicts if one.ratio is not None}
        BASELINE.write_text(json.dumps(ratios, indent=1) + "\n")
    wrong = telling.amiss(run.verdicts, given)
    if args.check:
        stored: dict[str, float] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
        wrong += telling.regressions(run.verdicts, stored)
    for line in wrong:
        say(f"!! {line}")
    return 1 if args.check and wrong else 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure vxtray beside its peers.")
    known = [*BY_NAME, *GROUPS]
    parser.add_argument("what", nargs="*", metavar="FIGURE", help="figures or groups; all of them without one")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", help="small sizes, some minutes")
    size.add_argument("--full", dest="size", action="store_const", const="full", help="10 M lines, 30 M events: hours")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where table, plot and raw results go")
    parser.add_argument("--stores", type=Path, help="keep the stores made for the month reports there, and reuse them")
    parser.add_argument("--check", action="store_true", help="fail where a ratio is worse than the stored one")
    parser.add_argument("--no-run", action="store_true", help="measure nothing: tell and check what --out holds")
    parser.add_argument("--no-install", action="store_true", help="install no peer")
    parser.add_argument("--keep-as-baseline", action="store_true", help="store this run's ratios for --check")
    parser.add_argument("--list", action="store_true", help="tell the figures and their goals")
    args = parser.parse_args(words)
    args.size = args.size or "default"
    if unknown := [name for name in args.what if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}; --list tells the figures")
    return args


def _groups(what: Sequence[str]) -> list[str]:
    wanted = {BY_NAME[name].group if name in BY_NAME else name for name in what}
    return [group for group in GROUPS if not wanted or group in wanted]


def _measure(groups: Sequence[str], size: str, out: Path, *, install: bool, stores: Path | None) -> None:
    raw = out / "raw"
    raw.mkdir(exist_ok=True)
    named, versions = peers.ready(install=install)
    (raw / "peers.json").write_text(json.dumps(versions, indent=1) + "\n")
    with tempfile.TemporaryDirectory(prefix="vxb.") as folder:
        env = os.environ | named | {"PYTHONPYCACHEPREFIX": f"{folder}/cache"}
        # An installed program has its bytecode; without it, each start of each program would compile for a second.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        for group in groups:
            options = (SIZES["default"] | SIZES[size]).get(group, [])
            options = [*options, f"--bench-stores={stores}"] if stores else options
            _measure_group(group, options, raw, Path(folder) / group[:8], env)


def _measure_group(group: str, options: list[str], raw: Path, temporary: Path, env: dict[str, str]) -> None:
    """Run one module; what it keeps, and what it says, goes to a folder of its own."""
    own = raw / group
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    began = time.monotonic()
    say(f"-- {group} {' '.join(options)}")
    command = [sys.executable, "-m", "pytest", str(HERE / f"test_{group}.py"), "-m", "bench", "-q"]
    command += ["-p", "no:cacheprovider", "-p", "no:rerunfailures", f"--basetemp={temporary}", f"--bench-out={own}"]
    trouble = ""
    with (own / "pytest.log").open("w") as log:
        run = subprocess.Popen(
            [*command, *options], cwd=HERE.parents[1], env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            status = run.wait(GROUP_SECONDS)
            trouble = f"pytest ended with {status}, see its log" if status else ""
        except subprocess.TimeoutExpired:
            trouble = f"not done after {GROUP_SECONDS} s"
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
    _shorten(own / "pytest.log", {str(HERE.parents[1]): ".", str(temporary): "tmp"})
    if trouble:
        (own / "trouble.json").write_text(json.dumps({group: trouble}) + "\n")
    say(f"   {time.monotonic() - began:.0f} s{f', {trouble}' if trouble else ''}")


def _shorten(log: Path, places: dict[str, str]) -> None:
    """Take the folders of this machine out of what is kept."""
    text = log.read_text("utf-8", "replace")
    for place, name in places.items():
        text = text.replace(place, name)
    log.write_text(text, "utf-8")


def gathered(out: Path) -> Run:
    """Return everything that lies in the raw results of a folder."""
    raw, machine, problems = out / "raw", {}, {}
    found: dict[str, Any] = {"figures": {}, "remarks": {}}
    for group in GROUPS:
        problems |= _read(raw / group / "trouble.json")
        if one := _read(raw / group / f"figures-{group}.json"):
            machine = machine or one["machine"]
            problems |= one["problems"]
            found["figures"] |= one["figures"]
            found["remarks"] |= one["remarks"]
    return Run(verdicts=rows_of(found), machine=machine, peers=_read(raw / "peers.json"), problems=problems)


def _read(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return read


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
