"""What is known of the sign-ins beside their secrets: who, when, what went wrong last. A small JSON file in the state.

Any thread; who changes it holds the lock of the keeper. A damaged file is as good as none: the sign-in itself is in the
keyring.
"""

import logging
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from vxtray.core.credentials import Account
from vxtray.core.mail.faults import MailError
from vxtray.core.phrases import Phrase
from vxtray.core.settings.file import write_durably

_log = logging.getLogger(__name__)

_LARGEST = 1_000_000


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in. Times are UTC; ``note`` is a message id."""

    state: Literal["ok", "needs-sign-in", "unreachable"] = "ok"
    signed_in_as: str = ""
    signed_in_at: datetime | None = None
    last_refresh: datetime | None = None
    refresh_ends: datetime | None = None
    note: str = ""
    fault: Phrase = Phrase()
    remedy: Phrase = Phrase()
    details: tuple[str, ...] = ()


class RecordFile:
    """The file; ``get`` reads it only after it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._records: dict[str, Record] = {}

    def get(self, account: Account) -> Record | None:
        """Return what is known, None without a sign-in."""
        try:
            stat = self._path.stat()
        except OSError:
            return None
        if (seen := (stat.st_mtime_ns, stat.st_ino)) != self._seen:
            self._records, self._seen = self._read(), seen
        return self._records.get(str(account))

    def put(self, account: Account, record: Record | None) -> None:
        """Keep what is known; None forgets it. A disk that refuses is logged: mail goes on without."""
        records = self._read()
        if records.get(str(account)) == record:
            return
        records.pop(str(account), None)
        if record is not None:
            records[str(account)] = record
        try:
            write_durably(self._path, msgspec.json.encode(records))
        except OSError as fault:
            _log.warning("what is known of the sign-in cannot be saved: %s", fault.strerror)

    def _read(self) -> dict[str, Record]:
        try:
            content = self._path.read_bytes()
            return msgspec.json.decode(content, type=dict[str, Record]) if len(content) <= _LARGEST else {}
        except (OSError, ValueError):
            return {}


def with_fault(record: Record, fault: MailError, state: Literal["needs-sign-in", "unreachable"]) -> Record:
    """Return the record with the words of a fault."""
    values: dict[str, object] = {name: str(value) for name, value in fault.values.items()}
    return msgspec.structs.replace(
        record,
        state=state,
        fault=Phrase(fault.title_id, values),
        remedy=Phrase(fault.advice_id, values),
        details=tuple(getattr(fault, "details", ())),
    )
