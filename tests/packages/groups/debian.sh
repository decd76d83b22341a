# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2030,SC2031,SC2046 # variables of lib.sh; commands for other shells; lists
#
# The Debian packages in systems that people have: Debian 13 with the backports kernel, and forky.
# The cases of a system are a story, in order: each finds what those before it have left.

debian_cases='bare install offline probe boot/loaded boot/ready boot/node boot/member boot/stranger boot/log
upgrade broken other-kernels kernel-upgrade kernel-removal autopkgtest remove purge'

# -- the story's system -----------------------------------------------------------------------------
# suite: trixie or forky; root: its directory; kernel: its kernel's release.

into() { system enter "$root" "$@"; }
sh_in() { into bash -euc "$@"; }

copy_base() { # DIR
    [ ! -e "$1" ] || system remove "$1"
    # Under the map of ids that it was made under.
    if [ "$(id -u)" = 0 ]; then cp -a "$base" "$1"
    else unshare --map-auto --map-root-user cp -a "$base" "$1"; fi
}

# The packages that this suite can have: the emulated card is linked with its build system's FFmpeg.
packages_for() {
    printf '%s\n' "$dist"/*.deb | sed -n "s|^$tree/|/src/|p" | grep -v -e -dbgsym |
        if [ "$suite" = trixie ]; then cat; else grep -v ax650-emulator; fi
}

states() { sh_in 'dpkg-query -W -f "\${db:Status-Abbrev}\${Package}\n" | sed -n "/ax650/p"'; }
all_configured() {
    local bad
    bad=$(states | grep -v '^ii ' || true)
    [ -z "$bad" ] || fail "not configured: $bad"
    expect "packages" "$1" "$(states | wc -l)"
    expect "audit" '' "$(into dpkg --audit)"
}
dkms_status() { into dkms status ax650; }

# -- cases ------------------------------------------------------------------------------------------

# As image builders do it: no kernel, no headers, no /proc.  It installs, and builds nothing.
deb_bare() {
    local root=$work/$suite-bare
    copy_base "$root"
    sh_in 'apt-get purge -y -q "linux-headers-*" "linux-image-*" && rm -rf /lib/modules/*'
    sh_in 'apt-get update -q'
    AX650_PROC=no sh_in '[ ! -e /proc/self ] && apt-get install -y -q --no-install-recommends "$@"' sh $(packages_for)
    all_configured "$(packages_for | wc -l)"
    expect "DKMS" "ax650/$version: added" "$(dkms_status)"
    system remove "$root"
}

deb_install() {
    local begin
    # Not the time of the downloads.
    sh_in 'apt-get update -q && apt-get install -y -q --download-only "$@"' sh $(packages_for)
    begin=$SECONDS
    sh_in 'apt-get install -y -q "$@"' sh $(packages_for)
    figure "$suite: apt install took $((SECONDS - begin)) s (downloads apart), with the build of the module and its metadata"
    echo $((SECONDS - begin)) >"$work/$suite-seconds"
    all_configured "$(packages_for | wc -l)"
    if [ -n "$supported" ]; then
        expect "DKMS" "ax650/$version, $kernel, x86_64: installed" "$(dkms_status)"
        expect "where the module is" "/lib/modules/$kernel/updates/dkms" \
            "$(sh_in 'dirname "$(modinfo -k '"$kernel"' -n ax650)"')"
    else
        expect "DKMS" "ax650/$version: added" "$(dkms_status)"
    fi
}

unsupported() { [ -n "$supported" ] || skip "the module does not support $kernel"; }

# Building needs no network; the metadata is used again.
deb_offline() {
    unsupported
    local before
    before=$(stat -c %Y "$root/var/lib/ax650/rust-metadata/$kernel/made-for")
    into dkms uninstall "ax650/$version" -k "$kernel"
    into dkms unbuild "ax650/$version" -k "$kernel"
    into unshare --net dkms install "ax650/$version" -k "$kernel"
    expect "DKMS" "ax650/$version, $kernel, x86_64: installed" "$(dkms_status)"
    expect "time of the metadata" "$before" "$(stat -c %Y "$root/var/lib/ax650/rust-metadata/$kernel/made-for")"
}

# What the probe says of kernels that cannot have the module: one line, and status 77.
probe_says() { # WORDS DIR
    local said status=0
    said=$(into "/usr/src/ax650-$version/dkms/probe" "$2" 2>&1) || status=$?
    expect "status for $2 ($said)" 77 "$status"
    expect "lines" 1 "$(wc -l <<<"$said")"
    case $said in *"$1"*) ;; *) fail "for $2 it says: $said" ;; esac
}

deb_probe() {
    local like=/usr/src/linux-headers-$kernel
    probe_says "no kernel headers" /nowhere
    sh_in 'cd /root && rm -rf plain other copy && mkdir plain other copy && for dir in plain other copy; do
            mkdir -p $dir/include/config && cp '"$like"'/.config $dir/ && echo 7.9.9 >$dir/include/config/kernel.release
        done
        sed -i /CONFIG_RUST=y/d plain/.config
        sed -i "s/^CONFIG_RUSTC_VERSION_TEXT=.*/CONFIG_RUSTC_VERSION_TEXT=\"rustc 1.99.0\"/" other/.config
        mkdir ubuntu && cp -r copy/. ubuntu && ln -s ../linux-lib-rust-7.9.9/rust ubuntu/rust'
    probe_says "without Rust (CONFIG_RUST)" /root/plain
    probe_says "was built with 'rustc 1.99.0', but here is 'rustc " /root/other
    probe_says "no Rust metadata (rust/libkernel.rmeta)" /root/copy
    probe_says "install linux-lib-rust-7.9.9" /root/ubuntu
    # Each tool that the metadata needs, missing.
    sh_in 'mv /usr/bin/bindgen /usr/bin/bindgen.away'
    probe_says "bindgen is not installed" "$like"
    sh_in 'mv /usr/bin/bindgen.away /usr/bin/bindgen'
    [ -z "$supported" ] || into "/usr/src/ax650-$version/dkms/probe" "$like"
}

