"""Room kept on the disk: taken, given up once, and taken again; on a full disk see ``tests/e2e/test_full_disk.py``."""

from pathlib import Path

import pytest

from tests.core.mail.test_outbox import NOW, mail
from vxtray.core.errors import StoreFull
from vxtray.core.mail.outbox import Outbox
from vxtray.core.mail.reserve import SIZE, Reserve


def test_it_is_taken_given_and_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    reserve = Reserve(path, 5000)
    assert not reserve.give()
    for _ in range(2):
        assert reserve.take()
        assert path.stat().st_size == 5000
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_blocks * 512 >= 5000, "it takes room, and not only a name"
        assert reserve.give()
        assert reserve.given
        assert not path.exists()
    assert reserve.take()
    assert not reserve.given


def test_a_part_of_one_is_filled_up(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"short")
    assert Reserve(path, 5000).take()
    assert path.stat().st_size == 5000


def test_where_it_cannot_be_made_there_is_none(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "missing" / "kept")
    assert not reserve.take()
    assert not reserve.give()
    assert not reserve.given


def test_a_step_that_finds_the_disk_full_is_done_again_in_the_room(tmp_path: Path) -> None:
    reserve, tries = Reserve(tmp_path / "kept"), 0
    reserve.take()

    def step() -> str:
        nonlocal tries
        tries += 1
        if tries == 1 or tries > 2:
            raise StoreFull(path="x")
        return "done"

    made = []
    assert reserve.surely(step, lambda: made.append("room")) == "done"
    assert made == ["room"]
    with pytest.raises(StoreFull):
        reserve.surely(step, lambda: None)


def test_an_outbox_has_one_and_takes_no_mail_while_it_is_given(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    kept = tmp_path / "outbox.db.reserve"
    assert kept.stat().st_size == SIZE
    assert outbox._reserve.give()
    kept.mkdir()  # so that it cannot be taken again
    with pytest.raises(StoreFull, match="disk is full"):
        outbox.add(mail("k1"), NOW)
    kept.rmdir()
    assert outbox.add(mail("k1"), NOW)
    assert kept.stat().st_size == SIZE
    outbox.close()
