"""``settings``, ``smtp show/set/import-env`` and ``secret``: what they print, change and keep."""

import contextlib
import os
import pty
import stat
import sys
import tomllib

import pytest

from vxtray.core.credentials import Account, Secret
from vxtray.core.settings import keys
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.tree import Settings

ACCOUNT = Account("smtp-password", "reports@example.com", "mail.example.com")


def test_set_get_and_reset(vxtray, profile) -> None:
    assert vxtray("settings", "get", "reports.monthly.day").out == "1\n"
    said = vxtray(
        "settings", "set", "reports.monthly.day=last", "smtp.recipients=a@example.com,B@example.org", "--json"
    )
    assert said.json == {"reports.monthly.day": "last", "smtp.recipients": ["a@example.com", "B@example.org"]}
    assert vxtray("settings", "get", "smtp.recipients").out == "a@example.com, B@example.org\n"
    assert vxtray("settings", "get", "reports.monthly", "--json").json == {
        "enabled": False,
        "day": "last",
        "time": "08:00",
    }
    assert "reports.monthly.day = last\n" in vxtray("settings", "get", "reports").out
    assert vxtray("settings", "get", "alerts.critical").out == "true\n"
    assert vxtray("settings", "reset", "reports").code == 0
    assert vxtray("settings", "get", "reports.monthly.day", "--json").json == 1
    assert vxtray("settings", "get", "smtp.recipients").out != "\n"
    assert stat.S_IMODE(profile.settings_file.stat().st_mode) == 0o600


def test_every_key_can_be_read_and_set_to_what_was_read(vxtray, profile) -> None:
    vxtray("settings", "set", "smtp.from_name=a = b", 'sources.files=[{"path": "/var/log/x.log"}]')
    before = SettingsFile(profile.settings_file).read().settings
    shown = dict(line.split(" = ", 1) for line in vxtray("settings", "show").out.splitlines())
    assert set(shown) - {"version"} == set(keys.LEAVES)
    assigned = [f"{key}={shown[key]}" for key in keys.LEAVES if key != "sources.files"]
    assert vxtray("settings", "set", *assigned).code == 0
    assert SettingsFile(profile.settings_file).read().settings == before


def test_one_wrong_value_of_several_changes_nothing(vxtray, profile) -> None:
    said = vxtray("settings", "set", "smtp.port=25", "reports.daily.time=8h")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("reports.daily.time cannot be “8h”: it must be a time such as 08:00.")
    assert not profile.settings_file.exists()


