#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# build-rpm.sh OUT
#
# Build the RPM packages of dkms/rpm out of the archives in dist/ (`make dist`) and put them into
# OUT.  Runs where rpmbuild, cargo and gcc are, offline; what the specs require need not be known to
# rpm, so that it works on Debian, too.  Of the kernel module the akmod is left out: it needs
# kmodtool of RPM Fusion.
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd)
[ $# = 1 ] || { echo "usage: $0 OUT" >&2; exit 1; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
version=$("$tree/dkms/version.sh")
[ -e "$tree/dist/ax650-$version-vendor.tar.xz" ] || { echo "build-rpm: no archives in dist/: make dist" >&2; exit 1; }

work=$(mktemp -d "${TMPDIR:-/var/tmp}/ax650-rpm.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The archive's date for all that is made of it.
SOURCE_DATE_EPOCH=$(tar --list --verbose --utc --full-time -f "$tree/dist/ax650-$version.tar.xz" 2>/dev/null |
    awk 'NR == 1 { print $4 " " $5 }' | date -u -f - +%s) || true
export SOURCE_DATE_EPOCH
unset CARGO_TARGET_DIR
rpmbuild -ba --nodeps \
    --define "_topdir $work" --define "_sourcedir $tree/dist" \
    --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
    --define "clamp_mtime_to_source_date_epoch 1" \
    "$tree/dkms/rpm/ax650.spec" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; exit 1; }
find "$work/RPMS" "$work/SRPMS" -name '*.rpm' -exec mv -t "$out" {} +
