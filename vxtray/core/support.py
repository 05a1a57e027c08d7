"""A file to send to whoever helps: versions, settings, health, counts and the end of the log, safe to give away.

Never in it: secrets, events and what they say, mails and their subjects. Names of machines and people, addresses and
paths are numbered words (``<host 1>``) unless a person wants them told. Any thread; reads only what is there.
"""

import io
import ipaddress
import json
import platform
import re
import sqlite3
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path

import msgspec

from vxtray.core import texts
from vxtray.core.credentials import redact
from vxtray.core.errors import N_, FileNotWritten, VxtrayError
from vxtray.core.mail import schema
from vxtray.core.paths import Profile
from vxtray.core.revision import version_line
from vxtray.core.service import Service
from vxtray.core.settings import keys
from vxtray.core.settings.file import write_durably
from vxtray.core.settings.tree import VERSION, Settings
from vxtray.core.status import status

#: Bytes of the log, from its end, and characters of one of its lines.
LOG_BYTES = 200_000
_LINE = 400
_LIBRARIES = (
    "PySide6-Essentials", "apscheduler", "authlib", "clickhouse-connect", "cryptography", "dnspython", "duckdb",
    "filelock", "httpx", "jinja2", "keyring", "msgspec", "tomlkit", "truststore", "typst", "tzdata", "urllib3",
)  # fmt: skip

_README = N_(
    "This is a support file of vxtray. It holds versions, settings, health, counts and the end of the program’s own"
    " log. It holds no password, no token, no event and no mail."
)
_MASKED = N_("Names of machines and people, addresses and paths are replaced by numbered words such as <host 1>.")
_TOLD = N_("Names of machines and people, addresses and paths are in it, as was wished.")

#: Values of settings that say nothing about anybody, though they are texts.
_HARMLESS = frozenset({"reports.zone", "store.engine"})
_TIME = re.compile(r"\d\d:\d\d")


class Bundle(msgspec.Struct, frozen=True):
    """What would be in the file: the text of each of its members, by name."""

    members: dict[str, str]

    @property
    def text(self) -> str:
        """All of it, to be looked at before it is saved."""
        return "\n".join(f"===== {name} =====\n\n{text}" for name, text in self.members.items())


def gather(
    profile: Profile,
    service: Service | None,
    settings: Settings,
    now: datetime,
    *,
    running: bool,
    fault: VxtrayError | None = None,
    addresses: bool = False,
) -> Bundle:
    """Return what is to be in the file, in the language in use; ``service`` is None where it cannot be opened.

    ``fault`` is what keeps it, or the settings file, from working. ``addresses`` tells names, addresses and paths.
    Never raises for what cannot be read: the member says so instead.
    """
    hide: Callable[[str], str] = redact if addresses else Mask(settings)
    shaped = frozenset({"settings.json"})  # name by name: its keys look like names of machines
    members: dict[str, Callable[[], str]] = {
        "README.txt": lambda: " ".join((texts._(_README), texts._(_TOLD if addresses else _MASKED))) + "\n",
        "versions.txt": lambda: f"{now.isoformat()}\n{_versions()}",
        "settings.json": lambda: _json(_settings(settings, addresses=addresses)),
        "status.json": lambda: _json(_health(service, fault, running=running)),
        "files.json": lambda: _json(_files(profile)),
        "counts.json": lambda: _json(_counts(service)),
        "log.txt": lambda: _log(profile.log_file),
    }
    return Bundle({name: (redact if name in shaped else hide)(_read(make)) for name, make in members.items()})


