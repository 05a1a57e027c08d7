"""Markdown as the tests of the documents read it: prose, headings, code blocks, links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#{1,4}) (.+)$", re.MULTILINE)


class Document:
    """A file. ``prose`` is all but the code blocks; ``rows`` the number of columns of each line of a table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text("utf-8")
        self.prose = _FENCE.sub("", self.text)
        self.headings = [(len(marks), title) for marks, title in _HEADING.findall(self.prose)]
        self.rows = [line.count("|") for line in self.prose.splitlines() if line.startswith("|")]


def fenced(text: str, *, comments: bool = False) -> list[tuple[str, str]]:
    """Return the code blocks with their languages; comments may differ from one language to another."""
    blocks = _FENCE.findall(text)
    return (
        blocks if comments else [(language, re.sub(r"[ \t]+#.*$", "", b, flags=re.MULTILINE)) for language, b in blocks]
    )


def links(text: str) -> list[str]:
    """Return where links and pictures lead, without those to the web."""
    without_code = re.sub(r"`[^`\n]*`", "", text)
    return [target for target in _LINK.findall(without_code) if not target.startswith(("http://", "https://"))]


def inline_code(text: str) -> list[str]:
    """Return what stands between single backquotes."""
    return re.findall(r"`([^`\n]+)`", text)


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in the ``sh`` blocks of a text, as a shell reads them, in their order."""
    for language, block in _FENCE.findall(text):
        if language != "sh":
            continue
        waiting = ""
        for line in block.splitlines():
            waiting = f"{waiting}\n{line}" if waiting else line
            if waiting.endswith("\\"):
                continue
            try:
                words = shlex.split(waiting.replace("\\\n", " "), comments=True)
            except ValueError:  # a quotation that goes on
                continue
            waiting = ""
            if words:
                yield words
        assert not waiting, f"a command does not end: {waiting}"
