#!/bin/sh
# The whole gate, from any folder: format, lint, types, layers, tests. Arguments go to pytest:
#   sh packaging/test.sh -k smtp
# Three processes share the files of tests, which wait a lot; one (to use a debugger) is .venv/bin/python -m pytest.
# As root on Debian it installs what is missing; otherwise it says so, and the tests that need it are skipped.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
. packaging/common.sh

need_system test
need_venv test
# shellcheck disable=SC2086 # a list of package names
need_unpacked $UNPACKED_SERVERS

failed=
check() { # name command...: runs one check, remembers when it fails
    printf '\n== %s\n' "$1"
    shift
    "$@" || failed="$failed $*;"
}

check "format" .venv/bin/ruff format --check .
check "lint" .venv/bin/ruff check .
check "types" .venv/bin/mypy
check "layers" .venv/bin/lint-imports
if [ -n "$failed" ]; then
    printf '\n'
    fail "the tests were not run, since this failed first:$failed"
fi

printf '\n== tests\n'
# Their own folder, by a short name: the path of a Unix socket is 107 bytes at most. It stays where a test failed.
temporary=$(mktemp -d "${TMPDIR:-/tmp}/vxt.XXXXXX")
.venv/bin/python -m pytest --numprocesses=3 --dist=loadfile --basetemp="$temporary/t" "$@"
rm -rf "$temporary"
