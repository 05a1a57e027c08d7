"""What a person sees of a file before it is followed: its last lines and what they would be read as."""

import gzip
import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from vxtray.core.errors import LogFileError
from vxtray.core.events import Action
from vxtray.core.sources.preview import MOST, preview_file, read_line

PARIS = ZoneInfo("Europe/Paris")
BAN = "2026-11-23 10:00:00,123 fail2ban.actions        [812]: NOTICE  [sshd] Ban 10.0.{a}.{b}\n"


def bans(count: int) -> str:
    return "".join(BAN.format(a=n >> 8, b=n & 255) for n in range(count))


def test_events_and_rejected_lines_newest_first(tmp_path: Path) -> None:
    log = tmp_path / "fail2ban.log"
    log.write_text(bans(2) + "no log line\n\n" + BAN.format(a=9, b=9).rstrip("\n"))
    preview = preview_file(str(log), zone=PARIS)
    assert preview.path == str(log)
    assert [reading.reason for reading in preview.readings] == [
        "",
        "",
        "The line is of no known log format.",
        "",
        "",
    ]
    first = preview.readings[0].events[0]
    assert (first.src_ip, first.action, first.at.hour) == ("10.0.9.9", Action.BANNED, 9)
    assert preview.readings[1].events == ()  # a blank line
    assert preview.understood == 4


def test_of_a_large_file_only_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "fail2ban.log"
    with log.open("wb") as file:
        file.write(bans(100).encode())
        file.truncate(50 * 1024**3)  # a hole: reading it all would take minutes
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + bans(20_000).encode())
    readings = preview_file(str(log), zone=PARIS).readings
    assert len(readings) == MOST
    assert readings[0].events[0].src_ip == "10.0.78.31"
    assert all(reading.events for reading in readings)


def test_of_a_compressed_file_the_first_lines_are_read(tmp_path: Path) -> None:
    log = tmp_path / "fail2ban.log.1.gz"
    log.write_bytes(gzip.compress(bans(1000).encode()))
    readings = preview_file(str(log), zone=PARIS).readings
    assert len(readings) == MOST
    assert readings[-1].events[0].src_ip == "10.0.0.0"


def test_of_a_pattern_the_newest_file_is_read(tmp_path: Path) -> None:
    for age, name in enumerate(("b.log", "a.log", "c.log")):
        (tmp_path / name).write_text(bans(1))
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    assert preview_file(f"{tmp_path}/*.log", zone=PARIS).path == str(tmp_path / "b.log")


def test_the_format_is_the_chosen_one(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(bans(1))
    assert preview_file(str(log), format="sophos", zone=PARIS).understood == 0


def test_a_long_line_is_cut_for_the_eye(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("x" * 100_000 + "\n")
    (reading,) = preview_file(str(log), zone=PARIS).readings
    assert reading.reason == "The line is longer than 64 KiB."
    assert len(reading.text) == 1024


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "picture").write_bytes(bytes(range(256)) * 10)
    for name, said in (
        ("missing.log", "There is no file"),
        ("*.nothing", "No file matches"),
        ("pipe", "is no ordinary file"),
        ("picture", "is not a text file"),
        ("", "is no ordinary file"),
    ):
        with pytest.raises(LogFileError, match=said):
            preview_file(str(tmp_path / name), zone=PARIS)


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "new.log").touch()
    assert preview_file(str(tmp_path / "new.log"), zone=PARIS).readings == ()


def test_one_line() -> None:
    assert read_line(BAN.format(a=1, b=2), zone=PARIS).events[0].src_ip == "10.0.1.2"
    assert read_line("nothing", zone=PARIS).reason
