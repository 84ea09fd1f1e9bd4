#!/bin/sh
# system-packages.sh [--required|--optional] NAME...: see to programs that come from the system's packages.
# Installs what is missing with apt-get, as root or where sudo asks for no password; else says what to install.
# NAME: chromium, postgresql, node, wrk. With --required, ends with 1 when something is still missing;
# with --optional, says nothing then.
set -eu

mode=ask
case ${1:-} in
--required | --optional)
    mode=${1#--}
    shift
    ;;
esac

any_command() {
    for command; do # not `name`: a function shares its caller's names
        command -v "$command" >/dev/null 2>&1 && return
    done
    return 1
}

present() {
    case $1 in
    chromium) any_command chromium chromium-browser google-chrome google-chrome-stable ;;
    postgresql) any_command postgres || ls /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres >/dev/null 2>&1 ;;
    node) any_command node && any_command npm && node -e 'process.exit(Number(parseInt(process.versions.node) < 18))' ;;
    *) any_command "$1" ;;
    esac
}

packages() {
    case $1 in
    node) echo nodejs npm ;;
    *) echo "$1" ;;
    esac
}

wanted=
for name; do
    present "$name" || wanted="$wanted $(packages "$name")"
done
[ -n "$wanted" ] || exit 0

sudo=no
if [ "$(id -u)" = 0 ]; then
    sudo=
elif any_command sudo && sudo -n true >/dev/null 2>&1; then
    sudo='sudo -n'
fi
if [ "$sudo" != no ] && any_command apt-get; then
    echo "Installing$wanted (apt-get)"
    $sudo apt-get -qq update >/dev/null 2>&1 || true
    # shellcheck disable=SC2086 # a list of words
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $wanted >/dev/null || true
fi

missing=
for name; do
    present "$name" || missing="$missing $(packages "$name")"
done
[ -n "$missing" ] || exit 0
if [ "$mode" != optional ]; then
    echo "Missing:$missing. On Debian or Ubuntu: sudo apt-get install$missing" >&2
    [ "$mode" = required ] || echo "Tests that need it are left out." >&2
fi
[ "$mode" != required ]
