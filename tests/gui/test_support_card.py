"""The support file on the settings page: shown first, with names only where ticked, then saved."""

import zipfile
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog

from tests.gui.support.world import World
from vxtray.core.credentials import Secret
from vxtray.gui.pages.settings_support import SupportCard

pytestmark = pytest.mark.qt_log_ignore(r"plugin does not support (propagateSizeHints|raise)\(\)")


@pytest.fixture
def card(world: World, qtbot) -> SupportCard:
    told: list[object] = []
    made = SupportCard(world.context, told.append)
    made.told = told
    qtbot.addWidget(made)
    made.resize(880, 620)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_it_is_shown_before_it_is_saved(
    world: World, card: SupportCard, qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.model.update({"smtp.host": "canary.example.org", "smtp.from_address": "canary@example.org"})
    Secret("canary-secret-77").reveal()
    assert not card.preview.isVisible()
    card.look_button.click()
    qtbot.waitUntil(card.preview.isVisible)
    text = card.preview.toPlainText()
    assert "versions.txt" in text
    assert "canary" not in text
    path = tmp_path / "for-help"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(path), ""))
    card.save.click()
    qtbot.waitUntil(lambda: card.told == [None])
    assert not card.preview.isVisible()
    with zipfile.ZipFile(path.with_suffix(".zip")) as file:
        saved = {name: file.read(name).decode() for name in file.namelist()}
    assert all(member in text for member in saved.values()), "what was looked at"


def test_names_where_ticked_and_a_folder_that_is_gone(world: World, card: SupportCard, qtbot, tmp_path: Path) -> None:
    world.model.update({"smtp.host": "canary.example.org", "smtp.from_address": "canary@example.org"})
    card.look()
    qtbot.waitUntil(card.names.isVisible)
    card.names.toggle.click()
    qtbot.waitUntil(lambda: "canary.example.org" in card.preview.toPlainText())
    card.save_to(tmp_path / "none" / "x.zip")
    qtbot.waitUntil(lambda: "x.zip cannot be written" in card.trouble.text())
    assert card.preview.isVisible(), "it can be saved elsewhere"
    card.close_button.click()
    assert not card.preview.isVisible()
    assert card.preview.toPlainText() == ""
