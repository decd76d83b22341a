#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# debug.sh DIR SOURCE: build the debug kernel (guest.config and debug.config) out of SOURCE.
#
# DIR/vmlinuz boots; DIR/build is the kernel's build directory less objects, enough for building
# modules.  An interrupted build goes on where it was, in DIR.partial.
set -euo pipefail
me=debug
. "$(dirname "$0")/../lib.sh"

dir=$1 source=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$dir.partial
export LLVM=1 KBUILD_BUILD_USER=ax650 KBUILD_BUILD_HOST=localhost

mkdir -p "$work"
if [ ! -e "$work/configured" ]; then
    say "configuring"
    (cd "$source" && scripts/kconfig/merge_config.sh -n -O "$work" "$here/guest.config" "$here/debug.config") \
        >"$work/config.log" 2>&1 || { cat "$work/config.log" >&2; die "configuring failed"; }
    if missing=$(grep 'not in final' "$work/config.log"); then
        die "the kernel did not take: $missing"
    fi
    touch "$work/configured"
fi
say "building with $jobs jobs (15 to 20 minutes on two idle cores)"
run_logged "$work/build.log" "kernel" make -C "$source" O="$work" -j"$jobs" bzImage modules

say "keeping what booting and building modules need"
rm -rf "$dir.new"
mkdir -p "$dir.new/build"
tar -C "$work" --exclude='*.o' --exclude='*.a' --exclude='./vmlinux*' --exclude='.tmp_vmlinux*' \
    --exclude='*.cmd' --exclude='*.ko' --exclude=./rust/host --exclude=./rust/bindings \
    --exclude=./rust/uapi --exclude=./arch/x86/boot --exclude=./System.map --exclude='*.log' \
    -cf - . | tar -C "$dir.new/build" -xf -
# The build directory names itself in its Makefile.
sed -i "s|$work|$dir/build|g" "$dir.new/build/Makefile"
cp "$work/arch/x86/boot/bzImage" "$dir.new/vmlinuz"
mv "$dir.new" "$dir"
rm -rf "$work"
say "done: $dir ($(du -sh "$dir" | cut -f1))"