def test_export_and_import(vxtray, tmp_path, profile, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    vxtray("settings", "set", "smtp.host=mail.example.com", "reports.zone=Europe/Paris")
    assert vxtray("settings", "export", "all.toml", "--json").json == {"file": str(tmp_path / "all.toml")}
    exported = tomllib.loads((tmp_path / "all.toml").read_text())
    assert {key for key, _ in keys.flatten(exported)} >= set(keys.LEAVES)
    assert tomllib.loads(vxtray("settings", "export", "-").out) == exported
    vxtray("settings", "set", "smtp.host=other.example.com", "alerts.new_ban=on")
    assert vxtray("settings", "import", "all.toml").code == 0
    now = SettingsFile(profile.settings_file).read().settings
    assert (now.smtp.host, now.reports.zone, now.alerts.new_ban) == ("mail.example.com", "Europe/Paris", False)
    said = vxtray("settings", "import", "-", "--json", stdin=b"weather = 1\n[smtp]\nport = 25\n")
    assert said.json["smtp"]["port"] == 25
    assert said.err == "Left out: nobody knows the setting weather.\n"
    for wrong in (b"[smtp]\nport = 0\n", b"smtp = 1", b"[smtp", b"\xff", b"version = 99"):
        said = vxtray("settings", "import", "-", stdin=wrong)
        assert (said.code, said.out) == (1, "")
    assert SettingsFile(profile.settings_file).read().settings.smtp.port == 25


def test_smtp_show_and_set(vxtray) -> None:
    said = vxtray("smtp", "set", "host=mail.example.com", "smtp.port=465", "security=tls", "oauth.tenant=x", "--json")
    assert {name: said.json[name] for name in ("host", "port", "security")} == {
        "host": "mail.example.com",
        "port": 465,
        "security": "tls",
    }
    assert vxtray("smtp", "show", "--json").json == said.json
    assert "host = mail.example.com\n" in vxtray("smtp", "show").out
    assert "password" not in said.json


ENV = """\
# SMTP of VIGILANCE X
export SMTP_HOST="mail.example.com"   # ours
SMTP_PORT=465
SMTP_SECURITY='ssl'
  SMTP_FROM_EMAIL = reports@example.com # sender
SMTP_USERNAME=reports@example.com
SMTP_PASSWORD="p#ss 'word' = \\é"  # secret
#SMTP_PORT=25
SMTP_RECIPIENTS=a@example.com,b@example.com

OTHER=1
not a line
"""


def test_import_env(vxtray, memory, tmp_path) -> None:
    (tmp_path / ".env").write_text(ENV, "utf-8")
    said = vxtray("smtp", "import-env", str(tmp_path / ".env"), "--json")
    assert (said.code, said.err) == (0, "")
    expected = {
        "host": "mail.example.com",
        "port": 465,
        "security": "tls",
        "from_address": "reports@example.com",
        "username": "reports@example.com",
        "recipients": ["a@example.com", "b@example.com"],
        "password_stored": True,
    }
    assert {name: said.json[name] for name in expected} == expected
    assert memory.get(ACCOUNT) == Secret("p#ss 'word' = \\é")
    assert "word" not in said.out.replace("password_stored", "")
    said = vxtray("smtp", "import-env", str(tmp_path / ".env"))
    assert "Delete it from" in said.out


@pytest.mark.parametrize(
    ("word", "security"),
    [("STARTTLS", "starttls"), ("tls", "starttls"), ("ssl", "tls"), ("implicit", "tls"), ("none", "none"),
     ("plain", "none"), ("magic", None)],
)  # fmt: skip
def test_security_words_of_an_env_file(vxtray, tmp_path, word, security) -> None:
    (tmp_path / ".env").write_text(f"SMTP_HOST=mail.example.com\r\nSMTP_SECURITY={word}\r\n")
    said = vxtray("smtp", "import-env", str(tmp_path / ".env"))
    if security is None:
        assert said.code == 1
        assert "SMTP_SECURITY cannot be “magic”: it must be one of starttls, tls, ssl" in said.err
        assert vxtray("settings", "get", "smtp.host").out == "\n"
    else:
        assert said.code == 0
        assert vxtray("settings", "get", "smtp.security").out == f"{security}\n"


def test_a_new_security_brings_its_usual_port_along(vxtray, tmp_path) -> None:
    assert vxtray("smtp", "set", "security=tls", "--json").json["port"] == 465
    assert vxtray("smtp", "set", "security=none", "port=2525", "--json").json["port"] == 2525
    assert vxtray("smtp", "set", "security=starttls", "--json").json["port"] == 2525, "chosen by the person"
    vxtray("settings", "reset", "smtp.port")
    (tmp_path / ".env").write_text("SMTP_HOST=mail.example.com\nSMTP_SECURITY=ssl\n")
    assert vxtray("smtp", "import-env", str(tmp_path / ".env"), "--json").json["port"] == 465


def test_an_env_file_with_a_name_before_the_sender(vxtray, tmp_path) -> None:
    (tmp_path / ".env").write_text('SMTP_FROM_EMAIL="Security Reports <reports@example.com>"\n')
    told = vxtray("smtp", "import-env", str(tmp_path / ".env"), "--json").json
    assert (told["from_name"], told["from_address"]) == ("Security Reports", "reports@example.com")


def test_a_secret_typed_on_a_terminal_is_not_shown(profile) -> None:
    script = f'"{sys.executable}" -m vxtray --profile-dir "{profile.config}" secret set vigilancex-password 2>/dev/null'
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("sh", ["sh", "-c", script], {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    shown = b""
    with contextlib.suppress(OSError):  # what Linux gives for a terminal whose program has ended
        while piece := os.read(terminal, 1024):
            shown += piece
            if shown.endswith(b"vigilancex-password: "):
                os.write(terminal, b"hunter2 and more\n")
    os.close(terminal)
    os.waitpid(child, 0)
    assert b"vigilancex-password: " in shown
    assert b"hunter2" not in shown


def test_an_env_file_without_our_variables(vxtray, tmp_path) -> None:
    (tmp_path / ".env").write_text("OTHER=1\n")
    assert vxtray("smtp", "import-env", str(tmp_path / ".env")).code == 2


@pytest.mark.parametrize(
    ("typed", "kept"),
    [(b"hunter2", "hunter2"), (b"hunter2\n", "hunter2"), (b"hunter2\r\n", "hunter2"), ("é €\n".encode(), "é €"),
     (b" spaces  \n", " spaces  ")],
)  # fmt: skip
def test_secret_set_and_forget(vxtray, memory, typed, kept) -> None:
    vxtray("smtp", "set", "host=Mail.example.com.", "username=Reports@example.com")
    said = vxtray("secret", "set", "smtp-password", stdin=typed)
    assert (said.code, said.out) == (0, "")
    assert memory.get(ACCOUNT) == Secret(kept)
    assert vxtray("secret", "forget", "smtp-password").code == 0
    assert memory.get(ACCOUNT) is None
    assert vxtray("secret", "forget", "smtp-password", "--json").json == {"forgotten": False}


@pytest.mark.parametrize("typed", [b"", b"\n", b"two\nlines\n", b"nul\0", b"\xff"])
def test_what_is_no_secret(vxtray, memory, typed) -> None:
    vxtray("smtp", "set", "host=mail.example.com", "username=reports@example.com")
    assert vxtray("secret", "set", "smtp-password", stdin=typed).code == 2
    assert memory.get(ACCOUNT) is None


def test_a_secret_before_its_account_is_known(vxtray, memory) -> None:
    said = vxtray("secret", "set", "smtp-password", stdin=b"hunter2\n")
    assert said.code == 3
    assert "vxtray smtp set host=" in said.err
    assert vxtray("secret", "set", "vigilancex-password", "--json", stdin=b"x y z\n").code == 0


def test_systemd_credentials_are_read_only(vxtray, memory, tmp_path, monkeypatch) -> None:
    (tmp_path / "smtp-password").write_text("hunter2\n")
    monkeypatch.undo()  # the real choice of the store, not the one in memory
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    vxtray("smtp", "set", "host=mail.example.com", "username=reports@example.com")
    for words in (("secret", "set", "smtp-password"), ("secret", "forget", "smtp-password")):
        said = vxtray(*words, stdin=b"other\n")
        assert (said.code, said.out) == (1, "")
        assert str(tmp_path) in said.err
    assert (tmp_path / "smtp-password").read_text() == "hunter2\n"


def test_a_real_keyring_keeps_the_password_of_an_env_file(secret_service, tmp_path, profile) -> None:
    (tmp_path / ".env").write_text(ENV, "utf-8")
    base = [sys.executable, "-m", "vxtray", "--profile-dir", str(profile.config)]
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = secret_service.run([*base, "smtp", "import-env", str(tmp_path / ".env")], env=env)
    assert done.returncode == 0, done.stderr
    assert not secret_service.contains("p#ss")
    read = "import keyring; print(keyring.get_password('vxtray', 'smtp-password:reports@example.com@mail.example.com'))"
    script = f'"$0" -c "{read}" && "$@" secret forget smtp-password --json'
    done = secret_service.run(["sh", "-c", script, sys.executable, *base], env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "p#ss 'word' = \\é\n" + '{\n  "forgotten": true\n}\n'


def test_the_defaults_are_shown_without_a_file(vxtray, profile) -> None:
    shown = vxtray("settings", "show", "--json").json
    assert keys.build(shown) == (Settings(), [])
    assert not profile.config.exists()
