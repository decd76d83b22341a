# SPDX-License-Identifier: MIT OR Apache-2.0
SUMMARY = "Driver for AX650N accelerator cards"
DESCRIPTION = "Kernel module, in Rust, for PCIe cards with Axera's AX650N. The kernel needs \
CONFIG_RUST, which this layer's fragment turns on in linux-yocto."
SECTION = "kernel"
LICENSE = "GPL-2.0-only"
LIC_FILES_CHKSUM = "file://LICENSES/GPL-2.0.txt;md5=570a9b3749dd0463a1778803b12a6dce"

require conf/ax650.inc
inherit module

DEPENDS += "rust-native bindgen-cli-native"

MODULES_MODULE_SYMVERS_LOCATION = "kmod"
EXTRA_OEMAKE += "-C ${STAGING_KERNEL_BUILDDIR} M=${S}/kmod"
KERNEL_MODULE_AUTOLOAD = ""