def write(bundle: Bundle, path: Path) -> None:
    """Write the file, which only its owner may read. Raises ``FileNotWritten``."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in bundle.members.items():
            file.writestr(name, text.encode("utf-8", "backslashreplace"))
    try:
        write_durably(path.parent.resolve(strict=True) / path.name, packed.getvalue())
    except OSError as error:
        raise FileNotWritten(path=path, reason=error.strerror or str(error)) from error


# --- the members -----------------------------------------------------------------------------------------------------


def _read(make: Callable[[], str]) -> str:
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - whatever is broken, the rest of the file is wanted all the more
        return f"not readable: {type(error).__name__}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _versions() -> str:
    lines = [
        version_line(),
        f"Python {sys.version.split()[0]}, {platform.platform()}, {platform.machine()}",
        f"SQLite {sqlite3.sqlite_version}, frozen {bool(getattr(sys, 'frozen', False))}",
    ]
    for name in _LIBRARIES:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name} -")
    return "\n".join(lines) + "\n"


def _settings(settings: Settings, *, addresses: bool) -> dict[str, object]:
    """Return each setting by its key; a text that a person wrote only as being set, unless addresses are wanted."""
    found = dict(keys.flatten(msgspec.to_builtins(settings)))
    return {key: value if addresses else _shape(key, value) for key, value in found.items()}


def _shape(key: str, value: object) -> object:
    leaf = keys.LEAVES.get(key)
    if leaf is None or isinstance(value, bool | int | float | None) or key in _HARMLESS:
        return value
    if value == msgspec.to_builtins(leaf.default) or keys.is_choice(key):
        return value
    if isinstance(value, list | tuple):
        return f"<{len(value)} set>"
    return value if isinstance(value, str) and _TIME.fullmatch(value) else "<set>"


def _health(service: Service | None, fault: VxtrayError | None, *, running: bool) -> dict[str, object]:
    found: dict[str, object] = {"fault": str(fault)} if fault is not None else {}
    if service is None:
        return found
    found |= status(service, running=running, language="en")
    last = found.get("last_mail")
    if isinstance(last, dict):  # a subject tells what happened
        found["last_mail"] = {name: last[name] for name in ("id", "kind", "state", "at")}
    return found


def _files(profile: Profile) -> dict[str, object]:
    """Return the files of the profile with size and mode, and which layout theirs is and ours would be."""
    files: dict[str, object] = {}
    for folder in dict.fromkeys((profile.config, profile.state, profile.logs)):
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if path.is_file():
                about = path.stat()
                files[path.name] = {"bytes": about.st_size, "mode": f"{about.st_mode & 0o777:o}"}
    layouts = {"settings": VERSION, "outbox": schema.VERSION, "outbox of the file": _layout(profile.outbox_file)}
    return {"layouts": layouts, "files": files}


def _layout(path: Path) -> int | None:
    if not path.exists():
        return None
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2)
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error:
        return None
    finally:
        db.close()


def _counts(service: Service | None) -> dict[str, object]:
    if service is None:
        return {}
    found: dict[str, object] = {"mails": service.outbox.counts()}
    if service.profile.events_file.exists():
        found["events"] = service.store().count()
    return found


def _log(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LOG_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    lines = (text if size <= LOG_BYTES else text.partition("\n")[2]).splitlines()
    return "\n".join(_without_words(line)[:_LINE] for line in lines) + "\n"


_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|'[^']*'")
_FRAME = re.compile(r"\s+File \"(?:.*/)?(?P<place>[^/\"]+/[^/\"]+)\", (?P<line>line \d+, in .+)")
_RAISED = re.compile(r"\s+(?P<kind>[\w.]*(?:Error|Exception|Warning|Interrupt|Exit)): .*")


def _without_words(line: str) -> str:
    """Return a line of the log without what was quoted: of an unknown fault the kind and the place are enough."""
    if found := _FRAME.fullmatch(line):
        return f'  File "{found["place"]}", {found["line"]}'
    if found := _RAISED.fullmatch(line):
        return f"  {found['kind']}: …"
    return _QUOTED.sub("“…”", line)


# --- names and addresses ---------------------------------------------------------------------------------------------

_URL = re.compile(r"\b[a-z][a-z+.-]*://[^\s\"'<>“”]+", re.IGNORECASE)
_MAILBOX = re.compile(r"[^\s@<>()\[\]\"',;:=/“”]+@[^\s@<>()\[\]\"',;:=/“”]+")
_NUMBERS = re.compile(r"(?<![\w.:])[0-9a-f]*[.:][0-9a-f.:]*[.:][0-9a-f.:]*(?:%\w+)?", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w.~<])(?:~?(?:/[^\s/\"'<>“”,;:]+){2,}/?|[A-Za-z]:\\[^\s\"'<>“”,;]+)")
_HOST = re.compile(r"(?<![\w.@/\\-])(?:[\w-]+\.)+[a-z]{2,24}(?![\w/\\-])", re.IGNORECASE)
#: Words with dots that name no machine: our own modules and files, and those of libraries.
_NO_HOST = re.compile(
    r"(?:vxtray|apscheduler|concurrent|multiprocessing|duckdb|sqlite3)\..*"
    r"|.*\.(?:py|toml|db|duckdb|log|json|txt|key|lock|wal|sock|zip|new|invalid-file)",
    re.IGNORECASE,
)


class Mask:
    """Replaces names, addresses and paths by numbered words, the same by the same. One thread."""

    def __init__(self, settings: Settings) -> None:
        """What a person wrote into the settings is known as a name, and so is this machine's and this person's."""
        self._words: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        told = {text for text in _texts_of(_settings(settings, addresses=True)) if len(text) > 2}
        told -= set(_texts_of(_settings(settings, addresses=False)))
        told |= {platform.node(), Path.home().name} - {"", "root", "home", "localhost"}
        # The longest first: one may be the beginning of another.
        self._known = sorted(told, key=len, reverse=True)
        self._home = str(Path.home())

    def __call__(self, text: str) -> str:
        """Return the text, safe to give away."""
        text = redact(text)
        for known in self._known:
            text = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", self._word("name", known), text)
        if self._home != "/":
            text = text.replace(self._home, "~")
        text = _URL.sub(lambda found: self._word("url", found[0]), text)
        text = _MAILBOX.sub(lambda found: self._word("mailbox", found[0]), text)
        text = _PATH.sub(lambda found: self._word("path", found[0]), text)
        text = _NUMBERS.sub(self._address, text)
        return _HOST.sub(self._host, text)

    def _host(self, found: re.Match[str]) -> str:
        return found[0] if found[0] in keys.LEAVES or _NO_HOST.fullmatch(found[0]) else self._word("host", found[0])

    def _address(self, found: re.Match[str]) -> str:
        whole = found[0].rstrip(".:")
        for bare in (whole, whole.rpartition(":")[0]):  # with a port behind it
            try:
                ipaddress.ip_address(bare.partition("%")[0])
            except ValueError:
                continue
            return self._word("address", bare) + found[0][len(bare) :]
        return found[0]

    def _word(self, kind: str, text: str) -> str:
        if text not in self._words:
            self._counts[kind] = number = self._counts.get(kind, 0) + 1
            self._words[text] = f"<{kind} {number}>"
        return self._words[text]


def _texts_of(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts_of(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts_of(one)
