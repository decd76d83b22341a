#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# root.sh              make (once) the root that the GStreamer door is built and tried in (3 GB), and print its path
# root.sh CMD [ARG...] run a command in it, as tests/env/other-root.sh does
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../env/other-root.sh" gst "$here/packages.txt" "$@"
