"""A profile as a busy week leaves it, the same on every day and every machine, and the program over it.

For the pictures of ``packaging/screenshots.py`` and for the checks that look at every page and dialog. The moment is
fixed; the events are those of the demo; the mails are the program's own, settled by a server's answer that is written
here. ``Furnished`` makes the files once (some seconds), ``Stage`` opens a copy of them.
"""

import random
import shutil
import socket
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec

from vxtray import demo
from vxtray.core import texts
from vxtray.core.credentials import MemoryStore, Secret, smtp_account
from vxtray.core.health import Tally
from vxtray.core.mail.faults import AuthError, Kind
from vxtray.core.mail.faults import Stage as Step
from vxtray.core.mail.outbox import Outcome, Verdict
from vxtray.core.paths import Profile
from vxtray.core.reports.period import Cadence
from vxtray.core.service import Service
from vxtray.core.settings.file import SettingsFile
from vxtray.core.settings.model import Change, SettingsModel
from vxtray.core.settings.tree import LogFile
from vxtray.gui.actions import Actions
from vxtray.gui.bridge import Bridge
from vxtray.gui.context import Context
from vxtray.gui.main_window import MainWindow
from vxtray.gui.tray import Tray

#: A Friday afternoon, 14:41 in Paris.
NOW = datetime(2026, 11, 20, 13, 41, tzinfo=UTC)

#: Of the demo's events, which are as many every day, this share from Monday on.
_SHARE = (0.55, 0.45, 0.6, 0.5, 0.55, 0.25, 0.2)
_ATTACKER = "203.0.113.77"


class Mood(StrEnum):
    """How the program stands."""

    NEW = "new"  # nothing is set up
    WORKING = "working"
    STORM = "storm"  # critical alerts that nobody took note of yet
    TROUBLE = "trouble"  # the mail server refuses the password, and the disk is full


