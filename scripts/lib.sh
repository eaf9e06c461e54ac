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

# find_fuzz_targets: the names of all of them, as $fuzz_targets.
find_fuzz_targets() {
    local source
    fuzz_targets=()
    for source in tests/fuzz/fuzz_*.c; do
        [ ! -e "$source" ] || fuzz_targets+=("$(basename "$source" .c)")
    done
}

# fuzz_one TARGET SECONDS LOGS [OPTION...]: from the corpus in the repository, with what is found kept in build/fuzz. What
# it says, and the input that it fails with, go to the folder LOGS.
fuzz_one() {
    local name=$1 seconds=$2 logs=$3 found=build/fuzz/corpus/$1 seeds=tests/fuzz/corpus/${1#fuzz_} options=("${@:4}")
    mkdir -p "$found"
    [ ! -e "tests/fuzz/${1#fuzz_}.dict" ] || options+=("-dict=tests/fuzz/${1#fuzz_}.dict")
    options+=("$found")
    [ ! -d "$seeds" ] || options+=("$seeds")
    "build/fuzz/tests/fuzz/$name" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="$logs/$name-" "${options[@]}" >"$logs/$name.log" 2>&1
}

# fuzz_count TARGET LOGS: how many inputs it was given.
fuzz_count() {
    sed -n 's/^stat::number_of_executed_units: *//p' "$2/$1.log"
}
