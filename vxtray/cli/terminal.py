"""What a command says, wherever it runs: on this terminal, or through the control socket on another one.

Standard output carries the answer only; everything else goes to standard error.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from vxtray.core import texts
from vxtray.core.errors import N_, NotConfigured, UsageError, VxtrayError

if TYPE_CHECKING:
    import io


class Terminal:
    """Where a command reads and writes. ``cwd`` is the caller's folder, against which paths are resolved."""

    def __init__(
        self,
        out: Callable[[str], None],
        err: Callable[[str], None],
        *,
        cwd: Path,
        stdin: BinaryIO | None = None,
        interactive: bool = False,
    ) -> None:
        self._out = out
        self._err = err
        self.cwd = cwd
        self.stdin = stdin
        self.interactive = interactive

    def say(self, text: str = "") -> None:
        """Write a line of the answer."""
        self._out(_redacted(text) + "\n")

    def note(self, text: str) -> None:
        """Write a line beside the answer."""
        self._err(_redacted(text) + "\n")

    def progress(self, text: str) -> None:
        """Rewrite the line under the cursor, on a terminal only."""
        if self.interactive:
            self._err("\r\033[K" + text)

    def document(self, value: object) -> None:
        """Write one JSON document."""
        import json

        import msgspec

        self._out(json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=2) + "\n")

    def path(self, name: str) -> Path:
        """Return a path as the caller meant it."""
        return self.cwd / Path(name).expanduser()

    def read_secret(self, prompt: str) -> str:
        """Return the text on standard input; on a terminal it is asked for without showing it."""
        if self.stdin is not None and self.stdin.isatty():
            import getpass

            return getpass.getpass(prompt)
        try:
            return self.stdin.read().decode("utf-8") if self.stdin else ""
        except UnicodeDecodeError as error:
            raise UsageError(N_("A secret is one line.")) from error

    def fail(self, error: VxtrayError) -> int:
        """Say what happened and what to do, and return the exit status."""
        self.note(texts.title(error))
        if advice := texts.advice(error):
            self.note(advice)
        if reply := getattr(error, "reply", ""):
            self.note(texts._("Server's words: {reply}", reply=reply))
        if isinstance(error, UsageError):
            return 2
        return 3 if isinstance(error, NotConfigured) else 1


def _redacted(text: str) -> str:
    from vxtray.core.credentials import redact  # with msgspec: a start that says nothing does not need it

    return redact(text)


def own_terminal() -> Terminal:
    """Return the terminal of this process."""

    def writer(stream: Any) -> Callable[[str], None]:
        def write(text: str) -> None:
            if stream is not None:
                stream.write(text)
                stream.flush()

        return write

    # On Windows a program without a console, as a shortcut and the session start it, has none of the three.
    out, err, source = (cast("io.TextIOWrapper | None", each) for each in (sys.stdout, sys.stderr, sys.stdin))
    for stream in (out, err):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")
    return Terminal(
        writer(out),
        writer(err),
        cwd=Path.cwd(),
        stdin=cast("BinaryIO", source.buffer) if source else None,
        interactive=err is not None and err.isatty(),
    )
