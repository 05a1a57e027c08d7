"""Which language a mail is written in. Pure, any thread."""

from vxtray.core import texts
from vxtray.core.settings.tree import Settings


def mail_language(wanted: str, settings: Settings) -> str:
    """Return the language of a mail: its own setting, else the program's."""
    return texts.resolve(wanted if wanted != "auto" else settings.general.language)
