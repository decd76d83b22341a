# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash disable=SC2034 # variables of the groups
#
# What the groups of package tests share; run.sh sources this, then a group.  A group is a file in
# groups/ with a function for each case, which it hands to `case_`.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(cd "$here/../.." && pwd)
cache=${AX650_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ax650}
dist=$tree/dist
work=$cache/packages-test

passed=0 failed=0 skipped=0
# Which cases to run: globs, as for `make test`.
pattern=${CASES:-}

wanted() { # NAME
    [ -z "$pattern" ] && return
    local tail=$1 globs glob
    read -ra globs <<<"$pattern"
    while :; do
        for glob in "${globs[@]}"; do
            # shellcheck disable=SC2053 # a glob
            [[ $tail == $glob ]] && return
        done
        [[ $tail == */* ]] || return 1
        tail=${tail#*/}
    done
}

# Whether any case of the group NAME/ may be wanted: its preparations cost minutes.
group_wanted() { # NAME CASE...
    local group=$1 name
    shift
    for name; do ! wanted "$group/$name" || return 0; done
    return 1
}

# case_ NAME COMMAND...: run it with `set -e`, its output in a log; status 77 is a skip, with the
# reason in the last line of the log.
case_() {
    local name=$1 log status begin=$SECONDS
    shift
    wanted "$name" || return 0
    log=$work/logs/${name//\//-}.log
    mkdir -p "$work/logs"
    set +e
    (set -e; "$@") >"$log" 2>&1 </dev/null
    status=$?
    set -e
    case $status in
    0) passed=$((passed + 1)); printf 'ok       %s (%d s)\n' "$name" $((SECONDS - begin)) ;;
    77) skipped=$((skipped + 1)); printf 'skipped  %s: %s\n' "$name" "$(tail -n 1 "$log")" ;;
    *)
        failed=$((failed + 1))
        printf 'FAILED   %s (%d s), %s:\n' "$name" $((SECONDS - begin)) "$log"
        tail -n 15 "$log" | sed 's/^/    /'
        ;;
    esac
}

# A figure for the summary.
figure() { printf '%s\n' "$*" >>"$work/figures"; }

fail() { printf '%s\n' "$*" >&2; exit 1; }
skip() { printf '%s\n' "$*"; exit 77; }
# expect WHAT WANTED FOUND
expect() { [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"; }

# A system of base.sh, and commands in it.
system() { "$here/base.sh" "$@"; }
# Commands in the toolchain root, which has QEMU and what the emulated card needs.
in_root() {
    if [ "${AX650_ROOT:-}" = / ]; then "$@"; else "$tree/tests/env/root.sh" "$@"; fi
}
# The same file there.
root_path() {
    if [ "${AX650_ROOT:-}" = / ]; then echo "$1"; else echo "/cache${1#"$cache"}"; fi
}
