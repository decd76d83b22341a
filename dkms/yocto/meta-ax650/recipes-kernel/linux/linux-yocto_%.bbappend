# SPDX-License-Identifier: MIT OR Apache-2.0
FILESEXTRAPATHS:prepend := "${THISDIR}/files:"
SRC_URI += "file://ax650.cfg"
# CONFIG_RUST is there only where these are found.
DEPENDS += "clang-native rust-native bindgen-cli-native"
