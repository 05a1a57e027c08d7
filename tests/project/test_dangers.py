"""No code that runs what it is told, and a reason in the line of whatever bandit asks about."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "vxtray").rglob("*.py"))

#: Called, they run code or a shell, or make objects that whoever wrote the bytes chose.
NAMES = {"eval", "exec", "compile", "__import__", "execfile"}
ATTRIBUTES = {
    ("os", "system"), ("os", "popen"), ("os", "startfile"), ("subprocess", "getoutput"),
    ("subprocess", "getstatusoutput"), ("yaml", "load"), ("yaml", "unsafe_load"), ("marshal", "loads"),
    ("shelve", "open"), ("tempfile", "mktemp"), ("ssl", "_create_unverified_context"), ("logging", "config"),
}  # fmt: skip
MODULES_NEVER = {"pickle", "cPickle", "dill", "shelve", "marshal", "smtplib", "telnetlib", "ftplib", "pty", "code"}


def dangers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            yield from (f"imports {name}" for name in names if name.partition(".")[0] in MODULES_NEVER)
        elif isinstance(node, ast.Call):
            yield from of_a_call(node)
        elif isinstance(node, ast.Attribute) and node.attr in {"CERT_NONE", "_create_unverified_context"}:
            yield f"uses {node.attr}"


def of_a_call(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    owner, _, name = called.rpartition(".")
    if called in NAMES or (owner, name) in ATTRIBUTES:
        yield f"calls {called}"
    if name == "recv" and owner and not node.args:  # that of multiprocessing; a socket's says how much
        yield "unpickles what a connection sends"
    for word in node.keywords:
        if word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False):
            yield "starts a shell"


def test_nothing_runs_what_it_is_told() -> None:
    """``CERT_NONE`` stands in two places that say why: a certificate is fetched to be shown, and nothing is sent."""
    found = {
        (path.relative_to(ROOT).as_posix(), danger)
        for path in MODULES
        for danger in dangers(ast.parse(path.read_text("utf-8")))
    }
    assert {one for one in found if "CERT_NONE" not in one[1]} == set()
    assert {path for path, danger in found if "CERT_NONE" in danger} <= {
        "vxtray/core/mail/certificates.py",
        "vxtray/core/mail/transport.py",
    }


def test_the_search_finds_what_it_looks_for() -> None:
    code = "import pickle\neval(x)\nos.system(x)\nyaml.load(x)\nsubprocess.run(x, shell=True)\nconnection.recv()"
    assert len(set(dangers(ast.parse(code)))) == 6


def test_bandit_finds_nothing_without_a_reason() -> None:
    """Its findings are those of ruff's rules S, so one reason in the line answers both."""
    pytest.importorskip("bandit")
    command = [sys.executable, "-m", "bandit", "-q", "-c", "pyproject.toml", "-f", "json", "-r", "vxtray"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    found = json.loads(done.stdout)
    assert found["errors"] == []
    open_ends = []
    for one in found["results"]:
        lines = (ROOT / one["filename"]).read_text("utf-8").splitlines()
        span = "\n".join(lines[one["line_range"][0] - 1 : one["line_range"][-1] + 1])
        if not re.search(rf"# noqa: (?:\w+, )*S{one['test_id'][1:]}\b", span):
            open_ends.append(f"{one['filename']}:{one['line_number']} {one['test_id']} {one['issue_text']}")
    assert open_ends == []


def test_what_the_paper_on_security_names_is_there() -> None:
    text = (ROOT / "packaging" / "SECURITY.md").read_text("utf-8")
    named = re.findall(r"`((?:tests|core|gui|cli|resources)/[\w./-]+)`", text)
    assert len(named) > 40
    places = {name if name.startswith(("tests/", "resources/")) else f"vxtray/{name}" for name in named}
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []
    promises = {f"p{int(number):02}.py" for number in re.findall(r"\bP(\d+)\b", text)}
    assert [name for name in sorted(promises) if not (ROOT / "tests" / "faults" / name).exists()] == []
