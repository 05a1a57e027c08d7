#!/bin/sh
# Pictures of every page, dialog, menu and mail into build/screenshots, with a sheet of all of them; see
#   sh packaging/screenshots.sh --help
# It makes .venv where needed. As root on Debian it installs Chromium and pdftoppm, for mails and PDF pages.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
. packaging/common.sh

need_system run
if [ "$(uname -s)" = Linux ]; then
    # shellcheck disable=SC2086 # a list of needs
    need "the pictures of mails and PDF pages" $SCREENSHOT_NEEDS
fi
need_venv test
exec .venv/bin/python packaging/screenshots.py "$@"
