"""From PyInstaller's folder to what people on Linux get: a tarball that runs anywhere, and a Debian package.

``python packaging/linux/assemble.py BUNDLE OUT``: run by ``packaging/build.sh`` in the environment of the build, so
that the parser (manual page, completion) and the licences are those of what was bundled. Needs dpkg-dev, chrpath, xz.
Both have the same tree below ``usr``; in the Debian package the libraries that Debian has come from Debian, with its
security updates, instead of from the bundle.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import completions  # noqa: E402
import icons  # noqa: E402
import manual  # noqa: E402
import names  # noqa: E402

MAINTAINER = "vxtray contributors <vxtray@users.noreply.github.com>"

#: Stays in the Debian package although Debian has it: other releases of Debian and Ubuntu have another one of it.
KEPT = (
    "libpython",
    "libmpdec",
    "libreadline",
    "libncurses",
    "libtinfo",
    "libicu",
    "libQt6",
    "libpyside6",
    "libshiboken6",
)

#: What the dependencies below do not say, since nothing links it: fonts, the keyring and the tray are the desktop's.
EXTRA_DEPENDS = ("adduser", "fonts-dejavu-core | fonts-noto-core | fonts-freefont-ttf")
RECOMMENDS = ("gnome-keyring | kwalletmanager | keepassxc", "dbus-user-session | dbus-x11", "xdg-utils")
SUGGESTS = ("gnome-shell-extension-appindicator",)


def epoch() -> int:
    """Return the moment that files bear, s since 1970: given, or now."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a program and return what it printed; its complaints are shown."""
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def is_elf(path: Path) -> bool:
    """Tell programs and libraries from other files."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def elves(folder: Path) -> list[Path]:
    """Return the programs and libraries below a folder, links left out."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return [path for path in found if is_elf(path)]


# --- the tree --------------------------------------------------------------------------------------------------------


def tree(bundle: Path, usr: Path, work: Path) -> None:
    """Lay out the bundle and everything around it below ``usr`` (a prefix such as /usr or ~/.local)."""
    shutil.copytree(bundle, usr / "lib" / "vxtray", symlinks=True)
    (usr / "bin").mkdir()
    (usr / "bin" / "vxtray").symlink_to("../lib/vxtray/vxtray")
    without_foreign_search_paths(usr / "lib" / "vxtray")
    share = usr / "share"
    put(HERE / "vxtray.desktop", share / "applications" / "vxtray.desktop")
    text = (HERE / "org.vxtray.vxtray.metainfo.xml").read_text("utf-8")
    day = datetime.fromtimestamp(epoch(), UTC)
    text = text.replace("@VERSION@", names.version()).replace("@DATE@", f"{day:%Y-%m-%d}")
    write(share / "metainfo" / f"{names.APPLICATION_ID}.metainfo.xml", text)
    shutil.copytree(icons.write(work / "icons") / "hicolor", share / "icons" / "hicolor")
    manual.write(work / "man")
    for path in sorted((work / "man").rglob("*.1")):
        zipped(path.read_bytes(), share / "man" / path.relative_to(work / "man").with_suffix(".1.gz"))
    completions.write(work / "completions")
    put(work / "completions" / "vxtray", share / "bash-completion" / "completions" / "vxtray")
    put(work / "completions" / "_vxtray", share / "zsh" / "vendor-completions" / "_vxtray")
    put(work / "completions" / "vxtray.fish", share / "fish" / "vendor_completions.d" / "vxtray.fish")
    put(HERE / "vxtray-user.service", usr / "lib" / "systemd" / "user" / "vxtray.service")


def put(source: Path, place: Path) -> None:
    """Copy one file."""
    write(place, source.read_text("utf-8"))


def write(place: Path, text: str, mode: int = 0o644) -> None:
    """Write one text file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    place.chmod(mode)


def zipped(data: bytes, place: Path) -> None:
    """Write one compressed file, the same for the same data."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(gzip.compress(data, 9, mtime=0))


def without_foreign_search_paths(folder: Path) -> None:
    """Take out search paths of the machine that built a library: they name folders that are not there, or another's."""
    for path in elves(folder):
        said = run("readelf", "--dynamic", "--wide", str(path))
        for found in re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", said):
            if not all(part.startswith("$ORIGIN") for part in found.split(":")):
                subprocess.run(["chrpath", "--delete", str(path)], check=True, stdout=subprocess.DEVNULL)


