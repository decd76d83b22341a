#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# intree.sh module|builtin
#
# The driver as part of a kernel's tree, as docs/packaging.md says: kmod/ and what it reads of uapi/ are in
# drivers/misc/ax650, and CONFIG_AX650 is m or y.  The kernel is the reference kernel's source with Debian's configuration;
# what is built of it is what the driver needs, and the directory.  Not the whole kernel: vmlinux's
# symbols are those of Debian's build.  Runs in the toolchain root.
set -euo pipefail
me=intree
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../env/lib.sh"

case ${1:-} in
module) value=m ;;
builtin) value=y ;;
*) die "usage: $0 module|builtin" ;;
esac

kernels=$tree/tests/env/kernels.sh
"$kernels" stock
source=$("$kernels" print source)
stock=$("$kernels" print stock build)
work=$cache/intree
lock intree

# A tree of links costs nothing, but what is changed must be files.
fresh() {
    rm -rf "$work"
    mkdir -p "$work/out"
    cp -al "$source" "$work/linux"
    for file in Kconfig Makefile; do
        cp --remove-destination "$source/drivers/misc/$file" "$work/linux/drivers/misc/$file"
    done
    sed -i '/^endmenu/i source "drivers/misc/ax650/kmod/Kconfig"' "$work/linux/drivers/misc/Kconfig"
    echo 'obj-$(CONFIG_AX650) += ax650/kmod/' >>"$work/linux/drivers/misc/Makefile"
    echo "$made_of" >"$work/made-of"
}
made_of="$source $(sha256sum <"$0")"
[ "$(cat "$work/made-of" 2>/dev/null)" = "$made_of" ] || fresh
mkdir -p "$work/linux/drivers/misc/ax650/uapi"
rsync -rlpt --delete --exclude='*.o' --exclude='*.ko' --exclude='.*.cmd' --exclude='*.mod*' \
    "$tree/kmod" "$work/linux/drivers/misc/ax650/"
rsync -t "$tree/uapi/ax650.h" "$tree/uapi/ax650.rs" "$work/linux/drivers/misc/ax650/uapi/"

kernel_make() { make -C "$work/linux" O="$work/out" CC=gcc-14 -j"$jobs" "$@" </dev/null; }
# Debian's configuration with the driver, as Kconfig completes it.
for wanted in m y; do
    config=$work/config-$wanted
    cp "$stock/.config" "$config"
    "$work/linux/scripts/config" --file "$config" --set-val AX650 "$wanted"
    kernel_make "KCONFIG_CONFIG=$config" olddefconfig
    grep -x "CONFIG_AX650=$wanted" "$config" || die "Kconfig does not let CONFIG_AX650 be $wanted"
done
# A new configuration compiles all of the kernel's Rust anew, so there is one for both cases.
cmp -s "$work/config-m" "$work/out/.config" || cp "$work/config-m" "$work/out/.config"
run_logged "$work/prepare.log" "kernel's Rust" kernel_make modules_prepare
dir=drivers/misc/ax650/kmod
rm -rf "$work/out/$dir"
# Warnings are errors; not by flags, which would be new ones for all that is built already.
build() {
    kernel_make "$@" 2>&1 | tee "$work/build.log"
    ! grep -E "warning: " "$work/build.log" || die "the compiler warns"
}
case $value in
m)
    # Without vmlinux.o, modpost is told what Debian's kernel exports.
    printf '#!/bin/sh\nexec scripts/mod/modpost -i %s "$@"\n' "$stock/Module.symvers" >"$work/modpost"
    chmod +x "$work/modpost"
    # The last link wants vmlinux, for BTF.
    build "$dir/ax650.ko" "MODPOST=$work/modpost" KBUILD_MODPOST_NOFINAL=1
    for text in 'MODULE_INFO(intree, "Y")' 'pci:v00001F4Bd00000650'; do
        grep -qF "$text" "$work/out/$dir/ax650.mod.c" || die "modpost wrote no '$text'"
    done
    grep -qaF "version=$("$tree/dkms/version.sh")" "$work/out/$dir/ax650.o" || die "it has no version"
    ;;
y)
    build "$dir/" CONFIG_AX650=y
    ar t "$work/out/$dir/built-in.a"
    # It begins with the kernel, not as a module.
    symbols=$(nm "$work/out/$dir/ax650_main.o")
    grep -q __ax650_init <<<"$symbols" || die "no initcall"
    ! grep -qw init_module <<<"$symbols" || die "it is a module's object"
    ;;
esac
