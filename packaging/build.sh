#!/bin/sh
# Everything that people on Linux install, by one command, from any folder: sh packaging/build.sh
# makes dist/vxtray (the bundle), the tarball, the Debian package, the wheel and the sdist, and checks their papers.
# The environment is its own (build/venv). As root on Debian it installs the tools that are missing.
# SOURCE_DATE_EPOCH names another date for the files than that of the last commit.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
. packaging/common.sh

BUILD_NEEDS="
bin:strip:binutils
bin:chrpath:chrpath
bin:dpkg-shlibdeps:dpkg-dev
bin:xz:xz-utils
"
CHECK_NEEDS="
bin:lintian:lintian
bin:desktop-file-validate:desktop-file-utils
bin:appstreamcli:appstream
bin:mandoc:mandoc
"

[ "$(uname -s)" = Linux ] || fail "this builds for Linux; see packaging/windows/README.md and packaging/macos/README.md"
need_system run
# shellcheck disable=SC2086 # lists of needs
need "the build" $BUILD_NEEDS
# shellcheck disable=SC2086
need "checking what was built" $CHECK_NEEDS
need_python
case $(command -v "$python") in # Debian's Python has its library, which goes into the bundle, in a package of its own
    /usr/bin/*) need "the bundle" "$("$python" -c '
import sys, sysconfig
print("lib:{0}:libpython{1.major}.{1.minor}".format(sysconfig.get_config_var("INSTSONAME"), sys.version_info))')" ;;
esac

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
export PYTHONHASHSEED=0 # the order of sets in compiled modules
umask 022

say "the environment of the build"
venv=build/venv
stamp=$(stamp_now)
if [ "$(cat $venv/vxtray-build 2>/dev/null)" != "$stamp" ]; then
    "$python" -m venv --clear $venv
    pip() { $venv/bin/python -m pip "$@"; }
    pip install --quiet --disable-pip-version-check -c packaging/constraints.txt hatchling babel pyinstaller \
        pyinstaller-hooks-contrib
    pip install --quiet --disable-pip-version-check -c packaging/constraints.txt --no-build-isolation .
    printf '%s\n' "$stamp" >$venv/vxtray-build
fi

say "wheel and sdist"
mkdir -p dist
rm -rf dist/vxtray dist/vxtray-*.whl dist/vxtray-*.tar.* dist/vxtray_*.deb
$venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .
$venv/bin/python -c 'import hatchling.build; hatchling.build.build_sdist("dist")' >/dev/null
$venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall dist/vxtray-*.whl

say "the bundle (PyInstaller; its words are in build/bundle.log)"
mkdir -p build
$venv/bin/pyinstaller --noconfirm --clean --distpath dist --workpath build/bundle packaging/vxtray.spec \
    >build/bundle.log 2>&1 || {
    tail -n 30 build/bundle.log >&2
    fail "the bundle could not be made"
}
dist/vxtray/vxtray --version
du -sm dist/vxtray | sed 's/\t.*/ MiB unpacked/' >&2

say "the tarball and the Debian package"
$venv/bin/python packaging/linux/assemble.py dist/vxtray dist

say "checks"
papers=build/linux/root/usr/share
checked() { # program arguments...: runs it where it is installed
    if command -v "$1" >/dev/null 2>&1; then
        "$@"
    else
        say "$1 is not installed, so that was not checked"
    fi
}
checked desktop-file-validate $papers/applications/vxtray.desktop
checked appstreamcli validate --no-net $papers/metainfo/*.metainfo.xml
checked mandoc -Tlint -W error build/linux/man/man1/vxtray.1 build/linux/man/fr/man1/vxtray.1
checked lintian --fail-on error,warning --tag-display-limit 0 dist/vxtray_*.deb
ls -l dist
