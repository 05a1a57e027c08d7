"""Writes the guide's page of errors from the program's own texts, in each language.

    .venv/bin/python packaging/guide.py          # writes resources/docs/<language>/errors.md
    .venv/bin/python packaging/guide.py check    # exit status 1 where a page is not up to date

Run it after a text of an error or of a server's reply, or its French, has changed. The texts are found in the sources,
where they are marked: titles and advice of the error classes, what raises them with words of its own, and what is known
of the replies of mail servers. A command that was only called wrongly explains itself and has no entry.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).absolute().parents[1]
sys.path.insert(0, str(ROOT))

from vxtray.core.guide import heading_of  # noqa: E402
from vxtray.core.mail.oauth.endpoints import REDIRECT_URI_TO_REGISTER  # noqa: E402
from vxtray.core.texts import LANGUAGES, translate  # noqa: E402

#: What explains itself at once: words on the command line, and fields of a form.
_LEFT_OUT = frozenset({"UsageError", "SettingsInvalid"})
#: Where no message of the engine stands.
_NOT_THERE = frozenset({"gui", "demo.py"})
#: Besides the error classes, what is called with a title and an advice.
_ALSO = frozenset({"Explanation", "_Words", "refused", "refused_here"})
#: Modules whose pairs of marked texts are titles and advices.
_PAIRS = ("core/mail/diagnosis.py", "core/mail/replies/__init__.py")


class Group(NamedTuple):
    """A part of the page: its heading and what it says first, by language."""

    key: str
    heading: dict[str, str]
    intro: dict[str, str]


GROUPS = (
    Group(
        "reaching",
        {"en": "Reaching the mail server", "fr": "Joindre le serveur de messagerie"},
        {
            "en": "*Test connection* shows which step fails. Ports: [The mail"
            " server](mail-server.md#starttls-and-tls).",
            "fr": "*Tester la connexion* montre quelle étape échoue. Les ports : [Le serveur de"
            " messagerie](mail-server.md#starttls-et-tls).",
        },
    ),
    Group(
        "password",
        {"en": "Signing in to the mail server", "fr": "S’identifier auprès du serveur de messagerie"},
        {
            "en": "See also [The password is right and yet refused](trouble.md#the-password-is-right-and-yet-refused).",
            "fr": "Voir aussi [Le mot de passe est juste et pourtant"
            " refusé](trouble.md#le-mot-de-passe-est-juste-et-pourtant-refusé).",
        },
    ),
    Group(
        "provider",
        {"en": "Microsoft, Google and other providers", "fr": "Microsoft, Google et les autres fournisseurs"},
        {
            "en": "Registering and signing in: [Microsoft 365, Outlook.com, Google](microsoft-google.md).",
            "fr": "Inscription et connexion : [Microsoft 365, Outlook.com, Google](microsoft-google.md).",
        },
    ),
    Group(
        "limits",
        {"en": "Load and limits of the mail server", "fr": "Charge et limites du serveur de messagerie"},
        {
            "en": "These pass by themselves: vxtray waits and goes on.",
            "fr": "Cela passe tout seul : vxtray attend et continue.",
        },
    ),
    Group(
        "sender",
        {"en": "Sender", "fr": "L’expéditeur"},
        {
            "en": "The sender's address must be one that the account may use.",
            "fr": "L’adresse de l’expéditeur doit être de celles que le compte peut utiliser.",
        },
    ),
    Group(
        "recipient",
        {"en": "Recipients", "fr": "Les destinataires"},
        {
            "en": "The others get the mail all the same.",
            "fr": "Les autres reçoivent quand même l’e-mail.",
        },
    ),
    Group(
        "mail",
        {"en": "The mail itself", "fr": "L’e-mail lui-même"},
        {
            "en": "The mail is kept and can be sent again from the page *History*.",
            "fr": "L’e-mail est gardé et peut être renvoyé depuis la page *Historique*.",
        },
    ),
    Group(
        "keyring",
        {"en": "Keyring and passwords", "fr": "Le trousseau et les mots de passe"},
        {
            "en": "Without a keyring: [Passwords without a keyring](server.md#passwords-without-a-keyring).",
            "fr": "Sans trousseau : [Des mots de passe sans trousseau](server.md#des-mots-de-passe-sans-trousseau).",
        },
    ),
    Group(
        "sources",
        {"en": "Sources of events", "fr": "Les sources d’événements"},
        {
            "en": "The page *Sources* says it beside the source. Help: [A Sophos firewall](sophos.md), [Other"
            " sources](sources.md), [VIGILANCE X](vigilance-x.md).",
            "fr": "La page *Sources* le dit à côté de la source. Pour vous aider : [Un pare-feu Sophos](sophos.md),"
            " [Autres sources](sources.md), [VIGILANCE X](vigilance-x.md).",
        },
    ),
    Group(
        "store",
        {"en": "Stored events and mails", "fr": "Les événements et les e-mails enregistrés"},
        {
            "en": "Where the files are: [Backup](backup.md#where-things-are).",
            "fr": "Où sont les fichiers : [Sauvegarder](backup.md#où-sont-les-choses).",
        },
    ),
    Group(
        "settings",
        {"en": "Settings and files", "fr": "Les réglages et les fichiers"},
        {
            "en": "What worked stays in force until the fault is mended.",
            "fr": "Ce qui marchait reste en vigueur jusqu’à la réparation.",
        },
    ),
    Group(
        "program",
        {"en": "The program, its reports and alerts", "fr": "Le programme, ses rapports et ses alertes"},
        {
            "en": "The page *Help & diagnostics* shows the log.",
            "fr": "La page *Aide et diagnostic* montre le journal.",
        },
    ),
)

_TITLE = {"en": "Every error and what to do", "fr": "Chaque erreur et que faire"}
_INTRO = {
    "en": "The messages of vxtray, each with what helps; “…” stands for a name, a number or a reason. The window opens"
    " this page at the right place with *Help on this error*; in the search a few words of the message are enough.",
    "fr": "Les messages de vxtray, chacun avec ce qui aide ; « … » remplace un nom, un nombre ou une raison. La fenêtre"
    " ouvre cette page au bon endroit avec *Aide sur cette erreur* ; dans la recherche, quelques mots du message"
    " suffisent.",
}
_NO_ADVICE = {
    "en": "The rest of the message names the cause; the log holds the details.",
    "fr": "La suite du message nomme la cause ; le journal a les détails.",
}

#: First fit: a class of errors, or where the text stands; a part of ``causes.py`` by its own heading.
_BY_CLASS = (
    (("CredentialError", "KeyringMissing", "KeyringLocked", "KeyringRefused", "CredentialReadOnly"), "keyring"),
    (
        ("SignInRefused", "SignInUnreachable", "SignInCancelled", "NotSignedIn", "BrowserMissing", "WrongAccount"),
        "provider",
    ),
    (("AuthError",), "password"),
    (("SenderRefused",), "sender"),
    (("RecipientsRefused",), "recipient"),
    (("MessageRefused", "MailError"), "mail"),
    (("ConnectError", "TlsError", "ProtocolError", "LookupFault"), "reaching"),
    (("StoreError", "StoreBusy", "StoreFull", "StoreDamaged"), "store"),
    (("SourceError", "PortTaken", "LogFileError", "ServerAway", "Unlicensed", "PathFailed"), "sources"),
    (
        ("SettingsError", "SettingsBroken", "SettingsInvalid", "SettingsNotSaved", "FileError", "FileNotWritten"),
        "settings",
    ),
)
_BY_PLACE = (
    ("core/mail/oauth/", "provider"),
    ("core/mail/replies/signed_in.py", "provider"),
    ("core/mail/replies/microsoft.py", "provider"),
    ("core/mail/replies/google.py", "provider"),
    ("core/mail/replies/providers.py", "provider"),
    ("core/credentials.py", "keyring"),
    ("core/sources/", "sources"),
    ("core/intake.py", "sources"),
    ("core/watching.py", "program"),
    ("core/store/", "store"),
    ("core/mail/replies/__init__.py", "mail"),
    ("core/mail/", "reaching"),
    ("core/postroom.py", "mail"),
)
_BY_HEADING = {
    "sign-in": "password",
    "encryption, our name, our address": "reaching",
    "load and limits": "limits",
    "sender": "sender",
    "recipient": "recipient",
    "the mail": "mail",
}


class Message(NamedTuple):
    """A title and its advice as message ids (the advice may be empty), and the key of its group."""

    title: str
    advice: str
    group: str


@cache
def messages() -> list[Message]:
    """Return every message of an error, each once, in the order of the groups and of the sources."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in _sources()}
    _KNOWN.update(_explanations(trees.values()))
    classes = _error_classes(trees)
    found: dict[tuple[str, str], Message] = {}
    for path, tree in trees.items():
        place = path.relative_to(ROOT / "vxtray").as_posix()
        for one in (*_of_classes(tree, place), *_of_calls(tree, place, classes, path)):
            found.setdefault((heading_of(one.title), one.advice), one)
    order = [group.key for group in GROUPS]
    return sorted(found.values(), key=lambda one: order.index(one.group))


