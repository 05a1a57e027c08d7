"""Every engine that an event store may stand on: each must pass all that is asked of one."""

from collections.abc import Callable
from pathlib import Path

from vxtray.core.store import EventStore
from vxtray.core.store.embedded import EmbeddedStore

#: By name, what opens a store in a folder.
ENGINES: dict[str, Callable[[Path], EventStore]] = {"embedded": lambda folder: EmbeddedStore(folder / "events.duckdb")}
