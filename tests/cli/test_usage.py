"""What every command promises: exit status, one JSON document, words instead of tracebacks, two languages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vxtray.core.settings.tree import Settings

WRONG = [
    ("bogus",),
    ("--bogus",),
    ("settings",),
    ("settings", "get"),
    ("settings", "get", "smtp.port", "smtp.host"),
    ("settings", "get", "smtp.prot"),
    ("settings", "set"),
    ("settings", "set", "smtp.port"),
    ("settings", "set", "=1"),
    ("settings", "set", "smtp=1"),
    ("settings", "reset", "nothing"),
    ("smtp", "set", "password=secret"),
    ("smtp", "set", "smtp.password=secret"),
    ("smtp", "tset"),
    ("secret", "set", "weather"),
    ("import",),
    ("import", "--format", "xml", "x.log"),
    ("parse", "--tz", "Paris", "x.log"),
    ("import", "--tz", "Paris", "x.log"),
    ("events", "--limit", "0"),
    ("events", "--limit", "many"),
    ("events", "--since", "yesterday"),
    ("events", "--since", "0001-01-01"),
    ("events", "--category", "spam"),
    ("report", "yearly"),
    ("report", "daily", "--for", "2026-02-30"),
    ("report", "daily", "--for", "0001-01-01"),
    ("report", "monthly", "--for", "9999-12-31"),
    ("report", "daily", "--to", "nobody"),
    ("outbox", "show", "one"),
    ("outbox", "show", "99999999999999999999"),
    ("outbox", "show", "7"),
    ("outbox", "cancel", "7"),
    ("outbox", "retry", "7"),
    ("alerts", "pause", "soon"),
    ("alerts", "pause", "0m"),
    ("smtp", "send-test", "--to", "nobody"),
    ("--log-level", "LOUD", "status"),
    ("--lang", "de", "status"),
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_usage(vxtray, words, capsys) -> None:
    said = vxtray(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") in (1, 2)
    assert "{" not in said.err
    assert "=secret" not in said.err
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("words", [("bogus",), ("settings", "get"), ("alerts", "pause", "soon")], ids=" ".join)
def test_usage_errors_in_two_languages(vxtray, words, monkeypatch) -> None:
    english, french = vxtray("--lang", "en", *words), vxtray("--lang=fr", *words)
    assert english.code == french.code == 2
    assert english.err != french.err
    assert {"«", "’", "é", "manque"} & set(french.err.replace(":", " ").split() + list(french.err))
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    assert vxtray(*words).err == french.err
    vxtray("settings", "set", "general.language=en")
    if words != ("bogus",):  # what is not even parsed follows the session
        assert vxtray("settings", "get", "smtp.prot").err.startswith("There is no setting")


def test_unconfigured_is_exit_status_three(vxtray) -> None:
    for words in (("smtp", "test"), ("smtp", "send-test"), ("report", "daily", "--send"), ("status",)):
        said = vxtray(*words)
        assert said.code == 3, words
        assert "vxtray smtp set host=" in said.out + said.err
        assert said.out == "" or words == ("status",)


@pytest.mark.parametrize(
    "words",
    [
        ("settings", "show"),
        ("settings", "get", "smtp.port"),
        ("settings", "get", "smtp"),
        ("settings", "set", "smtp.port=25"),
        ("settings", "reset", "smtp"),
        ("smtp", "show"),
        ("smtp", "set", "host=mail.example.com"),
        ("events",),
        ("report", "weekly"),
        ("outbox",),
        ("outbox", "list"),
        ("alerts", "pause", "30m"),
        ("alerts", "resume"),
    ],
    ids=" ".join,
)
def test_json_is_one_document_and_nothing_else(vxtray, words) -> None:
    said = vxtray(*words, "--json")
    assert said.code == 0, said.err
    json.loads(said.out)
    assert said.err == ""


def test_json_may_stand_before_the_second_verb_too(vxtray) -> None:
    assert vxtray("outbox", "--json", "list").json == []


def test_version_and_help(vxtray, capsys, monkeypatch) -> None:
    said = vxtray("--version")
    assert said.code == 0
    assert said.out.startswith("vxtray 0.")
    for words in (["--help"], ["settings", "--help"], ["outbox", "show", "--help"]):
        with pytest.raises(SystemExit) as left:
            vxtray(*words)
        assert left.value.code == 0


def test_commands_that_need_a_running_program(vxtray) -> None:
    for words in (("show",), ("quit",)):
        said = vxtray(*words)
        assert (said.code, said.out) == (1, "")
        assert "not running" in said.err


def test_without_a_screen_the_window_is_refused_in_words(vxtray, monkeypatch) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM")
    said = vxtray()
    assert (said.code, said.out) == (1, "")
    assert "no screen" in said.err
    assert "vxtray serve" in said.err


# --- in a process of its own ------------------------------------------------------------------------------------------

_ENGINE = ("duckdb", "sqlite3", "apscheduler", "PySide6", "shiboken6", "keyring", "jinja2", "zstandard", "truststore")


def test_settings_get_does_not_load_the_engine(profile) -> None:
    code = (
        "import json, sys\n"
        "from vxtray.cli import main\n"
        f"assert main(['--profile-dir', {str(profile.config)!r}, 'settings', 'get', 'smtp.port']) == 0\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    value, modules = done.stdout.splitlines()
    assert value == "587"
    assert not set(json.loads(modules)) & set(_ENGINE)
    assert not profile.config.exists(), "reading makes no folder"


def test_status_does_not_load_the_window(profile) -> None:
    code = (
        "import sys\n"
        "from vxtray.cli import main\n"
        f"assert main(['--profile-dir', {str(profile.config)!r}, 'status']) == 3\n"
        "heavy = {'PySide6', 'shiboken6', 'duckdb', 'keyring', 'jinja2', 'multiprocessing.connection'}\n"
        "heavy |= {'vxtray.core.' + name for name in ('store.embedded', 'mail.render', 'parsers', 'control')}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)


def test_what_goes_wrong_outside_is_told_in_words(vxtray, tmp_path, free_port, monkeypatch) -> None:
    """In this process, so that an exception that nobody expected fails the test by itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.log").touch()
    (tmp_path / "binary.log").write_bytes(bytes(range(256)) * 50)
    (tmp_path / "file").touch()
    server = ("host=127.0.0.1", f"port={free_port}", "security=none", "from_address=a@example.com")
    assert vxtray("smtp", "set", *server, "recipients=b@example.com").code == 0
    for words, code, words_said in (
        (("smtp", "test"), 1, ""),
        (("smtp", "send-test"), 1, "127.0.0.1"),
        (("smtp", "set", "host=mail.invalid"), 0, ""),
        (("smtp", "send-test"), 1, "mail.invalid"),
        (("import", "missing.log"), 1, "missing.log"),
        (("import", "binary.log"), 1, "binary.log"),
        (("import", "."), 1, "folder"),
        (("import", "empty.log"), 0, ""),
        (("parse", "missing.log"), 1, "missing.log"),
        (("parse", "empty.log"), 0, ""),
        (("smtp", "import-env", "missing.env"), 1, "missing.env"),
        (("smtp", "import-env", "binary.log"), 2, "SMTP_"),
        (("settings", "import", "binary.log"), 1, "binary.log"),
        (("settings", "export", "file/below.toml"), 1, "file"),
        (("report", "daily", "--out", "file/below"), 1, "file"),
        (("settings", "set", "smtp.ca_file=\udcff"), 1, "smtp.ca_file"),
        (("import", "\udcff.log"), 1, ".log"),
    ):
        said = vxtray(*words)
        assert said.code == code, (words, said)
        assert words_said in said.err, (words, said)