def _sources() -> Iterator[Path]:
    for path in sorted((ROOT / "vxtray").rglob("*.py")):
        if path.relative_to(ROOT / "vxtray").parts[0] not in _NOT_THERE:
            yield path


def _error_classes(trees: dict[Path, ast.Module]) -> set[str]:
    """Return the names of the classes below ``VxtrayError``."""
    below: dict[str, list[str]] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                below[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
    known = {"VxtrayError"}
    while more := {name for name, bases in below.items() if name not in known and known & set(bases)}:
        known |= more
    return known


def _of_classes(tree: ast.Module, place: str) -> Iterator[Message]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        texts = {}
        for step in node.body:
            target = step.targets[0] if isinstance(step, ast.Assign) else getattr(step, "target", None)
            if isinstance(target, ast.Name) and (text := _marked(getattr(step, "value", None), {})):
                texts[target.id] = text
        if "title" in texts:
            yield Message(texts["title"], texts.get("advice", ""), _group(node.name, place, ""))


def _of_calls(tree: ast.Module, place: str, classes: set[str], path: Path) -> Iterator[Message]:
    names = _constants(tree)
    headings = _headings(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            words = [_marked(one, names) for one in node.args[:2]]
            wanted = (called in classes and called not in _LEFT_OUT) or called in _ALSO
        elif isinstance(node, ast.Tuple) and place in _PAIRS and len(node.elts) == 2:
            called, words, wanted = "", [_marked(one, names) for one in node.elts], True
            wanted = all(words)
        else:
            continue
        if wanted and words and words[0]:
            heading = next((text for line, text in reversed(headings) if line < node.lineno), "")
            yield Message(words[0], words[1] if len(words) > 1 else "", _group(called, place, heading))


def _constants(tree: ast.Module) -> dict[str, str]:
    found = {}
    for step in tree.body:
        if isinstance(step, ast.Assign) and isinstance(step.targets[0], ast.Name) and (text := _marked(step.value, {})):
            found[step.targets[0].id] = text
    return found


def _explanations(trees: Iterable[ast.Module]) -> dict[tuple[str, str], str]:
    """Return what ``NAME.title`` and ``NAME.advice`` of an explanation say, by name and attribute."""
    found = {}
    for step in (step for tree in trees for step in tree.body):
        if not (
            isinstance(step, ast.Assign) and isinstance(step.value, ast.Call) and isinstance(step.targets[0], ast.Name)
        ):
            continue
        if getattr(step.value.func, "id", "") == "Explanation":
            for attribute, node in zip(("title", "advice"), step.value.args, strict=False):
                found[step.targets[0].id, attribute] = _marked(node, {})
    return found


#: Filled by ``messages``.
_KNOWN: dict[tuple[str, str], str] = {}


def _headings(path: Path) -> list[tuple[int, str]]:
    lines = path.read_text("utf-8").splitlines()
    found = ((number, re.match(r"# --- (.+?) -+$", line)) for number, line in enumerate(lines, 1))
    return [(number, match[1]) for number, match in found if match]


def _marked(node: ast.expr | None, names: dict[str, str]) -> str:
    """Return the text of ``N_("...")``, also by the name of a constant; empty for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        return _KNOWN.get((getattr(node.value, "attr", getattr(node.value, "id", "")), node.attr), "")
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "N_":
        return str(ast.literal_eval(node.args[0]))
    return ""


def _group(name: str, place: str, heading: str) -> str:
    if place == "core/mail/replies/causes.py":
        return _BY_HEADING[heading]
    for names, group in _BY_CLASS:
        if name in names and not place.startswith(("core/mail/oauth/", "cli/sign_in")):
            return group
    return next((group for start, group in _BY_PLACE if place.startswith(start)), "program")


def page(language: str) -> str:
    """Return the page in a language."""
    parts = [f"# {_TITLE[language]}", _spaced(_INTRO[language], language)]
    seen: set[str] = set()
    every = messages()
    advices_of: dict[str, dict[str, None]] = defaultdict(dict)
    for one in every:
        advices_of[heading_of(one.title)][one.advice] = None
    for group in GROUPS:
        parts += [f"## {group.heading[language]}", _spaced(group.intro[language], language)]
        for title in dict.fromkeys(one.title for one in every if one.group == group.key):
            heading = heading_of(translate(title, language))
            if heading_of(title) in seen:
                continue
            seen.add(heading_of(title))
            advices = advices_of[heading_of(title)]
            words = [_shown(translate(advice, language)) for advice in advices if advice]
            parts += [f"### {_shown(heading)}", "\n\n".join(words) or _spaced(_NO_ADVICE[language], language)]
    return "\n\n".join(parts) + "\n"


def _shown(text: str) -> str:
    """Return a message for Markdown: its values as “…”."""
    filled = text.replace("{redirect_uri}", REDIRECT_URI_TO_REGISTER)
    return re.sub(r"\{\w+\}", "…", filled).replace("*", r"\*").replace("<", r"\<")


def _spaced(text: str, language: str) -> str:
    """Put French's no-break spaces where they belong."""
    if language != "fr":
        return text
    text = re.sub(r" ([;!?])", "\N{NARROW NO-BREAK SPACE}\\1", text).replace(" :", "\N{NO-BREAK SPACE}:")
    return text.replace("« ", "«\N{NO-BREAK SPACE}").replace(" »", "\N{NO-BREAK SPACE}»")


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    stale = []
    for language in LANGUAGES:
        target = ROOT / f"resources/docs/{language}/errors.md"
        wanted = page(language)
        if target.exists() and target.read_text("utf-8") == wanted:
            continue
        stale.append(target)
        if arguments != ["check"]:
            target.write_text(wanted, "utf-8")
            print(target.relative_to(ROOT))
    if arguments == ["check"] and stale:
        print("not up to date; run packaging/guide.py:", *stale, sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
