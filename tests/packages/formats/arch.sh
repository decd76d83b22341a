#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# arch.sh build|install|info
#
# The Arch packages: built with makepkg out of the archives in dist/.  Runs in the packaging root.
set -euo pipefail
me=arch
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../env/lib.sh"

version=$("$tree/dkms/version.sh")
work=$cache/packages-test/arch

as_builder() { # makepkg does not run as root.
    if [ "$(id -u)" = 0 ]; then
        id -u builder >/dev/null 2>&1 || useradd --system --home-dir "$work" builder
        chown -R builder "$work"
        setpriv --reuid=builder --clear-groups -- "$@"
    else
        "$@"
    fi
}

prepare() {
    rm -rf "$work"
    mkdir -p "$work/home"
    cp "$tree/dkms/arch/PKGBUILD" "$tree/dist/ax650-$version.tar.xz" "$tree/dist/ax650-$version-vendor.tar.xz" "$work/"
    cd "$work"
    export HOME=$work/home CARGO_HOME=$work/home/cargo PKGEXT=.pkg.tar.zst
    unset CARGO_TARGET_DIR
}

case ${1:-} in
build)
    prepare
    # Dependencies are Arch's names.
    as_builder makepkg --nodeps --noconfirm --skipinteg
    ls "$work"/*.pkg.tar.zst
    ;;
info)
    prepare
    info=$(as_builder makepkg --printsrcinfo)
    grep -qx $'\tpkgver = '"$version" <<<"$info"
    for name in ax650-dkms ax650-llm ax650-utils; do
        grep -qx "pkgname = $name" <<<"$info" || die "no package $name in: $info"
    done
    ;;
install)
    packages=("$work"/ax650-*.pkg.tar.zst)
    [ -e "${packages[0]}" ] || { echo "no packages: the case 'build' failed or was not run"; exit 77; }
    root=$(mktemp -d /var/tmp/ax650-arch.XXXXXX)
    trap 'rm -rf "$root"' EXIT
    mkdir -p "$root/var/lib/pacman" "$root/etc"
    printf '[options]\nSigLevel = Never\nLocalFileSigLevel = Optional\nArchitecture = auto\n' >"$root/pacman.conf"
    pacman --root "$root" --dbpath "$root/var/lib/pacman" --config "$root/pacman.conf" --noconfirm -dd -U "${packages[@]}"
    pacman --root "$root" --dbpath "$root/var/lib/pacman" --config "$root/pacman.conf" -Qkk ax650-dkms ax650-llm ax650-utils
    [ "$("$root/usr/bin/ax650" --version)" = "ax650 $version" ]
    [ "$("$root/usr/bin/ax650-llm" --version)" = "ax650-llm $version" ]
    grep -qx "PACKAGE_VERSION=\"$version\"" "$root/usr/src/ax650-$version/dkms.conf"
    [ -e "$root/usr/lib/udev/rules.d/70-ax650.rules" ]
    [ -e "$root/usr/lib/sysusers.d/ax650.conf" ]
    ;;
*) die "usage: $0 build|install|info" ;;
esac
