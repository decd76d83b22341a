# SPDX-License-Identifier: MIT OR Apache-2.0
SUMMARY = "Tools for AX650N accelerator cards"
DESCRIPTION = "The commands ax650 and ax650-fw, and the udev rules of the cards."
SECTION = "console/utils"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "\
    file://LICENSES/MIT.txt;md5=d392177e76f8427ec45d2e014bd4f309 \
    file://LICENSES/Apache-2.0.txt;md5=3b83ef96387f14655fc854ddc3c6bd57 \
"

require conf/ax650.inc
inherit cargo

# The crates, unpacked over the tree: no network.
SRC_URI += "file://ax650-${PV}-vendor.tar.xz"
CARGO_VENDORING_DIRECTORY = "${S}/vendor"
CARGO_BUILD_FLAGS:append = " --package ax650 --package ax650-firmware --bins"

do_install() {
    DESTDIR=${D} PREFIX=${prefix} SYSTEM=${nonarch_base_libdir} \
        ${S}/dkms/install-utils.sh ${B}/target/${CARGO_TARGET_SUBDIR}
}

FILES:${PN} += "\
    ${nonarch_base_libdir}/udev \
    ${nonarch_base_libdir}/modprobe.d \
    ${nonarch_base_libdir}/sysusers.d \
    ${datadir}/zsh \
    ${datadir}/fish \
    ${datadir}/bash-completion \
"
RRECOMMENDS:${PN} = "kernel-module-ax650"
