# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash disable=SC2154 # variables of lib.sh
#
# The packagings of other systems than Debian, and the driver in a kernel's tree: built where that can
# be done here, else read by the tools of those systems.  docs/packaging.md has the list.

formats_cases='rpm/contents rpm/install rpm/scripts rpm/lint rpm/kmod arch/info arch/build arch/install
recipes/shell recipes/alpine recipes/nix recipes/buildroot-kconfig recipes/buildroot-make recipes/yocto
intree/module intree/builtin static/empty-root'

# In the root that has rpmbuild, makepkg and the rest.
in_packaging() { AX650_ROOT_VARIANT=packaging in_root "$@"; }

formats() {
    local name script in
    for name in $formats_cases; do
        script=tests/packages/formats/${name%%/*}.sh
        in=in_packaging
        case $name in intree/* | static/*) in=in_root ;; esac
        case_ "formats/$name" "$in" "$script" "${name#*/}"
    done
}

# shellcheck disable=SC2086 # a list
! group_wanted formats $formats_cases || formats
