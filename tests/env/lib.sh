# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the scripts that source this
#
# What the scripts of this directory share.  They run inside the toolchain root or the forky root
# (root.sh); source this file after setting `me`, the name that messages begin with.

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if [ "${AX650_ROOT:-}" = / ]; then
    cache=${AX650_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ax650}
else
    cache=/cache
fi
jobs=${JOBS:-$(nproc)}
# The jobs of a make around these scripts are none of the kernel's, which warns of them.
unset MAKEFLAGS MFLAGS
# Which root this is: that of the distribution trixie or forky.  Its own kernel's series, Debian's name
# for the compiler that built it, and what the names of its kernels' sources in the cache begin with.
root=${AX650_INSIDE:-trixie}
if [ "$root" = forky ]; then
    # Whatever forky has at the time.
    series=$(dpkg-query -W -f '${Package}\n' 'linux-source-[0-9]*' 2>/dev/null | sed 's/linux-source-//;1q')
    compilers=(rustc bindgen gcc) prefix=forky-
else
    # Debian has it in its backports (packages.txt).
    series=7.3 compilers=(rustc bindgen gcc-14 clang-19 lld-19) prefix=''
fi

# The root that a kernel and modules for it are built in.
root_of() { # KERNEL
    if [ "$1" = forky ]; then echo forky; else echo trixie; fi
}

# Kernels have names of their own; the usual one is also called by an older, shorter one.
full_name() { # KERNEL
    if [ "$1" = stock ]; then echo trixie-backports; else echo "$1"; fi
}

# Run a script of this directory in the root of KERNEL, which is not this one.
elsewhere() { # KERNEL SCRIPT [ARG...]
    local script=$2
    [ "$(root_of "$1")" = forky ] || die "$1 is not for the forky root"
    shift 2
    "$tree/tests/env/root.sh" --forky "tests/env/$script" "$@"
}

# What is built for: Debian's name of it, what the cross compilers' names begin with, and what the
# names of its products in the cache begin with.
arch=${AX650_ARCH:-amd64}
case $arch in
amd64) cross='' mark='' ;;
arm64)
    cross=aarch64-linux-gnu- mark=arm64-
    compilers=("${compilers[@]/#gcc-14/gcc-14-${cross%-}}")
    ;;
*)
    echo "$me: AX650_ARCH=$arch: it must be amd64 or arm64" >&2
    exit 1
    ;;
esac

# Progress goes to stderr with the seconds since the script began; stdout is for results.
say() { printf '%s: [%3d s] %s\n' "$me" "$SECONDS" "$*" >&2; }
die() {
    printf '%s: %s\n' "$me" "$*" >&2
    exit 1
}

# Debian version of an installed package.
version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || die "the package $1 is missing"; }

# A version as part of a file name: make and the kernel's build dislike '~', '+' and ':'.
plain() { tr -c 'A-Za-z0-9.\n' - <<<"$1"; }

# key FILE... -- WORD...: sixteen digits that change with the content of any file or any word.
key() {
    local files=()
    while [ "$1" != -- ]; do
        files+=("$1")
        shift
    done
    { cat "${files[@]}"; printf '%s\n' "$@"; } | sha256sum | cut -c1-16
}

# One at a time: wait for another run that makes the same thing, on file descriptor 9.
lock() { # NAME
    mkdir -p "$cache/lock"
    exec 9>"$cache/lock/$1"
    flock -n 9 || {
        say "waiting for another run that makes $1"
        flock 9
    }
}

# run_logged LOG WHAT CMD...: run CMD with its output in LOG, a progress line every eight seconds
# (steps are the "  CC  file" lines of a kernel build), and the end of LOG if it fails.
run_logged() {
    local log=$1 what=$2 pid beat=0
    shift 2
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    # A command in the background does not hear Ctrl-C.
    # shellcheck disable=SC2064 # this very process
    trap "kill $pid 2>/dev/null || true" EXIT
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        beat=$((beat + 1))
        [ $((beat % 8)) != 0 ] || say "$what: $(grep -cE '^  [A-Z]' "$log") steps"
    done
    wait "$pid" || {
        tail -n 30 "$log" >&2
        die "$what failed; the whole log is $log"
    }
    trap - EXIT
}

# fetch_debs PACKAGE=VERSION...: download Debian packages to the cache; sets the array `debs` to
# their files.  PACKAGE may have an architecture, VERSION may end in "*".  The package lists are kept in the cache too: the root stays as it was made.
fetch_debs() {
    local dir=$cache/debs spec file name options lists=$cache/debs/$mark${prefix}lists
    mkdir -p "$dir/partial" "$lists/partial"
    options=(-qq -o APT::Sandbox::User=root -o "Dir::Cache=$dir" -o "Dir::State::Lists=$lists"
        -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::Languages=none)
    debs=()
    for spec in "$@"; do
        name=${spec%%=*}
        file=$dir/${name/:/-}_$(plain "${spec#*=}").deb
        if [ ! -e "$file" ]; then
            (
                cd "$dir/partial" || exit
                rm -f ./*.deb
                apt-get "${options[@]}" download "$spec" 2>/dev/null ||
                    { apt-get "${options[@]}" update >&2 ||
                        die "the Debian package registry cannot be reached"; }
                ls ./*.deb >/dev/null 2>&1 || apt-get "${options[@]}" download "$spec" >&2 ||
                    die "cannot download $spec; if the registry has a newer version only, this root is out of date: make distclean"
                mv ./*.deb "$file"
            )
        fi
        debs+=("$file")
    done
}
