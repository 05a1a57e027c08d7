"""What a machine tells by itself: logs in real trees, a free port, its own address."""

import getpass
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from vxtray.core.settings.tree import Syslog
from vxtray.core.sources.finding import Found, find_logs, free_port, own_address
from vxtray.core.sources.listening import open_sockets

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534


def put(root: Path, name: str, text: str = "a line\n") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(root: Path) -> list[tuple[str, str, str]]:
    """Return program, path below the root, and format of what is found."""
    return [(one.program, str(Path(one.path).relative_to(root)), one.format) for one in find_logs(root)]


def test_an_empty_machine_has_none(tmp_path: Path) -> None:
    assert find_logs(tmp_path) == ()
    assert find_logs(tmp_path / "nowhere") == ()


def test_every_program_is_found_where_its_package_writes(tmp_path: Path) -> None:
    for name in (
        "var/log/fail2ban.log",
        "var/log/apache2/modsec_audit.log",
        "var/log/apache2/error.log",
        "var/log/apache2/access.log",
        "var/log/httpd/error_log",
        "var/log/nginx/error.log",
        "var/log/nginx/shop.example.com-error.log",
        "var/log/nginx/error.log.1",
        "var/log/nginx/terror.log.old",
        "var/log/suricata/eve.json",
        "var/log/suricata/fast.log",
        "var/log/crowdsec.log",
        "var/log/crowdsec_api.log",
        "opt/homebrew/var/log/nginx/error.log",
        "Program Files/Suricata/log/eve.json",
    ):
        put(tmp_path, name)
    assert names(tmp_path) == [
        ("fail2ban", "var/log/fail2ban.log", "fail2ban"),
        ("ModSecurity", "var/log/apache2/modsec_audit.log", "modsecurity"),
        ("Suricata", "var/log/suricata/eve.json", "suricata"),
        ("Suricata", "Program Files/Suricata/log/eve.json", "suricata"),
        ("CrowdSec", "var/log/crowdsec.log", "crowdsec"),
        ("nginx", "var/log/nginx/error.log", "modsecurity"),
        ("nginx", "var/log/nginx/shop.example.com-error.log", "modsecurity"),
        ("nginx", "opt/homebrew/var/log/nginx/error.log", "modsecurity"),
        ("Apache", "var/log/apache2/error.log", "modsecurity"),
        ("Apache", "var/log/httpd/error_log", "modsecurity"),
    ]
    assert all(one.readable and not one.command for one in find_logs(tmp_path))


def test_only_ordinary_files_count(tmp_path: Path) -> None:
    (tmp_path / "var/log/fail2ban.log").mkdir(parents=True)
    if hasattr(os, "mkfifo"):
        (tmp_path / "var/log/nginx").mkdir()
        os.mkfifo(tmp_path / "var/log/nginx/error.log")
    assert find_logs(tmp_path) == ()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_are_followed_within_the_logs_only(tmp_path: Path) -> None:
    logs = tmp_path / "var/log"
    put(tmp_path, "var/log/volume/fail2ban-today.log")
    (logs / "fail2ban.log").symlink_to("volume/fail2ban-today.log")
    (logs / "nginx").mkdir()
    (logs / "nginx/error.log").symlink_to("/dev/stderr")
    secret = put(tmp_path, "home/person/diary.txt")
    (logs / "nginx/shop-error.log").symlink_to(secret)
    (logs / "nginx/gone-error.log").symlink_to("nothing")
    (logs / "nginx/loop-error.log").symlink_to("loop-error.log")
    put(tmp_path, "srv/apache2/error.log")
    (logs / "apache2").symlink_to(tmp_path / "srv/apache2")
    assert names(tmp_path) == [("fail2ban", "var/log/fail2ban.log", "fail2ban")]


def test_a_folder_full_of_sites_is_bounded(tmp_path: Path) -> None:
    for number in range(40):
        put(tmp_path, f"var/log/nginx/site{number:02}-error.log")
    assert len(find_logs(tmp_path)) == 6


# --- without the right to read ---------------------------------------------------------------------------------------


@pytest.fixture
def open_root() -> Iterator[Path]:
    """Return a tree that every account may enter; pytest's own folders are closed to others."""
    if sys.platform == "win32":
        pytest.skip("rights are other there")
    with tempfile.TemporaryDirectory(prefix="vx-finding-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        for path, _folders, _files in os.walk(folder):
            Path(path).chmod(0o755)


def as_ordinary_person(root: Path) -> dict[str, Found]:
    """Return what an account without special rights finds, by program."""
    if os.geteuid() != 0:
        return {one.program: one for one in find_logs(root)}
    code = (
        "import grp, os, pathlib, sys, msgspec; sys.path.insert(0, sys.argv[2]);"
        "from vxtray.core.sources.finding import find_logs;"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY});"
        "print(msgspec.json.encode(find_logs(pathlib.Path(sys.argv[1]))).decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root), str(ROOT)],
        env={"USER": "camille", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {one["program"]: Found(**one) for one in json.loads(done.stdout)}


def test_a_file_of_a_group_says_which_group_to_join(open_root: Path) -> None:
    import grp

    log = put(open_root, "var/log/fail2ban.log")
    log.chmod(0o640 if os.geteuid() == 0 else 0o040)  # the owner's bits count first
    if os.geteuid() == 0:
        os.chown(log, 0, grp.getgrnam("adm").gr_gid)
    person = "camille" if os.geteuid() == 0 else getpass.getuser()
    found = as_ordinary_person(open_root)["fail2ban"]
    group = grp.getgrgid(log.stat().st_gid).gr_name
    assert (found.readable, found.group) == (False, group)
    assert found.command == f"sudo usermod -aG {group} {person}"


def test_a_file_of_its_owner_alone_names_no_group(open_root: Path) -> None:
    log = put(open_root, "var/log/fail2ban.log")
    log.chmod(0o000 if os.geteuid() else 0o600)
    found = as_ordinary_person(open_root)["fail2ban"]
    assert (found.readable, found.group) == (False, "")
    assert found.command.startswith("sudo setfacl -m u:")
    assert found.command.endswith(f":r {log}")


def test_a_folder_that_may_not_be_entered_counts_as_its_usual_log(open_root: Path) -> None:
    put(open_root, "var/log/suricata/eve.json")
    put(open_root, "var/log/apache2/other.log")
    for name in ("suricata", "apache2"):
        (open_root / "var/log" / name).chmod(0o000)
    found = as_ordinary_person(open_root)
    assert found["Suricata"].path == str(open_root / "var/log/suricata/eve.json")
    assert found["Apache"].path == str(open_root / "var/log/apache2/error.log")
    assert not any(one.readable for one in found.values())
    assert "setfacl -R" in found["Suricata"].command


# --- for the receiver ------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_passed_over(own_ports: None) -> None:
    first = free_port("127.0.0.1")
    assert first >= 5514
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as taken:
            with suppress(OSError):  # it may be another test's meanwhile
                taken.bind(("127.0.0.1", first))
            if kind == socket.SOCK_STREAM:
                taken.listen()
            assert free_port("127.0.0.1") > first


def test_a_receiver_can_open_the_port_that_was_found(own_ports: None) -> None:
    port = free_port("127.0.0.1")
    with ExitStack() as stack:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for sock in open_sockets(Syslog(port=port), "syslog", port, kind):
                stack.enter_context(sock)
                assert sock.getsockname()[1] == port


def test_own_address_is_the_one_that_the_peer_sees() -> None:
    assert own_address("127.0.0.5") == "127.0.0.1"
    assert own_address("127.0.0.0/8") == "127.0.0.1"
