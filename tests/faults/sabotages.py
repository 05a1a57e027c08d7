"""What is broken to see that the rigs of the promises notice it, each as a careless change might do it."""

from dataclasses import dataclass
from pathlib import Path

VXTRAY = Path(__file__).resolve().parents[2] / "vxtray"


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    """A text of a file that is taken out, and what is put in its place."""

    promise: str
    #: Below ``vxtray/``.
    file: str
    #: Stands there once.
    text: str
    instead: str
    #: In words what does not work then.
    broken: str
    #: What the rig says because of it, and would not say otherwise: a pattern of its words or of its traceback.
    says: str
    #: Why the long form is run, "" for the short one; and the most minutes of it.
    full: str = ""
    minutes: float = 1

    def options(self) -> list[str]:
        """Return how the rig is run."""
        return ["--full", "--minutes", str(self.minutes)] if self.full else ["--short"]

    def done_to(self, content: str) -> str:
        """Return a file's content with this done to it. Raises ``ValueError``."""
        if content.count(self.text) != 1:
            raise ValueError(f"{self.promise}: the text stands {content.count(self.text)} times in {self.file}")
        return content.replace(self.text, self.instead)


_NAMED_ONLY = "its short form names tests that the gate runs by themselves; the long one runs them"

SABOTAGES = (
    Sabotage(
        promise="P1",
        file="core/store/embedded.py",
        text="            first, last = self._last_seq + 1, self._last_seq + count\n",
        instead="            first, last = self._last_seq + 1, self._last_seq + count\n"
        "            if position is not None:\n"
        "                positions.remember(writer, position)\n"
        '                writer.execute("COMMIT")\n'
        '                writer.execute("BEGIN TRANSACTION")\n',
        broken="How far a log was read is on the disk before the lines are.",
        says="lines lost: ",
    ),
    Sabotage(
        promise="P2",
        file="core/mail/statefile.py",
        text='db.execute("PRAGMA synchronous=FULL")',
        instead='db.execute("PRAGMA synchronous=OFF")',
        broken="The outbox does not wait for the disk.",
        says="mails lost: ",
    ),
    Sabotage(
        promise="P3",
        file="core/settings/file.py",
        text="        os.replace(temporary, path)",
        instead="        path.unlink(missing_ok=True)\n        os.replace(temporary, path)",
        broken="The old settings are deleted before the new ones take their place.",
        says="a mix: ",
    ),
    Sabotage(
        promise="P4",
        file="core/mail/reserve.py",
        text="            self.give()\n            make_room()\n",
        instead="            raise\n",
        broken="The room that is kept for mails that wait is not given up when the disk is full.",
        says="0 of 5 queued mails left",
    ),
    Sabotage(
        promise="P4",
        file="core/intake.py",
        text="        while not self._kept(events, position, alerts, lines):",
        instead="        if not self._kept(events, position, alerts, lines):",
        broken="Events that could not be stored are not tried again.",
        says=r"\d+ stored of \d+",
    ),
    Sabotage(
        promise="P5",
        file="core/mail/statefile.py",
        text="        except (sqlite3.Error, OSError) as error:\n",
        instead="        except sqlite3.IntegrityError as error:\n",
        broken="A fault of the disk is not understood by the outbox and ends the program.",
        says="the program ended with 1:",
    ),
    Sabotage(
        promise="P5",
        file="core/store/resting.py",
        text="        if self._faults < MOST_FAULTS:\n",
        instead="        if True:\n",
        broken="However many faults of the disk in a row, the event store is written to.",
        says="test_resting::",
        full="its short form leaves the event store that rests to tests that the gate runs by themselves",
    ),
    Sabotage(
        promise="P6",
        file="core/reports/period.py",
        text="    return first + (7 * _DAY if cadence is Cadence.WEEKLY else _DAY)",
        instead="    return first + _DAY",
        broken="A week ends after its first day.",
        says=r"assert sorted\(due\.period\.key for due in send\)",
    ),
    Sabotage(
        promise="P7",
        file="core/reports/period.py",
        text="            elif moment <= utc(now) and (period",
        instead="            elif utc(now) - _DAY / 24 < moment <= utc(now) and (period",
        broken="A report that is overdue by more than an hour is forgotten.",
        says="the overdue report is queued",
    ),
    Sabotage(
        promise="P8",
        file="core/mail/delivery.py",
        text="            self._session.close()\n            self._session = None\n",
        instead='            self.__dict__.setdefault("_aside", []).append(self._session)\n'
        "            self._session = None\n",
        broken="A connection to the mail server that is not used is put aside and never closed.",
        says=r"descriptors \[(\d+), (?!\1\])",
    ),
    Sabotage(
        promise="P9",
        file="core/alerts/grouping.py",
        text="        return self.state.opens_much(terms, urgent=urgent) or"
        " len(self._book.groups(urgent=urgent)) >= MOST_OPEN",
        instead="        return False",
        broken="However many sources attack at once, it is never taken for one storm.",
        says=r"1,000 attacks at once: \d{2,} mails",
    ),
    Sabotage(
        promise="P9",
        file="core/alerts/grouping.py",
        text="                count.add(event)\n",
        instead="                pass\n",
        broken="Attacks that follow the first of a kind are not counted.",
        says=r"mails that tell (?!1,000)\d",
    ),
    Sabotage(
        promise="P10",
        file="core/sources/syslog.py",
        text='                self._dropped["kernel"] += (now - before) % 2**32\n',
        instead="",
        broken="What the system drops at the socket is not counted.",
        says=r"difference \d{2,}",
    ),
    Sabotage(
        promise="P11",
        file="core/parsers/timestamps.py",
        text="        return None\n\n\ndef bsd",
        instead="        raise\n\n\ndef bsd",
        broken="A time of day that there is not is raised to whoever reads the line.",
        says="ValueError: month must be in",
    ),
    Sabotage(
        promise="P12",
        file="core/mail/protocol.py",
        text="\nMAX_LINE = 4096\n",
        instead="\nMAX_LINE = 1 << 25\n",
        broken="A line of a mail server may be 32 MiB long.",
        says=r"at most \d{5,} KiB",
    ),
    Sabotage(
        promise="P12",
        file="core/mail/transport.py",
        text="            self._always.set()\n",
        instead="            pass\n",
        broken="The wait for the answer to the final dot cannot be ended by hand.",
        says=r"assert not thread\.is_alive\(\)",
    ),
    Sabotage(
        promise="P13",
        file="core/mail/certificates.py",
        text="    context.hostname_checks_common_name = False\n",
        instead="    context.hostname_checks_common_name = False\n    context.check_hostname = False\n",
        broken="A certificate for another name is believed.",
        says="another name",
    ),
    Sabotage(
        promise="P13",
        file="core/mail/connection.py",
        text="            self.capabilities_in_clear = self.capabilities\n",
        instead="            self.capabilities_in_clear = self.capabilities\n"
        "            if not self.capabilities.starttls:\n"
        "                return\n",
        broken="Where a server does not offer STARTTLS, it goes on without.",
        says="STARTTLS taken away",
    ),
    Sabotage(
        promise="P14",
        file="gui/bridge.py",
        text="        (self._reads if quick else self._waits if waits else self._work).put(task)",
        instead="        task()",
        broken="What takes long is done on the window's own thread.",
        says=r"beside a loop of Qt at most \d{4,} ms",
    ),
    Sabotage(
        promise="P15",
        file="core/journal.py",
        text="text = redact(super().format(record))",
        instead="text = super().format(record)",
        broken="Secrets are not taken out of the log.",
        says="vxtray.log",
    ),
    Sabotage(
        promise="P15",
        file="cli/__init__.py",
        text="            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
        instead="            resource.getrlimit(resource.RLIMIT_CORE)",
        broken="The system may write the memory of the program to a file when it crashes.",
        says=r"Max core file size +unlimited",
    ),
    Sabotage(
        promise="P16",
        file="core/credentials.py",
        text='        if f"{kind.__module__}.{kind.__qualname__}".startswith(_TRUSTED_BACKENDS):',
        instead="        if kind:",
        broken="A keyring that does not encrypt is taken.",
        says="test_a_back_end_that_does_not_encrypt_is_refused",
        full=_NAMED_ONLY,
    ),
    Sabotage(
        promise="P16",
        file="core/credentials.py",
        text="            if backend.get_password(_SERVICE, str(account)) != text:",
        instead="            if False:",
        broken="A password that was stored is not read back.",
        says="test_a_back_end_that_only_pretends_is_found_out",
        full=_NAMED_ONLY,
    ),
    Sabotage(
        promise="P17",
        file="gui/panel.py",
        text="        self._looking.start()\n",
        instead="",
        broken="A tray is looked for only once, at the start.",
        says="test_a_tray_that_goes_for_good_gives_the_window_back",
        full=_NAMED_ONLY,
    ),
    Sabotage(
        promise="P17",
        file="gui/application.py",
        text="the panel may still be on its way\n            self._tray_changed()\n",
        instead="the panel may still be on its way\n            pass\n",
        broken="A program that starts hidden stays so where there is no tray.",
        says="test_without_any_tray_a_hidden_start_is_not_hidden",
        full=_NAMED_ONLY,
    ),
    Sabotage(
        promise="P18",
        file="core/instance.py",
        text="            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        instead="            fcntl.flock(file, fcntl.LOCK_UN)",
        broken="The lock of the profile is not taken.",
        says=r"both live|\[ProgramBusy\.title\]",
    ),
    Sabotage(
        promise="P18",
        file="core/paths.py",
        text="    folder.mkdir(mode=0o700, exist_ok=True)",
        instead="    folder.mkdir(exist_ok=True)",
        broken="Other users may look into the folders of the program.",
        says="'list': 'done'",
    ),
    Sabotage(
        promise="P18",
        file="core/control.py",
        text='        path = Path(tempfile.mkdtemp(prefix="vxtray-")) / "control.sock"',
        instead='        path = private_folder(Path(tempfile.gettempdir(), f"vxtray-{os.getuid()}")) / "control.sock"',
        broken="The socket lies in a folder of a known name, which another user may have made before.",
        says=r"assert place\.stat\(\)\.st_uid == os\.getuid\(\)",
    ),
    Sabotage(
        promise="P19",
        file="core/sources/follower.py",
        text="            if size < tail.at or not tail.is_same():",
        instead="            if size < tail.at:",
        broken="A log that was emptied and written anew is not noticed once it has grown again.",
        says=r"assert len\(lines\) == len\(set\(lines\)\)",
    ),
    Sabotage(
        promise="P19",
        file="core/sources/follower.py",
        text="        for other, status in beside(path):\n",
        instead="        for other, status in list(beside(path))[:0]:\n",
        broken="What was written to a log before it was renamed is not looked for under its new name.",
        says="the follower does not keep up",
    ),
    Sabotage(
        promise="P20",
        file="core/store/clickhouse.py",
        text="""            "insert_deduplication_token": f"{self.uuid}:{first}-{last}",\n""",
        instead="",
        broken="A batch is sent without what lets the server drop it where it has it already.",
        says="test_a_batch_whose_answer_was_lost_is_not_doubled_by_a_restart",
        full=_NAMED_ONLY,
    ),
    Sabotage(
        promise="P20",
        file="core/store/clickhouse.py",
        text="        if any(block.count for block in blocks) and self._is_full():\n",
        instead="        if False:\n",
        broken="What waits for the server may grow without end.",
        says="test_more_than_may_wait_is_refused_and_taken_again_when_it_has_arrived",
        full=_NAMED_ONLY,
    ),
    Sabotage(
        promise="P21",
        file="core/mail/schema.py",
        text='        change()\n        db.execute(f"PRAGMA user_version = {VERSION}")\n        db.execute("COMMIT")\n',
        instead='        db.execute(f"PRAGMA user_version = {VERSION}")\n        db.execute("COMMIT")\n'
        '        db.execute("BEGIN")\n        change()\n        db.execute("COMMIT")\n',
        broken="The new version is noted before the tables are changed.",
        says="no such column: resend_of",
    ),
    Sabotage(
        promise="P22",
        file="core/paths.py",
        text="    folder.mkdir(mode=0o700, exist_ok=True)",
        instead="    folder.mkdir(mode=0o755, exist_ok=True)",
        broken="Other users may look into the folders of the program.",
        says="'modes'",
    ),
    Sabotage(
        promise="P23",
        file="core/standin.py",
        text="        _copy(state / name, home.state / name)\n",
        instead="        pass\n",
        broken="What was kept elsewhere while the home was read-only is not taken back.",
        says="what waited leaves from the home",
    ),
    Sabotage(
        promise="P23",
        file="core/standin.py",
        text="    if read_only and make and _SERVICE not in os.environ:\n",
        instead="    if False:\n",
        broken="Where the home is read-only, no copy of the state is worked with.",
        says="Read-only file system",
    ),
    Sabotage(
        promise="P23",
        file="core/credentials.py",
        text="        return self._ask(lambda: _secret(_backend().get_password(_SERVICE, str(account))))\n",
        instead="        try:\n"
        "            return self._ask(lambda: _secret(_backend().get_password(_SERVICE, str(account))))\n"
        "        except KeyringMissing:\n"
        "            return None\n",
        broken="That there is no keyring is taken for a keyring without the password.",
        says="still not: it is told",
    ),
    Sabotage(
        promise="P24",
        file="core/mail/salvage.py",
        text="                last, missed, tries = last + 1, missed + 1, 0\n",
        instead="                return\n",
        broken="The saving of a damaged outbox ends at the first row that cannot be read.",
        says="a page of which was damaged: ",
    ),
    Sabotage(
        promise="P24",
        file="core/settings/file.py",
        text="            return keys.build(migrate(parse(self._good, self._good_bytes())))[0]",
        instead="            return Settings()",
        broken="Where the settings are damaged, the defaults are in force and not the last good ones.",
        says=r"assert \(loaded\.settings\.smtp\.host, loaded",
    ),
)
