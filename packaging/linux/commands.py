"""The commands as the program's own parser states them, for the manual page and the shells' completion.

Pure; needs vxtray importable.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

#: What a word on the command line stands for, by its name in the parser; the rest are plain texts.
_FILES = frozenset({"FILE"})
_FOLDERS = frozenset({"DIR"})


@dataclass(frozen=True)
class Argument:
    """An option (``flags``) or a positional one; ``kind`` is file, folder, choice or text, "" where none follows."""

    flags: tuple[str, ...]
    name: str
    kind: str
    choices: tuple[str, ...]
    help: str
    many: bool

    @property
    def shown(self) -> str:
        """What stands for its value, such as DIR or {on,off}."""
        if not self.kind:
            return ""
        return "{" + ",".join(self.choices) + "}" if self.kind == "choice" else self.name


@dataclass(frozen=True)
class Command:
    """A command by its words (none for the program itself), with the words that may follow it at once."""

    words: tuple[str, ...]
    help: str
    arguments: tuple[Argument, ...]
    verbs: tuple[tuple[str, str], ...]

    @property
    def options(self) -> tuple[Argument, ...]:
        """Those with a dash."""
        return tuple(one for one in self.arguments if one.flags)

    @property
    def positionals(self) -> tuple[Argument, ...]:
        """Those without."""
        return tuple(one for one in self.arguments if not one.flags)


def commands(language: str = "en") -> list[Command]:
    """Return the program and every listed command, in the order of ``vxtray --help``."""
    from vxtray.cli import parser
    from vxtray.core import texts

    with texts.speaking(language):
        return list(_walk(parser.build(), (), ""))


def _walk(parser: argparse.ArgumentParser, words: tuple[str, ...], help_text: str) -> Iterator[Command]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    verbs = {listed.dest: listed.help or "" for group in groups for listed in group._choices_actions}
    plain = [action for action in parser._actions if action not in groups and action.help != argparse.SUPPRESS]
    yield Command(words, help_text, tuple(map(_argument, plain)), tuple(verbs.items()))
    for group in groups:
        for verb, help_of_verb in verbs.items():  # one without help is no command for people
            yield from _walk(group.choices[verb], (*words, verb), help_of_verb)


def _argument(action: argparse.Action) -> Argument:
    name = str(action.metavar or action.dest)
    kind = "text"
    if action.nargs == 0:
        kind = ""
    elif action.choices:
        kind = "choice"
    elif name in _FILES:
        kind = "file"
    elif name in _FOLDERS:
        kind = "folder"
    choices = tuple(str(choice) for choice in action.choices or ())
    many = action.nargs in ("+", "*", argparse.REMAINDER)
    return Argument(tuple(action.option_strings), name, kind, choices, action.help or "", many)
