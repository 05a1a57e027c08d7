"""Pictures of every page, dialog, menu and mail, in both languages, light and dark, at 100 and 200 %.

    sh packaging/screenshots.sh [--only overview alerts] [--language fr] [--theme dark] [--scale 100] [--out FOLDER]

writes ``build/screenshots/<language>-<theme>-<scale>/<name>.png`` and ``build/screenshots/index.html``, a sheet of all.
``--only`` takes the beginnings of names. At 200 % a window gets at most a screen of 1920 x 1080 px, as it would there.
The data are always the same (``tests/gui/support/stage.py``), so a picture changes only when the program does. Qt draws
off screen: no X server is needed. Mails are drawn by Chromium where it is installed, PDF pages by ``pdftoppm``; what is
missing is said, and left out.
"""

import argparse
import base64
import contextlib
import email.policy
import html
import itertools
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

ROOT = Path(__file__).absolute().parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

    from tests.gui.support.scenes import Scene
    from tests.gui.support.stage import Furnished, Mood, Stage

LANGUAGES, THEMES, SCALES = ("en", "fr"), ("light", "dark"), (100, 200)

#: A screen of this many px, of which a panel takes some.
_SCREEN, _PANEL = (1920, 1080), 40
#: What a mail is shown in, in px: its column of 600 with a margin, and a telephone's width; as high as any.
_MAIL_WIDTHS, _MAIL_HEIGHT = {"": 660, "-phone": 390}, 6000
_CHROMIUM_SECONDS = 60
_NO_SCRIPT = "<!doctype html><meta http-equiv=Content-Security-Policy content=\"script-src 'none'\">"
_PDF_PAGES = 8


class Look(NamedTuple):
    """One folder of pictures."""

    language: str
    theme: str
    scale: int

    @property
    def folder(self) -> str:
        """The folder's name."""
        return f"{self.language}-{self.theme}-{self.scale}"


#: The README's pictures in ``resources/screenshots``: look, name, and how many px of its height.
_README = {
    "overview": (Look("en", "light", 100), "overview", 720),
    "alerts": (Look("fr", "dark", 100), "alerts-storm", 720),
    "mail": (Look("en", "light", 100), "mail-report-daily", 860),
}

#: The guide's pictures in ``resources/docs/<language>/images``.
_GUIDE = ("assistant-1-account", "overview", "alerts", "reports")


def main(arguments: list[str] | None = None) -> int:
    """Make the pictures; the exit status is 1 where one could not be made."""
    asked = _parsed(arguments)
    if asked.child:
        return _draw(Look(*asked.language, *asked.theme, *asked.scale), asked.only, asked.out, asked.profiles)
    if asked.readme:
        return _renew_readme(asked.out)
    if asked.guide:
        return _renew_guide(asked.out)
    started = time.monotonic()
    looks = [Look(*one) for one in itertools.product(asked.language, asked.theme, asked.scale)]
    failed = []
    with tempfile.TemporaryDirectory(prefix="vxtray-screenshots-") as name:
        for look in looks:
            shutil.rmtree(asked.out / look.folder, ignore_errors=True)
            if _in_its_own_process(look, asked.only, asked.out, Path(name) / look.language):
                failed.append(look.folder)
    made = sorted(picture for look in looks for picture in (asked.out / look.folder).glob("*.png"))
    if not made:
        print(f"no picture's name begins with: {', '.join(asked.only)}", file=sys.stderr)
        return 1
    (asked.out / "index.html").write_text(_sheet(asked.out, sorted(asked.out.glob("*/*.png"))), encoding="utf-8")
    print(f"{len(made)} pictures in {asked.out} after {time.monotonic() - started:.0f} s; see {asked.out}/index.html")
    if failed:
        print(f"not all could be made: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="screenshots.sh", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="pictures whose name begins so")
    parser.add_argument("--language", nargs="+", choices=LANGUAGES, default=list(LANGUAGES))
    parser.add_argument("--theme", nargs="+", choices=THEMES, default=list(THEMES))
    parser.add_argument("--scale", nargs="+", type=int, choices=SCALES, default=list(SCALES))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "screenshots", metavar="FOLDER")
    parser.add_argument("--readme", action="store_true", help="renew the README's pictures, and nothing else")
    parser.add_argument("--guide", action="store_true", help="renew the guide's pictures, and nothing else")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--profiles", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    asked.out = asked.out.resolve()
    return asked


