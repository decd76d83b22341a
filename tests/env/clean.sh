#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# clean.sh        remove what the build made (kernels, toolchain root and downloads stay)
# clean.sh all    remove the whole cache directory
#
# Runs on the host: the root cannot remove itself.
set -euo pipefail
cache=${AX650_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ax650}

# A root made without privilege belongs to mapped user ids, so it is removed under the same map.
remove() {
    [ -e "$1" ] || return 0
    echo "removing $1"
    if [ "$(id -u)" = 0 ]; then
        rm -rf --one-file-system "$1"
    else
        unshare --map-auto --map-root-user rm -rf --one-file-system "$1"
    fi
}

case ${1:-} in
"") for dir in "$cache"/target "$cache"/kmod-* "$cache"/guest "$cache"/deb-target "$cache"/packages-test; do remove "$dir"; done ;;
all) remove "$cache" ;;
*) echo "usage: $0 [all]" >&2; exit 1 ;;
esac