def test_a_secret_without_a_keyring(vxtray_process, profile) -> None:
    assert vxtray_process("smtp", "set", "host=mail.example.com", "username=anna").code == 0
    said = vxtray_process("secret", "set", "smtp-password", stdin=b"hunter2 and more\n")
    assert (said.code, said.out) == (1, "")
    assert "no usable keyring" in said.err
    assert "hunter2" not in said.err
    for path in profile.config.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()
    assert vxtray_process("secret", "set", "smtp-password", stdin=b"\xff\n").code == 2


def test_a_broken_settings_file(vxtray, profile) -> None:
    profile.config.mkdir()
    profile.settings_file.write_text("[smtp\n")
    for words in (("settings", "show"), ("events",), ("smtp", "show")):
        said = vxtray(*words)
        assert said.code == 1
        assert str(profile.settings_file) in said.err
    said = vxtray("settings", "set", "smtp.port=25")
    assert said.code == 0
    (aside,) = profile.config.glob("*.broken-*")
    assert aside.read_text() == "[smtp\n"
    assert "cannot be read: line 1, column 6" in said.err
    assert f"kept as {aside}" in said.err
    assert "the defaults" in said.err
    assert vxtray("settings", "get", "smtp.port").out == "25\n"
    profile.settings_file.write_text("[smtp\n")
    said = vxtray("--lang", "fr", "smtp", "set", "host=mail.example.com", "--json")
    assert (said.code, said.json["port"]) == (0, 25)
    assert "derniers bons paramètres" in said.err


