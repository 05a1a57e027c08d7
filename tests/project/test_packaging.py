"""The packages' papers agree with the program: names, commands, units, icons, installers; tools judge them, too.

What is built is looked at by ``packaging/build.sh`` and ``packaging/check-deb.sh``.
"""

import ast
import importlib
import io
import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

import vxtray
from vxtray.cli import parser
from vxtray.core.autostart.launch_agent import LaunchAgent

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
LINUX = PACKAGING / "linux"
SECRETS = {"smtp-password", "vigilancex-password", "clickhouse-password", "oauth-client-secret"}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import one of the scripts by its name, as they import each other."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(PACKAGING))
    monkeypatch.syspath_prepend(str(LINUX))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(PACKAGING) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def judged(*command: str | Path) -> None:
    """Let a tool judge; skip where it is not installed."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"not installed: {command[0]} (packaging/test.sh installs it as root)")
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def words_of(unit: str) -> list[str]:
    """Return the command of a unit."""
    (line,) = re.findall(r"^ExecStart=(.*)$", (LINUX / unit).read_text("utf-8"), re.MULTILINE)
    return shlex.split(line)


# --- names -----------------------------------------------------------------------------------------------------------


def test_every_package_calls_the_program_by_the_same_names(script: Callable[[str], ModuleType]) -> None:
    from vxtray.gui.taskbar import APPLICATION_ID

    names = script("names")
    assert names.version() == vxtray.__version__
    assert names.APPLICATION_ID == APPLICATION_ID
    assert LaunchAgent(names.DESKTOP_ID).path.stem == APPLICATION_ID
    component = ET.parse(LINUX / f"{APPLICATION_ID}.metainfo.xml")
    assert component.findtext("id") == APPLICATION_ID
    assert component.findtext("launchable") == f"{names.DESKTOP_ID}.desktop"
    assert component.findtext("summary") == names.SUMMARY
    installer = (PACKAGING / "windows" / "vxtray.iss").read_text("utf-8-sig")
    assert f"AppId={APPLICATION_ID}\n" in installer
    assert f'AppUserModelID: "{APPLICATION_ID}"' in installer
    assert f"app-id: {APPLICATION_ID}\n" in (LINUX / "flatpak.yml").read_text("utf-8")
    application = (ROOT / "vxtray" / "gui" / "application.py").read_text("utf-8")
    assert f'setDesktopFileName("{names.DESKTOP_ID}")' in application


@pytest.mark.skipif(sys.platform != "win32", reason="Windows knows the name of a process")
def test_windows_groups_the_windows_under_that_name() -> None:
    import ctypes

    from vxtray.gui import taskbar

    taskbar.claim()
    found = ctypes.c_wchar_p()
    shell = ctypes.windll.shell32  # type: ignore[attr-defined]  # on Windows it is there
    assert shell.GetCurrentProcessExplicitAppUserModelID(ctypes.byref(found)) == 0
    assert found.value == taskbar.APPLICATION_ID


def test_a_start_without_any_stream_works() -> None:
    """As Windows starts a program that has no console."""
    code = "import sys; sys.stdin = sys.stdout = sys.stderr = None; from vxtray.cli import main; sys.exit(main(%r))"
    for words, status in ((["--version"], 0), (["no such command"], 2)):
        done = subprocess.run([sys.executable, "-c", code % words], cwd=ROOT, capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


# --- the bundle ------------------------------------------------------------------------------------------------------


def constant(name: str) -> object:
    """Return a constant of the spec, which only PyInstaller can run."""
    tree = ast.parse((PACKAGING / "vxtray.spec").read_text("utf-8"))
    (found,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name
    ]
    return ast.literal_eval(found)


def test_the_bundle_takes_what_there_is() -> None:
    import babel
    import PySide6

    for dialect in constant("DIALECTS"):  # type: ignore[attr-defined]  # a tuple
        assert any(
            importlib.util.find_spec(f"sqlglot.{part}.{dialect}") for part in ("dialects", "parsers", "generators")
        )
    for locale in constant("LOCALES"):  # type: ignore[attr-defined]
        assert (Path(babel.__file__).parent / "locale-data" / f"{locale}.dat").exists()
    if sys.platform == "linux":
        plugins = Path(PySide6.__file__).parent / "Qt" / "plugins"
        kinds: dict[str, set[str]] = constant("PLUGINS")  # type: ignore[assignment]
        for kind, name in (("platforms", "xcb"), ("platforms", "wayland"), ("platforms", "offscreen")):
            assert name in kinds[kind]
        for kind, names in kinds.items():
            there = {path.stem.removeprefix("lib").removeprefix("q") for path in plugins.glob(f"{kind}/*.so")}
            assert names & there or kind == "styles", f"Qt has none of these any more: {kind} {names}"


def test_the_reports_sql_needs_no_dialect_that_is_left_out() -> None:
    code = f"""
