#!/bin/sh
# Starts vxtray from the checkout, from any folder: sh packaging/run.sh [arguments of vxtray]
# Makes .venv the first time; as root on Debian it installs the missing system libraries, too. Without a screen and
# without arguments it runs the demo, which needs neither settings nor a mail server.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
start=$(pwd)
cd "$root"
. packaging/common.sh

need_system run
need_venv run

cd "$start" # names of files among the arguments are meant from where the person stands
if [ $# -eq 0 ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ "$(uname -s)" = Linux ]; then
    say "no screen here, so this is the demo; for a server see: $root/.venv/bin/vxtray serve --help"
    set -- demo
fi
exec "$root/.venv/bin/vxtray" "$@"
