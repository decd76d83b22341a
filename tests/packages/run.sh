#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck disable=SC1090,SC1091,SC2154 # what is sourced
#
# run.sh [GROUP...]   test the packages in dist/ (made by `make packages`)
#
# A group is a file in groups/, by default all of them; CASES has globs for names of cases.  The last
# line is `N passed, N failed, N skipped`.  Runs on the host, as root or with user namespaces.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

groups=("$@")
[ $# -gt 0 ] || mapfile -t groups < <(cd "$here/groups" && printf '%s\n' *.sh | sed 's/\.sh$//')
mkdir -p "$work"
rm -rf "$work/figures" "$work/logs"
for group in "${groups[@]}"; do
    . "$here/groups/$group.sh"
done
if [ -e "$work/figures" ]; then
    echo
    cat "$work/figures"
fi
[ $((passed + failed + skipped)) -gt 0 ] || { echo "no case matches '$pattern'" >&2; exit 1; }
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
