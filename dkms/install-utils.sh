#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# install-utils.sh PROGRAMS   install the tools for users: the programs in the directory PROGRAMS
#                             (cargo's target/release), manual pages, completions, udev rules, the
#                             group of AXCL programs and the sample of the module's options
#
#   DESTDIR   root of the package (default none)
#   PREFIX    default /usr
#   SYSTEM    directory of udev's, modprobe's and sysusers' files (default PREFIX/lib)
#
# The packages of all distributions but Debian's, whose debhelper has lists of its own, use it.
set -euo pipefail

# shellcheck source=dkms/install-lib.sh
. "$(dirname "$0")/install-lib.sh"
system=${SYSTEM:+${DESTDIR:-}$SYSTEM}
system=${system:-$prefix/lib}

put 755 "$prefix/bin" "$programs/ax650" "$programs/ax650-fw"
put 644 "$prefix/share/man/man1" docs/man/ax650.1 docs/man/ax650-{bench,check,classify,decode,detect,embed,encode,exporter,fw,info,list,log,reset,run,top,transcode}.1
put 644 "$prefix/share/man/man4" docs/man/*.4
put 644 "$prefix/share/bash-completion/completions" docs/completions/ax650 docs/completions/ax650-fw
put 644 "$prefix/share/zsh/site-functions" docs/completions/_ax650 docs/completions/_ax650-fw
put 644 "$prefix/share/fish/vendor_completions.d" docs/completions/ax650.fish docs/completions/ax650-fw.fish
put 644 "$system/udev/rules.d" dkms/udev/70-ax650.rules
put 644 "$system/modprobe.d" dkms/modprobe.d/ax650.conf
put 644 "$system/sysusers.d" dkms/sysusers.d/ax650.conf
