#!/bin/sh
# Installs the Debian package on a Debian that has nothing else, lives with it for a while, and removes it again:
#   sh packaging/check-deb.sh [PACKAGE.deb]        (as root; packaging/build.sh first; some minutes)
# The clean system is made by debootstrap below a temporary folder, and kept as an archive for the next time
# (VXTRAY_CHECK_CACHE names where). It shares this machine's network, so that its mails come to a mailbox here, on
# loopback. What is proved is said line by line; the first thing that is not so ends it with status 1.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
. packaging/common.sh

[ "$(id -u)" -eq 0 ] || fail "this makes a system of its own, which only root can"
if [ "${1:-}" = --inside ]; then # in a mount and process namespace of its own: everything ends with it
    shift
else
    need "the check" bin:debootstrap:debootstrap bin:unshare:util-linux bin:setpriv:util-linux
    exec unshare --mount --pid --fork --kill-child sh "$root/packaging/check-deb.sh" --inside "$@"
fi

suite=bookworm
deb=$(readlink -f "${1:-$(ls dist/vxtray_*.deb)}")
cache=${VXTRAY_CHECK_CACHE:-${TMPDIR:-/tmp}/vxtray-check}
python=$root/build/venv/bin/python
[ -x "$python" ] || fail "packaging/build.sh makes the environment that this needs"
work=$(mktemp -d "${TMPDIR:-/tmp}/vxtray-check-XXXXXX")
clean=$work/root
trap 'cd /; umount -l "$clean/proc" "$clean/dev" "$clean/tmp" 2>/dev/null; rm -rf "$work"' EXIT
mkdir -p "$cache" "$clean"
export LC_ALL=C.UTF-8

proved() {
    printf 'ok  %s\n' "$*"
}

expect() { # what command...: the command succeeds
    what=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        proved "$what"
    else
        cat "$work/said" >&2
        fail "NOT SO: $what"
    fi
}

inside() { # runs as root in the clean system
    chroot "$clean" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}

person() { # runs as an ordinary user there
    chroot "$clean" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/srv/ada USER=ada LC_ALL=C.UTF-8 LANG=C.UTF-8 \
        XDG_RUNTIME_DIR=/run/user/1000 setpriv --reuid=1000 --regid=1000 --init-groups "$@"
}

apt() {
    inside apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

listed() { # every path that a package could leave behind, without what apt and the caches write anyway
    (cd "$clean" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./home \
        -o -path ./run -o -path ./var/cache -o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./var/log \
        -o -path ./var/tmp -o -path ./srv -o -path ./root \) -prune -o -print | sort)
}

# --- the clean system ------------------------------------------------------------------------------------------------

base=$cache/$suite.tar
if [ ! -e "$base" ]; then
    say "making a clean Debian ($suite), once"
    mirror=$(apt-get indextargets --format '$(SITE)' "Codename: $suite" "Created-By: Packages" | head -n 1)
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$work/base" ${mirror:+"$mirror"} \
        >"$cache/debootstrap.log" 2>&1 || fail "debootstrap failed; see $cache/debootstrap.log"
    tar -C "$work/base" -cf "$base.new" .
    mv "$base.new" "$base"
    rm -rf "$work/base"
fi
tar -C "$clean" -xf "$base"
mount -t proc proc "$clean/proc"
mount -t tmpfs -o mode=755 dev "$clean/dev"
for device in null zero random urandom tty; do
    touch "$clean/dev/$device" && mount --bind "/dev/$device" "$clean/dev/$device"
done
mkdir -m 1777 "$clean/dev/shm"
ln -s /proc/self/fd "$clean/dev/fd"
mount -t tmpfs -o mode=1777 tmp "$clean/tmp"
cp /etc/resolv.conf "$clean/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$clean/usr/sbin/policy-rc.d" # no package starts a service here
chmod 755 "$clean/usr/sbin/policy-rc.d"
inside useradd --create-home --home-dir /srv/ada --uid 1000 ada
mkdir -p "$clean/run/user/1000"
chmod 700 "$clean/run/user/1000"
chown 1000:1000 "$clean/run/user/1000"
cp "$deb" "$clean/tmp/vxtray.deb"
chmod 644 "$clean/tmp/vxtray.deb"
apt update

