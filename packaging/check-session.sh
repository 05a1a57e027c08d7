#!/bin/sh
# What check-deb.sh does as an ordinary person on a session bus: sh check-session.sh first|second PORT. POSIX sh.
set -eu

part=$1 port=$2
unset DISPLAY
export DISPLAY=:97 NO_AT_BRIDGE=1

fail() {
    echo "NOT SO: $*" >&2
    tail -n 30 ~/.local/state/vxtray/log/vxtray.log >&2 2>/dev/null || true
    exit 1
}

proved() {
    echo "ok  $*"
}

until_so() { # what command...: waits for up to 60 s
    what=$1
    shift
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || fail "$what"
        sleep 0.2
    done
    proved "$what"
}

says() { # text command...: the text stands in what the command prints
    text=$1
    shift
    "$@" 2>&1 | grep -q -- "$text"
}

Xvfb $DISPLAY -screen 0 1280x800x24 -nolisten tcp >/dev/null 2>&1 &
screen=$!
trap 'kill $screen $keyring $tray $program 2>/dev/null || true' EXIT
keyring='' tray='' program=''
until_so "a screen" xdotool getdisplaygeometry
trayer --edge bottom --align right --widthtype request --height 26 >/dev/null 2>&1 &
tray=$!
until_so "a tray" xdotool search --class trayer
printf secret | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 &
keyring=$!
ask() { # whether a service of the session bus answers with a word: ask WORD DESTINATION PATH METHOD ARGUMENT
    dbus-send --session --print-reply --dest="$2" "$3" "$4" "$5" 2>/dev/null | grep -q "$1"
}
# Asking the keyring itself before it is there would have the bus start a second, locked one.
until_so "a keyring" ask true org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets
until_so "its default collection" ask collection/ org.freedesktop.secrets /org/freedesktop/secrets \
    org.freedesktop.Secret.Service.ReadAlias string:default

# the older profile, or the one of the first part
says 127.0.0.1 vxtray settings get smtp.host || fail "the settings of the older vxtray hold"
[ "$(vxtray events --limit 5000 --json | grep -c '"at"')" -ge 1200 ] || fail "the events of the older vxtray are there"
proved "an older profile opens: settings and 1,200 events"

if [ "$part" = first ]; then
    says queued vxtray outbox list || fail "the older vxtray's mail waits"
    vxtray smtp set port="$port" ca_file=/tmp/ca.pem >/dev/null
    printf 'only for the demo' | vxtray secret set smtp-password || fail "the keyring takes a password"
    if grep -rqs 'only for the demo' ~/.config ~/.local/state; then
        fail "the password stands in no file of vxtray"
    fi
    proved "the keyring has the password, and no file"
    vxtray smtp test >/dev/null || fail "the check of the mail server succeeds"
    vxtray smtp send-test >/dev/null || fail "the test mail is sent"
    proved "the mail server's check and the test mail"
    vxtray autostart on
    vxtray autostart on
    [ "$(ls ~/.config/autostart)" = vxtray.desktop ] || fail "there is exactly one entry for the start with the session"
    command=$(sed -n 's/^Exec=//p' ~/.config/autostart/vxtray.desktop)
    [ -x "${command%% *}" ] || fail "it starts a program that is there: $command"
    says '"state": "on"' vxtray autostart status --json || fail "the autostart is on"
    proved "one entry for the start with the session: $command"
else
    command=$(sed -n 's/^Exec=//p' ~/.config/autostart/vxtray.desktop)
    says '"state": "on"' vxtray autostart status --json || fail "the autostart outlives the upgrade"
fi

# as the session would start it
# shellcheck disable=SC2086 # a command line
$command >/tmp/vxtray-$part.out 2>&1 &
program=$!
until_so "the program runs" says '"running": true' vxtray status
until_so "its icon is in the tray" grep -q 'window hidden, tray there' ~/.local/state/vxtray/log/vxtray.log
vxtray show
until_so "its window comes up" xdotool search --onlyvisible --name vxtray
[ "$part" = second ] || until_so "no mail waits any more" sh -c '! vxtray outbox list 2>&1 | grep -q queued'
if grep -qE 'ERROR|CRITICAL|Traceback' ~/.local/state/vxtray/log/vxtray.log; then
    fail "its log is free of faults"
fi
proved "its log is free of faults"
vxtray quit
wait $program || fail "it ends well"
program=''
[ ! -s /tmp/vxtray-$part.out ] || { cat /tmp/vxtray-$part.out >&2; fail "it says nothing on the terminal"; }
proved "it ends when asked, with nothing on the terminal"
