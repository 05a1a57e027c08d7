"""``sources test`` and ``sources take-over``, with a real server and the real engine on loopback."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.core.sources.test_vigilancex_takeover import SAID
from tests.peers import clickhouse, vigilancex
from tests.peers.clickhouse import clickhouse_server
from tests.peers.vigilancex import VigilanceX, vigilancex_server
from vxtray.core.credentials import Account, MemoryStore, Secret

WHOLE = "The server answers. Events, WAF requests and bans are read."


@pytest.fixture
def server() -> Iterator[VigilanceX]:
    with vigilancex_server() as held:
        held.said["/notifications/settings"] = SAID
        yield held


@pytest.fixture
def set_up(vxtray, memory: MemoryStore):
    """Enter a server, and its password as a person does."""

    def enter(which: str, url: str, username: str, password: str) -> None:
        words = (f"sources.{which}.url={url}", f"sources.{which}.username={username}")
        assert vxtray("settings", "set", *words).code == 0
        assert vxtray("secret", "set", f"{which}-password", stdin=password.encode()).code == 0

    return enter


@pytest.fixture
def known(set_up, server: VigilanceX) -> VigilanceX:
    set_up("vigilancex", server.url, vigilancex.USER, vigilancex.PASSWORD)
    return server


def test_a_server_is_asked_with_the_password_of_the_keyring(vxtray, known: VigilanceX) -> None:
    said = vxtray("sources", "test", "vigilancex")
    assert (said.code, " ".join(said.out.split())) == (0, WHOLE)
    known.licensed = False
    said = vxtray("sources", "test", "vigilancex", "--json")
    assert (said.code, said.json["ok"], len(said.json["says"])) == (0, True, 2)
    assert "no licence" in said.json["says"][1]
    assert abs(said.json["clock_ahead_seconds"]) < 60


def test_a_clock_that_differs_is_told(vxtray, known: VigilanceX) -> None:
    known.clock_ahead = timedelta(hours=2)
    assert "Its clock differs from this machine’s by 7" in vxtray("sources", "test", "vigilancex").out


def test_the_tables_are_asked_too(vxtray, set_up, tmp_path: Path) -> None:
    with clickhouse_server(tmp_path / "engine") as peer:
        peer.run(clickhouse.TABLES)
        set_up("clickhouse", peer.url, clickhouse.USER, clickhouse.PASSWORD)
        said = vxtray("sources", "test", "clickhouse")
        assert (said.code, " ".join(said.out.split())) == (0, WHOLE)
        assert vxtray("secret", "set", "clickhouse-password", stdin=b"wrong").code == 0
        said = vxtray("sources", "test", "clickhouse", "--json")
    assert (said.code, said.json["ok"]) == (1, False)
    assert said.json["says"] == [f"ClickHouse does not accept the account {clickhouse.USER}."]
    assert "may read the tables" in said.err


@pytest.mark.parametrize(("which", "name"), [("vigilancex", "VIGILANCE X"), ("clickhouse", "ClickHouse")])
def test_a_server_that_is_away_is_told_in_one_sentence(
    vxtray_process, free_port: int, tmp_path: Path, which: str, name: str
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / f"{which}-password").write_text("x")
    words = (f"sources.{which}.url=http://127.0.0.1:{free_port}", f"sources.{which}.username=anna")
    assert vxtray_process("settings", "set", *words).code == 0
    said = vxtray_process("sources", "test", which, CREDENTIALS_DIRECTORY=str(secrets))
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == f"{name} cannot be reached: Connection refused."


@pytest.mark.parametrize("which", ["vigilancex", "clickhouse"])
def test_a_server_that_is_not_set_up_is_no_failure(vxtray, memory: MemoryStore, which: str) -> None:
    said = vxtray("sources", "test", which)
    assert (said.code, said.out) == (3, "")
    assert f"sources.{which}.url=" in said.err


@pytest.mark.parametrize("words", [("sources",), ("sources", "test"), ("sources", "test", "syslog")])
def test_what_is_not_understood(vxtray, words: tuple[str, ...]) -> None:
    assert vxtray(*words).code == 2


def test_a_refusal_and_a_dead_server_fail(vxtray, known: VigilanceX, free_port: int) -> None:
    assert vxtray("secret", "set", "vigilancex-password", stdin=b"wrong").code == 0
    said = vxtray("sources", "test", "vigilancex")
    assert (said.code, said.out) == (1, "")
    assert "does not accept the account" in said.err
    assert vxtray("secret", "forget", "vigilancex-password").code == 0
    assert "secret set vigilancex-password" in vxtray("sources", "test", "vigilancex").err
    assert vxtray("settings", "set", f"sources.vigilancex.url=http://127.0.0.1:{free_port}").code == 0
    assert vxtray("sources", "take-over").code == 1


def test_what_would_be_taken_over_is_shown_and_nothing_changes(vxtray, known: VigilanceX, memory: MemoryStore) -> None:
    before = vxtray("settings", "show").out
    said = vxtray("sources", "take-over", "--dry-run")
    assert said.code == 0
    assert "smtp.host = smtp.office365.com\n" in said.out
    assert "nothing was changed" in said.out
    assert "s3cr3t" not in said.out + said.err
    assert vxtray("settings", "show").out == before
    assert memory.get(Account("smtp-password", "alerts@example.com", "smtp.office365.com")) is None


def test_mail_server_reports_and_alerts_are_taken_over(vxtray, known: VigilanceX, memory: MemoryStore) -> None:
    said = vxtray("sources", "take-over", "--json")
    assert (said.code, said.json["password"], said.json["dry_run"]) == (0, True, False)
    assert "s3cr3t" not in said.out + said.err
    for key, value in said.json["changed"].items():
        assert vxtray("settings", "get", key, "--json").json == value
    assert said.json["changed"]["smtp.host"] == "smtp.office365.com"
    account = Account("smtp-password", "alerts@example.com", "smtp.office365.com")
    assert memory.get(account) == Secret("s3cr3t-of-smtp")
    again = vxtray("sources", "take-over", "--json")  # all is the same by now
    assert (again.code, again.json["changed"]) == (0, {})


def test_without_a_licence_nothing_is_taken_over(vxtray, known: VigilanceX) -> None:
    known.licensed = False
    known.paths_with_licence.add("/notifications/settings")
    said = vxtray("sources", "take-over")
    assert (said.code, said.out) == (1, "")
    assert "import-env" in said.err