# -- the boot: one for all its cases ----------------------------------------------------------------

# What the boots share: the emulated card of the package, and a model.
prepare_boot() {
    rm -rf "$work/emulator"
    mkdir -p "$work/emulator"
    dpkg-deb -x "$(echo "$dist"/ax650-emulator_*.deb)" "$work/emulator"
    in_root "$(root_path "$work/emulator/usr/bin/ax650-emu-model")" pin \
        "$(in_root "$tree_in_root/tests/env/assets.sh" print models)/ch_ppocr_mobile_v2.0_cls_infer.onnx" \
        --group x:1x3x48x192 -o "$(root_path "$work/model.onnx")"
}

make_disk() { # DIR
    local build
    build=$(system build)
    sh_in 'useradd -m -G render member && useradd -m stranger
        systemctl mask serial-getty@ttyS0.service apt-daily.timer apt-daily-upgrade.timer
        mkdir -p /lib/firmware/axcl
        ax650-fw pack --sample small --force -o /lib/firmware/axcl/ax650_card.pac'
    sh_in 'cp /src/tests/packages/guest/ax650-check /usr/local/sbin/
        cp /src/tests/packages/guest/ax650-check.service /etc/systemd/system/
        systemctl enable ax650-check.service
        cp "/cache/packages-test/model.onnx" /opt/model.onnx; chmod 644 /opt/model.onnx'
    cp "$root/boot/vmlinuz-$kernel" "$1/vmlinuz"
    cp "$root/boot/initrd.img-$kernel" "$1/initrd"
    rm -f "$1/disk"
    system enter "$build" mke2fs -q -t ext4 -E root_owner=0:0 -d "/cache${root#"$cache"}" "/cache${1#"$cache"}/disk" 6G
}

deb_boot() {
    unsupported
    local dir=$work/$suite-boot
    mkdir -p "$dir"
    prepare_boot
    make_disk "$dir"
    # The emulated card of the package.
    in_root "$tree_in_root/tests/packages/boot.sh" "$(root_path "$dir")" "$(root_path "$work/emulator/usr/bin/ax650-emu")"
    rm -f "$dir/disk"
    grep -a '^FOUND\|^ready' "$dir/console"
    grep -aq '^FOUND ready' "$dir/console" || fail "the card did not get ready"
}

found() { sed -n "s/^FOUND $1 //p" "$work/$suite-boot/console" 2>/dev/null | tr -d '\r' | head -n 1; }
booted() { unsupported; [ -n "$(found reports)" ] || fail "it did not boot so far"; }

deb_boot_loaded() { booted; expect "module" "/lib/modules/$kernel/updates/dkms" "$(dirname "$(found module)")"; }
deb_boot_ready() {
    booted
    [[ "$(found ready)" == *'ready: fw '* ]] || fail "the log says: $(found ready)"
    figure "$suite: $(cut -d' ' -f1 <<<"$(found ready)") s from the kernel's start to 'ready' (emulated CPU); with apt install $(($(cat "$work/$suite-seconds") + $(cut -d' ' -f1 <<<"$(found ready)"))) s"
}
deb_boot_node() {
    booted
    expect "/dev/ax650-0" "660 root:render" "$(found node)"
    expect "/dev/axcl_host" none "$(found axcl)"
    expect "/dev/axcl_host with axcl_abi=Y" "660 root:axcl" "$(found axcl-on)"
}
deb_boot_member() { booted; [[ "$(found member)" == '0 '[1-9]* ]] || fail "status and number of outputs: $(found member)"; }
deb_boot_stranger() {
    booted
    expect "status of ax650 (4: no permission)" 4 "$(found stranger)"
    [[ "$(found denied)" == *'Permission denied'* ]] || fail "opening says: $(found denied)"
}
deb_boot_log() { booted; expect "reports in the kernel's log" 0 "$(found reports)"; }

