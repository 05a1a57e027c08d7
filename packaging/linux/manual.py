"""The manual page vxtray(1) in English and French: the commands from the program's own parser, the rest from here.

``python packaging/linux/manual.py FOLDER`` writes ``man1/vxtray.1`` and ``fr/man1/vxtray.1``. man(7) macros.
"""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import names
from commands import Argument, Command, commands

#: Headings and what stands below them; a line that begins with "- " opens an entry: term, two colons, text.
_WORDS = {
    "en": {
        "manual": "User commands",
        "name": ("NAME", "security reports and alerts by e-mail"),
        "synopsis": "SYNOPSIS",
        "description": (
            "DESCRIPTION",
            (
                "vxtray reads the logs of a firewall and writes e-mails: a report every day, week or month, and an"
                " alert at once when something serious happens. Without a command it shows its window and stays in the"
                " tray; a second start raises the window. While it runs, commands go to the running program; otherwise"
                " they work on the same files by themselves."
            ),
        ),
        "options": "OPTIONS",
        "commands": "COMMANDS",
        "rest": (
            (
                "EXIT STATUS",
                (
                    ("0", "Done."),
                    ("1", "It failed; the reason is on standard error."),
                    ("2", "The command was wrong."),
                    ("3", "Something must be set up first."),
                ),
            ),
            (
                "FILES",
                (
                    ("~/.config/vxtray/settings.toml", "The settings; they may be edited by hand."),
                    ("~/.local/state/vxtray", "Events, outgoing mails and the log."),
                    (
                        "~/.config/autostart/vxtray.desktop",
                        "The start with the session, made by “vxtray autostart on”.",
                    ),
                    ("/etc/credstore/vxtray.smtp-password", "The password of the system service vxtray.service."),
                ),
            ),
            (
                "ENVIRONMENT",
                (
                    ("CREDENTIALS_DIRECTORY", "Secrets of a service, one file each, as systemd gives them."),
                    ("BROWSER", "What opens the page of a sign-in."),
                    ("LANGUAGE, LC_ALL, LC_MESSAGES, LANG", "English or French, where the settings leave it open."),
                    ("XDG_CONFIG_HOME, XDG_STATE_HOME", "Where settings and state are instead."),
                ),
            ),
            (
                "EXAMPLES",
                (
                    ("vxtray demo --out /tmp/demo", "Shows everything on made events; nothing leaves the machine."),
                    ("vxtray secret set smtp-password", "Reads the password from standard input, into the keyring."),
                    ("vxtray smtp test", "Checks each step of a delivery and sends nothing."),
                    ("vxtray report daily --out /tmp/report", "Writes the last full day’s report as files."),
                ),
            ),
        ),
        "see": ("SEE ALSO", "The guide: page “Help” of the window."),
    },
    "fr": {
        "manual": "Commandes utilisateur",
        "name": ("NOM", "rapports et alertes de sécurité par e-mail"),
        "synopsis": "SYNOPSIS",
        "description": (
            "DESCRIPTION",
            (
                "vxtray lit les journaux d’un pare-feu et écrit des e-mails : un rapport chaque jour, chaque semaine ou"
                " chaque mois, et une alerte dès qu’il se passe quelque chose de grave. Sans commande, il montre sa"
                " fenêtre et reste dans la zone de notification ; un second lancement ramène la fenêtre. Pendant qu’il"
                " tourne, les commandes vont au programme lancé ; sinon, elles travaillent elles-mêmes sur les mêmes"
                " fichiers."
            ),
        ),
        "options": "OPTIONS",
        "commands": "COMMANDES",
        "rest": (
            (
                "CODE DE RETOUR",
                (
                    ("0", "C’est fait."),
                    ("1", "Échec ; la raison est sur la sortie d’erreur."),
                    ("2", "La commande était fausse."),
                    ("3", "Quelque chose doit d’abord être réglé."),
                ),
            ),
            (
                "FICHIERS",
                (
                    ("~/.config/vxtray/settings.toml", "Les réglages ; on peut les modifier à la main."),
                    ("~/.local/state/vxtray", "Les événements, les e-mails à envoyer et le journal."),
                    (
                        "~/.config/autostart/vxtray.desktop",
                        "Le démarrage avec la session, créé par « vxtray autostart on ».",
                    ),
                    ("/etc/credstore/vxtray.smtp-password", "Le mot de passe du service système vxtray.service."),
                ),
            ),
            (
                "ENVIRONNEMENT",
                (
                    (
                        "CREDENTIALS_DIRECTORY",
                        "Les secrets d’un service, un fichier chacun, tels que systemd les donne.",
                    ),
                    ("BROWSER", "Ce qui ouvre la page d’une connexion."),
                    ("LANGUAGE, LC_ALL, LC_MESSAGES, LANG", "Anglais ou français, là où les réglages ne disent rien."),
                    ("XDG_CONFIG_HOME, XDG_STATE_HOME", "Où se trouvent sinon les réglages et l’état."),
                ),
            ),
            (
                "EXEMPLES",
                (
                    (
                        "vxtray demo --out /tmp/demo",
                        "Montre tout sur des événements fabriqués ; rien ne quitte la machine.",
                    ),
                    (
                        "vxtray secret set smtp-password",
                        "Lit le mot de passe sur l’entrée standard, vers le trousseau.",
                    ),
                    ("vxtray smtp test", "Vérifie chaque étape d’un envoi et n’envoie rien."),
                    ("vxtray report daily --out /tmp/report", "Écrit en fichiers le rapport du dernier jour complet."),
                ),
            ),
        ),
        "see": ("VOIR AUSSI", "Le guide : page « Aide » de la fenêtre."),
    },
}