import sys

class Left:
    def find_spec(self, name, path=None, target=None):
        package, _, last = name.rpartition(".")
        parts = ("sqlglot.dialects", "sqlglot.parsers", "sqlglot.generators")
        if package in parts and last not in {constant("DIALECTS")!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Left())
from vxtray.core.store.clickhouse_sql import translate
print(translate("SELECT source, count(*) AS n FROM events WHERE day >= $since GROUP BY ALL ORDER BY n DESC LIMIT 5"))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SELECT source, COUNT(*) AS n FROM")


def test_the_bundle_gives_its_libraries_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/vxtray/_internal")
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/opt/ada/lib")
    monkeypatch.setenv("DYLD_LIBRARY_PATH", "/opt/vxtray/_internal")
    exec(compile((PACKAGING / "at_start.py").read_text("utf-8"), "at_start.py", "exec"), {})
    assert os.environ["LD_LIBRARY_PATH"] == "/opt/ada/lib"
    assert not {"LD_LIBRARY_PATH_ORIG", "DYLD_LIBRARY_PATH"} & set(os.environ)


def test_children_of_the_bundle_find_their_work(tmp_path: Path, isolation: Path) -> None:
    """As in the bundle, where a program that starts itself again is no Python: import and drawing have processes."""
    started = tmp_path / "started"
    frozen = tmp_path / "frozen.py"
    frozen.write_text(
        "import runpy, sys\n"
        f"with open({str(started)!r}, 'a') as file: file.write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"sys.frozen, sys.executable = True, {str(tmp_path / 'vxtray')!r}\n"
        "runpy.run_module('vxtray', run_name='__main__', alter_sys=True)\n",
        "utf-8",
    )
    program = tmp_path / "vxtray"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{frozen}" "$@"\n', "utf-8")
    program.chmod(0o755)
    command = [str(program), "--lang", "en", "demo", "--no-window", "--out", str(tmp_path / "out"), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "out").glob("*.pdf"))
    first, *children = started.read_text("utf-8").splitlines()
    assert first.endswith("--json")
    assert any(line.startswith("--multiprocessing-fork") for line in children)
    assert any("resource_tracker" in line for line in children)


