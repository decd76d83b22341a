#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# recipes.sh shell|alpine|nix|buildroot-kconfig|buildroot-make|yocto
#
# The packagings whose own build systems are too large for here: read by the tools that read them
# there, with stand-ins for the rest.  Runs in the packaging root.
set -euo pipefail
me=recipes
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../env/lib.sh"

version=$("$tree/dkms/version.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
expect() { [ "$2" = "$3" ] || die "$1: expected '$2', found '$3'"; }

shell() {
    local scripts
    mapfile -t scripts < <(cd "$tree" && grep -rlE '^#!/bin/(ba)?sh' dkms tests/packages/formats | sort)
    cd "$tree"
    shellcheck --severity=warning -x -P SCRIPTDIR "${scripts[@]}"
    shellcheck --severity=warning dkms/arch/PKGBUILD
    shellcheck --severity=warning dkms/alpine/APKBUILD dkms/alpine/AKMBUILD
}

# abuild and akms read these as shell scripts.
alpine() {
    mkdir -p "$work/src/ax650-$version"
    cp "$tree/dkms/alpine/AKMBUILD" "$work/src/"
    # shellcheck disable=SC2016 # for the other shell
    srcdir=$work/src busybox sh -euc '
        . "$1/dkms/alpine/APKBUILD"
        [ "$pkgver" = "$2" ]
        for name in pkgname pkgrel pkgdesc arch license source; do
            eval "[ -n \"\$$name\" ]" || { echo "no $name"; exit 1; }
        done
        type build check package _src >/dev/null
        # The subpackage: source-tree.sh is run for real.
        builddir=$1 subpkgdir=$3/sub
        _src
        [ "$arch" ] && [ "$license" = GPL-2.0-only ]
    ' sh "$tree" "$version" "$work"
    local dir=$work/sub/usr/src/ax650-$version
    # shellcheck disable=SC2016
    found=$(busybox sh -euc '. "$1/AKMBUILD"; type build >/dev/null; echo "$modname $modver $built_modules"' sh "$dir")
    expect AKMBUILD "ax650 $version kmod/ax650.ko" "$found"
    # Its build, with a kernel that has no headers: the probe says so.
    mkdir "$work/akms"
    # shellcheck disable=SC2016
    said=$(cd "$work/akms" && srcdir=$dir kernel_srcdir=/nowhere MAKEFLAGS='' \
        busybox sh -euc '. "$srcdir/AKMBUILD"; build' 2>&1) && die "it builds for no kernel"
    grep -q '^ax650: not built for /nowhere' <<<"$said" || die "it says: $said"
}

# Parsed, and evaluated with stand-ins for nixpkgs.
nix() {
    local kernel='{ withRust = true; version = "7.3.4"; modDirVersion = "7.3.4"; dev = "/dev-output"; moduleBuildDependencies = []; }'
    export NIX_STATE_DIR=$work/nix NIX_STORE_DIR=/nix/store NIX_CONF_DIR=$work HOME=$work
    nix-instantiate --parse "$tree/dkms/nix/default.nix" >/dev/null
    evaluate() { # KERNEL ATTRIBUTE
        nix-instantiate --store dummy:// --eval --strict --expr "
            (import $tree/dkms/nix/default.nix {
                kernel = $1;
                stdenv = { mkDerivation = x: x; hostPlatform.rust.rustcTarget = \"x86_64-unknown-linux-gnu\"; };
                rustPlatform.buildRustPackage = x: x;
                lib = {
                    cleanSource = x: x; optionals = c: l: if c then l else [];
                    licenses = { gpl2Only = 1; mit = 2; asl20 = 3; };
                    versionOlder = a: b: builtins.compareVersions a b < 0;
                };
            }).$2"
    }
    expect version "\"$version\"" "$(evaluate "$kernel" module.version)"
    expect version "\"$version\"" "$(evaluate null utils.version)"
    expect broken false "$(evaluate "$kernel" module.meta.broken)"
    expect "broken without Rust" true "$(evaluate "${kernel/withRust = true/withRust = false}" module.meta.broken)"
    expect "broken in old kernels" true "$(evaluate "${kernel//7.3.4/6.12.1}" module.meta.broken)"
    found=$(evaluate "$kernel" module.makeFlags)
    grep -q '"/dev-output/lib/modules/7.3.4/build"' <<<"$found" || die "makeFlags: $found"
    found=$(evaluate null utils.installPhase)
    grep -q 'target/x86_64-unknown-linux-gnu/release' <<<"$found" || die "installPhase: $found"
}

# Buildroot's kconfig is the kernel's of some years ago, which wrote $NAME for today's $(NAME).
buildroot_kconfig() {
    "$tree/tests/env/kernels.sh" source
    local source
    source=$("$tree/tests/env/kernels.sh" print source)
    make -C "$source" O="$work/o" allnoconfig </dev/null >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
    cp -r "$tree/dkms/buildroot" "$work/external"
    find "$work/external" -name Config.in -exec sed -i 's/\$BR2_EXTERNAL_AX650_PATH/$(BR2_EXTERNAL_AX650_PATH)/' {} +
    mkdir "$work/b"
    cat >"$work/b/Config.in" <<'END'
config BR2_x86_64
	def_bool y
config BR2_aarch64
	bool
config BR2_LINUX_KERNEL
	bool "kernel"
config BR2_PACKAGE_HOST_RUSTC_TARGET_ARCH_SUPPORTS
	def_bool y
config BR2_PACKAGE_HOST_RUSTC
	bool
source "$(BR2_EXTERNAL_AX650_PATH)/Config.in"
END
    cd "$work/b"
    export BR2_EXTERNAL_AX650_PATH=$work/external CONFIG_='' KCONFIG_CONFIG=$work/b/.config
    try() { # LINE...: the configuration that these lines give
        printf '%s=y\n' "$@" >"$work/b/.config"
        "$work/o/scripts/kconfig/conf" --olddefconfig Config.in 2>&1
        ! grep -i warning "$work/b/.config" || die "kconfig warns"
    }
    try BR2_LINUX_KERNEL BR2_PACKAGE_AX650_KMOD BR2_PACKAGE_AX650_UTILS
    for option in AX650_KMOD AX650_UTILS HOST_RUSTC; do
        grep -qx "BR2_PACKAGE_$option=y" .config || die "BR2_PACKAGE_$option is not set: $(cat .config)"
    done
    try BR2_PACKAGE_AX650_KMOD
    ! grep -q BR2_PACKAGE_AX650_KMOD=y .config || die "a module without a kernel"
}

# The makefiles, read by make, with Buildroot's infrastructure replaced by what shows their variables.
buildroot_make() {
    cat >"$work/Makefile" <<'END'
BR2_PACKAGE_AX650_KMOD = y
LINUX_DIR = /linux
TARGET_DIR = /target
RUSTC_TARGET_NAME = x86_64-unknown-linux-gnu
KCONFIG_ENABLE_OPT = enable $(1)
KCONFIG_DISABLE_OPT = disable $(1)
kernel-module = kinds += kernel-module
generic-package = kinds += generic-package
cargo-package = kinds += cargo-package
all:
	@echo '$(AX650_KMOD_VERSION) $(AX650_UTILS_VERSION)'
	@echo '$(kinds)'
	@echo '$(AX650_KMOD_SITE)/$(AX650_KMOD_SOURCE)'
	@echo '$(strip $(AX650_KMOD_LINUX_CONFIG_FIXUPS))'
	@echo '$(strip $(AX650_UTILS_INSTALL_TARGET_CMDS))'
host-rustc host-rust-bindgen /linux/.stamp_dotconfig:
	@echo makes $@
include $(BR2_EXTERNAL_AX650_PATH)/external.mk
END
    export BR2_EXTERNAL_AX650_PATH=$tree/dkms/buildroot
    make -s --warn-undefined-variables -f "$work/Makefile" all >"$work/said" 2>"$work/warnings"
    cat "$work/said"
    ! grep -i ax650 "$work/warnings" || die "undefined variables"
    expect versions "$version $version" "$(sed -n 1p "$work/said")"
    expect kinds "kernel-module generic-package cargo-package" "$(sed -n 2p "$work/said")"
    expect source "$tree/dist/ax650-$version.tar.xz" "$(sed -n 3p "$work/said")"
    grep -q 'enable CONFIG_RUST' "$work/said"
    said=$(make -s -f "$work/Makefile" /linux/.stamp_dotconfig)
    grep -q 'makes host-rust-bindgen' <<<"$said" || die "the kernel does not wait for bindgen: $said"
    grep -qx 'name: AX650' "$tree/dkms/buildroot/external.desc"
}

# Parsed by BitBake itself, with stand-ins for the classes of OpenEmbedded-Core.
yocto() {
    local bitbake=$cache/bitbake-2.19.0
    if [ ! -e "$bitbake/bb" ]; then
        rm -rf "$bitbake.partial"
        pip install --quiet --root-user-action ignore --no-deps --only-binary :all: --target "$bitbake.partial" bitbake-setup==2.19.0 ||
            { echo "BitBake cannot be had from PyPI"; exit 77; }
        mv "$bitbake.partial" "$bitbake"
    fi
    PYTHONPATH=$bitbake python3 "$here/yocto.py" "$tree/dkms/yocto/meta-ax650" "$work" "$version"
}

case ${1:-} in
shell | alpine | nix | yocto) "$1" ;;
buildroot-kconfig) buildroot_kconfig ;;
buildroot-make) buildroot_make ;;
*) die "usage: $0 shell|alpine|nix|buildroot-kconfig|buildroot-make|yocto" ;;
esac
