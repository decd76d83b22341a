# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash disable=SC2034 # variables of those who source it
#
# What install-utils.sh and install-llm.sh share: their argument, PREFIX and DESTDIR, and `put`.  Goes to the top of the
# tree.

[ $# = 1 ] || { echo "usage: $0 PROGRAMS" >&2; exit 1; }
programs=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
prefix=${DESTDIR:-}${PREFIX:-/usr}

put() { # MODE DIRECTORY FILE...
    local mode=$1 dir=$2
    shift 2
    install -d "$dir"
    install -m "$mode" -t "$dir" "$@"
}
