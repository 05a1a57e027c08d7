"""What is shipped with the program and under which licence, read from the metadata of the installed packages.

Any thread; reads small files, so call it off the window's thread. A frozen bundle needs the packages' ``dist-info``
folders (PyInstaller's ``copy_metadata("vxtray", recursive=True)``); ``third_party`` is the text of its ``THIRD-PARTY``.
"""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import msgspec

from vxtray.core.errors import N_
from vxtray.core.paths import resource

#: How a person replaces Qt (LGPL-3.0, section 4d): it is shipped as libraries of its own, never linked in.
QT_NOTE = N_(
    "Qt and PySide6 are used under the GNU Lesser General Public License, version 3. They are shipped as libraries of"
    " their own: you may replace the files of the folder PySide6 (and shiboken6) beside the program, or the package"
    " PySide6-Essentials of a Python environment, by another build of the same version. Their source is published by"
    " The Qt Company at download.qt.io and code.qt.io."
)
_LGPL = frozenset({"pyside6-essentials", "shiboken6", "pyside6"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LICENCE_FILE = re.compile(r"(?i)(licen[cs]e|copying|notice)[^/]*$")
_CLASSIFIERS = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
}
_RULE = "=" * 100


class Component(msgspec.Struct, frozen=True):
    """Something that is shipped. ``licence`` is its SPDX expression; ``note`` a message id, mostly empty."""

    name: str
    version: str
    licence: str
    homepage: str
    text: str
    note: str = ""


def components() -> list[Component]:
    """Return the program, the packages that it needs here and the packages that those need, and what is no package.

    By name, the program first. Extras (``dev``) are no part of what is shipped. Where the program's own metadata is
    missing (a source tree that was never installed), all packages of the environment count.
    """
    found = [_package(one) for one in _distributions()]
    found = [one for one in found if _key(one.name) != "vxtray"]
    found += [_python(), _font()]
    found.sort(key=lambda one: one.name.casefold())
    return [_own(), *found]


def third_party() -> str:
    """Return names, versions, licences and their texts as one file in English, the program itself left out."""
    parts = []
    for one in components()[1:]:
        head = f"{one.name} {one.version}".strip()
        about = "\n".join(filter(None, (_RULE, head, f"Licence: {one.licence}", one.homepage, one.note)))
        parts.append(f"{about}\n\n{one.text.strip()}")
    return "What is shipped with vxtray, and under which licences.\n\n" + "\n\n".join(parts) + "\n"


def _distributions() -> Iterator[metadata.Distribution]:
    """Yield what the program's metadata asks for and what is installed of it, each once."""
    try:
        metadata.distribution("vxtray")
    except metadata.PackageNotFoundError:
        seen = {_key(one.name): one for one in metadata.distributions()}
        yield from seen.values()
        return
    waiting, done = ["vxtray"], set()
    while waiting:
        name = waiting.pop()
        if _key(name) in done:
            continue
        done.add(_key(name))
        try:
            one = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of another platform, or of an older Python
            continue
        yield one
        wanted = (line for line in one.requires or () if "extra ==" not in line)
        waiting += [match[0] for line in wanted if (match := _NAME.match(line))]


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(one: metadata.Distribution) -> Component:
    about = one.metadata
    lgpl = _key(one.name) in _LGPL
    return Component(
        name=one.name,
        version=one.version,
        licence="LGPL-3.0-only" if lgpl else _licence(about),
        homepage=_homepage(about),
        text=_shipped_text("LGPL-3.0.txt", "GPL-3.0.txt") if lgpl else _text(one),
        note=QT_NOTE if lgpl else "",
    )


def _licence(about: metadata.PackageMetadata) -> str:
    said = about.get_all("License-Expression") or about.get_all("License") or []
    short = next((line for line in said if line and "\n" not in line and len(line) < 80), "")
    classified = [
        one.rpartition(" :: ")[2] for one in about.get_all("Classifier") or () if one.startswith("License ::")
    ]
    known = " OR ".join(dict.fromkeys(_CLASSIFIERS[one] for one in classified if one in _CLASSIFIERS))
    return short or known or ", ".join(classified)


def _homepage(about: metadata.PackageMetadata) -> str:
    links = dict(line.partition(", ")[::2] for line in about.get_all("Project-URL") or ())
    named = {name.casefold(): url for name, url in links.items()}
    wanted = (named.get(name, "") for name in ("source", "source code", "repository", "homepage", "github"))
    return next(filter(None, (*wanted, *(about.get_all("Home-page") or ()), *links.values())), "")


def _text(one: metadata.Distribution) -> str:
    """Return the licence files that the package brought, one after the other."""
    folder = _folder(one)
    if folder is None:
        return ""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and _LICENCE_FILE.search(path.name))
    return "\n\n".join(path.read_text("utf-8", errors="replace").strip() for path in found)


def _folder(one: metadata.Distribution) -> Path | None:
    """Return the ``dist-info`` folder. Not by the list of files: a bundle's copy has the folder and not the list."""
    place = getattr(one, "_path", None)
    return place if isinstance(place, Path) and place.is_dir() else None


def _own() -> Component:
    from vxtray import __version__

    return Component(name="vxtray", version=__version__, licence="MIT", homepage="", text=_own_text())


def _own_text() -> str:
    try:
        one = metadata.distribution("vxtray")
    except metadata.PackageNotFoundError:
        return ""
    return _text(one)


def _python() -> Component:
    version = sys.version.split()[0]
    text = _shipped_text("PSF-2.0.txt")
    return Component("Python", version, "PSF-2.0", "https://www.python.org", text or sys.copyright)


def _font() -> Component:
    text = resource("report/OFL.txt").read_text("utf-8")
    return Component("Inter", "3.19", "OFL-1.1", "https://rsms.me/inter/", text)


def _shipped_text(*names: str) -> str:
    return "\n\n".join(resource(f"licences/{name}").read_text("utf-8") for name in names)