class Clock:
    """The clock of the program; it stands still."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Furnished:
    """The files of a profile whose mails are in one language, made once for each mood."""

    def __init__(self, folder: Path, language: str, days: int = 18) -> None:
        """``days``: how many of them have events."""
        self._folder = folder
        self._language = language
        self._days = days

    def copy_to(self, folder: Path, mood: Mood) -> Profile:
        """Copy the files of a mood; they are made first where that was not done yet."""
        shutil.copytree(self._made(mood), folder, dirs_exist_ok=True)
        if mood is not Mood.NEW:
            followed = folder / "logs" / "fail2ban.log"
            SettingsFile(Profile.under(folder).settings_file).merge(
                {"sources.files": (LogFile(path=str(followed), start="beginning"),)}
            )
            with followed.open("a") as log:
                log.write(_ban(NOW - timedelta(seconds=40), "sshd", 77))
        return Profile.under(folder)

    def _made(self, mood: Mood) -> Path:
        done, making = self._folder / mood, self._folder / f"{mood}.making"
        if done.exists():
            return done
        shutil.rmtree(making, ignore_errors=True)  # what failed the last time
        if mood is Mood.NEW:
            making.mkdir(parents=True)
            SettingsFile(Profile.under(making).settings_file).merge({"general.language": self._language})
        elif mood is Mood.WORKING:
            making.mkdir(parents=True)
            _furnish(Profile.under(making), self._language, self._days)
        else:
            shutil.copytree(self._made(Mood.WORKING), making)
            (_storm if mood is Mood.STORM else _break)(Profile.under(making))
        return making.rename(done)


def _furnish(profile: Profile, language: str, days: int) -> None:
    settings = SettingsFile(profile.settings_file).merge(
        {
            "general.language": language,
            "smtp.host": "smtp.example.com",
            "smtp.username": "reports@example.com",
            "smtp.from_address": "reports@example.com",
            "smtp.from_name": "vxtray",
            "smtp.recipients": ("admin@example.com", "security@example.com"),
            "reports.daily.enabled": True,
            "reports.weekly.enabled": True,
            "reports.attach_csv": True,
            "alerts.waf_blocked": True,
            "alerts.minimum_severity": "high",
            "sources.syslog.enabled": True,
        }
    )
    clock = Clock()
    service = Service(profile, settings.settings, MemoryStore(), lambda _notice: None, clock=clock)
    try:
        (profile.config / "logs").mkdir()
        old, fresh = profile.config / "logs" / "sophos.log", profile.config / "logs" / "attacks.log"
        old.write_text("".join(_past(days)))
        (profile.config / "logs" / "fail2ban.log").write_text(_bans())
        service.import_files([old, profile.config / "logs" / "fail2ban.log"])
        for hours, source in ((41.6, "198.51.100.23"), (17.2, _ATTACKER)):
            clock.now = NOW - timedelta(hours=hours)
            fresh.write_text("".join(_attacks(clock.now, source, 14)))
            service.import_files([fresh], alerts=True)
            _deliver(service)
        clock.now += timedelta(hours=2)
        service.alerts.watch(clock.now)
        _deliver(service)
        service.alerts.acknowledge()
        for before, cadence in ((4, Cadence.WEEKLY), (1, Cadence.DAILY), (0, Cadence.DAILY)):
            clock.now = (NOW - timedelta(days=before)).replace(hour=7, minute=0)
            service.send_report(cadence)
            _deliver(service)
        service.mail_proven(settings.settings.smtp)
    finally:
        service.stop()


def _storm(profile: Profile) -> None:
    """Let a storm begin half an hour ago, and a second source join it."""
    clock = Clock()
    service = Service(
        profile, SettingsFile(profile.settings_file).read().settings, MemoryStore(), lambda _notice: None, clock=clock
    )
    try:
        fresh = profile.config / "logs" / "storm.log"
        waves = [(minutes, _ATTACKER, 40) for minutes in range(26, 0, -4)] + [(1, "192.0.2.145", 12)]
        for minutes, source, count in waves:
            clock.now = NOW - timedelta(minutes=minutes)
            fresh.write_text("".join(_attacks(clock.now, source, count)))
            service.import_files([fresh], alerts=True)
            service.alerts.watch(clock.now)
            _deliver(service)
    finally:
        service.stop()


def _break(profile: Profile) -> None:
    """Let the server refuse the password for a report of today."""
    clock = Clock(NOW - timedelta(minutes=34))
    service = Service(
        profile, SettingsFile(profile.settings_file).read().settings, MemoryStore(), lambda _notice: None, clock=clock
    )
    refused = Outcome(
        verdict=Verdict.FAILED,
        stage="recipients",
        reply="550 5.1.1 <security@example.com>: Recipient address rejected: User unknown",
    )
    try:
        service.send_report(Cadence.DAILY)
        list(service.outbox.deliver_due(lambda _parcel: refused, clock))
    finally:
        service.stop()


def _deliver(service: Service) -> None:
    def accept(parcel: object) -> Outcome:
        return Outcome(
            verdict=Verdict.SENT,
            stage="data",
            reply="250 2.0.0 Ok: queued as 4Xq7mC1hPzz9rV",
            accepted=service.settings.smtp.recipients,
        )

    list(service.outbox.deliver_due(accept, service.clock))


def _past(days: int) -> list[str]:
    """Return the demo's lines of some days up to now, fewer at weekends."""
    lines = []
    for before in range(days, -1, -1):
        day = NOW.date() - timedelta(days=before)
        chance = random.Random(day.toordinal())
        for line in demo.made_lines(NOW - timedelta(days=before - 1)).splitlines(keepends=True):  # of two days
            at = _moment(line)
            if at.date() == day and at <= NOW and chance.random() < _SHARE[day.weekday()]:
                lines.append(line)
    return lines


def _moment(line: str) -> datetime:
    return datetime.strptime(line.partition('timestamp="')[2].partition('"')[0], "%Y-%m-%dT%H:%M:%S%z")


def _attacks(end: datetime, source: str, count: int) -> list[str]:
    """Return blocked SQL injections of one source, the last one at ``end``."""
    moments = (end - timedelta(seconds=2 * (count - at)) for at in range(count))
    return [demo._attack(at, source, 25 + 5 * (number % 6)) + "\n" for number, at in enumerate(moments)]


def _bans() -> str:
    chance = random.Random(7)
    ago = (timedelta(hours=9 * number, minutes=chance.randint(2, 59)) for number in range(40, 0, -1))
    return "".join(_ban(NOW - one, chance.choice(("sshd", "sshd", "recidive")), chance.randint(2, 250)) for one in ago)


def _ban(at: datetime, jail: str, host: int) -> str:
    stamp = at.astimezone().strftime("%Y-%m-%d %H:%M:%S,123")
    return f"{stamp} fail2ban.actions [612]: NOTICE [{jail}] Ban 198.51.100.{host}\n"