def test_status_tells_of_a_broken_settings_file_and_leaves_nothing_behind(vxtray, profile) -> None:
    assert vxtray("status").code == 3
    assert not profile.state.exists()
    assert not profile.config.exists()
    server = ("host=mail.example.com", "from_address=a@example.com", "recipients=b@example.com")
    vxtray("smtp", "set", *server)
    profile.settings_file.write_text("")
    said = vxtray("status")
    assert (said.code, said.err, said.json["ok"], said.json["state"]) == (1, "", False, "stopped")
    assert "it is empty" in said.json["trouble"][0]["what"]
    assert str(profile.settings_file) in said.json["trouble"][0]["advice"]
    profile.settings_file.write_text("[smtp]\nport = 0\n")
    said = vxtray("status")
    assert "vxtray settings reset smtp.port" in said.json["trouble"][0]["advice"]
    assert said.json["state"] == "stopped", "the last good settings tell the rest"
    assert vxtray("settings", "reset", "smtp.port").code == 0


@pytest.mark.parametrize(
    "deep", [b"x = " + b"[" * 5000, b"[" + b"a." * 5000 + b"a]\nx = 1\n", b"x = " + b"[" * 80 + b"]" * 80]
)
def test_settings_import_of_a_text_without_a_bottom(vxtray, tmp_path, deep) -> None:
    (tmp_path / "deep.toml").write_bytes(deep)
    said = vxtray("settings", "import", str(tmp_path / "deep.toml"))
    assert (said.code, said.out) == (1, "")
    assert "nested too deeply" in said.err


def test_an_empty_log_is_told(vxtray, tmp_path) -> None:
    (tmp_path / "empty.log").touch()
    for word in ("import", "parse"):
        said = vxtray(word, str(tmp_path / "empty.log"))
        assert said.code == 0
        assert "nothing to read" in said.err


def test_the_end_of_a_pause_names_its_zone(vxtray, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Paris")
    assert "(Europe/Paris)" in vxtray("alerts", "pause", "30m").out


def test_a_reader_that_leaves(profile) -> None:
    command = f'"{sys.executable}" -m vxtray --profile-dir "{profile.config}" settings show | head -n 1'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "smtp.host = \n" or done.stdout.startswith("version")
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_show_is_the_tree_of_the_file(vxtray, profile) -> None:
    vxtray("settings", "set", "reports.daily.time=07:30")
    shown = vxtray("settings", "show", "--json").json
    assert shown["reports"]["daily"] == {"enabled": False, "time": "07:30"}
    assert set(shown) == set(Settings.__struct_fields__)
    assert Path(profile.settings_file).exists()
