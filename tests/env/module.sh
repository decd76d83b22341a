#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# module.sh KERNEL          build ax650.ko for a kernel of kernels.sh
# module.sh print KERNEL    say where it is
# module.sh clippy          lint the Rust of the module (with the settings of trixie-backports)
# module.sh fmt [--fix]     check its format, or correct it
#
# Runs inside the toolchain root; builds for forky it has done in the forky root.  Sources are copied
# to the cache and built there, so that the tree stays clean and several kernels can be built for at
# once.  Warnings are errors.
#   KMOD   directory of another module, for trying things out (default kmod/ of this tree)
set -euo pipefail
me=module
. "$(dirname "$0")/lib.sh"

kernels=$tree/tests/env/kernels.sh
kmod=${KMOD:-$tree/kmod}
# Another module is built beside, not over, the usual one.
suffix=${KMOD:+-$(basename "$KMOD")}

# Copy what the module is made of to DIR; products of earlier builds stay, sources that have gone
# go.  The directory is begun anew for another build directory.
copy_sources() { # DIR BUILD
    local dir=$1 build=$2
    if [ "$(cat "$dir/built-for" 2>/dev/null)" != "$build" ]; then
        rm -rf "$dir"
        mkdir -p "$dir"
        echo "$build" >"$dir/built-for"
    fi
    rsync -rlpt --delete --exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' \
        --exclude='.*.cmd' --exclude='.*.d' --exclude=modules.order --exclude=Module.symvers \
        --exclude=/target "$kmod/" "$dir/kmod/"
    # The module shares the declarations of the ioctl interface.
    rsync -rlpt --delete "$tree/uapi/" "$dir/uapi/"
}

make_module() { # NAME KERNEL [MAKE ARGUMENT...]
    local dir=$cache/kmod-$mark$1$suffix build make
    "$kernels" "$2"
    build=$("$kernels" print "$2" build)
    make=(make -C "$build" "M=$dir/kmod" -j"$jobs" "KCFLAGS=-Werror" "KRUSTFLAGS=-Dwarnings" "${@:3}")
    # A module is built with the compiler of its kernel.
    [ "$2" != debug ] || make+=(LLVM=1)
    lock "kmod-$mark$1$suffix"
    copy_sources "$dir" "$build"
    rm -f "$dir/kmod"/*.ko
    "${make[@]}" modules </dev/null >"$dir/build.log" 2>&1 || {
        # The messages without kbuild's progress lines.
        grep -vE '^(make|  [A-Z])' "$dir/build.log" >&2 || tail -n 30 "$dir/build.log" >&2
        die "building for $2 failed; the whole log is $dir/build.log"
    }
    # objtool's are not errors to kbuild.
    ! grep -i 'warning:' "$dir/build.log" >&2 || die "building for $2 had warnings; the whole log is $dir/build.log"
}

build() { # KERNEL
    local dir=$cache/kmod-$mark$1$suffix ko
    make_module "$1" "$1"
    ko=$(find "$dir/kmod" -maxdepth 1 -name '*.ko' -print -quit)
    cp -p "$ko" "$dir/"
    say "$dir/$(basename "$ko") ($(stat -c %s "$ko") bytes)"
}

clippy() {
    local dir=$cache/kmod-${mark}clippy$suffix
    # clippy has no memory: a crate that was checked once would pass unseen the next time.
    rm -rf "$dir"
    make_module clippy trixie-backports CLIPPY=1 "CLIPPY_CONF_DIR=$("$kernels" print source)"
    say "clippy has nothing to say"
}

fmt() {
    local files check=(--check)
    [ "${1:-}" != --fix ] || check=()
    mapfile -t files < <(find "$kmod" -name '*.rs' | sort)
    rustfmt --edition 2021 --config-path "$("$kernels" print source)/.rustfmt.toml" "${check[@]}" "${files[@]}"
}

case ${1:-} in
stock | trixie-backports | debug | forky)
    if [ "$(root_of "$1")" = "$root" ]; then build "$(full_name "$1")"; else elsewhere "$1" module.sh "$1"; fi
    ;;
print)
    kernel=$(full_name "${2:-}")
    file=$cache/kmod-$mark$kernel/ax650.ko
    [ -e "$file" ] || die "not built yet: $0 $kernel"
    echo "$file"
    ;;
clippy) clippy ;;
fmt) fmt "${2:-}" ;;
*) die "usage: $0 trixie-backports|debug|forky|print KERNEL|clippy|fmt [--fix]" ;;
esac