def plain_modes(root: Path) -> None:
    """Let everyone read and nobody else write; programs and shared programs keep that they may be started."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            program = path.is_dir() or (
                path.name in ("vxtray", "postinst", "prerm", "postrm") and path.stat().st_mode & 0o100
            )
            path.chmod(0o755 if program else 0o644)
        os.utime(path, (epoch(), epoch()), follow_symlinks=False)


# --- licences --------------------------------------------------------------------------------------------------------


def system_libraries(folder: Path) -> dict[Path, str]:
    """Return the bundled libraries that came from packages of this system, each with the package's name."""
    found = [
        path
        for path in sorted((folder / "_internal").glob("lib*.so*"))
        if not path.is_symlink() and not path.name.startswith(KEPT)
    ]
    listed: dict[str, str] = {}
    for line in run("dpkg-query", "--search", *(f"*/{path.name}" for path in found)).splitlines() if found else ():
        package, _colon, file = line.partition(": ")
        listed[Path(file).name] = package.split(",")[0].partition(":")[0]
    return {path: listed[path.name] for path in found if path.name in listed}


def third_party(of_system: set[str]) -> str:
    """Return the licences of all that is bundled: Python's packages, then Debian's libraries."""
    from vxtray.core.licences import third_party as of_packages

    parts = [of_packages()]
    for package in sorted(of_system):
        place = Path("/usr/share/doc") / package / "copyright"
        if place.exists():
            parts.append(f"{'=' * 100}\n{package} (Debian)\n\n{place.read_text('utf-8', errors='replace').strip()}\n")
    return "\n".join(parts)


# --- the tarball -----------------------------------------------------------------------------------------------------

README = """\
vxtray {version} for Linux (x86-64, glibc {glibc} or newer)

In place:                  bin/vxtray
For you:                   cp -a bin lib share ~/.local/
Away again:                vxtray quit; vxtray autostart off; then
                           rm -r ~/.local/lib/vxtray ~/.local/bin/vxtray and vxtray's files in ~/.local/share
Start with the session:    vxtray autostart on

The licences of what is inside: THIRD-PARTY.txt, and the page "Help" of the window.
"""


def tarball(usr: Path, out: Path) -> Path:
    """Pack the tree, files in order and with one date, so that the same tree gives the same archive."""
    name = f"vxtray-{names.version()}-linux-{os.uname().machine}"
    root = usr.parent / name
    usr.rename(root)
    libraries = system_libraries(root / "lib" / "vxtray")
    write(root / "THIRD-PARTY.txt", third_party(set(libraries.values())))
    shutil.copyfile(names.ROOT / "LICENSE", root / "LICENSE")
    glibc = os.confstr("CS_GNU_LIBC_VERSION").split()[-1]
    write(root / "README.txt", README.format(version=names.version(), glibc=glibc))
    plain_modes(root)
    place = out / f"{name}.tar.xz"
    same = ["--sort=name", f"--mtime=@{epoch()}", "--owner=0", "--group=0", "--numeric-owner", "--format=posix"]
    same += ["--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"]
    run("tar", *same, "-I", "xz -6 -T2", "-C", str(root.parent), "-cf", str(place), name)
    root.rename(usr)
    for extra in ("THIRD-PARTY.txt", "LICENSE", "README.txt"):
        (usr / extra).unlink()
    return place


# --- the Debian package ----------------------------------------------------------------------------------------------


def control(depends: str, size: int, architecture: str) -> str:
    """Return the package's description; ``size`` is in KiB."""
    fields = {
        "Package": "vxtray",
        "Version": f"{names.version()}-1",
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size),
        "Depends": ", ".join([depends, *EXTRA_DEPENDS]),
        "Recommends": ", ".join(RECOMMENDS),
        "Suggests": ", ".join(SUGGESTS),
        "Section": "net",
        "Priority": "optional",
        "Description": names.SUMMARY.lower()[:1] + names.SUMMARY[1:],
    }
    paragraphs = (
        (
            "vxtray sits in the tray, reads the logs of a firewall, and writes e-mails: a report every day, week or"
            " month, and an alert at once when something serious happens."
        ),
        (
            "It reads Sophos firewalls, Fail2Ban, ModSecurity, Suricata, CrowdSec and CEF, by syslog, from files that"
            " it follows, or from old logs that it imports. “vxtray serve” does the same work without a screen."
        ),
        "Python, Qt and the other libraries that Debian lacks, or has in other versions, are inside.",
    )
    text = "\n .\n".join(textwrap.fill(one, 76, initial_indent=" ", subsequent_indent=" ") for one in paragraphs)
    return "".join(f"{key}: {value}\n" for key, value in fields.items()) + text + "\n"


