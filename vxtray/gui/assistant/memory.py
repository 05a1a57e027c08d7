"""Where a person was in the assistant, and whether it was sent away: one small fact beside the mails. GUI thread."""

import logging

from vxtray.core.errors import StoreError
from vxtray.core.service import Service

log = logging.getLogger(__name__)

_FACT = "assistant"
_OPEN, _LEFT, _DONE = "open", "left", "done"


class Memory:
    """The fact, as ``open recipients``: how it stands, and the step that is next."""

    def __init__(self, service: Service) -> None:
        self._service = service
        try:
            self._state, _blank, self.step = service.outbox.fact(_FACT).partition(" ")
        except StoreError as error:  # told on the overview; the assistant begins at its first step
            log.info("where the assistant was is not known: %s", error)
            self._state = self.step = ""

    @property
    def due(self) -> bool:
        """True where it should show by itself: nothing is set up yet, or the program ended amid it. Never twice."""
        return self._state == _OPEN or (not self._state and not self._service.settings.ready)

    @property
    def begun(self) -> bool:
        """True where there is something to go on with."""
        return self._state in (_OPEN, _LEFT)

    def at(self, step: str) -> None:
        """Remember the step that is shown."""
        self._keep(_OPEN, step)

    def left(self, step: str) -> None:
        """Remember that it was sent away."""
        self._keep(_LEFT, step)

    def done(self) -> None:
        """Remember that it came to its end; the next time it begins anew."""
        self._keep(_DONE, "")

    def _keep(self, state: str, step: str) -> None:
        self._state, self.step = state, step
        try:
            self._service.outbox.set_fact(_FACT, f"{state} {step}".strip(), durable=False)
        except StoreError as error:
            log.info("where the assistant is cannot be kept: %s", error)
