"""The whole life of a sign-in in processes of their own, beside a real keyring; then everything is searched."""

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.test_secrets import found_in
from tests.e2e.vxtray_process import ROOT
from tests.peers.desktop import SecretService
from tests.peers.oauth_server import ACCOUNT

pytestmark = pytest.mark.timeout(240)


def test_a_whole_life(secret_service: SecretService, tmp_path: Path, isolation: Path) -> None:
    (tmp_path / "tmp").mkdir()
    done = secret_service.run(
        [sys.executable, "-m", "tests.e2e.oauth_life", str(tmp_path)],
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")},
        seconds=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)

    assert result["after the wrong account"] == "auto"
    assert (result["sign-in"]["ok"], result["sign-in"]["signed_in_as"]) == (True, ACCOUNT)
    assert (result["check"], result["test mail"], result["by a code"]) == (True, True, True)
    assert result["renewed in between"] == 1
    told, queued = result["revoked"]
    assert (told, queued, result["while revoked"]) == ([f"The sign-in for {ACCOUNT} has ended."], 3, 3)
    assert result["signed in again"] == [[], 0]
    assert result["history"].count("signed_in") == 2
    assert result["unreachable"] == [1, "server"]
    assert (result["ended"], result["reused"]) == (0, 0)
    assert (result["mails"], result["twice"]) == (8, 0)
    assert result["refused"] <= 5, "one for each token that had ended"
    assert (result["kept"], result["left"]) == (True, False)
    assert result["signed out"]["ok"]

    issued = result["issued"]
    assert len(issued) > 15, "codes, device codes, access and refresh tokens"
    folders = [tmp_path / "profile", tmp_path / "tmp", isolation.parent, secret_service.home]
    for token in issued:
        assert found_in(folders, result["said"] + done.stderr, token, ACCOUNT) == []
    assert (tmp_path / "profile" / "logs" / "vxtray.log").stat().st_size > 0
    assert ACCOUNT in result["said"]