def roff(text: str) -> str:
    """Return a text as roff reads it literally; dashes are those that can be copied into a shell."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    for sign, escaped in (("’", "\\(cq"), ("'", "\\(aq"), ("…", "...")):
        text = text.replace(sign, escaped)
    return "\\&" + text if text.startswith((".", "\\(aq")) else text


def _bold(text: str) -> str:
    return f"\\fB{roff(text)}\\fR"


def _option(one: Argument) -> str:
    value = f" \\fI{roff(one.shown)}\\fR" if one.shown else ""
    return ", ".join(_bold(flag) for flag in one.flags) + value


def _usage(command: Command) -> str:
    """Return how a command is written: its words, then what it wants."""
    parts = [_bold(word) for word in command.words]
    parts += [f"\\fI{roff(one.shown)}\\fR" + (" ..." if one.many else "") for one in command.positionals]
    return " ".join(parts)


def page(language: str, day: str) -> str:
    """Return the page in "en" or "fr"; ``day`` is its date."""
    words = _WORDS[language]
    table = commands(language)
    program, *others = table
    lines = [
        f'.TH VXTRAY 1 {day} "vxtray {names.version()}" "{words["manual"]}"',
        f".SH {words['name'][0]}",
        f"vxtray \\- {roff(words['name'][1])}",
        f".SH {words['synopsis']}",
        "\\fBvxtray\\fR [\\fIOPTION\\fR ...] [\\fICOMMAND\\fR ...]"
        if language == "en"
        else "\\fBvxtray\\fR [\\fIOPTION\\fR ...] [\\fICOMMANDE\\fR ...]",
        f".SH {words['description'][0]}",
        roff(words["description"][1]),
        f".SH {words['options']}",
    ]
    for one in program.options:
        lines += [".TP", _option(one), roff(one.help)]
    lines.append(f".SH {words['commands']}")
    for command in others:
        if command.verbs and not any("--json" in one.flags for one in command.options):
            continue  # only a name for those below it
        lines += [".TP", _usage(command), roff(_sentence(command.help))]
        for one in command.options:
            if one.flags[-1] not in ("--help", "--json"):
                lines += [".RS", ".TP", _option(one), roff(one.help) or "\\&", ".RE"]
    for heading, entries in words["rest"]:
        lines.append(f".SH {heading}")
        for term, text in entries:
            lines += [".TP", _bold(term), roff(text)]
    lines += [f".SH {words['see'][0]}", roff(words["see"][1])]
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def write(folder: Path) -> None:
    """Write both pages below a folder."""
    moment = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), UTC)
    for language, place in (("en", folder / "man1"), ("fr", folder / "fr" / "man1")):
        place.mkdir(parents=True, exist_ok=True)
        (place / "vxtray.1").write_text(page(language, f"{moment:%Y-%m-%d}"), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
