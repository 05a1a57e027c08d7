"""No secret that this process used reaches a log or a terminal, whichever way it is written."""

import logging
import stat
import sys
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any

import pytest

from vxtray.cli.terminal import Terminal
from vxtray.core.credentials import Secret, conceal, redact
from vxtray.core.errors import KeyringRefused
from vxtray.core.journal import log_to_terminal, write_log
from vxtray.core.paths import Profile

CANARY = "c4nary in % {braces} \"quotes\" 'ticks' \\ end"


@pytest.fixture
def log() -> logging.Logger:
    Secret(CANARY).reveal()
    return logging.getLogger("vxtray.core.anything")


def provoke(log: logging.Logger) -> None:
    """Log the secret in every way that a careless line could."""
    log.info(CANARY)
    log.info("password %s", CANARY)
    log.info("%(password)s", {"password": CANARY})
    log.info("first\nsecond %s\r\nthird", CANARY)
    log.debug("at a level that is not kept %s", CANARY)
    try:
        raise KeyringRefused(reason=CANARY)
    except KeyringRefused:
        log.exception("with a traceback")
    log.getChild("deeper").warning("settings changed: %s", MappingProxyType({"a": 1}))


@pytest.mark.expected_log("with a traceback", "settings changed")
def test_the_log_file(profile: Profile, log: logging.Logger) -> None:
    write_log(profile)
    provoke(log)
    text = profile.log_file.read_text("utf-8")
    assert "c4nary" not in text
    assert text.count("***") >= 4
    first, *lines = text.splitlines()
    assert "vxtray 0." in first
    assert all(line[:2] == "20" or line.startswith("    ") for line in lines), "what follows in a record is indented"
    assert "Traceback" in text
    assert "not kept" not in text
    assert stat.S_IMODE(profile.log_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(profile.logs.stat().st_mode) == 0o700


@pytest.mark.expected_log("with a traceback", "settings changed")
def test_the_log_on_the_terminal(log: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    log_to_terminal("DEBUG")
    provoke(log)
    said = capfd.readouterr()
    assert said.out == ""
    assert "c4nary" not in said.err
    assert "not kept ***" in said.err


@pytest.mark.expected_log("cannot be written")
def test_a_log_that_cannot_be_written_stops_nothing(
    profile: Profile, log: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    profile.logs.parent.mkdir(parents=True)
    profile.logs.write_text("a file where the folder should be")
    write_log(profile)
    log.info("password %s", CANARY)
    said = capfd.readouterr().err
    assert "password ***" in said
    assert "c4nary" not in said


def test_what_a_command_says(log: logging.Logger, tmp_path: Path) -> None:
    out: list[str] = []
    err: list[str] = []
    terminal = Terminal(out.append, err.append, cwd=tmp_path)
    terminal.say(f"answer {CANARY}")
    terminal.note(f"beside it {CANARY}")
    assert terminal.fail(KeyringRefused(reason=CANARY)) == 1
    assert out == ["answer ***\n"]
    assert "c4nary" not in "".join(err)
    assert redact("nothing here") == "nothing here"


def test_a_secret_that_is_used_again_is_hidden_meanwhile() -> None:
    """Other threads write log lines while one signs in once more: looked at after each line that it runs."""
    secret, seen = Secret("used-again-and-again"), []
    secret.reveal()

    def look(frame: FrameType, event: str, _arg: object) -> Any:
        if frame.f_code is conceal.__code__ and event == "line":
            sys.settrace(None)
            seen.append(redact("with used-again-and-again"))
            sys.settrace(look)
        return look

    sys.settrace(look)
    try:
        secret.reveal()
    finally:
        sys.settrace(None)
    assert len(seen) > 3
    assert set(seen) == {"with ***"}
