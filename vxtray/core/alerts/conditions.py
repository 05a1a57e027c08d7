"""What is wrong with vxtray's own work: sources that fell silent, mail that does not leave, a disk that fills up.

Pure: no clock and no I/O; whoever calls keeps the ``State`` on the disk, in the same transaction as the mails. A
condition that comes and goes is one conversation: its first beginning and its first end are told at once, and
everything after that together, with counts, no sooner than ``_LEAST_BETWEEN`` after the mail before.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from vxtray.core.alerts.rules import Rule
from vxtray.core.settings.tree import Settings

_MEBIBYTE = 1024 * 1024

#: A disk is almost full below this share, but no less than the first so many bytes (of a tiny disk: half of it) and no
#: more than the second: a twentieth of a large disk is room for months, and its owner left it so on purpose.
_LEAST_SHARE = 0.05
_LEAST_BYTES = 500 * _MEBIBYTE
_MOST_BYTES = 2_048 * _MEBIBYTE
#: And it is no longer so above this multiple of it, so that what is written and deleted there makes no news.
_ENOUGH = 1.25

#: Mail is down when every attempt has failed for so long.
MAIL_DOWN_AFTER = timedelta(hours=1)
#: After a start or a suspend, the next attempts have so long to succeed before an old failure is news.
_GRACE = timedelta(minutes=10)

#: Longer than this between two looks, the program did not watch: it was off, the computer slept, the clock was set.
_AWAY = timedelta(minutes=5)

#: The least time between two mails of a conversation that goes on and on.
_LEAST_BETWEEN = timedelta(hours=1)


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The disk on which a path is, and how much of it is free to us, in bytes; ``total`` 0: it cannot be asked now."""

    path: str
    free: int
    total: int

    @property
    def least(self) -> int:
        """Below so many free bytes it is almost full."""
        return max(min(round(self.total * _LEAST_SHARE), _MOST_BYTES), min(_LEAST_BYTES, self.total // 2))


#: What sentences call the sources that are not known by their own names: proper names.
_SPOKEN = {"vigilancex": "VIGILANCE X", "clickhouse": "VIGILANCE X (ClickHouse)"}


def spoken_name(source: str) -> str:
    """Return what a source is called in a sentence, in any language."""
    return _SPOKEN.get(source, source)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A source that should run: when it was last started, and when it was last ``heard`` since then (aware, UTC)."""

    began: datetime
    heard: datetime | None = None
    running: bool = True


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """How the sending of mail goes.

    ``waiting`` counts mails that wait, and ``failing_since`` is the first failure of these, None where none is known;
    ``worked_at`` is when the last mails began to leave, after any failure before. ``tried``: nothing is due now.
    ``words`` say why it fails.
    """

    failing_since: datetime | None = None
    worked_at: datetime | None = None
    waiting: int = 0
    tried: bool = True
    words: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """All that is looked at: sources by the name under which they are told, mail, and the disks written to."""

    sources: Mapping[str, Source] = {}
    mail: Mail = Mail()
    disks: tuple[Disk, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be told: a condition began (``over`` False) or ended. Times are aware, UTC.

    ``subject`` is the source, or the path on the disk, "" for mail. ``since`` and ``until`` are those of its last
    spell; not ``exact``: it ended while nobody watched, some time before ``until``. Not ``watched``: it is no longer
    looked at, by the settings. ``times`` counts the spells that no change told before, ``total`` all of this
    ``conversation`` (a number never used again) since ``first_at``. ``number`` counts its changes from 1.

    ``mailed`` False: only the desktop tells it, so the first mail about mail that was down is number 2. ``waited``
    (most mails that waited at a time) and ``words`` (why, in the language of alert mails) are for ``MAIL_DOWN``,
    ``disk`` as it is now for ``DISK_FULL``.
    """

    rule: Rule
    subject: str
    over: bool
    at: datetime
    since: datetime
    until: datetime | None = None
    exact: bool = True
    watched: bool = True
    conversation: int
    number: int
    times: int
    total: int
    first_at: datetime
    mailed: bool = True
    waited: int = 0
    words: str = ""
    disk: Disk | None = None

    @property
    def key(self) -> str:
        """What no other change has, and what it has again after a crash before it was kept."""
        return f"condition:{self.conversation}:{self.number}"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as it stands. ``sign`` is the last sign of life before the present spell began."""

    rule: Rule
    subject: str
    conversation: int
    first_at: datetime
    since: datetime
    sign: datetime | None = None
    until: datetime | None = None
    exact: bool = True
    watched: bool = True
    total: int = 0
    untold: int = 0
    changes: int = 0
    told_at: datetime | None = None
    told_over: bool = False
    waited: int = 0
    words: str = ""

    @property
    def on(self) -> bool:
        """Whether the condition holds now."""
        return self.until is None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What must survive a restart; encodes to JSON.

    ``looked_at`` is the last look, ``watching_since`` the first one since which nothing was missed for long.
    ``failing_since`` is since when mail fails, as far as was ever known, after it worked at ``failing_after``.
    """

    conversations: int = 0
    stories: tuple[Story, ...] = ()
    looked_at: datetime | None = None
    watching_since: datetime | None = None
    failing_since: datetime | None = None
    failing_after: datetime | None = None


class Conditions:
    """Evaluates what is seen. ``state`` is replaced, never changed: keep the old one to undo a look."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()

    def on(self) -> list[Story]:
        """Return the conditions that hold now, in the order in which they began."""
        return sorted((story for story in self.state.stories if story.on), key=lambda story: story.since)

    def observe(self, seen: Seen, now: datetime, settings: Settings) -> list[Change]:
        """Return what is to be told after this look, each thing once."""
        look = _Look(self.state, now)
        look.sources(seen.sources, timedelta(minutes=settings.sources.silent_minutes))
        look.mail(seen.mail)
        look.disks(seen.disks)
        disks = {disk.path: disk for disk in seen.disks}
        changes = list(look.tell(settings, disks))
        self.state = look.state()
        return changes


class _Look:
    """One evaluation."""

    def __init__(self, state: State, now: datetime) -> None:
        self._before, self._now = state, now
        self._stories = {(story.rule, story.subject): story for story in state.stories}
        self._conversations = state.conversations
        self._away = state.looked_at is None or abs(now - state.looked_at) > _AWAY
        self._watching = now if self._away or state.watching_since is None else state.watching_since
        self._failing, self._after = state.failing_since, state.failing_after

    def state(self) -> State:
        return State(
            conversations=self._conversations,
            stories=tuple(self._stories.values()),
            looked_at=self._now,
            watching_since=self._watching,
            failing_since=self._failing,
            failing_after=self._after,
        )

    # --- what holds --------------------------------------------------------------------------------------------------

    def sources(self, sources: Mapping[str, Source], limit: timedelta) -> None:
        """A source is silent after ``limit`` without a line, while it ran and was watched; 0: nobody wants to know."""
        for story in self._on(Rule.SOURCE_SILENT):
            source = sources.get(story.subject)
            if source is None or not limit:
                self._end(story, self._now, watched=False)
            elif source.heard is not None and source.heard != story.sign:  # not later: the clock may have been set
                self._end(story, source.heard)
        for name, source in sources.items():
            if not limit or not source.running or self._is_on(Rule.SOURCE_SILENT, name):
                continue
            last = source.heard or source.began
            counted = max(last, self._watching) if last <= self._now else self._watching
            if self._now - counted > limit:
                self._begin(Rule.SOURCE_SILENT, name, min(last, counted), sign=source.heard)

    def mail(self, mail: Mail) -> None:
        """Mail is down when all attempts of an hour failed, and works again with the first success."""
        for story in self._on(Rule.MAIL_DOWN):
            waited = msgspec.structs.replace(
                story, waited=max(story.waited, mail.waiting), words=mail.words or story.words
            )
            self._put(waited)
            if mail.worked_at is not None and mail.worked_at != story.sign:
                self._end(waited, mail.worked_at)
        if mail.failing_since is None or not mail.waiting or mail.worked_at != self._after:
            self._failing = None
        if mail.failing_since is not None and mail.waiting:
            self._failing = min(mail.failing_since, self._now, self._failing or self._now)
        self._after = mail.worked_at
        if self._failing is None or not mail.tried or self._is_on(Rule.MAIL_DOWN, ""):
            return
        if self._now - self._failing >= MAIL_DOWN_AFTER and self._now - self._watching >= _GRACE:
            self._begin(Rule.MAIL_DOWN, "", self._failing, sign=mail.worked_at, waited=mail.waiting, words=mail.words)

    def disks(self, disks: tuple[Disk, ...]) -> None:
        """A disk is almost full below its limit, and no longer so a good deal above it."""
        known = {disk.path: disk for disk in disks}
        for story in self._on(Rule.DISK_FULL):
            disk = known.get(story.subject)
            if disk is None:
                self._end(story, self._now, watched=False)
            elif disk.free > disk.least * _ENOUGH:
                self._end(story, self._now, exact=not self._away)
        for disk in disks:
            if disk.free < disk.least and not self._is_on(Rule.DISK_FULL, disk.path):
                self._begin(Rule.DISK_FULL, disk.path, self._now)

    # --- conversations -----------------------------------------------------------------------------------------------

    def _on(self, rule: Rule) -> list[Story]:
        return [story for story in self._stories.values() if story.rule is rule and story.on]

    def _is_on(self, rule: Rule, subject: str) -> bool:
        story = self._stories.get((rule, subject))
        return story is not None and story.on

    def _put(self, story: Story) -> None:
        self._stories[story.rule, story.subject] = story

    def _begin(
        self,
        rule: Rule,
        subject: str,
        since: datetime,
        *,
        sign: datetime | None = None,
        waited: int = 0,
        words: str = "",
    ) -> None:
        story = self._stories.get((rule, subject))
        if story is None:
            self._conversations += 1
            number = self._conversations
            story = Story(rule=rule, subject=subject, conversation=number, first_at=since, since=since)
        story = msgspec.structs.replace(
            story,
            since=since,
            until=None,
            sign=sign,
            exact=True,
            watched=True,
            waited=waited,
            words=words,
            total=story.total + 1,
            untold=story.untold + 1,
        )
        self._put(story)

    def _end(self, story: Story, until: datetime, *, exact: bool = True, watched: bool = True) -> None:
        self._put(msgspec.structs.replace(story, until=until, exact=exact, watched=watched))

    def tell(self, settings: Settings, disks: Mapping[str, Disk]) -> Iterator[Change]:
        """Return what is due to be told, and close the conversations that have been calm for as long."""
        for story in list(self._stories.values()):
            pause = _least_between(story.rule, settings)
            calm = story.told_at is None or abs(self._now - story.told_at) >= pause
            if story.untold or story.on is story.told_over:
                first = story.changes == 0 or (story.changes == 1 and not story.untold)
                if first or calm:
                    yield self._told(story, disks.get(story.subject))
            elif not story.on and calm:
                del self._stories[story.rule, story.subject]

    def _told(self, story: Story, disk: Disk | None) -> Change:
        told = msgspec.structs.replace(
            story, untold=0, changes=story.changes + 1, told_at=self._now, told_over=not story.on
        )
        self._put(told)
        return Change(
            rule=story.rule,
            subject=story.subject,
            over=not story.on,
            at=self._now,
            since=story.since,
            until=story.until,
            exact=story.exact,
            watched=story.watched,
            conversation=story.conversation,
            number=told.changes,
            times=story.untold,
            total=story.total,
            first_at=story.first_at,
            mailed=story.rule is not Rule.MAIL_DOWN or not story.on,
            waited=story.waited,
            words=story.words,
            disk=disk if story.rule is Rule.DISK_FULL else None,
        )


def _least_between(rule: Rule, settings: Settings) -> timedelta:
    """Return the least time between two mails of a conversation.

    A source is only calm when it spoke for twice as long as it may be silent. Mail needs none: its spells last an hour.
    """
    if rule is Rule.MAIL_DOWN:
        return timedelta()
    usual = max(_LEAST_BETWEEN, timedelta(minutes=settings.alerts.summary_minutes))
    if rule is Rule.SOURCE_SILENT:
        return max(usual, timedelta(minutes=2 * settings.sources.silent_minutes))
    return usual
