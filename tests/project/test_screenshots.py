"""The command that makes the pictures: a small part of them, looked at for size and content."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "packaging" / "screenshots.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(COMMAND), *arguments], capture_output=True, text=True, check=False, timeout=100
    )


def colours(picture: Path) -> set[int]:
    from PySide6.QtGui import QImage

    image = QImage(str(picture))
    return {image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three pictures in one language at 200 %."""
    out = tmp_path_factory.mktemp("pictures")
    done = run(
        *("--only", "overview-new", "assistant-1", "dialog-mail-server-new"),
        *("--language", "fr", "--theme", "dark", "--scale", "200", "--out", str(out)),
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out


def test_the_pictures_asked_for_are_made_and_no_others(pictures: Path) -> None:
    names = sorted(path.relative_to(pictures).as_posix() for path in pictures.rglob("*.png"))
    kept = [name for name in names if "-whole" not in name]
    assert kept == [
        "fr-dark-200/assistant-1-account.png",
        "fr-dark-200/dialog-mail-server-new.png",
        "fr-dark-200/overview-new.png",
    ]
    sheet = (pictures / "index.html").read_text("utf-8")
    assert all(name in sheet for name in names)


def test_they_have_the_size_of_a_screen_at_that_scale_and_show_something(pictures: Path) -> None:
    from PySide6.QtGui import QImage

    page = QImage(str(pictures / "fr-dark-200" / "overview-new.png"))
    assert (page.width(), page.height()) == (1920, 1000)  # of 1920 x 1080, less a panel
    for picture in pictures.rglob("*.png"):
        assert len(colours(picture)) > 50, picture.name
    assert page.pixelColor(1900, 980).lightness() < 60  # dark


def test_a_name_that_is_none_is_told(tmp_path: Path) -> None:
    choice = ("--language", "en", "--theme", "light", "--scale", "100", "--out", str(tmp_path))
    done = run("--only", "nothing-begins-so", *choice)
    assert done.returncode == 1
    assert "nothing-begins-so" in done.stderr
