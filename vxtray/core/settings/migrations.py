"""How a settings file of an older version becomes one of this version.

Pure functions from dict to dict, one per version step; ``file.py`` keeps the old file before it writes the new one.
"""

from collections.abc import Callable

from vxtray.core.errors import N_, SettingsInvalid
from vxtray.core.settings.tree import VERSION

Step = Callable[[dict[str, object]], dict[str, object]]

#: ``STEPS[n]`` turns version n into version n + 1. Version 1 is the first that was published.
STEPS: dict[int, Step] = {}


def migrate(raw: dict[str, object]) -> dict[str, object]:
    """Return the mapping in this version's layout. Raises ``SettingsInvalid`` for a file of a newer vxtray."""
    version = raw.get("version", VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise SettingsInvalid(
            key="version",
            value=version,
            allowed=N_("this vxtray understands settings up to version {newest}; a newer one wrote this file"),
            newest=VERSION,
        )
    for step in range(version, VERSION):
        raw = STEPS[step](raw)
    return {**raw, "version": VERSION}
