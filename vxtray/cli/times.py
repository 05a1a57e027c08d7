"""Times and durations as a person types them.

Pure functions; each raises ``argparse.ArgumentTypeError`` or ``UsageError`` with what is allowed.
"""

import argparse
import re
from datetime import UTC, date, datetime, timedelta

from vxtray.core.errors import N_, UsageError
from vxtray.core.texts import _

_DURATION = re.compile(r"(\d{1,5})\s*(m|min|h|d)")
_UNIT = {"m": timedelta(minutes=1), "min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def duration(text: str) -> timedelta:
    """Return 30m, 8h or 2d as a duration. Raises ``UsageError``."""
    found = _DURATION.fullmatch(text.strip().lower())
    if not found or not int(found[1]):
        raise UsageError(N_("“{text}” is not a duration."), N_("Write 30m, 8h or 2d."), text=text)
    return int(found[1]) * _UNIT[found[2]]


def day(text: str) -> date:
    """Return 2026-11-21 as a date, from 1970 to 9998: a period around it must be expressible too."""
    try:
        found = date.fromisoformat(text)
        if not 1970 <= found.year <= 9998:
            raise ValueError(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(_("“{text}” is not a date such as 2026-11-21", text=text)) from error
    return found


def moment(text: str) -> datetime:
    """Return an ISO time (without offset: this machine's), a date, or “7d ago” written as 7d, as aware time."""
    if found := _DURATION.fullmatch(text.strip().lower()):
        return datetime.now(UTC) - int(found[1]) * _UNIT[found[2]]
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            _("“{text}” is not a time such as 2026-11-21T08:00, 2026-11-21 or 7d", text=text)
        ) from error
