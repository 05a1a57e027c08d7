"""The revision says which source is running: checkout, changed checkout, wheel, changed installation, no git."""

import json
import subprocess
from pathlib import Path

import pytest

from vxtray import __version__
from vxtray.core.revision import BUILD_FILE, UNKNOWN, describe, digest, revision, revision_of, version_line


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "vxtray").mkdir(parents=True)
    (folder / "vxtray" / "__init__.py").write_text("x = 1\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


@pytest.fixture
def no_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def test_checkout_has_its_commit(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    assert revision_of(checkout / "vxtray") == commit[:12]


def test_a_tag_does_not_change_the_form(checkout: Path) -> None:
    git(checkout, "tag", "--annotate", "--message", "one", "v1.0")
    assert revision_of(checkout / "vxtray") == git(checkout, "rev-parse", "HEAD")[:12]


def test_changes_make_it_dirty(checkout: Path) -> None:
    (checkout / "vxtray" / "__init__.py").write_text("x = 2\n")
    assert revision_of(checkout / "vxtray") == git(checkout, "rev-parse", "HEAD")[:12] + "-dirty"


@pytest.mark.parametrize("packed", [False, True])
def test_without_git_the_commit_is_read(checkout: Path, packed: bool, request: pytest.FixtureRequest) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    if packed:
        git(checkout, "pack-refs", "--all")
    request.getfixturevalue("no_git")
    assert describe(checkout) == commit[:12]


def test_without_git_a_worktree_is_read(checkout: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    git(checkout, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"))
    git(checkout, "worktree", "add", "--quiet", "--detach", str(tmp_path / "detached"))
    commit = git(checkout, "rev-parse", "HEAD")
    request.getfixturevalue("no_git")
    assert describe(tmp_path / "tree") == commit[:12]
    assert describe(tmp_path / "detached") == commit[:12]


def test_a_repository_without_a_commit_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "vxtray").mkdir()
    git(tmp_path, "init", "--quiet")
    assert revision_of(tmp_path / "vxtray") == UNKNOWN


def test_a_folder_inside_another_repository_is_unknown(checkout: Path) -> None:
    (checkout / "sub" / "vxtray").mkdir(parents=True)
    assert revision_of(checkout / "sub" / "vxtray") == UNKNOWN


def test_installed_package_knows_what_was_built(tmp_path: Path) -> None:
    package = tmp_path / "vxtray"
    (package / "core").mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    (package / "core" / "a.py").write_text("y = 1\n")
    (package / BUILD_FILE).write_text(json.dumps({"revision": "abc123def456", "sha256": digest(package)}))
    assert revision_of(package) == "abc123def456"
    (package / "core" / "a.py").write_text("y = 2\n")
    assert revision_of(package) == "abc123def456+modified"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"revision": "x"}', "\x00"])
def test_a_damaged_build_file_is_unknown(tmp_path: Path, content: str) -> None:
    (tmp_path / BUILD_FILE).write_text(content)
    assert revision_of(tmp_path) == UNKNOWN


def test_version_line() -> None:
    assert version_line() == f"vxtray {__version__} ({revision()})"