def _renew_readme(out: Path) -> int:
    """Make the pictures of the README."""
    for target, (look, name, height) in _README.items():
        choice = ("--language", look.language, "--theme", look.theme, "--scale", str(look.scale))
        if failed := main(["--only", name, *choice, "--out", str(out)]):
            return failed
        _ship(out / look.folder / f"{name}.png", ROOT / f"resources/screenshots/{target}.png", height)
    return 0


def _renew_guide(out: Path) -> int:
    """Make the pictures of the guide, in the language of each."""
    for language in LANGUAGES:
        look = Look(language, "light", 100)
        choice = ("--language", language, "--theme", look.theme, "--scale", str(look.scale), "--out", str(out))
        if failed := main(["--only", *_GUIDE, *choice]):
            return failed
        for name in _GUIDE:
            target = re.sub(r"-\d-", "-", name)  # the order of the assistant's steps may change
            _ship(out / look.folder / f"{name}.png", ROOT / f"resources/docs/{language}/images/{target}.png")
    return 0


def _ship(made: Path, target: Path, height: int = 10_000) -> None:
    """Take a picture into the resources: without transparency, and packed as tightly as PNG allows."""
    from PySide6.QtGui import QImage

    picture = QImage(str(made)).convertToFormat(QImage.Format.Format_RGB888)
    target.parent.mkdir(parents=True, exist_ok=True)
    _save(picture.copy(0, 0, picture.width(), min(height, picture.height())), target)


