#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# stock.sh DIR SOURCE RELEASE: Debian's unmodified kernel RELEASE, that of the root this runs in.
#
# DIR/vmlinuz boots, DIR/lib/modules has the modules that the guest loads, DIR/build builds
# modules: the packaged headers and the Rust metadata that they lack.
set -euo pipefail
me=stock
. "$(dirname "$0")/../lib.sh"

dir=$1 source=$2 release=$3
# The guest's file share, a disk, and what ax650.ko may want: checksums and configfs.
wanted=(9p 9pnet_virtio virtio_blk crc16 configfs)
# And the IOMMU of its machine.
[ "$arch" != arm64 ] || wanted+=(virtio_iommu)

new=$dir.new
rm -rf "$new" "$dir.partial"
mkdir -p "$new" "$dir.partial"
trap 'rm -rf "$dir.partial" "$new"' EXIT

say "downloading the packages of $release (120 MB)"
headers_version=$(version "linux-headers-$release")
other=''
[ "$arch" = "$(dpkg --print-architecture)" ] || other=:$arch
fetch_debs "linux-binary-$release$other=$headers_version" "linux-modules-$release$other=$headers_version"
for deb in "${debs[@]}"; do
    dpkg-deb --fsys-tarfile "$deb" | tar -C "$dir.partial" -xf - --wildcards '*/lib/modules/*'
done
packaged=$dir.partial/usr/lib/modules/$release
cp "$packaged/vmlinuz" "$new/vmlinuz"

say "picking the guest's modules"
modules=$new/lib/modules/$release
mkdir -p "$modules"
# These lists are in linux-base-RELEASE, on which the headers depend.
cp "/usr/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$modules/"
# Copy a module and, first, those it depends on; unpacked, so that any insmod can load them.
take() {
    local name=${1//-/_} file depends
    [ ! -e "$modules/$name.ko" ] || return 0
    file=$(find "$packaged/kernel" -name "${name//_/[-_]}.ko*" -print -quit)
    if [ -z "$file" ]; then
        grep -q "/${name//_/[-_]}\.ko$" "$modules/modules.builtin" || die "$release has no module $name"
        return 0
    fi
    depends=$(modinfo -F depends "$file")
    for depend in ${depends//,/ }; do take "$depend"; done
    case $file in
    *.xz) xz -dc "$file" >"$modules/$name.ko" ;;
    *.zst) zstd -qdc "$file" >"$modules/$name.ko" ;;
    *) cp "$file" "$modules/$name.ko" ;;
    esac
}
for module in "${wanted[@]}"; do take "$module"; done
depmod -b "$new" "$release"

say "Rust metadata (2 to 3 minutes on two cores)"
# Its temporary files are too large for a /tmp in memory.
TMPDIR=$dir.partial "$tree/dkms/rust-metadata.sh" "$release" "$dir.partial/build" "$source"
mv "$dir.partial/build" "$new/build"
sed -i "s|^KBUILD_OUTPUT=.*|KBUILD_OUTPUT=$dir/build|" "$new/build/Makefile"
mv "$new" "$dir"
say "done: $dir ($(du -sh "$dir" | cut -f1))"
