"""Passwords: kept by a keyring that encrypts, or given by systemd, and never shown."""

import copy
import html
import json
import os
import pickle
import pprint
import subprocess
import sys
import textwrap
import traceback
import urllib.parse
from pathlib import Path

import msgspec
import pytest

from tests.peers.desktop import SecretService
from vxtray.core.credentials import (
    Account,
    CredentialStore,
    KeyringStore,
    MemoryStore,
    Secret,
    SystemCredentials,
    redact,
    smtp_account,
    system_store,
    without_line_break,
)
from vxtray.core.errors import CredentialError, CredentialReadOnly, KeyringMissing, NotConfigured, VxtrayError
from vxtray.core.settings.tree import Smtp

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = Account("smtp-password", "reports@example.com", "smtp.example.com")
ODD = "grüße: 'x' \"y\" \\ % {0} 密码 \U0001f511"


# --- a secret does not show itself -----------------------------------------------------------------------------------


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("hunter2!")

    class Holder(msgspec.Struct):
        secret: Secret

    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>30}", "%s %r" % (secret, secret)]  # noqa: UP031
    shown += [pprint.pformat({"password": secret}), repr([secret]), repr(Holder(secret)), str(Account("n", "u", "h"))]
    try:
        raise CredentialError("{secret}", secret=secret)
    except CredentialError as error:
        shown += [repr(error), str(error), repr(error.values), traceback.format_exc()]
    assert not [text for text in shown if "hunter2" in text]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(secret, protocol)
    for refused in (json.dumps, msgspec.json.encode, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            refused(secret)
    assert not hasattr(secret, "__dict__")


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_what_was_revealed_is_cleaned_from_texts() -> None:
    assert redact("nothing is hidden: quite unused") == "nothing is hidden: quite unused"
    Secret("quite used").reveal()
    assert redact("it was quite used, quite used!") == "it was ***, ***!"
    Secret("quite used up").reveal()
    assert redact("quite used up, quite used") == "***, ***", "of two that overlap, nothing remains"
    Secret("abc").reveal()
    assert redact("abcdef") == "abcdef", "a short one would blacken half of the log"


_ODD = "Cä{0} %20&<b>\"' \\z\n-7kW4pM2"


@pytest.mark.parametrize(
    "written",
    [
        *(repr(_ODD), repr("user" + _ODD), repr({"a": [_ODD]}), repr(_ODD.encode()), ascii(_ODD)),
        *(json.dumps({"a": _ODD}), json.dumps(_ODD, ensure_ascii=False)),
        *(html.escape(_ODD), html.escape(_ODD, quote=False)),
        *(urllib.parse.quote(_ODD), urllib.parse.quote_plus(_ODD)),
    ],
)
def test_what_was_revealed_is_cleaned_however_it_is_quoted(written: str) -> None:
    Secret(_ODD).reveal()
    assert "7kW4" not in redact(written)
    assert "***" in redact(written)


def test_a_secret_that_is_no_text_can_be_cleaned_away() -> None:
    Secret("\ud800 lone").reveal()
    assert redact("a \ud800 lone b") == "a *** b"


# --- whose it is -----------------------------------------------------------------------------------------------------


def test_a_password_belongs_to_user_and_host() -> None:
    smtp = Smtp(host="SMTP.Example.com.", username="Reports@Example.com")
    assert smtp_account(smtp) == ACCOUNT
    assert str(ACCOUNT) == "smtp-password:reports@example.com@smtp.example.com"
    for incomplete in (Smtp(), Smtp(host="h"), Smtp(username="u")):
        with pytest.raises(NotConfigured):
            smtp_account(incomplete)


@pytest.mark.parametrize("kind", ["memory", "systemd"])
def test_contract(kind: str, tmp_path: Path) -> None:
    store: CredentialStore = MemoryStore() if kind == "memory" else SystemCredentials(tmp_path, MemoryStore())
    assert store.get(ACCOUNT) is None
    assert not store.forget(ACCOUNT)
    store.set(ACCOUNT, Secret(ODD))
    assert store.get(ACCOUNT) == Secret(ODD)
    for other in (
        Account("smtp-password", "reports@example.com", "evil.example.net"),
        Account("smtp-password", "else@example.com", "smtp.example.com"),
        Account("other-password", "reports@example.com", "smtp.example.com"),
    ):
        assert store.get(other) is None
    store.set(ACCOUNT, Secret("second"))
    assert store.get(ACCOUNT) == Secret("second")
    assert store.forget(ACCOUNT)
    assert store.get(ACCOUNT) is None
    assert ODD not in store.describe()


# --- systemd's credentials -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"plain", "plain"),
        (b"with newline\n", "with newline"),
        (b"from windows\r\n", "from windows"),
        (b" blanks stay \n\n", " blanks stay \n"),
        (ODD.encode(), ODD),
        (b"", ""),
    ],
)
def test_a_credential_file(content: bytes, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "smtp-password").write_bytes(content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert system_store().get(ACCOUNT) == Secret(secret)


def test_a_credential_file_cannot_be_changed_here(tmp_path: Path) -> None:
    behind = MemoryStore()
    behind.set(ACCOUNT, Secret("behind"))
    store = SystemCredentials(tmp_path, behind)
    assert store.get(ACCOUNT) == Secret("behind"), "a folder without this secret gives way"
    (tmp_path / "smtp-password").write_text("in front")
    assert store.get(ACCOUNT) == Secret("in front")
    with pytest.raises(CredentialReadOnly, match=r"smtp-password comes from .* can only be changed there"):
        store.set(ACCOUNT, Secret("new"))
    with pytest.raises(CredentialReadOnly):
        store.forget(ACCOUNT)
    assert behind.get(ACCOUNT) == Secret("behind")
    assert (tmp_path / "smtp-password").read_text() == "in front"
    other = Account("vigilancex-password", "admin", "https://vx.example.com")
    store.set(other, Secret("x"))
    assert store.get(other) == Secret("x")


def test_a_credential_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    store = SystemCredentials(tmp_path, MemoryStore())
    (tmp_path / "smtp-password").write_bytes(b"\xff\xfe no text")
    with pytest.raises(CredentialError, match="cannot be read"):
        store.get(ACCOUNT)
    (tmp_path / "smtp-password").unlink()
    (tmp_path / "smtp-password").mkdir()
    with pytest.raises(CredentialError, match="cannot be read") as caught:
        store.get(ACCOUNT)
    assert not isinstance(caught.value, CredentialReadOnly)
    assert not caught.value.transient


FORBIDDEN = """
import os, sys
from pathlib import Path
from vxtray.core.credentials import Account, MemoryStore, Secret, SystemCredentials
from vxtray.core.errors import VxtrayError
if os.getuid() == 0:
    os.seteuid(65534)
store = SystemCredentials(Path(sys.argv[1]), MemoryStore())
for act in (lambda: store.get(Account("smtp-password")), lambda: store.set(Account("smtp-password"), Secret("x"))):
    try:
        print("done", act())
    except VxtrayError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_a_credential_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "smtp-password").write_text("secret")
    (tmp_path / "smtp-password").chmod(0)
    folder = tmp_path
    done = subprocess.run(
        [sys.executable, "-c", FORBIDDEN, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "CredentialError"


def test_line_breaks() -> None:
    assert [without_line_break(text) for text in ("a", "a\n", "a\r\n", "a\n\n", "\n", "")] == [
        "a",
        "a",
        "a",
        "a\n",
        "",
        "",
    ]


# --- the keyring of the system ---------------------------------------------------------------------------------------

PRELUDE = """
import json, sys, time, threading
from vxtray.core.credentials import Account, KeyringStore, Secret
from vxtray.core.errors import VxtrayError
store = KeyringStore()
account = Account("smtp-password", "reports@example.com", "smtp.example.com")
def name_of(act):
    try:
        return act()
    except VxtrayError as error:
        return type(error).__name__ + ": " + str(error)
"""


def keyring_says(service: SecretService | None, code: str, **env: str) -> list[object]:
    """Run code in a fresh process, beside a keyring if there is one, and return what it printed, a JSON text a line."""
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(code)]
    env = {"PYTHONPATH": str(ROOT), **env}
    if service is not None:
        done = service.run(command, env=env)
    else:
        done = subprocess.run(
            command, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_real_keyring_keeps_it(secret_service: SecretService) -> None:
    stored = keyring_says(
        secret_service,
        f"""
        odd = {ODD!r}
        print(json.dumps(store.get(account)))
        print(json.dumps(store.forget(account)))
        for text in (odd, "a:b@c", " blanks ", "x" * 1280, odd):
            store.set(account, Secret(text))
            assert store.get(account) == Secret(text)
        for other in (Account("smtp-password", account.user, "evil.example.net"),
                      Account("smtp-password", "else@example.com", account.host), Account("x", account.user)):
            assert store.get(other) is None
        print(json.dumps(name_of(lambda: store.set(account, Secret("x" * 1281)))))
        print(json.dumps(name_of(lambda: store.set(account, Secret("\\U0001f511" * 641)))))
        assert store.get(account) == Secret(odd)
        print(json.dumps(store.describe()))
        import keyring
        print(json.dumps(keyring.get_password("vxtray", str(account)) == odd))
        """,
    )
    too_long = "KeyringRefused: The keyring refused: the secret is longer than a keyring entry can be."
    assert stored[:4] == [None, False, too_long, too_long]
    assert stored[4] == "SecretService Keyring"
    assert stored[5] is True
    # Another process, another session bus, the same keyring's files:
    again = keyring_says(
        secret_service,
        f"""
        print(json.dumps(store.get(account) == Secret({ODD!r})))
        print(json.dumps([store.forget(account), store.forget(account), store.get(account)]))
        """,
    )
    assert again == [True, [True, False, None]]
    assert not secret_service.contains("grüße")


def test_without_any_keyring() -> None:
    answers = keyring_says(
        None,
        """
        for act in (lambda: store.get(account), lambda: store.set(account, Secret("hunter2")),
                    lambda: store.forget(account)):
            print(json.dumps(name_of(act)))
        print(json.dumps(store.describe()))
        """,
    )
    assert [str(answer).partition(":")[0] for answer in answers] == ["KeyringMissing"] * 3 + ["-"]
    assert "plain file" in str(answers[0])


LOCKED = r"""
gnome-keyring-daemon --foreground --components=secrets >/dev/null 2>&1 &
keyring=$!
tries=0
until dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
    string:org.freedesktop.secrets 2>/dev/null | grep -q true; do
    tries=$((tries + 1)); [ "$tries" -lt 200 ] || exit 99; sleep 0.05
done
"$@"
status=$?
kill "$keyring"; wait "$keyring" 2>/dev/null
exit "$status"
"""


def test_a_locked_keyring_is_told_and_nothing_is_written_elsewhere(secret_service: SecretService) -> None:
    keyring_says(secret_service, "store.set(account, Secret('kept before'))")
    code = PRELUDE + textwrap.dedent(
        """
        for act in (lambda: store.get(account), lambda: store.set(account, Secret("hunter2"))):
            print(json.dumps(name_of(act)))
        """
    )
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", LOCKED, "sh", sys.executable, "-c", code],
        env={**secret_service.env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert {answer.partition(":")[0] for answer in answers} <= {"KeyringLocked", "KeyringRefused"}
    assert not [answer for answer in answers if "hunter2" in answer or "kept before" in answer]
    assert keyring_says(secret_service, "print(json.dumps(store.get(account) == Secret('kept before')))") == [True]


def test_a_keyring_that_vanishes_is_told_and_found_again(secret_service: SecretService) -> None:
    """Its daemon is killed while the program runs: told within the soft limit, and nothing is kept elsewhere."""
    answers = keyring_says(
        secret_service,
        """
        import os, signal
        from jeepney import DBusAddress, new_method_call
        from jeepney.io.blocking import open_dbus_connection
        store.set(account, Secret("hunter2"))
        assert store.get(account) == Secret("hunter2")
        bus = open_dbus_connection("SESSION")
        asked = DBusAddress("/", "org.freedesktop.DBus", "org.freedesktop.DBus")
        reply = bus.send_and_get_reply(
            new_method_call(asked, "GetConnectionUnixProcessID", "s", ("org.freedesktop.secrets",))
        )
        os.kill(reply.body[0], signal.SIGKILL)
        began = time.monotonic()
        answers = [name_of(lambda: store.get(account)) for _ in range(3)]
        print(json.dumps([answer if isinstance(answer, str) else repr(answer) for answer in answers]))
        print(json.dumps(time.monotonic() - began < 16))
        """,
    )
    told, soon = answers
    assert isinstance(told, list)
    assert soon
    assert all(one.startswith("Keyring") or one in {"None", "Secret('***')"} for one in told), told
    assert not [one for one in told if "hunter2" in one]
    found = keyring_says(secret_service, 'print(json.dumps(store.get(account) == Secret("hunter2")))')
    assert found == [True], "once it is there again, so is the secret"


# --- keyrings that are none ------------------------------------------------------------------------------------------

FAKE = """
import threading
from pathlib import Path
from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, PasswordSetError


class _Files(KeyringBackend):
    priority = 9
    asked = 0
    kept = {}

    def get_password(self, service, username):
        type(self).asked += 1
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        del self.kept[service, username]


class PlaintextKeyring(_Files):
    def set_password(self, service, username, password):
        Path("stolen").write_text(password)


class Forgets(_Files):
    def set_password(self, service, username, password):
        pass


class Hangs(_Files):
    opened = threading.Event()

    def get_password(self, service, username):
        type(self).asked += 1
        self.opened.wait(30)
        return "at last"


class Raises(_Files):
    error = RuntimeError

    def get_password(self, service, username):
        raise self.error
"""


@pytest.fixture
def fakes(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a process that finds our own keyring back ends in a module ``keyrings.alt.file``."""
    package = tmp_path / "fakes" / "keyrings" / "alt"
    package.mkdir(parents=True)
    (package / "file.py").write_text(FAKE)
    return {"PYTHONPATH": f"{tmp_path / 'fakes'}{os.pathsep}{ROOT}"}


@pytest.mark.parametrize("backend", ["keyrings.alt.file.PlaintextKeyring", "keyring.backends.null.Keyring"])
def test_a_back_end_that_does_not_encrypt_is_refused(backend: str, fakes: dict[str, str], tmp_path: Path) -> None:
    answers = keyring_says(
        None,
        f"""
        import os
        os.chdir({str(tmp_path)!r})
        import keyring
        assert type(keyring.get_keyring()).__module__ in ("keyrings.alt.file", "keyring.backends.null")
        print(json.dumps(name_of(lambda: store.set(account, Secret("hunter2")))))
        print(json.dumps(name_of(lambda: store.get(account))))
        """,
        PYTHON_KEYRING_BACKEND=backend,
        **fakes,
    )
    assert [str(answer).partition(":")[0] for answer in answers] == ["KeyringMissing"] * 2
    assert not (tmp_path / "stolen").exists()


TRUSTED = """
import vxtray.core.credentials as credentials
credentials._TRUSTED_BACKENDS += ("keyrings.alt.file.",)
import keyrings.alt.file as fake
"""


def test_a_back_end_that_only_pretends_is_found_out(fakes: dict[str, str]) -> None:
    answers = keyring_says(
        None,
        TRUSTED + 'print(json.dumps(name_of(lambda: store.set(account, Secret("hunter2")))))',
        PYTHON_KEYRING_BACKEND="keyrings.alt.file.Forgets",
        **fakes,
    )
    assert answers == ["KeyringRefused: The keyring refused: it did not keep what was stored."]


def test_a_keyring_that_waits_for_the_person_is_asked_once(fakes: dict[str, str]) -> None:
    answers = keyring_says(
        None,
        TRUSTED
        + """
store = KeyringStore(soft_limit=0.2)
began = time.monotonic()
print(json.dumps(name_of(lambda: store.get(account))))
for _ in range(20):
    assert name_of(lambda: store.get(account)).startswith("KeyringLocked")
assert time.monotonic() - began < 2
print(json.dumps([fake.Hangs.asked, [t.name for t in threading.enumerate()].count("vx-keyring")]))
fake.Hangs.opened.set()
store._waiting.result(10)
print(json.dumps(store.get(account) == Secret("at last")))
print(json.dumps([fake.Hangs.asked, [t.name for t in threading.enumerate()].count("vx-keyring")]))
""",
        PYTHON_KEYRING_BACKEND="keyrings.alt.file.Hangs",
        **fakes,
    )
    assert answers == ["KeyringLocked: Your keyring is locked.", [1, 1], True, [2, 0]]


def test_a_keyring_that_hangs_does_not_keep_the_program_from_ending(fakes: dict[str, str]) -> None:
    code = TRUSTED + "KeyringStore(soft_limit=0.1)\nname_of(lambda: KeyringStore(soft_limit=0.1).get(account))"
    assert keyring_says(None, code, PYTHON_KEYRING_BACKEND="keyrings.alt.file.Hangs", **fakes) == []


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        ("fake.KeyringLocked('Failed to unlock the collection!')", "KeyringLocked"),
        ("fake.InitError('no session bus')", "KeyringMissing"),
        ("RuntimeError('prompt dismissed.. ')", "KeyringRefused: The keyring refused: the question"),
        ("type('LockedException', (Exception,), {})('Item is locked!')", "KeyringLocked"),
        ("RuntimeError('org.freedesktop.DBus.Error: bang')", "KeyringRefused: The keyring refused: org.free"),
        ("OSError()", "KeyringRefused: The keyring refused: OSError"),
    ],
)
def test_what_a_keyring_raises_is_told_in_our_words(raised: str, told: str, fakes: dict[str, str]) -> None:
    (answer,) = keyring_says(
        None,
        TRUSTED + f"fake.Raises.error = {raised}\nprint(json.dumps(name_of(lambda: store.get(account))))",
        PYTHON_KEYRING_BACKEND="keyrings.alt.file.Raises",
        **fakes,
    )
    assert str(answer).startswith(told)


def test_errors_say_what_to_do() -> None:
    for kind in (KeyringMissing, CredentialReadOnly):
        error: VxtrayError = kind(name="n", folder="f")
        assert str(error)
        assert error.advice_id
    assert isinstance(system_store(), KeyringStore)
