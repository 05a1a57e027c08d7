"""What a person installs: the wheel and the sdist, built here, inspected and run from a folder of their own."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def python(*arguments: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def pip(*arguments: str, cwd: Path) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-index"]
    python("-m", "pip", *arguments[:1], *quiet, *arguments[1:], cwd=cwd)


def build_wheel(source: Path, folder: Path) -> Path:
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source), cwd=folder.parent)
    (wheel,) = folder.glob("*.whl")
    return wheel


def files_of_checkout() -> set[Path]:
    """What git sees as the checkout's files, changed and new ones too; the state of the checkout in one value."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return {ROOT / name for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("distributions")


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    before = files_of_checkout()
    built = build_wheel(ROOT, folder / "wheel")
    assert files_of_checkout() == before, "the build left files in the checkout"
    return built


@pytest.fixture(scope="module")
def sdist(folder: Path) -> Path:
    build = "import hatchling.build, sys; hatchling.build.build_sdist(sys.argv[1])"
    python("-c", build, str(folder / "sdist"), cwd=ROOT)
    (archive,) = (folder / "sdist").glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def installed(wheel: Path, folder: Path) -> Path:
    pip("install", "--no-deps", "--target", str(folder / "installed"), str(wheel), cwd=folder)
    return folder / "installed"


def about(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return dict(json.loads(archive.read("vxtray/_build.json")))


def test_wheel_holds_the_package_and_its_resources(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "vxtray").rglob("*.py")}
    assert modules <= names
    assert "vxtray/_resources/i18n/fr/LC_MESSAGES/vxtray.mo" in names
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"vxtray"}
    assert not [name for name in names if name.endswith((".po", ".pot", ".pyc"))]
    kinds = ("docs", "icons", "licences", "mail", "sql")
    shipped = [path for kind in kinds for path in (ROOT / "resources" / kind).rglob("*.*")]
    assert {f"vxtray/_resources/{path.relative_to(ROOT / 'resources').as_posix()}" for path in shipped} <= names


def test_wheel_knows_its_revision(wheel: Path) -> None:
    from vxtray.core.revision import digest, revision_of

    assert about(wheel)["revision"] == revision_of(ROOT / "vxtray")
    assert about(wheel)["sha256"] == digest(ROOT / "vxtray")


def test_wheel_from_the_sdist_knows_its_revision(sdist: Path, wheel: Path, folder: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    assert f"{source.name}/README.md" in names
    assert f"{source.name}/tests/conftest.py" in names
    assert f"{source.name}/packaging/test.sh" in names
    again = build_wheel(source, folder / "again")
    assert about(again)["revision"] == about(wheel)["revision"]
    with zipfile.ZipFile(again) as second, zipfile.ZipFile(wheel) as first:
        assert set(second.namelist()) == set(first.namelist())


def test_installed_package_runs_by_itself(installed: Path, wheel: Path, tmp_path: Path) -> None:
    said = python("-m", "vxtray", "--version", cwd=tmp_path, PYTHONPATH=str(installed))
    assert said.endswith(f"({about(wheel)['revision']})")
    where = python("-c", "import vxtray; print(vxtray.__file__)", cwd=tmp_path, PYTHONPATH=str(installed))
    assert Path(where).is_relative_to(installed)


def test_installed_package_finds_its_resources(installed: Path, tmp_path: Path) -> None:
    code = (
        "from vxtray.core.paths import resource\n"
        "from vxtray.core.texts import translate\n"
        "print(resource('i18n/fr/LC_MESSAGES/vxtray.mo'))\n"
        "print(translate('Something went wrong.', 'fr'))\n"
    )
    path, french = python("-X", "utf8", "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).splitlines()
    assert Path(path).is_relative_to(installed)
    assert french != "Something went wrong."


def test_a_changed_module_shows_in_the_version(wheel: Path, tmp_path: Path) -> None:
    pip("install", "--no-deps", "--target", str(tmp_path / "changed"), str(wheel), cwd=tmp_path)
    with (tmp_path / "changed" / "vxtray" / "core" / "errors.py").open("a") as module:
        module.write("# changed by hand\n")
    said = python("-m", "vxtray", "--version", cwd=tmp_path, PYTHONPATH=str(tmp_path / "changed"))
    assert said.endswith("+modified)")
