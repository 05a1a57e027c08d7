"""What every part of the window works with, built once by ``app``. GUI thread only."""

from collections.abc import Callable
from dataclasses import dataclass

from vxtray.core.credentials import CredentialStore
from vxtray.core.paths import Profile
from vxtray.core.service import Service
from vxtray.core.settings.model import SettingsModel
from vxtray.gui.bridge import Bridge


@dataclass(frozen=True, slots=True)
class Context:
    """The model, the engine, and the way between threads."""

    profile: Profile
    model: SettingsModel
    service: Service
    credentials: CredentialStore
    bridge: Bridge
    quit: Callable[[], None]