def _in_its_own_process(look: Look, only: list[str], out: Path, profiles: Path) -> int:
    """Qt reads the scale once, at its start, so each look has a process; a home of its own keeps the person's away."""
    home = profiles / "home"
    home.mkdir(parents=True, exist_ok=True)
    unwanted = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_CURRENT_DESKTOP", "LC_ALL", "LANGUAGE")
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    env |= {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "QT_QPA_PLATFORM": "offscreen",
        "QT_SCALE_FACTOR": str(look.scale / 100),
        "QT_FONT_DPI": "96",
        "TZ": "Europe/Paris",
        **{f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")},
    }
    choice = ["--language", look.language, "--theme", look.theme, "--scale", str(look.scale), "--out", str(out)]
    beginnings = ["--only", *only] if only else []
    command = [sys.executable, __file__, "--child", "--profiles", str(profiles), *choice, *beginnings]
    return subprocess.run(command, env=env, check=False, stdin=subprocess.DEVNULL).returncode


# --- one look, in a process of its own -------------------------------------------------------------------------------


def _draw(look: Look, only: list[str], out: Path, profiles: Path) -> int:
    from PySide6.QtCore import qInstallMessageHandler
    from PySide6.QtWidgets import QApplication

    from tests.gui.support.stage import Furnished

    qInstallMessageHandler(_say)
    logging.getLogger("vxtray").addHandler(logging.NullHandler())  # of the troubles that are made on purpose
    app = QApplication(sys.argv[:1])
    app.setCursorFlashTime(0)  # or a picture would depend on when it is taken
    folder = out / look.folder
    folder.mkdir(parents=True, exist_ok=True)
    furnished = Furnished(profiles / "made", look.language)
    with mock.patch("socket.gethostname", return_value="office-pc"):  # mails name the machine that sent them
        return _draw_scenes(look, only, folder, furnished)


def _draw_scenes(look: Look, only: list[str], folder: Path, furnished: "Furnished") -> int:
    from tests.gui.support.scenes import SCENES, page_scenes
    from tests.gui.support.stage import Mood

    with _stage(furnished, Mood.NEW, look) as stage:
        scenes = [*page_scenes(stage.window.pages), *SCENES]
    bad = 0
    for mood in Mood:
        wanted = [scene for scene in scenes if scene.mood is mood and _is_wanted(scene.name, only)]
        if not wanted:
            continue
        with _stage(furnished, mood, look) as stage:
            for scene in wanted:
                bad += _attempt(scene.name, partial(_picture, stage, scene, look, folder))
    mails = Mails(look, only, folder)
    if mails.wanted:
        with _stage(furnished, Mood.STORM, look) as stage:
            bad += _attempt("mails", partial(mails.draw, stage))
    return 1 if bad else 0


def _say(_kind: object, _where: object, text: str) -> None:
    """Print what Qt warns of, but not what its off-screen plug-in cannot do."""
    if "plugin does not support" not in text:
        print(text, file=sys.stderr)


def _is_wanted(name: str, only: list[str]) -> bool:
    return not only or name.startswith(tuple(only))


def _attempt(name: str, work: Callable[[], None]) -> int:
    """Do one piece and go on with the next where it fails, which is told."""
    try:
        work()
    except Exception:  # noqa: BLE001 - told with its traceback; the other pictures are made all the same
        print(f"{name}:", file=sys.stderr)
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def _stage(furnished: "Furnished", mood: "Mood", look: Look) -> "Iterator[Stage]":
    from filelock import FileLock

    from tests.gui.support.scenes import put_away
    from tests.gui.support.stage import Stage
    from vxtray.core.settings.file import SettingsFile
    from vxtray.gui.theme import theme

    # the same path each time, since the pages show it: one run after the other
    place = Path(tempfile.gettempdir()) / "vxtray-screenshots-profile"
    with FileLock(place.with_suffix(".lock")):
        shutil.rmtree(place, ignore_errors=True)
        profile = furnished.copy_to(place, mood)
        SettingsFile(profile.settings_file).merge({"general.theme": look.theme})
        theme().set_preference(look.theme)  # type: ignore[arg-type]  # one of THEMES
        stage = Stage(profile, mood)
        try:
            yield stage
        finally:
            stage.close()
            put_away()
            shutil.rmtree(place, ignore_errors=True)


def _picture(stage: "Stage", scene: "Scene", look: Look, folder: Path) -> None:
    """Draw one scene; of a page that scrolls, also the whole of it."""
    from PySide6.QtWidgets import QDialog

    from tests.gui.support.scenes import HEIGHT, WIDTH, put_away, rested, shown_window

    room = [length * 100 // look.scale for length in _SCREEN]
    window = shown_window(stage)
    window.resize(min(WIDTH, room[0]), min(HEIGHT, room[1] - _PANEL))
    shown = scene.open(stage)
    if isinstance(shown, QDialog):
        shown.resize(min(shown.width(), room[0]), min(shown.height(), room[1] - _PANEL))
    _save(rested(shown), folder / f"{scene.name}.png")
    page = window.pages[window.sidebar.current()]
    if shown is window and (below := page.verticalScrollBar().maximum()):
        window.resize(window.width(), window.height() + below)
        _save(rested(shown), folder / f"{scene.name}-whole.png")
    put_away(keep=window)


def _save(picture: "QImage", path: Path) -> None:
    if picture.isNull() or not picture.save(str(path), "PNG", 0):  # type: ignore[call-overload]  # packed tightly
        raise OSError(f"{path} could not be written")


# --- mails -----------------------------------------------------------------------------------------------------------


class Mails:
    """Draws one mail of each kind, as a computer and as a telephone show it, and the pages of its PDF."""

    def __init__(self, look: Look, only: list[str], folder: Path) -> None:
        self._look = look
        self._only = only
        self._folder = folder
        self._chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

    @property
    def wanted(self) -> bool:
        """True unless only others were asked for."""
        return not self._only or any(one.startswith(("mail-", "pdf")) or one == "mail" for one in self._only)

    def draw(self, stage: "Stage") -> None:
        """Draw all of them; what is missing for it is told."""
        if self._chromium is None:
            print("mails are left out: chromium is not installed", file=sys.stderr)
        if shutil.which("pdftoppm") is None:
            print("PDF pages are left out: pdftoppm (poppler-utils) is not installed", file=sys.stderr)
        for name, data in mails_of(stage).items():
            self._draw_one(name, data)

    def _draw_one(self, name: str, data: bytes) -> None:
        message = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(data)
        rich = message.get_body(("html",))
        page = rich.get_content() if rich is not None else ""
        for part in message.walk():
            if cid := str(part.get("Content-ID", "")).strip("<> "):
                image = base64.b64encode(_content(part)).decode()
                page = page.replace(f"cid:{cid}", f"data:{part.get_content_type()};base64,{image}")
        for kind, width in _MAIL_WIDTHS.items():
            title = f"mail-{name}{kind}"
            if self._chromium is not None and _is_wanted(title, self._only):
                self._render(page, width, self._folder / f"{title}.png")
        if self._look.theme == "light" and _is_wanted(f"pdf-{name}", self._only) and shutil.which("pdftoppm"):
            self._paper(name, message)

    def _render(self, page: str, width: int, target: Path) -> None:
        """Let Chromium draw a mail; it runs no script of it and reaches no network."""
        with tempfile.TemporaryDirectory(prefix="vxtray-mail-") as name:
            file, drawn = Path(name) / "mail.html", Path(name) / "mail.png"
            file.write_text(_NO_SCRIPT + page, encoding="utf-8")
            command = [
                str(self._chromium), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--mute-audio",
                "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={name}/p",
                f"--force-device-scale-factor={self._look.scale / 100}", f"--window-size={width},{_MAIL_HEIGHT}",
                f"--blink-settings=preferredColorScheme={0 if self._look.theme == 'dark' else 1}",
                f"--screenshot={drawn}", file.as_uri(),
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, timeout=_CHROMIUM_SECONDS, check=False)
            if not drawn.exists():
                raise OSError(f"Chromium drew nothing: {done.stderr[-500:]}")
            from PySide6.QtGui import QImage

            _save(_without_rest(QImage(str(drawn))), target)

    def _paper(self, name: str, message: EmailMessage) -> None:
        """Let pdftoppm draw the pages of the report."""
        for part in message.walk():
            if part.get_content_type() == "application/pdf":
                resolution = str(round(96 * self._look.scale / 100))
                subprocess.run(
                    ["pdftoppm", "-png", "-r", resolution, "-l", str(_PDF_PAGES), "-", f"{self._folder}/pdf-{name}"],
                    input=_content(part),
                    check=True,
                    timeout=_CHROMIUM_SECONDS,
                )


def _content(part: EmailMessage) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def mails_of(stage: "Stage") -> dict[str, bytes]:
    """Return one mail of each kind that was sent, the newest, and those that only a person asks for."""
    from vxtray import __version__
    from vxtray.core.mail.message import compose
    from vxtray.core.mail.posting import mail_of
    from vxtray.core.mail.testmail import proof_document
    from vxtray.core.reports.period import Cadence, machine_zone

    service, found = stage.service, {}
    for cadence in Cadence:
        found[f"report-{cadence}"] = service.report_mail(service.make_report(cadence))
    for letter in service.alerts.letters():  # newest first
        found.setdefault(f"alert-{letter.kind}", service.outbox.entry(letter.mail)[3])
    smtp, now = service.settings.smtp, service.clock().astimezone()
    proof = proof_document(
        smtp, service.settings.general.language, machine_zone(), sent_at=now, host="office-pc", version=__version__
    )
    found["test"] = compose(mail_of(proof, smtp, smtp.recipients, now))
    return found


def _without_rest(picture: "QImage") -> "QImage":
    """Cut off the rows beneath the mail, which are all of one colour."""
    bottom = picture.height()
    last = picture.copy(0, bottom - 1, picture.width(), 1)
    while bottom > 1 and picture.copy(0, bottom - 1, picture.width(), 1) == last:
        bottom -= 1
    return picture.copy(0, 0, picture.width(), min(bottom + 24, picture.height()))


# --- the sheet -------------------------------------------------------------------------------------------------------


def _sheet(out: Path, pictures: list[Path]) -> str:
    """Return a page with all pictures, one row a name, each a link to itself."""
    folders = sorted({picture.parent.name for picture in pictures})
    names = sorted({picture.stem for picture in pictures})
    rows = []
    for name in names:
        cells = []
        for folder in folders:
            there = (out / folder / f"{name}.png").exists()
            address = html.escape(f"{folder}/{name}.png")
            cells.append(
                f'<td><a href="{address}"><img loading="lazy" src="{address}"></a></td>' if there else "<td>–</td>"
            )
        rows.append(f"<tr><th>{html.escape(name)}</th>{''.join(cells)}</tr>")
    heads = "".join(f"<th>{html.escape(folder)}</th>" for folder in folders)
    return (
        "<!doctype html><meta charset=utf-8><title>vxtray: pictures</title><style>body{font:14px system-ui;margin:20px}"
        "th{text-align:left;vertical-align:top;padding:4px 8px;position:sticky;top:0;background:#fff}"
        "td{vertical-align:top;padding:4px}img{width:300px;border:1px solid #ccc}</style>"
        f"<table><tr><th></th>{heads}</tr>{''.join(rows)}</table>\n"
    )


if __name__ == "__main__":
    sys.exit(main())
