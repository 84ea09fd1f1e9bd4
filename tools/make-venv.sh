#!/bin/sh
# make-venv.sh DIRECTORY: a virtual environment with Python >= 3.11 and a pip that knows dependency groups.
# One that works already is kept. PYTHON=… chooses the interpreter.
set -eu

venv=$1
enough='import sys; sys.exit(sys.version_info < (3, 11))'

works() { "$1" -c "$enough" >/dev/null 2>&1; }

# apt_install PACKAGE...: when this is Debian-like and needs no password.
apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    if [ "$(id -u)" = 0 ]; then
        sudo=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then
        sudo='sudo -n'
    else
        return 1
    fi
    echo "Installing $* (apt-get)"
    $sudo apt-get -qq update >/dev/null 2>&1 || true
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y "$@" >/dev/null
}

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if works "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

if ! works "$venv/bin/python"; then
    python=$(find_python) || {
        apt_install python3 python3-venv && python=$(find_python)
    } || {
        echo "Doorward needs Python 3.11 or newer; none was found." >&2
        echo "On Debian or Ubuntu: sudo apt-get install python3 python3-venv. Or name one: make PYTHON=/path/to/python3" >&2
        exit 1
    }
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "python$version-venv" || {
            echo "$python lacks the venv module. On Debian or Ubuntu: sudo apt-get install python$version-venv" >&2
            exit 1
        }
    fi
    echo "Creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

# Dependency groups came with pip 25.1.
if ! "$venv/bin/python" -m pip install --help 2>/dev/null | grep -q -- --group; then
    "$venv/bin/python" -m pip install -qq --upgrade 'pip>=25.1'
fi
