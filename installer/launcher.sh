#!/bin/sh
# installer: installs this release of dkumonitor, or updates an installation to it. See: ./installer --help
set -eu

self=$0
while [ -h "$self" ]; do
    target=$(readlink -- "$self")
    case $target in
        /*) self=$target ;;
        *) self=$(dirname -- "$self")/$target ;;
    esac
done
here=$(CDPATH='' cd -P -- "$(dirname -- "$self")" && pwd -P)
python=$here/python/bin/python3

refuse() {
    printf 'installer: %s.\n  %s.\n' "$1" "$2" >&2
    exit 3
}

# Asked only when the bundled Python does not run: what does this machine lack?
explain() {
    [ -e "$python" ] || refuse "$here is not a complete release: python/bin/python3 is missing" "Extract the tarball again"
    system=$(uname -s)
    [ "$system" = Linux ] || refuse "this bundle is for Linux, and this machine runs $system" "Use a Linux machine"
    # The machine's number in the ELF header: 62 is x86_64, 183 is aarch64 (elf(5), e_machine).
    case $(od -An -j18 -N2 -tu1 -- "$python" | tr -s ' ') in
        ' 62 0') built_for=x86_64 ;;
        ' 183 0') built_for=aarch64 ;;
        *) built_for= ;;
    esac
    machine=$(uname -m)
    [ -z "$built_for" ] || [ "$built_for" = "$machine" ] ||
        refuse "this bundle is for $built_for, and this machine is $machine" "Get the bundle that is made for $machine"
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) ||
        refuse "glibc 2.17 or newer is needed, and this machine has another C library" "Use a machine with glibc"
    version=${glibc#glibc }
    if [ "${version%%.*}" -lt 2 ] || { [ "${version%%.*}" -eq 2 ] && minor=${version#*.} && [ "${minor%%.*}" -lt 17 ]; }; then
        refuse "glibc 2.17 or newer is needed, and this machine has $glibc" "Use a machine with a newer system"
    fi
    refuse "the bundled Python does not run: $1" "See that $here is not on a file system mounted with noexec"
}

said=$("$python" -I -B -c '' 2>&1) || explain "$said"
# -B: nothing is ever written into a release.
exec "$python" -I -B -m installer "$@"
