#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# install-python.sh DIR LIBRARY: put the modules ax650 and axengine, and what pip knows them by, below DIR, a directory
# where Python looks for modules.  LIBRARY is what cargo has made of userlib/python.  For packagers that do without
# maturin; wheels are made by tests/python/build.sh.
set -eu
dir=${1?usage: install-python.sh DIR LIBRARY} library=${2?usage: install-python.sh DIR LIBRARY}
here=$(cd "$(dirname "$0")" && pwd)
python=$here/../userlib/python
mkdir -p "$dir"
cp -R "$python/python/ax650" "$python/axengine/axengine" "$dir/"
find "$dir/ax650" "$dir/axengine" -name __pycache__ -prune -exec rm -r {} +
install -m 644 "$library" "$dir/ax650/_ax650.abi3.so"
version=$("$here/version.sh")
for name in ax650 ax650_axengine; do
	info=$dir/$name-$version.dist-info
	mkdir -p "$info"
	printf 'Metadata-Version: 2.1\nName: %s\nVersion: %s\nRequires-Python: >=3.9\n' \
		"$(echo "$name" | tr _ -)" "$version" >"$info/METADATA"
done
printf 'Requires-Dist: numpy>=1.21\n' >>"$dir/ax650-$version.dist-info/METADATA"
printf 'Requires-Dist: ax650==%s\n' "$version" >>"$dir/ax650_axengine-$version.dist-info/METADATA"
