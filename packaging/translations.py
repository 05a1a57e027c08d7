"""Keep the catalogues of ``resources/i18n`` in step with the texts in the code.

    .venv/bin/python packaging/translations.py update    after adding or changing a text
    .venv/bin/python packaging/translations.py check     what is missing, exit status 1 if anything is
    .venv/bin/python packaging/translations.py compile   .mo beside each .po, which a checkout starts faster with

``update`` writes vxtray.pot and brings each language's vxtray.po up to date: new texts appear with an empty
translation, texts that are gone are dropped. English is the language of the code, so its catalogue fills itself.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
CATALOGUES = ROOT / "resources" / "i18n"

#: Functions that mark a text, with the places of the texts among their arguments (None: the first).
KEYWORDS = {
    "_": None,
    "N_": None,
    "translate": None,
    "plural": (1, 2),
    "translate_plural": (1, 2),
    "ngettext": (1, 2),
}
TRANSLATORS = ["TRANSLATORS:"]

HEADER = """\
# The texts of vxtray; see CONTRIBUTING.md, "Translations".
# Copyright (C) 2026 vxtray contributors, MIT licence"""

#: Fields of the header that change by themselves or say nothing.
NOISE = ("POT-Creation-Date", "PO-Revision-Date", "Generated-By", "Report-Msgid", "Last-Translator", "Language-Team")


def sources() -> Iterator[tuple[Path, str]]:
    """Yield each file with texts and how babel reads it."""
    for path in sorted((ROOT / "vxtray").rglob("*.py")):
        yield path, "python"
    for path in sorted((ROOT / "resources").rglob("*.j2")):
        yield path, "jinja2.ext:babel_extract"


def extract() -> Catalog:
    """Return a catalogue of all texts in the code and the templates, untranslated."""
    catalogue = Catalog(project="vxtray", charset="utf-8", copyright_holder="vxtray contributors")
    for path, method in sources():
        name = path.relative_to(ROOT).as_posix()
        options = {"encoding": "utf-8", "silent": "false"} if path.suffix == ".j2" else {"encoding": "utf-8"}
        for _, message, comments, context in extract_from_file(
            method, path, keywords=KEYWORDS, comment_tags=TRANSLATORS, options=options, strip_comment_tags=True
        ):
            if message:
                catalogue.add(message, None, [(name, 0)], auto_comments=comments, context=context)
    return catalogue


def read(language: str) -> Catalog:
    """Return a language's catalogue, an empty one where there is none yet."""
    path = CATALOGUES / language / "LC_MESSAGES" / "vxtray.po"
    if not path.exists():
        return Catalog(locale=language, project="vxtray", charset="utf-8", copyright_holder="vxtray contributors")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def write(catalogue: Catalog, path: Path) -> None:
    """Write a catalogue in a form that makes small differences: sorted, without line numbers and dates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    catalogue.fuzzy = False
    catalogue.header_comment = HEADER
    written = io.BytesIO()
    write_po(written, catalogue, width=120, sort_by_file=True, ignore_obsolete=True, include_lineno=False)
    noise = tuple(f'"{name}' for name in NOISE)
    lines = [line for line in written.getvalue().decode().splitlines() if not line.startswith(noise)]
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def update() -> int:
    """Bring vxtray.pot and each language up to date."""
    write(extract(), CATALOGUES / "vxtray.pot")
    for language in sorted({"en", "fr", *(path.parts[-3] for path in CATALOGUES.glob("*/LC_MESSAGES/vxtray.po"))}):
        catalogue = read(language)
        catalogue.update(extract(), no_fuzzy_matching=True)  # extracted anew: a catalogue takes the messages over
        if language == "en":
            for message in catalogue:
                if message.id:
                    message.string = message.id
        write(catalogue, CATALOGUES / language / "LC_MESSAGES" / "vxtray.po")
    return check()


def missing(language: str) -> list[str]:
    """Return the texts that a language lacks, or has only in part."""
    catalogue, found = read(language), []
    for message in extract():
        if not message.id:
            continue
        translated = catalogue.get(message.id, message.context)
        strings = [] if translated is None else translated.string
        complete = bool(strings) and all([strings] if isinstance(strings, str) else strings)
        if not complete or (translated is not None and translated.fuzzy):
            found.append(message.id if isinstance(message.id, str) else message.id[0])
    return found


def check() -> int:
    """Print what French lacks; 1 if anything."""
    lacking = missing("fr")
    for text in lacking:
        print(f"no French: {text!r}")
    print(f"{len(lacking)} of {len(extract())} texts have no French", file=sys.stderr)
    return 1 if lacking else 0


def compile_all() -> int:
    """Write .mo files, which git ignores, beside the .po files."""
    for source in CATALOGUES.glob("*/LC_MESSAGES/vxtray.po"):
        with source.open("rb") as text, source.with_suffix(".mo").open("wb") as machine:
            write_mo(machine, read_po(text))
    return 0


def main(arguments: list[str]) -> int:
    """Do what the first argument says; the exit status."""
    actions = {"update": update, "check": check, "compile": compile_all}
    if len(arguments) != 1 or arguments[0] not in actions:
        print(__doc__, file=sys.stderr)
        return 2
    return actions[arguments[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
