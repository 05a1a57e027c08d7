"""The watch over vxtray's own work: gathers what ``alerts.conditions`` judges, and tells it on the trouble board.

Runs on ``vx-report``, at each tick of the schedule. What is known is kept as a fact of the outbox.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from vxtray.core import texts
from vxtray.core.alerts.conditions import Change, Conditions, Disk, Mail, Seen, Source, State, Story, spoken_name
from vxtray.core.alerts.rules import Rule
from vxtray.core.errors import N_, StoreError, VxtrayError
from vxtray.core.health import SourceHealth, group_of, silent
from vxtray.core.mail.hold import clock_time
from vxtray.core.mail.outbox import Outbox
from vxtray.core.reports.language import mail_language
from vxtray.core.settings.tree import Settings
from vxtray.core.troubles import TroubleBoard

log = logging.getLogger(__name__)

#: What keeps changes: their mails and these facts are to be written in one transaction. Raises ``StoreError``.
Keep = Callable[[list[Change], Mapping[str, str]], None]

_FACT = "conditions"
_MEBIBYTE = 1024 * 1024

#: While something is wrong, it is kept this often that it still is.
_KEPT_EVERY = timedelta(minutes=10)
#: A disk's trouble says a new number only when it became so much smaller or larger: each one is told anew.
_WORTH_TELLING = 0.1


def disk_at(path: Path) -> Disk:
    """Return the disk of a path that need not exist yet."""
    place = path
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        usage = shutil.disk_usage(place)
    except OSError as error:
        log.info("the disk of %s cannot be asked: %s", path, error.strerror)
        return Disk(path=str(path), free=0, total=0)
    return Disk(path=str(path), free=usage.free, total=usage.total)


class Watch:
    """Looks at sources, mail and disks.

    ``folders`` are where vxtray writes; ``sources`` what is known of each source that runs, and ``wanted`` the names of
    those that should. ``disk`` asks the disk of a folder.
    """

    def __init__(
        self,
        outbox: Outbox,
        board: TroubleBoard,
        folders: Callable[[], Iterable[Path]],
        sources: Callable[[], list[SourceHealth]],
        wanted: Callable[[], Iterable[str]],
        clock: Callable[[], datetime],
        *,
        disk: Callable[[Path], Disk] = disk_at,
    ) -> None:
        self._outbox = outbox
        self._board = board
        self._folders = folders
        self._sources = sources
        self._wanted = wanted
        self._clock = clock
        self.disk = disk
        self._known: Conditions | None = None
        self._kept = State()
        self._told: dict[str, VxtrayError] = {}
        self._free: dict[str, Disk] = {}

    def look(self, settings: Settings, keep: Keep) -> None:
        """Look at everything. Where there is something to be kept or told by mail, ``keep`` is called.

        Never raises ``StoreError``: it is told on the board, and the next look finds the same again.
        """
        try:
            self._look(settings, keep)
            self._board.put("watch", None)
        except StoreError as error:
            self._board.put("watch", error)

    def _look(self, settings: Settings, keep: Keep) -> None:
        if self._known is None:
            self._kept = _read(self._outbox.fact(_FACT))
            self._known = Conditions(self._kept)
        now, sources = self._clock(), self._sources()
        seen = Seen(sources=self._heard(sources, now), mail=self._mail(settings, now), disks=self._disks())
        conditions = Conditions(self._known.state)
        changes = conditions.observe(seen, now, settings)
        self._tell(conditions, seen, silent(sources, now, timedelta(minutes=settings.sources.silent_minutes)), settings)
        if changes or self._worth_keeping(conditions.state, now):
            keep(changes, {_FACT: msgspec.json.encode(conditions.state).decode()})
            self._kept = conditions.state
        self._known = conditions

    def _worth_keeping(self, state: State, now: datetime) -> bool:
        """Return whether more changed than the time of the look, or that was long ago."""
        kept = self._kept
        if msgspec.structs.replace(state, looked_at=kept.looked_at, watching_since=kept.watching_since) != kept:
            return True
        return bool(state.stories) and (kept.looked_at is None or abs(now - kept.looked_at) >= _KEPT_EVERY)

    # --- what is seen ------------------------------------------------------------------------------------------------

    def _heard(self, sources: list[SourceHealth], now: datetime) -> dict[str, Source]:
        """Return the sources that should run, the listeners of one receiver as one."""
        heard = {group_of(name): Source(began=now, running=False) for name in self._wanted()}
        for source in sources:
            known, running = heard.get(group_of(source.name)), source.running
            if known is None:  # the settings changed this very moment
                continue
            last = max(filter(None, (known.heard, source.last_line)), default=None)
            if running:
                began = max(known.began, source.began) if known.running else source.began
                heard[group_of(source.name)] = Source(began=began, heard=last)
            else:
                heard[group_of(source.name)] = msgspec.structs.replace(known, heard=last)
        return heard

    def _mail(self, settings: Settings, now: datetime) -> Mail:
        """Return how sending goes. What was not possible at all (no network) is on no record, but the queue waits."""
        progress, hold, due = self._outbox.progress(), self._outbox.hold(), self._outbox.next_due()
        failing = progress.failing_since
        if hold is not None:
            failing = min(hold.since, failing or hold.since)
        error = hold.error() if hold is not None else None
        return Mail(
            failing_since=failing if settings.smtp.configured else None,
            worked_at=progress.worked_at,
            waiting=progress.waiting,
            tried=due is None or due > now,
            words=texts.title(error, mail_language(settings.alerts.language, settings)) if error is not None else "",
        )

    def _disks(self) -> tuple[Disk, ...]:
        """Return the disks written to, each once."""
        disks: dict[object, Disk] = {}
        for folder in self._folders():
            disks.setdefault(_device(folder), self.disk(folder))
        return tuple(disks.values())

    # --- the board ---------------------------------------------------------------------------------------------------

    def _tell(self, conditions: Conditions, seen: Seen, quiet: Mapping[str, datetime], settings: Settings) -> None:
        """Put what holds on the board, and take off what does not any more."""
        troubles: dict[str, VxtrayError] = {}
        since = {**quiet, **{one.subject: one.since for one in conditions.on() if one.rule is Rule.SOURCE_SILENT}}
        for name, last in since.items():
            troubles[f"silent:{name}"] = _silence(name, last, self._clock())
        disks = {disk.path: disk for disk in seen.disks}
        for story in conditions.on():
            if story.rule is Rule.DISK_FULL:
                troubles[f"disk:{story.subject}"] = self._fullness(disks[story.subject])
            elif story.rule is Rule.MAIL_DOWN and seen.mail.waiting and settings.smtp.configured:
                troubles["mail:down"] = _standstill(story, self._clock())
        for what in self._told.keys() - troubles.keys():
            self._board.put(what, None)
        for what, error in troubles.items():
            self._board.put(what, error)
        self._told = troubles

    def _fullness(self, disk: Disk) -> VxtrayError:
        before = self._free.get(disk.path)
        if before is None or abs(disk.free - before.free) > before.free * _WORTH_TELLING:
            self._free[disk.path] = disk
        told = self._free[disk.path]
        return VxtrayError(
            N_("The disk is almost full: {free} MiB of {total} MiB are left for {path}."),
            N_("Make room there. On a full disk vxtray can keep neither events nor mails."),
            free=told.free // _MEBIBYTE,
            total=told.total // _MEBIBYTE,
            path=told.path,
        )


def _read(text: str) -> State:
    try:
        return msgspec.json.decode(text, type=State) if text else State()
    except msgspec.MsgspecError:  # of a release to come: it is all found out again
        return State()


def _device(folder: Path) -> object:
    try:
        return os.stat(folder).st_dev  # noqa: PTH116 - as a path it may not exist
    except OSError:
        return folder


def _silence(name: str, last: datetime, now: datetime) -> VxtrayError:
    return VxtrayError(
        N_("Nothing was heard from {name} since {since}."),
        N_("Check that the sender still runs and that its log goes here."),
        name=spoken_name(name),
        since=clock_time(last, now),
    )


def _standstill(story: Story, now: datetime) -> VxtrayError:
    return VxtrayError(
        N_("No mail could be sent since {since}."),
        N_("Look at the mail server’s settings, or run “vxtray smtp test”. What waits is sent once it works again."),
        since=clock_time(story.since, now),
    )
