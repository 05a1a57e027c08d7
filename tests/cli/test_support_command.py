"""``vxtray support``: what would be in it, and the file; even where the engine cannot be opened."""

import json
import zipfile
from pathlib import Path

from tests.cli.conftest import Command
from vxtray.core.paths import Profile


def test_show_and_write(vxtray: Command, tmp_path: Path) -> None:
    assert vxtray("support").code == 2
    assert vxtray("smtp", "set", "host=canary.example.org", "from_address=canary@example.org").code == 0
    shown = vxtray("support", "--show", "--json").json
    assert set(shown) == {
        "README.txt", "versions.txt", "settings.json", "status.json", "files.json", "counts.json", "log.txt",
    }  # fmt: skip
    assert "canary" not in json.dumps(shown)
    assert "canary.example.org" in vxtray("support", "--show", "--addresses").out
    said = vxtray("support", str(tmp_path / "a.zip"), "--json").json
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert {one.filename: one.file_size for one in file.infolist()} == said["members"]
    failed = vxtray("support", str(tmp_path / "none" / "a.zip"))
    assert (failed.code, "cannot be written" in failed.err) == (1, True)


def test_where_the_outbox_cannot_be_opened(vxtray: Command, profile: Profile) -> None:
    profile.outbox_file.mkdir(parents=True)
    shown = vxtray("support", "--show", "--json").json
    assert "cannot be used" in shown["status.json"]