class Stage:
    """The program over a copy of a furnished profile, as ``app`` composes it, but with a clock that stands still.

    Sources run and hear some lines. No mail leaves. ``close`` ends all of it.
    """

    def __init__(self, profile: Profile, mood: Mood) -> None:
        self.profile = profile
        self.clock = Clock()
        self.quits = 0
        self.kept: object = None  # what would be gone when nobody holds it
        self.bridge = Bridge()
        self.credentials = MemoryStore()
        self.model = SettingsModel(SettingsFile(profile.settings_file))
        texts.use(self.model.current.general.language)
        if self.model.current.smtp.signs_in:
            self.credentials.set(smtp_account(self.model.current.smtp), Secret("not a real one"))
        self.service = Service(profile, self.model.current, self.credentials, self.bridge.post, clock=self.clock)
        self.model.subscribe(self._changed)
        self.context = Context(
            profile=profile,
            model=self.model,
            service=self.service,
            credentials=self.credentials,
            bridge=self.bridge,
            quit=self._quit,
        )
        self.actions = Actions(self.context)
        self._in_tray = True
        self._tray: Tray | None = None
        self._window: MainWindow | None = None
        if mood is not Mood.NEW:
            self._listen()
        if mood is Mood.TROUBLE:
            self._complain()

    @property
    def window(self) -> MainWindow:
        """The window, made on first use."""
        if self._window is None:
            self._window = MainWindow(lambda: self._in_tray, self._quit)
            self._window.begin(self.context, self.actions)
        return self._window

    @property
    def tray(self) -> Tray:
        """The tray's side of the program; off screen there is no icon, but its menu."""
        if self._tray is None:
            self._tray = Tray(self.context, self.actions)
        return self._tray

    def close(self) -> None:
        if self._tray is not None:
            self._tray.hide()
            self._tray.panel.stop()
        if self._window is not None:
            self._window.hide()
        self.service._intake.stop()
        self.service.stop()
        self.bridge.stop()

    def _quit(self) -> None:
        self.quits += 1

    def _changed(self, change: Change) -> None:
        texts.use(texts.resolve(change.after.general.language))
        self.service.apply(change.after)

    def _complain(self) -> None:
        self.clock.now = NOW - timedelta(minutes=29)
        self.service.set_trouble(
            "mail",
            AuthError(step=Step.AUTH, kind=Kind.ACCOUNT, reply="535 5.7.8 Error: authentication failed"),
        )
        self.service.watch_undelivered()
        self.clock.now = NOW

    def _listen(self) -> None:
        """Let the receiver and the follower run, and hear some lines of now."""
        sources = self.model.current.sources
        port = _free_port(sources.syslog.port)
        syslog = msgspec.structs.replace(sources.syslog, port=port)
        self.service.settings = msgspec.structs.replace(
            self.model.current, sources=msgspec.structs.replace(sources, syslog=syslog)
        )
        self.service._intake.start(lambda: None)
        self.service._intake.run(self.service._wanted_sources())
        self.service.settings = self.model.current
        made = demo.made_lines(NOW + timedelta(days=1)).splitlines()
        lines = [line for line in made if 'log_type="Firewall"' in line][:30]  # these raise no alert
        now = NOW.astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")
        lines = [line.replace(line.partition('timestamp="')[2].partition('"')[0], now) for line in lines]

        def heard() -> int:
            return sum(source.lines for source in self.service.sources())

        _until(lambda: _told(port, lines), "the receiver listens")
        _until(lambda: heard() > len(lines), "the lines are stored, and that of the followed file")
        for name, tally in self.service._intake._tallies.items():
            _as_if_at(tally, NOW - timedelta(seconds=2 if name.startswith("syslog") else 40))


def _as_if_at(tally: Tally, now: datetime) -> None:
    """Let a source have been heard at the fixed moment: sources read this machine's clock."""
    with tally._guard:
        tally._latest = deque(((now, line) for _at, line in tally._latest), maxlen=tally._latest.maxlen)
        if tally._last_line is not None:
            tally._last_line = now
        if tally._last_event is not None:
            tally._last_event = now


def _told(port: int, lines: list[str]) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall("".join(line + "\n" for line in lines).encode())
    except OSError:  # its thread has only just started
        return False
    return True


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as server:
                return int(server.getsockname()[1])
        except OSError:
            continue
    raise AssertionError


def _until(done: Callable[[], bool], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.02)