def dependencies(root: Path, work: Path) -> str:
    """Return what Debian's libraries the bundle needs, with versions, as dpkg-shlibdeps finds out."""
    (work / "shlibs" / "debian").mkdir(parents=True, exist_ok=True)
    write(work / "shlibs" / "debian" / "control", "Source: vxtray\n\nPackage: vxtray\nArchitecture: any\n")
    inside = root / "usr" / "lib" / "vxtray"
    files = elves(inside)
    places = sorted({str(path.parent) for path in files})
    found = run(
        "dpkg-shlibdeps",
        "-O",
        "--ignore-missing-info",
        "--warnings=0",
        *(f"-l{place}" for place in places),
        *(f"-e{path}" for path in files),
        cwd=work / "shlibs",
    )
    return found.strip().removeprefix("shlibs:Depends=")


def copyright_file() -> str:
    """Return the machine-readable copyright file; the texts of what is inside stand beside it."""
    head = (HERE / "debian" / "copyright").read_text("utf-8")
    licence = (names.ROOT / "LICENSE").read_text("utf-8").split("\n\n", 2)[2]
    body = "\n".join(f" {line}" if line else " ." for line in licence.strip().splitlines())
    return f"{head.rstrip()}\n\nLicense: Expat\n{body}\n"


def debian(root: Path, work: Path, out: Path) -> Path:
    """Turn the tree into a package; ``root`` holds ``usr``."""
    usr, version = root / "usr", names.version()
    for library in system_libraries(usr / "lib" / "vxtray"):
        library.unlink()
    put(HERE / "vxtray.service", usr / "lib" / "systemd" / "system" / "vxtray.service")
    documents = usr / "share" / "doc" / "vxtray"
    write(documents / "copyright", copyright_file())
    zipped(third_party(set()).encode(), documents / "THIRD-PARTY.txt.gz")
    zipped((names.ROOT / "CHANGELOG.md").read_bytes(), documents / "changelog.gz")
    moment = format_datetime(datetime.fromtimestamp(epoch(), UTC))
    change = f"vxtray ({version}-1) unstable; urgency=medium\n\n  * Version {version}; see changelog.gz.\n\n"
    zipped(f"{change} -- {MAINTAINER}  {moment}\n".encode(), documents / "changelog.Debian.gz")
    put(HERE / "debian" / "lintian-overrides", usr / "share" / "lintian" / "overrides" / "vxtray")
    (root / "DEBIAN").mkdir()  # by which dpkg-shlibdeps knows where the package's tree begins
    depends = dependencies(root, work)
    architecture = run("dpkg", "--print-architecture").strip()
    size = sum(1 + path.lstat().st_size // 1024 for path in usr.rglob("*") if path.is_file() or path.is_symlink())
    for script in ("postinst", "prerm", "postrm"):
        write(root / "DEBIAN" / script, (HERE / "debian" / script).read_text("utf-8"), 0o755)
    write(root / "DEBIAN" / "control", control(depends, size, architecture))
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in sorted(usr.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
    write(root / "DEBIAN" / "md5sums", "".join(sums))
    plain_modes(root)
    place = out / f"vxtray_{version}-1_{architecture}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(place))
    return place


def main(bundle: Path, out: Path) -> None:
    """Make both below ``out``."""
    work = names.ROOT / "build" / "linux"
    shutil.rmtree(work, ignore_errors=True)
    root = work / "root"
    tree(bundle, root / "usr", work)
    for place in (tarball(root / "usr", out), debian(root, work, out)):
        print(
            f"{place.relative_to(names.ROOT) if place.is_relative_to(names.ROOT) else place}: "
            f"{place.stat().st_size / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