# --- what it declares is enough --------------------------------------------------------------------------------------

say "installing the package with what it declares, and nothing else"
apt install /tmp/vxtray.deb >/dev/null
expect "it is installed" inside dpkg --status vxtray
expect "it starts and says its version" person vxtray --version
cat "$work/said"
cat >"$clean/tmp/libraries.sh" <<'END'
cd /usr/lib/vxtray || exit 1
missing=$(find . -type f \( -name '*.so' -o -name '*.so.*' -o -name vxtray \) -exec \
    env LD_LIBRARY_PATH=/usr/lib/vxtray/_internal ldd {} + 2>/dev/null | grep 'not found' | sort -u)
[ -z "$missing" ] || { echo "$missing"; exit 1; }
END
expect "every library that any part of it needs is there" inside sh /tmp/libraries.sh
mkdir -p "$clean/tmp/demo" && chown 1000:1000 "$clean/tmp/demo"
expect "the demo sends an alert and a report with its PDF" person sh -c \
    'cd /tmp && vxtray --lang en demo --no-window --out /tmp/demo --json && ls /tmp/demo/*alert.eml /tmp/demo/*.pdf'
expect "the demo draws its window without a screen" person sh -c \
    'cd /tmp && rm -rf demo/* && vxtray --lang fr demo --out /tmp/demo && test -s demo/window.png'
cp "$clean/tmp/demo/window.png" "$cache/window.png"
expect "both manual pages are there" test -s "$clean/usr/share/man/man1/vxtray.1.gz" -a \
    -s "$clean/usr/share/man/fr/man1/vxtray.1.gz"
expect "the service's user and folder are made" inside sh -c 'test "$(stat -c %U:%a /var/lib/vxtray)" = vxtray:700'
apt purge vxtray >/dev/null

# --- a person's desktop ----------------------------------------------------------------------------------------------

say "a desktop: screen, tray, session bus, keyring"
apt install xvfb trayer xdotool dbus dbus-x11 gnome-keyring xdg-utils procps >/dev/null
listed >"$work/before"
apt install /tmp/vxtray.deb >/dev/null

old=94045b3 # the last commit with the first layout of the outbox
if git cat-file -e "$old^{commit}" 2>/dev/null; then
    say "a profile of an older vxtray ($old)"
    mkdir "$work/old"
    git archive "$old" | tar -x -C "$work/old"
    cat >"$work/make_old.py" <<'END'
import sys
from datetime import UTC, datetime

from vxtray.cli import main
from vxtray.demo import made_lines

folder = sys.argv[1]
lines = f"{folder}.log"
with open(lines, "w") as file:
    file.write(made_lines(datetime.now(UTC)))


def vxtray(*words: str) -> None:
    status = main(["--profile-dir", folder, *words])
    print(words, status, file=sys.stderr)


if __name__ == "__main__":
    vxtray("settings", "set", "smtp.host=127.0.0.1", "smtp.port=9", "smtp.username=demo@example.com",
           "smtp.from_address=demo@example.com", "smtp.recipients=admin@example.com", "alerts.critical=false",
           "general.language=en")
    vxtray("import", lines)
    vxtray("report", "daily", "--send")
END
    (cd "$work/old" && PYTHONPATH="$work/old" HOME="$work" "$python" "$work/make_old.py" "$work/profile") \
        >"$work/said" 2>&1 || { cat "$work/said" >&2; fail "the older profile could not be made"; }
    home=$clean/srv/ada
    mkdir -p "$home/.config/vxtray" "$home/.local/state/vxtray"
    cp "$work/profile/settings.toml" "$home/.config/vxtray/"
    cp "$work/profile/state/outbox.db" "$work/profile/state/events.duckdb" "$home/.local/state/vxtray/"
    chown -R 1000:1000 "$home"
    chmod -R go= "$home/.config" "$home/.local"
