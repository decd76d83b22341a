#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# rpm.sh contents|install|scripts|lint|kmod
#
# The RPM packages in dist/ (`make packages-rpm`).  Runs in the packaging root.
set -euo pipefail
me=rpm
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../env/lib.sh"

version=$("$tree/dkms/version.sh")
dist=$tree/dist
rpms=("$dist/ax650-utils-$version"-*.x86_64.rpm "$dist/ax650-kmod-common-$version"-*.noarch.rpm
    "$dist/dkms-ax650-$version"-*.noarch.rpm "$dist/ax650-llm-$version"-*.x86_64.rpm)
names=(ax650-utils ax650-kmod-common dkms-ax650 ax650-llm)
for file in "${rpms[@]}"; do [ -e "$file" ] || die "$file is missing: make packages-rpm"; done
work=$(mktemp -d /var/tmp/ax650-rpm.XXXXXX)
trap 'rm -rf "$work"' EXIT

has() { grep -qx "$2" <<<"$1" || die "'$2' is missing among: $1"; }

case ${1:-} in
contents)
    list=$(rpm -qlp "${rpms[0]}")
    has "$list" /usr/bin/ax650
    has "$list" /usr/bin/ax650-fw
    has "$list" /usr/share/man/man1/ax650.1.gz
    list=$(rpm -qlp "${rpms[1]}")
    has "$list" /usr/lib/udev/rules.d/70-ax650.rules
    has "$list" /usr/lib/sysusers.d/ax650.conf
    has "$list" /usr/lib/modprobe.d/ax650.conf
    list=$(rpm -qlp "${rpms[2]}")
    has "$list" "/usr/src/ax650-$version/dkms.conf"
    has "$list" "/usr/src/ax650-$version/kmod/Kbuild"
    list=$(rpm -qlp "${rpms[3]}")
    has "$list" /usr/bin/ax650-llm
    has "$list" /usr/share/man/man1/ax650-llm-serve.1.gz
    ! rpm -qlp "${rpms[0]}" | grep llm || die "these are of ax650-llm"
    has "$(rpm -qp --requires "${rpms[2]}")" "ax650-kmod-common = $version"
    # Nothing of the machine that built it.
    for file in "${rpms[@]}"; do
        mkdir -p "$work/x"
        (cd "$work/x" && rpm2cpio "$file" | cpio -idm --quiet)
    done
    ! grep -rlE 'ax650-rpm\.|/cache/|/src/dist' "$work/x" || die "paths of the build are in the files above"
    ;;
install)
    # All but what the distribution would have to give.
    rpm --root "$work/root" --initdb
    rpm --root "$work/root" -i --nodeps --noscripts "${rpms[@]}"
    rpm --root "$work/root" -V --nodeps "${names[@]}"
    [ "$("$work/root/usr/bin/ax650" --version)" = "ax650 $version" ]
    [ "$("$work/root/usr/bin/ax650-llm" --version)" = "ax650-llm $version" ]
    grep -qx "PACKAGE_VERSION=\"$version\"" "$work/root/usr/src/ax650-$version/dkms.conf"
    rpm --root "$work/root" -e --nodeps --noscripts "${names[@]}"
    left=$(find "$work/root/usr" -name '*ax650*')
    [ -z "$left" ] || die "it leaves behind: $left"
    ;;
scripts)
    # With no kernel, without DKMS, and when DKMS fails: the package is installed.
    rpm -qp --qf '%{POSTIN}\n' "${rpms[2]}" >"$work/post"
    rpm -qp --qf '%{PREUN}\n' "${rpms[2]}" >"$work/preun"
    ! grep -nE 'modprobe|uname|curl|wget|chmod' "$work/post" "$work/preun" || die "scripts must not do that"
    mkdir "$work/bin"
    for script in post preun; do
        PATH=/nonexistent /bin/sh -e "$work/$script" 1
        printf '#!/bin/sh\necho "$@" >>%s\nexit 10\n' "$work/calls" >"$work/bin/dkms"
        chmod +x "$work/bin/dkms"
        PATH=$work/bin /bin/sh -e "$work/$script" 1
    done
    grep -q "^add -m ax650 -v $version" "$work/calls"
    grep -q "^remove -m ax650 -v $version" "$work/calls"
    ;;
lint)
    command -v rpmlint >/dev/null || { echo "no rpmlint here"; exit 77; }
    rpmlint -c "$here/rpmlint.toml" "${rpms[@]}" "$tree"/dkms/rpm/*.spec
    ;;
kmod)
    # The packages that akmods would make, for the reference kernel; kmodtool is a stand-in.
    "$tree/tests/env/kernels.sh" stock
    build=$("$tree/tests/env/kernels.sh" print stock build)
    release=$(cat "$build/include/config/kernel.release")
    mkdir -p "$work/bin"
    cp "$here/kmodtool" "$work/bin/"
    PATH=$work/bin:$PATH rpmbuild -bb --nodeps --define "_topdir $work" --define "_sourcedir $dist" \
        --define "kernels $release" --define "kernel_build $build" --define "_smp_mflags -j$jobs" \
        "$tree/dkms/rpm/ax650-kmod.spec" >"$work/log" 2>&1 || { tail -n 30 "$work/log"; exit 1; }
    package=$(find "$work/RPMS" -name "kmod-ax650-$release-*.rpm")
    has "$(rpm -qlp "$package")" "/lib/modules/$release/extra/ax650/ax650.ko"
    (cd "$work" && rpm2cpio "$package" | cpio -idm --quiet)
    [ "$(modinfo -F version "$work/lib/modules/$release/extra/ax650/ax650.ko")" = "$version" ]
    ;;
*) die "usage: $0 contents|install|scripts|lint|kmod" ;;
esac
