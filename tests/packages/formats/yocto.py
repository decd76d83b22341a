# SPDX-License-Identifier: MIT OR Apache-2.0
"""yocto.py LAYER WORK VERSION: BitBake parses the recipes of LAYER.

BitBake is the real one; OpenEmbedded-Core, which its own tree has, is replaced by the classes below,
as far as the recipes name them.
"""

import os
import sys
import types

# The package on PyPI lacks the servers that share results between builds.
for absent in ("hashserv", "hashserv.client"):
    sys.modules[absent] = types.ModuleType(absent)

import bb.data
import bb.parse
import bb.siggen
import bb.utils

STAND_INS = {
    "conf/bitbake.conf": """
PN = "${@bb.parse.vars_from_file(d.getVar('FILE', False), d)[0]}"
P = "${PN}-${PV}"
PV = "1.0"
BPN = "${PN}"
THISDIR = "${@os.path.dirname(d.getVar('FILE'))}"
WORKDIR = "/work"
UNPACKDIR = "${WORKDIR}/sources"
S = "${WORKDIR}/${P}"
B = "${WORKDIR}/build"
D = "${WORKDIR}/image"
prefix = "/usr"
datadir = "/usr/share"
nonarch_base_libdir = "/usr/lib"
STAGING_KERNEL_BUILDDIR = "/kernel-build"
CARGO_TARGET_SUBDIR = "x86_64-poky-linux-gnu/release"
OVERRIDES = "${PN}"
FILESPATH = "/nowhere"
""",
    "classes/base.bbclass": "addtask install\n",
    "classes/module.bbclass": "DEPENDS += \"virtual/kernel\"\ndo_compile() {\n    :\n}\naddtask compile before do_install\n",
    "classes/cargo.bbclass": "do_compile() {\n    :\n}\naddtask compile before do_install\n",
    "recipes/linux-yocto_7.3.bb": "SRC_URI = \"git://linux\"\n",
}


def expect(what, wanted, found):
    """Ends the program unless they are the same."""
    if wanted != found:
        sys.exit(f"{what}: expected {wanted!r}, found {found!r}")


def contains(what, part, whole):
    """Ends the program unless `part` is one of the words of `whole`."""
    if part not in (whole or "").split():
        sys.exit(f"{what}: no {part!r} in {whole!r}")


def main(layer, work, version):
    """Parses and checks all."""
    core = os.path.join(work, "core")
    for name, text in STAND_INS.items():
        path = os.path.join(core, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    base = bb.data.init()
    base.setVar("BBPATH", core)
    base.setVar("LAYERDIR", layer)
    bb.parse.init_parser(base)
    base = bb.parse.handle(os.path.join(layer, "conf/layer.conf"), base, True)
    base.expandVarref("LAYERDIR")
    base.delVar("LAYERDIR")
    base.setVar("__bbclasstype", "recipe")
    base = bb.parse.handle("conf/bitbake.conf", base, True)
    contains("BBPATH", layer, base.getVar("BBPATH").replace(":", " "))
    expect("BBFILE_COLLECTIONS", "ax650", base.getVar("BBFILE_COLLECTIONS").strip())
    os.chdir(work)

    def parse(recipe, appends=()):
        data = base.createCopy()
        data.setVar("__BBAPPEND", " ".join(appends))
        return bb.parse.handle(recipe, data)[""]

    found = {}
    for top, _, names in os.walk(layer):
        for name in names:
            found[name] = os.path.join(top, name)
    patterns = base.getVar("BBFILES").split()
    expect("BBFILES", 2, len(patterns))

    module = parse(found["kernel-module-ax650.bb"])
    expect("version of the module", version, module.getVar("PV"))
    expect("name", "kernel-module-ax650", module.getVar("PN"))
    expect("license", "GPL-2.0-only", module.getVar("LICENSE"))
    contains("SRC_URI", f"file://ax650-{version}.tar.xz", module.getVar("SRC_URI"))
    contains("DEPENDS", "rust-native", module.getVar("DEPENDS"))
    contains("DEPENDS", "virtual/kernel", module.getVar("DEPENDS"))
    contains("EXTRA_OEMAKE", f"M=/work/sources/ax650-{version}/kmod", module.getVar("EXTRA_OEMAKE"))

    tools = parse(found["ax650-utils.bb"])
    expect("version of the tools", version, tools.getVar("PV"))
    contains("SRC_URI", f"file://ax650-{version}-vendor.tar.xz", tools.getVar("SRC_URI"))
    contains("FILESEXTRAPATHS", os.path.realpath(os.path.join(layer, "../../../dist")),
             tools.getVar("FILESEXTRAPATHS").replace(":", " "))
    contains("do_install", "/work/build/target/x86_64-poky-linux-gnu/release", tools.getVar("do_install"))

    tree = os.path.realpath(os.path.join(layer, "../../.."))
    for recipe in (module, tools):
        for entry in recipe.getVar("LIC_FILES_CHKSUM").split():
            path, _, checksum = entry.removeprefix("file://").partition(";md5=")
            expect(path, checksum, bb.utils.md5_file(os.path.join(tree, path)))

    kernel = parse(os.path.join(core, "recipes/linux-yocto_7.3.bb"), [found["linux-yocto_%.bbappend"]])
    contains("SRC_URI of the kernel", "file://ax650.cfg", kernel.getVar("SRC_URI"))
    contains("DEPENDS of the kernel", "bindgen-cli-native", kernel.getVar("DEPENDS"))
    directory = kernel.getVar("FILESEXTRAPATHS").split(":")[0]
    with open(os.path.join(directory, "ax650.cfg"), encoding="utf-8") as file:
        contains("ax650.cfg", "CONFIG_RUST=y", file.read())
    print("parsed 2 recipes and 1 append")


main(*sys.argv[1:])