else
    fail "this checkout does not reach back to $old, so there is no older profile to open; fetch the whole history"
fi

say "a mailbox on this machine's loopback"
cat >"$work/mailbox.py" <<'END'
import pathlib
import signal
import sys
import threading

from vxtray.demo import Mailbox

folder = pathlib.Path(sys.argv[1])
folder.mkdir()
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
with Mailbox(folder) as mailbox:
    (folder / "port.new").write_text(str(mailbox.port))
    (folder / "port.new").rename(folder / "port")
    kept = 0
    while not ended.wait(0.05):
        for number, mail in enumerate(mailbox.mails[kept:], kept + 1):
            (folder / f"{number}.new").write_bytes(mail)
            (folder / f"{number}.new").rename(folder / f"{number}.eml")
            kept = number
END
"$python" "$work/mailbox.py" "$work/mails" 2>"$work/mailbox.log" &
mailbox=$!
tries=0
until [ -e "$work/mails/port" ]; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || { cat "$work/mailbox.log" >&2; fail "the mailbox did not start"; }
    sleep 0.1
done
cp "$work/mails/demo-ca.pem" "$clean/tmp/ca.pem"
chmod 644 "$clean/tmp/ca.pem"
cp packaging/check-session.sh "$clean/tmp/session.sh"
mkdir "$clean/tmp/.X11-unix"
chmod 1777 "$clean/tmp/.X11-unix"

session() { # part: runs that part of check-session.sh on a screen with a bus
    person dbus-run-session -- sh /tmp/session.sh "$1" "$(cat "$work/mails/port")" || fail "that was in the session"
}
session first
cat >"$work/subjects.py" <<'END'
import email.policy
import pathlib
import sys

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.eml")):
    print(email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["Subject"])
END
"$python" "$work/subjects.py" "$work/mails" >"$work/subjects"
cat "$work/subjects"
expect "the test mail arrived, over STARTTLS and with the password from the keyring" grep -qi "test" "$work/subjects"
expect "the mail that the older vxtray left waiting arrived" grep -q "report" "$work/subjects"

# --- upgrade in place ------------------------------------------------------------------------------------------------

say "an upgrade"
dpkg-deb --raw-extract "$deb" "$work/next"
sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control"
dpkg-deb --root-owner-group -Znone --build "$work/next" "$clean/tmp/next.deb" >/dev/null
rm -rf "$work/next"
expect "a newer package goes over the old one" apt install /tmp/next.deb
expect "dpkg finds every file as it was packed" inside sh -c 'test -z "$(dpkg --verify vxtray)"'
session second

# --- away again ------------------------------------------------------------------------------------------------------

say "removing it"
kill "$mailbox"
expect "it can be removed" apt remove vxtray
expect "nothing starts it any more" inside sh -c '! command -v vxtray && ! ls /usr/lib/vxtray 2>/dev/null'
expect "the service's state is kept until a purge" test -d "$clean/var/lib/vxtray"
expect "it can be purged" apt purge vxtray
listed >"$work/after"
if ! diff "$work/before" "$work/after"; then
    fail "NOT SO: nothing is left of it"
fi
proved "nothing is left of it: the same files as before"
expect "nor a user, nor a word in /etc" inside sh -c '! getent passwd vxtray && ! grep -rqs vxtray /etc --exclude="*-"'
expect "the person's own profile stays" test -s "$clean/srv/ada/.config/vxtray/settings.toml" -a \
    -s "$clean/srv/ada/.local/state/vxtray/outbox.db"
say "all of it is so; the demo's window is in $cache/window.png"
