"""A compiled catalogue of translations (.mo), searched where it lies. Any thread.

The library's own reader makes two strings of each of thousands of messages before it gives the first one, which every
start and every command would wait for. The format: https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
"""

import gettext
import struct
from collections.abc import Callable

_MAGIC = 0x950412DE
_DEFAULT_PLURAL = "n != 1"


class Catalogue:
    """The messages of one language; a message that is not there stands for itself."""

    def __init__(self, content: bytes = b"") -> None:
        """``content`` is a file of either byte order, in UTF-8. Raises ``ValueError`` where it is none."""
        self._content = content
        self._count, self._keys, self._texts = 0, 0, 0
        self._order = "<"
        if content:
            self._order = "<" if content[:4] == struct.pack("<I", _MAGIC) else ">"
            try:
                magic, _version, self._count, self._keys, self._texts = struct.unpack_from(f"{self._order}5I", content)
            except struct.error as error:
                raise ValueError("a catalogue is longer") from error
            if magic != _MAGIC:
                raise ValueError("this is no catalogue")
        self._plural: Callable[[int], int] | None = None

    def gettext(self, message: str) -> str:
        """Return a message in the language."""
        found = self._find(message.encode())
        return message if found is None else found.partition(b"\0")[0].decode()

    def ngettext(self, one: str, many: str, n: int) -> str:
        """Return the form of a message that a number takes."""
        found = self._find(one.encode())
        if found is None:
            return one if n == 1 else many
        if self._plural is None:
            self._plural = gettext.c2py(self._plural_rule())
        forms = found.split(b"\0")
        return forms[min(self._plural(n), len(forms) - 1)].decode()

    def _plural_rule(self) -> str:
        head = (self._find(b"") or b"").decode()
        return head.partition("plural=")[2].partition(";")[0].strip() or _DEFAULT_PLURAL

    def _find(self, key: bytes) -> bytes | None:
        """Return the text of a key: they are sorted; that of a plural goes on with its second form after a zero."""
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._string(self._keys, middle).partition(b"\0")[0] < key:
                low = middle + 1
            else:
                high = middle
        if low < self._count and self._string(self._keys, low).partition(b"\0")[0] == key:
            return self._string(self._texts, low)
        return None

    def _string(self, table: int, number: int) -> bytes:
        length, start = struct.unpack_from(f"{self._order}2I", self._content, table + 8 * number)
        return self._content[start : start + length]
