"""What was said on a connection, for a person who wants to see it: bounded, plain text, nothing of a sign-in.

Filled by the thread that talks; read by any other once that is done.
"""

import time

from vxtray.core.credentials import redact
from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.protocol import Reply

#: Lines and characters a line that are kept.
_MOST = 400
_WIDTH = 500


class Transcript:
    """Lines with the milliseconds since the beginning: ``>`` we, ``<`` the server, ``–`` what happened."""

    def __init__(self, most: int = _MOST) -> None:
        """``most`` lines are kept, the first ones; 0 keeps nothing."""
        self._most = most
        self._began = time.monotonic()
        self._lines: list[tuple[int, str, str]] = []

    def said(self, text: str) -> None:
        """Record a command; what belongs to a sign-in is given as a text that stands for it."""
        self._add(">", text)

    def heard(self, reply: Reply) -> None:
        """Record a reply, line by line. A challenge of a sign-in is not recorded: it may repeat a secret."""
        if not self._most:
            return
        if reply.code == 334:
            self._add("<", "334 (not recorded)")
            return
        for position, line in enumerate(reply.lines):
            separator = " " if position == len(reply.lines) - 1 else "-"
            self._add("<", f"{reply.code}{separator}{line}")

    def note(self, text: str) -> None:
        """Record what happened between the lines."""
        self._add("–", text)

    def _add(self, mark: str, text: str) -> None:
        if len(self._lines) < self._most:
            self._lines.append((round((time.monotonic() - self._began) * 1000), mark, text))

    def text(self) -> str:
        """Return it as lines of plain text, without secrets even where a server repeats them."""
        return "\n".join(f"{ms:>6} ms {mark} {one_line(redact(text), _WIDTH)}" for ms, mark, text in self._lines)