def test_the_icon_is_drawn_in_every_form(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    from PySide6.QtGui import QImage

    icons = script("icons")
    folder = icons.write(tmp_path / "icons")
    for edge in icons.HICOLOR:
        drawn = QImage(str(folder / "hicolor" / f"{edge}x{edge}" / "apps" / "vxtray.png"))
        assert (drawn.width(), drawn.height()) == (edge, edge)
        assert drawn.pixelColor(edge // 2, edge // 8).alpha() == 255, "the shield is there"
        assert drawn.pixelColor(0, 0).alpha() == 0, "and nothing around it"
    ico, icns = (folder / "vxtray.ico").read_bytes(), (folder / "vxtray.icns").read_bytes()
    assert int.from_bytes(ico[4:6], "little") == len(icons.ICO)
    assert QImage(str(folder / "vxtray.ico")).width() in icons.ICO
    assert icns[:4] == b"icns"
    assert int.from_bytes(icns[4:8], "big") == len(icns)
    at = 8
    for kind, edge in icons.ICNS:
        assert icns[at : at + 4] == kind
        length = int.from_bytes(icns[at + 4 : at + 8], "big")
        assert QImage.fromData(icns[at + 8 : at + length]).width() == edge
        at += length
    assert at == len(icns)


# --- Linux -----------------------------------------------------------------------------------------------------------


def test_desktop_file_and_metainfo_are_valid(tmp_path: Path) -> None:
    judged("desktop-file-validate", LINUX / "vxtray.desktop")
    text = (LINUX / "org.vxtray.vxtray.metainfo.xml").read_text("utf-8")
    metainfo = tmp_path / "org.vxtray.vxtray.metainfo.xml"
    metainfo.write_text(text.replace("@VERSION@", vxtray.__version__).replace("@DATE@", "2026-01-01"), "utf-8")
    judged("appstreamcli", "validate", "--no-net", metainfo)


def test_desktop_file_and_metainfo_speak_both_languages() -> None:
    desktop = (LINUX / "vxtray.desktop").read_text("utf-8")
    for key in ("GenericName", "Comment", "Keywords"):
        assert re.search(rf"^{key}=.+\n{key}\[fr\]=.+$", desktop, re.MULTILINE)
    component = ET.parse(LINUX / "org.vxtray.vxtray.metainfo.xml")
    paragraphs = component.findall("description/p")
    french = [one for one in paragraphs if one.get("{http://www.w3.org/XML/1998/namespace}lang") == "fr"]
    assert len(french) * 2 == len(paragraphs)
    assert len(component.findall("summary")) == 2
    for one in french:
        assert not re.search(r"[^\u202f][;!?](?=\s|$)|[^\u00a0]:(?=\s|$)", one.text or ""), "no-break spaces"


@pytest.mark.parametrize("unit", ["vxtray.service", "vxtray-user.service"])
def test_units_start_a_command_that_exists(unit: str, tmp_path: Path) -> None:
    program, *words = words_of(unit)
    assert program == "/usr/bin/vxtray"
    assert parser.parse(words).call == "program:serve"
    text = (LINUX / unit).read_text("utf-8")
    taken = re.findall(r"^LoadCredential=([^:]+):(.+)$", text, re.MULTILINE)
    assert {name for name, _place in taken} == (SECRETS if unit == "vxtray.service" else set())
    assert all(place == f"vxtray.{name}" for name, place in taken)
    copy = tmp_path / unit
    copy.write_text(text.replace(program, "/bin/true"), "utf-8")
    judged(
        "systemd-analyze",
        "verify",
        "--man=no",
        "--recursive-errors=no",
        *([copy] if "user" not in unit else ["--user", copy]),
    )


def test_the_program_knows_the_secrets_of_the_unit() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "vxtray" / "core").rglob("*.py"))
    assert set(re.findall(r'Account\("([a-z-]+)"', sources)) >= SECRETS


def test_the_system_unit_gives_little_away(tmp_path: Path) -> None:
    judged("systemd-analyze", "security", "--offline=true", "--threshold=20", LINUX / "vxtray.service")


