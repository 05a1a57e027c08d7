"""Completion for bash, zsh and fish, made from the program's own parser: static files that never start the program.

``python packaging/linux/completions.py FOLDER`` writes ``vxtray`` (bash), ``_vxtray`` (zsh) and ``vxtray.fish``.
"""

import sys
from pathlib import Path

from commands import Argument, Command, commands

#: Keys of settings are completed after these.
_KEYED = ("KEY", "KEY=VALUE")


def keys() -> list[str]:
    """Return the dotted names of all settings."""
    from vxtray.core.settings.keys import LEAVES

    return sorted(LEAVES)


def _name(words: tuple[str, ...]) -> str:
    return " ".join(words)


def _words_of(argument: Argument, all_keys: list[str]) -> list[str]:
    """Return the words that may stand for an argument, where they are known."""
    if argument.kind == "choice":
        return list(argument.choices)
    if argument.name in _KEYED:
        return [key + "=" if argument.name == "KEY=VALUE" else key for key in all_keys]
    return []


def _keys_of(command: Command, all_keys: list[str]) -> list[str]:
    """Return the keys that a command takes: ``smtp set`` takes those below ``smtp.`` without their first word."""
    if command.words[:1] == ("smtp",):
        return [key.removeprefix("smtp.") for key in all_keys if key.startswith("smtp.")]
    return all_keys


# --- bash and zsh: one table of what may follow, asked by a loop over the words --------------------------------------

_BASH = """\
# bash completion for vxtray, made by packaging/linux/completions.py.

_vxtray() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} path="" word n
    for ((n = 1; n < COMP_CWORD; n++)); do
        word=${{COMP_WORDS[n]}}
        case "$path $word" in
{steps}
        esac
    done
    COMPREPLY=()
    case "$path:$prev" in
{values}
    esac
    if [[ $cur == -* ]]; then
        case "$path" in
{options}
        esac
        return
    fi
    case "$path" in
{following}
    esac
    [[ ${{COMPREPLY[0]-}} == *= ]] && compopt -o nospace
    return 0
}}

complete -F _vxtray vxtray
"""


def bash(table: list[Command], all_keys: list[str]) -> str:
    """Return the file for bash."""
    steps, values, options, following = [], [], [], []
    for command in table:
        path = _name(command.words)
        if command.words:
            before = _name(command.words[:-1])
            steps.append(f'            "{before} {command.words[-1]}") path="{path}" ;;')
        flags = " ".join(flag for option in command.options for flag in option.flags)
        options.append(f'            "{path}") COMPREPLY=($(compgen -W "{flags}" -- "$cur")) ;;')
        for option in command.options:
            if option.kind:
                patterns = "|".join(f'"{path}:{flag}"' for flag in option.flags)
                values.append(f"        {patterns}) {_bash_reply(option, command, all_keys)}; return ;;")
        words = [verb for verb, _help in command.verbs]
        if words:
            following.append(f'        "{path}") COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$cur")) ;;')
        elif command.positionals:
            # completing the first is enough: where two follow each other, only one has words to offer
            replies = [_bash_reply(one, command, all_keys) for one in command.positionals]
            following.append(f'        "{path}") {next((one for one in replies if one != ":"), ":")} ;;')
    return _BASH.format(
        steps="\n".join(steps), values="\n".join(values), options="\n".join(options), following="\n".join(following)
    )


def _bash_reply(argument: Argument, command: Command, all_keys: list[str]) -> str:
    if argument.kind == "file":
        return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))'
    if argument.kind == "folder":
        return 'compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur"))'
    words = _words_of(argument, _keys_of(command, all_keys))
    return f'COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$cur"))' if words else ":"


_ZSH = """\
#compdef vxtray
# zsh completion for vxtray, made by packaging/linux/completions.py.

{functions}

_vxtray "$@"
"""


def zsh(table: list[Command], all_keys: list[str]) -> str:
    """Return the file for zsh: one function a command."""
    return _ZSH.format(functions="\n\n".join(_zsh_function(command, all_keys) for command in table))


