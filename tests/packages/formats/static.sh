#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# static.sh empty-root
#
# The programs, built static, in a root directory with nothing else in it: no libraries, no files, no
# /proc.  With a card: the case cli/static_in_empty_root of `make test`.  Runs in the toolchain root.
set -euo pipefail
me=static
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../env/lib.sh"

[ "${1:-}" = empty-root ] || die "usage: $0 empty-root"
version=$("$tree/dkms/version.sh")
triple=$(rustc -vV | sed -n 's/^host: //p')
cd "$tree"
RUSTFLAGS='-C target-feature=+crt-static' \
    cargo build --locked --release --quiet -j "$jobs" --target "$triple" -p ax650 -p ax650-firmware --bins
built=${CARGO_TARGET_DIR:-$tree/target}/$triple/release

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp "$built/ax650" "$built/ax650-fw" "$root/"
# Without an environment nothing is searched for in /usr/sbin.
chroot=$(PATH=$PATH:/usr/sbin command -v chroot)
# expect STATUS TEXT COMMAND...: that it ends so and says so
expect() {
    local status=0 said wanted=$1 text=$2
    shift 2
    said=$(env -i "$chroot" "$root" "$@" 2>&1) || status=$?
    [ "$status" = "$wanted" ] && grep -qF "$text" <<<"$said" ||
        die "$*: status $status (expected $wanted), it says: $said"
}
expect 0 "ax650 $version" /ax650 --version
expect 0 "ax650-fw $version" /ax650-fw --version
# No card is an answer, not a crash.
expect 3 'no card found' /ax650 list
expect 3 'no card found' /ax650 info
# A firmware file is made and checked without any library.
expect 0 '' /ax650-fw pack --sample small --output /card.pac
expect 0 '' /ax650-fw verify /card.pac