def test_manual_pages_name_every_command(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    commands, manual = script("commands"), script("manual")
    pages = {language: manual.page(language, "2026-01-01") for language in ("en", "fr")}
    for command in commands.commands():
        if command.words and not command.verbs:
            usage = " ".join(f"\\fB{manual.roff(word)}\\fR" for word in command.words)
            assert all(usage in page for page in pages.values()), command.words
    assert pages["en"].count(".TP") == pages["fr"].count(".TP")
    assert "reload" not in pages["en"], "that one is between programs"
    for language, page in pages.items():
        (tmp_path / f"{language}.1").write_text(page, "utf-8")
        judged("mandoc", "-Tlint", "-Wwarning", tmp_path / f"{language}.1")


def test_examples_of_the_manual_are_commands(script: Callable[[str], ModuleType]) -> None:
    manual = script("manual")
    for language in ("en", "fr"):
        entries = dict(manual._WORDS[language]["rest"])
        for line, _text in next(value for key, value in entries.items() if key.startswith("EX") and "MP" in key):
            program, *words = shlex.split(line)
            assert program == "vxtray"
            assert parser.parse(words).call


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("vxtray sm", ["smtp"]),
        ("vxtray smtp si", ["sign-in", "sign-out"]),
        ("vxtray --profile-dir /tmp aut", ["autostart"]),
        ("vxtray settings get smtp.ho", ["smtp.host"]),
        ("vxtray smtp set au", ["auth="]),
        ("vxtray import --format s", ["sophos", "suricata"]),
        ("vxtray report --f", ["--for", "--from"]),
        ("vxtray report we", ["weekly"]),
    ],
)
def test_bash_completes(script: Callable[[str], ModuleType], tmp_path: Path, line: str, expected: list[str]) -> None:
    script("completions").write(tmp_path)
    words = shlex.split(line)
    code = (
        f'. {tmp_path}/vxtray; compopt() {{ :; }}; COMP_WORDS=("$@"); COMP_CWORD={len(words) - 1}; _vxtray;'
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", code, "bash", *words], capture_output=True, text=True, check=False)
    assert done.stdout.split() == expected, done.stderr


@pytest.mark.parametrize(("shell", "file"), [("zsh", "_vxtray"), ("fish", "vxtray.fish")])
def test_other_shells_read_their_completion(
    script: Callable[[str], ModuleType], tmp_path: Path, shell: str, file: str
) -> None:
    script("completions").write(tmp_path)
    judged(shell, "-n", tmp_path / file)


def test_the_debian_package_describes_itself(script: Callable[[str], ModuleType]) -> None:
    assemble = script("assemble")
    text = assemble.control("libc6 (>= 2.36)", 1000, "amd64")
    fields = dict(re.findall(r"^([A-Z][A-Za-z-]+): (.*)$", text, re.MULTILINE))
    assert fields["Version"] == f"{vxtray.__version__}-1"
    assert fields["Depends"].startswith("libc6 (>= 2.36), adduser")
    assert max(map(len, text.split("Description:")[1].splitlines())) <= 80
    assert re.search(r"^License: Expat\n Permission is hereby granted", assemble.copyright_file(), re.MULTILINE)
    for name in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", LINUX / "debian" / name], check=True)


def test_scripts_are_posix() -> None:
    scripts = sorted([*PACKAGING.glob("*.sh"), *LINUX.glob("*.sh"), *(PACKAGING / "macos").glob("*.sh")])
    for path in scripts:
        subprocess.run(["sh", "-n", path], check=True)
    # shellcheck takes seconds for each, so the long ones are left to people: shellcheck packaging/*.sh
    judged("shellcheck", "--shell=sh", "--severity=warning", *sorted((LINUX / "debian").glob("p*")))


# --- Windows and macOS -----------------------------------------------------------------------------------------------


def test_the_version_resource_is_what_pyinstaller_reads(script: Callable[[str], ModuleType]) -> None:
    tree = ast.parse(script("version_info").text("1.2.3rc1"), mode="eval")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
    assert names == {
        "VSVersionInfo",
        "FixedFileInfo",
        "StringFileInfo",
        "StringTable",
        "StringStruct",
        "VarFileInfo",
        "VarStruct",
    }
    strings = dict(
        tuple(ast.literal_eval(argument) for argument in node.args)
        for node in calls
        if isinstance(node.func, ast.Name) and node.func.id == "StringStruct"
    )
    assert strings["ProductVersion"] == "1.2.3rc1"
    assert "filevers=(1, 2, 31, 0)" in script("version_info").text("1.2.3rc1") or "filevers=(1, 2, 3" in ast.unparse(
        tree
    )


def installer_sections() -> dict[str, list[str]]:
    """Return the lines of the Windows installer by section."""
    sections: dict[str, list[str]] = {"": []}
    now = ""
    for line in io.StringIO((PACKAGING / "windows" / "vxtray.iss").read_text("utf-8-sig")):
        if found := re.fullmatch(r"\[(\w+)\]\s*", line):
            now = found[1]
            sections[now] = []
        elif line.strip() and not line.startswith(";"):
            sections[now].append(line.rstrip("\n"))
    return sections


def test_the_windows_installer_is_whole() -> None:
    sections = installer_sections()
    known = "Setup Languages CustomMessages Tasks InstallDelete Files Icons Registry Run UninstallRun Code"
    assert set(sections) == {"", *known.split()}
    whole = "\n".join(line for lines in sections.values() for line in lines)
    said = dict(line.split("=", 1) for line in sections["CustomMessages"])
    used = set(re.findall(r"\{cm:(\w+)", whole)) | set(re.findall(r"CustomMessage\('(\w+)'\)", whole))
    assert used - {"LaunchProgram"} == {key.partition(".")[2] for key in said}
    for name in used - {"LaunchProgram"}:
        assert said[f"en.{name}"] != said[f"fr.{name}"]
    tasks = set(re.findall(r'^Name: "(\w+)"', "\n".join(sections["Tasks"]), re.MULTILINE))
    assert set(re.findall(r"Tasks: (\w+)", whole)) == tasks
    code = "\n".join(sections["Code"])
    assert len(re.findall(r"\bbegin\b", code)) == len(re.findall(r"\bend;", code))
    assert set(re.findall(r"Check: (\w+)", whole)) <= set(re.findall(r"^function (\w+)", code, re.MULTILINE))
    for name in (ROOT / "LICENSE", PACKAGING / "windows" / "build.ps1"):
        assert name.exists()
    programs = set(re.findall(r'name="(vxtray[\w-]*)"', (PACKAGING / "vxtray.spec").read_text("utf-8")))
    assert {name.removesuffix(".exe") for name in re.findall(r"vxtray[\w-]*\.exe", whole)} <= programs
    for words in re.findall(r'Parameters: "([^"]+)"', whole):
        assert parser.parse(shlex.split(words)).call


def test_the_macos_entitlements_are_a_property_list() -> None:
    found = plistlib.loads((PACKAGING / "macos" / "entitlements.plist").read_bytes())
    assert found
    assert all(key.startswith("com.apple.security.cs.") and value is True for key, value in found.items())


# --- workflows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_workflows_call_scripts_that_are_there(name: str) -> None:
    yaml = pytest.importorskip("yaml")
    text = (ROOT / ".github" / "workflows" / name).read_text("utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), "pinned by its major version"
        for script in re.findall(r"packaging[\\/][\w\\/.-]+", step.get("run", "")):
            assert (ROOT / script.replace("\\", "/")).exists(), script
    assert all(job["timeout-minutes"] <= 90 for job in jobs.values())


def test_the_flatpak_recipe_unpacks_what_the_build_makes(script: Callable[[str], ModuleType]) -> None:
    yaml = pytest.importorskip("yaml")
    recipe = yaml.safe_load((LINUX / "flatpak.yml").read_text("utf-8"))
    assert recipe["command"] == "vxtray"
    (module,) = recipe["modules"]
    (source,) = module["sources"]
    made = f"vxtray-{script('names').version()}-linux-x86_64.tar.xz"
    assert source["path"] == f"../dist/{made}".replace(vxtray.__version__, "@VERSION@")
