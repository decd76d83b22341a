# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash disable=SC2154 # variables of lib.sh
#
# The Debian packages as files: what is in them, what lintian says of them.

in_build() { system enter "$(system build)" "$@"; }

# /src is the tree, where dist/ is.
lintian_is_silent() {
    # Reading the output is better than its status: warnings do not change that.
    in_build bash -c 'lintian --allow-root --display-level ">=warning" /src/dist/ax650_*.changes' >"$work/lintian" 2>&1 || true
    cat "$work/lintian"
    grep -v '^N:\|^running with root' "$work/lintian" | grep -q . && fail "lintian has something to say"
    figure "lintian: no error, no warning"
}

all_are_there() {
    local name deb
    for name in ax650-dkms ax650-utils ax650-llm ax650-emulator libax650-0 libax650-dev librust-ax650-dev \
        python3-ax650; do
        deb=$(echo "$dist/$name"_*.deb)
        [ -f "$deb" ] || fail "no $name in dist/"
        dpkg-deb -c "$deb" >"$work/$name.contents"
        figure "size of $name: $(($(stat -c %s "$deb") / 1024)) KiB, installed $(dpkg-deb -f "$deb" Installed-Size) KiB"
    done
}

# Nothing that changes the system, reaches the network or compiles, but for what dh_dkms puts there.
scripts_do_little() {
    local deb script
    for deb in "$dist"/*.deb; do
        for script in preinst postinst prerm postrm config; do
            dpkg-deb --ctrl-tarfile "$deb" | tar -xO "./$script" 2>/dev/null |
                grep -nE 'modprobe|insmod|rmmod|make|gcc|rustc|cargo|curl|wget|chmod|chown|uname|apt' &&
                fail "$script of ${deb##*/} does too much"
        done
    done
    return 0
}

# Every option of the module is in its sample, and the other way round; likewise in ax650(4).
options_are_documented() {
    local options
    options=$(sed -nE 's/^module_param\(([a-z_0-9]+),.*/\1/p' "$tree"/kmod/*/*.c | sort)
    expect "options in the sample" "$options" "$(sed -nE 's/^#options ax650 ([a-z_0-9]+)=.*/\1/p' "$tree/dkms/modprobe.d/ax650.conf" | sort)"
    expect "options in ax650(4)" "$options" "$(sed -nE 's/^\.BR ([a-z_0-9]+) " \((bool|int|uint).*/\1/p' "$tree/docs/man/ax650.4" | sort)"
    expect "active lines in the sample" '' "$(grep -v '^#\|^$' "$tree/dkms/modprobe.d/ax650.conf" || true)"
}

# A program in its own directory uses the packaged crate, offline.
crate_builds() {
    local dir=$cache/packages-test/crate
    rm -rf "$dir"
    mkdir -p "$dir/src"
    dpkg-deb -x "$(echo "$dist"/librust-ax650-dev_*.deb)" "$dir/root"
    cat >"$dir/Cargo.toml" <<END
[package]
name = "user"
version = "0.0.0"
edition = "2021"
[dependencies]
ax650 = { path = "$(echo "$dir"/root/usr/share/cargo/registry/ax650-[0-9]* | sed "s|^$cache|/cache|")", default-features = false }
END
    printf 'fn main() {\n    println!("{} cards", ax650::Card::list().len());\n}\n' >"$dir/src/main.rs"
    cp "$tree/Cargo.lock" "$dir/"
    in_build env CARGO_TARGET_DIR=/cache/deb-target bash -c \
        'cd /cache/packages-test/crate && cargo run --offline --quiet'
}

header_compiles() {
    mkdir -p "$work/header"
    dpkg-deb -x "$(echo "$dist"/libax650-dev_*.deb)" "$work/header"
    printf '#include <ax650.h>\nint main(void) { return AX650_ABI_VERSION != 1; }\n' >"$work/header/main.c"
    in_build bash -c 'cd /cache/packages-test/header &&
        gcc -std=c99 -Wall -Wextra -Werror -pedantic -isystem usr/include -o main main.c && ./main'
}

case_ files/all all_are_there
case_ files/lintian lintian_is_silent
case_ files/scripts scripts_do_little
case_ files/options options_are_documented
case_ files/crate crate_builds
case_ files/header header_compiles
