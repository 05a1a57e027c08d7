# Sourced by run.sh and test.sh, never run by itself: finds Python, looks after system libraries and makes .venv.
# Expects $root, the folder of the checkout, as the current folder. POSIX sh.

PATH="$PATH:/usr/sbin:/sbin" # ldconfig, postfix and dovecot live there, and an ordinary user may not have them

# What Qt's own libraries and its X11 and Wayland plug-ins ask for (readelf -d), with the Debian package that has it.
QT_NEEDS="
lib:libEGL.so.1:libegl1
lib:libGL.so.1:libgl1
lib:libX11-xcb.so.1:libx11-xcb1
lib:libbrotlidec.so.1:libbrotli1
lib:libdbus-1.so.3:libdbus-1-3
lib:libfontconfig.so.1:libfontconfig1
lib:libfreetype.so.6:libfreetype6
lib:libglib-2.0.so.0:libglib2.0-0
lib:libgssapi_krb5.so.2:libgssapi-krb5-2
lib:libwayland-client.so.0:libwayland-client0
lib:libwayland-cursor.so.0:libwayland-cursor0
lib:libwayland-egl.so.1:libwayland-egl1
lib:libxcb-cursor.so.0:libxcb-cursor0
lib:libxcb-icccm.so.4:libxcb-icccm4
lib:libxcb-image.so.0:libxcb-image0
lib:libxcb-keysyms.so.1:libxcb-keysyms1
lib:libxcb-randr.so.0:libxcb-randr0
lib:libxcb-render-util.so.0:libxcb-render-util0
lib:libxcb-shape.so.0:libxcb-shape0
lib:libxcb-shm.so.0:libxcb-shm0
lib:libxcb-sync.so.1:libxcb-sync1
lib:libxcb-util.so.1:libxcb-util1
lib:libxcb-xfixes.so.0:libxcb-xfixes0
lib:libxcb-xkb.so.1:libxcb-xkb1
lib:libxkbcommon-x11.so.0:libxkbcommon-x11-0
lib:libzstd.so.1:libzstd1
font:any:fonts-dejavu-core
"

# What the tests talk to: a screen with a tray, a session bus with a keyring, pictures, version control, readers of PDF
# and of what is shipped beside the program; and what the faults need: system calls, networks and disks of their own.
TEST_NEEDS="
bin:Xvfb:xvfb
bin:xauth:xauth
bin:xdotool:xdotool
bin:trayer:trayer
bin:openbox:openbox
bin:dunst:dunst
bin:dbus-run-session:dbus
bin:dbus-launch:dbus-x11
bin:gnome-keyring-daemon:gnome-keyring
bin:import:imagemagick
bin:git:git
bin:pdftotext:poppler-utils
bin:openssl:openssl
bin:gio:libglib2.0-bin
bin:desktop-file-validate:desktop-file-utils
bin:mandoc:mandoc
bin:shellcheck:shellcheck
bin:zsh:zsh
bin:fish:fish
bin:strace:strace
bin:ip:iproute2
bin:mkfs.ext4:e2fsprogs
bin:mkfs.btrfs:btrfs-progs
"

# What assistive technology asks the window through, on a bus that the tests start themselves.
ACCESSIBILITY_NEEDS="
file:/usr/libexec/at-spi2-registryd:at-spi2-core
"

# What draws mails and the pages of PDF reports for packaging/screenshots.sh.
SCREENSHOT_NEEDS="
bin:chromium:chromium
bin:pdftoppm:poppler-utils
"

# A real mail server, for the tests that send to one. Only where nothing would start it at the next boot.
MAIL_SERVER_NEEDS="
bin:postfix:postfix
bin:dovecot:dovecot-core
"

# Mail servers that Debian does not install beside that one: only unpacked, for the tests to start. With what they link.
UNPACKED_SERVERS="exim4-base exim4-daemon-light opensmtpd"
UNPACKED_NEEDS="
lib:libgnutls-dane.so.0:libgnutls-dane0
lib:libidn.so.12:libidn12
lib:libnsl.so.2:libnsl2
lib:libevent-2.1.so.7:libevent-2.1-7
lib:libdb-5.3.so:libdb5.3
"

say() {
    printf 'vxtray: %s\n' "$*" >&2
}

fail() {
    say "$@"
    exit 1
}

# --- system packages -------------------------------------------------------------------------------------------------

is_there() { # kind:name:package
    rest=${1#*:}
    name=${rest%%:*}
    case "$1" in
        lib:*) case "$known_libraries" in *"$name "*) ;; *) return 1 ;; esac ;;
        bin:*) command -v "$name" >/dev/null 2>&1 ;;
        file:*) [ -e "$name" ] ;;
        font:*) [ -n "$(find /usr/share/fonts /usr/local/share/fonts -name '*.[to]tf' 2>/dev/null | head -n 1)" ] ;;
    esac
}

missing_packages() { # needs...: the packages of those that are not there
    known_libraries=$(ldconfig -p 2>/dev/null || true)
    for need in "$@"; do
        is_there "$need" || printf '%s ' "${need##*:}"
    done
}

can_install() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1
}

