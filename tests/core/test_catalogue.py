"""The catalogue of translations says what the library's own reader says, for every message there is."""

import gettext
import io
import struct

import pytest

from vxtray.core.catalogue import Catalogue
from vxtray.core.paths import resource

NUMBERS = (0, 1, 2, 5, 21, 1_000_000)


def compiled(language: str) -> bytes:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    out = io.BytesIO()
    write_mo(out, read_po(io.BytesIO(resource(f"i18n/{language}/LC_MESSAGES/vxtray.po").read_bytes())))
    return out.getvalue()


@pytest.fixture(scope="module")
def french() -> bytes:
    return compiled("fr")


def other_order(content: bytes) -> bytes:
    """Return the catalogue as a machine of the other byte order writes it."""
    count, keys, texts = struct.unpack_from("<3I", content, 8)
    numbers = 7 + (4 * count if count else 0)
    assert (keys, texts) == (28, 28 + 8 * count), "the two tables follow the head"
    return struct.pack(f">{numbers}I", *struct.unpack_from(f"<{numbers}I", content)) + content[4 * numbers :]


def test_every_message_as_the_library_reads_it(french: bytes) -> None:
    theirs, ours, swapped = (
        gettext.GNUTranslations(io.BytesIO(french)),
        Catalogue(french),
        Catalogue(other_order(french)),
    )
    messages = [key for key in theirs._catalog if key]  # type: ignore[attr-defined]
    assert len(messages) > 1000
    for key in messages:
        if isinstance(key, tuple):
            for n in NUMBERS:
                assert ours.ngettext(key[0], "many", n) == theirs.ngettext(key[0], "many", n)
        else:
            assert ours.gettext(key) == swapped.gettext(key) == theirs.gettext(key)


def test_what_is_not_there_stands_for_itself(french: bytes) -> None:
    for catalogue in (Catalogue(), Catalogue(french)):
        assert catalogue.gettext("no such message") == "no such message"
        assert [catalogue.ngettext("no such one", "no such many", n) for n in (0, 1, 2)] == [
            "no such many",
            "no such one",
            "no such many",
        ]


@pytest.mark.parametrize("content", [b"x", b"no catalogue at all, though long enough"])
def test_another_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="catalogue"):
        Catalogue(content)