def _zsh_function(command: Command, all_keys: list[str]) -> str:
    name = "_vxtray" + "".join("_" + word.replace("-", "_") for word in command.words)
    lines = []
    for option in command.options:
        value = f":{_zsh_text(option.name)}:{_zsh_action(option, command, all_keys)}" if option.kind else ""
        lines += [f"'{flag}[{_zsh_text(option.help)}]{value}'" for flag in option.flags]
    if not command.verbs:
        lines += [
            f"'{'*' if one.many else n}:{_zsh_text(one.help or one.name)}:{_zsh_action(one, command, all_keys)}'"
            for n, one in enumerate(command.positionals, 1)
        ]
        body = "    _arguments " + " \\\n        ".join(lines)
        return f"{name}() {{\n{body}\n}}"
    described = " ".join(f"'{verb}:{_zsh_text(help_text)}'" for verb, help_text in command.verbs)
    body = "    _arguments -C " + " \\\n        ".join([*lines, "'1:command:->verb'", "'*::argument:->rest'"])
    return (
        f"{name}() {{\n    local curcontext=$curcontext state line\n    local -A opt_args\n{body}\n"
        f"    case $state in\n        verb) local -a verbs=({described}); _describe command verbs ;;\n"
        f"        rest) (( $+functions[{name}_${{line[1]//-/_}}] )) && {name}_${{line[1]//-/_}} ;;\n    esac\n}}"
    )


def _zsh_action(argument: Argument, command: Command, all_keys: list[str]) -> str:
    if argument.kind == "file":
        return "_files"
    if argument.kind == "folder":
        return "_files -/"
    words = _words_of(argument, _keys_of(command, all_keys))
    if not words:
        return " "
    if words[0].endswith("="):
        return 'compadd -S "" -- ' + " ".join(words)
    return "(" + " ".join(words) + ")"


def _zsh_text(text: str) -> str:
    for sign in "[]:":
        text = text.replace(sign, "\\" + sign)
    return text.replace("'", "’")


# --- fish: one line for each word ------------------------------------------------------------------------------------

_FISH = """\
# fish completion for vxtray, made by packaging/linux/completions.py.

function __vxtray_at
    # true where the words so far, options left out, are exactly those of a command
    set -l words
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set -a words $word
    end
    test "$words" = "$argv"
end

function __vxtray_in
    # true where they begin with those of a command
    set -l words
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set -a words $word
    end
    test "$words[1..$(count $argv)]" = "$argv"
end

complete -c vxtray -f
"""


def fish(table: list[Command], all_keys: list[str]) -> str:
    """Return the file for fish."""
    lines = []
    for command in table:
        path = _name(command.words)
        here = f"-n '{' '.join(('__vxtray_at', *command.words))}'"
        inside = f"-n '__vxtray_in {path}'" if path else ""
        for verb, help_text in command.verbs:
            lines.append(f"complete -c vxtray {here} -a {verb} -d {_fish_text(help_text)}")
        for option in command.options:
            flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
            value = _fish_value(option, command, all_keys)
            lines.append(f"complete -c vxtray {inside} {flags}{value} -d {_fish_text(option.help)}".replace("  ", " "))
        if not command.verbs:
            for one in command.positionals:
                words = _words_of(one, _keys_of(command, all_keys))
                if one.kind in ("file", "folder"):
                    lines.append(f"complete -c vxtray {inside} -F")
                elif words:
                    lines.append(f"complete -c vxtray {inside} -a '{' '.join(words)}'")
    return _FISH + "\n".join(dict.fromkeys(lines)) + "\n"


def _fish_value(option: Argument, command: Command, all_keys: list[str]) -> str:
    if not option.kind:
        return ""
    if option.kind in ("file", "folder"):
        return " -r -F"
    words = _words_of(option, _keys_of(command, all_keys))
    return f" -x -a '{' '.join(words)}'" if words else " -x"


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def write(folder: Path) -> None:
    """Write the three files."""
    folder.mkdir(parents=True, exist_ok=True)
    table, all_keys = commands(), keys()
    (folder / "vxtray").write_text(bash(table, all_keys), encoding="utf-8")
    (folder / "_vxtray").write_text(zsh(table, all_keys), encoding="utf-8")
    (folder / "vxtray.fish").write_text(fish(table, all_keys), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
