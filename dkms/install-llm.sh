#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# install-llm.sh PROGRAMS     install the command for language and speech models: ax650-llm of the
#                             directory PROGRAMS (cargo's target/release), manual pages, completions
#
#   DESTDIR   root of the package (default none)
#   PREFIX    default /usr
#
# The packages of all distributions but Debian's, whose debhelper has lists of its own, use it.
set -euo pipefail

# shellcheck source=dkms/install-lib.sh
. "$(dirname "$0")/install-lib.sh"

put 755 "$prefix/bin" "$programs/ax650-llm"
put 644 "$prefix/share/man/man1" docs/man/ax650-llm.1 docs/man/ax650-llm-{bench,run,serve,transcribe}.1
put 644 "$prefix/share/bash-completion/completions" docs/completions/ax650-llm
put 644 "$prefix/share/zsh/site-functions" docs/completions/_ax650-llm
put 644 "$prefix/share/fish/vendor_completions.d" docs/completions/ax650-llm.fish
