#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# kernel.sh   make, unless the cache has it, Debian 13's own kernel (6.12, without Rust), unmodified, and print its
#             directory: vmlinuz, config, and in modules/ what VFIO needs
#
# Runs inside the toolchain root.
set -euo pipefail
me=vfio-kernel
. "$(dirname "$0")/../env/lib.sh"

wanted=(irqbypass vfio vfio_iommu_type1 vfio-pci-core vfio-pci)

lock vfio-kernel
# The metapackage knows which is the newest.
fetch_debs "linux-image-$arch=6.12.*"
depends=$(dpkg-deb -f "${debs[0]}" Depends)
[[ $depends =~ ^(linux-image-[^ ]+)\ \(=\ ([^\)]+)\) ]] || die "linux-image-$arch depends on '$depends'"
package=${BASH_REMATCH[1]} version=${BASH_REMATCH[2]}
release=${package#linux-image-}
dir=$cache/vfio-kernel-$(plain "$release")-$(key "$0" -- "$version")
if [ ! -d "$dir" ]; then
    say "downloading $package (110 MB)"
    fetch_debs "$package=$version"
    new=$dir.partial
    rm -rf "$new"
    mkdir -p "$new/modules"
    dpkg-deb --fsys-tarfile "${debs[0]}" |
        tar -C "$new" -xf - --wildcards './boot/vmlinuz-*' './boot/config-*' '*/kernel/drivers/vfio/*' '*/irqbypass.ko*'
    mv "$new/boot/vmlinuz-$release" "$new/vmlinuz"
    mv "$new/boot/config-$release" "$new/config"
    for module in "${wanted[@]}"; do
        file=$(find "$new/usr/lib/modules" "$new/lib/modules" -name "$module.ko*" -print -quit 2>/dev/null || true)
        case $file in
        *.xz) xz -dc "$file" >"$new/modules/$module.ko" ;;
        *.ko) cp "$file" "$new/modules/" ;;
        *) die "$release has no module $module" ;;
        esac
    done
    rm -rf "$new"/{boot,usr,lib}
    mv "$new" "$dir"
fi
echo "$dir"