# -- upgrade, kernels, removal ----------------------------------------------------------------------

next_version=0.99.0

deb_upgrade() {
    local new=$work/next before=''
    "$here/build.sh" "$new" "sed -i 's/^version = \"$version\"/version = \"$next_version\"/' Cargo.toml &&
        sed -i '1s/([^)]*)/($next_version-0ax1)/' dkms/debian/changelog"
    [ -z "$supported" ] || before=$(cat "$root/var/lib/ax650/rust-metadata/$kernel/made-for")
    sh_in 'apt-get install -y -q "$1"' sh "/cache${new#"$cache"}/$(cd "$new" && echo ax650-dkms_*.deb)"
    all_configured "$(packages_for | wc -l)"
    if [ -n "$supported" ]; then
        expect "DKMS" "ax650/$next_version, $kernel, x86_64: installed" "$(dkms_status)"
        expect "metadata" "$before" "$(cat "$root/var/lib/ax650/rust-metadata/$kernel/made-for")"
        expect "modules" 1 "$(find "$root/lib/modules/$kernel/" -name 'ax650.ko*' | wc -l)"
    fi
    expect "versions" "$next_version" "$(cd "$root/var/lib/dkms/ax650" && find . -maxdepth 1 -mindepth 1 -name '[0-9]*' -printf '%f\n')"
    expect "sources" "ax650-$next_version" "$(cd "$root/usr/src" && echo ax650-*)"
}

# The module does not compile: dpkg goes on, DKMS by hand says so.
deb_broken() {
    unsupported
    local source=/usr/src/ax650-$version/kmod/ax650_main.rs status=0
    sh_in "cp $source /root/main.rs && echo 'fn broken( {' >>$source && dpkg-reconfigure ax650-dkms"
    all_configured "$(packages_for | wc -l)"
    expect "DKMS" "ax650/$version: added" "$(dkms_status)"
    into dkms build "ax650/$version" -k "$kernel" || status=$?
    case $status in 0 | 77) fail "dkms build ends with status $status" ;; esac
    sh_in "cp /root/main.rs $source && dpkg-reconfigure ax650-dkms"
    expect "DKMS" "ax650/$version, $kernel, x86_64: installed" "$(dkms_status)"
}

