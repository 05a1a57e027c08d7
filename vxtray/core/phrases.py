"""Texts that wait for their reader's language, as values that cross threads and files. Any thread."""

import msgspec

from vxtray.core.texts import translate


class Phrase(msgspec.Struct, frozen=True):
    """A text that waits for its reader's language: a message id and its values, which may be phrases themselves."""

    text: str = ""
    values: dict[str, object] = {}

    def in_language(self, language: str) -> str:
        """Return the words; empty for an empty phrase."""
        values = {
            name: value.in_language(language) if isinstance(value, Phrase) else value
            for name, value in self.values.items()
        }
        return translate(self.text, language, **values)