apt_install() { # packages...: installs them without a question, without starting a service, without removing anything
    export DEBIAN_FRONTEND=noninteractive
    if [ -z "${apt_updated:-}" ]; then
        apt-get update -qq -o DPkg::Lock::Timeout=300 >/dev/null || say "the package lists could not be renewed; trying with the old ones"
        apt_updated=yes
    fi
    # Installing a server must not start it: Debian asks this file, where no one has put one already.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    installed=0
    apt-get install -y -qq --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        "$@" >/dev/null || installed=$?
    if [ "$(cat "$policy" 2>/dev/null)" = "$(printf '#!/bin/sh\nexit 101')" ]; then
        rm -f "$policy"
        trap - EXIT
    fi
    return "$installed"
}

need() { # what-for needs...: installs what is missing, or says so and goes on
    what=$1
    shift
    missing=$(missing_packages "$@")
    if [ -z "$missing" ]; then
        return 0
    fi
    if can_install; then
        say "installing for $what: $missing"
        # shellcheck disable=SC2086 # a list of package names
        apt_install $missing || say "not everything could be installed for $what; going on without"
    elif command -v apt-get >/dev/null 2>&1; then
        say "missing for $what; install with: sudo apt-get install $missing"
    else
        say "missing for $what (Debian's names): $missing"
    fi
}

need_unpacked() { # packages...: unpacks them into .venv/debian, where the tests look; changes nothing of the system
    if [ "$(cat .venv/debian/packages 2>/dev/null)" = "$*" ] || ! can_install || [ ! -f /etc/debian_version ]; then
        return 0
    fi
    say "unpacking for the tests with real mail servers: $*"
    # shellcheck disable=SC2086 # a list of needs
    need "the tests with real mail servers" $UNPACKED_NEEDS
    downloads=$(mktemp -d)
    if (cd "$downloads" && apt-get download -qq -o APT::Sandbox::User=root "$@" >/dev/null 2>&1) ||
        (apt-get update -qq >/dev/null 2>&1 && cd "$downloads" &&
            apt-get download -qq -o APT::Sandbox::User=root "$@" >/dev/null 2>&1); then
        for package in "$downloads"/*.deb; do
            dpkg -x "$package" .venv/debian || true
        done
        find .venv/debian -perm /6000 -exec chmod ug-s {} + # nobody shall become another user by these
        printf '%s\n' "$*" >.venv/debian/packages
    else
        say "they could not be fetched; their tests are skipped"
    fi
    rm -rf "$downloads"
}

need_system() { # run|test
    if [ "$(uname -s)" != Linux ]; then
        return 0
    fi
    # shellcheck disable=SC2086 # lists of needs
    need "the window" $QT_NEEDS
    if [ "$1" = test ]; then
        # shellcheck disable=SC2086
        need "the tests" $TEST_NEEDS $ACCESSIBILITY_NEEDS
        # With systemd a mail server would be enabled for the next boot: not without being asked.
        if can_install && [ ! -d /run/systemd/system ]; then
            # shellcheck disable=SC2086
            need "the tests with a real mail server" $MAIL_SERVER_NEEDS
        fi
    fi
}

# --- Python ----------------------------------------------------------------------------------------------------------

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

need_python() { # sets $python, one that can make virtual environments
    if ! python=$(find_python); then
        if can_install; then
            say "installing Python"
            apt_install python3 python3-venv || true
        fi
        python=$(find_python) || fail "Python 3.11 or newer is needed. Install it, or name it: PYTHON=/path/to/python3 sh $0"
    fi
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if can_install; then
            say "installing $package"
            apt_install "$package" || apt_install python3-venv || true
        fi
        "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
            fail "$python cannot make a virtual environment. Install its module: sudo apt-get install $package"
    fi
}

stamp_now() { # changes when what is to be installed changes, or when the folder was moved
    {
        cat pyproject.toml packaging/constraints.txt packaging/common.sh packaging/hatch_build.py
        printf '%s\n' "$root"
    } | cksum
}

install_with_pip() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c packaging/constraints.txt "$@" || fail \
"the Python packages could not be installed; pip's own words are above.
        Behind a proxy, set HTTPS_PROXY. Without a network, bring the packages in a folder from a machine of the same
        kind that has one: python3 -m pip download -d wheels -c packaging/constraints.txt hatchling babel '.[dev]'
        then here: PIP_NO_INDEX=1 PIP_FIND_LINKS=/path/to/wheels sh $0"
}

need_venv() { # run|test: makes or renews .venv; does nothing when it is as wanted
    stamp=$(stamp_now)
    for kind in test "$1"; do # what is installed for the tests serves to run, too
        if [ "$(cat ".venv/vxtray-$kind" 2>/dev/null)" = "$stamp" ] && .venv/bin/python -c '' 2>/dev/null; then
            return 0
        fi
    done
    if ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        need_python
        say "making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    say "installing the Python packages into .venv (once; some minutes on a slow line)"
    # What builds the package is pinned as well, so it comes first and pip makes no environment of its own for it.
    install_with_pip hatchling babel
    if [ "$1" = test ]; then
        install_with_pip --no-build-isolation -e '.[dev]'
    else
        install_with_pip --no-build-isolation -e .
    fi
    .venv/bin/python packaging/translations.py compile
    printf '%s\n' "$stamp" >".venv/vxtray-$1"
}
