"""Setting a damaged file of the store aside: under a name of its own beside it, so that nothing is overwritten."""

from datetime import UTC, datetime
from pathlib import Path

from vxtray.core.errors import StoreError


def free_name(path: Path) -> Path:
    """Return a name beside a damaged file that neither a file nor its log has, with the time in it."""
    stem = f"{path.stem}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    name, number = stem, 2
    while any(path.parent.glob(f"{name}{path.suffix}*")):
        name, number = f"{stem}-{number}", number + 1
    return path.with_name(name + path.suffix)


def move(path: Path, to: Path) -> None:
    """Rename a file. Raises ``StoreError``."""
    try:
        path.rename(to)
    except OSError as error:
        raise StoreError(path=path, reason=error.strerror or str(error)) from error
