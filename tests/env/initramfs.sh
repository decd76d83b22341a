#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# initramfs.sh OUT.gz KERNEL [FILE:PATH...]
#
# Make the guest's root file system: a static busybox, `init` beside this file, the modules that
# KERNEL (of kernels.sh) needs before it can mount the share, and the FILEs, each at PATH in the
# guest.  Runs inside the toolchain root.  The same input gives the same bytes.
set -euo pipefail
me=initramfs
. "$(dirname "$0")/lib.sh"

[ $# -ge 2 ] || die "usage: $0 OUT.gz KERNEL [FILE:PATH...]"
out=$1 kernel=$2
shift 2
modules=$("$tree/tests/env/kernels.sh" print "$kernel" modules)

work=$(mktemp -d)
# Another run may make the same at the same time.
partial=$(mktemp "$out.partial.XXXXXX")
trap 'rm -rf "$work" "$partial"' EXIT
guest=$work/guest
mkdir -p "$guest"/{bin,sbin,dev,etc,proc,sys,tmp,run,root,mnt/share,lib/firmware}
if [ "$arch" = "$(dpkg --print-architecture)" ]; then
    cp /usr/bin/busybox "$guest/bin/busybox"
else
    # The same version for the guest; rebuilds have numbers of their own on each architecture.
    fetch_debs "busybox-static:$arch=$(version busybox-static | sed 's/+b[0-9]*$//')*"
    dpkg-deb --fsys-tarfile "${debs[0]}" | tar -C "$work" -xf - ./usr/bin/busybox
    cp "$work/usr/bin/busybox" "$guest/bin/busybox"
fi
for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$guest/bin/$applet"
done
install -m 755 "$tree/tests/env/init" "$guest/init"
# Names for the tests that run without privilege.
printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n' >"$guest/etc/passwd"
printf 'root:x:0:\nrender:x:105:\nuser:x:1000:\n' >"$guest/etc/group"
[ ! -d "$modules" ] || cp -a "$modules" "$guest/lib/modules"
for pair in "$@"; do
    file=${pair%%:*} path=${pair#*:}
    case $pair in *:/*) ;; *) die "'$pair' is not FILE:/PATH" ;; esac
    [ -f "$file" ] || die "no such file: $file"
    mkdir -p "$guest$(dirname "$path")"
    cp "$file" "$guest$path"
done
find "$guest" -exec touch -h -d @0 {} +
(cd "$guest" && find . | sort | cpio --quiet -o -H newc -R 0:0 --reproducible) | gzip -n -1 >"$partial"
mv "$partial" "$out"
