# What the scripts share: sourced by them, never run. It moves to the root of the repository.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 1
JOBS=$(nproc)

# The tests' Python is Debian's: it is the one that has the packages scripts/setup installs.
PYTHON=/usr/bin/python3

say() {
    printf '%s\n' "$*"
}

warn() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
}

die() {
    warn "$*"
    exit 1
}

# usage: shows the comment at the head of the calling script.
usage() {
    sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"
}

# as_root COMMAND...: runs it as root, through sudo where that is needed.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# packages_missing NAME...: prints the names of those that are not installed, one a line.
packages_missing() {
    local installed
    # dpkg-query fails where a name is unknown to it, and still lists the others.
    installed=$(dpkg-query --show --showformat='${db:Status-Abbrev}\t${Package}\n' "$@" 2>/dev/null) || true
    comm -23 <(printf '%s\n' "$@" | sort) <(sed -n 's/^.i.\t//p' <<<"$installed" | sort)
}

# cmake_build PRESET [TARGET...]: configures and builds; of the configuration only errors are shown.
cmake_build() {
    local preset=$1 out
    shift
    out=$(cmake --preset "$preset" 2>&1) || {
        printf '%s\n' "$out" >&2
        return 1
    }
    cmake --build --preset "$preset" ${1:+--target "$@"}
}
