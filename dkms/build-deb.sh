#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# build-deb.sh OUT [DPKG-BUILDPACKAGE-OPTION...]
#
# Build the Debian packages of dkms/debian and put them, with the .changes file, into OUT.  Runs on a
# Debian system that has the Build-Depends, offline:
# crates come from CARGO_HOME (`cargo fetch --locked` fills it) or a vendor directory.  With the
# option --build=all only the packages that need no compiler are built.
#   SOURCE_DATE_EPOCH   time of all files (default: that of the last entry in the changelog)
#   DEBFULLNAME, DEBEMAIL   who maintains the packages; without, they name an address that nobody has
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 1 ] || { echo "usage: $0 OUT [DPKG-BUILDPACKAGE-OPTION...]" >&2; exit 1; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift

# One path for all: debugging information names it.
work=${TMPDIR:-/tmp}/ax650-deb
mkdir "$work"
trap 'rm -rf "$work"' EXIT
cd "$work"
# A copy: debhelper works in debian/ at the top of the tree, and leaves things there.
mkdir ax650
tar -C "$tree" -cf - --exclude=./.git --exclude=./target --exclude=./dist --exclude=./demo-output . | tar -C ax650 -xf -
cd ax650
cp -r dkms/debian debian
if [ -n "${DEBEMAIL:-}" ]; then
    for file in control changelog; do
        DEBFULLNAME=${DEBFULLNAME:-$DEBEMAIL} awk -v place='The ax650 developers <ax650@example.org>' '
            { at = index($0, place) }
            at { $0 = substr($0, 1, at - 1) ENVIRON["DEBFULLNAME"] " <" ENVIRON["DEBEMAIL"] ">" substr($0, at + length(place)) }
            { print }' "debian/$file" >"debian/$file.new"
        mv "debian/$file.new" "debian/$file"
    done
else
    echo "build-deb: no DEBEMAIL: the packages name a place holder as their maintainer" >&2
fi
version=$(dpkg-parsechangelog -S Version)
cargo_version=$(dkms/version.sh)
[ "${version%-*}" = "$cargo_version" ] || {
    echo "build-deb: dkms/debian/changelog is of $version, Cargo.toml of $cargo_version" >&2
    exit 1
}
export DEB_BUILD_OPTIONS="parallel=${JOBS:-$(nproc)}${DEB_BUILD_OPTIONS:+ $DEB_BUILD_OPTIONS}"
[ $# -gt 0 ] || set -- --build=binary
dpkg-buildpackage -us -uc "$@" >&2
cd ..
mv ./*.deb ./*.changes ./*.buildinfo "$out/"