# Kernels that cannot have it are installed as ever, and DKMS says that it skips them.
deb_other_kernels() {
    [ "$suite" = trixie ] || skip "forky has one kernel only"
    local old
    old=$(into apt-cache pkgnames linux-headers-6.12. | grep -E '^linux-headers-[^-]*-amd64$' | sort -V | tail -n 1)
    old=${old#linux-headers-}
    [ -n "$old" ] || fail "the archive has no kernel 6.12"
    sh_in 'apt-get install -y -q --no-install-recommends "linux-headers-$1"' sh "$old" | tee "$work/old-kernel"
    all_configured "$(packages_for | wc -l)"
    into dkms autoinstall -k "$old" | tee -a "$work/old-kernel"
    grep -q "was skipped for module(s) ax650" "$work/old-kernel" || fail "DKMS does not say that it skips $old"
    ! dkms_status | grep "$old" || fail "DKMS has it for $old"
    sh_in 'apt-get purge -y -q "linux-headers-$1" "linux-image-$1"' sh "$old"
}

# The same version for clouds, or nothing.
second_kernel() { into apt-cache pkgnames "linux-image-${kernel%-amd64}-cloud-amd64" | sed -n 's/^linux-image-\(.*-cloud-amd64\)$/\1/p'; }

# Another kernel is installed with its headers: built for it in the same transaction.
deb_kernel_upgrade() {
    unsupported
    local new
    new=$(second_kernel)
    [ -n "$new" ] || skip "the archive has no second kernel with Rust"
    sh_in 'apt-get install -y -q --no-install-recommends "linux-image-$1" "linux-headers-$1"' sh "$new"
    all_configured "$(packages_for | wc -l)"
    expect "DKMS" "$(printf "ax650/$version, %s, x86_64: installed\n" "$kernel" "$new" | sort)" "$(dkms_status | sort)"
    [ -e "$root/var/lib/ax650/rust-metadata/$new/made-for" ] || fail "no metadata for $new"
}

# With a kernel go its module and its metadata.
deb_kernel_removal() {
    unsupported
    local new
    new=$(second_kernel)
    [ -e "$root/lib/modules/$new" ] || skip "there is no second kernel"
    sh_in 'apt-get purge -y -q "linux-headers-$1" "linux-image-$1"' sh "$new"
    expect "DKMS" "ax650/$version, $kernel, x86_64: installed" "$(dkms_status)"
    expect "metadata" "$kernel" "$(ls "$root/var/lib/ax650/rust-metadata")"
    all_configured "$(packages_for | wc -l)"
}

deb_autopkgtest() {
    [ "$suite" = trixie ] || skip "the tests of the packages are run on the system that they were built for"
    local status=0
    sh_in 'apt-get install -y -q --no-install-recommends autopkgtest autodep8 >/dev/null
        rm -rf /root/tree /cache/packages-test/autopkgtest && mkdir -p /root/tree/debian && cp -r /src/dkms/debian/. /root/tree/debian/
        cp -r /src/uapi /root/tree/
        sed -i "1s/([^)]*)/($1)/" /root/tree/debian/changelog
        cd /root && autopkgtest --output-dir=/cache/packages-test/autopkgtest '"$(packages_for | xargs)"' /root/tree/ -- null' \
        sh "$deb_version" || status=$?
    figure "autopkgtest: $(tr '\n' ';' <"$work/autopkgtest/summary" | tr -s ' ')"
    # 2: some were skipped.
    [ "$status" = 0 ] || [ "$status" = 2 ] || fail "autopkgtest ended with $status"
}

left_behind() {
    find "$root/var/lib/dkms/ax650" "$root"/usr/src/ax650-* "$root/var/lib/ax650" "$root"/lib/modules/*/updates \
        ! -type d 2>/dev/null | head
}

deb_remove() {
    sh_in 'apt-get remove -y -q "ax650*" "libax650-*" librust-ax650-dev python3-ax650'
    expect "left behind" '' "$(left_behind)"
    expect "audit" '' "$(into dpkg --audit)"
}

deb_purge() {
    # apt has forgotten them, as they came from no archive.
    sh_in 'dpkg --purge $(dpkg-query -W -f "\${db:Status-Abbrev}\${Package}\n" | sed -n "s/^rc *\(.*ax650.*\)/\1/p")'
    expect "states" '' "$(states)"
    expect "left behind" '' "$(left_behind; find "$root/etc" -name '*ax650*' ! -name 'ax650-check*')"
}

# -- ------------------------------------------------------------------------------------------------

# A case that others need: run in any case.
step() { # NAME COMMAND...
    # shellcheck disable=SC2034 # used by lib.sh
    if wanted "$1"; then case_ "$@"; else (pattern='' && case_ "$@"); fi
}

debian() { # SUITE
    suite=$1
    # shellcheck disable=SC2086 # a list
    group_wanted "$suite" $debian_cases || return 0
    base=$(system "$suite")
    root=$work/$suite
    deb_version=$(dpkg-deb -f "$(echo "$dist"/ax650-dkms_*.deb)" Version)
    version=${deb_version%-*}
    copy_base "$root"
    kernel=$(cd "$root/lib/modules" && echo *)
    # Older than the least that DKMS takes?
    local least
    least=$(sed -nE 's/^BUILD_EXCLUSIVE_KERNEL_MIN="(.*)"/\1/p' "$tree/dkms/dkms.conf.in")
    supported=''
    [ "$(printf '%s\n' "$least" "$kernel" | sort -V | head -n 1)" != "$least" ] || supported=yes

    case_ "$suite/bare" deb_bare
    # All the others need it.
    step "$suite/install" deb_install
    case_ "$suite/offline" deb_offline
    case_ "$suite/probe" deb_probe
    if group_wanted "$suite" boot boot/loaded boot/ready boot/node boot/member boot/stranger boot/log; then
        step "$suite/boot" deb_boot
        for name in loaded ready node member stranger log; do
            case_ "$suite/boot/$name" "deb_boot_$name"
        done
    fi
    case_ "$suite/upgrade" deb_upgrade
    [ ! -e "$root/usr/src/ax650-$next_version" ] || version=$next_version
    case_ "$suite/broken" deb_broken
    case_ "$suite/other-kernels" deb_other_kernels
    case_ "$suite/kernel-upgrade" deb_kernel_upgrade
    case_ "$suite/kernel-removal" deb_kernel_removal
    case_ "$suite/remove" deb_remove
    case_ "$suite/purge" deb_purge
    case_ "$suite/autopkgtest" deb_autopkgtest
    [ -n "${KEEP:-}" ] || system remove "$root"
}

tree_in_root=/src
[ "${AX650_ROOT:-}" != / ] || tree_in_root=$tree
debian trixie
debian forky
